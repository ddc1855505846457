//! A socket for one protocol of generic netlink. The kernel works in the sender's context: all answers to a message are
//! there when `send` returns, or are made when they are read, and no call here ever waits.

use std::{
    collections::BTreeMap,
    io,
    os::fd::AsFd,
    sync::{Mutex, MutexGuard, PoisonError},
};

use netlink_sys::{Socket as Netlink, SocketAddr, protocols::NETLINK_GENERIC};
use rustix::net::sockopt;

use super::{
    super::{
        netlink::{self, Message},
        rtnl::NetlinkError,
    },
    attributes::Attributes,
};

/// `GENL_ID_CTRL`, `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID`, `CTRL_ATTR_FAMILY_NAME`.
const CONTROL: (u16, u8, u16, u16) = (16, 3, 1, 2);
/// `struct nlmsghdr` and `struct genlmsghdr`.
const HEADER: usize = 20;
/// The kernel fills dumps in pieces of at most 32 KiB (`netlink_dump` in `net/netlink/af_netlink.c`).
const DATAGRAM: usize = 64 << 10;
/// Room for one message: attributes of 64 KiB, and what encloses them.
const BUFFER: usize = 1 << 20;

/// What the kernel answers, or how it refuses.
pub(in crate::kernel) type Answer<T> = io::Result<Result<T, NetlinkError>>;

/// The numbers of protocols, which are the same in all network namespaces.
fn numbers() -> MutexGuard<'static, BTreeMap<String, u16>> {
    static NUMBERS: Mutex<BTreeMap<String, u16>> = Mutex::new(BTreeMap::new());
    NUMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket of the network namespace in which it was opened.
pub(in crate::kernel) struct GenericSocket {
    socket: Netlink,
    family: u16,
    sequence: u32,
}

impl GenericSocket {
    /// Opens a socket in the calling thread's network namespace, and asks for the number of a protocol, unless that
    /// is known; refused with `ENOENT` where the kernel has none of that name.
    pub(in crate::kernel) fn open(family: &str) -> Answer<Self> {
        let mut socket = Netlink::new(NETLINK_GENERIC)?;
        socket.set_non_blocking(true)?;
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        sockopt::set_socket_send_buffer_size_force(socket.as_fd(), BUFFER)?;
        sockopt::set_socket_recv_buffer_size_force(socket.as_fd(), BUFFER)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        let (control, get, id, name) = CONTROL;
        let mut opened = Self { socket, family: control, sequence: 0 };
        if let Some(known) = numbers().get(family) {
            opened.family = *known;
            return Ok(Ok(opened));
        }
        let mut attributes = Attributes::default();
        attributes.put_text(name, family);
        let found = opened.ask(get, 0, &attributes, |answer| {
            Some(u16::from_ne_bytes(answer.attribute(id)?.try_into().ok()?))
        })?;
        Ok(match found {
            Ok(ids) => {
                opened.family = ids.first().copied().ok_or(io::ErrorKind::UnexpectedEof)?;
                numbers().insert(family.to_owned(), opened.family);
                Ok(opened)
            }
            Err(refusal) => Err(refusal),
        })
    }

    /// Has something done.
    pub(super) fn request(&mut self, command: u8, attributes: &Attributes) -> Answer<()> {
        Ok(self.ask(command, 0, attributes, |_| Some(()))?.map(drop))
    }

    /// Asks for all parts of something.
    pub(super) fn dump<T>(
        &mut self,
        command: u8,
        attributes: &Attributes,
        each: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Answer<Vec<T>> {
        self.ask(command, libc::NLM_F_DUMP, attributes, each)
    }

    /// Sends a message, and hands each answer to `each`.
    fn ask<T>(
        &mut self,
        command: u8,
        flags: i32,
        attributes: &Attributes,
        mut each: impl FnMut(Message<'_>) -> Option<T>,
    ) -> Answer<Vec<T>> {
        self.sequence += 1;
        let flags = flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK;
        self.socket.send(&self.message(command, flags, attributes.bytes()), 0)?;
        let mut found = Vec::new();
        loop {
            let mut datagram = Vec::with_capacity(DATAGRAM);
            self.socket.recv(&mut datagram, 0)?;
            for answer in netlink::split(&datagram).filter(|answer| answer.seq() == self.sequence) {
                match i32::from(answer.kind()) {
                    libc::NLMSG_DONE => return Ok(Ok(found)),
                    libc::NLMSG_ERROR => {
                        let refused = refusal(answer);
                        // Whoever had that number is gone, and may come back with another.
                        if refused.as_ref().is_some_and(|refused| refused.errno == libc::ENOENT) {
                            numbers().retain(|_, number| *number != self.family);
                        }
                        return Ok(refused.map_or(Ok(found), Err));
                    }
                    _ => found.extend(each(answer)),
                }
            }
        }
    }

    fn message(&self, command: u8, flags: i32, attributes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + attributes.len()).unwrap_or(u32::MAX);
        let flags = u16::try_from(flags).unwrap_or_default();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(self.family.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        // The version of all these protocols is 1.
        bytes.extend([command, 1, 0, 0]);
        bytes.extend(attributes);
        bytes
    }
}

/// The refusal in an error message; `None` for an acknowledgement.
fn refusal(answer: Message<'_>) -> Option<NetlinkError> {
    /// `NLMSGERR_ATTR_MSG`.
    const TEXT: u16 = 1;
    let payload = answer.payload();
    let errno = payload.first_chunk().map_or(-libc::EIO, |bytes| i32::from_ne_bytes(*bytes));
    // The error number, then the header of the refused message, then (NETLINK_CAP_ACK) attributes.
    let text = payload.get(20..).and_then(|rest| netlink::attribute(rest, TEXT));
    let text = text.map(|text| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
    (errno != 0).then(|| NetlinkError { errno: -errno, text: text.unwrap_or_default() })
}
