//! Firewall rules of others that drop what a lab sends are named; whether packets pass is the yardstick.

use std::time::Duration;

use super::Test;
use crate::{command::wait_until, feature::Feature, host::TestHost, internet::Internet};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("firewall::docker", docker).needs(&[Feature::Nat]),
    Test::new("firewall::firewalld", firewalld).needs(&[Feature::Nat]),
    Test::new("firewall::ufw", ufw).needs(&[Feature::Nat]),
    Test::new("firewall::by_hand", by_hand).needs(&[Feature::Nat]),
    Test::new("firewall::port_forwards_and_the_host_itself", port_forwards).needs(&[Feature::Nat]),
    Test::new("firewall::our_table_is_put_back_after_a_reload", reload).needs(&[Feature::Nat]),
];

/// How long until a change of the rules is told of; a loaded machine must not matter.
const SOON: Duration = Duration::from_secs(20);

/// The lab's way to the internet, and the interfaces on it.
const WAY: &str = "(lab0 to wan0)";

/// What dockerd 28 makes of iptables-nft, with its default network. All others are not forwarded.
const DOCKER: &str = r#"
table ip filter {
  chain DOCKER { iifname != "docker0" oifname "docker0" counter drop; }
  chain DOCKER-BRIDGE { oifname "docker0" counter jump DOCKER; }
  chain DOCKER-CT { oifname "docker0" ct state related,established counter accept; }
  chain DOCKER-INTERNAL { }
  chain DOCKER-FORWARD {
    counter jump DOCKER-CT
    counter jump DOCKER-INTERNAL
    counter jump DOCKER-BRIDGE
    iifname "docker0" counter accept
  }
  chain DOCKER-USER { }
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    counter jump DOCKER-USER
    counter jump DOCKER-FORWARD
  }
}
table ip nat {
  chain DOCKER { iifname "docker0" counter return; }
  chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local counter jump DOCKER; }
  chain POSTROUTING {
    type nat hook postrouting priority srcnat
    oifname != "docker0" ip saddr 172.17.0.0/16 counter masquerade
  }
}
"#;

/// What firewalld 1.3 makes for a default zone `public` with the interface `wan0`, shortened by chains that
/// hold nothing.
const FIREWALLD: &str = r#"
table inet firewalld {
  chain mangle_PREROUTING { type filter hook prerouting priority mangle + 10; jump mangle_PREROUTING_ZONES; }
  chain mangle_PREROUTING_ZONES { }
  chain filter_PREROUTING {
    type filter hook prerouting priority filter + 10
    icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
    meta nfproto ipv6 fib saddr . mark . iif oif missing drop
  }
  chain filter_INPUT {
    type filter hook input priority filter + 10
    ct state { established, related } accept
    ct status dnat accept
    iifname "lo" accept
    ct state invalid drop
    jump filter_INPUT_ZONES
    reject with icmpx admin-prohibited
  }
  chain filter_FORWARD {
    type filter hook forward priority filter + 10
    ct state { established, related } accept
    ct status dnat accept
    iifname "lo" accept
    ct state invalid drop
    ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24, 2002:7f00::/24 } reject with icmpv6 addr-unreachable
    jump filter_FORWARD_ZONES
    reject with icmpx admin-prohibited
  }
  chain filter_INPUT_ZONES { iifname "wan0" goto filter_IN_public; goto filter_IN_public; }
  chain filter_FORWARD_ZONES { iifname "wan0" goto filter_FWD_public; goto filter_FWD_public; }
  chain filter_FORWARD_POLICIES_pre { }
  chain filter_FORWARD_POLICIES_post { }
  chain filter_IN_public {
    jump filter_IN_public_allow
    meta l4proto { icmp, ipv6-icmp } accept
    reject with icmpx admin-prohibited
  }
  chain filter_IN_public_allow { tcp dport 22 accept; }
  chain filter_FWD_public {
    jump filter_FORWARD_POLICIES_pre
    jump filter_FWD_public_allow
    jump filter_FORWARD_POLICIES_post
    reject with icmpx admin-prohibited
  }
  chain filter_FWD_public_allow { oifname "wan1" accept; }
  chain filter_FWD_trusted { jump filter_FORWARD_POLICIES_pre; accept; }
}
"#;

