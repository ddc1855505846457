//! The kernel at large: privileged and rarely used system calls.

use std::io;

use crate::{Probe, check};

pub(crate) const PROBES: &[Probe] = &[
    ("create a BPF map", || {
        // BPF_MAP_CREATE: array, keys of 4 bytes, values of 8, one entry.
        let attributes = [2_u32, 4, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: attributes of the size that is stated.
        check(unsafe { libc::syscall(libc::SYS_bpf, 0, attributes.as_ptr(), size_of_val(&attributes)) })
            .map(drop)
    }),
    ("perf_event_open", || {
        // PERF_TYPE_SOFTWARE, 64 bytes, PERF_COUNT_SW_CPU_CLOCK, of a whole processor.
        let mut attributes = [0_u64; 8];
        attributes[0] = 1 | 64 << 32;
        // SAFETY: attributes of the size that they state.
        check(unsafe { libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), -1, 0, -1, 0) })
            .map(drop)
    }),
    ("add a key", || {
        // To the process keyring (-2), which ends with this process.
        // SAFETY: C strings and one byte.
        check(unsafe {
            libc::syscall(libc::SYS_add_key, c"user".as_ptr(), c"netlab".as_ptr(), c"x".as_ptr(), 1, -2)
        })
        .map(drop)
    }),
    ("keyctl", || {
        // KEYCTL_GET_KEYRING_ID of the process keyring, made on demand.
        // SAFETY: no pointers.
        check(unsafe { libc::syscall(libc::SYS_keyctl, 0, -2, 1) }).map(drop)
    }),
    ("io_uring_setup", || {
        let mut parameters = [0_u32; 30];
        // SAFETY: `struct io_uring_params` has 120 bytes.
        check(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) }).map(drop)
    }),
    ("userfaultfd", || {
        // SAFETY: no pointers.
        check(unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) }).map(drop)
    }),
    ("sethostname", || {
        // SAFETY: 5 bytes.
        check(unsafe { libc::syscall(libc::SYS_sethostname, c"probe".as_ptr(), 5) }).map(drop)
    }),
    ("setdomainname", || {
        // SAFETY: 5 bytes.
        check(unsafe { libc::syscall(libc::SYS_setdomainname, c"probe".as_ptr(), 5) }).map(drop)
    }),
    ("read the size of the kernel's log", || {
        // SYSLOG_ACTION_SIZE_UNREAD.
        // SAFETY: no pointers.
        check(unsafe { libc::syscall(libc::SYS_syslog, 9, 0, 0) }).map(drop)
    }),
    ("raise a hard limit", || {
        let mut limit = [0_u64; 2];
        // SAFETY: room for one limit.
        check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_NPROC, 0, limit.as_mut_ptr()) })?;
        limit[1] += 1;
        // SAFETY: one limit.
        check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_NPROC, limit.as_ptr(), 0) })
            .map(drop)
    }),
    ("lower the limit of cores with prlimit64", || {
        core_limit(|none| {
            // SAFETY: one limit.
            check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_CORE, none.as_ptr(), 0) })
        })
    }),
    ("lower the limit of cores with setrlimit", || {
        core_limit(|none| {
            // SAFETY: one limit.
            check(unsafe { libc::syscall(libc::SYS_setrlimit, libc::RLIMIT_CORE, none.as_ptr()) })
        })
    }),
    ("lower another process's limit of cores", || {
        core_limit(|none| {
            let own = std::process::id();
            // SAFETY: one limit.
            check(unsafe { libc::syscall(libc::SYS_prlimit64, own, libc::RLIMIT_CORE, none.as_ptr(), 0) })
        })
    }),
    ("gain CAP_SYS_ADMIN", || {
        // _LINUX_CAPABILITY_VERSION_3, this process; effective, permitted and inheritable.
        let (header, admin) = ([0x2008_0522_u32, 0], 1_u32 << 21);
        // SAFETY: header and two halves of three sets.
        check(unsafe {
            libc::syscall(libc::SYS_capset, header.as_ptr(), [admin, admin, admin, 0, 0, 0].as_ptr())
        })
        .map(drop)
    }),
    ("fanotify_init of class content", || {
        // FAN_CLASS_CONTENT.
        // SAFETY: no pointers.
        check(unsafe { libc::syscall(libc::SYS_fanotify_init, 4, libc::O_RDONLY) }).map(drop)
    }),
    ("watch a whole file system with fanotify", || {
        // FAN_REPORT_FID, which everybody may have; FAN_MARK_ADD of FAN_MARK_FILESYSTEM for FAN_OPEN.
        // SAFETY: no pointers.
        let group = check(unsafe { libc::syscall(libc::SYS_fanotify_init, 0x200, libc::O_RDONLY) })?;
        // SAFETY: a C string.
        check(unsafe {
            libc::syscall(libc::SYS_fanotify_mark, group, 0x101, 0x20_u64, libc::AT_FDCWD, c"/srv".as_ptr())
        })
        .map(drop)
    }),
    ("use x86 input and output ports", || {
        // SAFETY: grants this process access, which it does not use.
        check(unsafe { libc::syscall(libc::SYS_ioperm, 0x80, 1, 1) }).map(drop)
    }),
    ("load a kernel module that is none", none_module),
];

/// Sets the limit of cores to 0 and looks whether it is: the kernel would start the host's program for them then.
fn core_limit(set: impl Fn([u64; 2]) -> io::Result<libc::c_long>) -> io::Result<()> {
    set([0, 0])?;
    match rustix::process::getrlimit(rustix::process::Resource::Core).current {
        Some(0) => Ok(()),
        now => Err(io::Error::other(format!("it is {now:?}"))),
    }
}

/// The kernel looks at the module (ENOEXEC) only after it has allowed the call.
fn none_module() -> io::Result<()> {
    // SAFETY: 4 bytes and a C string.
    match check(unsafe { libc::syscall(libc::SYS_init_module, c"none".as_ptr(), 4, c"".as_ptr()) }) {
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => Ok(()),
        done => done.map(drop),
    }
}
