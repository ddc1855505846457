//! Bad input gets a clear error, and nothing changes.

use std::{fmt::Write, time::Duration};

use super::{Test, apply::SMALL};
use crate::{
    command::{Output, run_within},
    feature::Feature,
    host::{TestHost, example},
    internet::Internet,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("bad_input::fields", fields),
    Test::new("bad_input::every_fault_is_told", every_fault),
    Test::new("bad_input::files", files),
    Test::new("bad_input::slips_of_the_notebook", slips),
    Test::new("bad_input::what_the_host_has_already", host_conflicts),
    Test::new("bad_input::lab_that_exists", exists),
    Test::new("bad_input::missing_kernel_feature", missing_feature).lacks(&[Feature::BridgeVlan]),
    Test::new("bad_input::huge_files", huge),
];

/// A slip in the small lab: what is written instead of what, and what the error must say.
const SLIPS: &[(&str, &str, &[&str])] = &[
    ("addresses: [192.0.2.1/24]", "adresses: [192.0.2.1/24]", &["adresses", "did you mean", "addresses"]),
    ("  router:\n", "  ns1: {}\n  router:\n", &["ns1"]),
    ("192.0.2.1/24", "192.0.2.300/24", &["192.0.2.300/24"]),
    ("[192.0.2.1/24]", "[192.0.2.1]", &["192.0.2.1", "192.0.2.1/24"]),
    ("[192.0.2.1/24]", "[192.0.2.1/33]", &["192.0.2.1/33"]),
    ("[192.0.2.1/24]", "[192.0.2.0/24]", &["192.0.2.0/24"]),
    ("[192.0.2.1/24]", "[192.0.2.1/24, 192.0.2.1/24]", &["192.0.2.1 is on eth0 already"]),
    ("[203.0.113.254/24]", "[192.0.2.99/24]", &["192.0.2.99/24", "eth0"]),
    ("[192.0.2.1/24]", "[192.0.2.254/24]", &["192.0.2.254"]),
    ("router:eth1\", \"ns2:eth0", "router:eth0\", \"ns2:eth0", &["router:eth0", "links[0]"]),
    ("ns2:eth0", "ns9:eth0", &["ns9"]),
    ("addresses: [192.0.2.1/24]", "dummy: {}, bridge: {}", &["bridge", "dummy"]),
    ("name: small", "name: a2345678901234567890123456789012345678901", &["41 bytes", "40"]),
    ("name: small", "name: Small", &["Small"]),
    ("  ns2:\n", "  a23456789012345678901:\n", &["a23456789012345678901", "20"]),
    ("ns1:eth0", "ns1:eth4567890123456", &["eth4567890123456", "15"]),
    ("via: 203.0.113.254", "via: 198.51.100.254", &["198.51.100.254", "on no link of ns2", "203.0.113.1/24"]),
    ("  router:\n", "  host:\n", &["host", "reserved"]),
    ("eth1: { addresses", "eth1: { vlan: { parent: eth0, id: 0 }, addresses", &["0", "VLAN", "4094"]),
    ("eth1: { addresses", "eth1: { vlan: { parent: eth0, id: 4095 }, addresses", &["4095", "VLAN", "4094"]),
    ("eth1: { addresses", "eth1: { vxlan: { vni: 16777216, dev: eth0 }, addresses", &["16777216", "24 bits"]),
    ("addresses: [192.0.2.1/24]", "addresses: [192.0.2.1/24], mtu: 67", &["67", "MTU"]),
    ("addresses: [192.0.2.1/24]", "addresses: [192.0.2.1/24], mtu: 65536", &["65536", "MTU"]),
    ("addresses: [192.0.2.1/24]", "port: { bridge: br7 }", &["br7"]),
    (
        "addresses: [192.0.2.1/24]",
        "addresses: [192.0.2.1/24], mac: 01:00:00:00:00:01",
        &["01:00:00:00:00:01", "multicast"],
    ),
    ("    forwarding: true\n", "    sysctls: { kernel.hostname: x }\n", &["kernel.hostname", "net."]),
    (
        "    forwarding: true\n",
        "    sysctls: { net.core.bpf_jit_enable: \"1\" , net/../kernel/x: \"1\" }\n",
        &["net/../kernel/x"],
    ),
    ("    forwarding: true\n", "    forwarding: perhaps\n", &["perhaps"]),
];

