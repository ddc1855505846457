//! Rules of policy routing: which table answers for which packets.

use std::fmt;

use ipnet::IpNet;

use super::IfName;

/// A rule, ip-rule(8), of one family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoutingRule {
    /// Of IPv6, else of IPv4.
    pub ipv6: bool,
    /// Lower ones are evaluated first.
    pub priority: u32,
    /// Only packets from this range.
    pub from: Option<IpNet>,
    /// Only packets to this range.
    pub to: Option<IpNet>,
    /// Only packets that arrive here; `lo`: only those that the node sends itself.
    pub iif: Option<IfName>,
    /// Only packets with this mark.
    pub fwmark: Option<FwMark>,
    /// What is done with them.
    pub action: RuleAction,
}

/// A mark of packets (`SO_MARK` of socket(7), `meta mark` of nft(8)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FwMark {
    /// The bits.
    pub value: u32,
    /// Those that are compared.
    pub mask: u32,
}

/// What a rule does with packets (`FR_ACT_*` of `linux/fib_rules.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleAction {
    /// Looks for a route in a table; where that has none, the next rule is looked at.
    Lookup(u32),
    /// The same in the table of the VRF that a packet belongs to, if it does to any (`FRA_L3MDEV`).
    L3mdev,
    /// Drops them.
    Blackhole,
    /// Drops them and says that the destination is unreachable (ICMP).
    Unreachable,
    /// Drops them and says that it is forbidden to send there (ICMP).
    Prohibit,
}

impl RoutingRule {
    /// `FRA_PROTOCOL` of every rule that netlabd adds.
    pub const PROTOCOL: u8 = super::Route::PROTOCOL;

    /// The priority of the kernel's own rule for VRFs (`FIB_RULE_PREF` of drivers/net/vrf.c).
    pub const VRF_PRIORITY: u32 = 1000;

    /// The rule of a family by which VRFs have tables of their own. The kernel makes it with the first VRF of a namespace,
    /// and never again.
    pub fn of_vrfs(ipv6: bool) -> Self {
        let (priority, action) = (Self::VRF_PRIORITY, RuleAction::L3mdev);
        Self { ipv6, priority, from: None, to: None, iif: None, fwmark: None, action }
    }

    /// `FRA_PROTOCOL` of it, as netlabd makes it: that for VRFs is always the kernel's.
    pub fn protocol(&self) -> u8 {
        if self.action == RuleAction::L3mdev { libc::RTPROT_KERNEL } else { Self::PROTOCOL }
    }

    /// Whether all that matches `other` matches this too.
    pub fn covers(&self, other: &Self) -> bool {
        let range = |own: Option<IpNet>, other: Option<IpNet>| {
            own.is_none_or(|own| other.is_some_and(|other| own.contains(&other)))
        };
        let mark = |own: FwMark, other: FwMark| {
            own.mask & other.mask == own.mask && own.value & own.mask == other.value & own.mask
        };
        self.ipv6 == other.ipv6
            && range(self.from, other.from)
            && range(self.to, other.to)
            && self.iif.as_ref().is_none_or(|own| other.iif.as_ref() == Some(own))
            && self.fwmark.is_none_or(|own| other.fwmark.is_some_and(|other| mark(own, other)))
    }

    /// The same in the words of ip-rule(8); `dev` writes an interface's name.
    pub fn words(&self, dev: &dyn Fn(&IfName) -> String) -> String {
        let mut words = vec![format!("priority {}", self.priority)];
        words.extend(self.from.map(|from| format!("from {from}")));
        words.extend(self.to.map(|to| format!("to {to}")));
        words.extend(self.iif.as_ref().map(|iif| format!("iif {}", dev(iif))));
        words.extend(self.fwmark.map(|mark| match mark {
            FwMark { value, mask: u32::MAX } => format!("fwmark {value:#x}"),
            FwMark { value, mask } => format!("fwmark {value:#x}/{mask:#x}"),
        }));
        words.push(match self.action {
            RuleAction::Lookup(table) => format!("table {table}"),
            RuleAction::L3mdev => "l3mdev".to_owned(),
            RuleAction::Blackhole => "type blackhole".to_owned(),
            RuleAction::Unreachable => "type unreachable".to_owned(),
            RuleAction::Prohibit => "type prohibit".to_owned(),
        });
        words.join(" ")
    }
}

impl fmt::Display for RoutingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.ipv6 && self.from.or(self.to).is_none() { " (IPv6)" } else { "" };
        write!(f, "{}{family}", self.words(&IfName::to_string))
    }
}
