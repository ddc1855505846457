//! Whatever a client sends: no panic, the same answer twice, and no reference without an object.

use proptest::{collection::vec, option, prelude::*, sample::select};
use proto::interface::Kind as Message;

use super::*;
use crate::{
    link::Kind,
    model::{Endpoint, Form},
};

const TEXTS: [&str; 42] = [
    "mpls:100",
    "mpls:",
    "",
    "a",
    "b",
    "host",
    "lo",
    "eth0",
    "eth1",
    "br0",
    "v0",
    "default",
    "a:eth0",
    "a:eth1",
    "b:eth0",
    "b:br0",
    "host:p0",
    "p0",
    "192.0.2.1/24",
    "192.0.2.2/24",
    "192.0.2.1",
    "192.0.2.254",
    "192.0.2.0/24",
    "203.0.113.0/24",
    "fe80::1",
    "2001:db8::1/64",
    "2001:db8::2",
    "::/0",
    "0.0.0.0/0",
    "255.255.255.255/31",
    "::ffff:1.2.3.4/96",
    "[::1%3]:80",
    "192.0.2.1:80",
    "tcp",
    "udp",
    "02:00:00:00:00:01",
    "net.ipv4.conf.eth0.rp_filter",
    "net.ipv4.conf",
    "bridge",
    "passthru",
    "\u{0}\"\\",
    "été…",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![20 => select(&TEXTS[..]).prop_map(str::to_owned), 1 => any::<String>(), 1 => "[a-z0-9:./%-]{0,100}"]
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..5u32,
        select(&[67, 68, 80, 100, 1279, 1280, 1500, 4094, 4095, 65_535, 65_536, 1 << 24][..]),
        any::<u32>()
    ]
}

/// The kinds' examples, on anything, with a few of their fields replaced by anything.
fn kind() -> impl Strategy<Value = Message> {
    let field = prop_oneof![
        text().prop_map(serde_json::Value::from),
        number().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
    ];
    let lower = select(&["lo", "eth0", "eth1", "br0", "v0", "p0"][..]);
    (lower, any::<prop::sample::Index>(), vec((any::<prop::sample::Index>(), field), 0..3)).prop_map(
        |(lower, which, fields)| {
            let examples = Kind::examples(&lower.parse().unwrap());
            let message = which.get(&examples).message();
            let interface = proto::Interface { kind: Some(message), ..Default::default() };
            let mut json = serde_json::to_value(&interface).unwrap();
            for (at, value) in fields {
                let kind = json[Kind::key_of(interface.kind.as_ref().unwrap())].as_object_mut().unwrap();
                let names: Vec<String> = kind.keys().cloned().collect();
                if !names.is_empty() {
                    kind.insert(at.get(&names).clone(), value);
                }
            }
            // A value of another type than the field's leaves the example as it is.
            let changed = serde_json::from_value::<proto::Interface>(json).ok().and_then(|it| it.kind);
            changed.or(interface.kind).unwrap()
        },
    )
}

fn port() -> impl Strategy<Value = proto::Port> {
    let all = (text(), option::of(number()), vec(number(), 0..3), option::of(number()));
    all.prop_map(|(bridge, access, trunk, native)| proto::Port {
        bridge,
        access,
        trunk,
        native,
        ..proto::Port::default()
    })
}

/// Impairments that are near to what is right.
fn impair() -> impl Strategy<Value = proto::Impair> {
    const NEAR: [&str; 13] =
        ["", "20", "20ms", "2ms", "1%", "0.5%", "101%", "10mbit", "1kbit", "normal", "4g", "9999s", "0s"];
    let text = || prop_oneof![9 => select(&NEAR[..]).prop_map(str::to_owned), 1 => text()];
    let texts = vec(text(), 10);
    let numbers = (option::of(number()), option::of(number()), option::of(any::<u32>()));
    (texts, numbers).prop_map(|(texts, (loss_burst, queue, seed))| {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().unwrap_or_default();
        proto::Impair {
            preset: text(),
            delay: text(),
            jitter: text(),
            correlation: text(),
            distribution: text(),
            loss: text(),
            loss_burst,
            duplicate: text(),
            corrupt: text(),
            reorder: text(),
            rate: text(),
            queue,
            seed,
        }
    })
}

fn interface() -> impl Strategy<Value = proto::Interface> {
    let all = (
        vec(text(), 0..3),
        option::weighted(0.2, number()),
        option::weighted(0.2, text()),
        option::of(any::<bool>()),
        option::weighted(0.3, port()),
        option::of(kind()),
        option::weighted(0.2, impair()),
        option::weighted(0.2, text()),
        (option::weighted(0.2, number()), option::of(any::<bool>()), option::of(any::<bool>())),
    );
    all.prop_map(|(addresses, mtu, mac, up, port, kind, impair, master, settings)| proto::Interface {
        txqueuelen: settings.0,
        proxy_arp: settings.1,
        accept_ra: settings.2,
        addresses,
        mtu,
        mac,
        up,
        port,
        kind,
        impair,
        master: master.unwrap_or_default(),
    })
}