/// The small lab with a slip in it.
fn slipped(from: &str, to: &str) -> String {
    let text = SMALL.replacen(from, to, 1);
    assert_ne!(text, SMALL, "{from:?} is in the small lab");
    text
}

/// Fails the test unless `create-lab` refuses a file for what it says, in one line a fault.
fn refused(host: &TestHost, content: impl AsRef<[u8]>, code: i32, words: &[&str]) {
    let file = host.file("bad.yaml", content);
    let output =
        words.iter().fold(host.ctl(&["create-lab", &file]).code(code), |output, word| output.complains(word));
    readable(&output);
}

fn readable(output: &Output) {
    for noise in ["panicked", "RUST_BACKTRACE", "stack backtrace", "Status {"] {
        assert!(!output.stderr.contains(noise), "{noise:?} is for developers: {output}");
    }
}

fn fields() {
    let host = TestHost::started();
    let before = host.inventory();
    let mut wrong = String::new();
    for (from, to, words) in SLIPS {
        let file = host.file("bad.yaml", slipped(from, to));
        let output = host.ctl(&["create-lab", &file]);
        readable(&output);
        if output.code != 2 || !words.iter().all(|word| output.stderr.contains(word)) {
            let _ = writeln!(wrong, "{to:?} must be refused with {words:?}: {output}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    before.assert_unchanged();
    assert!(!host.ctl(&["list-labs"]).ok().contains("small"), "no lab was accepted");
}

/// Faults are told with their places, all of them at once.
fn every_fault() {
    let host = TestHost::started();
    let text =
        SMALL.replace("192.0.2.1/24", "192.0.2.300/24").replace("via: 203.0.113.254", "via: 198.51.100.1");
    let file = host.file("two.yaml", text);
    let _ = host
        .ctl(&["create-lab", &file])
        .code(2)
        .complains(&format!("{file}:5:"))
        .complains("192.0.2.300/24")
        .complains(&format!("{file}:15:"))
        .complains("198.51.100.1");
    let misspelt = host.file("misspelt.yaml", SMALL.replace("forwarding", "forwading"));
    let _ = host
        .ctl(&["create-lab", &misspelt])
        .code(2)
        .complains(&format!("{misspelt}:8:5: unknown field \"forwading\", did you mean \"forwarding\"?"));
}

fn files() {
    let host = TestHost::started();
    let before = host.inventory();
    refused(&host, "", 2, &["bad.yaml"]);
    refused(&host, "- a\n- b\n", 2, &["bad.yaml:1:1"]);
    refused(&host, "name: [unclosed\n", 2, &["bad.yaml:"]);
    refused(&host, "{ \"name\": \"x\", }}", 2, &["bad.yaml:1:"]);
    refused(&host, b"name: \xff\xfe\n", 2, &["UTF-8"]);
    refused(&host, b"\x00\x01\x02", 2, &["bad.yaml"]);
    refused(&host, SMALL.to_owned() + "---\nname: other\n", 2, &["bad.yaml"]);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let below = format!("*a{}, ", n - 1).repeat(10);
        let _ = writeln!(bomb, "a{n}: &a{n} [{below}]");
    }
    refused(&host, bomb, 2, &["bad.yaml:"]);
    refused(&host, format!("name: {}x{}\n", "[".repeat(100_000), "]".repeat(100_000)), 2, &["bad.yaml:"]);
    let _ = host.ctl(&["create-lab", "no-such-file.yaml"]).code(2).complains("no-such-file.yaml");
    let _ = host.ctl(&["create-lab", "labs"]).code(2).complains("labs");
    before.assert_unchanged();
}

/// What the notebook gets wrong is told where it is wrong.
fn slips() {
    let host = TestHost::started();
    let before = host.inventory();
    // The interface of ns2 was moved into the router.
    let vxlan = example("vxlan").replace("\"ns2:eth0\"", "\"router:ns2-veth0\"");
    refused(&host, vxlan, 2, &["ns2:eth0", "link"]);
    // VLAN 200 was given to the ports of VLAN 100, and the ports of ns3 and ns4 got none.
    let doubled =
        example("vlan-segments").replace("      p3:\n", "      p1:\n").replace("      p4:\n", "      p2:\n");
    refused(&host, doubled, 2, &["p1", "p2"]);
    before.assert_unchanged();
}

fn host_conflicts() {
    let host = TestHost::here();
    Internet::connect(&host);
    let mut host = host;
    host.start();
    let before = host.inventory();
    let internet = example("internet");
    refused(&host, internet.replace("192.0.2.254/24", "198.18.0.99/24"), 5, &["198.18.0", "wan0"]);
    refused(
        &host,
        internet.replace("192.0.2.254/24", "198.18.0.129/25"),
        5,
        &["198.18.0.129/25", "overlaps", "wan0"],
    );
    refused(&host, internet.replace("lab0", "wan0"), 5, &["wan0"]);
    let no_parent = example("macvlan").replace("parent: lab3", "parent: eth9");
    refused(&host, no_parent, 1, &["eth9"]);
    before.assert_unchanged();
    // Another lab's part of the host counts too.
    host.ctl(&["create-lab", "labs/internet.yaml"]).ok();
    let with_lab = host.inventory();
    let again = internet.replace("name: internet", "name: again").replace("lab0", "lab9");
    let _ = host
        .ctl(&["create-lab", &host.file("again.yaml", again)])
        .code(5)
        .complains("overlaps 192.0.2.254/24")
        .complains("lab0");
    with_lab.assert_unchanged();
}

fn exists() {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    let before = host.inventory();
    let changed = host.file("changed.yaml", SMALL.replace("192.0.2.1/24", "192.0.2.9/24"));
    let _ = host.ctl(&["create-lab", &changed]).code(5).complains("small");
    before.assert_unchanged();
    let _ = host.exec("small.ns1", "ip addr").says("192.0.2.1/24");
}

fn missing_feature() {
    let host = TestHost::started();
    let before = host.inventory();
    let _ = host.ctl(&["create-lab", "labs/vlan.yaml"]).code(1).complains("CONFIG_BRIDGE_VLAN_FILTERING");
    before.assert_unchanged();
    let _ = host.ctl(&["get-lab", "vlan"]).code(4);
    let _ = host.ctl(&["doctor"]).says("CONFIG_BRIDGE_VLAN_FILTERING");
}

fn huge() {
    let host = TestHost::started();
    let before = host.inventory();
    let limit = Duration::from_secs(60);
    let mut crowd = "name: crowd\nnodes:\n".to_owned();
    for n in 0..10_000 {
        let _ = writeln!(crowd, "  n{n}: {{}}");
    }
    let file = host.file("crowd.yaml", crowd);
    let output = run_within(&mut host.ctl_command(&["create-lab", &file]), limit).code(2).complains("10000");
    readable(&output);
    let comment = "# nothing but words\n";
    let file = host.file("huge.yaml", SMALL.to_owned() + &comment.repeat(50_000_000 / comment.len()));
    let output =
        run_within(&mut host.ctl_command(&["create-lab", &file]), limit).code(2).complains("huge.yaml");
    readable(&output);
    std::fs::remove_file(file).expect("removing the huge file");
    before.assert_unchanged();
    host.ctl(&["list-labs"]).ok();
}
