//! Labs without fault: the one that shows the whole format, and those of a learner's notebook.

use super::*;
use crate::{
    link::Kind,
    model::{Endpoint, Form, IfName, Interface, PortVlans},
};

fn good(json: &str) -> Lab {
    lab(&message(json)).unwrap_or_else(|faults| panic!("{faults}"))
}

fn interface<'a>(lab: &'a Lab, at: &str) -> &'a Interface {
    let Endpoint { place, interface } = name::endpoint(at).unwrap();
    &lab.interfaces(&place).unwrap()[&interface]
}

fn routes(lab: &Lab, node: &str) -> Vec<String> {
    lab.nodes[node].routes.iter().map(ToString::to_string).collect()
}

/// Every field of the format; `LINKS` stands for more links.
const WHOLE: &str = r#"{"name":"vxlan","description":"optional text","nodes":{
    "ns1":{"interfaces":{"eth0":{"addresses":["192.0.2.1/24"]},
            "vxlan0":{"vxlan":{"vni":100,"remote":"203.0.113.1","port":4789,"dev":"eth0"},"addresses":["198.51.100.1/24"]}},
        "routes":[{"to":"default","via":"192.0.2.254"}]},
    "router":{"forwarding":true,"interfaces":{"eth0":{"addresses":["192.0.2.254/24"]},"eth1":{"addresses":["203.0.113.254/24"]}},
        "nat":{"masquerade":[{"source":"192.0.2.0/24","out_interface":"eth1"}],
            "port_forwards":[{"protocol":"tcp","port":8080,"to":"192.0.2.1:80","in_interface":"eth1"}]}},
    "sw":{"interfaces":{"br0":{"bridge":{"vlan_filtering":true}},"p1":{"port":{"bridge":"br0","access":100}},
            "p2":{"port":{"bridge":"br0","trunk":[100,200],"native":1}},
            "br0.100":{"vlan":{"parent":"br0","id":100},"addresses":["192.0.2.253/24"]},"d0":{"dummy":{}}}},
    "net1":{"interfaces":{"mv0":{"macvlan":{"parent":"eth9","mode":"bridge"},"addresses":["198.18.0.50/24"]}},
        "sysctls":{"net.ipv4.conf.all.rp_filter":"0"}}},
    "host":{"interfaces":{"lab0":{"addresses":["198.51.100.254/24"]}},"forwarding":true,
        "nat":{"masquerade":[{"source":"198.51.100.0/24"}]}},
    "links":[{"endpoints":["ns1:eth0","router:eth0"]},{"endpoints":["router:eth1","host:lab0"]}LINKS],
    "checks":[{"from":"ns1","to":"router","reachable":true},{"from":"ns1","to":"203.0.113.9","reachable":false}]}"#;

