//! What clients of an older API rely on: every element that they may name, and all that they know of it.
//! The API may have more; what it had, it has.

use std::collections::BTreeMap;

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::source::Api;

/// Changes of the good file that break nobody.
pub(crate) const HARMLESS: [(&str, &str); 6] = [
    ("// Known.\n", "// Well known.\n"),
    ("KIND_KNOWN = 1;", "KIND_KNOWN = 1;\n    // New.\n    KIND_NEW = 2;"),
    ("string name = 1;", "string name = 1;\n  // New.\n  bool more = 3;"),
    ("bool one = 2;", "bool one = 2;\n    // New.\n    bool three = 5;"),
    (
        "  // Another.\n  rpc",
        "  // New.\n  rpc ListThings(GetThingRequest) returns (google.protobuf.Duration);\n  // Another.\n  rpc",
    ),
    ("reserved 7,", "reserved 6, 7,"),
];

/// What is to be found, and a change of the good file that is harmful.
pub(crate) const HARMFUL: [(&str, &str, &str); 18] = [
    ("file netlab/v1/a.proto: go package", "netlab/v1;netlabv1", "netlab/v2;netlabv1"),
    ("field .netlab.v1.GetThingRequest.1 is gone", "  string name = 1;\n", ""),
    ("field .netlab.v1.GetThingRequest.1: name is label, was name", "string name = 1;", "string label = 1;"),
    ("field .netlab.v1.GetThingRequest.1: type", "string name = 1;", "bytes name = 1;"),
    ("field .netlab.v1.GetThingRequest.1: label", "string name = 1;", "repeated string name = 1;"),
    ("field .netlab.v1.GetThingRequest.1 is gone", "string name = 1;", "string name = 5;"),
    ("field .netlab.v1.GetThingRequest.2: presence", "optional uint32 page_size", "uint32 page_size"),
    (
        "field .netlab.v1.GetThingRequest.2: JSON name",
        "page_size = 2;",
        "page_size = 2 [json_name = \"size\"];",
    ),
    ("oneof", "  oneof choice {", "  oneof selection {"),
    ("value .netlab.v1.GetThingResponse.Kind.1 is gone", "    KIND_KNOWN = 1;\n", ""),
    ("value .netlab.v1.GetThingResponse.Kind.1: name", "KIND_KNOWN = 1;", "KIND_FAMOUS = 1;"),
    ("rpc .netlab.v1.ThingService.GetThing is gone", "rpc GetThing(", "rpc FindThing("),
    (
        "rpc .netlab.v1.ThingService.WatchThing: streams",
        "returns (stream WatchThingResponse)",
        "returns (WatchThingResponse)",
    ),
    (
        "rpc .netlab.v1.ThingService.GetThing: request",
        "GetThing(GetThingRequest)",
        "GetThing(WatchThingRequest)",
    ),
    ("message .netlab.v1.WatchThingRequest is gone", "WatchThingRequest", "LookThingRequest"),
    ("service .netlab.v1.ThingService is gone", "service ThingService", "service OtherService"),
    ("number 10 of .netlab.v1.GetThingResponse is no longer reserved", "9 to 11", "9"),
    ("name old of .netlab.v1.GetThingResponse is no longer reserved", "  reserved \"old\";\n", ""),
];

/// Numbers of one reserved range that are looked at: it may reach to the largest number there is.
const MOST_RESERVED: usize = 1_000;

/// All that is known of an API: elements, and what each is.
type Facts = BTreeMap<String, BTreeMap<&'static str, String>>;

/// What clients of `old` miss in `new`.
pub(crate) fn faults(old: &Api, new: &Api) -> Vec<String> {
    let (old, new) = (facts(old), facts(new));
    let mut faults = Vec::new();
    for (element, was) in &old {
        let Some(is) = new.get(element) else {
            faults.push(format!(
                "{element} is {}",
                if element.starts_with("n") { "no longer reserved" } else { "gone" }
            ));
            continue;
        };
        for (fact, was) in was {
            let is = is.get(fact).map_or("", String::as_str);
            if is != was {
                faults.push(format!("{element}: {fact} is {is}, was {was}"));
            }
        }
    }
    faults
}

/// All that is known of an API, without its comments.
pub(crate) fn facts(api: &Api) -> Facts {
    let mut facts = Facts::new();
    for file in &api.0 {
        of_file(file, &mut facts);
    }
    facts
}

fn of_file(file: &FileDescriptorProto, facts: &mut Facts) {
    let here = [("file", file.name().to_owned())];
    let package = format!(".{}", file.package());
    let mut known = BTreeMap::from([("package", package.clone()), ("syntax", file.syntax().to_owned())]);
    // One that was not set may be.
    if let Some(name) = file.options.as_ref().and_then(|options| options.go_package.clone()) {
        known.insert("go package", name);
    }
    facts.insert(format!("file {}", file.name()), known);
    for message in &file.message_type {
        of_message(&package, file, message, facts);
    }
    for kind in &file.enum_type {
        of_enum(&package, file, kind, facts);
    }
    for service in &file.service {
        let name = format!("{package}.{}", service.name());
        for method in &service.method {
            let streams = format!("{}/{}", method.client_streaming(), method.server_streaming());
            let call = [
                ("request", method.input_type().to_owned()),
                ("response", method.output_type().to_owned()),
                ("streams", streams),
            ];
            facts.insert(format!("rpc {name}.{}", method.name()), call.into());
        }
        facts.insert(format!("service {name}"), here.clone().into());
    }
}

fn of_message(prefix: &str, file: &FileDescriptorProto, message: &DescriptorProto, facts: &mut Facts) {
    let name = format!("{prefix}.{}", message.name());
    for field in &message.field {
        let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
        let oneof = oneof.and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?));
        let known = [
            ("name", field.name().to_owned()),
            ("JSON name", field.json_name().to_owned()),
            ("type", format!("{:?} {}", field.r#type(), field.type_name())),
            ("label", format!("{:?}", field.label())),
            ("presence", field.proto3_optional().to_string()),
            ("oneof", oneof.map(|oneof| oneof.name().to_owned()).unwrap_or_default()),
        ];
        facts.insert(format!("field {name}.{}", field.number()), known.into());
    }
    for range in &message.reserved_range {
        for number in (range.start()..range.end()).take(MOST_RESERVED) {
            facts.insert(format!("number {number} of {name}"), BTreeMap::new());
        }
    }
    for reserved in &message.reserved_name {
        facts.insert(format!("name {reserved} of {name}"), BTreeMap::new());
    }
    for inner in &message.nested_type {
        of_message(&name, file, inner, facts);
    }
    for kind in &message.enum_type {
        of_enum(&name, file, kind, facts);
    }
    facts.insert(format!("message {name}"), [("file", file.name().to_owned())].into());
}

fn of_enum(prefix: &str, file: &FileDescriptorProto, kind: &EnumDescriptorProto, facts: &mut Facts) {
    let name = format!("{prefix}.{}", kind.name());
    for value in &kind.value {
        facts.insert(format!("value {name}.{}", value.number()), [("name", value.name().to_owned())].into());
    }
    for range in &kind.reserved_range {
        for number in (range.start()..=range.end()).take(MOST_RESERVED) {
            facts.insert(format!("number {number} of {name}"), BTreeMap::new());
        }
    }
    for reserved in &kind.reserved_name {
        facts.insert(format!("name {reserved} of {name}"), BTreeMap::new());
    }
    facts.insert(format!("enum {name}"), [("file", file.name().to_owned())].into());
}
