//! Steps at which a test kills the daemon, as `kill -9` would.

/// Counts a step. In a debug build the process ends at the step whose number the environment
/// variable `NETLABD_KILL_AT` holds, after writing the step's name to standard error. In a release
/// build this is nothing.
#[inline]
pub fn step(name: &'static str) {
    #[cfg(debug_assertions)]
    {
        use std::sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        };
        static KILL_AT: LazyLock<Option<u64>> =
            LazyLock::new(|| std::env::var("NETLABD_KILL_AT").ok()?.parse().ok());
        static STEPS: AtomicU64 = AtomicU64::new(0);
        if *KILL_AT == Some(STEPS.fetch_add(1, Ordering::SeqCst) + 1) {
            eprintln!("killed at step: {name}");
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
