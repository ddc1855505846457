//! The host's unix sockets and terminals.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::{
            fs::OpenOptionsExt,
            net::{SocketAddr, UnixStream},
        },
    },
};

use crate::{Probe, check};

/// The name of the decoy host's abstract socket (`unix(7)`).
pub(crate) const ABSTRACT: &str = "netlab-decoy";

pub(crate) const PROBES: &[Probe] = &[
    ("connect to the host's abstract socket", || reach("/srv/pins/host")),
    ("connect to another lab's abstract socket", || reach("/srv/pins/other")),
    ("connect to a socket that only root may", || UnixStream::connect("/srv/socket").map(drop)),
    ("connect to a socket below /run", || UnixStream::connect("/run/netns/socket").map(drop)),
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

fn terminal() -> io::Result<File> {
    let path = std::env::var("DECOY_TERMINAL").unwrap();
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path)
}
