//! System calls that the kernel hands over instead of doing them (`seccomp_unotify(2)`, Linux 5.5): here, what asks for a
//! packet ring.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

use super::task::last_errno;

/// `PACKET_RX_RING` and `PACKET_TX_RING` of `linux/if_packet.h`.
const RINGS: [u32; 2] = [5, 13];

/// Waits, once a request was taken, for its answer whatever signals come (Linux 5.19): the ring is made then, and a
/// call that is made again would be refused.
const WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const ARCHITECTURE: u32 = 0xc000_00f3;

/// Offsets in `struct seccomp_data`, of the lower halves of arguments on these architectures, which are little-endian.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const LEVEL: u32 = 16 + 8;
const NAME: u32 = 16 + 2 * 8;

/// x86-64's second table has the same call by another number (`__X32_SYSCALL_BIT`; see the kernel's `syscall_64.tbl`).
const X32_SETSOCKOPT: u32 = 0x4000_0000 + 541;

/// A call that waits for an answer: `struct seccomp_notif` of linux/seccomp.h.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    id: u64,
    /// The thread that calls, in the process namespace of who asks.
    pub(super) thread: u32,
    /// Its arguments.
    pub(super) args: [u64; 6],
}

/// Where such calls arrive.
#[derive(Debug)]
pub(super) struct Listener(OwnedFd);

/// Installs the filter for this process and all it starts, and answers where its calls arrive. Takes `no_new_privs`. Once
/// nobody listens, such calls fail with ENOSYS.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn install() -> Result<OwnedFd, Errno> {
    let mut program = program();
    let length = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let filter = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    let mut flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE_RECV;
    loop {
        // SAFETY: the program has the length that is stated, and the kernel copies it.
        let answer = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter)
        };
        match i32::try_from(answer) {
            // SAFETY: a new descriptor that nobody else owns.
            Ok(fd @ 0..) => return Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            _ if last_errno() == Errno::INVAL && flags & WAIT_KILLABLE_RECV != 0 => {
                flags &= !WAIT_KILLABLE_RECV;
            }
            _ => return Err(last_errno()),
        }
    }
}

/// `setsockopt(fd, SOL_PACKET, one of RINGS, ...)` is handed over, all else is allowed. Calls of another architecture end
/// the process by the other filters.
fn program() -> Vec<libc::sock_filter> {
    /// `BPF_LD | BPF_W | BPF_ABS`, `BPF_JMP | BPF_JEQ | BPF_K`, `BPF_RET | BPF_K` of `linux/bpf_common.h`.
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let load = |offset| libc::sock_filter { code: LOAD, jt: 0, jf: 0, k: offset };
    let equal = |k, jt, jf| libc::sock_filter { code: EQUAL, jt, jf, k };
    let answer = |k| libc::sock_filter { code: RETURN, jt: 0, jf: 0, k };
    let setsockopt = u32::try_from(libc::SYS_setsockopt).unwrap_or(u32::MAX);
    vec![
        load(ARCH),
        equal(ARCHITECTURE, 0, 9),
        load(NUMBER),
        equal(setsockopt, 1, 0),
        equal(X32_SETSOCKOPT, 0, 6),
        load(LEVEL),
        equal(libc::SOL_PACKET.cast_unsigned(), 0, 4),
        load(NAME),
        equal(RINGS[0], 1, 0),
        equal(RINGS[1], 0, 1),
        answer(libc::SECCOMP_RET_USER_NOTIF),
        answer(libc::SECCOMP_RET_ALLOW),
    ]
}

impl Listener {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Takes a call that waits. ENOENT: its caller has gone meanwhile.
    #[expect(unsafe_code, reason = "no safe wrapper exists")]
    pub(super) fn take(&self) -> Result<Request, Errno> {
        // Larger than `struct seccomp_notif`, which may grow, and zero, as the kernel wants it.
        let mut buffer = [0_u64; 64];
        // SAFETY: the kernel writes one `struct seccomp_notif`, which is shorter than the buffer.
        let answer =
            unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, buffer.as_mut_ptr()) };
        if answer != 0 {
            return Err(last_errno());
        }
        // id; pid and flags; number and architecture; instruction pointer; six arguments.
        let [id, thread, _, _, args @ ..] = buffer;
        let thread = u32::try_from(thread & u64::from(u32::MAX)).map_err(|_| Errno::INVAL)?;
        let args = args.first_chunk().copied().ok_or(Errno::INVAL)?;
        Ok(Request { id, thread, args })
    }

    /// Whether a call still waits, and so its thread's number still is that thread's.
    #[expect(unsafe_code, reason = "no safe wrapper exists")]
    pub(super) fn waits(&self, request: &Request) -> bool {
        // SAFETY: the kernel reads eight bytes.
        let answer = unsafe {
            libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const request.id)
        };
        answer == 0
    }

    /// Answers a call. Its caller may have gone, which is its own affair.
    #[expect(unsafe_code, reason = "no safe wrapper exists")]
    pub(super) fn answer(&self, request: &Request, done: Result<(), Errno>) {
        let error = done.map_or_else(|errno| -errno.raw_os_error(), |()| 0);
        let response = libc::seccomp_notif_resp { id: request.id, val: 0, error, flags: 0 };
        // SAFETY: the kernel reads one `struct seccomp_notif_resp`.
        unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const response) };
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program answers to a call, as the kernel would run it.
    fn run(data: [u32; 16]) -> u32 {
        let program = program();
        let (mut at, mut word) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            match step.code {
                0x20 => word = data[step.k as usize / 4],
                0x15 => at += usize::from(if word == step.k { step.jt } else { step.jf }),
                _ => return step.k,
            }
        }
    }

    #[test]
    fn only_requests_for_rings_are_handed_over() {
        let call = |number: u32, architecture, level, name| {
            run([number, architecture, 0, 0, 3, 0, level, 0, name, 0, 0, 0, 0, 0, 0, 0])
        };
        let number = u32::try_from(libc::SYS_setsockopt).unwrap();
        for name in 0..40 {
            let handed = RINGS.contains(&name);
            let expected = if handed { libc::SECCOMP_RET_USER_NOTIF } else { libc::SECCOMP_RET_ALLOW };
            assert_eq!(call(number, ARCHITECTURE, 263, name), expected, "{name}");
            assert_eq!(call(X32_SETSOCKOPT, ARCHITECTURE, 263, name), expected, "{name}");
            assert_eq!(call(number, ARCHITECTURE, 1, name), libc::SECCOMP_RET_ALLOW);
            assert_eq!(call(number + 1, ARCHITECTURE, 263, name), libc::SECCOMP_RET_ALLOW);
            assert_eq!(call(number, 3, 263, name), libc::SECCOMP_RET_ALLOW);
        }
    }
}
