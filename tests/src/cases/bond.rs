//! Bonds: the example with a cable pulled, what breaks it, a wire of two bridges, and what a changed file makes of it.

use std::time::Duration;

use super::{
    Test,
    routing::{is_calm, is_kept},
};
use crate::{
    capture::Capture,
    command::wait_until,
    feature::Feature,
    host::{TestHost, example},
    traffic::Traffic,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("bond::modes", modes).needs(BONDS),
    Test::new("bond::repairs", repairs).needs(BONDS),
    Test::new("bond::through_a_wire", wire).needs(BONDS),
    Test::new("bond::changed", changed).needs(&[Feature::Kind("bond"), Feature::Kind("vlan")]),
    Test::new("bond::slips", slips),
];

const BONDS: &[Feature] = &[Feature::Kind("bond")];
/// How long LACP may take, or a carrier.
const LIMIT: Duration = Duration::from_secs(60);

/// What `ip -d link` shows of an interface.
fn shown(host: &TestHost, node: &str, link: &str) -> String {
    host.exec(node, &format!("ip -d link show {link}")).stdout
}

/// Waits until both members of a bond are in one aggregator, whose other side is no stranger.
fn bundles(host: &TestHost, node: &str) {
    wait_until(&format!("LACP in {node}"), LIMIT, || {
        let shown = shown(host, node, "bond0");
        shown.contains("ad_num_ports 2 ") && !shown.contains("ad_partner_mac 00:00:00:00:00:00")
    });
}

/// Waits until that one works.
fn works(host: &TestHost, node: &str, member: &str) {
    wait_until(&format!("{member} works in {node}"), LIMIT, || {
        shown(host, node, "bond0").contains(&format!("active_slave {member} "))
    });
}

/// The example with one cable pulled in place, as `link` has it.
fn pulled(host: &TestHost, link: &str) -> String {
    let text = example("bond").replace(&format!("[{link}]"), &format!("[{link}], up: false"));
    let text = text.replace(
        &format!("- endpoints: [{link}], up: false"),
        &format!("- {{ endpoints: [{link}], up: false }}"),
    );
    assert!(text.contains("up: false }"), "{text}");
    host.file("pulled.yaml", text)
}

/// All three modes carry, and a cable that is pulled is no loss after that.
fn modes() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/bond.yaml"]).ok();
    bundles(&host, "bond.r1");
    bundles(&host, "bond.r2");
    host.ctl(&["check-lab", "bond"]).ok();
    let _ = host.ctl(&["apply-lab", "--dry-run", "labs/bond.yaml"]).code(0);
    let mac = |link: &str| host.exec("bond.h", &format!("cat /sys/class/net/{link}/address")).ok();
    assert_eq!([mac("eth1"), mac("eth2")], [mac("bond0"), mac("bond0")]);
    let _ = host.exec("bond.h", "ip -d link show eth2").says(" master bond0 ").says("perm_hwaddr ");
    let _ = host.ctl(&["graph", "bond"]).code(0).says("bond0 (bond, 802.3ad)").says("eth1 (member of bond0)");
    failover(&host);
    // One of two cables that are bundled, or are not agreed on: what went by it goes by the other.
    for (link, node) in [(r#""r1:eth1", "r2:eth1""#, "r1"), (r#""r2:eth4", "r3:eth2""#, "r3")] {
        host.ctl(&["apply-lab", &pulled(&host, link)]).ok();
        wait_until(&format!("{node} goes by the other cable"), LIMIT, || {
            host.pings("bond.h", "203.0.113.1") && host.pings("bond.r2", "192.0.2.1")
        });
        let traffic = Traffic::start(&host, "bond.h", "203.0.113.1");
        let _ = traffic.lost_nothing();
    }
    host.ctl(&["apply-lab", "labs/bond.yaml"]).ok();
    bundles(&host, "bond.r1");
    host.ctl(&["check-lab", "bond"]).ok();
    is_calm(&host, "bond");
    host.ctl(&["delete-lab", "bond"]).ok();
    before.assert_unchanged();
}

