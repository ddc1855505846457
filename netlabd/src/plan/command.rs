//! The line that does an operation by hand.

use std::borrow::Cow;

use ipnet::IpNet;

use crate::{
    model::{Endpoint, Kind, LINK_GROUP, LabName, Place, Route, Vxlan},
    shell::{is_no_keyword, word},
};

use super::{LinkChange, Op, VethEnd, guard, rules};

/// `rtm_protocol` of every route that netlabd adds.
const ROUTE_PROTOCOL: u8 = 78;

/// The `ip`, `bridge`, `sysctl` or `nft` line that does the same as `op` in a lab, for root on the
/// lab's host, marks included. Any name or value in it is one word for a POSIX shell, whatever it holds.
pub fn command(lab: &LabName, op: &Op) -> String {
    Hand { lab, exact: true }.line(op)
}

/// Where and how the lines of one lab are typed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hand<'a> {
    /// The lab.
    pub(super) lab: &'a LabName,
    /// With all that netlabd does so that it knows what is its own; without: as people type it.
    pub(super) exact: bool,
}

impl Hand<'_> {
    /// The line for an operation.
    pub(super) fn line(self, op: &Op) -> String {
        let lab = self.lab;
        match op {
            Op::AddNode(node) => format!("ip netns add {lab}.{node}"),
            Op::DeleteNode(node) => format!("ip netns delete {lab}.{node}"),
            Op::PinNode(node) => format!("ip netns attach {lab}.{node} PID"),
            Op::AddVeth { a, b } => self.veth(a, b),
            Op::AddLink { at, kind, mac, mtu } => self.link(at, kind, mac.map(|m| m.to_string()), *mtu),
            Op::DeleteLink(spot) => format!("{} link delete {}", self.ip(&spot.place), dev(&spot.name)),
            Op::Rename { from, to } => {
                format!("{} link set {} name {}", self.ip(&from.place), dev(&from.name), word(to.as_str()))
            }
            Op::SetLink { at, change } => self.change(at, change),
            Op::AddVlan { at, vlan, flags, on_bridge } => {
                let itself = if *on_bridge { " self" } else { "" };
                format!("{} vlan add vid {vlan} dev {}{flags}{itself}", self.bridge(&at.place), name(at))
            }
            Op::DeleteVlan { at, vlan, on_bridge } => {
                let itself = if *on_bridge { " self" } else { "" };
                format!("{} vlan del vid {vlan} dev {}{itself}", self.bridge(&at.place), name(at))
            }
            Op::AddAddress { at, address } => self.add_address(at, address),
            Op::RenewAddress { at, address } => {
                format!("{}; {}", self.delete_address(at, address), self.add_address(at, address))
            }
            Op::MakeLinkLocal { at, .. } => {
                let key = format!("net/ipv6/conf/{}/addr_gen_mode", at.interface);
                let values = [1, 0].map(|value| word(&format!("{key}={value}")).into_owned());
                format!("{}sysctl -w {}", self.exec(&at.place), values.join(" "))
            }
            Op::DeleteAddress { at, address } => self.delete_address(at, address),
            Op::AddRoute { place, route } if self.exact => {
                format!("{} route replace {} proto {ROUTE_PROTOCOL}", self.ip_for(place, route), line(route))
            }
            Op::AddRoute { place, route } => {
                format!("{} route add {}", self.ip_for(place, route), line(route))
            }
            Op::DeleteRoute { place, route } => {
                format!("{} route delete {}", self.ip_for(place, route), line(route))
            }
            Op::SetSysctl { place, key, value } => {
                format!("{}sysctl -w {}", self.exec(place), word(&format!("{key}={value}")))
            }
            Op::SetNat { place, rules } => self.nat(place, rules),
            Op::SetGuard(guard) => {
                format!("nft {}", word(&guard::statements(guard.as_ref(), lab).join("; ")))
            }
        }
    }

    fn add_address(self, at: &Endpoint, address: &IpNet) -> String {
        let nodad = if self.exact && address.addr().is_ipv6() { " nodad" } else { "" };
        format!("{} address add {address} dev {}{nodad}", self.ip(&at.place), name(at))
    }

    fn delete_address(self, at: &Endpoint, address: &IpNet) -> String {
        format!("{} address delete {address} dev {}", self.ip(&at.place), name(at))
    }

    fn ip(self, place: &Place) -> String {
        self.tool("ip", place)
    }

    fn bridge(self, place: &Place) -> String {
        self.tool("bridge", place)
    }

    fn tool(self, tool: &str, place: &Place) -> String {
        match place {
            Place::Host => tool.to_owned(),
            Place::Node(node) => format!("{tool} -n {}.{node}", self.lab),
        }
    }

    fn ip_for(self, place: &Place, route: &Route) -> String {
        let ip = self.ip(place);
        if route.to.addr().is_ipv6() { ip.replacen("ip", "ip -6", 1) } else { ip }
    }

    /// What runs another program in a place, with a space behind it.
    pub(super) fn exec(self, place: &Place) -> String {
        match place {
            Place::Host => String::new(),
            Place::Node(node) => format!("ip netns exec {}.{node} ", self.lab),
        }
    }

    fn netns(self, place: &Place) -> String {
        match place {
            Place::Host => String::new(),
            Place::Node(node) => format!(" netns {}.{node}", self.lab),
        }
    }

    /// What every interface is made with, and on the host the line that names the lab.
    fn group(self) -> String {
        if self.exact { format!(" group {LINK_GROUP}") } else { String::new() }
    }

    fn alias(self, at: &Endpoint) -> Option<String> {
        let line = || format!("ip link set {} alias netlab:{}", dev(at.interface.as_str()), self.lab);
        (self.exact && at.place == Place::Host).then(line)
    }

    fn veth(self, a: &VethEnd, b: &VethEnd) -> String {
        let end = |end: &VethEnd| {
            let mac = end.mac.map(|mac| format!(" address {mac}")).unwrap_or_default();
            let mtu = end.mtu.map(|mtu| format!(" mtu {mtu}")).unwrap_or_default();
            format!("{}{mac}{mtu}{}", self.netns(&end.at.place), self.group())
        };
        let (first, second) = (a.at.interface.as_str(), name(&b.at));
        let made = format!("ip link add {}{} type veth peer name {second}{}", new(first), end(a), end(b));
        let aliases = [a, b].into_iter().filter_map(|end| self.alias(&end.at));
        std::iter::once(made).chain(aliases).collect::<Vec<_>>().join("; ")
    }

    fn link(self, at: &Endpoint, kind: &Kind, mac: Option<String>, mtu: Option<u32>) -> String {
        let own = new(at.interface.as_str());
        let mut line = match kind {
            Kind::Macvlan { parent, .. } => {
                format!("ip link add {own} link {}{}", word(parent.as_str()), self.netns(&at.place))
            }
            Kind::Vlan { parent, .. } => {
                format!("{} link add {own} link {}", self.ip(&at.place), word(parent.as_str()))
            }
            _ => format!("{} link add {own}", self.ip(&at.place)),
        };
        line.extend(mac.map(|mac| format!(" address {mac}")));
        line.extend(mtu.map(|mtu| format!(" mtu {mtu}")));
        line += &self.group();
        line += &kind_type(kind);
        std::iter::once(line).chain(self.alias(at)).collect::<Vec<_>>().join("; ")
    }

    fn change(self, at: &Endpoint, change: &LinkChange) -> String {
        let set = format!("{} link set {}", self.ip(&at.place), dev(at.interface.as_str()));
        let switch = |on: &bool| u8::from(*on);
        match change {
            LinkChange::Up(true) => format!("{set} up"),
            LinkChange::Up(false) => format!("{set} down"),
            LinkChange::Mtu(mtu) => format!("{set} mtu {mtu}"),
            LinkChange::Mac(mac) => format!("{set} address {mac}"),
            LinkChange::Master(Some(bridge)) => format!("{set} master {}", word(bridge.as_str())),
            LinkChange::Master(None) => format!("{set} nomaster"),
            LinkChange::Mark => {
                let group = format!("{set}{}", self.group());
                std::iter::once(group).chain(self.alias(at)).collect::<Vec<_>>().join("; ")
            }
            LinkChange::VlanFiltering(on) => format!("{set} type bridge vlan_filtering {}", switch(on)),
            LinkChange::Stp(on) => format!("{set} type bridge stp_state {}", switch(on)),
            LinkChange::Forward => {
                format!("{} link set dev {} state 3", self.bridge(&at.place), name(at))
            }
        }
    }

    fn nat(self, place: &Place, rules: &[crate::model::NatRule]) -> String {
        let scope = if *place == Place::Host && self.exact { Some(self.lab) } else { None };
        let statements = rules::statements(rules, scope, self.exact);
        format!("{}nft {}", self.exec(place), word(&statements.join("; ")))
    }
}

