//! What differs between two desired states, in short.

use std::collections::HashMap;

use netlab_proto::v1 as proto;
use prost::{
    DecodeError, Message as _,
    encoding::{DecodeContext, decode_key, skip_field},
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Most lines.
const LINES: usize = 20;
/// Fields that are there as soon as they hold something.
const HOLDERS: [&str; 4] = ["nodes", "interfaces", "host", "nat"];
/// Fields whose values are secret.
const SECRETS: [&str; 2] = ["private_key", "preshared_key"];
/// Most characters of a line.
const LENGTH: usize = 200;

/// What differs, a line a field, as `Revision.changes` has it; both as they are kept.
pub(super) fn between(before: &[u8], after: &[u8]) -> Vec<String> {
    at_most(LINES, before, after)
}

/// The same in so many lines.
pub(super) fn at_most(most: usize, before: &[u8], after: &[u8]) -> Vec<String> {
    let Ok((before, after)) = apart(before, after) else { return Vec::new() };
    let value = |lab| hide(serde_json::to_value(lab).unwrap_or_default());
    let mut lines = Vec::new();
    compare("", &value(before), &value(after), &mut lines);
    if lines.len() > most {
        let more = lines.len() - (most - 1);
        lines.truncate(most - 1);
        lines.push(format!("and {more} more"));
    }
    for line in lines.iter_mut().filter(|line| line.chars().count() > LENGTH) {
        *line = line.chars().take(LENGTH - 3).chain("...".chars()).collect();
    }
    lines
}

/// Puts something that tells of a change in the place of keys that nobody else is to know.
fn hide(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                *field = match field.take() {
                    Value::String(key)
                        if SECRETS.contains(&name.as_str()) && !["", "auto"].contains(&&*key) =>
                    {
                        let digest = Sha256::digest(&key);
                        Value::String(format!("hidden ({:02x}{:02x})", digest[0], digest[1]))
                    }
                    other => hide(other),
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = hide(item.take())),
        _ => {}
    }
    value
}

/// What each of two labs has and the other has not: of a large one most is the same, usually, and is not even read.
fn apart(before: &[u8], after: &[u8]) -> Result<(proto::Lab, proto::Lab), DecodeError> {
    let (before, after) = (fields(before)?, fields(after)?);
    let mut more: HashMap<&[u8], usize> = HashMap::new();
    for field in &after {
        *more.entry(field).or_default() += 1;
    }
    // Takes one of a field that is there several times.
    let take = |more: &mut HashMap<&[u8], usize>, field: &[u8]| match more.get_mut(field) {
        Some(count @ 1..) => {
            *count -= 1;
            true
        }
        _ => false,
    };
    let (mut old, mut new) = (Vec::new(), Vec::new());
    before.iter().filter(|field| !take(&mut more, field)).for_each(|field| old.extend_from_slice(field));
    after.iter().filter(|field| take(&mut more, field)).for_each(|field| new.extend_from_slice(field));
    Ok((proto::Lab::decode(old.as_slice())?, proto::Lab::decode(new.as_slice())?))
}

/// The fields of an encoded message, each node, link and check by itself.
fn fields(mut message: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let mut rest = message;
        let (tag, wire) = decode_key(&mut rest)?;
        skip_field(wire, tag, &mut rest, DecodeContext::default())?;
        let (field, rest) = message.split_at(message.len() - rest.len());
        fields.push(field);
        message = rest;
    }
    Ok(fields)
}

fn compare(path: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => objects(path, before, after, lines),
        (Value::Array(before), Value::Array(after)) => arrays(path, before, after, lines),
        _ if before != after => lines.push(format!("{path}: {} -> {}", text(before), text(after))),
        _ => {}
    }
}

fn objects(path: &str, before: &Map<String, Value>, after: &Map<String, Value>, lines: &mut Vec<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, old) in before {
        match after.get(key) {
            Some(new) => compare(&below(key), old, new, lines),
            None => gone_or_new('-', &below(key), old, lines),
        }
    }
    for (key, new) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        gone_or_new('+', &below(key), new, lines);
    }
}

