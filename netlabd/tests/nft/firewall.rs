//! Filters that are written come back as ours, and nft(8) reads them as they were meant.

use netlabd::{
    kernel::nft::{self, ChainScope},
    model::{
        Action, Conditions, Firewall, FirewallChain, FirewallRule, IcmpType, IpProtocol,
        nft::{Part, Policy, States},
        observed::RulesState,
    },
};

use super::{
    names::{self, masquerade},
    support::{isolated, sh},
};

fn replace(firewall: &Firewall) {
    nft::replace(ChainScope::Node, Part::Firewall, &firewall.chains()).unwrap();
}

fn read(firewall: &Firewall) -> RulesState {
    nft::look_at(ChainScope::Node, Part::Firewall, &firewall.chains()).unwrap()
}

fn rule(when: Conditions, action: Action) -> FirewallRule {
    FirewallRule { when, action }
}

fn protocol(text: &str) -> Conditions {
    Conditions { protocol: Some(text.parse().unwrap()), ..Conditions::default() }
}

/// Something of all that a rule can say.
fn every_rule() -> Firewall {
    let state = |name| Conditions { state: States::named(name), ..Conditions::default() };
    let known = States::named("established").and_then(|a| Some(a.and(States::named("related")?)));
    let wide = Conditions {
        in_interface: Some("eth0".parse().unwrap()),
        out_interface: Some("fifteen-letters".parse().unwrap()),
        source: Some("192.0.2.0/24".parse().unwrap()),
        destination: Some("10.0.0.0/9".parse().unwrap()),
        ports: vec!["80".parse().unwrap(), "8000-8010".parse().unwrap()],
        source_ports: vec!["1024-65535".parse().unwrap()],
        ..protocol("tcp")
    };
    let v6 = Conditions { source: Some("2001:db8::/33".parse().unwrap()), ..protocol("sctp") };
    let ping = |ipv6, name| vec![IcmpType::read(ipv6, name).unwrap()];
    let forward = vec![
        rule(Conditions { state: known, ..Conditions::default() }, Action::Accept),
        rule(state("invalid"), Action::Drop),
        rule(wide, Action::Accept),
        rule(v6, Action::Reject),
        rule(Conditions { icmp_types: ping(false, "echo-request"), ..protocol("icmp") }, Action::Accept),
        rule(
            Conditions { icmp_types: ping(true, "nd-neighbor-solicit"), ..protocol("icmpv6") },
            Action::Accept,
        ),
        rule(protocol("icmpv6"), Action::Accept),
        rule(protocol("ospf"), Action::Accept),
        rule(Conditions::default(), Action::Reject),
    ];
    let empty = FirewallChain { policy: Policy::Drop, rules: Vec::new() };
    let output = vec![rule(Conditions { protocol: Some(IpProtocol::UDP), ..state("new") }, Action::Accept)];
    Firewall {
        input: Some(empty),
        forward: Some(FirewallChain { policy: Policy::Accept, rules: forward }),
        output: Some(FirewallChain { policy: Policy::Drop, rules: output }),
    }
}

#[test]
fn nft_reads_filters_as_they_were_meant() {
    isolated(|| {
        let firewall = every_rule();
        replace(&firewall);
        assert_eq!(read(&firewall), RulesState::AsWanted);
        let expected = r#"table inet netlab {
	chain input {
		type filter hook input priority filter; policy drop;
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related counter accept
		ct state invalid counter drop
		iifname "eth0" oifname "fifteen-letters" ip saddr 192.0.2.0/24 ip daddr 10.0.0.0/9 tcp sport 1024-65535 tcp dport 80 counter accept
		iifname "eth0" oifname "fifteen-letters" ip saddr 192.0.2.0/24 ip daddr 10.0.0.0/9 tcp sport 1024-65535 tcp dport 8000-8010 counter accept
		ip6 saddr 2001:db8::/33 meta l4proto sctp counter reject with icmpv6 port-unreachable
		icmp type echo-request counter accept
		icmpv6 type nd-neighbor-solicit counter accept
		meta l4proto ipv6-icmp counter accept
		meta l4proto ospf counter accept
		counter reject
	}

	chain output {
		type filter hook output priority filter; policy drop;
		ct state new meta l4proto udp counter accept
	}
}
"#;
        let listing = sh("nft -s list ruleset");
        assert_eq!(listing, expected);
        // What it lists it loads again, and that is the same.
        sh("nft -s list ruleset > /run/netns/saved; nft flush ruleset; nft -f /run/netns/saved");
        assert_eq!(read(&firewall), RulesState::AsWanted);
        replace(&Firewall::default());
        assert_eq!(sh("nft list ruleset"), "");
    });
}

#[test]
fn what_others_do_to_filters_shows() {
    isolated(|| {
        let firewall = every_rule();
        for damage in [
            "nft flush ruleset",
            "nft flush chain inet netlab forward",
            "nft delete chain inet netlab input",
            "nft add chain inet netlab input '{ policy accept; }'",
            "nft insert rule inet netlab input accept",
            "nft add table inet netlab '{ flags dormant; }'",
        ] {
            replace(&firewall);
            assert_eq!(read(&firewall), RulesState::AsWanted, "before {damage}");
            sh(damage);
            assert_ne!(read(&firewall), RulesState::AsWanted, "{damage}");
        }
        replace(&firewall);
        assert_eq!(read(&firewall), RulesState::AsWanted);
        let only_output = Firewall { output: firewall.output, ..Firewall::default() };
        assert_eq!(read(&only_output), RulesState::Other, "chains that are not wanted");
        replace(&only_output);
        assert_eq!(read(&only_output), RulesState::AsWanted);
        assert!(!sh("nft list ruleset").contains("chain input"));
    });
}

#[test]
fn nat_and_filters_do_not_touch_each_other() {
    isolated(|| {
        let (firewall, nat) = (every_rule(), [masquerade("192.0.2.0/24", "eth1")]);
        replace(&firewall);
        names::replace(ChainScope::Node, &nat).unwrap();
        assert!(names::is(ChainScope::Node, &nat));
        assert_eq!(read(&firewall), RulesState::AsWanted);
        names::remove(ChainScope::Node).unwrap();
        assert_eq!(read(&firewall), RulesState::AsWanted);
        names::replace(ChainScope::Node, &nat).unwrap();
        replace(&Firewall::default());
        assert!(names::is(ChainScope::Node, &nat));
        assert_eq!(read(&Firewall::default()), RulesState::Absent);
        names::remove(ChainScope::Node).unwrap();
        assert_eq!(sh("nft list ruleset"), "");
    });
}
