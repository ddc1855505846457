//! The command line.

mod change;
mod examples;
mod extcap;
mod node;
mod remote;
mod show;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use self::{
    change::{ApplyLab, CreateLab, DeleteLab, LabFiles, ResumeLab},
    examples::{command, parse},
    extcap::Extcap,
    node::{Capture, Exec, Ping, ShellArgs},
    remote::{ClientRole, Context, Issue, Lifetime, Pki, PkiCommand, Where},
    show::{CheckLab, Expand, GetLab, Goal, Graph, GraphFormat, ListLabs, ShowCommands, WaitLab, WatchLab},
};

/// Network labs out of plain Linux: make, check, change and delete them. Client of netlabd.
///
/// Exit codes: 0 done; 1 the daemon refused or failed; 2 usage or an invalid lab file; 3 no daemon
/// reached; 4 not found; 5 exists or conflicts; 6 not permitted; 7 a check failed; 8 --dry-run found
/// changes. exec and shell give the command's own code, and 125 where netlabctl itself failed.
#[derive(Debug, Parser)]
#[command(name = "netlabctl", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// How results are written. json, yaml and name are stable; junit is for check-lab.
    #[arg(long, short, global = true, value_enum, value_name = "FORMAT", default_value_t = Output::Table)]
    pub(crate) output: Output,

    /// When states and changes have colours.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,

    #[command(flatten)]
    pub(crate) place: Where,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For people who want more columns: get-lab's MAC addresses, MTUs and counters.
    Wide,
    /// For programs: the API's messages with their field names.
    Json,
    /// The same as YAML.
    Yaml,
    /// Names alone, a line each, of commands that show labs: for a shell's `$(...)`.
    Name,
    /// XML for test reports, check-lab only.
    Junit,
}

impl Output {
    /// Whether it is for people.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// When colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a lab and wait until it is ready.
    #[command(aliases = ["create", "deploy"])]
    CreateLab(CreateLab),
    /// Create a lab or change a running one to what the file says; only what differs is touched.
    #[command(alias = "apply")]
    ApplyLab(ApplyLab),
    /// Keep a change that was applied with --rollback-after.
    #[command(alias = "confirm")]
    ConfirmLab(LabName),
    /// Delete labs and wait until nothing of them is left.
    #[command(aliases = ["delete", "rm", "destroy"])]
    DeleteLab(DeleteLab),
    /// List the labs: phase, owner, and what is wrong.
    #[command(aliases = ["ls", "list"])]
    ListLabs(ListLabs),
    /// Show a lab: phase, conditions, repairs, changes, last error.
    #[command(aliases = ["get", "inspect", "describe"])]
    GetLab(GetLab),
    /// Print a lab's events as they happen, until it is deleted or Ctrl-C.
    #[command(alias = "watch")]
    WatchLab(WatchLab),
    /// Wait until a lab is ready, or gone.
    #[command(alias = "wait")]
    WaitLab(WaitLab),
    /// Run a command in a node.
    Exec(Exec),
    /// Open a shell in a node.
    Shell(ShellArgs),
    /// Ping from a node.
    Ping(Ping),
    /// Capture packets at interfaces of a lab.
    Capture(Capture),
    /// Run a lab's checks; exit code 7 if one fails.
    #[command(alias = "check")]
    CheckLab(CheckLab),
    /// Draw a lab's topology.
    Graph(Graph),
    /// Write out what is short in a lab file: ranges, templates, pools, networks and so on. Asks no daemon.
    Expand(Expand),
    /// Print the ip, bridge, sysctl and nft lines that build a lab by hand.
    ShowCommands(ShowCommands),
    /// Stop a lab's drift repair.
    #[command(alias = "pause")]
    PauseLab(LabName),
    /// Start a lab's drift repair again and wait until all is repaired.
    #[command(alias = "resume")]
    ResumeLab(ResumeLab),
    /// Report what the daemon's host supports.
    Doctor,
    /// Name daemons on other machines, and choose one.
    #[command(subcommand)]
    Context(Context),
    /// Issue and revoke certificates for daemons and clients.
    Pki(Pki),
    /// Show interfaces of labs in Wireshark: what it asks this program, extcap(4).
    ///
    /// Wireshark asks each program of its extcap folder; run from there as netlab-extcap, this program
    /// answers. Its package is enough on Debian. Elsewhere, for yourself alone, link it there:
    /// ~/.local/lib/wireshark/extcap/netlab-extcap (up to Wireshark 4.0: ~/.config/wireshark/extcap).
    Extcap(Extcap),
    /// Print a completion script.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the JSON Schema of lab files, for editors.
    Schema,
    /// Write the manual pages into a folder.
    #[command(hide = true)]
    Man {
        /// The folder.
        dir: PathBuf,
    },
    /// Tell what a command does: as COMMAND --help.
    #[command(hide = true)]
    Help {
        /// The command, word by word.
        command: Vec<String>,
    },
    /// Tell the version: as --version.
    #[command(hide = true)]
    Version,
    /// Splice stdin and stdout to the daemon's socket; what ssh:// runs on the far side.
    #[command(hide = true)]
    DialStdio,
}

/// A lab by name.
#[derive(Debug, Args)]
pub(crate) struct LabName {
    /// Name of the lab.
    pub(crate) name: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn words_of_other_tools_are_understood() {
        for (words, verb) in [
            (&["ls"][..], "ListLabs"),
            (&["list"], "ListLabs"),
            (&["get", "x"], "GetLab"),
            (&["inspect", "x"], "GetLab"),
            (&["describe", "x"], "GetLab"),
            (&["create", "-f", "x.yaml"], "CreateLab"),
            (&["deploy", "x.yaml"], "CreateLab"),
            (&["apply", "-f", "x.yaml"], "ApplyLab"),
            (&["rm", "x"], "DeleteLab"),
            (&["delete", "x"], "DeleteLab"),
            (&["destroy", "x"], "DeleteLab"),
            (&["exec", "-it", "l", "n", "sh"], "Exec"),
            (&["exec", "-i", "l", "n", "sh"], "Exec"),
        ] {
            let cli = Cli::try_parse_from([&["netlabctl"], words].concat()).unwrap();
            assert!(format!("{:?}", cli.command).starts_with(verb), "{words:?}: {:?}", cli.command);
        }
        let help = Cli::command().render_long_help().to_string();
        assert!(!help.contains("inspect") && !help.contains("destroy"), "they are not shown: {help}");
    }

    #[test]
    fn a_command_keeps_its_own_options() {
        let cli = Cli::try_parse_from(["netlabctl", "exec", "l", "n", "--", "ip", "-d", "addr"]).unwrap();
        let Command::Exec(exec) = cli.command else { panic!("not exec") };
        assert_eq!(exec.command, ["ip", "-d", "addr"]);
    }
}
