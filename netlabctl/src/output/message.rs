//! Messages of the API as programs read them: every field without presence is there, `false`, `0` and
//! empty lists too, so that whoever looks for `passed == false` finds it.

use std::sync::OnceLock;

use netlab_proto::FILE_DESCRIPTOR_SET;
use prost::Name;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The JSON form of a message with the field names of the `.proto` files.
///
/// What has presence, as messages, members of a `oneof` and `optional` fields have, is there where it is set.
pub(super) fn value<T: Serialize + Name>(message: &T) -> Result<Value, serde_json::Error> {
    let value = serde_json::to_value(message)?;
    Ok(match pool().get_message_by_name(&T::full_name()) {
        Some(descriptor) => complete(value, &descriptor),
        None => value,
    })
}

fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| {
        DescriptorPool::decode(FILE_DESCRIPTOR_SET)
            .expect("the descriptors were made together with this program")
    })
}

fn complete(value: Value, message: &MessageDescriptor) -> Value {
    let mut given = match value {
        Value::Object(given) => given,
        // The JSON form of this one is no object.
        Value::String(text) if message.full_name() == "google.protobuf.Timestamp" => {
            return utc(&text).into();
        }
        other => return other,
    };
    let mut full = Map::new();
    for field in message.fields() {
        match given.remove(field.name()) {
            Some(value) => _ = full.insert(field.name().to_owned(), inside(value, &field)),
            None if field.supports_presence() => {}
            None => _ = full.insert(field.name().to_owned(), empty(&field)),
        }
    }
    full.extend(given);
    Value::Object(full)
}

/// The value of a field that is set.
fn inside(value: Value, field: &FieldDescriptor) -> Value {
    let Kind::Message(message) = field.kind() else { return value };
    match value {
        Value::Array(items) => items.into_iter().map(|item| complete(item, &message)).collect(),
        Value::Object(entries) if field.is_map() => {
            let values = message.map_entry_value_field();
            entries.into_iter().map(|(key, value)| (key, inside(value, &values))).collect()
        }
        value => complete(value, &message),
    }
}

/// The value of a field that is not set and has no presence.
fn empty(field: &FieldDescriptor) -> Value {
    if field.is_map() {
        return json!({});
    }
    if field.is_list() {
        return json!([]);
    }
    match field.kind() {
        Kind::Bool => json!(false),
        Kind::String | Kind::Bytes => json!(""),
        Kind::Enum(kind) => json!(kind.default_value().name()),
        // 64 bits are more than a JavaScript number holds; its JSON has them as text.
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => json!("0"),
        Kind::Float | Kind::Double => json!(0.0),
        _ => json!(0),
    }
}

/// A point in time as `ProtoJSON` writes it, with `Z` for UTC.
fn utc(text: &str) -> String {
    text.strip_suffix("+00:00").map_or_else(|| text.to_owned(), |time| format!("{time}Z"))
}

#[cfg(test)]
mod tests {
    use netlab_proto::v1::{
        Bridge, Check, CheckLabResponse, CheckResult, Condition, Interface, Lab, LabResource, LabStatus,
        Node, Phase, interface,
    };

    use super::*;

    /// Fails unless a value has all that its message's descriptor says, and so on inside.
    fn is_complete(value: &Value, message: &MessageDescriptor) {
        let Value::Object(fields) = value else { return };
        for field in message.fields() {
            let Some(value) = fields.get(field.name()) else {
                assert!(field.supports_presence(), "{} is missing", field.full_name());
                continue;
            };
            let Kind::Message(of) = field.kind() else { continue };
            match value {
                Value::Array(items) => items.iter().for_each(|item| is_complete(item, &of)),
                Value::Object(entries) if field.is_map() => {
                    if let Kind::Message(of) = of.map_entry_value_field().kind() {
                        entries.values().for_each(|value| is_complete(value, &of));
                    }
                }
                value => is_complete(value, &of),
            }
        }
    }

    #[track_caller]
    fn written<T: Serialize + Name>(message: &T) -> Value {
        let value = value(message).unwrap();
        is_complete(&value, &pool().get_message_by_name(&T::full_name()).unwrap());
        value
    }

    #[test]
    fn a_failed_check_says_that_it_did_not_pass() {
        let result = CheckResult { check: Some(Check::default()), ..CheckResult::default() };
        let value = written(&CheckLabResponse { results: vec![result], ..CheckLabResponse::default() });
        assert_eq!(value["results"][0]["passed"], json!(false));
        assert_eq!(value["results"][0]["rtt_us"], json!("0"));
        assert_eq!(value["notes"], json!([]));
        assert!(value["results"][0]["check"].get("reachable").is_none(), "it is optional, and not set");
    }

    #[test]
    fn messages_lists_and_maps_inside_are_complete_too() {
        let bridge =
            Interface { kind: Some(interface::Kind::Bridge(Bridge::default())), ..Interface::default() };
        let node = Node { interfaces: [("br0".to_owned(), bridge)].into(), ..Node::default() };
        let time = Some(pbjson_types::Timestamp { seconds: 1_767_225_599, nanos: 250_000_000 });
        let condition = Condition { last_transition_time: time, ..Condition::default() };
        let status = LabStatus { conditions: vec![condition], ..LabStatus::default() };
        let lab = LabResource {
            name: "x".to_owned(),
            spec: Some(Lab { nodes: [("b".to_owned(), node)].into(), ..Lab::default() }),
            status: Some(status),
            ..LabResource::default()
        };
        let value = written(&lab);
        assert_eq!(value["spec"]["nodes"]["b"]["forwarding"], json!(false));
        assert_eq!(value["spec"]["nodes"]["b"]["interfaces"]["br0"]["addresses"], json!([]));
        assert_eq!(value["status"]["paused"], json!(false));
        let seen = &value["status"]["conditions"][0]["last_transition_time"];
        assert_eq!(seen, "2025-12-31T23:59:59.250Z");
        assert_eq!(value["status"]["phase"], Phase::Unspecified.as_str_name());
    }

    #[test]
    fn every_message_of_the_api_is_complete() {
        let messages = pool().all_messages().filter(|message| message.package_name() == "netlab.v1");
        for message in messages.filter(|message| !message.is_map_entry()) {
            is_complete(&complete(json!({}), &message), &message);
        }
    }

    #[test]
    fn what_a_newer_daemon_says_is_not_lost() {
        let status = LabStatus { phase: 99, ..LabStatus::default() };
        assert_eq!(written(&status)["phase"], json!(99));
    }
}
