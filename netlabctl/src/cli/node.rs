//! Commands that work in a lab's nodes.

use std::time::Duration;

use clap::Args;

use crate::duration;

/// `exec`.
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

/// `shell`.
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// Name of the lab.
    pub(crate) lab: String,
    /// Name of the node.
    pub(crate) node: String,
}

/// `ping`.
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

/// `capture`.
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

fn environment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
