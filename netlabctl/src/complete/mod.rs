//! Completion on the command line.
//!
//! The script that `completions SHELL` prints calls this program back, with [`VARIABLE`] set, for every
//! word to be completed; what only the daemon knows, it is then asked for.

mod known;
mod line;
mod shells;

use std::{
    env,
    ffi::OsStr,
    io::{self, Write},
};

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::{
    CompleteEnv, PathCompleter, Shell,
    engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate, ValueCompleter as _},
};

use crate::cli::Cli;
use shells::FILES;

/// Set where a shell asks for completion.
const VARIABLE: &str = "NETLABCTL_COMPLETE";

/// Answers a shell, if one asks, and ends the program.
pub(crate) fn answer() {
    // Read before it is answered: what is run for an answer shall not take itself for asked.
    let files = Files { by_shell: shells::has_files(&env::var(VARIABLE).unwrap_or_default()) };
    let command = || completed(Cli::command(), files);
    CompleteEnv::with_factory(command).var(VARIABLE).shells(shells::ALL).complete();
}

/// Writes what a shell must run once.
pub(crate) fn script(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let completer = shells::ALL.completer(&shell.to_string());
    let completer = completer.ok_or_else(|| io::Error::other(format!("{shell} is not known")))?;
    completer.write_registration(VARIABLE, "netlabctl", "netlabctl", "netlabctl", out)
}

/// Who completes the names of files.
#[derive(Debug, Clone, Copy)]
struct Files {
    /// The shell, where its script is ours.
    by_shell: bool,
}

/// The command line, with what completes its arguments.
fn completed(command: Command, files: Files) -> Command {
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let verb = command.get_name().to_owned();
    let command = command.mut_args(|arg| argument(&verb, arg, files));
    verbs
        .into_iter()
        .fold(command, |command, verb| command.mut_subcommand(verb, |verb| completed(verb, files)))
}

/// By the name of the argument: each names the same thing in all commands.
fn argument(verb: &str, arg: Arg, files: Files) -> Arg {
    match arg.get_id().as_str() {
        "name" | "names" if verb.ends_with("-lab") => arg.add(ArgValueCandidates::new(known::labs)),
        "name" if ["use", "set", "remove"].contains(&verb) => {
            arg.add(ArgValueCandidates::new(known::contexts))
        }
        "context" => arg.add(ArgValueCandidates::new(known::contexts)),
        "lab" => arg.add(ArgValueCandidates::new(known::labs)),
        "node" => arg.add(ArgValueCandidates::new(known::nodes)),
        "from" => arg.add(ArgValueCandidates::new(known::senders)),
        "to" => arg.add(ArgValueCandidates::new(known::targets)),
        "interfaces" => arg.add(ArgValueCandidates::new(known::interfaces)),
        "revision" | "expected_generation" => arg.add(ArgValueCandidates::new(known::generations)),
        "source" => arg.add(ArgValueCompleter::new(move |begun: &OsStr| labs_and_files(begun, files))),
        "file" | "files" | "write" | "tls_cert" | "tls_key" | "tls_ca" | "dir" | "fifo" => {
            arg.add(ArgValueCompleter::new(move |begun: &OsStr| files.begun_with(begun)))
        }
        _ => arg,
    }
}

impl Files {
    fn begun_with(self, begun: &OsStr) -> Vec<CompletionCandidate> {
        if self.by_shell {
            return vec![CompletionCandidate::new(FILES).tag(Some(FILES.into()))];
        }
        PathCompleter::any().complete(begun)
    }
}

fn labs_and_files(begun: &OsStr, files: Files) -> Vec<CompletionCandidate> {
    let begins =
        |lab: &CompletionCandidate| lab.get_value().as_encoded_bytes().starts_with(begun.as_encoded_bytes());
    let labs = known::labs().into_iter().filter(begins);
    labs.chain(files.begun_with(begun)).collect()
}
