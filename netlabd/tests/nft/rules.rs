//! Rules that are written come back as ours; what others do to them shows.

use netlabd::{
    kernel::nft::{ChainScope, probe_features, probe_filters},
    model::{NatRule, Protocol, observed::RulesState},
};

use super::{
    names::{addresses, dnat, forward, is, masquerade, prefix, read, remove, replace, snat, typed},
    support::{isolated, sh},
};

/// Every variant, prerouting before postrouting.
fn every_rule() -> Vec<NatRule> {
    let longest = "fifteen-letters";
    let mut rules = Vec::new();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        for to in ["192.0.2.1:80", "[2001:db8::1]:443", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"] {
            for input in ["", "eth0", longest] {
                rules.push(forward(protocol, 65535, to, input));
            }
        }
    }
    let ranges = [addresses("192.0.2.5", "192.0.2.5"), addresses("2001:db8::5", "2001:db8::9")];
    let ports = [None, Some((Protocol::Udp, "", "")), Some((Protocol::Tcp, "80-90", "8080"))];
    let more = [Some((Protocol::Tcp, "80-82", "81-83")), Some((Protocol::Udp, "1-65535", "1-65535"))];
    for (to, ports) in ranges.into_iter().flat_map(|to| ports.into_iter().chain(more).map(move |it| (to, it)))
    {
        let destination = if to.is_ipv6() { "2001:db8::1/128" } else { "203.0.113.0/25" };
        rules.extend([
            dnat("", "", ports, to),
            dnat("eth0", "", ports, to),
            dnat("eth0", destination, ports, to),
        ]);
    }
    let prefixes =
        [("fd00:1::/48", "2001:db8:1::/48"), ("fd00::/9", "fd80::/9"), ("192.0.2.0/25", "203.0.113.0/25")];
    rules.extend(prefixes.map(|(internal, external)| prefix(internal, external, longest)));
    rules.push(NatRule::LeaveBridged);
    for to in ranges {
        let source = if to.is_ipv6() { "2001:db8::/33" } else { "10.0.0.0/9" };
        rules.extend([snat("", "", to), snat(source, "", to), snat(source, longest, to)]);
    }
    for source in [
        "",
        "192.0.2.0/24",
        "192.0.2.7/32",
        "0.0.0.0/0",
        "10.0.0.0/9",
        "2001:db8::/33",
        "::/0",
        "2001:db8::1/128",
    ] {
        for out in ["", "eth0", longest] {
            rules.push(masquerade(source, out));
        }
    }
    rules
}

#[test]
fn every_variant_comes_back_as_ours() {
    isolated(|| {
        let rules = every_rule();
        replace(ChainScope::Node, &rules).unwrap();
        assert!(is(ChainScope::Node, &rules));
        for rule in rules {
            replace(ChainScope::Node, std::slice::from_ref(&rule)).unwrap();
            assert!(is(ChainScope::Node, std::slice::from_ref(&rule)), "{rule}");
        }
        remove(ChainScope::Node).unwrap();
        assert_eq!(read(ChainScope::Node, &[]), RulesState::Absent);
        assert_eq!(sh("nft list ruleset"), "");
        remove(ChainScope::Node).unwrap();
    });
}

