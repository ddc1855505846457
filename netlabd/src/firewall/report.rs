//! What there is to tell of a host's firewall.

use std::collections::BTreeMap;

use super::{
    advice,
    flow::Flow,
    walk::{self, Culprit, Dropped},
};
use crate::platform::Firewall;

/// Most rules that are named.
const NAMED: usize = 4;

/// How the host's firewall stands towards a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirewallReport {
    /// Nothing of it drops what the lab needs.
    Open,
    /// It drops something: which rule, what, and how to let it through.
    Drops(String),
    /// The host sends elsewhere what is for the lab, or may: by which route.
    Contested(String),
    /// The host listens itself on a port that the lab publishes: what is reached there no more.
    Shadows(String),
    /// The host takes ICMP redirects of the lab: why, and how to end that.
    Steers(String),
    /// It cannot be told: why, and where to look.
    Unknown(String),
}

/// Judges the flows of a lab.
pub fn judge(firewall: &Firewall, flows: &[Flow]) -> FirewallReport {
    let mut found: BTreeMap<Culprit, (Dropped, Vec<&Flow>)> = BTreeMap::new();
    for flow in flows {
        // What comes first decides; mending that shows the next.
        for dropped in walk::dropped(&firewall.ruleset, flow) {
            let entry = found.entry(dropped.by.clone()).or_insert_with(|| (dropped, Vec::new()));
            entry.1.push(flow);
        }
    }
    let (certain, unsure): (Vec<_>, Vec<_>) =
        found.values().partition(|(dropped, _)| dropped.unsure.is_none());
    let words = |all: &[&(Dropped, Vec<&Flow>)]| {
        let mut words: Vec<String> =
            all.iter().take(NAMED).map(|(dropped, flows)| one(firewall, dropped, flows)).collect();
        if all.len() > NAMED {
            words.push(format!("{} more rules drop something", all.len() - NAMED));
        }
        words
    };
    let mut unknown = words(&unsure);
    unknown.extend(legacy(&firewall.legacy));
    if certain.is_empty() && unknown.is_empty() {
        return FirewallReport::Open;
    }
    let mut all = words(&certain);
    all.extend(unknown);
    let text = all.join(". ");
    if certain.is_empty() { FirewallReport::Unknown(text) } else { FirewallReport::Drops(text) }
}

fn one(firewall: &Firewall, dropped: &Dropped, flows: &[&Flow]) -> String {
    let Culprit { table, chain, rule, .. } = &dropped.by;
    let place = format!("of chain {chain} in table {} {}", advice::family(table.family), table.name);
    let culprit = match rule {
        Some((handle, text)) => format!("rule {handle} `{text}` {place}"),
        None => format!("the policy (drop) {place}"),
    };
    let mut what: Vec<String> = flows.iter().map(|flow| flow.words()).collect();
    what.dedup();
    let except = dropped.except.iter().map(|rule| format!(", save what {rule} lets pass"));
    let unsure = dropped.unsure.iter().map(|rule| format!(", unless {rule} lets it pass"));
    let except: String = except.chain(unsure).collect();
    let commands = advice::commands(&firewall.ruleset, &dropped.by, flows);
    format!("{culprit} drops {}{except}; let it through with: {}", what.join(" and "), commands.join(" && "))
}

/// What cannot be read: rules of the old iptables.
fn legacy(tables: &[String]) -> Option<String> {
    (!tables.is_empty()).then(|| {
        format!(
            "the host has tables of the old iptables ({}), which cannot be looked into from here: see \
             iptables-legacy-save and ip6tables-legacy-save for what drops the lab's traffic",
            tables.join(", ")
        )
    })
}
