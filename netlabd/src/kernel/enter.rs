//! Work inside network namespaces, on threads that end with it.

use std::{
    fs::File,
    io,
    os::fd::{BorrowedFd, OwnedFd},
    thread,
};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// Moves the calling thread into a network namespace for good; its thread must end afterwards.
pub(super) fn enter(namespace: BorrowedFd<'_>) -> io::Result<()> {
    Ok(move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network))?)
}

/// The same network namespace by a new descriptor, which owes nothing to the pin that `namespace` may have
/// been opened by.
///
/// A pin must not be made of a descriptor that was opened by an earlier pin, now unmounted: where another
/// process has its own view of mounts (`ip netns exec`), the kernel then loses count of the namespace, which
/// stays until a reboot (seen on Linux 6.18; `do_loopback` in `fs/namespace.c` clones the dead mount).
pub(super) fn open_anew(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, || {
            enter(namespace)?;
            File::open("/proc/thread-self/ns/net").map(OwnedFd::from)
        })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Takes the calling thread to a new network namespace; its thread must end afterwards.
#[allow(unsafe_code)]
pub(super) fn leave() -> io::Result<()> {
    // SAFETY: only CLONE_FILES would take something from other threads.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// Does `work` for each item, as many at once as there are processors, each item on a thread that may
/// enter namespaces, and returns the results in the items' order. Each thread has a `state` of its own.
pub(super) fn for_each<T: Sync, S, R: Send>(
    items: &[T],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    on_threads(thread::available_parallelism().map_or(1, usize::from), items, state, work)
}

/// The same on so many threads, for work that waits more than it computes.
pub(super) fn on_threads<T: Sync, S, R: Send>(
    threads: usize,
    items: &[T],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    if items.is_empty() {
        return Vec::new();
    }
    let share = items.len().div_ceil(threads.clamp(1, items.len()));
    thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(share)
            .map(|chunk| {
                scope.spawn(|| {
                    let mut state = state();
                    chunk.iter().map(|item| work(&mut state, item)).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
