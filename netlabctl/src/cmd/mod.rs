//! The verbs, one file each.

mod apply;
mod capture;
mod check;
mod context;
mod create;
mod delete;
mod doctor;
mod exec;
mod exec_many;
mod expand;
mod extcap;
mod get;
mod graph;
mod help;
mod inside;
mod junit;
mod list;
mod list_watch;
mod man;
mod pause;
mod ping;
mod pki;
mod plan;
pub(crate) mod session;
mod show_commands;
mod story;
mod terminal;
mod wait;
mod watch;

use crate::{
    cli::{Cli, Command, Output},
    client::{self, Client},
    complete,
    context::{local, resolve},
    error::{Failure, USAGE},
    output, schema,
    version::VERSION,
};

/// What a command writes that has no other form: `-o` would be ignored.
fn without_formats(command: &Command) -> Option<&'static str> {
    match command {
        Command::Exec(_) | Command::Shell(_) => Some("what is printed is the command's own"),
        Command::Capture(_) => Some("capture writes lines, or packets to a file by -w"),
        Command::Graph(_) => Some("graph has formats of its own, see its -f"),
        Command::Schema => Some("the schema is JSON"),
        Command::Completions { .. } | Command::Extcap(_) | Command::Man { .. } | Command::DialStdio => {
            Some("it is written for another program")
        }
        _ => None,
    }
}

/// Whether what a command writes is about labs, whose names alone may be wanted.
fn names_labs(command: &Command) -> bool {
    match command {
        Command::ApplyLab(args) => !args.dry_run,
        Command::ListLabs(args) => !args.watch,
        Command::GetLab(args) => args.revision.is_none(),
        Command::CreateLab(_)
        | Command::ConfirmLab(_)
        | Command::DeleteLab(_)
        | Command::WaitLab(_)
        | Command::PauseLab(_)
        | Command::ResumeLab(_) => true,
        _ => false,
    }
}

/// The exit code of a command that did what it was asked.
pub(crate) const DONE: u8 = 0;

/// Runs the command; its exit code.
pub(crate) async fn run(cli: Cli) -> Result<u8, Failure> {
    let (place, format) = (cli.place, cli.output);
    if format == Output::Junit && !matches!(cli.command, Command::CheckLab(_)) {
        return Err(Failure::new(USAGE, "-o junit is for check-lab; use table, json or yaml"));
    }
    if format == Output::Name && !names_labs(&cli.command) {
        return Err(Failure::new(USAGE, "-o name is for commands that show labs; use table, json or yaml"));
    }
    if let Some(instead) = without_formats(&cli.command).filter(|_| format != Output::Table) {
        return Err(Failure::new(USAGE, format!("-o says nothing here: {instead}")));
    }
    let connect = || async { Client::connect(resolve(&place)?).await };
    match cli.command {
        // A file is read before the daemon is looked for: its faults come first.
        Command::CreateLab(args) => create::run(connect, format, &args).await,
        Command::ApplyLab(args) => apply::run(connect, format, &args).await,
        Command::ShowCommands(args) => show_commands::run(connect, format, &args).await,
        Command::Expand(args) => expand::run(format, &args),
        Command::Graph(args) => graph::run(connect, &args).await,
        Command::DeleteLab(args) => delete::run(connect, format, &args).await,
        Command::ListLabs(args) if args.watch => list_watch::run(&connect().await?, format).await,
        Command::ListLabs(_) => list::run(&connect().await?, format).await,
        Command::GetLab(args) => get::run(&connect().await?, format, &args).await,
        Command::WaitLab(args) => wait::run(&connect().await?, format, &args).await,
        Command::WatchLab(args) => watch::run(&connect().await?, format, &args).await,
        Command::Exec(args) => exec::run(&connect().await?, args).await,
        Command::Shell(args) => exec::shell(&connect().await?, args).await,
        Command::Ping(args) => ping::run(&connect().await?, format, args).await,
        Command::Capture(args) => capture::run(&connect().await?, args).await,
        Command::Extcap(args) => extcap::run(&place, &args).await,
        Command::CheckLab(args) => check::run(&connect().await?, format, &args).await,
        Command::ConfirmLab(args) => pause::confirm(&connect().await?, format, &args.name).await,
        Command::PauseLab(args) => pause::pause(&connect().await?, format, &args.name).await,
        Command::ResumeLab(args) => pause::resume(&connect().await?, format, &args).await,
        Command::Doctor => doctor::run(&connect().await?, format).await,
        Command::Context(verb) => context::run(&place, format, verb),
        Command::Pki(args) => pki::run(args, format),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            complete::script(shell, &mut script)?;
            output::print(&String::from_utf8_lossy(&script)).map(|()| DONE)
        }
        Command::Schema => output::print(&schema::text()).map(|()| DONE),
        Command::Help { command } => help::run(&command),
        Command::Version => output::line(&format!("netlabctl {VERSION}")).map(|()| DONE),
        Command::Man { dir } => man::run(&dir),
        Command::DialStdio => client::dial_stdio(&local(&place)).await.map(|()| DONE),
    }
}

/// Whether an answer came, in a word.
fn reachable(yes: bool) -> &'static str {
    if yes { "reachable" } else { "unreachable" }
}
