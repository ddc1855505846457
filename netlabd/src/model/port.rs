//! Ports of bridges.

use std::{collections::BTreeSet, fmt};

use super::{GroupFwdMask, IfName, Mac, vlan_id::VlanId};

/// An interface's place in a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgePort {
    /// The bridge.
    pub bridge: IfName,
    /// The VLANs; [`PortVlans::Default`] on a bridge that does not filter.
    pub vlans: PortVlans,
    /// What else is said of it.
    pub settings: PortSettings,
    /// Who is behind it for ever.
    pub fdb: BTreeSet<Mac>,
}

/// VLANs of a bridge port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortVlans {
    /// What the kernel gives a new port: VLAN 1, untagged and PVID, on a filtering bridge.
    Default,
    /// One VLAN, untagged and PVID.
    Access(VlanId),
    /// Several VLANs, tagged.
    Trunk {
        /// The tagged VLANs, without `native`.
        tagged: BTreeSet<VlanId>,
        /// One more VLAN, untagged and PVID.
        native: Option<VlanId>,
    },
}

/// Settings of a bridge port, bridge(8) `link`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortSettings {
    /// What the spanning tree counts for a way through it; `None`: what the kernel makes of the interface's speed.
    pub cost: Option<u16>,
    /// Which of two ports of the same cost the spanning tree prefers.
    pub priority: u8,
    /// Whether nothing is forwarded between it and other isolated ports.
    pub isolated: bool,
    /// Whether frames may leave by it that came in by it.
    pub hairpin: bool,
    /// Whether the bridge learns who is behind it.
    pub learning: bool,
    /// The link-local groups that the bridge forwards beside its own where they come in by it.
    pub group_fwd_mask: GroupFwdMask,
}

impl Default for PortSettings {
    /// Those of a new port (`new_nbp` in `net/bridge/br_if.c`).
    fn default() -> Self {
        Self {
            cost: None,
            priority: 32,
            isolated: false,
            hairpin: false,
            learning: true,
            group_fwd_mask: GroupFwdMask::default(),
        }
    }
}

/// One setting of a bridge port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortSetting {
    /// [`PortSettings::cost`].
    Cost(u16),
    /// [`PortSettings::priority`].
    Priority(u8),
    /// [`PortSettings::isolated`].
    Isolated(bool),
    /// [`PortSettings::hairpin`].
    Hairpin(bool),
    /// [`PortSettings::learning`].
    Learning(bool),
    /// [`PortSettings::group_fwd_mask`].
    GroupFwdMask(GroupFwdMask),
}

impl PortSettings {
    /// What is to be set where these are wanted and `seen` are there.
    pub fn missing(&self, seen: &Self) -> Vec<PortSetting> {
        let differs = |differs: bool, setting| differs.then_some(setting);
        let cost = self.cost.filter(|cost| seen.cost != Some(*cost)).map(PortSetting::Cost);
        let rest = [
            differs(self.priority != seen.priority, PortSetting::Priority(self.priority)),
            differs(self.isolated != seen.isolated, PortSetting::Isolated(self.isolated)),
            differs(self.hairpin != seen.hairpin, PortSetting::Hairpin(self.hairpin)),
            differs(self.learning != seen.learning, PortSetting::Learning(self.learning)),
            differs(
                self.group_fwd_mask != seen.group_fwd_mask,
                PortSetting::GroupFwdMask(self.group_fwd_mask),
            ),
        ];
        cost.into_iter().chain(rest.into_iter().flatten()).collect()
    }

    /// The same with one setting.
    pub fn set(&mut self, setting: PortSetting) {
        match setting {
            PortSetting::Cost(cost) => self.cost = Some(cost),
            PortSetting::Priority(priority) => self.priority = priority,
            PortSetting::Isolated(on) => self.isolated = on,
            PortSetting::Hairpin(on) => self.hairpin = on,
            PortSetting::Learning(on) => self.learning = on,
            PortSetting::GroupFwdMask(mask) => self.group_fwd_mask = mask,
        }
    }
}

impl PortSetting {
    /// What a port is then: `isolated`, `not learning`, `of cost 10`.
    pub fn words(self) -> String {
        let is = |on: bool, word: &str| if on { word.to_owned() } else { format!("not {word}") };
        match self {
            Self::Cost(cost) => format!("a port of cost {cost}"),
            Self::Priority(priority) => format!("a port of priority {priority}"),
            Self::Isolated(on) => is(on, "isolated"),
            Self::Hairpin(on) => is(on, "a hairpin"),
            Self::Learning(on) => is(on, "learning"),
            Self::GroupFwdMask(mask) => format!("forwarding groups {mask}"),
        }
    }
}

impl fmt::Display for PortSetting {
    /// In the words of ip-link(8), after `type bridge_slave`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_off = |on: bool| if on { "on" } else { "off" };
        match self {
            Self::Cost(cost) => write!(f, "cost {cost}"),
            Self::Priority(priority) => write!(f, "priority {priority}"),
            Self::Isolated(on) => write!(f, "isolated {}", on_off(*on)),
            Self::Hairpin(on) => write!(f, "hairpin {}", on_off(*on)),
            Self::Learning(on) => write!(f, "learning {}", on_off(*on)),
            Self::GroupFwdMask(mask) => write!(f, "group_fwd_mask {mask}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_all_that_differs() {
        let seen = PortSettings { cost: Some(2), ..PortSettings::default() };
        assert_eq!(PortSettings::default().missing(&seen), []);
        let want = PortSettings {
            cost: Some(10),
            priority: 1,
            isolated: true,
            hairpin: true,
            learning: false,
            group_fwd_mask: GroupFwdMask::from_bits(4),
        };
        for (want, seen) in [(want, seen), (PortSettings { cost: Some(2), ..seen }, want)] {
            let mut now = seen;
            let missing = want.missing(&seen);
            assert_eq!(missing.len(), 6);
            for setting in missing {
                now.set(setting);
            }
            assert_eq!(now, want);
        }
    }
}
