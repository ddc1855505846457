//! What lets a lab's traffic through, in the words of the program that made the rule.

use std::collections::BTreeSet;

use super::{
    flow::{Flow, Purpose},
    walk::{BRIDGE, Culprit, INET, IPV4, IPV6, NETDEV},
};
use crate::{
    model::ruleset::Ruleset,
    shell::{is_no_keyword, nft_name, word},
};

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
    // To iptables a plus at the end stands for any end, and a `!` is a word of its own.
    let literal = sides.iter().all(|(_, name)| !name.ends_with('+') && !name.starts_with('!'));
    if of_docker {
        if literal {
            return iptables(culprit, "DOCKER-USER", &sides);
        }
        return sides.iter().map(|(side, name)| nft(culprit, "DOCKER-USER", *side, name)).collect();
    }
    let built_in = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
    if literal && matches!(culprit.table.family, IPV4 | IPV6) && built_in.contains(&culprit.base.as_str()) {
        return iptables(culprit, &culprit.base, &sides);
    }
    sides.iter().map(|(side, name)| nft(culprit, &culprit.base, *side, name)).collect()
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
    let command =
        |name: &&str| format!("firewall-cmd --zone=trusted {}", word(&format!("--add-interface={name}")));
    names.iter().map(command).collect()
}

fn ufw(side: Side, name: &str, forwards: bool) -> String {
    let route = if forwards { "route " } else { "" };
    let side = if side == Side::In { "in" } else { "out" };
    format!("ufw {route}allow {side} on {}", word(name))
}

fn iptables(culprit: &Culprit, chain: &str, sides: &BTreeSet<(Side, &str)>) -> Vec<String> {
    let program = if culprit.table.family == IPV6 { "ip6tables" } else { "iptables" };
    let table = &culprit.table.name;
    let table = if table == "filter" { String::new() } else { format!(" -t {}", word(table)) };
    sides
        .iter()
        .map(|(side, name)| {
            let side = if *side == Side::In { "-i" } else { "-o" };
            format!("{program}{table} -I {} {side} {} -j ACCEPT", word(chain), word(name))
        })
        .collect()
}

fn nft(culprit: &Culprit, chain: &str, side: Side, name: &str) -> String {
    let side = if side == Side::In { "iifname" } else { "oifname" };
    let name = if is_no_keyword(name) { name.to_owned() } else { nft_name(name) };
    let (family, table) = (family(culprit.table.family), word(&culprit.table.name));
    format!("nft insert rule {family} {table} {} {side} {} accept", word(chain), word(&name))
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::{
        firewall::flow::HostInterface,
        model::ruleset::{Chain, TableId},
    };

    /// What is said to let an interface of that name through, where a chain of this family drops.
    fn said(name: &str, family: u8, table: &str, chains: &[&str]) -> String {
        let table = TableId { family, name: table.to_owned() };
        let mut ruleset = Ruleset::default();
        for chain in chains {
            let chain = (table.clone(), (*chain).to_owned());
            ruleset.chains.insert(chain, Chain { base: None, rules: Vec::new() });
        }
        let base = chains.first().copied().unwrap_or("forward").to_owned();
        let culprit = Culprit { table, base: base.clone(), chain: base, rule: None };
        let from = Some(HostInterface { name: name.to_owned(), index: None });
        let (source, destination, protocol, port) = (None, None, None, None);
        let flow =
            Flow { purpose: Purpose::Out, ipv6: false, from, to: None, source, destination, protocol, port };
        commands(&ruleset, &culprit, &[&flow]).join(" && ")
    }

    #[test]
    fn nothing_in_a_name_is_run() {
        let grounds: [(u8, &str, &[&str]); 5] = [
            (IPV4, "filter", &["FORWARD", "DOCKER-USER"]),
            (IPV4, "filter", &["FORWARD", "ufw-before-forward"]),
            (IPV6, "mangle", &["FORWARD"]),
            (INET, "firewalld", &["filter_FORWARD"]),
            (INET, "x;id>&2", &["$(id>&2)"]),
        ];
        for name in [";id>&2;", "$(id>&2)", "`id`", "a'b", "-j", "e+", "!a", "up", "a\"b", "lab0"] {
            for (family, table, chains) in grounds {
                let text = said(name, family, table, chains);
                // Each program prints its words, one a line.
                let tools = "p() { for w; do printf '%s\\n' \"$w\"; done; }; \
                    nft() { p \"$@\"; }; iptables() { p \"$@\"; }; ip6tables() { p \"$@\"; }; ufw() { p \"$@\"; }";
                let text = text.replace("firewall-cmd", "p");
                let ran = Command::new("sh").args(["-c", &format!("{tools}; {text}")]).output().unwrap();
                let words = String::from_utf8_lossy(&ran.stdout);
                assert!(ran.stderr.is_empty(), "{text}: {}", String::from_utf8_lossy(&ran.stderr));
                let in_rule = format!("\"{name}\"");
                let option = format!("--add-interface={name}");
                let named = words.lines().any(|word| word == name || word == in_rule || word == option);
                assert!(named, "{text}:\n{words}");
                // A program's own wildcards are not used.
                assert!(
                    !name.contains(['+', '!']) || text.starts_with("nft") || !text.contains("iptables"),
                    "{text}"
                );
            }
        }
        assert_eq!(
            said("lab0", INET, "fw", &["forward"]),
            "nft insert rule inet fw forward iifname lab0 accept"
        );
    }
}