fn interfaces() -> impl Strategy<Value = BTreeMap<String, proto::Interface>> {
    proptest::collection::btree_map(text(), interface(), 0..5)
}

fn nat() -> impl Strategy<Value = Option<proto::Nat>> {
    let masquerade = (text(), text(), text()).prop_map(|(source, out_interface, r#type)| proto::Masquerade {
        source,
        out_interface,
        r#type,
    });
    let forward = (text(), number(), text(), text()).prop_map(|(protocol, port, to, in_interface)| {
        proto::PortForward { protocol, port, to, in_interface }
    });
    let source = (text(), text(), text()).prop_map(|(source, out_interface, to)| proto::SourceNat {
        source,
        out_interface,
        to,
    });
    let destination = (text(), text(), text(), text(), text()).prop_map(
        |(in_interface, destination, protocol, ports, to)| proto::DestinationNat {
            in_interface,
            destination,
            protocol,
            ports,
            to,
        },
    );
    let prefix = (text(), text(), text()).prop_map(|(internal, external, interface)| {
        proto::PrefixTranslation { internal, external, interface }
    });
    let all = (
        vec(masquerade, 0..2),
        vec(forward, 0..3),
        vec(source, 0..2),
        vec(destination, 0..2),
        vec(prefix, 0..2),
    );
    option::weighted(
        0.3,
        all.prop_map(|(masquerade, port_forwards, snat, dnat, prefixes)| proto::Nat {
            masquerade,
            port_forwards,
            snat,
            dnat,
            prefixes,
        }),
    )
}

/// Rules of which some are right.
fn firewall() -> impl Strategy<Value = Option<proto::Firewall>> {
    let word =
        |words: &'static [&'static str]| prop_oneof![4 => select(words).prop_map(str::to_owned), 1 => text()];
    let states = vec(word(&["new", "established", "invalid"]), 0..3);
    let ports = || vec(word(&["80", "443", "8000-8010", "9-1", "0"]), 0..3);
    let sides =
        (word(&["", "eth0", "lo"]), word(&["", "eth1"]), word(&["", "192.0.2.0/24"]), word(&["", "::/0"]));
    let icmp = vec(word(&["echo-request", "nd-redirect"]), 0..2);
    let carried = (word(&["", "tcp", "icmp", "icmpv6", "89"]), ports(), ports(), icmp);
    let rule = (states, sides, carried, word(&["accept", "drop", "reject"])).prop_map(
        |(state, (in_interface, out_interface, source, destination), carried, action)| {
            let (protocol, ports, source_ports, icmp_types) = carried;
            let sides = proto::FirewallRule {
                in_interface,
                out_interface,
                source,
                destination,
                ..Default::default()
            };
            proto::FirewallRule { state, protocol, ports, source_ports, icmp_types, action, ..sides }
        },
    );
    let chain = (word(&["", "accept", "drop"]), vec(rule, 0..3))
        .prop_map(|(policy, rules)| proto::FirewallChain { policy, rules });
    let chain = || option::of(chain.clone());
    let all = (chain(), chain(), chain());
    option::weighted(0.3, all.prop_map(|(input, forward, output)| proto::Firewall { input, forward, output }))
}

fn encap() -> impl Strategy<Value = Option<proto::Encap>> {
    let mode = select(&["", "", "encap", "inline", "l2encap"][..]);
    let all = (vec(number(), 0..3), vec(text(), 0..3), mode);
    let encap = all.prop_map(|(mpls, seg6, mode)| proto::Encap { mpls, seg6, mode: mode.to_owned() });
    option::weighted(0.2, encap)
}

fn node() -> impl Strategy<Value = proto::Node> {
    let hop = (text(), text(), option::weighted(0.3, number()), any::<bool>(), encap())
        .prop_map(|(via, dev, weight, onlink, encap)| proto::NextHop { via, dev, weight, onlink, encap });
    let more = (select(&["", "unicast", "blackhole", "throw", "local"][..]), option::weighted(0.2, number()));
    let hops = (vec(hop, 0..3), encap());
    let route = (text(), text(), text(), option::of(number()), more, hops).prop_map(
        |(to, via, dev, metric, (kind, number), (next_hops, encap))| proto::Route {
            to,
            src: if number.is_some() { via.clone() } else { String::new() },
            via,
            vrf: if number.is_none() && metric.is_some() { dev.clone() } else { String::new() },
            dev,
            metric,
            r#type: kind.to_owned(),
            table: number,
            mtu: number,
            onlink: number.is_some(),
            next_hops,
            encap,
            r#as: Vec::from_iter(number),
        },
    );
    let sysctls = proptest::collection::btree_map(text(), text(), 0..2);
    let all = (
        interfaces(),
        vec(route, 0..3),
        any::<bool>(),
        nat(),
        sysctls,
        (vec(rule(), 0..3), vec(neighbour(), 0..2)),
        firewall(),
    );
    all.prop_map(|(interfaces, routes, forwarding, nat, sysctls, (rules, neighbours), firewall)| {
        let overlapping_subnets = firewall.is_some();
        proto::Node {
            interfaces,
            routes,
            forwarding,
            nat,
            sysctls,
            rules,
            neighbours,
            firewall,
            overlapping_subnets,
        }
    })
}