#[test]
fn whole_format() {
    let lab = good(
        &WHOLE.replace("LINKS", r#",{"endpoints":["sw:p1","ns1:eth1"]},{"endpoints":["sw:p2","net1:eth1"]}"#),
    );
    assert_eq!(lab.cables.len(), 4);
    assert_eq!(routes(&lab, "ns1"), ["default via 192.0.2.254 dev eth0"]);
    let PortVlans::Trunk { tagged, native } = &interface(&lab, "sw:p2").port.as_ref().unwrap().vlans else {
        panic!()
    };
    assert_eq!(tagged.iter().map(|id| id.get()).collect::<Vec<_>>(), [100, 200]);
    assert_eq!(native.unwrap().get(), 1);
    assert_eq!(interface(&lab, "ns1:eth1").form, Form::Veth { peer: name::endpoint("sw:p1").unwrap() });
    assert!(interface(&lab, "ns1:eth1").up && lab.host.forwarding && lab.nodes["router"].forwarding);
    let nat = &lab.nodes["router"].nat;
    assert_eq!((nat.port_forwards.len(), nat.masquerade.len()), (1, 1));
    assert_eq!(lab.nodes["net1"].sysctls.len(), 1);
    assert!(!lab.checks[1].reachable);
    assert!(!lab.nodes["ns1"].interfaces.contains_key(&IfName::loopback()));
}

#[test]
fn whole_format_without_cables() {
    let text = |_: &str| WHOLE.replace("LINKS", "");
    let hint = without_kind();
    let expected = ["p1", "p2"].map(|port| format!("nodes.sw.interfaces.{port}: sw:{port} {hint}"));
    bad(text, "", &expected.join("\n"));
}

#[test]
fn notebook_vxlan() {
    let lab = good(
        r#"{"name":"vxlan","nodes":{
        "ns1":{"interfaces":{"ns1-veth0":{"addresses":["192.0.2.1/24"]},
                "ns1-vxlan0":{"vxlan":{"vni":100,"remote":"203.0.113.1","dev":"ns1-veth0"},"addresses":["198.51.100.1/24"]}},
            "routes":[{"to":"default","via":"192.0.2.254"}]},
        "router":{"interfaces":{"gw-veth0":{"addresses":["192.0.2.254/24"]},"gw-veth1":{"addresses":["203.0.113.254/24"]}},
            "forwarding":true},
        "ns2":{"interfaces":{"ns2-veth0":{"addresses":["203.0.113.1/24"]},
                "ns2-vxlan0":{"vxlan":{"vni":100,"remote":"192.0.2.1","dev":"ns2-veth0"},"addresses":["198.51.100.2/24"]}},
            "routes":[{"to":"default","via":"203.0.113.254"}]}},
        "links":[{"endpoints":["ns1:ns1-veth0","router:gw-veth0"]},{"endpoints":["ns2:ns2-veth0","router:gw-veth1"]}],
        "checks":[{"from":"ns1","to":"ns2:ns2-vxlan0"}]}"#,
    );
    let Form::Made(Kind::Vxlan(vxlan)) = &interface(&lab, "ns1:ns1-vxlan0").form else { panic!() };
    assert_eq!((vxlan.vni, vxlan.port, vxlan.learning), (100, 4789, true));
    assert_eq!(routes(&lab, "ns2"), ["default via 203.0.113.254 dev ns2-veth0"]);
    assert!(lab.checks[0].reachable);
}

/// A filtering bridge with `ports` as pairs of a node's number and its VLAN.
fn vlan_lab(ports: &[(u8, u16)]) -> String {
    let each = |part: &dyn Fn(u8, u16) -> String| {
        ports.iter().map(|(n, id)| part(*n, *id)).collect::<Vec<_>>().join(",")
    };
    let nodes = each(&|n, _| {
        format!(r#""ns{n}":{{"interfaces":{{"ns{n}-veth0":{{"addresses":["192.0.2.{n}/24"]}}}}}}"#)
    });
    let ports =
        |n: u8, id: u16| format!(r#""br0-veth{}":{{"port":{{"bridge":"br0","access":{id}}}}}"#, n - 1);
    let ports = each(&ports);
    let links = each(&|n, _| format!(r#"{{"endpoints":["ns{n}:ns{n}-veth0","bridge:br0-veth{}"]}}"#, n - 1));
    let bridge =
        format!(r#""bridge":{{"interfaces":{{"br0":{{"bridge":{{"vlan_filtering":true}}}},{ports}}}}}"#);
    format!(r#"{{"name":"vlan","nodes":{{{nodes},{bridge}}},"links":[{links}]}}"#)
}

#[test]
fn notebook_vlans() {
    assert_eq!(good(&vlan_lab(&[(1, 100), (2, 100)])).nodes.len(), 3);
    let lab = good(&vlan_lab(&[(1, 100), (2, 100), (3, 200), (4, 200)]));
    let vlans = |port: &str| interface(&lab, port).port.as_ref().unwrap().vlans.clone();
    assert_eq!(vlans("bridge:br0-veth3"), PortVlans::Access(200.try_into().unwrap()));
    assert_eq!(vlans("bridge:br0-veth0"), PortVlans::Access(100.try_into().unwrap()));
}

#[test]
fn notebook_uplink() {
    let lab = good(
        r#"{"name":"uplink","nodes":{"ns1":{"interfaces":{"ns1-veth0":{"addresses":["192.0.2.1/24"]}},
            "routes":[{"to":"default","via":"192.0.2.254"}]}},
        "host":{"interfaces":{"veth0":{"addresses":["192.0.2.254/24"]}},"forwarding":true,
            "nat":{"masquerade":[{"source":"192.0.2.0/24"}]}},
        "links":[{"endpoints":["ns1:ns1-veth0","host:veth0"]}]}"#,
    );
    let rules: Vec<_> = lab.host.nat.rules().iter().map(ToString::to_string).collect();
    assert_eq!(rules, ["leave what only crosses a bridge", "masquerade source 192.0.2.0/24"]);
    assert!(lab.host.interfaces.contains_key("veth0"));
}

#[test]
fn notebook_routed_uplink() {
    let lab = good(
        r#"{"name":"routed","nodes":{"ns1":{"interfaces":{"ns1-veth0":{"addresses":["192.0.2.1/24"]}},
            "routes":[{"to":"default","via":"192.0.2.254"}]},
        "router":{"interfaces":{"gw-veth0":{"addresses":["192.0.2.254/24"]},"gw-veth1":{"addresses":["198.51.100.1/24"]}},
            "routes":[{"to":"default","via":"198.51.100.254"}],"forwarding":true,
            "nat":{"masquerade":[{"source":"192.0.2.0/24","out_interface":"gw-veth1"}]}}},
        "host":{"interfaces":{"veth0":{"addresses":["198.51.100.254/24"]}},"forwarding":true,
            "nat":{"masquerade":[{"source":"198.51.100.0/24"}]}},
        "links":[{"endpoints":["ns1:ns1-veth0","router:gw-veth0"]},{"endpoints":["router:gw-veth1","host:veth0"]}]}"#,
    );
    assert_eq!(routes(&lab, "router"), ["default via 198.51.100.254 dev gw-veth1"]);
}

