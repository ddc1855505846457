//! The processes of one node, where the lab goes on without it.

use std::{
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::{
    error::{Result, Step, errno},
    init,
    owner::{as_owner, owner_of},
    pin,
};

/// Pause before looking again for what a process has forked meanwhile.
const AGAIN: Duration = Duration::from_millis(5);

/// Ends every process of the lab whose process namespace is pinned at `path` that is in the network
/// namespace `network`, and waits until they are gone, for `limit` at most. Processes of others in there
/// (`ip netns exec`) go on.
pub fn end_in(path: &Path, network: BorrowedFd<'_>, limit: Duration) -> Result<()> {
    let failed = |errno| match errno {
        Errno::AGAIN => Step::StartHelper.errno(errno),
        errno => Step::EndProcesses.errno(errno),
    };
    let Some(lab) = pin::open_pin(path)? else { return Ok(()) };
    // Only who owns the lab's user namespace may look at its processes and signal them.
    let owner = owner_of(network).map_err(failed)?;
    as_owner(owner, || end(lab.as_fd(), network, limit)).map_err(failed)
}

fn end(lab: BorrowedFd<'_>, network: BorrowedFd<'_>, limit: Duration) -> Result<(), Errno> {
    let of = |fd: BorrowedFd<'_>| identity(&format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let wanted = (of(lab), of(network));
    let (Some(lab), Some(network)) = wanted else { return Err(Errno::BADF) };
    let inside = |process: i32| {
        identity(&format!("/proc/{process}/ns/net")) == Some(network)
            && identity(&format!("/proc/{process}/ns/pid")) == Some(lab)
    };
    let deadline = Instant::now() + limit;
    loop {
        let found: Vec<i32> = processes().map_err(errno)?.filter(|p| inside(*p)).collect();
        if found.is_empty() {
            return Ok(());
        }
        for process in found {
            let Some(process) = Pid::from_raw(process) else { continue };
            let Ok(handle) = pidfd_open(process, PidfdFlags::empty()) else { continue };
            // The number may have become another's before it was held.
            if !inside(process.as_raw_pid()) {
                continue;
            }
            match pidfd_send_signal(&handle, Signal::KILL) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => return Err(errno),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if !init::wait_end(handle.as_fd(), left)? {
                return Err(Errno::TIMEDOUT);
            }
        }
        std::thread::sleep(AGAIN);
    }
}

/// The numbers of all processes.
fn processes() -> io::Result<impl Iterator<Item = i32>> {
    Ok(fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

/// What a namespace is known by. A process that has ended has none.
fn identity(path: &str) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}
