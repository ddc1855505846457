//! The JSON Schema of the lab file, made from the API's own descriptors and comments, so that
//! editors complete and check what netlabctl reads.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::labfile::lab_descriptor;

/// Patterns and ranges of fields that the descriptors do not carry; netlabd checks them, and more.
const NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";

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
    let required = required(message.name());
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
            let (least, most) = range(field.full_name());
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        // A number that is not quoted is text where text is asked for.
        _ => text_schema(field.full_name()),
    }
}

fn text_schema(field: &str) -> Value {
    match field {
        "netlab.v1.Lab.name" => json!({ "type": ["string", "integer"], "pattern": NAME, "maxLength": 40 }),
        "netlab.v1.Lab.description" => json!({ "type": "string", "maxLength": 4096 }),
        "netlab.v1.Interface.mac" => {
            json!({ "type": "string", "pattern": "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$" })
        }
        "netlab.v1.Macvlan.mode" => json!({ "enum": ["bridge", "private", "vepa", "passthru"] }),
        "netlab.v1.PortForward.protocol" => json!({ "enum": ["tcp", "udp"] }),
        "netlab.v1.Link.endpoints" => {
            json!({ "type": "string", "pattern": "^[a-z0-9-]{1,20}:[^/:\\s]{1,15}$" })
        }
        _ => json!({ "type": ["string", "number", "boolean"] }),
    }
}

fn names(field: &FieldDescriptor) -> Option<Value> {
    match field.full_name() {
        "netlab.v1.Lab.nodes" => {
            Some(json!({ "pattern": NAME, "maxLength": 20, "not": { "const": "host" } }))
        }
        "netlab.v1.Node.interfaces" | "netlab.v1.Host.interfaces" => {
            Some(json!({ "pattern": "^[^/:\\s]{1,15}$" }))
        }
        "netlab.v1.Node.sysctls" => Some(json!({ "pattern": "^net\\." })),
        _ => None,
    }
}

fn range(field: &str) -> (u32, u32) {
    match field {
        "netlab.v1.Interface.mtu" => (68, 65_535),
        "netlab.v1.Vlan.id" | "netlab.v1.Port.access" | "netlab.v1.Port.trunk" | "netlab.v1.Port.native" => {
            (1, 4094)
        }
        "netlab.v1.Vxlan.vni" => (0, 0x00ff_ffff),
        "netlab.v1.Vxlan.port" | "netlab.v1.PortForward.port" => (1, 65_535),
        _ => (0, u32::MAX),
    }
}

fn required(message: &str) -> &'static [&'static str] {
    match message {
        "Lab" => &["name"],
        "Vlan" => &["parent", "id"],
        "Vxlan" => &["vni"],
        "Macvlan" => &["parent"],
        "Port" => &["bridge"],
        "Route" => &["to"],
        "PortForward" => &["protocol", "port", "to"],
        "Link" => &["endpoints"],
        "Check" => &["from", "to"],
        _ => &[],
    }
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
