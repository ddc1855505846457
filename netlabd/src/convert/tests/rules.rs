//! Translations, sysctls and checks.

use super::{bad, checks, lab_fields, nat, sysctls};

#[test]
fn masquerades() {
    for (text, expected) in [
        (
            r#""masquerade":[{"source":"192.0.2.1/24"}]"#,
            r#"nodes.n.nat.masquerade[0].source: "192.0.2.1/24" has bits set after its prefix; write 192.0.2.0/24"#,
        ),
        (
            r#""masquerade":[{"source":"192.0.2.1"}]"#,
            r#"nodes.n.nat.masquerade[0].source: "192.0.2.1" has no prefix length; write 192.0.2.1/32"#,
        ),
        (
            r#""masquerade":[{"out_interface":"eth7"}]"#,
            r#"nodes.n.nat.masquerade[0].out_interface: n has no interface "eth7"; did you mean "eth0"?"#,
        ),
        (
            r#""masquerade":[{"out_interface":"a b"}]"#,
            r#"nodes.n.nat.masquerade[0].out_interface: "a b" may not hold white space, '/', ':', '%' or control characters"#,
        ),
        (
            r#""masquerade":[{"out_interface":"a\"b"}]"#,
            r#"nodes.n.nat.masquerade[0].out_interface: "a\"b": nft(8) cannot write a quotation mark, nor \* at the end of a name; rename the interface"#,
        ),
        (
            r#""masquerade":[{"out_interface":"a\u202eb"}]"#,
            r#"nodes.n.nat.masquerade[0].out_interface: "a\u202eb" holds U+202E, a character that cannot be seen; leave it out"#,
        ),
    ] {
        bad(nat, text, expected);
    }
}

#[test]
fn port_forwards() {
    for (text, expected) in [
        (
            r#""port_forwards":[{"protocol":"sctp","port":80,"to":"192.0.2.1:80","in_interface":""}]"#,
            r#"nodes.n.nat.port_forwards[0].protocol: "sctp" is not a protocol with ports: tcp or udp"#,
        ),
        (
            r#""port_forwards":[{"protocol":"tcp","port":0,"to":"192.0.2.1:80","in_interface":""}]"#,
            "nodes.n.nat.port_forwards[0].port: 0 is not a port: 1 to 65,535",
        ),
        (
            r#""port_forwards":[{"protocol":"tcp","port":65536,"to":"192.0.2.1:80","in_interface":""}]"#,
            "nodes.n.nat.port_forwards[0].port: 65536 is not a port: 1 to 65,535",
        ),
        (
            r#""port_forwards":[{"protocol":"tcp","port":80,"to":"192.0.2.1","in_interface":""}]"#,
            r#"nodes.n.nat.port_forwards[0].to: "192.0.2.1" has no port; write 192.0.2.1:80, with the port of the service"#,
        ),
        (
            r#""port_forwards":[{"protocol":"tcp","port":80,"to":"2001:db8::1","in_interface":""}]"#,
            r#"nodes.n.nat.port_forwards[0].to: "2001:db8::1" has no port; write [2001:db8::1]:80, with the port of the service"#,
        ),
        (
            r#""port_forwards":[{"protocol":"tcp","port":80,"to":"web:80","in_interface":""}]"#,
            r#"nodes.n.nat.port_forwards[0].to: "web:80" is not address:port such as 192.0.2.1:80 or [2001:db8::1]:80"#,
        ),
        (
            r#""port_forwards":[{"protocol":"tcp","port":80,"to":"192.0.2.1:0","in_interface":""}]"#,
            r#"nodes.n.nat.port_forwards[0].to: "192.0.2.1:0" has port 0; ports are 1 to 65,535"#,
        ),
        (
            r#""port_forwards":[{"protocol":"udp","port":80,"to":"127.0.0.1:80","in_interface":""}]"#,
            r#"nodes.n.nat.port_forwards[0].to: "127.0.0.1:80" is a loopback address; the kernel drops packets that are led there"#,
        ),
        (
            r#""port_forwards":[{"protocol":"udp","port":80,"to":"[fe80::1]:80","in_interface":""}]"#,
            r#"nodes.n.nat.port_forwards[0].to: "[fe80::1]:80" is a link-local address, which nothing is forwarded to"#,
        ),
        (
            r#""port_forwards":[{"protocol":"udp","port":80,"to":"0.0.0.0:80","in_interface":""}]"#,
            r#"nodes.n.nat.port_forwards[0].to: "0.0.0.0:80" is the unspecified address, not a host's"#,
        ),
        (
            r#""port_forwards":[{"protocol":"udp","port":80,"to":"192.0.2.1:80","in_interface":"eth7"}]"#,
            r#"nodes.n.nat.port_forwards[0].in_interface: n has no interface "eth7"; did you mean "eth0"?"#,
        ),
        (
            r#""port_forwards":[{"protocol":"tcp","port":80,"to":"192.0.2.1:80"},{"protocol":"tcp","port":80,"to":"192.0.2.2:80"}]"#,
            "nodes.n.nat.port_forwards[1]: tcp port 80 is forwarded by port_forwards[0] already; change one",
        ),
    ] {
        bad(nat, text, expected);
    }
}

#[test]
fn no_forwarding() {
    let text = r#""name":"x","nodes":{"a":{"nat":{"masquerade":[{}]}}},"host":{"nat":{"masquerade":[{}]}}"#;
    bad(
        lab_fields,
        text,
        "host.forwarding: host.nat translates forwarded packets, and host forwards none; set it to true
nodes.a.forwarding: nodes.a.nat translates forwarded packets, and a forwards none; set it to true",
    );
}

