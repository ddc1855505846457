//! Raw ICMP sockets in other network namespaces.

use std::{
    io, mem,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr,
    sync::Arc,
    thread,
};

use rustix::net::{self, AddressFamily, SendFlags, SocketFlags, SocketType, ipproto};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::oneshot,
};

use super::{
    Family,
    packet::{V4_ERRORS, V4_REPLY, V6_ERRORS, V6_REPLY},
};
use crate::sys::{
    netns,
    sockopt::{SocketOption, set},
};

/// `SOL_RAW` and its option `ICMP_FILTER` (linux/icmp.h).
const RAW_FILTER: SocketOption = (255, 1);
/// `SOL_ICMPV6` and its option `ICMPV6_FILTER` (linux/icmpv6.h).
const V6_FILTER: SocketOption = (58, 1);

/// A raw socket that hears echo replies, and the errors that requests may meet, of one network namespace.
#[derive(Debug)]
pub struct EchoSocket {
    fd: AsyncFd<OwnedFd>,
    family: Family,
}

/// A datagram that came in; its bytes are in the caller's buffer.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) length: usize,
    pub(super) from: IpAddr,
    pub(super) hop_limit: Option<u8>,
}

impl EchoSocket {
    /// Opens a socket inside the network namespace. Must be called within a tokio runtime. Fails as setns(2)
    /// and socket(2) do: without `CAP_SYS_ADMIN` and `CAP_NET_RAW` with EPERM.
    #[expect(unsafe_code, reason = "no safe wrapper knows it")]
    pub async fn open(namespace: BorrowedFd<'_>, family: Family) -> io::Result<Self> {
        let namespace = Arc::new(namespace.try_clone_to_owned()?);
        let (give, take) = oneshot::channel();
        thread::Builder::new().name("echo socket".into()).spawn(move || {
            let opened = netns::enter(namespace.as_fd()).and_then(|()| open(family));
            // Nobody waits any more: the socket is closed.
            drop(give.send(opened));
        })?;
        let fd = take.await.map_err(io::Error::other)??;
        // SAFETY: an `OwnedFd` stays open, and the same descriptor, for as long as the `AsyncFd` owns it.
        let fd = unsafe { AsyncFd::register(fd) }?;
        Ok(Self { fd, family })
    }

    /// The family that it was opened for.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Sends from this address only.
    pub(super) fn bind(&self, source: SocketAddr) -> io::Result<()> {
        Ok(net::bind(self.fd.get_ref(), &source)?)
    }

    /// Has the kernel refuse what is larger than the MTU (EMSGSIZE) and forbid routers to cut it: ip(7), ipv6(7).
    pub(super) fn forbid_fragments(&self) -> io::Result<()> {
        let fd = self.fd.get_ref();
        match self.family {
            Family::V4 => set(fd, (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER), &libc::IP_PMTUDISC_DO),
            Family::V6 => {
                set(fd, (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER), &libc::IPV6_PMTUDISC_DO)?;
                set(fd, (libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG), &1_i32)
            }
        }
    }

    /// Sends a message; waits while the kernel's buffer is full.
    pub(super) async fn send(&self, message: &[u8], to: SocketAddr) -> io::Result<()> {
        let send = |fd: &OwnedFd| Ok(net::sendto(fd, message, SendFlags::empty(), &to)?);
        self.fd.async_io(Interest::WRITABLE, send).await.map(drop)
    }

    /// Waits for a datagram.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<Datagram> {
        self.fd.async_io(Interest::READABLE, |fd| receive(fd, buffer)).await
    }
}

fn open(family: Family) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (domain, protocol) = match family {
        Family::V4 => (AddressFamily::INET, ipproto::ICMP),
        Family::V6 => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let fd = net::socket_with(domain, SocketType::RAW, flags, Some(protocol))?;
    match family {
        Family::V4 => set(&fd, RAW_FILTER, &all_but::<1>(&V4_ERRORS, V4_REPLY)[0])?,
        Family::V6 => {
            set(&fd, V6_FILTER, &all_but::<8>(&V6_ERRORS, V6_REPLY))?;
            set(&fd, (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT), &1_i32)?;
        }
    }
    Ok(fd)
}

/// A filter that stops all types of messages but these: a set bit stops.
fn all_but<const WORDS: usize>(errors: &[u8], reply: u8) -> [u32; WORDS] {
    let mut words = [u32::MAX; WORDS];
    for kind in errors.iter().copied().chain([reply]) {
        words[usize::from(kind / 32)] &= !(1 << (kind % 32));
    }
    words
}

#[expect(unsafe_code, reason = "no safe wrapper knows it")]
fn receive(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<Datagram> {
    // SAFETY: all-zero bytes are a valid value of these structures.
    let (mut name, mut header): (libc::sockaddr_storage, libc::msghdr) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = [0_u64; 16];
    header.msg_name = ptr::from_mut(&mut name).cast();
    header.msg_namelen = libc::socklen_t::try_from(mem::size_of_val(&name)).expect("an address is small");
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = mem::size_of_val(&control);
    // SAFETY: every pointer in `header` is to a live, writable buffer of the length beside it.
    let length = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, 0) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has filled `header`, and what it points to is still there.
    let hop_limit = unsafe { hop_limit(&header) };
    Ok(Datagram { length, from: address(&name)?, hop_limit })
}

#[expect(unsafe_code, reason = "no safe wrapper knows it")]
fn address(name: &libc::sockaddr_storage) -> io::Result<IpAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which structure the kernel put there; storage has room and alignment for all.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            Ok(IpAddr::from(name.sin_addr.s_addr.to_ne_bytes()))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            Ok(IpAddr::from(name.sin6_addr.s6_addr))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The hop limit among the control messages (RFC 3542, section 6.3).
///
/// # Safety
/// `header` must be as recvmsg(2) left it, with its control buffer alive.
#[expect(unsafe_code, reason = "no safe wrapper knows it")]
unsafe fn hop_limit(header: &libc::msghdr) -> Option<u8> {
    // SAFETY: the macros stay within `msg_controllen`, which the kernel set.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: not null, hence a whole header.
    while let Some(head) = unsafe { message.as_ref() } {
        if (head.cmsg_level, head.cmsg_type) == (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) {
            // SAFETY: the kernel puts an int there (`ip6_datagram_recv_common_ctl` in net/ipv6/datagram.c).
            let value = unsafe { libc::CMSG_DATA(message).cast::<i32>().read_unaligned() };
            return u8::try_from(value).ok();
        }
        // SAFETY: as for the first.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    None
}
