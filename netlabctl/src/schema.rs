//! The JSON Schema of the lab file, made from the API's own descriptors and comments, so that
//! editors complete and check what netlabctl reads.

use std::ops::RangeInclusive;

use netlab_proto::range;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::labfile::lab_descriptor;

/// Patterns and ranges of fields that the descriptors do not carry; netlabd checks them, and more.
const NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
/// Of an interface; the kernel counts bytes.
const INTERFACE: &str = "^[^/:%\\s]{1,15}$";
/// An IPv4 address without zeros before its numbers (`inet_aton(3)` would read them as octal).
const IPV4: &str = "OCTET(\\.OCTET){3}";
const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
/// An IPv6 address, RFC 4291 2.2: whole, or with one `::` in each place that it can have.
const IPV6: &str = "((H:){7}H|(H:){1,7}:|(H:){1,6}:H|(H:){1,5}(:H){1,2}|(H:){1,4}(:H){1,3}|(H:){1,3}(:H){1,4}|\
                    (H:){1,2}(:H){1,5}|H:(:H){1,6}|:((:H){1,7}|:))";
const HEXTET: &str = "[0-9A-Fa-f]{1,4}";
const PORT: &str = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

/// A pattern for one of two texts, in which `4`, `6` and `P` stand for an address of either kind and a port.
fn address(text: &str) -> String {
    let mut out = String::from("^(");
    for c in text.chars() {
        match c {
            '4' => out.push_str(&IPV4.replace("OCTET", OCTET)),
            '6' => out.push_str(&IPV6.replace('H', HEXTET)),
            'P' => out.push_str(PORT),
            // The length of an IPv4 and of an IPv6 prefix.
            'm' => out.push_str("/(3[0-2]|[12]?[0-9])"),
            'n' => out.push_str("/(12[0-8]|1[01][0-9]|[1-9]?[0-9])"),
            c => out.push(c),
        }
    }
    out + ")$"
}

/// A pattern for a number with a unit.
fn quantity(unit: &str) -> String {
    format!("^(0|[1-9][0-9]*)(\\.[0-9]+)?{unit}$")
}

/// The schema as text, with a newline at its end.
pub(crate) fn text() -> String {
    format!("{:#}\n", schema())
}

fn schema() -> Value {
    let lab = lab_descriptor();
    let mut definitions = Map::new();
    define(&lab, &mut definitions);
    let mut root = Map::new();
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    // A name, not a place: nothing has to be fetched.
    root.insert("$id".to_owned(), json!("urn:netlab:v1:lab-file"));
    root.insert("title".to_owned(), json!("netlab lab file"));
    root.insert("$ref".to_owned(), json!("#/$defs/Lab"));
    root.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(root)
}

/// Adds a message and all that it holds.
fn define(message: &MessageDescriptor, definitions: &mut Map<String, Value>) {
    if definitions.contains_key(message.name()) {
        return;
    }
    definitions.insert(message.name().to_owned(), Value::Null);
    let fields: Map<String, Value> =
        message.fields().map(|field| (field.name().to_owned(), property(&field, definitions))).collect();
    let mut object = json!({
        // Nothing after a key stands for an empty mapping.
        "type": ["object", "null"],
        "description": comment(message.path(), &message.parent_file()),
        "additionalProperties": false,
        "properties": fields,
    });
    let required = required(message);
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    let pairs = exclusive(message);
    if !pairs.is_empty() {
        object["allOf"] = json!(pairs);
    }
    definitions.insert(message.name().to_owned(), object);
}

fn property(field: &FieldDescriptor, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = if let Some((_, values)) = map_of(field) {
        let mut map =
            json!({ "type": ["object", "null"], "additionalProperties": single(&values, definitions) });
        if let Some(names) = names(field) {
            map["propertyNames"] = names;
        }
        map
    } else if field.is_list() {
        let mut list = json!({ "type": ["array", "null"], "items": single(field, definitions) });
        if field.full_name() == "netlab.v1.Link.endpoints" {
            list["minItems"] = json!(2);
            list["maxItems"] = json!(2);
        }
        list
    } else {
        single(field, definitions)
    };
    schema["description"] = comment(field.path(), &field.parent_message().parent_file());
    schema
}