/// The order of a list does not matter in a lab, but for what is told of it.
fn arrays(path: &str, before: &[Value], after: &[Value], lines: &mut Vec<String>) {
    let mut left: Vec<&Value> = after.iter().collect();
    for old in before {
        match left.iter().position(|new| *new == old) {
            Some(at) => drop(left.remove(at)),
            None => lines.push(format!("- {path}: {}", text(old))),
        }
    }
    lines.extend(left.into_iter().map(|new| format!("+ {path}: {}", text(new))));
}

/// Of something whole that is gone or new its name is enough, of a value what it was or is.
fn gone_or_new(sign: char, path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        // What only holds others is not told of itself.
        Value::Object(fields) if HOLDERS.iter().any(|holder| path.rsplit('.').next() == Some(holder)) => {
            for (key, value) in fields {
                gone_or_new(sign, &format!("{path}.{key}"), value, lines);
            }
        }
        Value::Object(_) => lines.push(format!("{sign} {path}")),
        Value::Array(items) => {
            lines.extend(items.iter().map(|item| format!("{sign} {path}: {}", text(item))));
        }
        value => lines.push(format!("{sign} {path}: {}", text(value))),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let fields = map.iter().map(|(key, value)| format!("{key}: {}", text(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(before: &str, after: &str) -> Vec<String> {
        let lab = |text| serde_json::from_str::<proto::Lab>(text).unwrap().encode_to_vec();
        between(&lab(before), &lab(after))
    }

    #[test]
    fn keys_are_not_told() {
        let lab = |key: &str| {
            let peers = format!(r#"[{{"node": "b:wg0", "preshared_key": "{key}"}}]"#);
            let wg0 = format!(r#"{{"wireguard": {{"private_key": "{key}", "peers": {peers}}}}}"#);
            format!(r#"{{"name": "x", "nodes": {{"a": {{"interfaces": {{"wg0": {wg0}}}}}}}}}"#)
        };
        let lines = changes(&lab("yAnz5TF+"), &lab("FpCyhws9"));
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines.iter().all(|line| !line.contains("yAnz") && !line.contains("FpCy")), "{lines:?}");
        assert!(lines[0].ends_with("private_key: hidden (45a9) -> hidden (c4ed)"), "{lines:?}");
    }

    #[test]
    fn each_kind_of_change_has_its_line() {
        let before = r#"{"name": "x", "description": "one", "nodes": {"a": {"interfaces": {"eth0":
            {"mtu": 1500, "addresses": ["192.0.2.1/24", "192.0.2.2/24"]}}}, "b": {}}}"#;
        let after = r#"{"name": "x", "nodes": {"a": {"forwarding": true, "interfaces": {"eth0":
            {"mtu": 1400, "addresses": ["192.0.2.2/24", "192.0.2.3/24"]}}}, "c": {}},
            "links": [{"endpoints": ["a:eth0", "c:eth0"]}]}"#;
        let mut lines = changes(before, after);
        lines.sort();
        assert_eq!(
            lines,
            [
                "+ links: { endpoints: [a:eth0, c:eth0] }",
                "+ nodes.a.forwarding: true",
                "+ nodes.a.interfaces.eth0.addresses: 192.0.2.3/24",
                "+ nodes.c",
                "- description: one",
                "- nodes.a.interfaces.eth0.addresses: 192.0.2.1/24",
                "- nodes.b",
                "nodes.a.interfaces.eth0.mtu: 1500 -> 1400",
            ]
        );
        assert!(changes(after, after).is_empty());
        let twice = r#"{"name": "x", "checks": [{"from": "a", "to": "b"}, {"from": "a", "to": "b"}]}"#;
        let once = r#"{"name": "x", "checks": [{"from": "a", "to": "b"}]}"#;
        assert_eq!(changes(twice, once), ["- checks: { from: a, to: b }"]);
        assert_eq!(changes(once, twice), ["+ checks: { from: a, to: b }"]);
    }

    #[test]
    fn long_lists_are_cut() {
        let nodes: Vec<String> = (0..50).map(|n| format!("\"n{n}\": {{}}")).collect();
        let lines =
            changes(r#"{"name": "x"}"#, &format!(r#"{{"name": "x", "nodes": {{{}}}}}"#, nodes.join(",")));
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (20, Some("and 31 more")));
        let long = "y".repeat(500);
        let lines = changes(r#"{"name": "x"}"#, &format!(r#"{{"name": "x", "description": "{long}"}}"#));
        assert_eq!(lines[0].chars().count(), 200);
    }
}
