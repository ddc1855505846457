//! The daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: helpers are this program run again, and must have one thread.
    netlabd::sandbox::dispatch();
    netlabd::daemon::main()
}
