//! Ethernet bridges.

use std::ops::RangeInclusive;

use netlab_proto::{range, v1 as proto};
use netlink_packet_route::link::{BridgeStpState, InfoBridge, InfoData};

use super::{Attributes, BridgeTime, Carrier, Change, LinkKind, Ports, Setting, Unknown, When, vlan};
use crate::{
    feature::Feature,
    input::{Path, Sink, shown},
    model::{GroupFwdMask, VlanProtocol, mtu::ETHERNET_MTU, name::IfName},
};

/// An Ethernet bridge. What is `None` the kernel does not show; of a wanted one nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bridge {
    /// Whether ports are VLAN-aware.
    pub vlan_filtering: bool,
    /// The tags that it goes by then.
    pub vlan_protocol: VlanProtocol,
    /// Whether the Spanning Tree Protocol runs.
    pub stp: bool,
    /// The bridge with the least becomes the root of the spanning tree.
    pub priority: u16,
    /// Times of the spanning tree; while another bridge is its root, the kernel shows that one's.
    pub times: Option<Times>,
    /// After how long learned addresses are forgotten; while the topology changes the kernel shows another
    /// (`__br_set_topology_change` in `net/bridge/br_stp.c`).
    pub ageing_time: Option<BridgeTime>,
    /// Whether groups go only where somebody has joined them; not shown by a kernel that cannot
    /// (`CONFIG_BRIDGE_IGMP_SNOOPING`).
    pub mcast_snooping: Option<bool>,
    /// The link-local groups that are forwarded.
    pub group_fwd_mask: GroupFwdMask,
}

/// Times of the spanning tree, IEEE 802.1D-2004 section 17.14.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How long a port listens, and as long again learns.
    pub forward_delay: BridgeTime,
    /// How often the root tells of itself.
    pub hello_time: BridgeTime,
    /// After how long without a word the root is taken for gone.
    pub max_age: BridgeTime,
}

/// The priority that a bridge has anyway, IEEE 802.1D-2004 section 17.14. To be told of one makes the kernel count the ports
/// that forward: without any a new bridge has no carrier, as one that has lost its last port
/// (`br_stp_set_bridge_priority`, `br_port_state_selection` in net/bridge, Linux 6.18).
const PRIORITY: u16 = 0x8000;

/// Those of a new bridge (`br_dev_setup` in `net/bridge/br_device.c`).
const TIMES: Times = Times {
    forward_delay: BridgeTime::seconds(15),
    hello_time: BridgeTime::seconds(2),
    max_age: BridgeTime::seconds(20),
};
/// The same.
const AGEING: BridgeTime = BridgeTime::seconds(300);

/// `BR_MIN_FORWARD_DELAY` and the like of `net/bridge/br_private_stp.h`.
const FORWARD_DELAY: RangeInclusive<BridgeTime> = BridgeTime::seconds(2)..=BridgeTime::seconds(30);
/// The same.
const HELLO_TIME: RangeInclusive<BridgeTime> = BridgeTime::seconds(1)..=BridgeTime::seconds(10);
/// The same.
const MAX_AGE: RangeInclusive<BridgeTime> = BridgeTime::seconds(6)..=BridgeTime::seconds(40);
/// IEEE 802.1Q-2018 section 8.8.3; the kernel takes less too.
const AGEING_TIME: RangeInclusive<BridgeTime> = BridgeTime::seconds(0)..=BridgeTime::seconds(1_000_000);

/// What the kernel forwards port by port only (`BR_GROUPFWD_RESTRICTED` of `net/bridge/br_private.h`).
const BY_PORT: u16 = 0x7;

impl Default for Bridge {
    /// A new one.
    fn default() -> Self {
        Self {
            vlan_filtering: false,
            vlan_protocol: VlanProtocol::Dot1Q,
            stp: false,
            priority: PRIORITY,
            times: Some(TIMES),
            ageing_time: Some(AGEING),
            mcast_snooping: Some(true),
            group_fwd_mask: GroupFwdMask::default(),
        }
    }
}

/// One thing that a bridge says beside what decides about its ports.
struct Said {
    words: String,
    command: String,
    option: InfoBridge,
    now: Bridge,
}

