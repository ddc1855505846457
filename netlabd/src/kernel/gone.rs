//! When namespaces that were let go are gone.
//!
//! The kernel takes dead network namespaces apart later, all that have gathered at once, in the
//! order in which they died (`cleanup_net` in `net/core/net_namespace.c`). That is a hundred times
//! faster than deleting the interfaces of each: its waits are shared. It does not tell when it is
//! done, so one more namespace is let go after them, whose end can be seen.
#![allow(unsafe_code)] // unshare(2) on a thread that ends right after

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    thread,
    time::Duration,
};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::{
    net::sockopt::{Timeout, set_socket_timeout},
    thread::{UnshareFlags, unshare_unsafe},
};

use super::rtnl::{self, Indexes, RouteSocket};
use crate::{
    model::{Endpoint, Place},
    plan::{Op, VethEnd},
};

/// Longest wait for the kernel's next event.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until the interfaces of all namespaces whose last user went before the call are gone, those
/// at the other ends of their links too. Fails with EAGAIN if that takes longer than 10 s.
pub(super) fn wait() -> io::Result<()> {
    let waiting = thread::Builder::new().spawn(wait_here)?;
    waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// On a thread of its own: makes a namespace to let go and one to watch from, joined by a veth pair.
fn wait_here() -> io::Result<()> {
    leave()?;
    let last = File::open("/proc/thread-self/ns/net")?;
    leave()?;
    let name = |text: &str| text.parse().map_err(io::Error::other);
    let end = |place| Ok::<_, io::Error>(Endpoint { place, interface: name("end")? });
    let here = VethEnd { at: end(Place::Host)?, mac: None, mtu: None };
    let there = Place::Node("last".parse().map_err(io::Error::other)?);
    let there = VethEnd { at: end(there)?, mac: None, mtu: None };
    let space = |place: &Place| (*place != Place::Host).then(|| last.as_fd());
    let pair = Op::AddVeth { a: here, b: there };
    let requests = rtnl::messages(&pair, &Indexes::new(), &space, "")
        .map_err(|unknown| io::Error::new(io::ErrorKind::NotFound, unknown.0))?;
    for answer in RouteSocket::open()?.batch(requests)? {
        answer.map_err(|refusal| io::Error::from_raw_os_error(refusal.errno))?;
    }
    let events = events()?;
    drop(last);
    wait_for_deletion(&events)
}

/// Takes the thread to a new network namespace.
fn leave() -> io::Result<()> {
    // SAFETY: only this thread leaves the shared namespace, and it ends afterwards.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// A socket that hears of interfaces in the thread's namespace.
fn events() -> io::Result<Socket> {
    /// `RTMGRP_LINK` of linux/rtnetlink.h.
    const LINKS: u32 = 1;
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind(&SocketAddr::new(0, LINKS))?;
    // SAFETY: the descriptor is the socket's own and outlives the borrow.
    let fd = unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) };
    set_socket_timeout(fd, Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}

/// Waits for an event that an interface is gone; there is but one that can go.
fn wait_for_deletion(events: &Socket) -> io::Result<()> {
    let mut message = Vec::with_capacity(16 << 10);
    loop {
        message.clear();
        events.recv(&mut message, 0)?;
        // `nlmsg_type` of linux/netlink.h: bytes 4 and 5.
        let kind = message.get(4..6).map(|bytes| u16::from_ne_bytes([bytes[0], bytes[1]]));
        if kind == Some(libc::RTM_DELLINK) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_end_of_a_namespace_is_heard() {
        // Without root the kernel refuses, in plain words.
        if let Err(error) = super::wait() {
            assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
        }
    }
}