#[test]
fn the_rules_read_as_nft_would_write_them() {
    isolated(|| {
        let rules = [
            forward(Protocol::Tcp, 8080, "192.0.2.1:80", ""),
            forward(Protocol::Udp, 53, "[2001:db8::1]:5353", "eth1"),
            dnat("eth1", "", Some((Protocol::Udp, "7-8", "17-18")), addresses("192.0.2.5", "192.0.2.5")),
            dnat("", "203.0.113.9/32", None, addresses("192.0.2.5", "192.0.2.9")),
            NatRule::LeaveBridged,
            snat("10.0.0.0/8", "eth1", addresses("203.0.113.10", "203.0.113.20")),
            snat("", "eth1", addresses("2001:db8::1", "2001:db8::1")),
            prefix("fd00:1::/48", "2001:db8:1::/48", "eth1"),
            masquerade("192.0.2.0/24", "eth1"),
            masquerade("2001:db8::/32", ""),
            masquerade("", ""),
        ];
        replace(ChainScope::Node, &rules).unwrap();
        let expected = r#"table inet netlab {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type local meta nfproto ipv4 tcp dport 8080 counter packets 0 bytes 0 dnat ip to 192.0.2.1:80 comment "forward tcp port 8080 to 192.0.2.1:80"
		iifname "eth1" meta nfproto ipv6 udp dport 53 counter packets 0 bytes 0 dnat ip6 to [2001:db8::1]:5353 comment "forward udp port 53 to [2001:db8::1]:5353 in eth1"
		iifname "eth1" meta nfproto ipv4 udp dport 7 counter packets 0 bytes 0 dnat ip to 192.0.2.5:17 comment "dnat udp port 7-8 to 192.0.2.5 port 17-18 in eth1"
		iifname "eth1" meta nfproto ipv4 udp dport 8 counter packets 0 bytes 0 dnat ip to 192.0.2.5:18 comment "dnat udp port 7-8 to 192.0.2.5 port 17-18 in eth1"
		ip daddr 203.0.113.9 counter packets 0 bytes 0 dnat ip to 192.0.2.5-192.0.2.9 comment "dnat destination 203.0.113.9/32 to 192.0.2.5-192.0.2.9"
		iifname "eth1" ip6 daddr 2001:db8:1::/48 counter packets 0 bytes 0 dnat ip6 prefix to fd00:1::/48 comment "prefix fd00:1::/48 to 2001:db8:1::/48 at eth1"
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		meta oifkind "bridge" iif 0 ct status ! dnat fib saddr type != local return comment "leave what only crosses a bridge"
		ip saddr 10.0.0.0/8 oifname "eth1" counter packets 0 bytes 0 snat ip to 203.0.113.10-203.0.113.20 comment "snat source 10.0.0.0/8 to 203.0.113.10-203.0.113.20 out eth1"
		meta nfproto ipv6 oifname "eth1" counter packets 0 bytes 0 snat ip6 to 2001:db8::1 comment "snat to 2001:db8::1 out eth1"
		ip6 saddr fd00:1::/48 oifname "eth1" counter packets 0 bytes 0 snat ip6 prefix to 2001:db8:1::/48 comment "prefix fd00:1::/48 to 2001:db8:1::/48 at eth1"
		ip saddr 192.0.2.0/24 oifname "eth1" counter packets 0 bytes 0 masquerade comment "masquerade source 192.0.2.0/24 out eth1"
		ip6 saddr 2001:db8::/32 oifname != "lo" counter packets 0 bytes 0 masquerade comment "masquerade source 2001:db8::/32"
		oifname != "lo" counter packets 0 bytes 0 masquerade comment "masquerade"
	}
}
"#;
        assert_eq!(sh("nft list ruleset"), expected);
    });
}

const TYPES: [&str; 4] = ["full_cone", "restricted_cone", "port_restricted", "symmetric"];

#[test]
fn types_come_back_as_ours_and_leave_nothing_behind() {
    isolated(|| {
        let of = |kind| [NatRule::LeaveBridged, typed("192.0.2.0/25", "eth1", kind), masquerade("", "eth0")];
        for kind in TYPES.into_iter().chain(TYPES.into_iter().rev()) {
            replace(ChainScope::Node, &of(kind)).unwrap();
            assert!(is(ChainScope::Node, &of(kind)), "{kind}");
            replace(ChainScope::Node, &of(kind)).unwrap();
            assert!(is(ChainScope::Node, &of(kind)), "{kind} again");
            for other in TYPES.into_iter().filter(|other| *other != kind) {
                assert_eq!(read(ChainScope::Node, &of(other)), RulesState::Other, "{kind} is not {other}");
            }
            sh("nft -s list ruleset > /run/netns/saved; nft flush ruleset; nft -f /run/netns/saved");
            assert!(is(ChainScope::Node, &of(kind)), "{kind}, loaded by nft from its own listing");
        }
        replace(ChainScope::Node, &[typed("", "eth1", "full_cone")]).unwrap();
        assert!(is(ChainScope::Node, &[typed("", "eth1", "full_cone")]));
        let plain = [masquerade("", "eth0")];
        replace(ChainScope::Node, &plain).unwrap();
        assert!(is(ChainScope::Node, &plain));
        assert!(!sh("nft list ruleset").contains("map "), "a map that nobody looks into");
        replace(ChainScope::Node, &of("restricted_cone")).unwrap();
        remove(ChainScope::Node).unwrap();
        assert_eq!(sh("nft list ruleset"), "");
    });
}

