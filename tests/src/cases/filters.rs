//! Firewalls of nodes: whether packets pass is the yardstick.

use std::time::Duration;

use super::{Test, drift::breaks};
use crate::{feature::Feature, host::TestHost};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("filters::stateful", stateful).needs(&[Feature::Firewall]),
    Test::new("filters::repaired", repaired).needs(&[Feature::Firewall]),
    Test::new("filters::changed_and_taken_away", changed).needs(&[Feature::Firewall]),
    Test::new("filters::bad_input", bad_input),
];

const LAB: &str = "labs/firewall.yaml";

/// Long enough for whoever gets no answer.
const SILENCE: Duration = Duration::from_secs(2);

/// Whether a connection is refused (`ECONNREFUSED`); where nobody answers, it ends otherwise.
fn refused(host: &TestHost, from: &str, address: &str, port: u16) -> bool {
    let connect = format!(
        "import socket, sys; s = socket.socket(); s.settimeout({}); sys.exit(s.connect_ex(('{address}', {port})) != 111)",
        SILENCE.as_secs()
    );
    host.run("ip", &["netns", "exec", from, "python3", "-c", &connect]).code == 0
}

fn stateful() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", LAB]).ok();
    host.ctl(&["check-lab", "firewall"]).ok();
    let _ = host.ctl(&["apply-lab", "--dry-run", LAB]).code(0);
    let (outside, web) =
        (host.serve("firewall.outside", 80, "outside"), host.serve("firewall.web", 80, "web"));
    let inside = host.serve("firewall.client", 80, "inside");
    assert_eq!(host.fetch("firewall.client", "198.18.0.1:80"), "outside", "answers come in");
    assert_eq!(host.fetch("firewall.client", "[2001:db8:2::1]:80"), "outside", "of IPv6 too");
    assert_eq!(host.fetch("firewall.outside", "203.0.113.1:80"), "web", "the port that is open");
    assert!(refused(&host, "firewall.outside", "192.0.2.1", 80), "reject answers");
    assert!(refused(&host, "firewall.outside", "203.0.113.1", 81), "a port that is not open");
    // Dropped: nobody says that nobody listens.
    assert!(!refused(&host, "firewall.outside", "198.18.0.254", 80), "the policy of input does not answer");
    assert!(
        refused(&host, "firewall.client", "192.0.2.254", 80),
        "the inside is let in, and hears that nobody listens"
    );
    [outside, web, inside].into_iter().for_each(crate::service::Service::stop);
    let counted = host.exec("firewall.router", "nft list chain inet netlab forward").ok();
    assert!(!counted.contains("established,related counter packets 0 "), "{counted}");
    host.ctl(&["delete-lab", "firewall"]).ok();
    before.assert_unchanged();
}

fn repaired() {
    const SOON: Duration = Duration::from_secs(10);
    let host = TestHost::started();
    host.ctl(&["create-lab", LAB]).ok();
    host.sh("ip netns exec firewall.router nft 'table ip stranger { chain c { type filter hook input priority 50; }; }'");
    let mended = "ip netns exec firewall.router nft list ruleset | tr -d '\\n\\t' | \
                  grep -q 'policy drop;ct state established,related.*policy drop;ct state established,related'";
    let in_router = |command: &str| -> &'static str {
        Box::leak(format!("ip netns exec firewall.router nft {command}").into_boxed_str())
    };
    let closed = "! ip netns exec firewall.outside ping -c 1 -W 1 192.0.2.1";
    let damages = [
        (in_router("delete table inet netlab"), mended),
        (
            in_router("'add chain inet netlab forward { policy accept; }; flush chain inet netlab input'"),
            mended,
        ),
        (in_router("insert rule inet netlab forward accept"), closed),
    ];
    breaks(&host, "firewall", &damages, SOON);
    let _ = host.exec("firewall.router", "nft list ruleset").says("table ip stranger");
    let text = host.ctl(&["get-lab", "firewall"]).ok();
    assert!(text.contains("router: nft table ip stranger"), "what others have is told: {text}");
    let _ = host.ctl(&["apply-lab", "--dry-run", LAB]).code(0);
    host.ctl(&["delete-lab", "firewall"]).ok();
}

fn changed() {
    let host = TestHost::started();
    host.ctl(&["create-lab", LAB]).ok();
    let text = std::fs::read_to_string(crate::host::repository().join(LAB)).expect("an example is readable");
    let apply = |text: &str| {
        let file = host.file("next.yaml", text);
        host.ctl(&["apply-lab", &file]).ok();
        let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
        host.exec("firewall.router", "nft -s list ruleset").ok()
    };
    let pings = || host.pings("firewall.outside", "192.0.2.1");
    assert!(!pings());
    let open = apply(
        &text.replace("{ in_interface: eth1, action: reject }", "{ in_interface: eth1, action: accept }"),
    );
    assert!(pings() && !open.contains("reject"), "{open}");
    let (head, rest) = text.split_once("      input:\n").expect("the example has an input chain");
    let (_, tail) = rest.split_once("\n  outside:").expect("and a node behind it");
    let without_input = apply(&format!("{head}\n  outside:{tail}"));
    assert!(!pings() && !without_input.contains("chain input"), "{without_input}");
    let (head, _) = head.split_once("    firewall:\n").expect("the example has a firewall");
    assert_eq!(
        apply(&format!("{head}\n  outside:{tail}").replace(", reachable: false", "")),
        "",
        "without a trace"
    );
    assert!(pings());
    host.ctl(&["delete-lab", "firewall"]).ok();
}

/// Faults are told with line and column, and change nothing.
fn bad_input() {
    let host = TestHost::started();
    let lab = |rule: &str| {
        let node = format!(
            "forwarding: true, interfaces: {{ e: {{}} }}, firewall: {{ forward: {{ rules: [\n    {rule}\n  ] }} }}"
        );
        format!(
            "name: bad\nnodes:\n  r: {{ {node} }}\n  h: {{ interfaces: {{ e: {{}} }} }}\nlinks: [ {{ endpoints: [\"r:e\", \"h:e\"] }} ]\n"
        )
    };
    for (rule, place, words) in [
        ("{ action: pass }", "4:15", "\"pass\" is no action: accept, drop, reject"),
        ("{ action: drop, state: [old] }", "4:29", "is no state of a connection"),
        ("{ action: drop, in_interface: f }", "4:35", "r has no interface \"f\""),
        ("{ action: drop, protocol: udp, ports: [90-80] }", "4:44", "ends before it begins; write 80-90"),
        ("{ action: drop, ports: [80] }", "4:21", "set protocol to tcp, udp or sctp"),
        ("{ action: drop, source: 10.0.0.0/8, destination: \"::/0\" }", "4:5", "no packet is both"),
        ("{ action: drop }, { action: drop, protocol: tcp }", "4:23", "none gets here"),
    ] {
        let file = host.file("bad.yaml", lab(rule));
        for command in ["show-commands", "create-lab"] {
            let said = host.ctl(&[command, &file]).code(2).stderr;
            assert!(said.contains(&format!("bad.yaml:{place}: ")) && said.contains(words), "{rule}:\n{said}");
        }
    }
    let many: Vec<String> =
        (1..=10_000).map(|port| format!("{{ protocol: tcp, ports: [{port}], action: drop }}")).collect();
    let file = host.file("bad.yaml", lab(&many.join(", ")));
    let said = host.ctl(&["create-lab", &file]).code(2).stderr;
    assert!(said.contains("10000 rules; at most 1000 are allowed"), "{said}");
    assert_eq!(host.sh("ls /run/netns"), "", "nothing has changed");
}
