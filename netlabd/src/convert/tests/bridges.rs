//! Settings of bridges and their ports, and protocols of VLANs.

use super::{bad, interfaces};

#[test]
fn settings_of_bridges() {
    for (bridge, expected) in [
        (r#""priority":65536"#, "priority: 65536 is not a bridge's priority: 0 to 65,535"),
        (r#""forward_delay":"4""#, r#"forward_delay: "4" has no unit; write 4s"#),
        (r#""forward_delay":"1s""#, r#"forward_delay: "1s" is not between 2s and 30s"#),
        (r#""hello_time":"11s""#, r#"hello_time: "11s" is not between 1s and 10s"#),
        (r#""max_age":"5s""#, r#"max_age: "5s" is not between 6s and 40s"#),
        (r#""ageing_time":"2000000s""#, r#"ageing_time: "2000000s" is not between 0s and 1000000s"#),
        (r#""ageing_time":"1ms""#, r#"ageing_time: "1ms" is finer than tenths of a second"#),
        (
            r#""group_fwd_mask":["lldb"]"#,
            r#"group_fwd_mask[0]: "lldb" is not a link-local group: eapol or lldp"#,
        ),
        (r#""group_fwd_mask":["lldp","lldp"]"#, "group_fwd_mask[1]: lldp is listed twice; once is enough"),
        (
            r#""group_fwd_mask":["lacp"]"#,
            "group_fwd_mask[0]: lacp is forwarded port by port only; say group_fwd_mask: [lacp] at each port that it is \
             to pass",
        ),
        (
            r#""vlan_filtering":true,"vlan_protocol":"802.1AD""#,
            r#"vlan_protocol: "802.1AD" is not a protocol of VLANs: 802.1Q or 802.1ad; write 802.1ad"#,
        ),
        (
            r#""vlan_protocol":"802.1ad""#,
            "vlan_protocol: a bridge goes by tags only where it filters VLANs; add vlan_filtering: true",
        ),
    ] {
        let text = format!(r#""br0":{{"bridge":{{{bridge}}}}}"#);
        bad(interfaces, &text, &format!("nodes.n.interfaces.br0.bridge.{expected}"));
    }
}

#[test]
fn settings_of_ports() {
    let many = format!(r#""fdb":[{}]"#, vec![r#""02:00:00:00:00:01""#; 257].join(","));
    for (port, expected) in [
        (r#""cost":0"#, "cost: 0 is not the cost of a port: 1 to 65,535"),
        (r#""cost":65536"#, "cost: 65536 is not the cost of a port: 1 to 65,535"),
        (r#""priority":64"#, "priority: 64 is not the priority of a port: 0 to 63, the least is preferred"),
        (
            r#""group_fwd_mask":["pause"]"#,
            r#"group_fwd_mask[0]: "pause" is not a link-local group: stp, lacp, eapol or lldp"#,
        ),
        (
            r#""fdb":["03:00:00:00:00:01"]"#,
            r#"fdb[0]: "03:00:00:00:00:01" is a multicast address; an interface needs a unicast one"#,
        ),
        (
            r#""fdb":["02:00:00:00:00:01","02:00:00:00:00:01"]"#,
            "fdb[1]: 02:00:00:00:00:01 is listed twice; once is enough",
        ),
        (many.as_str(), "fdb: 257 stations behind one port; at most 256"),
    ] {
        let text =
            format!(r#""br0":{{"bridge":{{}}}},"d0":{{"dummy":{{}},"port":{{"bridge":"br0",{port}}}}}"#);
        bad(interfaces, &text, &format!("nodes.n.interfaces.d0.port.{expected}"));
    }
    bad(
        interfaces,
        r#""br0":{"bridge":{}},"d0":{"dummy":{},"port":{"bridge":"br0","fdb":["02:00:00:00:00:01"]}},
           "d1":{"dummy":{},"port":{"bridge":"br0","fdb":["02:00:00:00:00:01"]}}"#,
        "nodes.n.interfaces.d1.port.fdb: 02:00:00:00:00:01 is behind d0 already; a station is behind one port of a bridge",
    );
}

#[test]
fn protocols_of_vlans() {
    bad(
        interfaces,
        r#""d0":{"dummy":{}},"v":{"vlan":{"parent":"d0","id":1,"protocol":"qinq"}}"#,
        r#"nodes.n.interfaces.v.vlan.protocol: "qinq" is not a protocol of VLANs: 802.1Q or 802.1ad"#,
    );
    bad(
        interfaces,
        r#""d0":{"dummy":{}},"v":{"vlan":{"parent":"d0","id":1,"protocol":"802.1ad"}},
           "w":{"vlan":{"parent":"d0","id":1,"protocol":"802.1ad"}}"#,
        "nodes.n.interfaces.w.vlan.id: v is VLAN 1 by 802.1ad on d0 already; give each its own id or parent",
    );
}
