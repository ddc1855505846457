//! What is too large gives one fault, soon.

use std::fmt::Write as _;

use super::*;

fn repeated(count: usize, part: impl Fn(usize) -> String) -> String {
    let mut all = String::new();
    for i in 0..count {
        let comma = if i > 0 { "," } else { "" };
        write!(all, "{comma}{}", part(i)).unwrap();
    }
    all
}

fn in_node(fields: &str) -> String {
    format!(r#"{{"name":"x","nodes":{{"n":{{{fields}}}}}}}"#)
}

#[test]
fn nodes() {
    let nodes = repeated(10_000, |i| format!(r#""n{i}":{{"interfaces":{{"p":{{}}}}}}"#));
    let lab = format!(r#""name":"No","nodes":{{{nodes}}}"#);
    bad(lab_fields, &lab, "nodes: 10000 nodes; at most 4096 are allowed");
}

#[test]
fn parts_of_a_lab() {
    let description = "d".repeat(4097);
    let lab = format!(r#""name":"x","description":"{description}""#);
    bad(lab_fields, &lab, "description: 4097 bytes; at most 4096 are allowed");
    bad(links, &repeated(10_001, |_| "{}".into()), "links: 10001 links; at most 10000 are allowed");
    bad(checks, &repeated(10_001, |_| "{}".into()), "checks: 10001 checks; at most 10000 are allowed");
    let addresses = repeated(1900, |_| r#""192.0.2.1/24""#.into());
    let nodes = repeated(11, |i| format!(r#""n{i}":{{"interfaces":{{"d":{{"addresses":[{addresses}]}}}}}}"#));
    let lab = format!(r#""name":"x","nodes":{{{nodes}}}"#);
    bad(lab_fields, &lab, "nodes: 20900 addresses in all; at most 20000 are allowed");
}

#[test]
fn parts_of_a_node() {
    let all = repeated(513, |i| format!(r#""d{i}":{{"dummy":{{}}}}"#));
    bad(interfaces, &all, "nodes.n.interfaces: 513 interfaces; at most 512 are allowed");
    let all = repeated(2001, |_| r#""192.0.2.1/24""#.into());
    let all = format!(r#""eth0":{{"addresses":[{all}]}}"#);
    bad(interfaces, &all, "nodes.n.interfaces: 2001 addresses; at most 2000 are allowed");
    let all = format!(r#""eth0":{{"port":{{"trunk":[{}]}}}}"#, repeated(4095, |_| "1".into()));
    bad(interfaces, &all, "nodes.n.interfaces.eth0.port.trunk: 4095 VLANs; at most 4094 are allowed");
    let all = format!(r#""routes":[{}]"#, repeated(1001, |_| "{}".into()));
    bad(in_node, &all, "nodes.n.routes: 1001 routes; at most 1000 are allowed");
    let all = format!(r#""sysctls":{{{}}}"#, repeated(257, |i| format!(r#""k{i}":"""#)));
    bad(in_node, &all, "nodes.n.sysctls: 257 sysctls; at most 256 are allowed");
    let all = format!(r#""masquerade":[{}]"#, repeated(1001, |_| "{}".into()));
    bad(nat, &all, "nodes.n.nat.masquerade: 1001 rules; at most 1000 are allowed");
    let all = format!(r#""port_forwards":[{}]"#, repeated(1001, |_| "{}".into()));
    bad(nat, &all, "nodes.n.nat.port_forwards: 1001 rules; at most 1000 are allowed");
    for list in ["snat", "dnat", "prefixes"] {
        let all = format!(r#""{list}":[{}]"#, repeated(10_000, |_| "{}".into()));
        bad(nat, &all, &format!("nodes.n.nat.{list}: 10000 rules; at most 1000 are allowed"));
    }
}

#[test]
fn interfaces_that_links_make() {
    let all = repeated(513, |i| format!(r#"{{"endpoints":["a:p{i}","b:p{i}"]}}"#));
    let fault = |node, count| format!("nodes.{node}.interfaces: {count} interfaces; at most 512 are allowed");
    bad(links, &all, &[fault("a", 514), fault("b", 513)].join("\n"));
}

#[test]
fn many_faults_are_cut() {
    let all = repeated(5000, |_| r#"{"endpoints":["x:y"]}"#.into());
    let faults = lab(&message(&links(&all))).unwrap_err();
    assert_eq!(faults.0.len(), Faults::MAX);
}

/// The largest lab: 4,096 nodes on a chain of links, an address at each end. With quadratic work
/// it would take minutes.
#[test]
fn largest() {
    const NODES: usize = 4096;
    let subnet = |i: usize, host: u8| format!("10.{}.{}.{host}/24", i / 256, i % 256);
    let nodes = repeated(NODES, |i| {
        let left = format!(r#""l":{{"addresses":["{}"]}}"#, subnet(i, 1));
        let right = format!(r#""r":{{"addresses":["{}"]}}"#, subnet(i + 1, 2));
        let via = subnet(i, 2);
        let via = via.trim_end_matches("/24");
        format!(r#""n{i}":{{"interfaces":{{{left},{right}}},"routes":[{{"to":"default","via":"{via}"}}]}}"#)
    });
    let links = repeated(NODES - 1, |i| format!(r#"{{"endpoints":["n{i}:r","n{}:l"]}}"#, i + 1));
    let ends = format!(r#",{{"endpoints":["n{}:r","n0:l"]}}"#, NODES - 1);
    let json = format!(r#"{{"name":"x","nodes":{{{nodes}}},"links":[{links}{ends}]}}"#);
    let lab = lab(&message(&json)).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((lab.nodes.len(), lab.cables.len()), (NODES, NODES));
}