#[test]
fn types_read_as_nft_would_write_them() {
    isolated(|| {
        replace(ChainScope::Node, &[typed("192.0.2.0/24", "eth1", "restricted_cone")]).unwrap();
        let expected = r#"table inet netlab {
	map mappings {
		type inet_service . ipv4_addr : ipv4_addr . inet_service
		size 65535
		flags dynamic,timeout
		timeout 5m
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		iifname "eth1" fib daddr type local meta nfproto ipv4 meta l4proto udp counter packets 0 bytes 0 dnat ip to udp dport . ip saddr map @mappings comment "masquerade source 192.0.2.0/24 out eth1 as restricted_cone"
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 192.0.2.0/24 oifname "eth1" counter packets 0 bytes 0 masquerade comment "masquerade source 192.0.2.0/24 out eth1 as restricted_cone"
	}

	chain mappings {
		type filter hook postrouting priority srcnat + 1; policy accept;
		oifname "eth1" meta nfproto ipv4 ct status snat meta l4proto udp counter packets 0 bytes 0 update @mappings { udp sport . ip daddr : ct original ip saddr . ct original proto-src } comment "masquerade source 192.0.2.0/24 out eth1 as restricted_cone"
	}

	chain unsolicited {
		type filter hook input priority filter; policy accept;
		iifname "eth1" meta nfproto ipv4 udp dport 1024-65535 ct state new counter packets 0 bytes 0 drop comment "masquerade source 192.0.2.0/24 out eth1 as restricted_cone"
	}
}
"#;
        assert_eq!(sh("nft list ruleset"), expected);
        replace(ChainScope::Node, &[typed("", "eth1", "symmetric")]).unwrap();
        assert!(sh("nft list ruleset").contains("masquerade fully-random comment"));
    });
}

#[test]
fn a_rule_that_somebody_adds_is_foreign() {
    isolated(|| {
        let rules = [masquerade("", "eth0")];
        replace(ChainScope::Node, &rules).unwrap();
        sh("nft insert rule inet netlab postrouting ip saddr 203.0.113.9 accept");
        assert_eq!(read(ChainScope::Node, &rules), RulesState::Other);
        replace(ChainScope::Node, &rules).unwrap();
        assert!(is(ChainScope::Node, &rules));
        assert_eq!(read(ChainScope::Node, &[]), RulesState::Other);
    });
}

#[test]
fn a_changed_rule_is_foreign() {
    isolated(|| {
        let rules = [forward(Protocol::Tcp, 80, "192.0.2.1:80", "eth0"), masquerade("192.0.2.0/24", "eth0")];
        let changes = [
            "nft replace rule inet netlab postrouting handle N ip saddr 192.0.3.0/24 oifname eth0 counter masquerade comment '\"masquerade source 192.0.2.0/24 out eth0\"'",
            "nft replace rule inet netlab postrouting handle N ip saddr 192.0.2.0/24 oifname eth0 counter masquerade random comment '\"masquerade source 192.0.2.0/24 out eth0\"'",
            "nft replace rule inet netlab postrouting handle N ip saddr 192.0.2.0/24 oifname eth0 counter masquerade comment '\"mine\"'",
            "nft delete rule inet netlab postrouting handle N",
        ];
        for change in changes {
            replace(ChainScope::Node, &rules).unwrap();
            assert!(is(ChainScope::Node, &rules));
            let listing = sh("nft -a list chain inet netlab postrouting");
            let line = listing.lines().find(|line| line.contains("masquerade")).unwrap();
            sh(&change.replace(" N", &format!(" {}", line.rsplit(' ').next().unwrap())));
            assert_eq!(read(ChainScope::Node, &rules), RulesState::Other, "{change}");
        }
    });
}

