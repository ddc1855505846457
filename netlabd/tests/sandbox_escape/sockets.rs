//! Unix sockets and terminals of the host, and families of sockets that no network tool needs.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::OpenOptionsExt,
            net::{SocketAddr, UnixStream},
        },
    },
};

use rustix::{
    fs::fstat,
    pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt},
};

use crate::{Probe, check};

/// The name of the decoy host's abstract socket (`unix(7)`).
pub(crate) const ABSTRACT: &str = "netlab-decoy";

pub(crate) const PROBES: &[Probe] = &[
    ("connect to the host's abstract socket", || reach("/srv/pins/host")),
    ("connect to another lab's abstract socket", || reach("/srv/pins/other")),
    ("connect to a socket that only root may", || UnixStream::connect("/srv/socket").map(drop)),
    ("connect to a socket below /run", || UnixStream::connect("/run/netns/socket").map(drop)),
    ("connect to a socket in /dev", || UnixStream::connect("/dev/log").map(drop)),
    ("make a socket of AF_VSOCK", || family(libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
    ("make a socket of AF_XDP", || family(libc::AF_XDP, libc::SOCK_RAW, 0)),
    ("make a socket of AF_ALG", || family(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)),
    // PF_KEY_V2.
    ("make a socket of AF_KEY", || family(libc::AF_KEY, libc::SOCK_RAW, 2)),
    ("make a socket of AF_BLUETOOTH", || family(libc::AF_BLUETOOTH, libc::SOCK_RAW, 1)),
    ("make a pair of sockets of AF_TIPC", || {
        let mut pair = [0_i32; 2];
        // SAFETY: room for two descriptors.
        check(unsafe {
            libc::syscall(libc::SYS_socketpair, libc::AF_TIPC, libc::SOCK_STREAM, 0, pair.as_mut_ptr())
        })
        .map(drop)
    }),
    // Memory of the kernel that no cgroup counts.
    ("make a packet ring of 64 MiB", || ring(libc::PACKET_RX_RING, 64).map(drop)),
    ("make a packet ring of 64 MiB to send", || ring(libc::PACKET_TX_RING, 64).map(drop)),
    ("make packet rings of 32 MiB together", || {
        let rings: io::Result<Vec<_>> = (0..16).map(|_| ring(libc::PACKET_RX_RING, 2)).collect();
        rings.map(drop)
    }),
    ("take a terminal of the host's", || {
        if terminals(1)?.contains(&std::env::var("DECOY_TERMINALS").unwrap()) {
            return Ok(());
        }
        Err(io::Error::other("it is of another instance"))
    }),
    // The kernel has 4,096, and keeps 1,024 of them for the host.
    ("take 64 terminals", || terminals(64).map(drop)),
    ("write to a user's terminal", || terminal().map(drop)),
    ("type at a user's terminal", || {
        let terminal = terminal()?;
        // SAFETY: one byte to read.
        check(unsafe { libc::syscall(libc::SYS_ioctl, terminal.as_raw_fd(), libc::TIOCSTI, c"x".as_ptr()) })
            .map(drop)
    }),
];

/// Connects to the abstract socket of a network namespace. Who may enter that does so first: such sockets are seen
/// there alone, so without it this shows that they are.
fn reach(namespace: &str) -> io::Result<()> {
    if let Ok(namespace) = File::open(namespace) {
        // SAFETY: no pointers.
        check(unsafe { libc::syscall(libc::SYS_setns, namespace.as_raw_fd(), 0) }).ok();
    }
    UnixStream::connect_addr(&SocketAddr::from_abstract_name(ABSTRACT)?).map(drop)
}

fn family(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::syscall(libc::SYS_socket, family, kind, protocol) }).map(drop)
}

/// A packet ring as libpcap makes it.
pub(crate) fn some_ring() -> io::Result<()> {
    ring(libc::PACKET_RX_RING, 2).map(drop)
}

/// Makes a packet socket with a ring of so many MiB.
fn ring(name: libc::c_int, mib: u32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers, and a new descriptor that nobody else owns.
    let socket = unsafe {
        let fd = check(libc::syscall(libc::SYS_socket, libc::AF_PACKET, libc::SOCK_RAW, 0))?;
        OwnedFd::from_raw_fd(fd.try_into().map_err(io::Error::other)?)
    };
    // `struct tpacket_req`: size of a block, blocks, size of a frame, frames.
    let request = [1 << 20, mib, 2048, mib * 512];
    // SAFETY: a request of the size that is stated.
    check(unsafe {
        libc::syscall(
            libc::SYS_setsockopt,
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            name,
            request.as_ptr(),
            size_of_val(&request),
        )
    })?;
    Ok(socket)
}

/// As many as each command may have.
pub(crate) fn some_terminals() -> io::Result<()> {
    terminals(16).map(drop)
}

/// Opens terminals, and answers the devices of the file systems that they are of.
fn terminals(count: usize) -> io::Result<Vec<String>> {
    let opened: io::Result<Vec<_>> = (0..count)
        .map(|_| {
            let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
            unlockpt(&master)?;
            let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
            let device = fstat(&slave)?.st_dev.to_string();
            Ok((master, device))
        })
        .collect();
    Ok(opened?.into_iter().map(|(_, device)| device).collect())
}

fn terminal() -> io::Result<File> {
    let path = std::env::var("DECOY_TERMINAL").unwrap();
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path)
}