fn rule() -> impl Strategy<Value = proto::Rule> {
    let number = || option::weighted(0.4, number());
    let kind = select(&["", "unicast", "blackhole", "prohibit", "nat"][..]);
    let all = (number(), text(), text(), option::weighted(0.2, text()), number(), number(), number(), kind);
    all.prop_map(|(priority, from, to, iif, fwmark, fwmask, table, kind)| proto::Rule {
        priority,
        from,
        to,
        iif: iif.unwrap_or_default(),
        fwmark,
        fwmask,
        table,
        r#type: kind.to_owned(),
    })
}

fn neighbour() -> impl Strategy<Value = proto::Neighbour> {
    let all = (text(), option::of(text()), text(), any::<bool>());
    all.prop_map(|(to, mac, dev, proxy)| proto::Neighbour { to, mac: mac.unwrap_or_default(), dev, proxy })
}

fn message() -> impl Strategy<Value = proto::Lab> {
    let sysctls = proptest::collection::btree_map(text(), text(), 0..2);
    let host = (interfaces(), any::<bool>(), nat(), sysctls, vec(text(), 0..2)).prop_map(
        |(interfaces, forwarding, nat, sysctls, joins)| proto::Host {
            interfaces,
            forwarding,
            nat,
            sysctls,
            joins,
        },
    );
    let link = (vec(text(), 0..4), option::weighted(0.2, impair()), option::of(any::<bool>()))
        .prop_map(|(endpoints, impair, up)| proto::Link { endpoints, impair, up });
    let check = (text(), text()).prop_map(|(from, to)| proto::Check { from, to, reachable: None });
    let nodes = proptest::collection::btree_map(text(), node(), 0..4);
    let all = (text(), nodes, option::of(host), vec(link, 0..4), vec(check, 0..3));
    all.prop_map(|(name, nodes, host, links, checks)| proto::Lab {
        name,
        description: String::new(),
        nodes,
        host,
        links,
        checks,
    })
}

/// Two nodes and links that are right, with interfaces that may be.
fn nearly_right() -> impl Strategy<Value = proto::Lab> {
    let name = select(&["eth1", "br0", "v0", "d0"][..]).prop_map(str::to_owned);
    let plain = select(&["lo", "eth0", "eth1", "br0", "v0"][..]).prop_map(str::to_owned);
    let kind = (plain.clone(), any::<prop::sample::Index>())
        .prop_map(|(lower, which)| which.get(&Kind::examples(&lower.parse().unwrap())).message());
    let port = plain.prop_map(|bridge| proto::Port { bridge, ..Default::default() });
    let master = option::weighted(0.2, name.clone()).prop_map(Option::unwrap_or_default);
    let all = (kind, option::weighted(0.2, port), master);
    let interface = all.prop_map(|(kind, port, master)| proto::Interface {
        kind: Some(kind),
        port,
        master,
        ..Default::default()
    });
    let node = proptest::collection::btree_map(name, interface, 0..4)
        .prop_map(|interfaces| proto::Node { interfaces, ..Default::default() });
    (node.clone(), node).prop_map(|(a, b)| proto::Lab {
        name: "x".into(),
        nodes: BTreeMap::from([("a".into(), a), ("b".into(), b)]),
        links: vec![proto::Link { endpoints: vec!["a:eth0".into(), "b:eth0".into()], ..Default::default() }],
        ..Default::default()
    })
}

/// What whoever holds a lab relies on.
fn check_references(lab: &Lab) {
    let places = std::iter::once(Place::Host).chain(lab.nodes.keys().cloned().map(Place::Node));
    for place in places {
        let interfaces = lab.interfaces(&place).unwrap();
        for (name, interface) in interfaces {
            if let Some(port) = &interface.port {
                assert!(interfaces[&port.bridge].form.ports().of_bridge(), "{place}:{name}");
            }
            if let Some(master) = &interface.master {
                let ports = interfaces[master].form.ports();
                assert!(ports.of_bond() || ports.vrf().is_some_and(|table| table > 0), "{place}:{name}");
            }
            if let Form::Veth { peer } = &interface.form {
                let back = &lab.interfaces(&peer.place).unwrap()[&peer.interface].form;
                assert_eq!(
                    *back,
                    Form::Veth { peer: Endpoint { place: place.clone(), interface: name.clone() } }
                );
            }
            assert!(interface.form.lower_here().is_none_or(|lower| interfaces.contains_key(lower)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn never_panics(message in message()) {
        let result = lab(&message);
        prop_assert_eq!(&result, &lab(&message));
        match result {
            Ok(lab) => check_references(&lab),
            Err(faults) => prop_assert!(!faults.0.is_empty()),
        }
    }

    #[test]
    fn labs_hold_together(message in nearly_right()) {
        match lab(&message) {
            Ok(lab) => check_references(&lab),
            Err(faults) => prop_assert!(!faults.0.is_empty()),
        }
    }

    #[test]
    fn texts(text in text()) {
        let _ = (place(&text), target(&text));
    }
}
