//! The command line.

mod change;
mod examples;
mod extcap;
mod remote;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use self::{
    change::{ApplyLab, CreateLab, DeleteLab, LabFileArg, LabFiles, ResumeLab},
    examples::{command, parse},
    extcap::Extcap,
    remote::{ClientRole, Context, Issue, Lifetime, Pki, PkiCommand, Where},
};
use crate::duration;

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
    /// Names alone, a line each, of commands that tell of labs: for a shell's `$(...)`.
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
    /// Print the ip, bridge, sysctl and nft lines that build a lab by hand.
    ShowCommands(ShowCommands),
    /// Stop a lab's drift repair.
    #[command(alias = "pause")]
    PauseLab(LabName),
    /// Start a lab's drift repair again and wait until all is repaired.
    #[command(alias = "resume")]
    ResumeLab(ResumeLab),
    /// Tell what the daemon's host can do.
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

/// `get-lab`.
#[derive(Debug, Args)]
pub(crate) struct GetLab {
    /// Name of the lab.
    pub(crate) name: String,
    /// Print the lab file of this generation instead, as apply-lab takes it.
    #[arg(long, value_name = "GENERATION", value_parser = generation)]
    pub(crate) revision: Option<u64>,
}

/// `list-labs`.
#[derive(Debug, Args)]
pub(crate) struct ListLabs {
    /// Go on with a line for each lab that changes, until Ctrl-C.
    #[arg(long, short)]
    pub(crate) watch: bool,
}

/// `wait-lab`.
#[derive(Debug, Args)]
pub(crate) struct WaitLab {
    /// Name of the lab.
    pub(crate) name: String,
    /// What to wait for.
    #[arg(long = "for", value_enum, value_name = "STATE", default_value_t = Goal::Ready)]
    pub(crate) goal: Goal,
    /// Longest wait, for example 90s, 5m or 500ms.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    pub(crate) timeout: Duration,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Goal {
    /// Everything is as asked for.
    Ready,
    /// Nothing of the lab is left; at once where there is none.
    Deleted,
}

/// `watch-lab`.
#[derive(Debug, Args)]
pub(crate) struct WatchLab {
    /// Name of the lab.
    pub(crate) name: String,
    /// Go on after the event of this number, the first thing in each line; 0: begin with the present state.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) after: u64,
}

/// `show-commands`.
#[derive(Debug, Args)]
pub(crate) struct ShowCommands {
    #[command(flatten)]
    pub(crate) file: LabFileArg,
    /// As one would type it, in groups with comments: the default.
    #[arg(long, conflicts_with = "exact")]
    pub(crate) plain: bool,
    /// Exactly what netlabd makes, with the marks by which it knows what is its own and what keeps the host apart
    /// from the lab; JSON always is. A netlabd on that host takes away what bears the marks and is of no lab.
    #[arg(long)]
    pub(crate) exact: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Give the command a terminal. Default: when stdin and stdout are one.
    #[arg(long, short, overrides_with = "no_tty")]
    pub(crate) tty: bool,
    /// Give the command no terminal.
    #[arg(long, short = 'T')]
    pub(crate) no_tty: bool,
    /// Give the command an empty standard input.
    #[arg(long, short = 'n')]
    pub(crate) no_stdin: bool,
    /// Set an environment variable; may be repeated.
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = environment)]
    pub(crate) env: Vec<(String, String)>,
    /// Working directory. Default: /.
    #[arg(long, short, value_name = "DIR", default_value = "", hide_default_value = true)]
    pub(crate) workdir: String,
    /// Leave it running under the lab and print its process id there.
    #[arg(long, conflicts_with = "tty")]
    pub(crate) detach: bool,
    /// As docker and kubectl want it; the standard input is always handed on.
    #[arg(long, short, hide = true)]
    pub(crate) interactive: bool,
    /// Run it in every node of the lab, one after the other; no NODE is named then.
    #[arg(long, short, conflicts_with = "tty")]
    pub(crate) all: bool,
    /// Name of the lab.
    pub(crate) lab: String,
    /// Name of the node; several, separated by commas, one after the other.
    pub(crate) node: String,
    /// Program and arguments.
    #[arg(
        required_unless_present = "all",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// Name of the lab.
    pub(crate) lab: String,
    /// Name of the node.
    pub(crate) node: String,
}