#[test]
fn sysctl_texts() {
    for (text, expected) in [
        (
            r#""kernel.core_pattern":"x""#,
            r#"nodes.n.sysctls["kernel.core_pattern"]: "kernel.core_pattern" is not a sysctl of a network namespace; only net.* can be set"#,
        ),
        (
            r#""net.core.somaxconn":"""#,
            r#"nodes.n.sysctls["net.core.somaxconn"]: the value is empty; write it as a text such as "0""#,
        ),
        (
            r#""net.core.somaxconn":"1\n2""#,
            r#"nodes.n.sysctls["net.core.somaxconn"]: the value must be one line of printable characters; part numbers by single spaces"#,
        ),
        (
            r#""net.core.somaxconn":"11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111""#,
            r#"nodes.n.sysctls["net.core.somaxconn"]: the value has 257 bytes; at most 256 are allowed"#,
        ),
        (
            r#""net.ipv4.ip_forward":"1""#,
            r#"nodes.n.sysctls["net.ipv4.ip_forward"]: "net.ipv4.ip_forward" is set by the node's field forwarding; use that"#,
        ),
        (
            r#""net.ipv6.conf.all.forwarding":"1""#,
            r#"nodes.n.sysctls["net.ipv6.conf.all.forwarding"]: "net.ipv6.conf.all.forwarding" is set by the node's field forwarding; use that"#,
        ),
        (
            r#""net.ipv4.ipfrag_high_thresh":"4194305""#,
            r#"nodes.n.sysctls["net.ipv4.ipfrag_high_thresh"]: the value is "4194305"; at most 4194304 bytes are allowed, as no bound of the lab counts memory for fragments"#,
        ),
        (
            r#""net/ipv6/ip6frag_low_thresh":"-1""#,
            r#"nodes.n.sysctls["net/ipv6/ip6frag_low_thresh"]: "net/ipv6/ip6frag_low_thresh" is not a sysctl of a network namespace; only net.* can be set"#,
        ),
        (
            r#""net.ipv6.ip6frag_low_thresh":"-1""#,
            r#"nodes.n.sysctls["net.ipv6.ip6frag_low_thresh"]: the value is "-1"; at most 4194304 bytes are allowed, as no bound of the lab counts memory for fragments"#,
        ),
        (
            r#""net.ipv4.conf.eth7.rp_filter":"0""#,
            r#"nodes.n.sysctls["net.ipv4.conf.eth7.rp_filter"]: n has no interface "eth7"; did you mean "eth0"?"#,
        ),
        (
            r#""net.ipv4.conf.eth0.100.rp_filter":"0""#,
            r#"nodes.n.sysctls["net.ipv4.conf.eth0.100.rp_filter"]: "net.ipv4.conf.eth0.100.rp_filter" has too many parts; write net.ipv4.conf.eth0/100.rp_filter for the interface eth0.100"#,
        ),
        (
            r#""net.ipv6.conf.eth0.stable_secret":"2001:db8::1""#,
            r#"nodes.n.sysctls["net.ipv6.conf.eth0.stable_secret"]: "net.ipv6.conf.eth0.stable_secret" makes addresses out of a secret, which the kernel does not give up when the file no longer says it; write the addresses, or the interface's mac"#,
        ),
        (
            r#""net.ipv6.conf.default.addr_gen_mode":"2""#,
            r#"nodes.n.sysctls["net.ipv6.conf.default.addr_gen_mode"]: "net.ipv6.conf.default.addr_gen_mode" makes addresses out of a secret, which the kernel does not give up when the file no longer says it; write the addresses, or the interface's mac"#,
        ),
        (
            r#""net.ipv4.conf.all":"0""#,
            r#"nodes.n.sysctls["net.ipv4.conf.all"]: "net.ipv4.conf.all" is a folder; write net.ipv4.conf.NAME.KEY"#,
        ),
        (
            r#""net.ipv6.neigh.all.gc_stale_time":"0""#,
            r#"nodes.n.sysctls["net.ipv6.neigh.all.gc_stale_time"]: the interface "all" is not a name that an interface can have"#,
        ),
    ] {
        bad(sysctls, text, expected);
    }
}

#[test]
fn check_texts() {
    for (text, expected) in [
        (
            "{}",
            r#"checks[0].from: "" is empty
checks[0].to: "" is empty"#,
        ),
        (r#"{"from":"a","to":"x"}"#, r#"checks[0].to: the lab has no node "x""#),
        (r#"{"from":"aa","to":"b"}"#, r#"checks[0].from: the lab has no node "aa""#),
        (
            r#"{"from":"a","to":"b:eth1"}"#,
            "checks[0].to: b:eth1 has no address that could be reached; give it one",
        ),
        (r#"{"from":"a","to":"b:eth9"}"#, r#"checks[0].to: b has no interface "eth9"; did you mean "eth0"?"#),
        (
            r#"{"from":"a","to":"b.c"}"#,
            r#"checks[0].to: "b.c" is not a node, node:interface, host or an IP address"#,
        ),
        (
            r#"{"from":"a","to":"192.0.2.1/24"}"#,
            r#"checks[0].to: "192.0.2.1/24" is not a node, node:interface, host or an IP address"#,
        ),
        (
            r#"{"from":"a","to":"fe80::1"}"#,
            r#"checks[0].to: "fe80::1" is link-local and on no certain link; name node:interface instead"#,
        ),
        (
            r#"{"from":"a","to":"224.0.0.1"}"#,
            r#"checks[0].to: "224.0.0.1" is a multicast address, not a host's"#,
        ),
        (
            r#"{"from":"a","to":"host"}"#,
            "checks[0].to: host has no address that could be reached; give it one",
        ),
        (r#"{"from":"a","to":"c:eth0"}"#, r#"checks[0].to: the lab has no node "c""#),
    ] {
        bad(checks, text, expected);
    }
}
