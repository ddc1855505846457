//! The socket that systemd opened for us, `sd_listen_fds(3)`.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

use rustix::net::{AddressFamily, SocketType, sockopt};

/// The unix socket that netlabd was started with, if it was; call once. More than one is an error.
#[expect(unsafe_code, reason = "a number from the environment becomes a descriptor")]
pub(super) fn inherited() -> io::Result<Option<std::os::unix::net::UnixListener>> {
    let mut passed = sd_notify::listen_fds_with_names()?;
    let Some((number, name)) = passed.next() else { return Ok(None) };
    if passed.next().is_some() {
        return Err(invalid(
            "systemd passed more than one socket; netlabd.socket must have one ListenStream=",
        ));
    }
    // SAFETY: systemd opened it for this process (`LISTEN_PID` was compared), nothing else uses the number,
    // and it is taken once.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    let is_ours = sockopt::socket_domain(&fd)? == AddressFamily::UNIX
        && sockopt::socket_type(&fd)? == SocketType::STREAM
        && sockopt::socket_acceptconn(&fd)?;
    if is_ours {
        Ok(Some(fd.into()))
    } else {
        Err(invalid(&format!("{name} is not a listening unix socket")))
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
