//! The host's processes and what they share.

use std::{fs, io};

use crate::{Probe, check, decoy_pid};

pub(crate) const PROBES: &[Probe] = &[
    ("see a host process", || fs::metadata(format!("/proc/{}", decoy_pid())).map(drop)),
    ("signal a host process", || {
        // SAFETY: no pointers.
        check(unsafe { libc::syscall(libc::SYS_kill, decoy_pid(), libc::SIGCONT) }).map(drop)
    }),
    ("read a host process's environment", || {
        let text = fs::read(format!("/proc/{}/environ", decoy_pid()))?;
        if text.windows(6).any(|word| word == b"SECRET") {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }),
    ("open a host process's descriptor", || fs::File::open(format!("/proc/{}/fd/0", decoy_pid())).map(drop)),
    ("open a host process's memory", || fs::File::open(format!("/proc/{}/mem", decoy_pid())).map(drop)),
    ("see the root of a host process", || fs::read_dir(format!("/proc/{}/root/srv", decoy_pid())).map(drop)),
    ("see the root of process 1", || fs::read_dir("/proc/1/root/srv").map(drop)),
    ("list the descriptors of process 1", || fs::read_dir("/proc/1/fd").map(drop)),
    ("trace a host process", || trace(decoy_pid())),
    ("trace process 1", || trace(1)),
    ("steal a host process's descriptor", || {
        // SAFETY: no pointers.
        let process = check(unsafe { libc::syscall(libc::SYS_pidfd_open, decoy_pid(), 0) })?;
        // SAFETY: no pointers.
        check(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process, 0, 0) }).map(drop)
    }),
    ("read a host process's memory", || {
        let mut byte = 0_u8;
        vm(libc::SYS_process_vm_readv, &raw mut byte)
    }),
    ("write a host process's memory", || {
        let mut byte = 0_u8;
        vm(libc::SYS_process_vm_writev, &raw mut byte)
    }),
    ("change a host process's limits", || {
        let limit = [100_u64, 100];
        // SAFETY: a limit of the right size, no old one is asked for.
        check(unsafe {
            libc::syscall(libc::SYS_prlimit64, decoy_pid(), libc::RLIMIT_NOFILE, limit.as_ptr(), 0)
        })
        .map(drop)
    }),
    ("change a host process's priority", || priority(decoy_pid(), 5)),
    ("raise the own priority", || priority(0, -5)),
    ("run in real time", || {
        let priority = 1_i32;
        // SAFETY: `struct sched_param` is one int.
        check(unsafe {
            libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_FIFO, &raw const priority)
        })
        .map(drop)
    }),
    ("find the host's System V memory", || {
        let found = fs::read_to_string("/proc/sysvipc/shm")?.lines().count() > 1;
        if found { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }),
];

/// Moves one byte between this process and the lowest address of the decoy's stack, which it does not use.
fn vm(call: libc::c_long, byte: *mut u8) -> io::Result<()> {
    let there: usize = std::env::var("DECOY_STACK").unwrap().parse().unwrap();
    // `struct iovec`: address and length.
    let (ours, theirs) = ([byte as usize, 1], [there, 1]);
    // SAFETY: one byte of ours, which both calls may use, and one of the decoy's.
    check(unsafe { libc::syscall(call, decoy_pid(), ours.as_ptr(), 1, theirs.as_ptr(), 1, 0) }).map(drop)
}

fn trace(pid: i32) -> io::Result<()> {
    // SEIZE does not stop the process, and this one's end releases it.
    // SAFETY: takes no pointers.
    check(unsafe { libc::syscall(libc::SYS_ptrace, libc::PTRACE_SEIZE, pid, 0, 0) }).map(drop)
}

fn priority(pid: i32, nice: i32) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, pid, nice) }).map(drop)
}
