//! A packet socket, packet(7).

use std::{
    ffi::CStr,
    io, mem,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use tokio::io::{Interest, unix::AsyncFd};

use super::{Options, Source, filter::Program, ring::Ring};
use crate::sys::{netns, sockopt};

/// The name that stands for all interfaces of a node.
pub const ANY: &str = "any";

/// Why a capture cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such interface.
    #[error("there is no interface {0}")]
    NoInterface(String),
    /// Its packets have no form that the file could name.
    #[error("{label} has hardware type {hardware}: only Ethernet and plain IP can be captured")]
    Hardware {
        /// Where.
        label: String,
        /// `ARPHRD_*` of `linux/if_arp.h`.
        hardware: u16,
    },
    /// The filter asks for parts that packets there do not have.
    #[error("the filter makes no sense at {0}, whose packets have no Ethernet header")]
    Filter(String),
    /// The kernel refused.
    #[error("cannot capture at {label}: {error}")]
    Io {
        /// Where.
        label: String,
        /// Why.
        error: io::Error,
    },
}

/// What a packet begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkType {
    /// An Ethernet header.
    Ethernet,
    /// An IPv4 or IPv6 header.
    Ip,
}

impl LinkType {
    /// By the interface's hardware type, `ARPHRD_*` of `linux/if_arp.h`.
    pub(super) fn of(hardware: u16) -> Option<Self> {
        /// Of `linux/if_arp.h`; not in libc.
        const ARPHRD_RAWIP: u16 = 519;
        match hardware {
            libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Some(Self::Ethernet),
            libc::ARPHRD_NONE
            | ARPHRD_RAWIP
            | libc::ARPHRD_TUNNEL
            | libc::ARPHRD_TUNNEL6
            | libc::ARPHRD_SIT
            | libc::ARPHRD_IPGRE => Some(Self::Ip),
            _ => None,
        }
    }

    /// `LINKTYPE_ETHERNET` and `LINKTYPE_RAW`.
    pub(super) fn link_type(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::Ip => 101,
        }
    }
}

/// An interface: index, name, kind.
pub(super) type Device = (u32, String, LinkType);

/// A socket that sees packets, the memory where they are, and what it listens to.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) fd: OwnedFd,
    pub(super) ring: Ring,
    /// The interfaces: index, name, kind. One, or all there are now.
    pub(super) interfaces: Vec<Device>,
}

/// Opens a socket in the source's namespace; it receives from then on. `size`: bytes of its buffer.
pub(super) fn open(source: &Source, options: &Options, size: usize) -> Result<Opened, OpenError> {
    let opening = netns::run_in(source.namespace.as_fd(), || open_here(source, options, size));
    opening.map_err(|error| failed(source, error))?
}

fn failed(source: &Source, error: io::Error) -> OpenError {
    if error.raw_os_error() == Some(libc::ENODEV) {
        return OpenError::NoInterface(source.label.clone());
    }
    OpenError::Io { label: source.label.clone(), error }
}

fn open_here(source: &Source, options: &Options, size: usize) -> Result<Opened, OpenError> {
    let failed = |error| failed(source, error);
    // Protocol 0: nothing is received before the filter is in place.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)
        .map_err(|errno| failed(errno.into()))?;
    let (index, interfaces) = listened_to(source, &fd)?;
    let ring = Ring::new(&fd, size).map_err(failed)?;
    let program = match interfaces.first() {
        Some((_, _, LinkType::Ip)) if index != 0 => {
            options.filter.raw.as_ref().ok_or_else(|| OpenError::Filter(source.label.clone()))?
        }
        _ => &options.filter.ethernet,
    };
    attach(&fd, program, options.snapshot_length).map_err(failed)?;
    if options.promiscuous && index != 0 {
        let member = libc::packet_mreq {
            mr_ifindex: i32::try_from(index).unwrap_or_default(),
            mr_type: u16::try_from(libc::PACKET_MR_PROMISC).unwrap_or_default(),
            mr_alen: 0,
            mr_address: [0; 8],
        };
        sockopt::set(&fd, (libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP), &member).map_err(failed)?;
    }
    bind(&fd, index).map_err(failed)?;
    Ok(Opened { fd, ring, interfaces })
}

