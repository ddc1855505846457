//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Makes network labs out of namespaces, links and nftables NAT, and keeps them true.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Options {
    /// Where the socket and what does not outlive a reboot are.
    #[arg(long, value_name = "DIR", default_value = "/run/netlabd")]
    pub runtime_dir: PathBuf,
    /// Where the desired state is kept.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/netlabd")]
    pub state_dir: PathBuf,
    /// Where network namespaces are pinned, as LAB.NODE.
    #[arg(long, value_name = "DIR", default_value = "/run/netns")]
    pub netns_dir: PathBuf,
    /// Takes all labs off this host and exits. What is wanted stays in the store: the next start
    /// makes the labs again. For who removes netlabd.
    #[arg(long)]
    pub take_down: bool,
}
