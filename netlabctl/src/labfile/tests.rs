//! What is told of good and bad lab files.

use std::{collections::HashMap, fmt::Write as _, fs, path::Path};

use netlab_proto::v1::interface::Kind;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::*;

/// The faults of a text, as they are printed.
fn faults(text: impl AsRef<[u8]>) -> Vec<String> {
    match LabFile::parse("f", text.as_ref()) {
        Ok(file) => panic!("no fault found in {:?}", file.lab),
        Err(faults) => faults,
    }
}

fn lab(text: &str) -> Lab {
    LabFile::parse("f", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}")).lab
}

#[test]
fn the_example_labs_are_read() {
    let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../labs");
    let mut read = 0;
    for entry in fs::read_dir(labs).unwrap() {
        let path = entry.unwrap().path();
        let file = LabFile::read(path.to_str().unwrap(), &[]).unwrap();
        assert_eq!(Some(file.lab.name.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
        read += 1;
    }
    assert!(read >= 7, "only {read} labs");
}

#[test]
fn every_kind_of_value_is_read() {
    let lab = lab("
name: 123
description: no
nodes:
  only-links:
  a:
    forwarding: true
    interfaces:
      eth0: { mtu: 0x5dc, up: false, mac: 02:00:00:00:00:01, addresses: [192.0.2.1/24, '2001:db8::1/64'] }
      br0.100: { vlan: { parent: br0, id: 100 } }
      d0: { dummy: }
    sysctls: { net.ipv4.ip_forward: 1 }
links: []
");
    assert_eq!((lab.name.as_str(), lab.description.as_str()), ("123", "no"));
    assert!(lab.nodes.contains_key("only-links"));
    let node = &lab.nodes["a"];
    let eth0 = &node.interfaces["eth0"];
    assert_eq!((eth0.mtu, eth0.up, node.forwarding), (Some(1500), Some(false), true));
    assert_eq!(eth0.addresses, ["192.0.2.1/24", "2001:db8::1/64"]);
    assert!(matches!(&node.interfaces["br0.100"].kind, Some(Kind::Vlan(vlan)) if vlan.id == 100));
    assert!(matches!(node.interfaces["d0"].kind, Some(Kind::Dummy(_))));
    assert_eq!(node.sysctls["net.ipv4.ip_forward"], "1");
}

#[test]
fn json_is_read_and_keeps_its_lines() {
    assert_eq!(lab("{\n\t\"name\": \"x\",\n\t\"nodes\": {\"a\": {}}\n}").name, "x");
    let text = "{\n  \"name\": \"x\",\n  \"nodse\": {}\n}";
    assert_eq!(faults(text), ["f:3:3: unknown field \"nodse\", did you mean \"nodes\"?"]);
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    assert_eq!(lab("\u{feff}name: x").name, "x");
}

#[test]
fn every_fault_is_told_in_the_order_of_the_file() {
    let text = "\
name: [x]
nodes:
  ns1:
    interfaces:
      eth0: { adresses: [192.0.2.1/24], mtu: 99999999999 }
      eth0: { up: yes }
      v: { vxlan: { vni: \"1\" }, dummy: {}, addresses: 192.0.2.1 }
    routes: { to: x }
    gateway: 1
    sysctls: x
    nat: 5
links:
  - endpoints: [a, [b]]
  - 7
  - { endpoint: [a, b] }
checks: [ { reachable: \"true\", from: } ]
";
    let expected = [
        "f:1:7: name: expected text, found a list",
        "f:5:15: unknown field \"adresses\", did you mean \"addresses\"?",
        "f:5:46: mtu: 99999999999 is out of range, 0 to 4294967295",
        "f:6:7: \"eth0\" is here twice, first on line 5",
        "f:7:26: vni: expected a whole number, found the text \"1\"",
        "f:7:33: \"vxlan\" and \"dummy\" exclude each other: keep one",
        "f:7:55: addresses: expected a list, found the text \"192.0.2.1\"",
        "f:8:13: routes: expected a list, found a mapping",
        "f:9:5: unknown field \"gateway\"; known here: interfaces, routes, forwarding, nat, sysctls, \
         rules, neighbours, firewall, overlapping_subnets, use",
        "f:10:14: sysctls: expected a mapping of names, found the text \"x\"",
        "f:11:10: expected a mapping (nat), found the number 5",
        "f:13:20: endpoints: expected text, found a list",
        "f:14:5: expected a mapping (link), found the number 7",
        "f:15:7: unknown field \"endpoint\", did you mean \"endpoints\"?",
        "f:16:24: reachable: expected true or false, found the text \"true\"",
        "f:16:36: from: expected text, found nothing",
    ];
    assert_eq!(faults(text), expected);
}

#[test]
fn numbers_and_truths_are_not_guessed() {
    let told = |text: &str| {
        let text = format!("nodes: {{ a: {{ interfaces: {{ e: {{ {text} }} }} }} }}");
        faults(text).concat().split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!(told("mtu: -1"), "mtu: -1 is out of range, 0 to 4294967295");
    assert_eq!(told("mtu: 1.5"), "mtu: expected a whole number, found the number 1.5");
    assert_eq!(told("mtu: 1e3"), "mtu: expected a whole number, found the number 1e3");
    assert_eq!(told("mtu: 01500"), "mtu: 01500 begins with 0, which some programs read as octal; write 1500");
    assert_eq!(told("mtu: 00"), "mtu: 00 begins with 0, which some programs read as octal; write 0");
    assert_eq!(told("mtu: --1"), "mtu: expected a whole number, found the text \"--1\"");
    assert_eq!(told("mtu: 0xzz"), "mtu: expected a whole number, found the text \"0xzz\"");
    assert_eq!(told("mtu: true"), "mtu: expected a whole number, found true");
    assert_eq!(told("up: yes"), "up: expected true or false, found the text \"yes\"");
    assert_eq!(told("up: 1"), "up: expected true or false, found the number 1");
    assert_eq!(told("up: ~"), "up: expected true or false, found nothing");
    assert_eq!(told("dummy: { x: 1 }"), "unknown field \"x\": nothing can be set here");
    assert_eq!(
        told(&format!("mtu: {}", "9".repeat(60))),
        format!("mtu: {} is out of range, 0 to 4294967295", "9".repeat(60))
    );
}

#[test]
fn what_is_no_lab_file_is_refused() {
    assert_eq!(faults(""), ["f:1:1: the file is empty"]);
    assert_eq!(faults("# only a comment\n"), ["f:1:1: the file is empty"]);
    assert_eq!(faults("[1]"), ["f:1:1: expected a mapping (lab), found a list"]);
    assert_eq!(faults("a: 1\n---\nb: 1"), ["f:2:1: a second document begins here; a lab file holds one lab"]);
    assert_eq!(faults(b"name: \xff\n"), ["f:1:7: not UTF-8 at byte 6 (0xff); save it as UTF-8"]);
    assert_eq!(faults(b"a: 1\nb\xc3"), ["f:2:2: not UTF-8 at byte 6 (0xc3); save it as UTF-8"]);
    assert_eq!(faults("name: !!str x"), ["f:1:13: tags (!, !!) are not understood; leave it out"]);
    let merge = faults("a: &a { name: x }\n<<: *a");
    assert_eq!(merge[1], "f:2:1: merge keys (<<) are not understood; write the keys out");
    assert!(faults("name: [x")[0].contains(": not YAML: "), "{:?}", faults("name: [x"));
    let large = vec![b' '; usize::try_from(LARGEST).unwrap() + 1];
    assert_eq!(faults(large), ["f:1:1: larger than 8 MiB, the most that is read"]);
}

#[test]
fn what_ends_or_hides_text_is_refused() {
    let hides = "a NUL byte, which would hide what follows; leave it out";
    assert_eq!(faults("name: x\nnodes:\n  a: {}\n\0  b: {}\n"), [format!("f:4:1: {hides}")]);
    assert_eq!(faults("{\"name\": \"x\"}\0garbage"), [format!("f:1:14: {hides}")]);
    let cut = "the file ends with NUL bytes: it was cut off, as by a crash; write it again";
    assert_eq!(faults("name: x\nnodes: {}\n\0\0\0\0"), [format!("f:3:1: {cut}")]);
    for (c, told) in [
        ('\u{1b}', "U+001B, a control character; leave it out"),
        ('\u{7f}', "U+007F, a control character; leave it out"),
        ('\u{9b}', "U+009B, a control character; leave it out"),
        ('\u{85}', "U+0085, a control character; leave it out"),
        ('\u{202e}', "U+202E turns round the order in which text is shown; leave it out"),
        ('\u{2066}', "U+2066 turns round the order in which text is shown; leave it out"),
        ('\u{2028}', "U+2028 ends a line for some readers only; leave it out"),
        ('\u{feff}', "U+FEFF, a byte order mark, can stand at the beginning only"),
    ] {
        assert_eq!(faults(format!("# {c}\nname: x\n")), [format!("f:1:3: {told}")]);
        assert_eq!(faults(format!("name: \"ü{c}\"\n")), [format!("f:1:9: {told}")]);
    }
    assert_eq!(lab("name: x\r\ndescription: \"日本語：\u{a0}x\"\r\n").name, "x");
}

#[test]
fn what_looks_like_something_else_is_told() {
    let indent = "is no space that YAML knows; indent with plain spaces";
    assert_eq!(faults("name: x\nnodes:\n\u{a0}\u{a0}a: {}\n"), [format!("f:3:1: U+00A0 {indent}")]);
    assert_eq!(faults("name: x\nnodes:\n \u{3000}a: {}\n"), [format!("f:3:2: U+3000 {indent}")]);
    assert_eq!(
        faults("name\u{ff1a} x\nnodes: {}\n"),
        ["f:1:5: U+FF1A \"\u{ff1a}\" is no colon; write a plain one and a space"]
    );
    assert_eq!(faults("// a lab\n{ \"name\": \"x\" }\n"), ["f:1:1: a comment begins with #"]);
    assert_eq!(faults("{\n  // a lab\n  \"name\": \"x\"\n}\n"), ["f:2:3: a comment begins with #"]);
    for empty in ["---\n", "null\n", "~", "--- # x\n"] {
        assert_eq!(faults(empty), ["f:1:1: the file is empty"], "{empty}");
    }
    assert_eq!(
        faults("links:\n  - endpoints: [a: eth0, b: eth0]\n"),
        [
            "f:2:17: endpoints: expected text, found a mapping; write \"a:eth0\"",
            "f:2:26: endpoints: expected text, found a mapping; write \"b:eth0\"",
        ]
    );
}

#[test]
fn files_of_other_programs_are_known() {
    let not = "not like a lab file, which has \"name\", \"nodes\" by name and \"links\"";
    for (text, at, what) in [
        ("name: x\ntopology:\n  nodes: {}\n", "2:1", "a containerlab topology"),
        ("services:\n  web: {}\n", "1:1", "a Compose file"),
        ("network: { version: 2 }\n", "1:1", "a netplan configuration"),
        ("apiVersion: v1\nkind: Pod\n", "1:1", "a Kubernetes manifest"),
        ("provider: clab\nnodes: [r1]\n", "1:1", "a topology of ipspace netlab"),
        ("nodes: [ { name: R1 } ]\nnode_configs: []\n", "2:1", "a tinet specification"),
        ("<?xml version=\"1.0\"?><a/>", "1:1", "XML"),
        ("#!/bin/sh\nip netns add a\n", "1:1", "a script"),
        ("nodes:\n{% for i in x %}\n  a: {}\n", "1:1", "a template; render it first"),
    ] {
        assert_eq!(faults(text), [format!("f:{at}: this looks like {what}, {not}")]);
    }
    let told = faults("<<<<<<< HEAD\nname: a\n=======\nname: b\n>>>>>>> x\n");
    assert_eq!(told, ["f:1:1: a conflict of a merge that is not resolved; resolve it"]);
    // A lab with a key too many is one.
    assert!(faults("name: x\nnodes: { a: {} }\nservices: {}\n")[0].contains("unknown field \"services\""));
}

#[test]
fn aliases_repeat_a_value_but_cannot_multiply_it() {
    let lab = lab("nodes: { a: &a { forwarding: true }, b: *a }");
    assert!(lab.nodes["b"].forwarding);
    assert_eq!(faults("a: &a [*a]"), ["f:1:8: an alias cannot stand inside the value that it repeats"]);
    let mut bomb = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let below = vec![format!("*l{}", level - 1); 10].join(", ");
        let _ = writeln!(bomb, "l{level}: &l{level} [{below}]");
    }
    let told = faults(&bomb);
    assert_eq!(told.len(), 1);
    assert!(told[0].ends_with("more than 1000000 values, aliases written out; split the lab"), "{told:?}");
    assert_eq!(faults(format!("nodes: {}", "[".repeat(100))), ["f:1:40: nested more than 32 deep"]);
    assert_eq!(faults("[".repeat(100_000)).len(), 1, "refused, and the stack holds");
}

#[test]
fn a_flood_of_faults_is_cut() {
    let text: String = (0..1500).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "key-{i}: x");
        text
    });
    let told = faults(&text);
    assert_eq!(told.len(), 1001);
    assert_eq!(told[1000], "f: and 500 more faults");
}

const PLACES: &str = "\
name: x
nodes:
  sw:
    interfaces:
      br0: { bridge: {} }
      br0.100: { vlan: { parent: br0, id: 1 } }
      eth0:
        addresses:
          - 192.0.2.1/24
          - 192.0.2.1/24
links:
  - endpoints: [a, b]
";

#[test]
fn a_path_of_the_daemon_leads_to_its_line() {
    let file = LabFile::parse("f", PLACES.as_bytes()).unwrap();
    let at = |path: &str| {
        let fault::Position { line, column, .. } = locate::locate(&file.root, path).0.at;
        (line, column)
    };
    assert_eq!(at("name"), (1, 7));
    assert_eq!(at("nodes.sw.interfaces.eth0.addresses[1]"), (10, 13));
    assert_eq!(at("nodes.sw.interfaces.br0.100.vlan.id"), (6, 43));
    assert_eq!(at("nodes.sw.interfaces[\"br0.100\"].vlan.id"), (6, 43));
    assert_eq!(at("nodes.sw.interfaces.br0.bridge"), (5, 14));
    assert_eq!(at("links[0].endpoints[1]"), (12, 20));
    assert_eq!(at("links[0].endpoints"), (12, 5));
    let left = |path| locate::locate(&file.root, path).1;
    assert_eq!(left("name"), "");
    assert_eq!(left("nodes.sw.interfaces.eth0.mtu"), "mtu");
    assert_eq!(left("nodes.sw.routes[0].to"), "routes[0].to");
    // Not in the file: the nearest thing around it.
    assert_eq!(at("nodes.sw.interfaces.eth0.mtu"), (7, 7));
    assert_eq!(at("nodes.sw.interfaces.eth0.addresses[7]"), (8, 9));
    assert_eq!(at("nodes.other"), (2, 1));
    assert_eq!(at("links[9]"), (11, 1));
    for odd in ["", "host", "[", "[\"", "nodes[", "nodes[\"sw", "links[x]", "links[0", "links]", "."] {
        let (line, _) = at(odd);
        assert!(line <= 12, "{odd}");
    }
}

#[test]
fn a_refusal_is_told_by_lines_and_keeps_its_exit_code() {
    let file = LabFile::parse("f.yaml", PLACES.as_bytes()).unwrap();
    let violation = |field: &str, description: &str| FieldViolation::new(field, description);
    let violations = vec![
        violation("links[0].endpoints[0]", "no such node"),
        violation("nodes.sw.interfaces.eth0.addresses[1]", "here twice"),
        violation("nodes.sw.interfaces.eth0.mtu", "is missing"),
    ];
    let mut details = ErrorDetails::with_bad_request(violations);
    details.set_error_info("HOST_ADDRESS_OVERLAP", "netlab", HashMap::new());
    let with = |code| Status::with_error_details(code, "invalid", details.clone());
    let failure = file.explain(&with(Code::InvalidArgument)).unwrap();
    assert_eq!(failure.code, 2);
    assert_eq!(
        failure.lines,
        ["f.yaml:7:7: mtu: is missing", "f.yaml:10:13: here twice", "f.yaml:12:17: no such node"]
    );
    assert_eq!(file.explain(&with(Code::FailedPrecondition)).unwrap().code, 5);
    assert_eq!(file.explain(&Status::new(Code::InvalidArgument, "x")), None);
}
