//! The line that does an operation by hand.

use crate::model::{Endpoint, IfName, Kind, LINK_GROUP, LabName, NatRule, Place, Route, Vxlan};

use super::{LinkChange, Op, VethEnd};

/// The `ip`, `bridge`, `sysctl` or `nft` line that does the same as `op` in a lab, for root on the
/// lab's host. Lines joined by `; ` belong together.
pub fn command(lab: &LabName, op: &Op) -> String {
    let hand = Hand { lab };
    match op {
        Op::AddNode(node) => format!("ip netns add {lab}.{node}"),
        Op::DeleteNode(node) => format!("ip netns delete {lab}.{node}"),
        Op::PinNode(node) => format!("ip netns attach {lab}.{node} PID"),
        Op::AddVeth { a, b } => hand.veth(a, b),
        Op::AddLink { at, kind, mac, mtu } => hand.link(at, kind, mac.map(|m| m.to_string()), *mtu),
        Op::DeleteLink(spot) => format!("{} link delete {}", hand.ip(&spot.place), spot.name),
        Op::Rename { from, to } => format!("{} link set {} name {to}", hand.ip(&from.place), from.name),
        Op::SetLink { at, change } => hand.change(at, change),
        Op::AddVlan { at, vlan, flags, on_bridge } => {
            let itself = if *on_bridge { " self" } else { "" };
            format!("{} vlan add vid {vlan} dev {}{flags}{itself}", hand.bridge(&at.place), at.interface)
        }
        Op::DeleteVlan { at, vlan, on_bridge } => {
            let itself = if *on_bridge { " self" } else { "" };
            format!("{} vlan del vid {vlan} dev {}{itself}", hand.bridge(&at.place), at.interface)
        }
        Op::AddAddress { at, address } => {
            let nodad = if address.addr().is_ipv6() { " nodad" } else { "" };
            format!("{} address add {address} dev {}{nodad}", hand.ip(&at.place), at.interface)
        }
        Op::DeleteAddress { at, address } => {
            format!("{} address delete {address} dev {}", hand.ip(&at.place), at.interface)
        }
        Op::AddRoute { place, route } => {
            format!("{} route replace {}", hand.ip_for(place, route), line(route))
        }
        Op::DeleteRoute { place, route } => {
            format!("{} route delete {}", hand.ip_for(place, route), line(route))
        }
        Op::SetSysctl { place, key, value } => {
            let value =
                if value.contains(char::is_whitespace) { format!("'{value}'") } else { value.clone() };
            format!("{}sysctl -w {key}={value}", hand.exec(place))
        }
        Op::SetNat { place, rules } => hand.nat(place, rules),
    }
}

/// Where and how the lines of one lab are typed.
struct Hand<'a> {
    lab: &'a LabName,
}