/// The chains of ufw 0.36 with its defaults (deny incoming, allow outgoing, deny routed), shortened by
/// those that only log.
const UFW: &str = r#"
table ip filter {
  chain ufw-before-forward {
    ct state related,established counter accept
    icmp type destination-unreachable counter accept
    icmp type time-exceeded counter accept
    icmp type parameter-problem counter accept
    jump ufw-user-forward
  }
  chain ufw-user-forward { }
  chain ufw-after-forward { }
  chain ufw-reject-forward { }
  chain ufw-before-input {
    iifname "lo" counter accept
    ct state related,established counter accept
    ct state invalid counter drop
    icmp type echo-request counter accept
    jump ufw-user-input
  }
  chain ufw-user-input { }
  chain INPUT { type filter hook input priority filter; policy drop; counter jump ufw-before-input; }
  chain FORWARD {
    type filter hook forward priority filter; policy drop
    counter jump ufw-before-forward
    counter jump ufw-after-forward
    counter jump ufw-reject-forward
  }
}
"#;

/// A host on the internet with the lab `internet`, and rules of somebody else.
fn with_rules(rules: &str) -> TestHost {
    let host = TestHost::started();
    let _ = Internet::connect(&host);
    load(&host, rules);
    host.ctl(&["create-lab", "labs/internet.yaml"]).ok();
    host
}

fn load(host: &TestHost, rules: &str) {
    let file = host.file("rules.nft", rules);
    host.sh(&format!("nft -f {file}"));
}

/// The condition `HostReady`: its status and message.
fn condition(host: &TestHost, lab: &str) -> (String, String) {
    let lab = host.lab(lab);
    let conditions = lab["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition["type"] == "HostReady");
    let found = found.unwrap_or_else(|| panic!("no condition HostReady: {lab}"));
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("message"))
}

/// Waits until the condition has a status, and compares it with what becomes of packets; its message.
fn stands(host: &TestHost, status: &str) -> String {
    wait_until(&format!("HostReady is {status}"), SOON, || condition(host, "internet").0 == status);
    let (_, message) = condition(host, "internet");
    packets(host, status == "True", &message);
    message
}

