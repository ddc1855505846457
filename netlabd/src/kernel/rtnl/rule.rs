//! Rules of policy routing as messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::RouteProtocol,
    rule::{RuleAction, RuleAttribute, RuleMessage},
};

use super::{RouteSocket, observe::Dump, socket::Request};
use crate::{
    model::{self, FwMark, RoutingRule, observed::RuleState},
    plan::Verb,
};

/// What makes a rule, or takes it away.
pub(super) fn encode(verb: Verb, rule: &RoutingRule) -> Request {
    let message = message(rule);
    match verb {
        Verb::Add | Verb::Set => (RouteNetlinkMessage::NewRule(message), NLM_F_CREATE | NLM_F_EXCL),
        Verb::Delete => (RouteNetlinkMessage::DelRule(message), 0),
    }
}

fn message(rule: &RoutingRule) -> RuleMessage {
    let mut message = RuleMessage::default();
    let header = &mut message.header;
    header.family = if rule.ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    header.src_len = rule.from.map_or(0, |from| from.prefix_len());
    header.dst_len = rule.to.map_or(0, |to| to.prefix_len());
    let mut attributes = vec![
        RuleAttribute::Priority(rule.priority),
        RuleAttribute::Protocol(RouteProtocol::from(rule.protocol())),
    ];
    header.action = match rule.action {
        model::RuleAction::Lookup(table) => {
            attributes.push(RuleAttribute::Table(table));
            RuleAction::ToTable
        }
        model::RuleAction::L3mdev => {
            attributes.push(RuleAttribute::L3MDev(true));
            RuleAction::ToTable
        }
        model::RuleAction::Blackhole => RuleAction::Blackhole,
        model::RuleAction::Unreachable => RuleAction::Unreachable,
        model::RuleAction::Prohibit => RuleAction::Prohibit,
    };
    attributes.extend(rule.from.map(|from| RuleAttribute::Source(from.network())));
    attributes.extend(rule.to.map(|to| RuleAttribute::Destination(to.network())));
    attributes.extend(rule.iif.as_ref().map(|iif| RuleAttribute::Iifname(iif.to_string())));
    if let Some(FwMark { value, mask }) = rule.fwmark {
        attributes.extend([RuleAttribute::FwMark(value), RuleAttribute::FwMask(mask)]);
    }
    message.attributes = attributes;
    message
}

/// The rules of all families, save the kernel's own, but with that for VRFs.
pub(in crate::kernel) fn rules(socket: &mut RouteSocket) -> Dump<Vec<RuleState>> {
    let found = socket.dump(&RouteNetlinkMessage::GetRule(RuleMessage::default()))?;
    let rule = |message| match message {
        RouteNetlinkMessage::NewRule(message) => state(&message),
        _ => None,
    };
    Ok(found.map(|messages| messages.into_iter().filter_map(rule).collect()))
}

/// `None`: the kernel's own, or none of IP's.
fn state(message: &RuleMessage) -> Option<RuleState> {
    let header = &message.header;
    let ipv6 = match header.family {
        AddressFamily::Inet => false,
        AddressFamily::Inet6 => true,
        _ => return None,
    };
    let any: IpAddr = if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let range = |length| if length == 0 { None } else { IpNet::new(any, length).ok() };
    let (mut table, mut fwmark) = (u32::from(header.table), FwMark { value: 0, mask: 0 });
    let (mut from, mut to, mut iif, mut priority) = (range(header.src_len), range(header.dst_len), None, 0);
    let (mut l3mdev, mut plain, mut protocol) =
        (false, header.tos == 0 && header.flags.bits() & !DETACHED == 0, 0);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Source(address) => from = IpNet::new(*address, header.src_len).ok(),
            RuleAttribute::Destination(address) => to = IpNet::new(*address, header.dst_len).ok(),
            RuleAttribute::Iifname(name) => iif = Some(name.parse().ok()?),
            RuleAttribute::Priority(number) => priority = *number,
            RuleAttribute::FwMark(bits) => fwmark.value = *bits,
            RuleAttribute::FwMask(bits) => fwmark.mask = *bits,
            RuleAttribute::Table(number) => table = *number,
            RuleAttribute::Protocol(by) => protocol = u8::from(*by),
            RuleAttribute::L3MDev(is_set) => l3mdev = *is_set,
            RuleAttribute::SuppressPrefixLen(u32::MAX) => {}
            _ => plain = false,
        }
    }
    let action = match header.action {
        RuleAction::ToTable if l3mdev => model::RuleAction::L3mdev,
        RuleAction::ToTable => model::RuleAction::Lookup(table),
        RuleAction::Blackhole => model::RuleAction::Blackhole,
        RuleAction::Unreachable => model::RuleAction::Unreachable,
        RuleAction::Prohibit => model::RuleAction::Prohibit,
        // It looks for no route.
        _ => {
            plain = false;
            model::RuleAction::Lookup(0)
        }
    };
    let fwmark = Some(fwmark).filter(|fwmark| fwmark.mask != 0);
    let rule = RoutingRule { ipv6, priority, from, to, iif, fwmark, action };
    let wanted = protocol != libc::RTPROT_KERNEL || rule == RoutingRule::of_vrfs(ipv6);
    wanted.then_some(RuleState { rule, plain, protocol })
}

/// The interface that a rule names is not there now (`FIB_RULE_IIF_DETACHED`), and what else says how the kernel fares
/// with a rule, not what it is: `FIB_RULE_PERMANENT`, `FIB_RULE_OIF_DETACHED`, `FIB_RULE_UNRESOLVED`.
const DETACHED: u32 = 0x1 | 0x4 | 0x8 | 0x10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RuleAction as Action;

    fn rule(ipv6: bool, action: Action) -> RoutingRule {
        RoutingRule { ipv6, priority: 7, from: None, to: None, iif: None, fwmark: None, action }
    }

    #[test]
    fn rules_are_read_as_they_were_made() {
        let range = |text: &str| Some(text.parse().unwrap());
        let fwmark = Some(FwMark { value: 0, mask: 0xff });
        let all = [
            rule(false, Action::Lookup(254)),
            rule(true, Action::Lookup(4_000_000_000)),
            RoutingRule::of_vrfs(false),
            RoutingRule::of_vrfs(true),
            RoutingRule { from: range("192.0.2.0/24"), fwmark, ..rule(false, Action::Prohibit) },
            RoutingRule { to: range("2001:db8::/32"), ..rule(true, Action::Blackhole) },
            RoutingRule { iif: Some("eth0".parse().unwrap()), ..rule(true, Action::Unreachable) },
        ];
        for rule in all {
            let mut message = message(&rule);
            // What the kernel adds.
            message.attributes.push(RuleAttribute::SuppressPrefixLen(u32::MAX));
            let protocol = rule.protocol();
            let expected = RuleState { rule, plain: true, protocol };
            assert_eq!(state(&message), Some(expected));
        }
    }

    #[test]
    fn what_the_file_has_no_words_for_is_told_apart_and_the_kernels_own_left_out() {
        let plain = message(&rule(false, Action::Lookup(100)));
        let with = |attribute| {
            let mut message = plain.clone();
            message.attributes.push(attribute);
            state(&message)
        };
        assert!(!with(RuleAttribute::SuppressPrefixLen(0)).unwrap().plain);
        assert!(!with(RuleAttribute::Oifname("eth0".into())).unwrap().plain);
        assert_eq!(with(RuleAttribute::Protocol(RouteProtocol::Kernel)), None);
    }
}
