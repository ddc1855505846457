//! What lets a lab's traffic through, in the words of the program that made the rule.

use std::collections::BTreeSet;

use super::{
    flow::{Flow, Purpose},
    walk::{BRIDGE, Culprit, INET, IPV4, IPV6, NETDEV},
};
use crate::model::ruleset::Ruleset;

/// Which side of a packet names the lab's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    In,
    Out,
}

/// The commands that let flows through which one culprit drops.
pub(super) fn commands(ruleset: &Ruleset, culprit: &Culprit, flows: &[&Flow]) -> Vec<String> {
    let sides: BTreeSet<(Side, &str)> = flows.iter().filter_map(|flow| side(flow)).collect();
    let has = |chain: &str| ruleset.chains.contains_key(&(culprit.table.clone(), chain.to_owned()));
    let forwards = flows.iter().all(|flow| !matches!(flow.purpose, Purpose::ToHost | Purpose::FromHost));
    let is_ufw = |name: &str| name.starts_with("ufw-") || name.starts_with("ufw6-");
    let ufw = has("ufw-before-forward") || has("ufw6-before-forward");
    let of_docker = forwards && has("DOCKER-USER");
    if culprit.table.name == "firewalld" {
        return firewalld(&sides);
    }
    if ufw && (is_ufw(&culprit.chain) || !of_docker) {
        return sides.iter().map(|(side, name)| self::ufw(*side, name, forwards)).collect();
    }
    if of_docker {
        return iptables(culprit, "DOCKER-USER", &sides);
    }
    let built_in = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
    if matches!(culprit.table.family, IPV4 | IPV6) && built_in.contains(&culprit.base.as_str()) {
        return iptables(culprit, &culprit.base, &sides);
    }
    sides.iter().map(|(side, name)| nft(culprit, *side, name)).collect()
}

fn side(flow: &Flow) -> Option<(Side, &str)> {
    match flow.purpose {
        Purpose::Back | Purpose::PortForward | Purpose::FromHost => {
            flow.to.as_ref().map(|to| (Side::Out, to.name.as_str()))
        }
        _ => flow.from.as_ref().map(|from| (Side::In, from.name.as_str())),
    }
}

/// An interface in zone `trusted` may send anywhere, and anything may be answered.
fn firewalld(sides: &BTreeSet<(Side, &str)>) -> Vec<String> {
    let names: BTreeSet<&str> = sides.iter().map(|(_, name)| *name).collect();
    let command = |name: &&str| format!("firewall-cmd --zone=trusted --add-interface={name}");
    names.iter().map(command).collect()
}

fn ufw(side: Side, name: &str, forwards: bool) -> String {
    let route = if forwards { "route " } else { "" };
    let side = if side == Side::In { "in" } else { "out" };
    format!("ufw {route}allow {side} on {name}")
}

fn iptables(culprit: &Culprit, chain: &str, sides: &BTreeSet<(Side, &str)>) -> Vec<String> {
    let program = if culprit.table.family == IPV6 { "ip6tables" } else { "iptables" };
    let table = &culprit.table.name;
    let table = if table == "filter" { String::new() } else { format!(" -t {table}") };
    sides
        .iter()
        .map(|(side, name)| {
            let side = if *side == Side::In { "-i" } else { "-o" };
            format!("{program}{table} -I {chain} {side} {name} -j ACCEPT")
        })
        .collect()
}

fn nft(culprit: &Culprit, side: Side, name: &str) -> String {
    let side = if side == Side::In { "iifname" } else { "oifname" };
    format!(
        "nft insert rule {} {} {} {side} {name} accept",
        family(culprit.table.family),
        culprit.table.name,
        culprit.base
    )
}

/// The family in nft's words.
pub(super) fn family(family: u8) -> &'static str {
    match family {
        INET => "inet",
        IPV4 => "ip",
        IPV6 => "ip6",
        BRIDGE => "bridge",
        NETDEV => "netdev",
        _ => "?",
    }
}