impl Bridge {
    /// What this says and `seen` does not.
    fn said(&self, seen: &Self) -> Vec<Said> {
        let mut all = Vec::new();
        let mut now = *seen;
        let mut say = |words: String, command: String, option, now| {
            all.push(Said { words, command, option, now });
        };
        if self.priority != seen.priority {
            now.priority = self.priority;
            let line = format!("priority {}", self.priority);
            say(line.clone(), line, InfoBridge::Priority(self.priority), now);
        }
        if let (Some(want), Some(mut times)) = (self.times, seen.times) {
            let mut time =
                |name: &str, want: BridgeTime, field: fn(&mut Times) -> &mut BridgeTime, option| {
                    if *field(&mut times) != want {
                        *field(&mut times) = want;
                        now.times = Some(times);
                        say(format!("{name} {want}"), format!("{name} {}", want.0), option, now);
                    }
                };
            let Times { forward_delay, hello_time, max_age } = want;
            let option = InfoBridge::ForwardDelay(forward_delay.0);
            time("forward_delay", forward_delay, |times| &mut times.forward_delay, option);
            time(
                "hello_time",
                hello_time,
                |times| &mut times.hello_time,
                InfoBridge::HelloTime(hello_time.0),
            );
            time("max_age", max_age, |times| &mut times.max_age, InfoBridge::MaxAge(max_age.0));
        }
        if let (Some(want), Some(was)) = (self.ageing_time, seen.ageing_time)
            && want != was
        {
            now.ageing_time = Some(want);
            let option = InfoBridge::AgeingTime(want.0);
            say(format!("ageing_time {want}"), format!("ageing_time {}", want.0), option, now);
        }
        if let (Some(want), Some(was)) = (self.mcast_snooping, seen.mcast_snooping)
            && want != was
        {
            now.mcast_snooping = Some(want);
            let words = if want { "snooping groups" } else { "not snooping groups" };
            let command = format!("mcast_snooping {}", u8::from(want));
            say(words.to_owned(), command, InfoBridge::MulticastSnooping(want), now);
        }
        if self.group_fwd_mask != seen.group_fwd_mask {
            now.group_fwd_mask = self.group_fwd_mask;
            let mask = self.group_fwd_mask;
            let option = InfoBridge::GroupFwdMask(mask.bits());
            say(format!("forwarding groups {mask}"), format!("group_fwd_mask {mask}"), option, now);
        }
        if self.vlan_protocol != seen.vlan_protocol {
            now.vlan_protocol = self.vlan_protocol;
            let protocol = self.vlan_protocol;
            let option = InfoBridge::VlanProtocol(vlan::wire(protocol));
            say(format!("going by {protocol}"), format!("vlan_protocol {protocol}"), option, now);
        }
        all
    }

    fn read_times(message: &proto::Bridge, path: &Path, sink: &mut Sink) -> Option<Times> {
        let mut time = |field, text: &str, default, range| {
            BridgeTime::read(text, default, range, &path.field(field), sink)
        };
        let forward_delay =
            time("forward_delay", &message.forward_delay, TIMES.forward_delay, &FORWARD_DELAY);
        let hello_time = time("hello_time", &message.hello_time, TIMES.hello_time, &HELLO_TIME);
        let max_age = time("max_age", &message.max_age, TIMES.max_age, &MAX_AGE);
        Some(Times { forward_delay: forward_delay?, hello_time: hello_time?, max_age: max_age? })
    }
}

fn read_protocol(message: &proto::Bridge, path: &Path, sink: &mut Sink) -> Option<VlanProtocol> {
    let at = path.field("vlan_protocol");
    let protocol = vlan::read_protocol(&message.vlan_protocol, &at, sink);
    if !message.vlan_protocol.is_empty() && !message.vlan_filtering {
        sink.add(&at, "a bridge goes by tags only where it filters VLANs; add vlan_filtering: true");
    }
    protocol
}

