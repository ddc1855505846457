//! When namespaces that were let go are gone.
//!
//! The kernel takes dead network namespaces apart later, all that have gathered at once, in the
//! order in which they died (`cleanup_net` in `net/core/net_namespace.c`). That is a hundred times
//! faster than deleting the interfaces of each: its waits are shared. It does not tell when it is
//! done, so one more namespace is let go after them, whose end can be seen ([`Last`]).

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    sync::mpsc,
    thread,
    time::Duration,
};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::rtnl::{self, Indexes, RouteSocket};
use crate::{
    model::{Endpoint, Place},
    plan::{
        Op,
        item::{Veth, VethEnd},
    },
    sys::netns,
};

/// Longest wait for the kernel's next event.
const PATIENCE: Duration = Duration::from_secs(10);

/// A namespace that is to be let go after others. It is there once it is made: making it would wait for the kernel, which
/// takes others apart.
pub(super) struct Last {
    /// Dropped when its turn has come.
    held: mpsc::Sender<()>,
    end: thread::JoinHandle<io::Result<()>>,
}

impl Last {
    /// Makes it, on a thread of its own, which holds it.
    pub(super) fn make() -> io::Result<Self> {
        let (held, turn) = mpsc::channel();
        let (made, is_made) = mpsc::channel();
        let end = thread::Builder::new().spawn(move || follow_on(&turn, made))?;
        // Nothing is ever sent: it ends when the other side is dropped, made or not. What went wrong is told at the end.
        let _ = is_made.recv();
        Ok(Self { held, end })
    }

    /// Lets it go, and waits until the interfaces of all namespaces whose last user went before the call
    /// are gone, those at the other ends of their links too. Fails with EAGAIN if that takes longer than
    /// 10 s.
    pub(super) fn wait(self) -> io::Result<()> {
        drop(self.held);
        self.end.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Makes a namespace to let go and one to watch from, joined by a veth pair; lets the first go when it is
/// its turn, and watches it going.
fn follow_on(turn: &mpsc::Receiver<()>, made: mpsc::Sender<()>) -> io::Result<()> {
    netns::leave()?;
    let last = File::open("/proc/thread-self/ns/net")?;
    netns::leave()?;
    let name = |text: &str| text.parse().map_err(io::Error::other);
    let end = |place| Ok::<_, io::Error>(Endpoint { place, interface: name("end")? });
    let here = VethEnd { at: end(Place::Host)?, mac: None, mtu: None, gso_max_segs: None };
    let there = Place::Node("last".parse().map_err(io::Error::other)?);
    let there = VethEnd { at: end(there)?, mac: None, mtu: None, gso_max_segs: None };
    let namespace = |place: &Place| (*place != Place::Host).then(|| last.as_fd());
    let pair = Op::add(Veth { a: here, b: there });
    let requests = rtnl::messages(&pair, &Indexes::new(), &namespace, "")
        .map_err(|unknown| io::Error::new(io::ErrorKind::NotFound, unknown.0))?;
    for answer in RouteSocket::open()?.batch(requests)? {
        answer.map_err(|refusal| io::Error::from_raw_os_error(refusal.errno))?;
    }
    let events = events()?;
    drop(made);
    // Nothing is ever sent: it ends when the other side is dropped.
    let _ = turn.recv();
    drop(last);
    wait_for_deletion(&events)
}

/// A socket that hears of interfaces in the thread's namespace.
#[expect(unsafe_code, reason = "the descriptor of a netlink socket is borrowed")]
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
        if let Err(error) = super::Last::make().and_then(super::Last::wait) {
            assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
        }
    }
}