/// Who works next is known to the switches at once: the bond tells them (`num_grat_arp`).
fn failover(host: &TestHost) {
    works(host, "bond.h", "eth1");
    let wire = Capture::start(host, "bond.h", "eth2", "icmp");
    host.ctl(&["apply-lab", &pulled(host, r#""h:eth1", "sw1:p""#)]).ok();
    works(host, "bond.h", "eth2");
    let traffic = Traffic::start(host, "bond.h", "192.0.2.254");
    wire.sees(&["192.0.2.1 > 192.0.2.254", "echo request"]);
    // Nothing is lost on the way back either.
    host.ctl(&["apply-lab", "labs/bond.yaml"]).ok();
    works(host, "bond.h", "eth1");
    let _ = traffic.lost_nothing();
}

/// What others do to bonds and members.
fn repairs() {
    let host = TestHost::started();
    host.ctl(&["create-lab", "labs/bond.yaml"]).ok();
    bundles(&host, "bond.r1");
    let whole = "h='ip -n bond.h' r='ip -n bond.r1'
        [ $($h -o link show master bond0 up | wc -l) = 2 ]
        [ $($r -o link show master bond0 up | wc -l) = 2 ]
        [ $(ip -n bond.r2 -o link show master bond1 up | wc -l) = 2 ]
        [ $($h -br link | awk '/^(bond0|eth1|eth2)/ { print $3 }' | sort -u | wc -l) = 1 ]
        [ $($h -o link | grep -c ' mtu 1500 ') = 3 ]
        $h -d link show bond0 | grep -q 'bond mode active-backup .*miimon 100 updelay 1000 .* primary eth1 '
        $h -d link show bond0 | grep -q 'fail_over_mac none'
        $h -d link show eth1 | grep -q 'perm_hwaddr '
        $r -d link show bond0 | grep -q 'bond mode 802.3ad .*xmit_hash_policy layer3+4 .*min_links 1 .*lacp_rate fast '
        $h addr show bond0 | grep -q 'inet 192.0.2.1/24 '
        $h route | grep -q '^default via 192.0.2.254 dev bond0 '
        ping=$(ip netns exec bond.h ping -c 1 -W 1 192.0.2.254)";
    is_kept(
        &host,
        "bond",
        whole,
        &[
            "ip -n bond.h link set eth1 nomaster",
            "ip -n bond.h link set eth1 nomaster; ip -n bond.h link set eth2 nomaster; ip -n bond.r1 link set eth2 down",
            "ip -n bond.h link set eth2 address 02:00:00:00:00:99; ip -n bond.h link set eth1 mtu 1400
                ip -n bond.r1 link set bond0 type bond xmit_hash_policy layer2 min_links 2
                ip -n bond.h link set bond0 type bond miimon 50 primary eth2",
            "ip -n bond.h link del bond0; ip -n bond.h link del eth1",
            // Another mode, another rate: the members have to go, or the bond. netlabd may be quicker in putting them back.
            "until printf 'link set eth1 nomaster\nlink set eth2 nomaster\nlink set bond0 down\n\
                    link set bond0 type bond mode broadcast\n' | ip -n bond.h -batch -; do sleep 0.01; done
                until printf 'link set bond0 down\nlink set bond0 type bond lacp_rate slow\n' | ip -n bond.r1 -batch -; do
                    sleep 0.01; done",
            // A member with another address to go back to, and an option that no lab file has.
            "ip -n bond.h link set eth2 nomaster; ip -n bond.h link set eth2 address 02:00:00:00:00:98
                ip -n bond.h link set eth2 master bond0; ip -n bond.r1 link set bond0 type bond resend_igmp 5",
            "ip -n bond.h link set eth1 name stray",
        ],
    );
    let own = |link: &str| shown(&host, "bond.h", link).contains("perm_hwaddr 02:00:00:00:00:98");
    assert!(!own("eth2"), "eth2 would go back to an address that is not its own");
    wait_until("all carries again", LIMIT, || host.pings("bond.h", "203.0.113.1"));
}

/// Two bridges that stand for the wires between two bonds let LACP pass where their ports say so.
fn wire() {
    let host = TestHost::started();
    let before = host.inventory();
    let lab = |groups: &str| {
        let bond = |address: &str| {
            format!(
                "{{ interfaces: {{ bond0: {{ bond: {{ mode: 802.3ad, lacp_rate: fast }}, addresses: [{address}] }}, \
                 eth1: {{ master: bond0 }}, eth2: {{ master: bond0 }} }} }}"
            )
        };
        let wire = format!(
            "{{ interfaces: {{ br0: {{ bridge: {{}} }}, a: {{ port: {{ bridge: br0{groups} }} }}, b: {{ port: {{ \
             bridge: br0{groups} }} }} }} }}"
        );
        format!(
            "name: wire\nnodes:\n  a: {}\n  b: {}\n  w1: {wire}\n  w2: {wire}\nlinks:\n  - {{ endpoints: [\"a:eth1\", \"w1:a\"] \
             }}\n  - {{ endpoints: [\"b:eth1\", \"w1:b\"] }}\n  - {{ endpoints: [\"a:eth2\", \"w2:a\"] }}\n  - {{ endpoints: \
             [\"b:eth2\", \"w2:b\"] }}\n",
            bond("192.0.2.1/24"),
            bond("192.0.2.2/24")
        )
    };
    let deaf = host.file("deaf.yaml", lab(""));
    let heard = host.file("heard.yaml", lab(", group_fwd_mask: [lacp]"));
    host.ctl(&["create-lab", &deaf]).ok();
    std::thread::sleep(Duration::from_secs(4));
    let alone = shown(&host, "wire.a", "bond0");
    assert!(
        alone.contains("ad_num_ports 1 ") && alone.contains("ad_partner_mac 00:00:00:00:00:00"),
        "{alone}"
    );
    host.ctl(&["apply-lab", &heard]).ok();
    bundles(&host, "wire.a");
    bundles(&host, "wire.b");
    assert!(host.pings("wire.a", "192.0.2.2"));
    host.ctl(&["delete-lab", "wire"]).ok();
    before.assert_unchanged();
}

/// Members come and go, another mode, another MTU: each way leads to what a new lab would be.
fn changed() {
    let host = TestHost::started();
    let lab = |bond: &str, members: &str, single: &str| {
        format!(
            "name: c\nnodes:\n  a:\n    interfaces:\n      bond0: {{ bond: {{ {bond} }}, mtu: 1400, addresses: [192.0.2.1/24, \
             \"2001:db8::1/64\"] }}\n      bond0.7: {{ vlan: {{ parent: bond0, id: 7 }}, addresses: [192.0.3.1/24] }}\n{members}\
             {single}  b:\n    interfaces:\n      br0: {{ bridge: {{}}, mtu: 1400, addresses: [192.0.2.2/24, \
             \"2001:db8::2/64\"] }}\n      br0.7: {{ vlan: {{ parent: br0, id: 7 }}, addresses: [192.0.3.2/24] }}\n      eth1: {{ \
             port: {{ bridge: br0 }} }}\n      eth2: {{ port: {{ bridge: br0 }} }}\n      eth3: {{ addresses: \
             [198.51.100.2/24, \"2001:db8:3::2/64\"] }}\nlinks:\n  - endpoints: [\"a:eth1\", \"b:eth1\"]\n  - endpoints: \
             [\"a:eth2\", \"b:eth2\"]\n  - endpoints: [\"a:eth3\", \"b:eth3\"]\n"
        )
    };
    let member = |name: &str| format!("      {name}: {{ master: bond0 }}\n");
    let alone =
        |name: &str| format!("      {name}: {{ addresses: [198.51.100.1/24, \"2001:db8:3::1/64\"] }}\n");
    let first = lab("mode: active-backup", &(member("eth1") + &member("eth2")), &alone("eth3"));
    let second = lab(
        "mode: active-backup, primary: eth2, miimon: 50ms",
        &member("eth2"),
        &(alone("eth1")
            + &alone("eth3").replace("198.51.100.1", "198.51.101.1").replace("db8:3::", "db8:4::")),
    );
    let third =
        lab("mode: active-backup, primary: eth1", &(member("eth1") + &member("eth2")), &alone("eth3"));
    let file = |text: &str| host.file("lab.yaml", text);
    let macs = || host.exec("c.a", "ip -br link | grep -v ^lo").ok();
    host.ctl(&["create-lab", &file(&first)]).ok();
    let was = macs();
    for (text, checks) in [
        (&second, ["192.0.2.2", "192.0.3.2", "2001:db8::2"]),
        (&third, ["192.0.2.2", "192.0.3.2", "198.51.100.2"]),
        (&first, ["2001:db8::2", "192.0.3.2", "2001:db8:3::2"]),
    ] {
        host.ctl(&["apply-lab", &file(text)]).ok();
        let _ = host.ctl(&["apply-lab", "--dry-run", &file(text)]).code(0).says("");
        for address in checks {
            wait_until(&format!("{address} answers"), LIMIT, || host.pings("c.a", address));
        }
        is_calm(&host, "c");
    }
    assert_eq!(macs().replace("LOWER_UP", ""), was.replace("LOWER_UP", ""), "as it was when it was new");
    // What leaves has its own MAC address and MTU again.
    host.ctl(&["apply-lab", &file(&second)]).ok();
    let eth1 = shown(&host, "c.a", "eth1");
    assert!(eth1.contains(" mtu 1500 ") && !eth1.contains("SLAVE"), "{eth1}");
    let mac = |link: &str| host.exec("c.a", &format!("cat /sys/class/net/{link}/address")).ok();
    assert_ne!(mac("eth1"), mac("bond0"));
}

fn slips() {
    let host = TestHost::started();
    for (good, bad, place, words) in [
        ("eth1: { master: bond0 }", "eth1: { master: bnd0 }", ":", "did you mean \"bond0\""),
        (
            "eth1: { master: bond0 }",
            "eth1: { master: bond0, mtu: 1400 }",
            ":",
            "say it at bond0, and leave it out here",
        ),
        ("mode: active-backup,", "mode: lacp,", ":30:", "for LACP write 802.3ad"),
        (
            "primary: eth1",
            "primary: bond0",
            ":30:",
            "bond0 is no member of bond0; say master: bond0 there, or name one of eth1, eth2",
        ),
        ("miimon: 100ms", "miimon: 100", ":30:", "has no unit; write 100ms"),
        ("lacp_rate: fast,", "primary: eth1,", ":", "is for active-backup, and does nothing in 802.3ad"),
    ] {
        let text = example("bond");
        assert!(text.contains(good), "{good}");
        let file = host.file("bad.yaml", text.replacen(good, bad, 1));
        let said = host.ctl(&["create-lab", &file]).code(2).stderr;
        assert!(said.contains(place) && said.contains(words), "{bad}: {said}");
    }
}