/// An interface's name where nothing else can stand.
fn name(at: &Endpoint) -> Cow<'_, str> {
    word(at.interface.as_str())
}

/// An interface's name where ip(8) takes keywords too.
fn dev(name: &str) -> Cow<'_, str> {
    after("dev", name)
}

/// The same of an interface that is to be made.
fn new(name: &str) -> Cow<'_, str> {
    after("name", name)
}

fn after<'a>(keyword: &str, name: &'a str) -> Cow<'a, str> {
    if is_no_keyword(name) { Cow::Borrowed(name) } else { format!("{keyword} {}", word(name)).into() }
}

fn kind_type(kind: &Kind) -> String {
    match kind {
        Kind::Bridge { vlan_filtering, stp } => format!(
            " type bridge{}{}",
            if *vlan_filtering { " vlan_filtering 1" } else { "" },
            if *stp { " stp_state 1" } else { "" }
        ),
        Kind::Vlan { id, .. } => format!(" type vlan id {id}"),
        Kind::Vxlan(vxlan) => vxlan_type(vxlan),
        Kind::Macvlan { mode, .. } => format!(" type macvlan mode {}", mode.as_str()),
        Kind::Dummy | Kind::Veth { .. } | Kind::Loopback => " type dummy".to_owned(),
    }
}

fn vxlan_type(vxlan: &Vxlan) -> String {
    let mut line = format!(" type vxlan id {}", vxlan.vni);
    if let Some(remote) = vxlan.remote {
        line.extend([if remote.is_multicast() { " group " } else { " remote " }, &remote.to_string()]);
    }
    line.extend(vxlan.local.map(|local| format!(" local {local}")));
    line.extend([" dstport ", &vxlan.port.to_string()]);
    line.extend(vxlan.dev.as_ref().map(|dev| format!(" dev {}", word(dev.as_str()))));
    if !vxlan.learning {
        line += " nolearning";
    }
    line
}

fn line(route: &Route) -> String {
    let to = if route.to.prefix_len() == 0 { "default".to_owned() } else { route.to.to_string() };
    let via = route.via.map(|via| format!(" via {via}")).unwrap_or_default();
    let metric = match (route.to.addr().is_ipv6(), route.metric) {
        (false, 0) | (true, 1024) => String::new(),
        (_, metric) => format!(" metric {metric}"),
    };
    format!("{to}{via} dev {}{metric}", word(route.dev.as_str()))
}
