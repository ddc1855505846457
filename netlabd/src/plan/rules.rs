//! Rules of NAT in the words of nft(8).

use crate::{
    model::{IfName, LabName, Masquerade, NatRule, PortForward},
    shell::nft_name,
};

/// The statements that make the table's chains hold exactly these rules; none take the chains away. `lab`: on
/// the host, where each lab has chains of its own. `exact`: with all that netlabd's rules have.
pub(super) fn statements(rules: &[NatRule], lab: Option<&LabName>, exact: bool) -> Vec<String> {
    let name = |hook: &str| lab.map_or_else(|| hook.to_owned(), |lab| format!("{lab}-{hook}"));
    let chains = [("prerouting", "dstnat"), ("postrouting", "srcnat")];
    if rules.is_empty() {
        let all = |verb: &'static str| {
            chains.iter().map(move |(hook, _)| format!("{verb} chain inet netlab {}", name(hook)))
        };
        return all("flush").chain(all("delete")).collect();
    }
    let chain = |(hook, priority): &(&str, &str)| {
        let chain = name(hook);
        format!(
            "add chain inet netlab {chain} {{ type nat hook {hook} priority {priority}; policy accept; }}; \
             flush chain inet netlab {chain}"
        )
    };
    let rule = |wanted: &NatRule| {
        let hook = match wanted {
            NatRule::PortForward(_) => "prerouting",
            NatRule::LeaveBridged | NatRule::Masquerade(_) => "postrouting",
        };
        format!("add rule inet netlab {} {}", name(hook), rule(wanted, exact))
    };
    let rules = rules.iter().filter(|rule| exact || **rule != NatRule::LeaveBridged);
    let table = "add table inet netlab".to_owned();
    std::iter::once(table).chain(chains.iter().map(chain)).chain(rules.map(rule)).collect()
}

/// One rule, without table and chain.
pub(super) fn rule(rule: &NatRule, exact: bool) -> String {
    let text = match rule {
        NatRule::LeaveBridged => {
            "meta oifkind \"bridge\" meta iif 0 ct status & dnat == 0 fib saddr type != local return"
                .to_owned()
        }
        NatRule::Masquerade(rule) => masquerade(rule, exact),
        NatRule::PortForward(rule) => forward(rule, exact),
    };
    if exact { format!("{text} comment \"{rule}\"") } else { text }
}

fn masquerade(rule: &Masquerade, exact: bool) -> String {
    let mut words = Vec::new();
    words.extend(rule.source.map(|source| {
        let family = if source.addr().is_ipv6() { "ip6" } else { "ip" };
        match source.prefix_len() {
            0 => format!("meta nfproto ipv{}", if family == "ip" { 4 } else { 6 }),
            _ => format!("{family} saddr {}", source.trunc()),
        }
    }));
    match &rule.out_interface {
        Some(name) => words.push(interface("oifname", name)),
        None if exact => words.push("oifname != \"lo\"".into()),
        None => {}
    }
    words.extend(exact.then(|| "counter".into()));
    words.push("masquerade".into());
    words.join(" ")
}

fn forward(rule: &PortForward, exact: bool) -> String {
    let input = match &rule.in_interface {
        Some(name) => interface("iifname", name),
        None => "fib daddr type local".to_owned(),
    };
    let (family, number) = if rule.to.is_ipv6() { ("ip6", 6) } else { ("ip", 4) };
    let counter = if exact { "counter " } else { "" };
    let (protocol, port, to) = (rule.protocol.as_str(), rule.port, rule.to);
    format!("{input} meta nfproto ipv{number} {protocol} dport {port} {counter}dnat {family} to {to}")
}

fn interface(word: &str, name: &IfName) -> String {
    format!("{word} {}", nft_name(name.as_str()))
}
