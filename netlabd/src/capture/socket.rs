//! A packet socket, packet(7).
#![allow(unsafe_code)] // setsockopt(2) and recvmsg(2) with options that no safe wrapper has

use std::{
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use tokio::io::unix::AsyncFd;

use super::{Options, Source};

/// The kernel's buffer for packets not yet read.
const BUFFER: usize = 16 << 20;
/// Largest frame; receive offload may glue many into one.
const LARGEST: usize = 256 << 10;

/// Why a capture cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such interface.
    #[error("there is no interface {0}")]
    NoInterface(String),
    /// The kernel refused.
    #[error("cannot capture at {label}: {error}")]
    Io {
        /// Where.
        label: String,
        /// Why.
        error: io::Error,
    },
}

/// One packet.
#[derive(Debug)]
pub(super) struct Packet {
    /// When it came, in nanoseconds since 1970.
    pub(super) time_ns: u64,
    /// What is kept of it, VLAN tag put back in.
    pub(super) bytes: Vec<u8>,
    /// How long it was.
    pub(super) length: usize,
}

/// A socket that receives copies of an interface's packets.
#[derive(Debug)]
pub(super) struct PacketSocket {
    fd: OwnedFd,
    snapshot_length: usize,
    dropped: AtomicU64,
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl std::os::fd::AsFd for PacketSocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl PacketSocket {
    /// Opens a socket in the source's namespace; it receives from then on.
    pub(super) fn open(source: &Source, options: &Options) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Io { label: source.label.clone(), error };
        let opened = thread::scope(|scope| {
            let opening = scope.spawn(|| {
                rustix::thread::move_into_link_name_space(
                    std::os::fd::AsFd::as_fd(&source.namespace),
                    Some(rustix::thread::LinkNameSpaceType::Network),
                )?;
                open_here(&source.interface, options)
            });
            opening.join().unwrap_or_else(|_| Err(io::Error::other("the opening thread crashed")))
        });
        match opened {
            Ok(fd) => {
                Ok(Self { fd, snapshot_length: options.snapshot_length as usize, dropped: AtomicU64::new(0) })
            }
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {
                Err(OpenError::NoInterface(source.label.clone()))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Hands the socket to the runtime.
    pub(super) fn register(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the descriptor is owned and stays the same until the value is dropped.
        Ok(unsafe { AsyncFd::register(self) }?)
    }

    /// The next packet; `None` if there is none yet.
    pub(super) fn receive(&self) -> io::Result<Option<Packet>> {
        let mut bytes: Vec<u8> = Vec::with_capacity(LARGEST.min(self.snapshot_length));
        let mut control = [0_u8; 256];
        let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.capacity() };
        // SAFETY: an all-zero msghdr is valid; its pointers are set to live buffers with their lengths.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = control.len();
        // SAFETY: as above; MSG_TRUNC makes the kernel tell the true length and write no more than fits.
        let length = unsafe {
            libc::recvmsg(self.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT | libc::MSG_TRUNC)
        };
        let Ok(length) = usize::try_from(length) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            };
        };
        // SAFETY: the kernel has written this many bytes.
        unsafe { bytes.set_len(length.min(bytes.capacity())) };
        let (time_ns, tag) = notes(&message);
        let mut length = length;
        if let Some(tag) = tag.filter(|_| bytes.len() >= 12) {
            // The kernel takes the 802.1Q tag out on reception.
            bytes.splice(12..12, tag);
            length += tag.len();
            bytes.truncate(self.snapshot_length);
        }
        Ok(Some(Packet { time_ns, bytes, length }))
    }

    /// Packets that did not fit the kernel's buffer so far.
    pub(super) fn dropped(&self) -> u64 {
        // SAFETY: all-zero is valid for plain numbers; the kernel fills it in and resets its own.
        let mut stats: libc::tpacket_stats = unsafe { mem::zeroed() };
        let mut length = socklen::<libc::tpacket_stats>();
        // SAFETY: the pointers are to live variables of the given length.
        let result = unsafe {
            libc::getsockopt(
                self.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut length,
            )
        };
        let new = if result == 0 { u64::from(stats.tp_drops) } else { 0 };
        self.dropped.fetch_add(new, Ordering::Relaxed) + new
    }
}

fn socklen<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(mem::size_of::<T>()).unwrap_or_default()
}

fn open_here(interface: &str, options: &Options) -> io::Result<OwnedFd> {
    // Protocol 0: nothing is received before the filter is in place.
    // SAFETY: a plain system call.
    let fd = unsafe {
        libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let index = rustix::net::netdevice::name_to_index(&fd, interface)?;
    rustix::net::sockopt::set_socket_recv_buffer_size_force(&fd, BUFFER)?;
    set(&fd, libc::SOL_PACKET, libc::PACKET_AUXDATA, &1_i32)?;
    set(&fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1_i32)?;
    attach(&fd, options)?;
    // SAFETY: all-zero is valid for plain numbers.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::c_ushort::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be();
    address.sll_ifindex = i32::try_from(index).unwrap_or_default();
    // SAFETY: the pointer is to a live variable of the given length.
    let bound =
        unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), socklen::<libc::sockaddr_ll>()) };
    if bound != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(fd)
}

fn attach(fd: &OwnedFd, options: &Options) -> io::Result<()> {
    let filter = |&(code, jt, jf, k): &(u16, u8, u8, u32)| libc::sock_filter { code, jt, jf, k };
    let mut program: Vec<libc::sock_filter> = options.filter.0.iter().map(filter).collect();
    if program.is_empty() {
        return Ok(());
    }
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).unwrap_or_default(),
        filter: program.as_mut_ptr(),
    };
    set(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

fn set<T>(fd: &OwnedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    // SAFETY: the pointer is to a live value of the given length.
    let result = unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), socklen::<T>())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The time and the 802.1Q tag that came with a packet.
fn notes(message: &libc::msghdr) -> (u64, Option<[u8; 4]>) {
    let (mut time, mut tag) = (0, None);
    // SAFETY: the macros walk the control buffer that the kernel filled in and whose length it set.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !next.is_null() {
        // SAFETY: the kernel wrote a whole header here; data is read unaligned and by its own type.
        unsafe {
            match ((*next).cmsg_level, (*next).cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let at: libc::timespec = libc::CMSG_DATA(next).cast::<libc::timespec>().read_unaligned();
                    let part = |number: i64| u64::try_from(number).unwrap_or_default();
                    time = part(at.tv_sec) * 1_000_000_000 + part(at.tv_nsec);
                }
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                    let data: libc::tpacket_auxdata =
                        libc::CMSG_DATA(next).cast::<libc::tpacket_auxdata>().read_unaligned();
                    if data.tp_status & libc::TP_STATUS_VLAN_VALID != 0 {
                        let known = data.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
                        let [a, b] = if known { data.tp_vlan_tpid } else { 0x8100 }.to_be_bytes();
                        let [c, d] = data.tp_vlan_tci.to_be_bytes();
                        tag = Some([a, b, c, d]);
                    }
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(message, next);
        }
    }
    (time, tag)
}
