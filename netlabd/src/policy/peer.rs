//! The supplementary groups of a unix socket's peer.
#![allow(unsafe_code)] // No safe wrapper of getsockopt(2) knows SO_PEERGROUPS.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// Groups that are tried first; who has more costs a second call.
const FIRST: usize = 64;

/// Most groups of a process, `NGROUPS_MAX` of include/uapi/linux/limits.h.
const MOST: usize = 65_536;

/// The supplementary groups that the peer had when it connected (`SO_PEERGROUPS`, Linux 4.13,
/// net/core/sock.c).
pub(super) fn groups(socket: impl AsFd) -> io::Result<Vec<u32>> {
    match ask(&socket, FIRST) {
        Err(error) if error.raw_os_error() == Some(libc::ERANGE) => ask(&socket, MOST),
        answer => answer,
    }
}

fn ask(socket: &impl AsFd, room: usize) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; room];
    let mut length = libc::socklen_t::try_from(size_of_val(groups.as_slice())).unwrap_or(0);
    // SAFETY: the kernel writes at most `length` bytes to `groups`, which has that many, and the number
    // of bytes that it wrote to `length`; any bit pattern is a gid. The descriptor is open: it is borrowed.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    groups.truncate(usize::try_from(length).unwrap_or(0) / size_of::<u32>());
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn own_groups() {
        let (one, _other) = UnixStream::pair().unwrap();
        let mut seen = groups(&one).unwrap();
        let mut own: Vec<u32> =
            rustix::process::getgroups().unwrap().into_iter().map(rustix::fs::Gid::as_raw).collect();
        seen.sort_unstable();
        own.sort_unstable();
        assert_eq!(seen, own);
        if own.len() > 1 {
            assert!(ask(&one, 1).is_err(), "too little room");
        }
    }
}