#[test]
fn rules_that_nft_loads_from_its_own_listing_are_ours_and_counters_do_not_matter() {
    isolated(|| {
        let rules = every_rule();
        replace(ChainScope::Node, &rules).unwrap();
        // Without its comment a rule does not say what it is for.
        sh("nft -s list ruleset > /run/netns/saved; nft flush ruleset");
        sh("sed -e 's/ counter / counter packets 7 bytes 900 /' /run/netns/saved | nft -f -");
        assert!(sh("nft list ruleset").contains("packets 7 bytes 900"));
        assert!(is(ChainScope::Node, &rules));
        sh(
            "sed -e 's/ comment .*//' /run/netns/saved > /run/netns/bare; nft flush ruleset; nft -f /run/netns/bare",
        );
        assert_eq!(read(ChainScope::Node, &rules), RulesState::Other);
    });
}

#[test]
fn damaged_chains_show_and_are_made_anew() {
    isolated(|| {
        let rules = [forward(Protocol::Tcp, 80, "192.0.2.1:80", ""), masquerade("", "")];
        let damages = [
            "nft delete table inet netlab",
            "nft flush ruleset",
            "nft flush chain inet netlab prerouting && nft delete chain inet netlab prerouting",
            "nft add table inet netlab '{ flags dormant; }'",
            "nft add chain inet netlab prerouting '{ policy drop; }'",
            "nft delete table inet netlab; nft add table inet netlab; nft add chain inet netlab prerouting",
            "nft delete table inet netlab; nft add table inet netlab; \
             nft add chain inet netlab postrouting '{ type filter hook postrouting priority 100; }'",
            "nft delete table inet netlab; nft add table inet netlab; \
             nft add chain inet netlab prerouting '{ type nat hook prerouting priority -90; }'",
        ];
        for damage in damages {
            replace(ChainScope::Node, &rules).unwrap();
            assert!(is(ChainScope::Node, &rules), "before {damage}");
            sh(damage);
            assert!(!is(ChainScope::Node, &rules), "{damage}");
            assert_eq!(is(ChainScope::Node, &[]), sh("nft list ruleset").is_empty(), "{damage}");
        }
        replace(ChainScope::Node, &rules).unwrap();
        assert!(is(ChainScope::Node, &rules));
    });
}

#[test]
fn two_thousand_rules() {
    isolated(|| {
        let rule = |port| forward(Protocol::Tcp, port, "192.0.2.1:80", "eth0");
        let rules: Vec<_> = (1..=2000).map(rule).collect();
        replace(ChainScope::Node, &rules).unwrap();
        replace(ChainScope::Node, &rules).unwrap();
        assert!(is(ChainScope::Node, &rules));
        assert_eq!(sh("nft list ruleset").matches("dnat ip to").count(), 2000);
    });
}

#[test]
fn a_refusal_names_the_object_and_changes_nothing() {
    isolated(|| {
        sh(
            "nft add table inet netlab; nft add chain inet netlab prerouting; nft add chain inet netlab mine; \
            nft add rule inet netlab mine jump prerouting",
        );
        let before = sh("nft list ruleset");
        let error = replace(ChainScope::Node, &[masquerade("", "")]).unwrap_err().to_string();
        assert!(
            error.starts_with("chain prerouting of table inet netlab: Device or resource busy"),
            "{error}"
        );
        assert!(error.contains("jumps to it"), "{error}");
        assert_eq!(sh("nft list ruleset"), before);
    });
}

#[test]
fn this_kernel_has_all_that_is_needed() {
    isolated(|| {
        let features = probe_features();
        let filters = probe_filters();
        assert_eq!((features.len(), filters.len()), (5, 3));
        for (name, result) in features.into_iter().chain(filters) {
            assert_eq!(result.map_err(|error| error.to_string()), Ok(()), "{name}");
        }
        assert_eq!(sh("nft list ruleset"), "");
    });
}