#[test]
fn notebook_macvlan() {
    let lab = good(
        r#"{"name":"macvlan","nodes":{
        "net1":{"interfaces":{"macvlan1":{"macvlan":{"parent":"eth0"},"addresses":["192.168.1.50/24"]}}},
        "net2":{"interfaces":{"macvlan2":{"macvlan":{"parent":"eth0","mode":"bridge"},"addresses":["192.168.1.60/24"]}}}},
        "checks":[{"from":"net1","to":"192.168.1.60"}]}"#,
    );
    let form = |at| interface(&lab, at).form.clone();
    assert_eq!(form("net1:macvlan1"), form("net2:macvlan2"));
}

#[test]
fn notebook_bridged_uplink() {
    let lab = good(
        r#"{"name":"bridged","nodes":{
        "ns1":{"interfaces":{"ns1-veth0":{"addresses":["192.0.2.1/24"]}},"routes":[{"to":"default","via":"192.0.2.254"}]},
        "ns2":{"interfaces":{"ns2-veth0":{"addresses":["192.0.2.2/24"]}},"routes":[{"to":"default","via":"192.0.2.254"}]},
        "bridge":{"interfaces":{"br0":{"bridge":{}},"ns1-br0":{"port":{"bridge":"br0"}},"ns2-br0":{"port":{"bridge":"br0"}},
            "br0-veth0":{"port":{"bridge":"br0"}}}}},
        "host":{"interfaces":{"veth0":{"addresses":["192.0.2.254/24"]}},"forwarding":true,
            "nat":{"masquerade":[{"source":"192.0.2.0/24"}]}},
        "links":[{"endpoints":["ns1:ns1-veth0","bridge:ns1-br0"]},{"endpoints":["ns2:ns2-veth0","bridge:ns2-br0"]},
            {"endpoints":["bridge:br0-veth0","host:veth0"]}]}"#,
    );
    assert_eq!(interface(&lab, "bridge:ns1-br0").port.as_ref().unwrap().vlans, PortVlans::Default);
}

#[test]
fn allowed_translations() {
    for text in [
        r#""port_forwards":[{"protocol":"tcp","port":80,"to":"192.0.2.1:80"},{"protocol":"udp","port":80,"to":"192.0.2.1:80"},
            {"protocol":"tcp","port":80,"to":"192.0.2.1:80","in_interface":"eth0"},
            {"protocol":"tcp","port":80,"to":"[2001:db8::1]:80"}]"#,
        r#""masquerade":[{},{"source":"192.0.2.1/32","out_interface":"lo"}]"#,
    ] {
        good(&nat(text));
    }
    good(r#"{"name":"x","nodes":{"n":{"nat":{}}},"host":{"nat":{"masquerade":[]}}}"#);
}

