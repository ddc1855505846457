//! The process: its command line, what it takes of the machine, how it starts and ends, and what systemd
//! is told meanwhile.

mod capabilities;
mod health;
mod lock;
mod malloc;
mod notify;
mod options;
mod rlimit;
mod run;
mod takedown;

use std::{
    io::{Read as _, Write as _},
    process::ExitCode,
};

use clap::Parser;

use self::options::Options;
use crate::{api, log, policy::ConfigError};

type Error = Box<dyn std::error::Error>;

/// The exit code for a configuration that cannot be used.
const CONFIG: u8 = 78;

/// The daemon from its command line to its exit code. Must be called while the process has one thread.
pub fn main() -> ExitCode {
    malloc::bound();
    let options = Options::parse();
    if options.plan {
        return plan();
    }
    log::start();
    if !options.check_config {
        // All before there are other threads: they inherit it.
        rlimit::raise_files();
        rlimit::raise_core();
        if let Err(error) = capabilities::drop_unneeded() {
            return failed(&error.into());
        }
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    // Where there is one thread, work that finds none is queued; where there is none, tokio panics
    // (`Spawner::spawn_blocking`).
    let (kept, released) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || released.recv());
    let done = runtime.block_on(run::run(&options));
    drop(kept);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !options.check_config {
                notify::ended(&error);
            }
            failed(&error)
        }
    }
}

/// Plans without a daemon: from standard input to standard output.
fn plan() -> ExitCode {
    /// What the API takes, 8 MiB, and a little.
    const MOST: u64 = 9 << 20;
    let mut request = Vec::new();
    if let Err(error) = std::io::stdin().lock().take(MOST).read_to_end(&mut request) {
        return failed(&error.into());
    }
    let (answer, code) = match api::plan::offline(&request) {
        Ok(answer) => (answer, ExitCode::SUCCESS),
        Err(status) => (status, ExitCode::FAILURE),
    };
    match std::io::stdout().lock().write_all(&answer) {
        Ok(()) => code,
        Err(error) => failed(&error.into()),
    }
}

/// Says why netlabd ends. A configuration that cannot be used has an exit code of its own, `EX_CONFIG` of
/// sysexits(3): to start again would not help (`RestartPreventExitStatus=` of the unit).
fn failed(error: &Error) -> ExitCode {
    eprintln!("netlabd: {error}");
    if error.is::<ConfigError>() { ExitCode::from(CONFIG) } else { ExitCode::FAILURE }
}
