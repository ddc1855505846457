//! The netlink socket: batches out, dumps in.

use std::{io, os::fd::AsFd};

use netlink_sys::{Socket as Netlink, SocketAddr, protocols::NETLINK_NETFILTER};
use rustix::net::sockopt;

use super::super::netlink::{self, Message};
use super::{
    error::Error,
    message::{self, OfNftables as _},
};

/// Room for a batch of some 20,000 rules, and for the acknowledgement of each of them.
const BUFFER: usize = 8 << 20;
/// The kernel fills dumps in pieces of at most 32 KiB (`netlink_dump` in `net/netlink/af_netlink.c`).
const DATAGRAM: usize = 64 << 10;
/// `NFNLGRP_NFTABLES` (7) as a bit.
const NFTABLES_GROUP: u32 = 1 << 6;
/// How often a dump is begun anew when the rules change meanwhile.
const DUMP_TRIES: usize = 10;

/// A nfnetlink socket of one network namespace. The kernel works in the sender's context, so that all
/// answers to a message are there when `send` returns: no call here ever waits.
#[derive(Debug)]
pub(super) struct Socket(Netlink);

impl Socket {
    /// Opens a socket in the calling thread's network namespace.
    pub(super) fn open() -> Result<Self, Error> {
        open(0).map(Self).map_err(|cause| Error::socket("opening", cause))
    }

    /// Sends a batch, begin and end included, in one datagram, for the kernel refuses one in pieces. Either
    /// all of it is done or nothing.
    pub(super) fn commit(&self, batch: &[u8]) -> Result<(), Error> {
        self.send(batch)?;
        let mut awaited = netlink::split(batch).filter(|sent| sent.flags() & libc::NLM_F_ACK != 0).count();
        let mut refused = None;
        while let Some(datagram) = self.receive()? {
            for answer in netlink::split(&datagram) {
                match Self::check(answer, batch) {
                    Ok(()) => awaited = awaited.saturating_sub(1),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
        }
        match refused {
            Some(error) => Err(error),
            None if awaited > 0 => Err(Error::socket("acknowledging", io::ErrorKind::UnexpectedEof.into())),
            None => Ok(()),
        }
    }

    /// Asks for a dump and hands each object to `each`, begun anew when the rules changed meanwhile.
    pub(super) fn dump<T>(
        &self,
        kind: i32,
        filter: &[(u16, &str)],
        each: impl Fn(Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        self.dump_of(u8::try_from(libc::NFPROTO_INET).expect("a family is one byte"), kind, filter, each)
    }

    /// The same of any family (`NFPROTO_*`; 0: all of them).
    pub(super) fn dump_of<T>(
        &self,
        family: u8,
        kind: i32,
        filter: &[(u16, &str)],
        each: impl Fn(Message<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        for seq in 1..=DUMP_TRIES {
            let seq = u32::try_from(seq).expect("a few tries");
            let kind = message::nf_tables(kind);
            let request = message::build_for(family, kind, libc::NLM_F_DUMP, seq, 0, filter);
            if let Some(all) = self.dump_once(&request, &each)? {
                return Ok(all);
            }
        }
        Err(Error::socket("reading rules that never rest", io::Error::from_raw_os_error(libc::EINTR)))
    }

    /// The number of the ruleset's generation: every change by anybody makes a new one.
    pub(super) fn generation(&self) -> Result<u32, Error> {
        let request = message::build(message::nf_tables(libc::NFT_MSG_GETGEN), 0, 1, 0, &[]);
        self.send(&request)?;
        while let Some(datagram) = self.receive()? {
            for answer in netlink::split(&datagram) {
                Self::check(answer, &request)?;
                if let Some(id) = answer.number(message::attr::GENERATION_ID) {
                    return Ok(id);
                }
            }
        }
        Err(Error::socket("asking for the generation", io::ErrorKind::UnexpectedEof.into()))
    }

    fn dump_once<T>(
        &self,
        request: &[u8],
        each: impl Fn(Message<'_>) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Error> {
        self.send(request)?;
        let (mut all, mut whole) = (Vec::new(), true);
        while let Some(datagram) = self.receive()? {
            for answer in netlink::split(&datagram) {
                whole &= answer.flags() & libc::NLM_F_DUMP_INTR == 0;
                match i32::from(answer.kind()) {
                    libc::NLMSG_DONE => return Ok(whole.then_some(all)),
                    libc::NLMSG_ERROR => Self::check(answer, request)?,
                    _ => all.extend(each(answer)),
                }
            }
        }
        Err(Error::socket("reading", io::ErrorKind::UnexpectedEof.into()))
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        self.0.send(bytes, 0).map(drop).map_err(|cause| Error::socket("sending", cause))
    }

    /// The next datagram, or `None` when all are read.
    fn receive(&self) -> Result<Option<Vec<u8>>, Error> {
        let mut datagram = Vec::with_capacity(DATAGRAM);
        match self.0.recv(&mut datagram, 0) {
            Ok(_) => Ok(Some(datagram)),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(cause) => Err(Error::socket("receiving", cause)),
        }
    }

    /// Turns an error message into an error that names the message among `sent` that it answers.
    fn check(answer: Message<'_>, sent: &[u8]) -> Result<(), Error> {
        if i32::from(answer.kind()) != libc::NLMSG_ERROR {
            return Ok(());
        }
        let payload = answer.payload();
        let errno = payload.first_chunk().map_or(-libc::EIO, |bytes| i32::from_ne_bytes(*bytes));
        if errno == 0 {
            return Ok(());
        }
        // The error number, then the header of the refused message, then (NETLINK_CAP_ACK) attributes.
        let extended = payload.get(20..).and_then(|rest| netlink::attribute(rest, 1));
        let extended = extended.map(|text| String::from_utf8_lossy(text.strip_suffix(&[0]).unwrap_or(text)));
        match netlink::split(sent).find(|message| message.seq() == answer.seq()) {
            Some(message) => Err(Error::refused(message, -errno, extended.as_deref())),
            None => Err(Error::socket("asking", io::Error::from_raw_os_error(-errno))),
        }
    }
}

/// Opens a socket that hears every change of nftables objects in the calling thread's network namespace
/// (`NFNLGRP_NFTABLES`), our own changes included. It does not block. ENOBUFS on reading means that events
/// were lost: look anew.
pub fn event_socket() -> Result<Netlink, Error> {
    open(NFTABLES_GROUP).map_err(|cause| Error::socket("opening for events", cause))
}

fn open(groups: u32) -> io::Result<Netlink> {
    let mut socket = Netlink::new(NETLINK_NETFILTER)?;
    socket.set_non_blocking(true)?;
    socket.set_cap_ack(true)?;
    socket.set_ext_ack(true)?;
    sockopt::set_socket_send_buffer_size_force(socket.as_fd(), BUFFER)?;
    sockopt::set_socket_recv_buffer_size_force(socket.as_fd(), BUFFER)?;
    socket.bind(&SocketAddr::new(0, groups))?;
    Ok(socket)
}
