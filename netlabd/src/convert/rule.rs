//! Rules of policy routing.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use netlab_proto::{range, v1 as proto};

use crate::model::{FwMark, IfName, RoutingRule, RuleAction};

use super::{draft::Site, selector};
use crate::input::{Path, Sink, shown};

/// Where rules begin whose priority nobody says.
const FIRST: u32 = 10_000;

/// The words for what a rule does.
const TYPES: [&str; 4] = ["unicast", "blackhole", "unreachable", "prohibit"];

/// A rule so far.
struct Draft {
    path: Path,
    /// Its place in the list.
    number: usize,
    priority: Option<u32>,
    from: Option<IpNet>,
    to: Option<IpNet>,
    iif: Option<IfName>,
    fwmark: Option<FwMark>,
    action: RuleAction,
}

/// Reads the rules of a node, in the order in which the kernel looks at them.
pub(super) fn read(site: &Site, messages: &[proto::Rule], sink: &mut Sink) -> Vec<RoutingRule> {
    let path = site.path.field("rules");
    let each = messages.iter().enumerate();
    let drafts: Vec<Draft> =
        each.filter_map(|(number, message)| draft(site, number, message, path.index(number), sink)).collect();
    let taken: BTreeSet<u32> = drafts.iter().filter_map(|draft| draft.priority).collect();
    let mut free = (FIRST..).filter(|priority| !taken.contains(priority));
    let mut rules = Vec::new();
    for draft in drafts {
        let Some(priority) = draft.priority.or_else(|| free.next()) else { continue };
        let of = |ipv6| {
            let Draft { from, to, iif, fwmark, action, .. } = &draft;
            let (from, to, iif) = (*from, *to, iif.clone());
            RoutingRule { ipv6, priority, from, to, iif, fwmark: *fwmark, action: *action }
        };
        // Without an address it is of both families.
        let families = match draft.from.or(draft.to) {
            Some(range) => vec![of(range.addr().is_ipv6())],
            None => vec![of(false), of(true)],
        };
        rules.extend(families.into_iter().map(|rule| (draft.number, draft.path.clone(), rule)));
    }
    rules.sort_by_key(|(number, _, rule)| (rule.ipv6, rule.priority, *number));
    check_order(&rules, sink);
    rules.into_iter().map(|(.., rule)| rule).collect()
}

fn draft(site: &Site, number: usize, message: &proto::Rule, path: Path, sink: &mut Sink) -> Option<Draft> {
    let action = read_action(message, &path, sink);
    let priority = message.priority.and_then(|it| read_priority(site, it, &path.field("priority"), sink));
    let from = selector::range(&message.from, &path.field("from"), sink);
    let to = selector::range(&message.to, &path.field("to"), sink);
    if let Some((from, to)) = from.zip(to)
        && from.addr().is_ipv6() != to.addr().is_ipv6()
    {
        let message = format!("{from} and {to} are of different families: such a rule can never match");
        sink.add(&path.field("to"), message);
        return None;
    }
    let at = path.field("iif");
    let iif = if message.iif.is_empty() { None } else { Some(site.reference(&message.iif, &at, sink)?) };
    let fwmark = read_mark(message, &path, sink);
    Some(Draft { path, number, priority, from, to, iif, fwmark, action: action? })
}

fn read_action(message: &proto::Rule, path: &Path, sink: &mut Sink) -> Option<RuleAction> {
    let at = path.field("table");
    let action = match message.r#type.as_str() {
        "" | "unicast" => {
            match message.table {
                None => {
                    let way_out =
                        "add table (where it looks for a route), or type: blackhole, unreachable or prohibit";
                    sink.add(path, format!("a rule does something with packets: {way_out}"));
                }
                Some(0) => sink.add(&at, "0 is no routing table: 1 to 4,294,967,295; the main table is 254"),
                Some(table) => return Some(RuleAction::Lookup(table)),
            }
            return None;
        }
        "blackhole" => RuleAction::Blackhole,
        "unreachable" => RuleAction::Unreachable,
        "prohibit" => RuleAction::Prohibit,
        text => {
            let near = sink.suggest(text, TYPES.into_iter());
            let all = "unicast, blackhole, unreachable or prohibit";
            sink.add(&path.field("type"), format!("{} is no type of rule: {all}{near}", shown(text)));
            return None;
        }
    };
    if message.table.is_some() {
        let kind = &message.r#type;
        sink.add(&at, format!("type: {kind} looks in no table; leave out one of the two"));
    }
    Some(action)
}

/// The kernel's own rules are in every namespace: for the tables local, main and default.
fn read_priority(site: &Site, priority: u32, path: &Path, sink: &mut Sink) -> Option<u32> {
    let table = match priority {
        0 => "local",
        32_766 => "main",
        32_767 => "default",
        RoutingRule::VRF_PRIORITY if site.has_vrfs() => {
            let message =
                format!("{priority} is the priority of the kernel's own rule for VRFs; choose another");
            sink.add(path, message);
            return None;
        }
        _ => return Some(priority),
    };
    let message =
        format!("{priority} is the priority of the kernel's own rule for the table {table}; choose another");
    sink.add(path, message);
    None
}

fn read_mark(message: &proto::Rule, path: &Path, sink: &mut Sink) -> Option<FwMark> {
    let (value, mask) = match (message.fwmark, message.fwmask) {
        (None, None) => return None,
        (None, Some(_)) => {
            sink.add(&path.field("fwmask"), "says which bits of fwmark count; add fwmark, or leave it out");
            return None;
        }
        (Some(value), mask) => (value, mask.unwrap_or(u32::MAX)),
    };
    if !range::FWMASK.contains(&mask) {
        sink.add(&path.field("fwmask"), "0 compares no bit; leave out fwmark and fwmask");
        return None;
    }
    if value & !mask != 0 {
        let message = format!(
            "{value:#x} has bits that fwmask {mask:#x} has not: such a rule can never match; widen fwmask"
        );
        sink.add(&path.field("fwmark"), message);
        return None;
    }
    Some(FwMark { value, mask })
}

/// No two with one priority, whose order would be chance, and none behind one that takes all of its packets.
fn check_order(rules: &[(usize, Path, RoutingRule)], sink: &mut Sink) {
    let mut told = BTreeSet::new();
    let mut by_priority: BTreeMap<(bool, u32), usize> = BTreeMap::new();
    let mut last: Vec<(usize, &RoutingRule)> = Vec::new();
    for (number, path, rule) in rules {
        let first = *by_priority.entry((rule.ipv6, rule.priority)).or_insert(*number);
        if first != *number && told.insert(*number) {
            let message =
                format!("rules[{first}] has priority {} already; give one of them another", rule.priority);
            sink.add(path, message);
        }
        let before = last.iter().find(|(_, before)| before.covers(rule));
        if let Some((first, before)) = before.filter(|_| told.insert(*number)) {
            let message = format!(
                "can never match: rules[{first}], which is evaluated before it, takes all of its packets ({before})"
            );
            sink.add(path, message);
        }
        if !matches!(rule.action, RuleAction::Lookup(_)) {
            last.push((*number, rule));
        }
    }
}