impl Hand<'_> {
    fn ip(&self, place: &Place) -> String {
        self.tool("ip", place)
    }

    fn bridge(&self, place: &Place) -> String {
        self.tool("bridge", place)
    }

    fn tool(&self, tool: &str, place: &Place) -> String {
        match place {
            Place::Host => tool.to_owned(),
            Place::Node(node) => format!("{tool} -n {}.{node}", self.lab),
        }
    }

    fn ip_for(&self, place: &Place, route: &Route) -> String {
        let ip = self.ip(place);
        if route.to.addr().is_ipv6() { ip.replacen("ip", "ip -6", 1) } else { ip }
    }

    fn exec(&self, place: &Place) -> String {
        match place {
            Place::Host => String::new(),
            Place::Node(node) => format!("ip netns exec {}.{node} ", self.lab),
        }
    }

    fn netns(&self, place: &Place) -> String {
        match place {
            Place::Host => String::new(),
            Place::Node(node) => format!(" netns {}.{node}", self.lab),
        }
    }

    fn veth(&self, a: &VethEnd, b: &VethEnd) -> String {
        let end = |end: &VethEnd| {
            let mac = end.mac.map(|mac| format!(" address {mac}")).unwrap_or_default();
            let mtu = end.mtu.map(|mtu| format!(" mtu {mtu}")).unwrap_or_default();
            format!("{}{}{mac}{mtu}", end.at.interface, self.netns(&end.at.place))
        };
        format!("ip link add {} type veth peer name {}", end(a), end(b))
    }

    fn link(&self, at: &Endpoint, kind: &Kind, mac: Option<String>, mtu: Option<u32>) -> String {
        let mut line = match kind {
            Kind::Macvlan { parent, .. } => {
                format!("ip link add {} link {parent}{}", at.interface, self.netns(&at.place))
            }
            Kind::Vlan { parent, .. } => {
                format!("{} link add {} link {parent}", self.ip(&at.place), at.interface)
            }
            _ => format!("{} link add {}", self.ip(&at.place), at.interface),
        };
        line.extend(mac.map(|mac| format!(" address {mac}")));
        line.extend(mtu.map(|mtu| format!(" mtu {mtu}")));
        line + &match kind {
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

    fn change(&self, at: &Endpoint, change: &LinkChange) -> String {
        let set = format!("{} link set {}", self.ip(&at.place), at.interface);
        let switch = |on: &bool| u8::from(*on);
        match change {
            LinkChange::Up(true) => format!("{set} up"),
            LinkChange::Up(false) => format!("{set} down"),
            LinkChange::Mtu(mtu) => format!("{set} mtu {mtu}"),
            LinkChange::Mac(mac) => format!("{set} address {mac}"),
            LinkChange::Master(Some(bridge)) => format!("{set} master {bridge}"),
            LinkChange::Master(None) => format!("{set} nomaster"),
            LinkChange::Mark => format!("{set} group {LINK_GROUP}"),
            LinkChange::VlanFiltering(on) => format!("{set} type bridge vlan_filtering {}", switch(on)),
            LinkChange::Stp(on) => format!("{set} type bridge stp_state {}", switch(on)),
        }
    }

    fn nat(&self, place: &Place, rules: &[NatRule]) -> String {
        let exec = self.exec(place);
        if rules.is_empty() {
            return format!("{exec}nft delete table inet netlab");
        }
        let chain = |hook: &str, priority: &str| {
            format!("add chain inet netlab {hook} {{ type nat hook {hook} priority {priority}; }}")
        };
        let mut lines = vec![
            "add table inet netlab".to_owned(),
            chain("prerouting", "dstnat"),
            chain("postrouting", "srcnat"),
        ];
        lines.extend(rules.iter().map(nft_rule));
        format!("{exec}nft '{}'", lines.join("; "))
    }
}

fn vxlan_type(vxlan: &Vxlan) -> String {
    let mut line = format!(" type vxlan id {}", vxlan.vni);
    if let Some(remote) = vxlan.remote {
        line.extend([if remote.is_multicast() { " group " } else { " remote " }, &remote.to_string()]);
    }
    line.extend(vxlan.local.map(|local| format!(" local {local}")));
    line.extend([" dstport ", &vxlan.port.to_string()]);
    line.extend(vxlan.dev.as_ref().map(|dev| format!(" dev {dev}")));
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
    format!("{to}{via} dev {}{metric}", route.dev)
}

fn nft_rule(rule: &NatRule) -> String {
    let family = |ipv6: bool| if ipv6 { "ip6" } else { "ip" };
    let interface = |word: &str, name: &Option<IfName>| {
        name.as_ref().map(|name| format!(" {word} \"{name}\"")).unwrap_or_default()
    };
    match rule {
        NatRule::Masquerade(rule) => {
            let source =
                rule.source.map(|s| format!(" {} saddr {s}", family(s.addr().is_ipv6()))).unwrap_or_default();
            let out = interface("oifname", &rule.out_interface);
            format!("add rule inet netlab postrouting{source}{out} counter masquerade")
        }
        NatRule::PortForward(rule) => {
            let input = match &rule.in_interface {
                Some(_) => interface("iifname", &rule.in_interface),
                None => " fib daddr type local".to_owned(),
            };
            let family = family(rule.to.is_ipv6());
            let (protocol, port) = (rule.protocol.as_str(), rule.port);
            let to = rule.to;
            format!(
                "add rule inet netlab prerouting{input} {protocol} dport {port} counter dnat {family} to {to}"
            )
        }
    }
}
