//! What a picture says of a place's rules: its firewall, its translations, what its routes put around packets.

use netlab_proto::v1::{Encap, Firewall, Nat, Route};

/// A line for the firewall: the policy of each direction, and how many rules stand before it.
pub(super) fn firewall(firewall: &Firewall) -> Option<String> {
    let directions =
        [("input", &firewall.input), ("forward", &firewall.forward), ("output", &firewall.output)];
    let chains = directions.into_iter().filter_map(|(name, chain)| {
        let chain = chain.as_ref()?;
        let policy = if chain.policy.is_empty() { "accept" } else { chain.policy.as_str() };
        Some(match chain.rules.len() {
            0 => format!("{name} {policy}"),
            1 => format!("{name} 1 rule, {policy}"),
            count => format!("{name} {count} rules, {policy}"),
        })
    });
    listed("firewall", chains)
}

/// A line for translations: which, and how many of each where it is more than one.
pub(super) fn nat(nat: &Nat) -> Option<String> {
    let lists = [
        ("masquerade", nat.masquerade.iter().filter(|rule| rule.r#type.is_empty()).count()),
        ("port forward", nat.port_forwards.len()),
        ("snat", nat.snat.len()),
        ("dnat", nat.dnat.len()),
        ("prefix", nat.prefixes.len()),
    ];
    let some = lists.into_iter().filter(|(_, count)| *count > 0);
    let some = some.map(|(name, count)| if count == 1 { name.to_owned() } else { format!("{count} {name}") });
    let typed = nat.masquerade.iter().map(|rule| rule.r#type.clone()).filter(|word| !word.is_empty());
    listed("NAT", typed.chain(some))
}

/// A line for each range whose packets get something around them, `10.2.0.0/24: MPLS 100 200`, and for each label with
/// what takes its place, `label 100: 200`.
pub(super) fn encaps(routes: &[Route]) -> impl Iterator<Item = String> {
    let of_route = |route: &Route| {
        if let Some(label) = route.to.strip_prefix("mpls:") {
            let out: Vec<_> = route.r#as.iter().map(u32::to_string).collect();
            let out = if out.is_empty() { "no label".to_owned() } else { out.join(" ") };
            return Some(format!("label {label}: {out}"));
        }
        let hops = route.next_hops.iter().filter_map(|hop| hop.encap.as_ref());
        let all: Vec<_> = route.encap.iter().chain(hops).map(encap).collect();
        (!all.is_empty()).then(|| format!("{}: {}", route.to, all.join("; ")))
    };
    routes.iter().filter_map(of_route)
}

fn encap(encap: &Encap) -> String {
    let labels: Vec<_> = encap.mpls.iter().map(u32::to_string).collect();
    if labels.is_empty() {
        format!("SRv6 {}", encap.seg6.join(" "))
    } else {
        format!("MPLS {}", labels.join(" "))
    }
}

fn listed(what: &str, parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty()).then(|| format!("{what}: {}", parts.join("; ")))
}
