//! A program in a network namespace of its own, as nobody, with no more than raw sockets there.

use std::{io, mem};

use tokio::process::Command;

/// `nobody`.
const NOBODY: u32 = 65_534;
/// `CAP_NET_RAW` of linux/capability.h.
const NET_RAW: u32 = 13;

/// Lets the command run as nobody in a new network namespace whose `lo` is up; its one capability is
/// `CAP_NET_RAW`, of use in that namespace only.
#[expect(unsafe_code, reason = "work between fork and exec")]
pub(super) fn in_an_empty_network(command: &mut Command) {
    // SAFETY: `confine` only makes system calls, on memory of its own.
    unsafe { command.pre_exec(confine) };
}

#[expect(unsafe_code, reason = "work between fork and exec")]
fn confine() -> io::Result<()> {
    // SAFETY: plain system calls; the structures are valid and live as long as the calls.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNET))?;
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        check(socket)?;
        let mut up: libc::ifreq = mem::zeroed();
        for (to, from) in up.ifr_name.iter_mut().zip(b"lo") {
            *to = libc::c_char::from_ne_bytes([*from]);
        }
        up.ifr_ifru.ifru_flags = 1; // IFF_UP
        check(libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const up))?;
        check(libc::close(socket))?;
        check(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0))?;
        check(libc::syscall(libc::SYS_setgroups, 0, 0))?;
        check(libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY))?;
        check(libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY))?;
        // capget(2): version 3, then effective, permitted and inheritable, twice 32 bits each.
        let header: [u32; 2] = [0x2008_0522, 0];
        let sets: [u32; 6] = [1 << NET_RAW, 1 << NET_RAW, 1 << NET_RAW, 0, 0, 0];
        check(libc::syscall(libc::SYS_capset, &raw const header, &raw const sets))?;
        check(libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, NET_RAW, 0, 0))?;
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
    }
    Ok(())
}

fn check(result: impl Into<i64>) -> io::Result<()> {
    if result.into() < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