/// Whether packets reach the internet and come back.
fn packets(host: &TestHost, pass: bool, why: &str) {
    let ping =
        |wait: &str| host.exec("internet.ns1", &format!("ping -n -c 1 -W {wait} {}", Internet::SERVER));
    if pass {
        wait_until(&format!("packets pass with: {why}"), SOON, || ping("1").code == 0);
    } else {
        assert!(ping("0.4").code != 0, "something passes: {why}");
    }
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

fn docker() {
    let host = with_rules(DOCKER);
    let message = stands(&host, "False");
    says(
        &message,
        &[
            "the policy (drop) of chain FORWARD in table ip filter",
            WAY,
            "iptables -I DOCKER-USER -i lab0 -j ACCEPT",
            "iptables -I DOCKER-USER -o lab0 -j ACCEPT",
        ],
    );
    // Everybody hears of it: who checks, who asks what the host can do, who looks.
    let _ = host.ctl(&["check-lab", "internet"]).says("chain FORWARD in table ip filter");
    let _ = host.ctl(&["doctor"]).says("chain FORWARD in table ip filter");
    let _ = host.ctl(&["get-lab", "internet"]).says("FirewallDrops");
    let told = host.ctl(&["apply-lab", "labs/internet.yaml"]).code(0).stderr;
    says(&told, &["warning: the policy (drop) of chain FORWARD"]);
    let before = host.sh("nft -s list table ip filter");
    host.sh("nft insert rule ip filter DOCKER-USER iifname lab0 accept");
    wait_until("the first command is seen", SOON, || !condition(&host, "internet").1.contains("sends out"));
    says(&stands(&host, "False"), &["answers to the lab (wan0 to lab0)"]);
    host.sh("nft insert rule ip filter DOCKER-USER oifname lab0 accept");
    stands(&host, "True");
    host.sh("nft flush chain ip filter DOCKER-USER");
    stands(&host, "False");
    assert_eq!(host.sh("nft -s list table ip filter"), before, "rules of others are left alone");
    let _ = host.ctl(&["apply-lab", "--dry-run", "labs/internet.yaml"]).code(0);
    host.ctl(&["delete-lab", "internet"]).ok();
    assert_eq!(host.sh("nft -s list table ip filter"), before, "rules of others are left alone");
}

fn firewalld() {
    let host = with_rules(FIREWALLD);
    let message = stands(&host, "False");
    says(
        &message,
        &[
            "`reject` of chain filter_FWD_public in table inet firewalld",
            WAY,
            "firewall-cmd --zone=trusted --add-interface=lab0",
        ],
    );
    // Answers pass, and so do pings of the host.
    assert!(!message.contains("answers") && !message.contains("pings"), "{message}");
    // What that command does.
    host.sh("nft insert rule inet firewalld filter_FORWARD_ZONES iifname lab0 goto filter_FWD_trusted");
    stands(&host, "True");
}

fn ufw() {
    let host = with_rules(UFW);
    let message = stands(&host, "False");
    says(&message, &["the policy (drop) of chain FORWARD", WAY, "ufw route allow in on lab0"]);
    assert!(!message.contains("answers") && !message.contains("pings"), "{message}");
    // What that command does.
    host.sh("nft add rule ip filter ufw-user-forward iifname lab0 counter accept");
    stands(&host, "True");
}

/// Rules with sets, maps, prefixes and several chains: each drops all or nothing.
fn by_hand() {
    let host = with_rules("");
    let forward = |rules: &str| {
        load(
            &host,
            &format!(
                "table inet fw {{ }}
                 delete table inet fw
                 table inet fw {{
                   set nets {{ type ipv4_addr; flags interval; elements = {{ 10.0.0.0/8, 192.0.2.0/24 }}; }}
                   chain sub {{ iifname lab0 return; oifname lab0 return; drop; }}
                   chain forward {{ type filter hook forward priority 0; policy accept; {rules}; }}
                 }}"
            ),
        );
    };
    let dropping = [
        "drop",
        "iifname lab0 drop",
        "iifname \"lab*\" drop",
        "iif lab0 drop",
        "oifname wan0 drop",
        "ip saddr @nets drop",
        "ip saddr 192.0.2.128/25 accept; ip saddr 192.0.2.0/24 drop",
        "ip saddr 192.0.0.0/16 drop",
        "ct state new drop",
        "ct state vmap { established : accept, related : accept, new : drop }",
        "iifname vmap { lo : accept, lab0 : drop }",
        "iifname . oifname { lab0 . wan0 } drop",
        "iifname lab0 oifname wan0 reject",
        "iifname != lo drop",
        "oifname lab0 ct state established drop",
        "meta nfproto ipv4 ip protocol != tcp ip protocol != udp drop; tcp dport 1-65535 drop; drop",
        "jump sub; drop",
    ];
    let passing = [
        "accept; drop",
        "iifname eth0 drop",
        "iifname \"lan*\" drop",
        "iif lo drop",
        "iifname lab0 ip saddr != @nets drop",
        "ip saddr 192.0.3.0/24 drop",
        "ip6 saddr ::/0 drop",
        "meta nfproto ipv6 drop",
        "ct state invalid drop",
        "ct state vmap { established : accept, related : accept, invalid : drop }",
        "iifname vmap { lo : drop, lab0 : accept }; oifname wan0 drop",
        "iifname . oifname { lab0 . lo } drop",
        "iifname { lab0, lab1 } accept; oifname lab0 accept; drop",
        "tcp dport 25 drop",
        "jump sub",
    ];
    for (rules, status) in dropping.map(|r| (r, "False")).into_iter().chain(passing.map(|r| (r, "True"))) {
        forward(rules);
        packets(&host, status == "True", rules);
        wait_until(&format!("HostReady is {status} with: {rules}"), SOON, || {
            condition(&host, "internet").0 == status
        });
    }
    // An accept in one chain is none in another.
    forward("accept");
    load(&host, "table ip late { chain forward { type filter hook forward priority 10; policy drop; }; }");
    let message = stands(&host, "False");
    says(&message, &["table ip late", "nft insert rule ip late forward iifname lab0 accept"]);
    // The advice does what it says.
    let (_, commands) = message.split_once("let it through with: ").expect("what to do");
    host.sh(commands);
    stands(&host, "True");
    // What cannot be told is not claimed.
    host.sh("nft delete table inet fw; nft flush table ip late");
    host.sh("nft add rule ip late forward meta mark 7 accept");
    wait_until("it cannot be told", SOON, || condition(&host, "internet").0 == "Unknown");
    says(&condition(&host, "internet").1, &["unless rule", "table ip late"]);
    // Without rules in force nothing drops.
    host.sh("nft 'add table ip late { flags dormant; }'");
    stands(&host, "True");
}

fn port_forwards() {
    let host = TestHost::started();
    let _ = Internet::connect(&host);
    load(
        &host,
        "table inet fw {
           chain input { type filter hook input priority 0; policy drop; ct state established accept; }
           chain forward {
             type filter hook forward priority 0; policy drop
             ct state established,related accept
             iifname lab0 accept
           }
         }",
    );
    let file = host.file(
        "f.yaml",
        "name: f
nodes:
  ns1:
    interfaces: { eth0: { addresses: [192.0.2.1/24] } }
    routes: [ { to: default, via: 192.0.2.254 } ]
host:
  interfaces: { lab0: { addresses: [192.0.2.254/24] } }
  forwarding: true
  nat:
    masquerade: [ { source: 192.0.2.0/24 } ]
    port_forwards: [ { protocol: tcp, port: 8080, to: \"192.0.2.1:80\", in_interface: wan0 } ]
links:
  - endpoints: [\"ns1:eth0\", \"host:lab0\"]
",
    );
    host.ctl(&["create-lab", &file]).ok();
    assert!(host.pings("f.ns1", Internet::SERVER), "the way out is open");
    let (status, message) = condition(&host, "f");
    assert_eq!(status, "False", "{message}");
    says(&message, &["the port forward of port 80 (wan0 to lab0)", "pings of the lab to the host (lab0)"]);
    says(&message, &["nft insert rule inet fw forward oifname lab0 accept"]);
    host.sh("nft insert rule inet fw forward ct status dnat accept");
    wait_until("port forwards pass", SOON, || !condition(&host, "f").1.contains("port forward"));
    assert!(!host.pings("f.ns1", "192.0.2.254"), "the host does not answer");
    host.sh("nft insert rule inet fw input icmp type echo-request accept");
    wait_until("all is well", SOON, || condition(&host, "f").0 == "True");
    assert!(host.pings("f.ns1", "192.0.2.254"), "the host answers");
    // A lab that needs nothing of the host says nothing of it.
    let file = host.file("g.yaml", "name: g\nnodes: { ns1: {} }\n");
    host.ctl(&["create-lab", &file]).ok();
    assert!(!host.lab("g")["status"].to_string().contains("HostReady"), "it is not behind the firewall");
}

/// What `systemctl reload nftables` and the like do: everything is flushed, then the rules are loaded.
fn reload() {
    let host = with_rules("");
    stands(&host, "True");
    let ours =
        |host: &TestHost| host.sh("nft list ruleset | grep -c 'inet netlab\\|192.0.2.0/24.*masquerade' || :");
    assert_eq!(ours(&host).trim(), "2");
    for round in 0..3 {
        load(&host, &format!("flush ruleset\n{FIREWALLD}"));
        wait_until(&format!("our table is back after reload {round}"), SOON, || ours(&host).trim() == "2");
    }
    let message = stands(&host, "False");
    says(&message, &["table inet firewalld"]);
    let others = host.sh("nft list table inet firewalld");
    load(&host, "flush ruleset");
    wait_until("our table is back", SOON, || ours(&host).trim() == "2");
    stands(&host, "True");
    // Ours is put back, and never anything of others.
    assert_eq!(host.sh("nft list tables").trim(), "table inet netlab");
    load(&host, FIREWALLD);
    stands(&host, "False");
    assert_eq!(host.sh("nft list table inet firewalld"), others, "rules of others are left alone");
    assert!(host.lab("internet")["status"]["drift_repaired"].to_string().contains('4'), "each repair counts");
}
