//! netlabd and plain commands: the same lab.

use std::{fs, path::PathBuf};

use super::Test;
use crate::{
    by_hand::{Picture, built},
    design::{self, Designer, PREPARE},
    feature::Feature,
    host::{TestHost, repository},
    rng::{Rng, seed},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("by_hand::vxlan", || example("vxlan")).needs(&[Feature::Kind("vxlan")]).once(),
    Test::new("by_hand::vlan", || example("vlan")).needs(&[Feature::BridgeVlan]).once(),
    Test::new("by_hand::vlan_segments", || example("vlan-segments")).needs(&[Feature::BridgeVlan]).once(),
    Test::new("by_hand::internet", || example("internet")).needs(&[Feature::Nat]).once(),
    Test::new("by_hand::internet_router", || example("internet-router")).needs(&[Feature::Nat]).once(),
    Test::new("by_hand::internet_bridge", || example("internet-bridge")).needs(&[Feature::Nat]).once(),
    Test::new("by_hand::impairments", || example("impairments")).needs(&[Feature::Netem]).once(),
    Test::new("by_hand::failover", || example("failover")).once(),
    Test::new("by_hand::policy_routing", || example("policy-routing")).once(),
    Test::new("by_hand::multipath", || example("multipath")).needs(&[Feature::Multipath]).once(),
    Test::new("by_hand::tunnels", || example("tunnels")).needs(super::labs::TUNNELS).once(),
    Test::new("by_hand::interfaces", || example("interfaces")).once(),
    Test::new("by_hand::wireguard", || example("wireguard"))
        .needs(&[Feature::Kind("wireguard"), Feature::Nat])
        .once(),
    Test::new("by_hand::geneve", || example("geneve")).needs(&[Feature::Kind("geneve")]).once(),
    Test::new("by_hand::firewall", || example("firewall")).needs(&[Feature::Firewall]).once(),
    Test::new("by_hand::proxy_arp", || example("proxy-arp")).once(),
    Test::new("by_hand::macvlan", || example("macvlan")).needs(&[Feature::Kind("macvlan")]).once(),
    Test::new("by_hand::switching", || example("switching")).once(),
    Test::new("by_hand::qinq", || example("qinq"))
        .needs(&[Feature::BridgeVlan, Feature::Kind("vlan")])
        .once(),
    Test::new("by_hand::vxlan_sites", || example("vxlan-sites")).needs(&[Feature::Kind("vxlan")]).once(),
    Test::new("by_hand::mpls", || example("mpls")).needs(MPLS).once(),
    Test::new("by_hand::srv6", || example("srv6")).needs(&[Feature::Seg6]).once(),
    Test::new("by_hand::ipvlan", || example("ipvlan")).needs(&[Feature::Kind("ipvlan")]).once(),
    Test::new("by_hand::bond", || example("bond")).needs(&[Feature::Kind("bond")]).once(),
    Test::new("by_hand::without_a_daemon", without_a_daemon),
    Test::new("by_hand::goldens", || goldens(0, false)).needs(GOLDENS).once(),
    Test::new("by_hand::goldens_second", || goldens(1, false)).needs(GOLDENS).once(),
    Test::new("by_hand::rare_goldens", || goldens(0, true)).needs(GOLDENS),
    Test::new("by_hand::rare_goldens_second", || goldens(1, true)).needs(GOLDENS),
    Test::new("by_hand::random_labs", random),
    Test::new("by_hand::names_for_a_shell", names).needs(&[Feature::Nat, Feature::Kind("vxlan")]).once(),
];

/// What the example of MPLS needs.
const MPLS: &[Feature] = &[Feature::Mpls, Feature::MplsIptunnel];
const GOLDENS: &[Feature] =
    &[Feature::Nat, Feature::Firewall, Feature::Kind("vxlan"), Feature::Kind("macvlan")];
/// All goldens in one test take longer than a slow kernel has time.
const PARTS: usize = 2;
/// Keys of what many kernels lack, in a lab file as JSON: labs without them need no second kernel.
const RARE: &[&str] = &[
    "bond",
    "geneve",
    "gre",
    "gretap",
    "impair",
    "ip6gre",
    "ip6tnl",
    "ipip",
    "ipvlan",
    "as",
    "mpls",
    "next_hops",
    "sit",
    "vlan",
    "vlan_filtering",
    "vlans",
    "vrf",
    "wireguard",
];

