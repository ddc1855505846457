//! What somebody adds by hand is left alone and told of.

use super::{
    Test,
    drift::{LAB, LATER, SOON, breaks, with_lab},
};
use crate::{command::wait_until, feature::Feature, host::TestHost};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("extras::are_left_alone", extras),
    Test::new("extras::rules_of_others_in_nodes", rules_of_others).needs(&[Feature::Nat]),
];

fn extras() {
    let (host, file) = with_lab();
    host.sh("ip -n d.ns1 addr add 192.0.2.77/24 dev eth0
        ip -n d.ns1 route add 198.18.0.0/15 via 192.0.2.254
        ip -n d.ns1 route add 198.51.100.0/24 via 192.0.2.254 proto zebra
        ip -n d.ns1 route add 198.51.100.128/25 via 192.0.2.254 proto bird
        ip -n d.ns1 link add mine type veth peer name yours
        ip -n d.ns1 addr add 10.9.9.1/24 dev mine
        ip -n d.ns1 rule add from 10.9.9.9 lookup 99");
    let added = || {
        host.sh("ip -n d.ns1 addr show dev eth0 | grep -q 192.0.2.77/24
            ip -n d.ns1 route | grep -q 198.18.0.0/15
            ip -n d.ns1 route | grep -q '198.51.100.0/24 .*proto zebra'
            ip -n d.ns1 route | grep -q '198.51.100.128/25 .*proto bird'
            ip -n d.ns1 addr show dev mine | grep -q 10.9.9.1/24
            ip -n d.ns1 rule | grep -q 10.9.9.9");
    };
    breaks(
        &host,
        "d",
        &[("ip -n d.ns1 link set eth0 mtu 1300", "ip -n d.ns1 link show eth0 | grep -q 'mtu 1500'")],
        SOON,
    );
    added();
    wait_until("get-lab shows what was added", LATER, || {
        let extras = host.lab("d")["status"]["extras"].to_string();
        ["192.0.2.77/24", "198.18.0.0/15", "1 route by zebra", "1 route by bird", "from 10.9.9.9/32", "mine"]
            .iter()
            .all(|extra| extras.contains(extra))
    });
    // A changed lab leaves them alone too, and a plan does not speak of them.
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    let changed = host.file("changed.yaml", LAB.replace("99", "98"));
    host.ctl(&["apply-lab", &changed]).ok();
    added();
    host.ctl(&["delete-lab", "d"]).ok();
    assert_eq!(host.sh("ls /run/netns"), "", "no namespace is left");
}

/// Rules that somebody typed in a node, beside ours, in our table, and where we have none.
fn rules_of_others() {
    let host = TestHost::started();
    host.ctl(&["create-lab", "labs/internet-router.yaml"]).ok();
    let extras = || host.lab("internet-router")["status"]["extras"].to_string();
    let tells = |extra: &str| {
        wait_until(&format!("get-lab tells of {extra}"), SOON, || extras().contains(extra));
    };
    let in_router = "ip netns exec internet-router.router";
    // Each of these is told by its event: nothing else in the lab changes.
    host.sh(&format!(
        "{in_router} nft 'table ip mine {{ chain c {{ type filter hook input priority 0; }}; }}'"
    ));
    tells("router: nft table ip mine, 1 chain, 0 rules");
    host.sh(&format!("{in_router} nft add rule ip mine c ip protocol icmp accept"));
    tells("router: nft table ip mine, 1 chain, 1 rule\"");
    host.sh(&format!("{in_router} nft 'table inet netlab {{ chain mine {{ accept; }}; }}'"));
    tells("router: nft table inet netlab, 1 chain, 1 rule");
    host.sh("ip netns exec internet-router.ns1 nft add table bridge yours");
    tells("ns1: nft table bridge yours, 0 chains, 0 rules");
    // A repair of our own rules leaves them alone.
    let ruleset = || {
        host.sh(&format!(
            "{in_router} nft list table ip mine; {in_router} nft list chain inet netlab mine;
             ip netns exec internet-router.ns1 nft list ruleset"
        ))
    };
    let before = ruleset();
    breaks(
        &host,
        "internet-router",
        &[(
            "ip netns exec internet-router.router nft flush chain inet netlab postrouting",
            "ip netns exec internet-router.router nft list ruleset | grep -q masquerade",
        )],
        SOON,
    );
    assert_eq!(ruleset(), before);
    let _ = host.ctl(&["apply-lab", "--dry-run", "labs/internet-router.yaml"]).code(0);
    host.sh(&format!("{in_router} nft delete table ip mine"));
    wait_until("get-lab no longer tells of what is gone", SOON, || !extras().contains("ip mine"));
    host.ctl(&["delete-lab", "internet-router"]).ok();
    assert_eq!(host.sh("ls /run/netns"), "", "no namespace is left");
}