/// The index to bind to, 0 for all, and the interfaces that are meant.
fn listened_to(source: &Source, fd: &OwnedFd) -> Result<(u32, Vec<Device>), OpenError> {
    if source.interface == ANY {
        let known =
            |(index, name): (u32, String)| Some((index, LinkType::of(hardware(fd, &name).ok()?)?, name));
        let all = all_interfaces().map_err(|error| failed(source, error))?.into_iter().filter_map(known);
        return Ok((0, all.map(|(index, link, name)| (index, name, link)).collect()));
    }
    let index = rustix::net::netdevice::name_to_index(fd, &source.interface)
        .map_err(|errno| failed(source, errno.into()))?;
    let hardware = hardware(fd, &source.interface).map_err(|error| failed(source, error))?;
    let link = LinkType::of(hardware)
        .ok_or_else(|| OpenError::Hardware { label: source.label.clone(), hardware })?;
    Ok((index, vec![(index, source.interface.clone(), link)]))
}

/// The interfaces of the calling thread's namespace.
#[expect(unsafe_code, reason = "no safe wrapper knows it")]
fn all_interfaces() -> io::Result<Vec<(u32, String)>> {
    // SAFETY: the list is ours until it is freed.
    let list = unsafe { libc::if_nameindex() };
    if list.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut interfaces = Vec::new();
    let mut next = list;
    // SAFETY: the list ends with an entry whose index is 0; names are strings of C.
    unsafe {
        while (*next).if_index != 0 {
            interfaces
                .push(((*next).if_index, CStr::from_ptr((*next).if_name).to_string_lossy().into_owned()));
            next = next.add(1);
        }
        libc::if_freenameindex(list);
    }
    Ok(interfaces)
}

/// The hardware type of an interface, `ARPHRD_*`.
#[expect(unsafe_code, reason = "no safe wrapper knows it")]
fn hardware(fd: &OwnedFd, name: &str) -> io::Result<u16> {
    // SAFETY: all-zero is a valid request.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    // SAFETY: the request is live; the kernel fills in the address, whose family is the type.
    unsafe {
        match libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) {
            0 => Ok(request.ifr_ifru.ifru_hwaddr.sa_family),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Hands a socket to the runtime.
#[expect(unsafe_code, reason = "no safe wrapper knows it")]
pub(super) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned and stays the same until the value is dropped.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

/// The name of an interface in the socket's namespace; `None` if it is gone.
pub(super) fn name(fd: &OwnedFd, index: u32) -> Option<String> {
    rustix::net::netdevice::index_to_name(fd, index).ok()
}

/// Packets that passed the filter since the last call, and how many of them were dropped.
pub(super) fn statistics(fd: &OwnedFd) -> (u64, u64) {
    // The first two of `struct tpacket_stats_v3`; the kernel resets its own.
    let mut stats = [0_u32; 3];
    match sockopt::get(fd, (libc::SOL_PACKET, libc::PACKET_STATISTICS), &mut stats) {
        Ok(_) => (stats[0].into(), stats[1].into()),
        Err(_) => (0, 0),
    }
}

#[expect(unsafe_code, reason = "no safe wrapper knows it")]
fn bind(fd: &OwnedFd, index: u32) -> io::Result<()> {
    // SAFETY: all-zero is valid for plain numbers.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::c_ushort::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be();
    address.sll_ifindex = i32::try_from(index).unwrap_or_default();
    let length = libc::socklen_t::try_from(size_of_val(&address)).unwrap_or_default();
    // SAFETY: the pointer is to a live variable of the given length.
    let bound = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) };
    if bound == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets pass what the program does, and of each packet no more than the snapshot length.
fn attach(fd: &OwnedFd, program: &Program, snapshot_length: u32) -> io::Result<()> {
    /// `BPF_RET | BPF_K`: how many bytes pass.
    const RETURN: u16 = 6;
    let all = [(RETURN, 0, 0, snapshot_length)];
    let program = if program.is_empty() { &all[..] } else { program };
    let instruction = |&(code, jt, jf, k): &(u16, u8, u8, u32)| {
        let k = if code == RETURN { k.min(snapshot_length) } else { k };
        libc::sock_filter { code, jt, jf, k }
    };
    let mut instructions: Vec<_> = program.iter().map(instruction).collect();
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).unwrap_or_default(),
        filter: instructions.as_mut_ptr(),
    };
    sockopt::set(fd, (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER), &program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        assert_eq!(LinkType::of(libc::ARPHRD_ETHER), Some(LinkType::Ethernet));
        assert_eq!(LinkType::of(libc::ARPHRD_NONE), Some(LinkType::Ip));
        assert_eq!(LinkType::of(libc::ARPHRD_IEEE80211), None);
    }

    #[test]
    fn interfaces_of_this_namespace() {
        let all = all_interfaces().unwrap();
        assert!(all.iter().any(|(_, name)| name == "lo"), "{all:?}");
    }
}
