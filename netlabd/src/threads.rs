//! Threads, also where the kernel has none to give just now.
//!
//! A limit of processes (`pids.max` of a container, `kernel.threads-max`) may be reached for a while: what
//! needs a thread then waits for one and says so.

use std::{
    io, panic, thread,
    time::{Duration, Instant},
};

use thread::{Builder, Scope, ScopedJoinHandle};

/// How long to wait for a thread before the work fails; it may be tried again.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to ask for one.
const AGAIN: Duration = Duration::from_millis(50);

/// Starts a thread of a scope; where there is none to be had, waits for one for 5 s.
///
/// # Errors
/// The kernel's: EAGAIN (`pthread_create(3)`).
pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + Clone + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    let mut waiting = None;
    loop {
        match Builder::new().spawn_scoped(scope, work.clone()) {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                let since = *waiting.get_or_insert_with(|| {
                    tracing::warn!(%error, "no thread can be started; waiting for one");
                    Instant::now()
                });
                if since.elapsed() > PATIENCE {
                    return Err(error);
                }
                thread::sleep(AGAIN);
            }
            started => return started,
        }
    }
}

/// Runs `work` on a thread of its own, which it may take to another namespace or identity for good.
///
/// # Errors
/// See [`spawn_scoped`].
pub(crate) fn aside<T: Send>(work: impl FnOnce() -> T + Send + Clone) -> io::Result<T> {
    thread::scope(|scope| Ok(join(spawn_scoped(scope, work)?)))
}

/// What a thread came to; its panic goes on here.
pub(crate) fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_on_another_thread() {
        let here = thread::current().id();
        assert_ne!(aside(|| thread::current().id()).unwrap(), here);
    }
}