/// Reads names of link-local groups; `by_port`: those of a port.
pub(crate) fn groups(names: &[String], by_port: bool, path: &Path, sink: &mut Sink) -> GroupFwdMask {
    let mut mask = GroupFwdMask::default();
    for (i, name) in names.iter().enumerate() {
        let path = path.index(i);
        match mask.with(name) {
            None => {
                let known = if by_port { "stp, lacp, eapol or lldp" } else { "eapol or lldp" };
                sink.add(&path, format!("{} is not a link-local group: {known}", shown(name)));
            }
            Some(with) if !by_port && with.bits() & BY_PORT != 0 => {
                let message = format!(
                    "{name} is forwarded port by port only; say group_fwd_mask: [{name}] at each port that it is to pass"
                );
                sink.add(&path, message);
            }
            Some(with) if with == mask => {
                sink.add(&path, format!("{name} is listed twice; once is enough"));
            }
            Some(with) => mask = with,
        }
    }
    mask
}

impl LinkKind for Bridge {
    type Message = proto::Bridge;

    const KEY: &'static str = "bridge";
    const ABOUT: &'static str = "a bridge";

    fn examples(_: &IfName) -> Vec<Self> {
        let bridge = |vlan_filtering, stp| Self { vlan_filtering, stp, ..Self::default() };
        let times = Times {
            forward_delay: BridgeTime::seconds(4),
            hello_time: BridgeTime::seconds(1),
            max_age: BridgeTime(650),
        };
        let tuned = Self {
            priority: 4096,
            times: Some(times),
            ageing_time: Some(BridgeTime::seconds(60)),
            mcast_snooping: Some(false),
            group_fwd_mask: GroupFwdMask::from_bits(0x4008),
            ..bridge(false, true)
        };
        let provider = Self { vlan_protocol: VlanProtocol::Dot1Ad, ..bridge(true, false) };
        vec![
            bridge(false, false),
            bridge(true, false),
            bridge(false, true),
            bridge(true, true),
            tuned,
            provider,
        ]
    }

    fn read(message: &proto::Bridge, path: &Path, sink: &mut Sink) -> Option<Self> {
        let vlan_protocol = read_protocol(message, path, sink);
        let priority = message.priority.unwrap_or(PRIORITY.into());
        let read = u16::try_from(priority).ok().filter(|_| range::BRIDGE_PRIORITY.contains(&priority));
        if read.is_none() {
            sink.add(&path.field("priority"), format!("{priority} is not a bridge's priority: 0 to 65,535"));
        }
        let times = Self::read_times(message, path, sink);
        let at = path.field("ageing_time");
        let ageing_time = BridgeTime::read(&message.ageing_time, AGEING, &AGEING_TIME, &at, sink);
        Some(Self {
            vlan_filtering: message.vlan_filtering,
            vlan_protocol: vlan_protocol?,
            stp: message.stp,
            priority: read?,
            times: Some(times?),
            ageing_time: Some(ageing_time?),
            mcast_snooping: Some(message.mcast_snooping.unwrap_or(true)),
            group_fwd_mask: groups(&message.group_fwd_mask, false, &path.field("group_fwd_mask"), sink),
        })
    }

