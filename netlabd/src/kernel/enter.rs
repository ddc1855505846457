//! Work inside network namespaces, on threads that end with it.

use std::{
    fs::File,
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::atomic::{AtomicUsize, Ordering},
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
    let next = AtomicUsize::new(0);
    let worker = || {
        let (mut state, mut done) = (state(), Vec::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { return done };
            done.push((number, work(&mut state, item)));
        }
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.clamp(1, items.len())).map(|_| scope.spawn(worker)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1_000).collect();
        for threads in [0, 1, 7, 2_000] {
            let doubled = on_threads(threads, &items, || 2, |factor, item| *factor * item);
            assert!(doubled.iter().enumerate().all(|(number, twice)| *twice == 2 * number), "{threads}");
            assert_eq!(doubled.len(), items.len());
        }
    }
}
