//! The JSON Schema of the lab file, made from the API's own descriptors, their options and comments, and of what only
//! the file has, so that editors complete and check what netlabctl reads.

mod format;
mod structure;
#[cfg(test)]
mod tests;

use netlab_proto::{
    rules,
    v1::{FieldRules, NumberRange},
};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::labfile::lab_descriptor;

/// The schema as text, with a newline at its end.
pub(crate) fn text() -> String {
    format!("{:#}\n", schema())
}

fn schema() -> Value {
    let lab = lab_descriptor();
    let mut definitions = Map::new();
    define(&lab, &mut definitions);
    structure::add(&mut definitions);
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
        if let Some(names) = format::names(rules(field).keys()) {
            map["propertyNames"] = names;
        }
        map
    } else if field.is_list() {
        let mut list = json!({ "type": ["array", "null"], "items": single(field, definitions) });
        let items = rules(field).items;
        if items > 0 {
            list["minItems"] = json!(items);
            list["maxItems"] = json!(items);
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
            let NumberRange { min, max } =
                rules(field).range.unwrap_or(NumberRange { min: 0, max: u32::MAX });
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        _ => text_of(&rules(field)),
    }
}

fn text_of(rules: &FieldRules) -> Value {
    if !rules.values.is_empty() {
        return json!({ "enum": rules.values });
    }
    let mut schema = format::text(rules.format());
    if rules.max_length > 0 {
        schema = json!({ "type": "string", "maxLength": rules.max_length });
    }
    schema
}

fn required(message: &MessageDescriptor) -> Vec<String> {
    let fields = message.fields().filter(|field| rules(field).required);
    fields.map(|field| field.name().to_owned()).collect()
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
