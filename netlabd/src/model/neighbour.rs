//! Neighbours that nobody has to ask for.

use std::{fmt, net::IpAddr};

use super::{IfName, Mac};

/// A neighbour of an interface, ip-neighbour(8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// Its address.
    pub to: IpAddr,
    /// The interface on whose link it is.
    pub dev: IfName,
    /// Its MAC address; `None`: the node itself answers for it there (proxy ARP, RFC 1027; proxy NDP, RFC 4389).
    pub mac: Option<Mac>,
}

impl Neighbour {
    /// `NDA_PROTOCOL` of every neighbour that netlabd adds.
    pub const PROTOCOL: u8 = super::Route::PROTOCOL;

    /// Whether one takes the place of the other.
    pub fn replaces(&self, other: &Self) -> bool {
        (self.to, &self.dev, self.mac.is_none()) == (other.to, &other.dev, other.mac.is_none())
    }

    /// The same in the words of ip-neighbour(8); `dev` writes the interface's name.
    pub fn words(&self, dev: &dyn Fn(&IfName) -> String) -> String {
        let (to, dev) = (self.to, dev(&self.dev));
        match self.mac {
            Some(mac) => format!("{to} lladdr {mac} dev {dev}"),
            None => format!("proxy {to} dev {dev}"),
        }
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(&IfName::to_string))
    }
}