fn map_of(field: &FieldDescriptor) -> Option<(FieldDescriptor, FieldDescriptor)> {
    match field.kind() {
        Kind::Message(pair) if field.is_map() => {
            Some((pair.map_entry_key_field(), pair.map_entry_value_field()))
        }
        _ => None,
    }
}

fn single(field: &FieldDescriptor, definitions: &mut Map<String, Value>) -> Value {
    match field.kind() {
        Kind::Message(message) => {
            define(&message, definitions);
            json!({ "$ref": format!("#/$defs/{}", message.name()) })
        }
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Uint32 => {
            let range = range(field).unwrap_or(0..=u32::MAX);
            json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() })
        }
        // A number that is not quoted is text where text is asked for.
        _ => text_schema(field),
    }
}

fn text_schema(field: &FieldDescriptor) -> Value {
    match (field.full_name(), field.name()) {
        ("netlab.v1.Lab.name", _) => {
            json!({ "type": ["string", "integer"], "pattern": NAME, "maxLength": 40 })
        }
        ("netlab.v1.Lab.description", _) => json!({ "type": "string", "maxLength": 4096 }),
        ("netlab.v1.Interface.mac" | "netlab.v1.Neighbour.mac", _) => {
            json!({ "type": "string", "pattern": "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$" })
        }
        ("netlab.v1.Macvlan.mode", _) => json!({ "enum": ["bridge", "private", "vepa", "passthru"] }),
        ("netlab.v1.Route.type", _) => {
            json!({ "enum": ["unicast", "blackhole", "unreachable", "prohibit", "throw"] })
        }
        ("netlab.v1.Rule.type", _) => {
            json!({ "enum": ["unicast", "blackhole", "unreachable", "prohibit"] })
        }
        ("netlab.v1.PortForward.protocol", _) => json!({ "enum": ["tcp", "udp"] }),
        ("netlab.v1.Impair.preset", _) => {
            json!({
                "enum": ["dsl", "cable", "4g", "3g", "wifi", "satellite_geo", "satellite_leo", "lossy"]
            })
        }
        ("netlab.v1.Impair.distribution", _) => {
            json!({ "enum": ["uniform", "normal", "pareto", "paretonormal"] })
        }
        (_, "delay" | "jitter") => json!({ "type": "string", "pattern": quantity("(ns|us|ms|s)") }),
        (_, "correlation" | "loss" | "duplicate" | "corrupt" | "reorder") => {
            json!({ "type": "string", "pattern": quantity("%") })
        }
        (_, "rate") => json!({ "type": "string", "pattern": quantity("(bit|kbit|mbit|gbit)") }),
        ("netlab.v1.Link.endpoints", _) => {
            json!({ "type": "string", "pattern": "^[a-z0-9-]{1,20}:[^/:%\\s]{1,15}$" })
        }
        ("netlab.v1.Interface.addresses" | "netlab.v1.Rule.from" | "netlab.v1.Rule.to", _)
        | (_, "source" | "destination") => {
            json!({ "type": "string", "pattern": address("4m|6n") })
        }
        ("netlab.v1.FirewallChain.policy", _) => json!({ "enum": ["accept", "drop"] }),
        ("netlab.v1.FirewallRule.action", _) => json!({ "enum": ["accept", "drop", "reject"] }),
        ("netlab.v1.FirewallRule.state", _) => {
            json!({ "enum": ["new", "established", "related", "invalid", "untracked"] })
        }
        // A single port is a number, which needs no quotes.
        (_, "ports" | "source_ports") => {
            json!({ "type": ["string", "integer"], "pattern": format!("^{PORT}(-{PORT})?$"), "minimum": 1, "maximum": 65_535 })
        }
        ("netlab.v1.FirewallRule.protocol", _) => {
            json!({ "type": ["string", "integer"], "pattern": "^([a-z][a-z0-9]*|[0-9]{1,3})$", "minimum": 0, "maximum": 255 })
        }
        ("netlab.v1.Neighbour.to", _) | (_, "remote" | "local" | "via" | "src") => {
            json!({ "type": "string", "pattern": address("4|6") })
        }
        ("netlab.v1.Route.to", _) => json!({ "type": "string", "pattern": address("default|4m|6n") }),
        ("netlab.v1.PortForward.to", _) => json!({ "type": "string", "pattern": address("4:P|\\[6\\]:P") }),
        // A name may look like a number, which needs no quotes.
        (_, "parent" | "dev" | "iif" | "bridge" | "out_interface" | "in_interface" | "joins") => {
            json!({ "type": ["string", "number", "boolean"], "pattern": INTERFACE })
        }
        _ => json!({ "type": ["string", "number", "boolean"] }),
    }
}

