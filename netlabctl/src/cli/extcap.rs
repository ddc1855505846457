//! Wireshark's questions, extcap(4).

use std::path::PathBuf;

use clap::Args;

/// `extcap`. Wireshark asks one thing at a time; the names of the options are its own.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("question").required(true).multiple(true))]
pub(crate) struct Extcap {
    /// List the interfaces of all labs that are yours: here, at `NETLAB_HOST`, and in each context.
    #[arg(long = "extcap-interfaces", group = "question", conflicts_with = "interface")]
    pub(crate) list: bool,
    /// Wireshark's own version.
    #[arg(long = "extcap-version", hide = true, value_name = "VERSION")]
    pub(crate) wireshark: Option<String>,
    /// The interface in question, netlab:[CONTEXT:]LAB:NODE:INTERFACE.
    #[arg(long = "extcap-interface", group = "question", value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// Tell what packets of the interface begin with.
    #[arg(long = "extcap-dlts", requires = "interface")]
    pub(crate) link_types: bool,
    /// Tell the options of a capture.
    #[arg(long = "extcap-config", requires = "interface")]
    pub(crate) options: bool,
    /// Capture.
    #[arg(long, requires = "interface", requires = "fifo")]
    pub(crate) capture: bool,
    /// Where to write pcapng.
    #[arg(long, value_name = "FILE")]
    pub(crate) fifo: Option<PathBuf>,
    /// A filter, pcap-filter(7). Without --capture: say what is wrong with it.
    #[arg(long = "extcap-capture-filter", requires = "interface", value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Keep no more than this many bytes of each packet.
    #[arg(long, value_name = "BYTES", default_value_t = 262_144, hide_default_value = true,
          value_parser = clap::value_parser!(u32).range(1..=262_144))]
    pub(crate) snapshot_length: u32,
    /// Leave out packets for other stations.
    #[arg(long, overrides_with = "promiscuous")]
    pub(crate) no_promiscuous: bool,
    /// Also take in packets for other stations: the default. Wireshark gives back what was once chosen.
    #[arg(long, hide = true)]
    pub(crate) promiscuous: bool,
}
