//! Entries of forwarding databases that nobody learns.

use std::{fmt, net::IpAddr};

use super::Mac;

/// An entry of the forwarding database of an interface, bridge(8) `fdb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FdbEntry {
    /// Of a port of a bridge: a station that is behind it, and not believed to be elsewhere.
    Station(Mac),
    /// Of a VXLAN: another tunnel end point that gets what is for all, and what is for whom nobody knows.
    Remote(IpAddr),
}

impl FdbEntry {
    /// In the words of bridge(8); `dev` is the interface's name.
    pub fn words(self, dev: &str) -> String {
        match self {
            Self::Station(mac) => format!("{mac} dev {dev} master"),
            Self::Remote(remote) => format!("00:00:00:00:00:00 dev {dev} dst {remote} self"),
        }
    }
}

impl fmt::Display for FdbEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Station(mac) => write!(f, "station {mac}"),
            Self::Remote(remote) => write!(f, "remote {remote}"),
        }
    }
}
