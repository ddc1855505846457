//! Work inside network namespaces, on threads that end with it.

use std::{
    fs::File,
    io,
    os::fd::{BorrowedFd, OwnedFd},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use crate::threads;

/// Moves the calling thread into a network namespace for good; its thread must end afterwards.
pub(crate) fn enter(namespace: BorrowedFd<'_>) -> io::Result<()> {
    Ok(move_into_link_name_space(namespace, Some(LinkNameSpaceType::Network))?)
}

/// Does `work` in a network namespace, on a thread of its own.
///
/// # Errors
/// No thread is to be had, or the namespace cannot be entered; nothing is done then.
pub(crate) fn run_in<T: Send>(
    namespace: BorrowedFd<'_>,
    work: impl FnOnce() -> T + Send + Clone,
) -> io::Result<T> {
    threads::aside(|| enter(namespace).map(|()| work()))?
}

/// The same network namespace by a new descriptor, which owes nothing to the pin that `namespace` may have
/// been opened by.
///
/// A pin must not be made of a descriptor that was opened by an earlier pin, now unmounted: where another
/// process has its own view of mounts (`ip netns exec`), the kernel then loses count of the namespace, which
/// stays until a reboot (seen on Linux 6.18; `do_loopback` in `fs/namespace.c` clones the dead mount).
pub(crate) fn open_anew(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    run_in(namespace, || File::open("/proc/thread-self/ns/net").map(OwnedFd::from))?
}

/// Takes the calling thread to a new network namespace; its thread must end afterwards.
#[expect(unsafe_code, reason = "rustix marks it unsafe for CLONE_FILES")]
pub(crate) fn leave() -> io::Result<()> {
    // SAFETY: only CLONE_FILES would take something from other threads.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// Does `work` for each item, as many at once as there are processors, each item on a thread that may
/// enter namespaces, and returns the results in the items' order. Each thread has a `state` of its own.
///
/// # Errors
/// Where not even one thread is to be had; nothing is done then.
pub(crate) fn for_each<T: Sync, S, R: Send>(
    items: &[T],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> io::Result<Vec<R>> {
    on_threads(thread::available_parallelism().map_or(1, usize::from), items, state, work)
}

/// The same on so many threads, or fewer where no more are to be had, for work that waits more than it
/// computes.
pub(crate) fn on_threads<T: Sync, S, R: Send>(
    threads: usize,
    items: &[T],
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> R + Sync,
) -> io::Result<Vec<R>> {
    if items.is_empty() {
        return Ok(Vec::new());
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
        let first = threads::spawn_scoped(scope, worker)?;
        let more = (1..threads.clamp(1, items.len()))
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, worker).ok());
        let all: Vec<_> = std::iter::once(first).chain(more).collect();
        io::Result::Ok(all.into_iter().flat_map(threads::join).collect())
    })?;
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1_000).collect();
        for threads in [0, 1, 7, 2_000] {
            let doubled = on_threads(threads, &items, || 2, |factor, item| *factor * item).unwrap();
            assert!(doubled.iter().enumerate().all(|(number, twice)| *twice == 2 * number), "{threads}");
            assert_eq!(doubled.len(), items.len());
        }
    }
}
