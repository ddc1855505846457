//! Pins that somebody takes away.
//!
//! `ip netns delete` unmounts and unlinks a pin; inotify(7) tells of the second. It does not tell of
//! an unmount alone, for `IN_UNMOUNT` is given when a whole file system goes, which that of
//! namespaces never does: [`mounts`](super::mounts) hears of that.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};

use super::Wake;

/// Hears of pins that go.
#[derive(Debug)]
pub(in crate::kernel) struct Pins {
    inotify: OwnedFd,
    /// Whether the folder is watched: it may not exist before the first lab does.
    watched: AtomicBool,
}

impl Pins {
    /// Watches nothing yet.
    pub(in crate::kernel) fn new() -> io::Result<Self> {
        Ok(Self { inotify: inotify::init(CreateFlags::CLOEXEC)?, watched: AtomicBool::new(false) })
    }

    /// Watches the folder of pins, if it exists and is not watched already.
    pub(in crate::kernel) fn watch(&self, dir: &Path) {
        if self.watched.load(Ordering::Acquire) {
            return;
        }
        // A file that is renamed to a name of ours takes its place.
        let events = WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
        match inotify::add_watch(&self.inotify, dir, events) {
            Ok(_) => self.watched.store(true, Ordering::Release),
            Err(Errno::NOENT) => {}
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "lost pins are found by the resync only");
            }
        }
    }

    /// Sleeps until something happens and tells it; again and again.
    pub(super) fn follow(&self, wake: &dyn Fn(Wake)) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                wake(Wake::All);
            }
            if event.events().contains(ReadFlags::IGNORED) {
                // The folder is gone; the next look at a lab watches the new one.
                self.watched.store(false, Ordering::Release);
                wake(Wake::All);
            }
            let name = event.file_name().and_then(|name| name.to_str().ok());
            if let Some(Ok(lab)) = name.and_then(|name| name.split_once('.')).map(|(lab, _)| lab.parse()) {
                wake(Wake::Lab(lab));
            }
        }
    }
}