#[derive(Debug, Args)]
pub(crate) struct Ping {
    /// Name of the lab.
    pub(crate) lab: String,
    /// The node that sends, or host; node:interface sends from its address.
    pub(crate) from: String,
    /// A node, node:interface, host, or an address.
    pub(crate) to: String,
    /// Send from this address or interface of the node.
    #[arg(long, short = 'I', value_name = "SOURCE", default_value = "", hide_default_value = true)]
    pub(crate) source: String,
    /// Have no request fragmented, to see which size still fits.
    #[arg(long)]
    pub(crate) dont_fragment: bool,
    /// As ping(8) has it: do is --dont-fragment.
    #[arg(short = 'M', hide = true, value_name = "HINT", value_parser = ["do", "want", "dont"])]
    pub(crate) path_mtu: Option<String>,
    /// Echo requests to send.
    #[arg(long, short, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
    /// Time between requests; a plain number is seconds.
    #[arg(long, short, value_name = "TIME", default_value = "1s", value_parser = duration::parse)]
    pub(crate) interval: Duration,
    /// Wait for the last answer; a plain number is seconds.
    #[arg(long, short = 'W', value_name = "TIME", default_value = "1s", value_parser = duration::parse)]
    pub(crate) timeout: Duration,
    /// Bytes of payload.
    #[arg(long, short, default_value_t = 56, value_parser = clap::value_parser!(u32).range(..=65_000))]
    pub(crate) size: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Capture {
    /// Name of the lab.
    pub(crate) lab: String,
    /// Where: node:interface, or node:any for all of a node; up to 64, also separated by commas.
    #[arg(required = true, value_name = "NODE:INTERFACE", value_delimiter = ',')]
    pub(crate) interfaces: Vec<String>,
    /// A filter, pcap-filter(7), for example "udp port 4789".
    #[arg(long, short, default_value = "", hide_default_value = true)]
    pub(crate) filter: String,
    /// Write pcapng to this file, - for the standard output. Without: a line for each packet, times in UTC.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) write: Option<String>,
    /// End after this many packets.
    #[arg(long, short, default_value_t = 0, hide_default_value = true)]
    pub(crate) count: u64,
    /// Keep no more than this many bytes of each packet.
    #[arg(long, short, value_name = "BYTES", default_value_t = 262_144, hide_default_value = true,
          value_parser = clap::value_parser!(u32).range(1..=262_144))]
    pub(crate) snapshot_length: u32,
    /// Leave out packets for other stations, which tcpdump shows too: most of what passes a bridge.
    #[arg(long, short = 'p', overrides_with = "promiscuous")]
    pub(crate) no_promiscuous: bool,
    /// Also take in packets for other stations: the default.
    #[arg(long, hide = true)]
    pub(crate) promiscuous: bool,
    /// Show the Ethernet header in each line.
    #[arg(long, short = 'e')]
    pub(crate) link_header: bool,
    /// Let the tcpdump that is installed here write the lines: it knows more protocols.
    #[arg(long, conflicts_with = "write")]
    pub(crate) tcpdump: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckLab {
    /// Name of the lab.
    pub(crate) name: String,
    /// How long a check waits for its answer, at most 60s.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration::parse)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// Name of a lab, or a lab file; - is the standard input. A file needs no daemon.
    #[arg(value_name = "LAB|FILE")]
    pub(crate) source: String,
    /// The language of the picture.
    #[arg(long, short, value_enum, default_value_t = GraphFormat::Mermaid)]
    pub(crate) format: GraphFormat,
}

/// The language of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Markdown.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
    /// A page with the picture.
    Html,
}

fn generation(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected the number of a generation, as get-lab shows it".to_owned())
}

fn environment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
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