fn example(lab: &str) {
    let host = TestHost::started();
    same(&host, "", &format!("labs/{lab}.yaml"), lab);
}

/// What `show-commands` prints builds by hand what netlabd builds.
fn same(host: &TestHost, prepare: &str, file: &str, lab: &str) {
    host.ctl(&["create-lab", file]).ok();
    same_as_created(host, prepare, file, lab);
}

fn same_as_created(host: &TestHost, prepare: &str, file: &str, lab: &str) {
    let netlabd = Picture::here(lab);
    host.ctl(&["delete-lab", lab]).ok();
    let commands = host.ctl(&["show-commands", "--exact", file]).ok();
    let by_hand = built(host, prepare, &commands, lab);
    by_hand.assert_same(&netlabd, &commands);
    let commands = host.ctl(&["show-commands", file]).ok();
    let by_hand = built(host, prepare, &commands, lab);
    by_hand.plain().assert_same(&netlabd.plain(), &commands);
}

/// Without a daemon the same is said, by the program netlabd run as who asks; so are faults.
fn without_a_daemon() {
    let mut host = TestHost::started();
    let bad = host.file("bad.yaml", "name: bad\nnodes:\n  a: { interfaces: { e: {} } }\n");
    let said = |host: &TestHost| {
        let lines = ["vxlan", "internet-router", "vlan"]
            .map(|lab| host.ctl(&["show-commands", &format!("labs/{lab}.yaml")]).ok());
        let exact = host.ctl(&["show-commands", "--exact", "labs/macvlan.yaml"]).ok();
        let json = host.ctl(&["-o", "json", "show-commands", "labs/vxlan.yaml"]).ok();
        let fault = host.ctl(&["show-commands", &bad]).code(2).stderr;
        (lines, exact, json, fault)
    };
    let forwards = |host: &TestHost| host.ctl(&["show-commands", "--exact", "labs/internet.yaml"]).ok();
    let (with, apart) = (said(&host), forwards(&host));
    host.stop();
    assert_eq!(said(&host), with, "left: without a daemon, right: with one");
    // What the host forwards by itself only a daemon tells.
    let not_apart = forwards(&host);
    let others = |text: &str| -> Vec<String> {
        let typed = |line: &&str| !line.starts_with('#') && !line.contains("guard-forward");
        text.lines().filter(typed).map(ToOwned::to_owned).collect()
    };
    assert_eq!(others(&not_apart), others(&apart));
    let strangers = "iifgroup != ";
    assert!(apart.contains(strangers) && !apart.contains('#'), "{apart}");
    assert!(not_apart.starts_with("# No netlabd told") && !not_apart.contains(strangers), "{not_apart}");
    assert!(not_apart.contains("icmp type redirect drop"), "{not_apart}");
    let (lines, exact, _, fault) = with;
    assert!(
        lines[0].starts_with("# A network namespace for each node\nip netns add vxlan.ns1\n"),
        "{lines:?}"
    );
    let noise = ["mtu 1500", " address 0", "route replace", "=0", "proto ", "group "];
    assert_eq!(noise.iter().find(|noise| lines.concat().contains(**noise)), None, "{lines:?}");
    let note = "# host: netlabd also keeps it and other labs apart";
    assert!(!lines[0].contains(note) && lines[1].contains(note) && !lines[1].contains("guard"), "{lines:?}");
    let guarded = exact.contains("macvlan-guard-input") && exact.contains("net.ipv6.conf.lab3.accept_ra=0");
    assert!(guarded, "{exact}");
    assert!(apart.contains("oifname != \"lo\" counter masquerade comment"), "{apart}");
    assert!(fault.contains("bad.yaml:3:22: a:e has no kind"), "{fault}");
}

/// What the labs of the planner's tests are changed to: every second one of those with something of [`RARE`], or of the
/// others.
fn goldens(part: usize, rare: bool) {
    let host = TestHost::started();
    let designer = Designer::new(&host);
    design::prepare(&host);
    let mut count = 0;
    // The labs themselves are the examples.
    let text = |file: &PathBuf| fs::read_to_string(file).expect("a golden lab is readable");
    let is_rare = |file: &PathBuf| RARE.iter().any(|key| text(file).contains(&format!("\"{key}\"")));
    let changed = |file: &PathBuf| {
        file.to_str().is_some_and(|path| path.ends_with(".next.json")) && is_rare(file) == rare
    };
    let files = files(&repository().join("netlabd/tests/golden"))
        .iter()
        .flat_map(files)
        .filter(changed)
        .collect::<Vec<_>>();
    for file in files.into_iter().skip(part).step_by(PARTS) {
        let lab: serde_json::Value = serde_json::from_str(&text(&file)).expect("a golden lab is JSON");
        let name = lab["name"].as_str().expect("a lab has a name");
        let path = file.display().to_string();
        let created = host.ctl(&["create-lab", &path]);
        // The tests' own kernel has all that labs need.
        if created.code != 0 && created.stderr.contains("CONFIG_") && !designer.can(Feature::OwnKernel) {
            continue;
        }
        created.ok();
        same_as_created(&host, PREPARE, &path, name);
        count += 1;
    }
    assert!(count > 0 || !designer.can(Feature::OwnKernel), "no lab");
}

