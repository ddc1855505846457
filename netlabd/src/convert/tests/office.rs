//! What the host has by itself, and a lab names: whether it is there is looked for on the host.

use super::{bad, lab, lab_fields, message};

#[track_caller]
fn good(fields: &str) {
    let read = lab(&message(&lab_fields(fields)));
    assert!(read.is_ok(), "{fields}: {}", read.unwrap_err());
}

#[test]
fn what_the_host_has_is_looked_for_there() {
    let fields = |host: &str, node: &str, links: &str| {
        format!(
            r#""name":"x","nodes":{{"n":{{"interfaces":{{{node}}}}}}},"host":{{"interfaces":{{{host}}}}},"links":[{links}]"#
        )
    };
    let links = r#"{"endpoints":["n:a","host:lab1"]},{"endpoints":["n:b","host:lab2"]}"#;
    let ports = r#""lab1":{"port":{"bridge":"br-office"}},"lab2":{"port":{"bridge":"br-office"}}"#;
    let bridged = |bridge: &str| {
        format!(
            r#""br0":{{"bridge":{{{bridge}}}}},"a":{{"port":{{"bridge":"br0"}}}},"b":{{"port":{{"bridge":"br0"}}}}"#
        )
    };
    bad(
        lab_fields,
        &fields(ports, &bridged(""), links),
        "host.interfaces.lab2.port: lab2 and lab1 are joined within the lab, and with the host's br-office they make a loop, in \
         which frames go round for ever; take one out, or let a bridge between them run STP",
    );
    good(&fields(ports, &bridged(r#""stp":true"#), links));
    good(&fields(ports, "", links));
    let vlan = r#""v":{"vlan":{"parent":"PARENT","id":5}}"#;
    good(&fields(&vlan.replace("PARENT", "eth9"), "", ""));
    bad(
        lab_fields,
        &fields(&vlan.replace("PARENT", "lo"), "", ""),
        r#"host.interfaces.v.vlan.parent: "lo" cannot carry another interface; name another one"#,
    );
    // The same address twice on the wire of the office.
    let two = r#"{"endpoints":["n:a","host:lab1"]},{"endpoints":["m:b","host:lab2"]}"#;
    let text = fields(ports, r#""a":{"addresses":["192.0.2.1/24"]}"#, two)
        .replace(r#""nodes":{"#, r#""nodes":{"m":{"interfaces":{"b":{"addresses":["192.0.2.1/25"]}}},"#);
    bad(
        lab_fields,
        &text,
        "nodes.n.interfaces.a.addresses[0]: 192.0.2.1 is on m:b already (nodes.m.interfaces.b.addresses[0]), on the same wire; \
         change one",
    );
}
