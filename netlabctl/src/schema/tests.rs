//! The schema: up to date, whole, and its patterns.

use std::collections::BTreeMap;

use super::*;

#[test]
fn the_committed_schema_is_up_to_date() {
    let committed = include_str!("../../../docs/lab.schema.json");
    assert!(committed == text(), "run: netlabctl schema > docs/lab.schema.json");
}

#[test]
fn the_reference_has_a_row_for_every_key() {
    let reference = include_str!("../../../docs/lab-file.md");
    let schema = schema();
    let messages = schema["$defs"].as_object().unwrap().values();
    let mut keys: BTreeMap<&str, usize> = BTreeMap::new();
    for key in messages.flat_map(|message| message["properties"].as_object().unwrap().keys()) {
        *keys.entry(key).or_default() += 1;
    }
    for (key, messages) in keys {
        let rows = reference.matches(&format!("\n| `{key}` |")).count();
        assert_eq!(rows, messages, "rows of {key}, which so many messages have");
    }
}

#[test]
fn every_number_has_a_range() {
    let mut left = vec![lab_descriptor()];
    let mut seen = Vec::new();
    while let Some(message) = left.pop() {
        for field in message.fields() {
            match field.kind() {
                Kind::Message(other) if !seen.contains(&other) => left.push(other),
                Kind::Uint32 => {
                    assert!(
                        rules(&field).range.is_some(),
                        "{}: say its range in lab.proto",
                        field.full_name()
                    );
                }
                _ => {}
            }
        }
        seen.push(message);
    }
}

#[test]
fn addresses_are_told_from_what_is_none() {
    let schema = schema();
    let pattern = |message: &str, field: &str| {
        let property = &schema["$defs"][message]["properties"][field];
        let text = property.get("items").unwrap_or(property)["pattern"].as_str().unwrap();
        regex::Regex::new(text).unwrap()
    };
    let check = |message: &str, field: &str, good: &[&str], bad: &[&str]| {
        let pattern = pattern(message, field);
        for text in good {
            assert!(pattern.is_match(text), "{message}.{field}: {text}");
        }
        for text in bad {
            assert!(!pattern.is_match(text), "{message}.{field}: {text}");
        }
    };
    let v6 = [
        "::",
        "::1",
        "1::",
        "2001:db8::1",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "FE80::aB",
    ];
    let no_v6 =
        ["", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "1:", ":1"];
    check("Route", "via", &v6, &no_v6);
    for text in v6.iter().chain(&no_v6) {
        let read = text.parse::<std::net::Ipv6Addr>().is_ok();
        assert_eq!(pattern("Route", "via").is_match(text), read, "{text}");
    }
    check(
        "Route",
        "via",
        &["192.0.2.1", "0.0.0.0", "255.255.255.255"],
        &["192.0.2.256", "192.0.2", "192.0.2.010"],
    );
    let bad = [
        "192.0.2.300/24",
        "bad",
        "192.0.2.1",
        "192.0.2.1/33",
        "192.0.2.1/024",
        "2001:db8::1/129",
        "2001:db8::1",
    ];
    check("Interface", "addresses", &["192.0.2.1/24", "10.0.0.1/8", "2001:db8::1/64", "::1/128"], &bad);
    check("Route", "to", &["default", "192.0.2.0/24", "::/0"], &["Default", "192.0.2.0", "default/0"]);
    let one_family = ["", "192.0.2.1-", "192.0.2.1-2001:db8::1", "192.0.2.0/24", "a"];
    check("SourceNat", "to", &["192.0.2.1", "192.0.2.1-192.0.2.9", "2001:db8::1-2001:db8::9"], &one_family);
    let services =
        ["192.0.2.1", "192.0.2.1:80", "192.0.2.1-192.0.2.9:80-90", "[2001:db8::1]-[2001:db8::9]:80"];
    check("DestinationNat", "to", &services, &["192.0.2.1:0", "192.0.2.1:", "2001:db8::1]:80", ":80"]);
    check("Masquerade", "source", &["192.0.2.0/24"], &["192.0.2.0"]);
    check(
        "PortForward",
        "to",
        &["192.0.2.1:80", "[2001:db8::1]:65535", "192.0.2.1:59999"],
        &["192.0.2.1", "192.0.2.1:0", "192.0.2.1:080", "192.0.2.1:65536", "2001:db8::1:80", "web:80"],
    );
    check(
        "FirewallRule",
        "ports",
        &["1", "80", "65535", "8000-8010"],
        &["", "0", "65536", "80-", "-80", "8000-80100", "http", "080"],
    );
    check("Impair", "delay", &["20ms", "0.5s", "0ns"], &["20", "20 ms", "2h", "010ms", ".5s"]);
    check("Impair", "loss", &["1%", "0.5%"], &["1", "1 %", "x%"]);
    check("Impair", "rate", &["10mbit", "1.5gbit"], &["10", "10M", "10mbps"]);
    check("Vxlan", "dev", &["eth0", "br0.100"], &["a/b", "a b", "a%b", "0123456789abcdef"]);
}

#[test]
fn every_key_is_described() {
    let schema = schema();
    for (name, message) in schema["$defs"].as_object().unwrap() {
        assert_ne!(message["description"], "", "{name}");
        for (key, property) in message["properties"].as_object().unwrap() {
            assert_ne!(property["description"], "", "{name}.{key}");
        }
    }
}
