//! VXLANs with several other ends.

use super::{bad, interfaces};

#[test]
fn remotes() {
    for (vxlan, expected) in [
        (
            r#""remote":"192.0.2.1","remotes":["192.0.2.2"]"#,
            "remotes: remote is the one other end; give it here too, and leave remote out",
        ),
        (r#""remotes":["192.0.2.1","192.0.2.1"]"#, "remotes[1]: 192.0.2.1 is listed twice; once is enough"),
        (r#""remotes":["192.0.2"]"#, r#"remotes[0]: "192.0.2" is not an IP address"#),
        (
            r#""remotes":["2001:db8::1"]"#,
            "remotes[0]: 2001:db8::1 is of IPv6: add local, an IPv6 address of this node",
        ),
        (
            r#""local":"192.0.2.1","remotes":["2001:db8::1"]"#,
            "remotes[0]: 2001:db8::1 and local are of different families; use IPv4 or IPv6 for all",
        ),
        (
            r#""local":"2001:db8::2","remotes":["fe80::1"]"#,
            "remotes[0]: fe80::1 is link-local, so it is on every link; give another address of that end",
        ),
    ] {
        let text = format!(r#""vx0":{{"vxlan":{{"vni":1,{vxlan}}}}}"#);
        bad(interfaces, &text, &format!("nodes.n.interfaces.vx0.vxlan.{expected}"));
    }
    let many = vec![r#""192.0.2.1""#; 1_001].join(",");
    bad(
        interfaces,
        &format!(r#""vx0":{{"vxlan":{{"vni":1,"remotes":[{many}]}}}}"#),
        "nodes.n.interfaces.vx0.vxlan.remotes: 1001 other ends; at most 1000",
    );
}
