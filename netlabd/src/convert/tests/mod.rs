//! Messages, good and bad, as a lab file would hold them.

use super::*;

mod addresses;
mod advice;
mod arbitrary;
mod bonds;
mod bridges;
mod encap;
mod firewall;
mod good;
mod impairments;
mod interfaces;
mod ipvlan;
mod labels;
mod limits;
mod links;
mod nat;
mod office;
mod policy_routing;
mod routes;
mod rules;
mod tunnels;
mod vrfs;
mod vxlan;
mod wireguard;

/// A message from its JSON text.
fn message(json: &str) -> proto::Lab {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// A text put into a lab must give exactly these faults, one a line.
#[track_caller]
fn bad(wrap: fn(&str) -> String, text: &str, expected: &str) {
    let json = wrap(text);
    match lab(&message(&json)) {
        Ok(lab) => panic!("no fault in {json}: {lab:?}"),
        Err(faults) => assert_eq!(faults.to_string(), expected, "{json}"),
    }
}

/// What is wrong with an interface that is nothing.
fn without_kind() -> String {
    let kinds = crate::link::Kind::KEYS.join(", ");
    format!("has no kind and no link names it: give it a kind ({kinds}) or add a link")
}

/// The fields of a lab.
fn lab_fields(fields: &str) -> String {
    format!("{{{fields}}}")
}

/// Interfaces of a node `n` whose `eth0` is on a link.
fn interfaces(interfaces: &str) -> String {
    let nodes = format!(r#""nodes":{{"n":{{"interfaces":{{{interfaces}}}}},"m":{{}}}}"#);
    format!(r#"{{"name":"x",{nodes},"links":[{{"endpoints":["n:eth0","m:eth0"]}}]}}"#)
}

/// Interfaces of the host.
fn host(interfaces: &str) -> String {
    format!(r#"{{"name":"x","host":{{"interfaces":{{{interfaces}}}}}}}"#)
}

/// Links between nodes `a`, which has a dummy `d0`, `b` and `node-b`.
fn links(links: &str) -> String {
    let nodes = r#""a":{"interfaces":{"d0":{"dummy":{}}}},"b":{},"node-b":{}"#;
    format!(r#"{{"name":"x","nodes":{{{nodes}}},"links":[{links}]}}"#)
}

/// Routes of a node with two subnets on `eth0`, one on `d1`, and `down0`, which is down.
fn routes(routes: &str) -> String {
    let interfaces = r#""eth0":{"dummy":{},"addresses":["192.0.2.1/24","2001:db8::1/64"]},
        "d1":{"dummy":{},"addresses":["198.18.0.1/24"]},"down0":{"dummy":{},"up":false}"#;
    format!(r#"{{"name":"x","nodes":{{"n":{{"interfaces":{{{interfaces}}},"routes":[{routes}]}}}}}}"#)
}

/// Rules of a node with `eth0`.
fn policy(rules: &str) -> String {
    let node = format!(r#""interfaces":{{"eth0":{{"dummy":{{}}}}}},"rules":[{rules}]"#);
    format!(r#"{{"name":"x","nodes":{{"n":{{{node}}}}}}}"#)
}

/// Neighbours of a node with `eth0`, `d1`, a route without a next hop by `d1`, and `down0`, which is down.
fn neighbours(neighbours: &str) -> String {
    let interfaces = r#""eth0":{"dummy":{},"addresses":["192.0.2.1/24","2001:db8::1/64"]},
        "d1":{"dummy":{}},"down0":{"dummy":{},"up":false,"addresses":["198.18.0.1/24"]}"#;
    let routes = r#"[{"to":"203.0.113.0/24","dev":"d1"}]"#;
    let node = format!(r#""interfaces":{{{interfaces}}},"routes":{routes},"neighbours":[{neighbours}]"#);
    format!(r#"{{"name":"x","nodes":{{"n":{{{node}}}}}}}"#)
}

/// Translations of a node with `eth0`.
fn nat(nat: &str) -> String {
    let node = format!(r#""interfaces":{{"eth0":{{"dummy":{{}}}}}},"forwarding":true,"nat":{{{nat}}}"#);
    format!(r#"{{"name":"x","nodes":{{"n":{{{node}}}}}}}"#)
}

/// The forward chain of a router with `eth0` and `eth1`.
fn forward(rules: &str) -> String {
    firewall(&format!(r#""forward":{{"rules":[{rules}]}}"#))
}

/// The firewall of a router with `eth0` and `eth1`.
fn firewall(firewall: &str) -> String {
    let interfaces = r#""eth0":{"dummy":{}},"eth1":{"dummy":{}}"#;
    let node = format!(r#""interfaces":{{{interfaces}}},"forwarding":true,"firewall":{{{firewall}}}"#);
    format!(r#"{{"name":"x","nodes":{{"n":{{{node}}}}}}}"#)
}

/// Sysctls of a node with `eth0`.
fn sysctls(sysctls: &str) -> String {
    let node = format!(r#""interfaces":{{"eth0":{{"dummy":{{}}}}}},"sysctls":{{{sysctls}}}"#);
    format!(r#"{{"name":"x","nodes":{{"n":{{{node}}}}}}}"#)
}

/// Checks between `a` and `b`, whose `eth0` has an address and whose `eth1` has none.
fn checks(checks: &str) -> String {
    let nodes =
        r#""a":{},"b":{"interfaces":{"eth0":{"dummy":{},"addresses":["192.0.2.1/24"]},"eth1":{"dummy":{}}}}"#;
    format!(r#"{{"name":"x","nodes":{{{nodes}}},"checks":[{checks}]}}"#)
}
