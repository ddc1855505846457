//! What is short, written out; and wrong files with what is told of them.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::Path, time::Instant};

use netlab_proto::v1::Lab;

use crate::labfile::LabFile;

/// Wrong files: a title, the file, and its faults.
const WRONG: &str = "src/labfile/expand/wrong.txt";

fn file(text: &str) -> LabFile {
    LabFile::parse("f", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn lab(text: &str) -> Lab {
    file(text).lab
}

/// The ends and, at each, the addresses.
fn links(lab: &Lab) -> Vec<String> {
    let addresses = |end: &str| {
        let (node, interface) = end.split_once(':').unwrap();
        let node = lab.nodes.get(node).and_then(|node| node.interfaces.get(interface));
        node.map(|interface| interface.addresses.join("+")).unwrap_or_default()
    };
    let end = |end: &String| format!("{end} {}", addresses(end)).trim().to_owned();
    lab.links.iter().map(|link| link.endpoints.iter().map(end).collect::<Vec<_>>().join(" -- ")).collect()
}

#[test]
fn wrong_files_are_told_by_their_lines() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(WRONG);
    let written = fs::read_to_string(&path).unwrap();
    let mut told = String::new();
    let mut cases = 0;
    for case in written.split("=== ").filter(|case| !case.trim().is_empty()) {
        let (title, rest) = case.split_once('\n').unwrap();
        let text = rest.split("--->\n").next().unwrap();
        let faults = LabFile::parse("f", text.as_bytes()).expect_err(title);
        let _ = writeln!(told, "=== {title}\n{text}--->\n{}\n", faults.join("\n"));
        cases += 1;
    }
    if env::var_os("NETLAB_BLESS").is_some() {
        fs::write(&path, &told).unwrap();
    }
    assert!(cases >= 40, "only {cases} wrong files");
    assert!(written == told, "run with NETLAB_BLESS=1 and read the difference:\n{told}");
}

#[test]
fn a_flat_lab_says_the_same() {
    let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../labs");
    for entry in fs::read_dir(labs).unwrap() {
        let path = entry.unwrap().path();
        let short = LabFile::read(path.to_str().unwrap(), &[]).unwrap();
        let flat = short.flat();
        let again =
            LabFile::parse("flat", flat.as_bytes()).unwrap_or_else(|faults| panic!("{faults:#?}\n{flat}"));
        assert_eq!(short.lab, again.lab, "{}:\n{flat}", path.display());
        assert!(flat.contains(&format!("{}:", path.display())), "it says where: {flat}");
    }
}

#[test]
fn templates_are_under_a_node() {
    let lab = lab("
x-mac: &mac 02:00:00:00:00:01
templates:
  base: { interfaces: { lo: { addresses: [\"10.0.0.{1}/32\"] }, eth0: { mtu: 1400, mac: *mac } } }
  router: { use: base, forwarding: true, interfaces: { eth0: { mtu: 1300 } } }
nodes:
  r[1-2]: { use: [router], interfaces: { lo:, eth0: { addresses: [\"192.0.2.{1}/24\"] } } }
  h: { use: base, interfaces: { lo: { addresses: [] }, eth0: } }
");
    let r2 = &lab.nodes["r2"];
    assert!(r2.forwarding);
    assert_eq!(r2.interfaces["lo"].addresses, ["10.0.0.2/32"]);
    let eth0 = &r2.interfaces["eth0"];
    assert_eq!((eth0.mtu, eth0.mac.as_deref()), (Some(1300), Some("02:00:00:00:00:01")));
    assert_eq!(eth0.addresses, ["192.0.2.2/24"]);
    assert!(lab.nodes["h"].interfaces["lo"].addresses.is_empty(), "a list of one's own wins");
    assert!(!lab.nodes["h"].forwarding);
}

#[test]
fn patterns_join_nodes() {
    let joined = |links_: &str| {
        let text = format!("nodes: {{ \"a[1-3]\": {{}}, \"b[1-2]\": {{}} }}\nlinks:\n  - {links_}\n");
        links(&lab(&text))
    };
    assert_eq!(
        joined("mesh: [\"b[1-2]\", \"a[1-3]\"]"),
        [
            "b1:a1 -- a1:b1",
            "b2:a1 -- a1:b2",
            "b1:a2 -- a2:b1",
            "b2:a2 -- a2:b2",
            "b1:a3 -- a3:b1",
            "b2:a3 -- a3:b2"
        ]
    );
    assert_eq!(joined("mesh: [\"a*\"]"), ["a1:a2 -- a2:a1", "a1:a3 -- a3:a1", "a2:a3 -- a3:a2"]);
    assert_eq!(joined("chain: [\"a[1-3]:e{n}\"]"), ["a1:e1 -- a2:e1", "a2:e2 -- a3:e1"]);
    assert_eq!(joined("ring: [\"a[1-3]\"]"), ["a3:a1 -- a1:a3", "a1:a2 -- a2:a1", "a2:a3 -- a3:a2"]);
    assert_eq!(
        joined("pairs: [\"a[1-2]\", \"b[1-2]:to-{other}\"]"),
        ["a1:b1 -- b1:to-a1", "a2:b2 -- b2:to-a2"]
    );
    assert_eq!(joined("star: [b1, \"a[1-2]:up{1}\"]"), ["b1:a1 -- a1:up1", "b1:a2 -- a2:up2"]);
    assert_eq!(joined("endpoints: [\"a[1-2]:eth0\", \"b1:p{1}\"]"), ["a1:eth0 -- b1:p1", "a2:eth0 -- b1:p2"]);
}

#[test]
fn what_is_added_at_the_end_moves_no_address() {
    let text = |leaves: usize, more: &str| {
        format!(
            "pools: {{ p: {{ range: 10.0.0.0/16, prefix: 31 }}, l: {{ range: 10.1.0.0/24, prefix: 32 }} }}
nodes:
  spine[1-2]: {{ interfaces: {{ lo: {{ addresses: [pool:l] }} }} }}
  leaf[1-{leaves}]: {{ interfaces: {{ lo: {{ addresses: [pool:l] }} }} }}
links:
  - {{ mesh: [\"spine[1-2]\", \"leaf[1-{leaves}]\"], pool: p }}
{more}"
        )
    };
    let few: BTreeSet<String> = links(&lab(&text(3, ""))).into_iter().collect();
    assert!(few.contains("spine2:leaf1 10.0.0.2/31 -- leaf1:spine2 10.0.0.3/31"), "{few:?}");
    let many = links(&lab(&text(9, "  - { endpoints: [\"spine1:x\", \"spine2:x\"], pool: p }\n")));
    let many: BTreeSet<String> = many.into_iter().collect();
    assert!(many.is_superset(&few), "{few:?} {many:?}");
    assert_eq!(lab(&text(3, "")).nodes["leaf3"].interfaces["lo"].addresses, ["10.1.0.4/32"]);
}

#[test]
fn a_network_is_a_bridge_with_its_members() {
    let text = "
pools: { v4: { range: 10.0.0.0/16, prefix: 24 }, v6: { range: 2001:db8::/48, prefix: 64 } }
nodes:
  gw[1-2]: { forwarding: true }
  h[1-2]-[1-2]: {}
  own: { interfaces: { lan1: { addresses: [10.0.0.77/24] } }, routes: [ { to: default, via: 10.0.0.2 } ] }
networks:
  lan[1-2]: { members: [\"h{1}-*\", \"gw*:x{1}\"], gateway: \"gw{1}\", pool: [v4, v6], bridge: { stp: true }, impair: { delay: 1ms } }
";
    let faults = LabFile::parse("f", text.as_bytes()).map(|_| ()).unwrap_err();
    let own = "f:6:44: 10.0.0.77/24 is in 10.0.0.0/24, which pool v4 gives to line 8 (lan[1-2], lan1); ";
    assert!(faults.len() == 1 && faults[0].starts_with(own), "its node is no member: {faults:?}");
    let lab = lab(&text.replace(", \"gw*:x{1}\"", "").replace("\"h{1}-*\"", "\"h{1}-*\", \"own:lan{1}\""));
    let lan1 = &lab.nodes["lan1"].interfaces;
    assert_eq!(lan1.len(), 5, "{lan1:?}");
    assert_eq!(lan1["h1-2"].port.as_ref().unwrap().bridge, "br0");
    let h = &lab.nodes["h1-1"];
    assert_eq!(h.interfaces["lan1"].addresses, ["10.0.0.2/24", "2001:db8::2/64"]);
    let via: Vec<_> = h.routes.iter().map(|route| (route.to.as_str(), route.via.as_str())).collect();
    assert_eq!(via, [("default", "10.0.0.1"), ("default", "2001:db8::1")]);
    assert_eq!(lab.nodes["own"].interfaces["lan1"].addresses, ["10.0.0.77/24", "2001:db8::4/64"]);
    assert_eq!(lab.nodes["own"].routes.len(), 2, "its own, and one of IPv6");
    assert_eq!(lab.nodes["own"].interfaces["lan2"].addresses, ["10.0.1.4/24", "2001:db8:0:1::4/64"]);
    assert!(lab.links.iter().all(|link| link.impair.is_some()) && lab.links.len() == 8);
}

#[test]
fn routes_go_the_shortest_ways() {
    let lab = lab("
pools: { p: { range: 10.0.0.0/24, prefix: 31 }, l: { range: 10.1.0.0/24, prefix: 32 } }
templates: { router: { forwarding: true, interfaces: { lo: { addresses: [pool:l] } } } }
nodes:
  a: { use: router, routes: [ { to: 10.1.0.2/32, type: blackhole } ] }
  r[1-2]: { use: router }
  b: { use: router }
  h: {}
links:
  - { chain: [a, r1, b], pool: p }
  - { chain: [a, r2, b], pool: p }
  - { chain: [h, b], pool: p }
static_routes: shortest_paths
");
    let routes = |node: &str| -> Vec<String> {
        let hops = |route: &netlab_proto::v1::Route| {
            let several: Vec<&str> = route.next_hops.iter().map(|hop| hop.via.as_str()).collect();
            format!("{} {}{}", route.to, route.via, several.join("+"))
        };
        lab.nodes[node].routes.iter().map(hops).collect()
    };
    let a = routes("a");
    assert!(a.contains(&"10.1.0.3/32 10.0.0.1+10.0.0.5".to_owned()), "both ways: {a:?}");
    assert!(a.contains(&"10.0.0.8/31 10.0.0.1+10.0.0.5".to_owned()), "{a:?}");
    assert!(a.contains(&"10.1.0.1/32 10.0.0.1".to_owned()), "{a:?}");
    assert_eq!(
        a.iter().filter(|route| route.starts_with("10.1.0.2/32")).count(),
        1,
        "the file says it: {a:?}"
    );
    assert_eq!(routes("h"), ["default 10.0.0.9"]);
}

#[test]
fn checks_are_of_all_pairs() {
    let text = "
nodes: { \"h[1-3]\": { interfaces: { lo: { addresses: [\"10.0.0.{1}/32\"] } } }, bare: {} }
checks:
  - { from: all, to: all, reachable: false }
  - { from: \"h[1-2]\", to: \"h3:e{1}\" }
  - { from: h1, to: 192.0.2.1 }
";
    let checks: Vec<String> =
        lab(text).checks.iter().map(|check| format!("{} {}", check.from, check.to)).collect();
    let pairs = ["h1 h2", "h1 h3", "h2 h1", "h2 h3", "h3 h1", "h3 h2"];
    let more = ["h1 h3:e1", "h2 h3:e2", "h1 192.0.2.1"];
    assert_eq!(checks, pairs.into_iter().chain(more).collect::<Vec<_>>());
    assert_eq!(lab(&text.replace("bare", "all")).checks.len(), 4, "a node may be called so");
}

#[test]
fn parameters_have_values() {
    let text = "
parameters:
  n-hosts: { type: number, default: 2, min: 1, max: 9 }
  mtu: { type: number, default: 1400 }
  wire: { values: [dsl, cable], default: dsl }
nodes:
  h[1-{n-hosts}]: { interfaces: { e: { mtu: \"{mtu}\" } }, sysctls: { net.x: \"{other}\" } }
links:
  - { endpoints: [\"h1:e\", \"h2:e\"], impair: { preset: \"{wire}\" } }
";
    let read = |settings: &[&str]| {
        let settings: Vec<_> = settings.iter().map(|text| text.parse().unwrap()).collect();
        LabFile::parse_in("f", text.as_bytes(), None, &settings).map(|file| file.lab)
    };
    let lab = read(&[]).unwrap();
    assert_eq!((lab.nodes.len(), lab.nodes["h2"].interfaces["e"].mtu), (2, Some(1400)));
    assert_eq!(lab.nodes["h1"].sysctls["net.x"], "{other}");
    let lab = read(&["n-hosts=4", "wire=cable"]).unwrap();
    assert_eq!((lab.nodes.len(), lab.links[0].impair.as_ref().unwrap().preset.as_str()), (4, "cable"));
    let told = |setting| read(&[setting]).unwrap_err().concat();
    assert_eq!(told("n-hosts=10"), "f:3:3: --set n-hosts: 10 is out of range, 1 to 9");
    assert_eq!(told("n-hosts=x"), "f:3:3: --set n-hosts: expected a whole number, found \"x\"");
    assert_eq!(told("wire=x"), "f:5:3: --set wire: \"x\" is none of dsl, cable");
    assert_eq!(
        told("n-host=3"),
        "f:3:3: --set n-host: the file has no parameter of this name, did you mean \"n-hosts\"?"
    );
}

#[test]
fn files_include_others() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let main = write(
        "lab.yaml",
        "name: x\ninclude: [parts/common.yaml]\nnodes: { a: { use: router } }\nlinks: []\n",
    );
    let common = write("parts/common.yaml", "name: y\ninclude: more.yaml\nnodes: { b: {} }\n");
    let more = write(
        "parts/more.yaml",
        "templates: { router: { forwarding: true } }\nlinks: [ { endpoints: [\"a:e\", \"b:e\"] } ]\n",
    );
    let lab = LabFile::read(&main, &[]).unwrap().lab;
    assert_eq!((lab.name.as_str(), lab.nodes.len(), lab.links.len()), ("x", 2, 1));
    assert!(lab.nodes["a"].forwarding);
    write("parts/more.yaml", "include: [common.yaml]\nnodes: { a: { forwardin: true } }\n");
    let told = LabFile::read(&main, &[]).unwrap_err().lines;
    let expected = [
        format!("{main}:3:10: \"a\" is here twice, first on line 2 of {more}"),
        format!("{more}:1:11: common.yaml includes itself: {main}, then {common}, then {more}"),
        format!("{more}:2:15: unknown field \"forwardin\", did you mean \"forwarding\"?"),
    ];
    assert_eq!(told[0], expected[0], "{told:#?}");
    assert!(told.contains(&expected[1]) && told.contains(&expected[2]), "{told:#?}");
    write("parts/more.yaml", "nodes: [");
    let told = LabFile::read(&main, &[]).unwrap_err().lines;
    assert!(told.len() == 1 && told[0].starts_with(&more) && told[0].contains("not YAML"), "{told:?}");
    let told = LabFile::parse("f", b"include: [x.yaml]").unwrap_err();
    assert_eq!(told, ["f:1:11: nothing can be included here: this is no file in a folder"]);
}

#[test]
fn many_nodes_are_written_out_at_once() {
    let text = "
pools: { f: { range: 10.0.0.0/8, prefix: 31 }, h: { range: 11.0.0.0/8, prefix: 24 } }
templates: { host: { interfaces: { lo: { addresses: [\"12.{1}.{2}.1/32\"] } } } }
nodes:
  spine[1-4]: { forwarding: true }
  leaf[1-60]: { forwarding: true }
  h[1-60]-[1-66]: { use: host }
links:
  - { mesh: [\"spine[1-4]\", \"leaf[1-60]\"], pool: f }
networks:
  lan[1-60]: { members: [\"h{1}-*\"], gateway: \"leaf{1}\", pool: h }
";
    let start = Instant::now();
    let lab = lab(text);
    // For who runs it alone with --nocapture: no test asserts how long something takes.
    println!("{} nodes, {} links: {:?}", lab.nodes.len(), lab.links.len(), start.elapsed());
    assert_eq!((lab.nodes.len(), lab.links.len()), (4084, 60 * 4 + 60 * 67));
}
