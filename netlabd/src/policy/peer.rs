//! The supplementary groups of a unix socket's peer.

use std::{io, os::fd::AsFd};

use crate::sys::sockopt;

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
    let count = sockopt::get(socket, (libc::SOL_SOCKET, libc::SO_PEERGROUPS), &mut groups)?;
    groups.truncate(count);
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
