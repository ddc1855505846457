//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;

use crate::{model::address::to_listen_at, policy::config::DEFAULT_FILE};

/// Makes network labs out of namespaces, links and nftables NAT, and keeps them true.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(super) struct Options {
    /// The configuration; it must exist if it is named.  [default: /etc/netlabd/config.toml]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where the socket and what does not outlive a reboot are.
    #[arg(long, value_name = "DIR", default_value = "/run/netlabd")]
    pub(super) runtime_dir: PathBuf,
    /// Where the desired state is kept.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/netlabd")]
    pub(super) state_dir: PathBuf,
    /// Where network namespaces are found, as LAB.NODE.
    #[arg(long, value_name = "DIR", default_value = "/run/netns")]
    pub(super) netns_dir: PathBuf,
    /// Takes all labs off this host and exits. The desired state stays in the store, so the next start
    /// recreates the labs. Meant for uninstalling netlabd.
    #[arg(long)]
    pub(super) take_down: bool,
    /// Reads the configuration, says what is wrong with it, and exits.
    #[arg(long)]
    pub(super) check_config: bool,
    /// Reads an encoded `PlanLabRequest` and prints the answer: for netlabctl where there is no daemon.
    #[arg(long, hide = true)]
    pub(super) plan: bool,
    /// Also serve remote clients at this TCP address, by mutual TLS: [tls] of the configuration. In place
    /// of the addresses there.
    #[arg(long, value_name = "ADDR", value_parser = to_listen_at)]
    pub(super) listen: Option<SocketAddr>,
}

impl Options {
    /// The configuration file, and whether it was named.
    pub(super) fn config_file(&self) -> (PathBuf, bool) {
        self.config.clone().map_or_else(|| (DEFAULT_FILE.into(), false), |file| (file, true))
    }

    /// The addresses for remote clients, `configured` unless one is named.
    pub(super) fn addresses(&self, configured: &[SocketAddr]) -> Vec<SocketAddr> {
        self.listen.map_or_else(|| configured.to_vec(), |address| vec![address])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_to_listen_at_has_one_reading() {
        let read = |text: &str| Options::try_parse_from(["netlabd", "--listen", text]);
        for good in ["192.0.2.1:7443", "[::]:7443"] {
            assert_eq!(read(good).unwrap().listen.unwrap().to_string(), good);
        }
        for (bad, words) in [
            ("192.0.2.1:07443", "begins with 0"),
            ("192.0.2.01:7443", "begins with 0"),
            ("localhost:7443", "no address and port"),
        ] {
            let refused = read(bad).unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
