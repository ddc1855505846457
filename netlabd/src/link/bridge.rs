//! Ethernet bridges.

use netlab_proto::v1 as proto;
use netlink_packet_route::link::{BridgeStpState, InfoBridge, InfoData};

use super::{
    Carrier, Change, LinkKind, Ports, Setting, Unknown,
    kind::{Attributes, When},
};
use crate::{
    feature::Feature,
    input::{Path, Sink},
    model::{mtu::ETHERNET_MTU, name::IfName},
};

/// An Ethernet bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bridge {
    /// Whether ports are VLAN-aware.
    pub vlan_filtering: bool,
    /// Whether the Spanning Tree Protocol runs.
    pub stp: bool,
}

/// The priority that a bridge has anyway, IEEE 802.1D-2004 section 17.14. To be told of it makes the kernel count the ports
/// that forward: without any a new bridge has no carrier, as one that has lost its last port
/// (`br_stp_set_bridge_priority`, `br_port_state_selection` in net/bridge, Linux 6.18).
const PRIORITY: u16 = 0x8000;

impl LinkKind for Bridge {
    type Message = proto::Bridge;

    const KEY: &'static str = "bridge";
    const ABOUT: &'static str = "a bridge";

    fn examples(_: &IfName) -> Vec<Self> {
        let bridge = |vlan_filtering, stp| Self { vlan_filtering, stp };
        vec![bridge(false, false), bridge(true, false), bridge(false, true), bridge(true, true)]
    }

    fn read(message: &proto::Bridge, _: &Path, _: &mut Sink) -> Option<Self> {
        Some(Self { vlan_filtering: message.vlan_filtering, stp: message.stp })
    }

    fn message(&self) -> proto::Bridge {
        proto::Bridge { vlan_filtering: self.vlan_filtering, stp: self.stp }
    }

    fn mtu(&self, _: Option<u32>, ports: Option<u32>) -> Option<u32> {
        ports.or(Some(ETHERNET_MTU))
    }

    fn ports(&self) -> Ports {
        Ports::Bridge { filtering: self.vlan_filtering, stp: self.stp }
    }

    fn carrier(&self) -> Carrier {
        // With STP its ports forward only after a while.
        if self.stp { Carrier::Always } else { Carrier::Ports }
    }

    fn needs(&self) -> (Feature, &'static str) {
        if self.vlan_filtering {
            (Feature::of("CONFIG_BRIDGE_VLAN_FILTERING"), "vlan_filtering")
        } else {
            (Feature::of("CONFIG_BRIDGE"), "")
        }
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        // A kernel without VLAN filtering refuses the attribute, even 0.
        let filtering = self.vlan_filtering.then_some(InfoBridge::VlanFiltering(true));
        let stp = self.stp.then_some(InfoBridge::StpState(BridgeStpState::KernelStp));
        let priority = InfoBridge::Priority(PRIORITY);
        Ok(Some(InfoData::Bridge(std::iter::once(priority).chain(filtering).chain(stp).collect())))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        let options = match seen.data {
            Some(InfoData::Bridge(options)) => options.as_slice(),
            _ => &[],
        };
        let spans =
            |option: &InfoBridge| matches!(option, InfoBridge::StpState(s) if *s != BridgeStpState::Disabled);
        Some(Self {
            vlan_filtering: options.contains(&InfoBridge::VlanFiltering(true)),
            stp: options.iter().any(spans),
        })
    }

    fn change(&self, seen: &Self) -> Change {
        let mut settings = Vec::new();
        let mut now = *seen;
        let mut set = |now: Self, words, command: &str, on: bool, option, when| {
            let command = format!("{command} {}", u8::from(on));
            let data = InfoData::Bridge(vec![option]);
            settings.push(Setting { words, command, data, then: now.into(), when });
        };
        if self.vlan_filtering && !seen.vlan_filtering {
            now.vlan_filtering = true;
            let option = InfoBridge::VlanFiltering(true);
            set(now, "VLAN-filtering", "vlan_filtering", true, option, When::First);
        }
        if self.stp != seen.stp {
            now.stp = self.stp;
            let (words, state, when) = if self.stp {
                ("running STP", BridgeStpState::KernelStp, When::First)
            } else {
                // Ports that were listening would only forward when STP's timers have run out.
                ("not running STP", BridgeStpState::Disabled, When::FreesPorts)
            };
            set(now, words, "stp_state", self.stp, InfoBridge::StpState(state), when);
        }
        if seen.vlan_filtering && !self.vlan_filtering {
            now.vlan_filtering = false;
            let option = InfoBridge::VlanFiltering(false);
            set(now, "not VLAN-filtering", "vlan_filtering", false, option, When::AfterVlans);
        }
        Change::Set(settings)
    }

    fn command(&self) -> String {
        let filtering = if self.vlan_filtering { " vlan_filtering 1" } else { "" };
        let stp = if self.stp { " stp_state 1" } else { "" };
        format!("{filtering}{stp}")
    }
}
