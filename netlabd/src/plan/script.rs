//! The lines that build a lab by hand, as one would type and note them.

use super::{
    Op, Target,
    command::Hand,
    hand::from_nothing,
    item::{Item, Link, Sysctl, Veth},
    sysctls::is_forwarding,
};
use crate::model::{ETHERNET_MTU, Endpoint, Lab, Place};

/// What is done on a host with an end of the lab, and nobody types.
const APART: &str =
    "host: netlabd also keeps it and other labs apart from this lab; show-commands --exact prints how";

/// Lines that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they do, in words, on one line.
    pub comment: String,
    /// The lines, none where the comment is all; one may be several where nft(8) reads the rules from them.
    pub commands: Vec<String>,
}

/// What builds a lab where nothing of it is there, without what the kernel does by itself, without the marks
/// by which netlabd knows what is its own, and without what it protects the host by: a last comment names that.
pub fn by_hand(lab: &Lab) -> Vec<Group> {
    let hand = Hand { lab: &lab.name, exact: false };
    let mut groups: Vec<Group> = Vec::new();
    let plan = from_nothing(lab, &Target::new(lab, lab.name.as_str()));
    for op in plan.ops().filter_map(|op| plain(lab, op)) {
        let (comment, line) = (op.item.get().comment(), line(hand, &op));
        match groups.last_mut().filter(|group| group.comment == comment) {
            Some(group) => group.commands.push(line),
            None => groups.push(Group { comment, commands: vec![line] }),
        }
    }
    if plan.ops().any(|op| matches!(op.item, Item::Guard(_))) {
        groups.push(Group { comment: APART.to_owned(), commands: Vec::new() });
    }
    groups
}

/// An operation without what goes without saying; `None` if all of it does.
fn plain(lab: &Lab, op: &Op) -> Option<Op> {
    let said = |at: &Endpoint| {
        lab.interfaces(&at.place).and_then(|all| all.get(&at.interface)).is_some_and(|it| it.mtu.is_some())
    };
    let mut op = op.clone();
    match &mut op.item {
        Item::Veth(Veth { a, b }) => {
            for end in [a, b] {
                end.mtu = end.mtu.filter(|mtu| said(&end.at) || *mtu != ETHERNET_MTU);
            }
        }
        Item::Link(Link { at, kind, mtu, .. }) => {
            // The others take over that of what they stand on.
            let own = kind.lower().is_none();
            let usual = kind.mtu(None, None).unwrap_or(ETHERNET_MTU);
            *mtu = mtu.filter(|mtu| said(at) || own && *mtu != usual);
        }
        // A new namespace forwards nothing.
        Item::Sysctl(Sysctl { place: Place::Node(_), key, value }) if value == "0" && is_forwarding(key) => {
            return None;
        }
        Item::Guard(_) => return None,
        // What the file does not say keeps the host apart.
        Item::Sysctl(Sysctl { place: Place::Host, key, .. })
            if !is_forwarding(key) && !lab.host.sysctls.contains_key(key) =>
        {
            return None;
        }
        _ => {}
    }
    Some(op)
}

fn line(hand: Hand<'_>, op: &Op) -> String {
    match &op.item {
        Item::Nat(nat) => nat.noted(hand),
        Item::Firewall(firewall) => firewall.noted(hand),
        _ => hand.line(op),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert;

    fn text_of(lab: &str) -> String {
        let lab = convert::lab(&serde_json::from_str(lab).unwrap()).unwrap();
        let text = |group: &Group| {
            let lines = group.commands.iter().map(|line| format!("{line}\n"));
            format!("# {}\n{}", group.comment, lines.collect::<String>())
        };
        by_hand(&lab).iter().map(text).collect()
    }

    #[test]
    fn what_keeps_the_host_apart_is_named_and_not_typed() {
        let text = text_of(
            r#"{"name":"l","nodes":{"a":{"interfaces":{"e":{}}}},
            "host":{"forwarding":true,"interfaces":{"lab0":{"addresses":["192.0.2.254/24"]}},
                "sysctls":{"net.ipv4.conf.lab0.accept_redirects":"0","net.ipv4.conf.lab0.rp_filter":"1"}},
            "links":[{"endpoints":["a:e","host:lab0"]}]}"#,
        );
        let expected = format!(
            "\
# A network namespace for each node
ip netns add l.a
# host: forward packets between interfaces
sysctl -w net.ipv4.ip_forward=1
# Links: a pair of veth interfaces each, with both ends in place
ip link add lab0 type veth peer name e netns l.a
# host: kernel settings
sysctl -w net.ipv4.conf.lab0.accept_redirects=0
sysctl -w net.ipv4.conf.lab0.rp_filter=1
# host: interfaces up
ip link set lab0 up
# host: addresses
ip address add 192.0.2.254/24 dev lab0
# a: interfaces up
ip -n l.a link set dev e up
ip -n l.a link set lo up
# {APART}
"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn nothing_is_typed_that_goes_without_saying() {
        let text = text_of(
            r#"{"name":"l","nodes":{
            "a":{"interfaces":{"e":{"addresses":["192.0.2.1/24","2001:db8::1/64"]}},
                 "routes":[{"to":"default","via":"192.0.2.2"}]},
            "r":{"forwarding":true,"interfaces":{"e":{"addresses":["192.0.2.2/24"]}},
                 "nat":{"masquerade":[{"source":"192.0.2.0/24"}]}}},
            "links":[{"endpoints":["a:e","r:e"]}]}"#,
        );
        let expected = "\
# A network namespace for each node
ip netns add l.a
ip netns add l.r
# Links: a pair of veth interfaces each, with both ends in place
ip link add name e netns l.a type veth peer name e netns l.r
# a: interfaces up
ip -n l.a link set dev e up
ip -n l.a link set lo up
# a: addresses
ip -n l.a address add 192.0.2.1/24 dev e
ip -n l.a address add 2001:db8::1/64 dev e
# a: routes
ip -n l.a route add default via 192.0.2.2 dev e
# r: forward packets between interfaces
ip netns exec l.r sysctl -w net.ipv4.ip_forward=1
ip netns exec l.r sysctl -w net.ipv6.conf.all.forwarding=1
# r: interfaces up
ip -n l.r link set dev e up
ip -n l.r link set lo up
# r: addresses
ip -n l.r address add 192.0.2.2/24 dev e
# r: translate addresses (NAT)
ip netns exec l.r nft -f - <<'EOF'
table inet netlab {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr 192.0.2.0/24 masquerade
  }
}
EOF
";
        assert_eq!(text, expected);
    }
}