    fn message(&self) -> proto::Bridge {
        let text = |time: BridgeTime, default| if time == default { String::new() } else { time.to_string() };
        let Times { forward_delay, hello_time, max_age } = self.times.unwrap_or(TIMES);
        let protocol = Some(self.vlan_protocol).filter(|it| *it != VlanProtocol::default());
        proto::Bridge {
            vlan_filtering: self.vlan_filtering,
            stp: self.stp,
            priority: (self.priority != PRIORITY).then(|| self.priority.into()),
            forward_delay: text(forward_delay, TIMES.forward_delay),
            hello_time: text(hello_time, TIMES.hello_time),
            max_age: text(max_age, TIMES.max_age),
            ageing_time: text(self.ageing_time.unwrap_or(AGEING), AGEING),
            mcast_snooping: self.mcast_snooping.filter(|on| !on),
            group_fwd_mask: self.group_fwd_mask.names().map(ToOwned::to_owned).collect(),
            vlan_protocol: protocol.map(|it| it.to_string()).unwrap_or_default(),
        }
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

    fn vlan_protocol(&self) -> VlanProtocol {
        self.vlan_protocol
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
        // What is told whether it goes without saying or not.
        let mcast_snooping = self.mcast_snooping.map(|on| !on);
        let other = Self { priority: !self.priority, mcast_snooping, ..Self::default() };
        let said = self.said(&other).into_iter().map(|it| it.option);
        Ok(Some(InfoData::Bridge(said.chain(filtering).chain(stp).collect())))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        let options = match seen.data {
            Some(InfoData::Bridge(options)) => options.as_slice(),
            _ => &[],
        };
        let mut bridge = Self { mcast_snooping: None, ..Self::default() };
        let mut times = TIMES;
        let (mut root, mut own, mut changes) = (None, None, false);
        for option in options {
            match option {
                InfoBridge::VlanFiltering(on) => bridge.vlan_filtering = *on,
                InfoBridge::VlanProtocol(protocol) => bridge.vlan_protocol = vlan::protocol(*protocol),
                InfoBridge::StpState(state) => bridge.stp = *state != BridgeStpState::Disabled,
                InfoBridge::Priority(priority) => bridge.priority = *priority,
                InfoBridge::ForwardDelay(time) => times.forward_delay = BridgeTime(*time),
                InfoBridge::HelloTime(time) => times.hello_time = BridgeTime(*time),
                InfoBridge::MaxAge(time) => times.max_age = BridgeTime(*time),
                InfoBridge::AgeingTime(time) => bridge.ageing_time = Some(BridgeTime(*time)),
                InfoBridge::MulticastSnooping(on) => bridge.mcast_snooping = Some(*on),
                InfoBridge::GroupFwdMask(mask) => bridge.group_fwd_mask = GroupFwdMask::from_bits(*mask),
                InfoBridge::RootId(id) => root = Some(id),
                InfoBridge::BridgeId(id) => own = Some(id),
                InfoBridge::TopologyChange(change) => changes = *change != 0,
                _ => {}
            }
        }
        bridge.times = (root == own).then_some(times);
        bridge.ageing_time = bridge.ageing_time.filter(|_| !changes);
        Some(bridge)
    }

    fn change(&self, seen: &Self) -> Change {
        let mut settings = Vec::new();
        let mut set = |now: Self, words: &str, command: String, option, when| {
            let data = InfoData::Bridge(vec![option]);
            settings.push(Setting { words: words.to_owned(), command, data, then: now.into(), when });
        };
        let mut now = *seen;
        if self.vlan_filtering && !seen.vlan_filtering {
            now.vlan_filtering = true;
            let option = InfoBridge::VlanFiltering(true);
            set(now, "VLAN-filtering", "vlan_filtering 1".into(), option, When::First);
        }
        for Said { words, command, option, now: next } in self.said(&now) {
            now = next;
            set(now, &words, command, option, When::First);
        }
        if self.stp != seen.stp {
            now.stp = self.stp;
            let (words, state, when) = if self.stp {
                ("running STP", BridgeStpState::KernelStp, When::First)
            } else {
                // Ports that were listening would only forward when STP's timers have run out.
                ("not running STP", BridgeStpState::Disabled, When::FreesPorts)
            };
            let command = format!("stp_state {}", u8::from(self.stp));
            set(now, words, command, InfoBridge::StpState(state), when);
        }
        if seen.vlan_filtering && !self.vlan_filtering {
            now.vlan_filtering = false;
            let option = InfoBridge::VlanFiltering(false);
            set(now, "not VLAN-filtering", "vlan_filtering 0".into(), option, When::AfterVlans);
        }
        Change::Set(settings)
    }

    fn command(&self) -> String {
        let filtering = if self.vlan_filtering { " vlan_filtering 1" } else { "" };
        let said = self.said(&Self::default());
        let said: String = said.iter().flat_map(|it| [" ", it.command.as_str()]).collect();
        let stp = if self.stp { " stp_state 1" } else { "" };
        format!("{filtering}{said}{stp}")
    }

    fn untold(&self) -> String {
        // So that one without ports has no carrier.
        if self.priority == PRIORITY { format!(" priority {PRIORITY}") } else { String::new() }
    }
}