fn files(folder: &PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of goldens is readable");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry is readable").path()).collect();
    files.sort();
    files
}

fn random() {
    let host = TestHost::started();
    let designer = Designer::new(&host);
    design::prepare(&host);
    let seed = seed();
    println!("NETLAB_SEED={seed}");
    let mut rng = Rng::new(seed);
    for number in 0..4 {
        let file = host.file("random.json", designer.lab(&mut rng, "random", number));
        same(&host, PREPARE, &file, "random");
    }
}

/// Names that a shell, ip(8) or nft(8) would take for something else.
fn names() {
    let host = TestHost::started();
    let can = |feature: Feature| feature.works(&host);
    let (vlan, dummy) = (can(Feature::Kind("vlan")), can(Feature::Kind("dummy")));
    let words = [
        "a", "h", "up", "down", "dev", "type", "master", "name", "link", "peer", "netns", "help", "mtu",
        "-x", "--", "#", "~", "$(>P)", "x;>P", "`>P`", "it's", "a\"b", "\\", "\\\\n", "&", "*", "e*", "ü",
        "!a", "ip6", "accept", "{a,b}", "$HOME", "=", "1", "0x1", "@f", "e\\*",
    ];
    let file = host.file("names.json", lab_of(&words, vlan, dummy));
    same(&host, "", &file, "names");
}

/// A lab with all these names in one node, of interfaces of all kinds and in all that names one, and in another
/// as bridges.
fn lab_of(words: &[&str], vlan: bool, dummy: bool) -> String {
    use serde_json::{Map, json};
    let (mut node, mut switch, mut links) = (Map::new(), Map::new(), Vec::new());
    let (mut routes, mut masquerade, mut forwards) = (Vec::new(), Vec::new(), Vec::new());
    for (number, word) in words.iter().enumerate() {
        let (net, port) = (format!("10.0.{number}"), format!("p{number}"));
        let addresses = [format!("{net}.1/24"), format!("2001:db8:{number}::1/64")];
        node.insert((*word).to_owned(), json!({ "addresses": addresses }));
        let tunnel = json!({ "vni": number + 1, "remote": format!("{net}.2"), "dev": word });
        node.insert(format!("vx{number}"), json!({ "vxlan": tunnel }));
        if vlan {
            node.insert(format!("v{number}"), json!({ "vlan": { "parent": word, "id": 7 } }));
        }
        routes.push(json!({ "to": format!("10.1.{number}.0/24"), "dev": word }));
        routes.push(json!({ "to": format!("10.2.{number}.0/24"), "via": format!("{net}.9") }));
        // What nft(8) cannot write is refused there.
        if !word.contains('"') && !word.ends_with("\\*") {
            masquerade.push(json!({ "source": format!("{net}.0/24"), "out_interface": word }));
            let to = format!("{net}.2:80");
            forwards.push(json!({ "protocol": "tcp", "port": 8080, "to": to, "in_interface": word }));
        }
        switch.insert((*word).to_owned(), json!({ "bridge": {} }));
        switch.insert(port.clone(), json!({ "port": { "bridge": word } }));
        if dummy {
            switch.insert(format!("d{number}"), json!({ "dummy": {}, "port": { "bridge": word } }));
        }
        links.push(json!({ "endpoints": [format!("n:{word}"), format!("s:{port}")] }));
    }
    let n = json!({
        "forwarding": true,
        "interfaces": node,
        "routes": routes,
        "nat": { "masquerade": masquerade, "port_forwards": forwards },
        "sysctls": { "net.ipv4.ping_group_range": "0 7" },
    });
    json!({ "name": "names", "nodes": { "n": n, "s": { "interfaces": switch } }, "links": links }).to_string()
}
