//! Pins that somebody unmounts and leaves as files.
//!
//! `/proc/self/mountinfo` can be polled (`proc_pid_mountinfo(5)`): it tells that some mount came or went, not
//! which. So the pins are looked at then, some microseconds each; never for more than a small part of the
//! time, however much others mount.

use std::{
    fs::File,
    io, thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::retry_on_intr,
};

use super::{super::namespaces::Namespaces, Wake};

/// Least time between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Time between two looks, in times of what the first took.
const REST: u32 = 20;

/// Sleeps until mounts change and tells whose pins are lost; again and again.
pub(super) fn follow(namespaces: &Namespaces, wake: &dyn Fn(Wake)) -> io::Result<()> {
    let mounts = File::open("/proc/self/mountinfo")?;
    loop {
        retry_on_intr(|| poll(&mut [PollFd::new(&mounts, PollFlags::PRI)], None))?;
        let start = Instant::now();
        namespaces.labs_unpinned().into_iter().map(Wake::Lab).for_each(wake);
        thread::sleep(PAUSE.max(start.elapsed() * REST));
    }
}