#[test]
fn loopback_without_addresses_is_left_out() {
    let lab = good(
        r#"{"name":"x","nodes":{"n":{"interfaces":{"lo":{}}},"m":{"interfaces":{"lo":{"addresses":["192.0.2.1/32"]}}}}}"#,
    );
    assert!(lab.nodes["n"].interfaces.is_empty());
    assert_eq!(interface(&lab, "m:lo").addresses.len(), 1);
}

/// What looks like a fault and is none.
#[test]
fn allowed() {
    for text in [
        r#""eth0":{"addresses":["192.0.2.0/31","2001:db8::/127"]}"#,
        r#""eth0":{"addresses":["192.0.2.1/24","192.0.2.2/24","192.0.2.3/32"]}"#,
        r#""eth0":{"addresses":["192.0.2.1/24"]},"d0":{"dummy":{},"addresses":["192.0.2.9/32"]}"#,
        r#""eth0":{"addresses":["fe80::1/64","fe80::3/64"]},"d0":{"dummy":{},"addresses":["fe80::1/64","fe80::2/64"]}"#,
        r#""lo":{"addresses":["127.0.0.2/8","198.51.100.1/32"],"up":true}"#,
        r#""x":{"vxlan":{"vni":0,"remote":"192.0.2.9"}},"y":{"vxlan":{"vni":0,"remote":"2001:db8::9"}}"#,
        r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9","dev":"eth0"},"mtu":1450}"#,
        r#""v":{"vlan":{"parent":"eth0","id":4094},"port":{"bridge":"br0"}},"br0":{"bridge":{}}"#,
        r#""m":{"macvlan":{"parent":"eth9"},"port":{"bridge":"br0"}},"br0":{"bridge":{}}"#,
    ] {
        good(&interfaces(text));
    }
}

#[test]
fn route_defaults() {
    let lab = good(&super::routes(
        r#"{"to":"default","dev":"d1"},{"to":"default","via":"fe80::1","dev":"d1","metric":0},
           {"to":"::/0","via":"2001:db8::2","metric":5},{"to":"203.0.113.0/24","via":"192.0.2.9","dev":"eth0"}"#,
    ));
    let routes: Vec<_> =
        lab.nodes["n"].routes.iter().map(|route| (route.to_string(), route.metric)).collect();
    let expected = [
        ("default dev d1", 0),
        ("default (IPv6) via fe80::1 dev d1", 1024),
        ("default (IPv6) via 2001:db8::2 dev eth0 metric 5", 5),
        ("203.0.113.0/24 via 192.0.2.9 dev eth0", 0),
    ];
    assert_eq!(routes, expected.map(|(route, metric)| (route.to_owned(), metric)));
}

#[test]
fn targets() {
    use crate::model::Destination;
    assert_eq!(target("host").unwrap(), Destination::Place(Place::Host));
    assert_eq!(target("ns1").unwrap(), Destination::Place(place("ns1").unwrap()));
    assert_eq!(target("ns1:eth0").unwrap(), Destination::Endpoint(name::endpoint("ns1:eth0").unwrap()));
    assert_eq!(target("2001:db8::1").unwrap(), Destination::Address("2001:db8::1".parse().unwrap()));
    for text in ["", "a/b", "a:b:c", "0.0.0.0", "fe80::1", "A", "ns1:"] {
        assert!(target(text).is_err(), "{text}");
    }
}

/// A cable that is pulled takes its ends down and leaves the routes through them to the planner.
#[test]
fn pulled_cables() {
    let lab = |cable: &str| {
        format!(
            r#"{{"name":"x","nodes":{{"a":{{"interfaces":{{"e":{{"addresses":["192.0.2.1/24"]}}}},
            "routes":[{{"to":"default","via":"192.0.2.2"}}]}},"b":{{}}}},"links":[{{"endpoints":["a:e","b:e"]{cable}}}]}}"#
        )
    };
    for (cable, up) in [("", true), (r#","up":true"#, true), (r#","up":false"#, false)] {
        let lab = good(&lab(cable));
        assert_eq!((interface(&lab, "a:e").up, interface(&lab, "b:e").up), (up, up), "{cable}");
        assert_eq!(lab.nodes["a"].routes.len(), 1);
    }
}
