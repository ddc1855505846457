//! A kind of traffic, with what is known of it.

use std::net::IpAddr;

use ipnet::IpNet;

/// Hooks, `NF_INET_*` of linux/netfilter.h.
pub(super) mod hook {
    pub(crate) const PREROUTING: u32 = 0;
    pub(crate) const INPUT: u32 = 1;
    pub(crate) const FORWARD: u32 = 2;
    pub(crate) const OUTPUT: u32 = 3;
    pub(crate) const POSTROUTING: u32 = 4;
}

/// Bits of `ct state` (`NF_CT_STATE_BIT`).
pub(super) mod state {
    pub(crate) const ESTABLISHED: u32 = 2;
    pub(crate) const NEW: u32 = 8;
}

/// An interface of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInterface {
    /// Its name.
    pub name: String,
    /// Its index, where it exists.
    pub index: Option<u32>,
}

/// What a flow is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The lab opens connections to the outside.
    Out,
    /// Answers come back in.
    Back,
    /// The outside opens a connection that a port forward leads into the lab.
    PortForward,
    /// From one network of the lab on the host to another.
    Between,
    /// The lab pings the host.
    ToHost,
    /// The host pings the lab.
    FromHost,
    /// From one port of a bridge on the host to another, by the rules of bridges.
    Bridged,
    /// The same by the rules of IP, to which the host hands bridged frames.
    BridgedByIp,
}

/// A kind of traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// What it is good for.
    pub purpose: Purpose,
    /// Whether it is IPv6.
    pub ipv6: bool,
    /// The interface that it comes in by; `None`: from the host itself.
    pub from: Option<HostInterface>,
    /// The interface that it leaves by; `None`: to the host itself, or not known.
    pub to: Option<HostInterface>,
    /// Source addresses; `None`: any.
    pub source: Option<IpNet>,
    /// Destination addresses; `None`: any.
    pub destination: Option<IpNet>,
    /// The transport protocol's number; `None`: any.
    pub protocol: Option<u8>,
    /// The destination port; `None`: any.
    pub port: Option<u16>,
}

impl Flow {
    /// The hooks that it passes, in order.
    pub(super) fn hooks(&self) -> &'static [u32] {
        match self.purpose {
            Purpose::ToHost => &[hook::PREROUTING, hook::INPUT],
            Purpose::FromHost => &[hook::OUTPUT, hook::POSTROUTING],
            Purpose::Bridged | Purpose::BridgedByIp => &[hook::FORWARD],
            // Before the host has translated anything back, their addresses are others.
            Purpose::Back | Purpose::PortForward => &[hook::FORWARD, hook::POSTROUTING],
            Purpose::Out | Purpose::Between => &[hook::PREROUTING, hook::FORWARD, hook::POSTROUTING],
        }
    }

    /// The connection's state, as a bit of `ct state`.
    pub(super) fn state(&self) -> u32 {
        if self.purpose == Purpose::Back { state::ESTABLISHED } else { state::NEW }
    }

    /// Whether its destination was translated.
    pub(super) fn is_translated(&self) -> bool {
        self.purpose == Purpose::PortForward
    }

    /// An address as a network of one.
    pub(super) fn only(address: IpAddr) -> IpNet {
        address.into()
    }

    /// What it is, in words.
    pub(super) fn words(&self) -> String {
        let name = |side: &Option<HostInterface>, else_: &str| {
            side.as_ref().map_or_else(|| else_.to_owned(), |interface| interface.name.clone())
        };
        let (from, to) = (name(&self.from, "anywhere"), name(&self.to, "anywhere"));
        match self.purpose {
            Purpose::Out => format!("what the lab sends out ({from} to {to})"),
            Purpose::Back => format!("answers to the lab ({from} to {to})"),
            Purpose::PortForward => {
                format!("the port forward of port {} ({from} to {to})", self.port.unwrap_or_default())
            }
            Purpose::Between => format!("what goes from {from} to {to}"),
            Purpose::ToHost => format!("pings of the lab to the host ({from})"),
            Purpose::FromHost => format!("pings of the host to the lab ({to})"),
            Purpose::Bridged => format!("what is bridged from {from} to {to}"),
            Purpose::BridgedByIp => format!("what the bridge {from} carries between its ports"),
        }
    }
}
