//! A netlink socket that hears the events of all namespaces which the host has identifiers of.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use netlink_sys::Socket;
use rustix::event::{PollFd, PollFlags, poll};

/// Room for events that come while the thread is not running.
const RECEIVE_BUFFER: usize = 8 << 20;
/// Larger than any event: they are built in one page, those of links in a few.
const DATAGRAM: usize = 64 << 10;

/// What is received.
pub(super) enum Received<'a> {
    /// A datagram with messages, and the host's identifier of the sender's namespace; `None`: it has
    /// none, which only the host itself may lack.
    Events(Option<i32>, &'a [u8]),
    /// The buffer was full and events were dropped.
    Lost,
}

/// A subscribed socket.
#[derive(Debug)]
pub(super) struct EventSocket(Socket);

/// Where a datagram is received: larger than any.
pub(super) fn buffer() -> Vec<u8> {
    vec![0; DATAGRAM]
}

impl EventSocket {
    /// Makes a socket hear all namespaces that the one it was opened in has identifiers of
    /// (`NETLINK_LISTEN_ALL_NSID`, Linux 4.2). The kernel delivers only what comes from namespaces
    /// over which the opener has `CAP_NET_BROADCAST`; over those of labs it has all capabilities,
    /// for it owns their user namespaces.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        socket.set_listen_all_namespaces(true)?;
        let this = Self(socket);
        rustix::net::sockopt::set_socket_recv_buffer_size_force(this.fd(), RECEIVE_BUFFER)?;
        Ok(this)
    }

    #[expect(unsafe_code, reason = "neither rustix nor netlink-sys hands out whose event it is")]
    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is the socket's own and outlives the borrow.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }

    /// Hears a group more (`RTNLGRP_*`), in all namespaces.
    #[expect(
        unsafe_code,
        reason = "netlink-sys wants the socket for itself alone, and rustix has no such option"
    )]
    pub(super) fn join(&self, group: u32) -> io::Result<()> {
        let size = libc::socklen_t::try_from(size_of_val(&group)).map_err(io::Error::other)?;
        let option = libc::NETLINK_ADD_MEMBERSHIP;
        // SAFETY: the option is one `int`, and its size is told.
        let done = unsafe {
            libc::setsockopt(self.0.as_raw_fd(), libc::SOL_NETLINK, option, (&raw const group).cast(), size)
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Sleeps until something can be received.
    pub(super) fn wait(&self) -> io::Result<()> {
        let fd = self.fd();
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Receives one datagram; `None` if there is none. Does not wait.
    #[expect(unsafe_code, reason = "neither rustix nor netlink-sys hands out whose event it is")]
    pub(super) fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<Received<'a>>> {
        // `u64` aligns it for `cmsghdr`; a control message here is 20 bytes.
        let mut control = [0_u64; 8];
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: all zeros is a valid `msghdr`: null pointers of length zero.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        let received = loop {
            // SAFETY: `message` points to the buffer and to `control`, with their true lengths.
            let received = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
            if let Ok(length) = usize::try_from(received) {
                break length;
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EAGAIN) => return Ok(None),
                Some(libc::EINTR) => {}
                Some(libc::ENOBUFS) => return Ok(Some(Received::Lost)),
                _ => return Err(error),
            }
        };
        if message.msg_flags & libc::MSG_TRUNC != 0 {
            return Ok(Some(Received::Lost));
        }
        Ok(Some(Received::Events(sender(&message), &buffer[..received])))
    }
}

/// The identifier of the sender's namespace among the control messages.
#[expect(unsafe_code, reason = "neither rustix nor netlink-sys hands out whose event it is")]
fn sender(message: &libc::msghdr) -> Option<i32> {
    // SAFETY: the kernel has filled `msg_control` up to `msg_controllen`, and the CMSG functions stay
    // within it; the payload of this control message is one `int`, which may be unaligned.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(message);
        while let Some(header) = control.as_ref() {
            if header.cmsg_level == libc::SOL_NETLINK && header.cmsg_type == libc::NETLINK_LISTEN_ALL_NSID {
                return Some(ptr::read_unaligned(libc::CMSG_DATA(control).cast()));
            }
            control = libc::CMSG_NXTHDR(message, control);
        }
    }
    None
}