fn names(field: &FieldDescriptor) -> Option<Value> {
    match field.full_name() {
        "netlab.v1.Lab.nodes" => {
            Some(json!({ "pattern": NAME, "maxLength": 20, "not": { "const": "host" } }))
        }
        "netlab.v1.Node.interfaces" | "netlab.v1.Host.interfaces" => Some(json!({ "pattern": INTERFACE })),
        "netlab.v1.Node.sysctls" => Some(json!({ "pattern": "^net\\." })),
        _ => None,
    }
}

/// What netlabd takes of a number, by the field's name where that means the same wherever it stands; `None` for a field
/// that nobody has thought of.
fn range(field: &FieldDescriptor) -> Option<RangeInclusive<u32>> {
    Some(match (field.full_name(), field.name()) {
        ("netlab.v1.Route.mtu", _) => range::ROUTE_MTU,
        (_, "mtu") => range::MTU,
        ("netlab.v1.Vlan.id", _) | (_, "access" | "trunk" | "native") => range::VLAN,
        (_, "vni") => range::VNI,
        (_, "port") => range::PORT,
        (_, "ttl") => range::TTL,
        (_, "key") => range::GRE_KEY,
        (_, "metric") => range::METRIC,
        (_, "table") => range::TABLE,
        (_, "weight") => range::WEIGHT,
        (_, "loss_burst") => range::LOSS_BURST,
        (_, "queue") => range::QUEUE,
        (_, "seed") => 0..=u32::MAX,
        (_, "priority") => range::PRIORITY,
        (_, "fwmark") => range::FWMARK,
        (_, "fwmask") => range::FWMASK,
        _ => return None,
    })
}

fn required(message: &MessageDescriptor) -> Vec<String> {
    let also: &[&str] = match message.name() {
        "Lab" => &["name"],
        "Vlan" => &["id"],
        "Port" => &["bridge"],
        "Route" | "Neighbour" => &["to"],
        "PortForward" => &["protocol", "port", "to"],
        "FirewallRule" => &["action"],
        "Link" => &["endpoints"],
        "Check" => &["from", "to"],
        _ => &[],
    };
    // What an interface stands on, and the number of a tunnel, are never left out.
    let always = |name: &&str| message.get_field_by_name(name).is_some();
    ["parent", "vni"].iter().filter(|name| always(name)).chain(also).map(|name| (*name).to_owned()).collect()
}

/// Fields of one `oneof`: no two of them together.
fn exclusive(message: &MessageDescriptor) -> Vec<Value> {
    let mut pairs = Vec::new();
    for choice in message.oneofs() {
        let names: Vec<String> = choice.fields().map(|field| field.name().to_owned()).collect();
        for (i, a) in names.iter().enumerate() {
            pairs.extend(names[i + 1..].iter().map(|b| json!({ "not": { "required": [a, b] } })));
        }
    }
    pairs
}

/// The comment above a thing in its `.proto` file, its lines joined.
fn comment(path: &[i32], file: &prost_reflect::FileDescriptor) -> Value {
    let source = file.file_descriptor_proto().source_code_info.as_ref();
    let found = source.and_then(|source| source.location.iter().find(|location| location.path == path));
    let text = found.map(prost_reflect::prost_types::source_code_info::Location::leading_comments);
    json!(text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_committed_schema_is_up_to_date() {
        let committed = include_str!("../../docs/lab.schema.json");
        assert!(committed == text(), "run: netlabctl schema > docs/lab.schema.json");
    }

    #[test]
    fn the_reference_has_a_row_for_every_key() {
        let reference = include_str!("../../docs/lab-file.md");
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
                        assert!(range(&field).is_some(), "{}: see range()", field.full_name());
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
}
