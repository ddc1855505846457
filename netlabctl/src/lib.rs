//! The thin client of netlabd. The program is all of it; what else is public is for tests of other kinds.
//!
//! `cli` says what can be asked, `cmd` has one file a verb. `decode` turns packets into lines. Lab files
//! are read and checked in `labfile`, and what is short in them is written out in `labfile/expand`, before anything is sent; `client` finds the daemon; `watch` and
//! `wait` follow a lab; `error` turns every failure into one line and an exit code.

mod cli;
mod client;
mod cmd;
mod complete;
mod context;
mod decode;
mod duration;
mod error;
mod graph;
mod hint;
mod labfile;
mod output;
mod pki;
mod progress;
mod schema;
mod usage;
mod version;
mod wait;
mod watch;

use std::{env, ffi::OsString, io::Write as _, path::Path, process::ExitCode};

use cli::{Cli, Command, Where};
use error::{EXEC_FAILED, FAILED, Failure};

/// What the program is called in Wireshark's folder of extcap programs.
const EXTCAP: &str = "netlab-extcap";

/// The program: reads the command line, and answers with its exit code.
pub fn main() -> ExitCode {
    complete::answer();
    let cli = match cli::parse(command_line()) {
        Ok(cli) => cli,
        Err(error) => {
            let error = usage::corrected(error);
            let _ = error.print();
            let code = if error.use_stderr() && runs_a_command() {
                i32::from(EXEC_FAILED)
            } else {
                error.exit_code()
            };
            return ExitCode::from(u8::try_from(code).unwrap_or(FAILED));
        }
    };
    output::style::decide(cli.color);
    let in_node = matches!(cli.command, Command::Exec(_) | Command::Shell(_));
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let mut stderr = std::io::stderr().lock();
            for line in &failure.lines {
                let _ = writeln!(stderr, "{}", output::table::clean(line));
            }
            ExitCode::from(if in_node { cmd::session::own_failure(failure.code) } else { failure.code })
        }
    }
}

/// The command line; in Wireshark's folder the program's name stands for the command.
fn command_line() -> Vec<OsString> {
    let mut words: Vec<_> = env::args_os().collect();
    let program = words.first().and_then(|word| Path::new(word).file_name());
    if program.is_some_and(|name| name == EXTCAP) {
        words.insert(1, "extcap".into());
    }
    words
}

/// Reads a lab file called `name`; otherwise every fault, a line each.
pub fn read_lab(name: &str, bytes: &[u8]) -> Result<netlab_proto::v1::Lab, Vec<String>> {
    labfile::LabFile::parse(name, bytes).map(|file| file.lab)
}

fn run(cli: Cli) -> Result<u8, Failure> {
    // One thread: the program waits for one peer, and starts in a millisecond.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(cmd::run(cli));
    // A thread may hang in a read of the terminal; the process ends without it.
    runtime.shutdown_background();
    result
}

/// Whether the line that could not be understood is an `exec` or a `shell`, whose exit codes below
/// 125 belong to the command.
fn runs_a_command() -> bool {
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--output" | "-o" | "--color" => _ = args.next(),
            option if Where::OPTIONS.contains(&option) => _ = args.next(),
            option if option.starts_with('-') => {}
            verb => return matches!(verb, "exec" | "shell"),
        }
    }
    false
}
