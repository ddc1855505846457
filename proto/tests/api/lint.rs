//! How the files are written: buf's lint rules, by their names there.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, ServiceDescriptorProto,
    field_descriptor_proto::Label, source_code_info::Location,
};

use crate::source::Api;

/// A file without a fault.
pub(crate) const GOOD: &str = r#"syntax = "proto3";

package netlab.v1;

import "google/protobuf/duration.proto";

option go_package = "example.org/netlab/v1;netlabv1";

// A service.
service ThingService {
  // A call.
  rpc GetThing(GetThingRequest) returns (GetThingResponse);
  // Another.
  rpc WatchThing(WatchThingRequest) returns (stream WatchThingResponse);
}

// A message.
message GetThingRequest {
  // A field.
  string name = 1;
  // Another.
  optional uint32 page_size = 2;
}

// A message.
message GetThingResponse {
  reserved 7, 9 to 11;
  reserved "old";
  // Things.
  repeated Kind kinds = 1;
  // A choice.
  oneof choice {
    // One.
    bool one = 2;
    // Two.
    google.protobuf.Duration two = 3;
  }
  // Fields.
  map<string, bytes> extras = 4;

  // An enumeration.
  enum Kind {
    // Not known.
    KIND_UNSPECIFIED = 0;
    // Known.
    KIND_KNOWN = 1;
  }
}

// A message.
message WatchThingRequest {}

// A message.
message WatchThingResponse {}
"#;

/// A rule, and a change of [`GOOD`] that breaks it.
pub(crate) const BAD: [(&str, &str, &str); 23] = [
    ("PACKAGE_DEFINED", "package netlab.v1;\n", ""),
    ("PACKAGE_VERSION_SUFFIX", "package netlab.v1;", "package netlab.first;"),
    ("PACKAGE_LOWER_SNAKE_CASE", "package netlab.v1;", "package netLab.v1;"),
    ("PACKAGE_DIRECTORY_MATCH", "package netlab.v1;", "package other.v1;"),
    (
        "IMPORT_USED",
        "google/protobuf/duration.proto\";",
        "google/protobuf/duration.proto\";\nimport \"google/protobuf/empty.proto\";",
    ),
    ("IMPORT_NO_PUBLIC", "import \"google", "import public \"google"),
    ("IMPORT_NO_WEAK", "import \"google", "import weak \"google"),
    ("SERVICE_SUFFIX", "service ThingService", "service Things"),
    ("SERVICE_PASCAL_CASE", "service ThingService", "service thing_Service"),
    ("RPC_PASCAL_CASE", "rpc GetThing", "rpc getThing"),
    ("RPC_REQUEST_STANDARD_NAME", "rpc GetThing(GetThingRequest)", "rpc GetThing(WatchThingRequest)"),
    ("RPC_RESPONSE_STANDARD_NAME", "returns (GetThingResponse)", "returns (GetThingRequest)"),
    ("RPC_REQUEST_RESPONSE_UNIQUE", "rpc WatchThing(WatchThingRequest)", "rpc WatchThing(GetThingRequest)"),
    (
        "MESSAGE_PASCAL_CASE",
        "message WatchThingResponse {}",
        "message WatchThingResponse {}\n// A.\nmessage watch_thing {}",
    ),
    ("FIELD_LOWER_SNAKE_CASE", "uint32 page_size", "uint32 pageSize"),
    ("ONEOF_LOWER_SNAKE_CASE", "oneof choice", "oneof Choice"),
    ("ENUM_PASCAL_CASE", "Kind", "kind_Of"),
    ("ENUM_VALUE_PREFIX", "KIND_KNOWN", "KNOWN"),
    ("ENUM_VALUE_UPPER_SNAKE_CASE", "KIND_KNOWN", "KIND_Known"),
    ("ENUM_ZERO_VALUE_SUFFIX", "KIND_UNSPECIFIED", "KIND_NONE"),
    (
        "ENUM_NO_ALLOW_ALIAS",
        "KIND_KNOWN = 1;",
        "KIND_KNOWN = 1;\n    option allow_alias = true;\n    // A.\n    KIND_SAME = 1;",
    ),
    ("COMMENT_FIELD", "  // A field.\n", ""),
    ("COMMENT_ENUM_VALUE", "    // Known.\n", ""),
];

/// What is wrong.
pub(crate) fn faults(api: &Api) -> Vec<String> {
    let mut linter = Linter::default();
    for file in &api.0 {
        linter.file(file);
    }
    linter.packages(&api.0);
    linter.calls(&api.0);
    linter.extensions(&api.0);
    linter.faults
}

#[derive(Default)]
struct Linter {
    faults: Vec<String>,
}

fn pascal(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn snake(name: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.split('_').all(word) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// `LabPhase` as `LAB_PHASE`.
fn upper(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

/// Whether the element at a path of a file has a comment before it, `SourceCodeInfo` in descriptor.proto.
fn commented(file: &FileDescriptorProto, path: &[i32]) -> bool {
    let here = |location: &&Location| location.path == path;
    let info = file.source_code_info.as_ref();
    let found = info.and_then(|info| info.location.iter().find(here));
    found.is_some_and(|location| !location.leading_comments().trim().is_empty())
}

fn join(path: &[i32], field: i32, index: usize) -> Vec<i32> {
    [path, &[field, i32::try_from(index).unwrap()]].concat()
}

impl Linter {
    fn check(&mut self, holds: bool, rule: &str, what: &str) {
        if !holds {
            self.faults.push(format!("{rule}: {what}"));
        }
    }

    fn comment(&mut self, file: &FileDescriptorProto, path: &[i32], rule: &str, what: &str) {
        self.check(commented(file, path), rule, what);
    }

    fn file(&mut self, file: &FileDescriptorProto) {
        let name = file.name();
        let (folder, base) = name.rsplit_once('/').unwrap_or(("", name));
        let package = file.package();
        self.check(snake(base.trim_end_matches(".proto")), "FILE_LOWER_SNAKE_CASE", name);
        self.check(!package.is_empty(), "PACKAGE_DEFINED", name);
        self.check(package.split('.').all(snake), "PACKAGE_LOWER_SNAKE_CASE", package);
        self.check(package.replace('.', "/") == folder, "PACKAGE_DIRECTORY_MATCH", name);
        let version = package.rsplit('.').next().unwrap_or_default();
        let numbered = version.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok());
        self.check(numbered, "PACKAGE_VERSION_SUFFIX", package);
        self.check(file.syntax() == "proto3", "SYNTAX_SPECIFIED", name);
        self.check(file.public_dependency.is_empty(), "IMPORT_NO_PUBLIC", name);
        self.check(file.weak_dependency.is_empty(), "IMPORT_NO_WEAK", name);
        for unused in unused(file) {
            self.check(false, "IMPORT_USED", &format!("{name} imports {unused}"));
        }
        for (index, message) in file.message_type.iter().enumerate() {
            self.message(file, message, &join(&[], 4, index));
        }
        for (index, kind) in file.enum_type.iter().enumerate() {
            self.enumeration(file, kind, &join(&[], 5, index));
        }
        for (index, service) in file.service.iter().enumerate() {
            self.service(file, service, &join(&[], 6, index));
        }
    }

    fn message(&mut self, file: &FileDescriptorProto, message: &DescriptorProto, path: &[i32]) {
        if message.options.as_ref().is_some_and(|options| options.map_entry()) {
            return;
        }
        let name = message.name();
        self.check(pascal(name), "MESSAGE_PASCAL_CASE", name);
        self.comment(file, path, "COMMENT_MESSAGE", name);
        for (index, field) in message.field.iter().enumerate() {
            let what = format!("{name}.{}", field.name());
            self.check(snake(field.name()), "FIELD_LOWER_SNAKE_CASE", &what);
            self.check(field.label() != Label::Required, "FIELD_NOT_REQUIRED", &what);
            self.comment(file, &join(path, 2, index), "COMMENT_FIELD", &what);
        }
        let synthetic: BTreeSet<i32> = message
            .field
            .iter()
            .filter(|field| field.proto3_optional())
            .filter_map(|field| field.oneof_index)
            .collect();
        for (index, oneof) in message.oneof_decl.iter().enumerate() {
            if !synthetic.contains(&i32::try_from(index).unwrap()) {
                let what = format!("{name}.{}", oneof.name());
                self.check(snake(oneof.name()), "ONEOF_LOWER_SNAKE_CASE", &what);
                self.comment(file, &join(path, 8, index), "COMMENT_ONEOF", &what);
            }
        }
        for (index, inner) in message.nested_type.iter().enumerate() {
            self.message(file, inner, &join(path, 3, index));
        }
        for (index, kind) in message.enum_type.iter().enumerate() {
            self.enumeration(file, kind, &join(path, 4, index));
        }
    }

    fn enumeration(&mut self, file: &FileDescriptorProto, kind: &EnumDescriptorProto, path: &[i32]) {
        let name = kind.name();
        self.check(pascal(name), "ENUM_PASCAL_CASE", name);
        self.comment(file, path, "COMMENT_ENUM", name);
        let alias = kind.options.as_ref().is_some_and(|options| options.allow_alias());
        self.check(!alias, "ENUM_NO_ALLOW_ALIAS", name);
        let prefix = upper(name) + "_";
        for (index, value) in kind.value.iter().enumerate() {
            let what = format!("{name}.{}", value.name());
            self.check(value.name().starts_with(&prefix), "ENUM_VALUE_PREFIX", &what);
            let plain =
                value.name().chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            self.check(plain, "ENUM_VALUE_UPPER_SNAKE_CASE", &what);
            self.check(index > 0 || value.number() == 0, "ENUM_FIRST_VALUE_ZERO", &what);
            let zero = value.number() != 0 || value.name().ends_with("_UNSPECIFIED");
            self.check(zero, "ENUM_ZERO_VALUE_SUFFIX", &what);
            self.comment(file, &join(path, 2, index), "COMMENT_ENUM_VALUE", &what);
        }
    }

    fn service(&mut self, file: &FileDescriptorProto, service: &ServiceDescriptorProto, path: &[i32]) {
        let name = service.name();
        self.check(pascal(name), "SERVICE_PASCAL_CASE", name);
        self.check(name.ends_with("Service"), "SERVICE_SUFFIX", name);
        self.comment(file, path, "COMMENT_SERVICE", name);
        for (index, method) in service.method.iter().enumerate() {
            let what = format!("{name}.{}", method.name());
            self.check(pascal(method.name()), "RPC_PASCAL_CASE", &what);
            self.comment(file, &join(path, 2, index), "COMMENT_RPC", &what);
            for (rule, end, kind) in [
                ("RPC_REQUEST_STANDARD_NAME", "Request", method.input_type()),
                ("RPC_RESPONSE_STANDARD_NAME", "Response", method.output_type()),
            ] {
                let kind = kind.rsplit('.').next().unwrap_or_default();
                let plain = format!("{}{end}", method.name());
                self.check(kind == plain || kind == format!("{name}{plain}"), rule, &what);
            }
        }
    }

    /// Files of a package agree on its options.
    fn packages(&mut self, files: &[FileDescriptorProto]) {
        let mut go = BTreeMap::<&str, BTreeSet<&str>>::new();
        for file in files {
            let option = file.options.as_ref().map_or("", |options| options.go_package());
            go.entry(file.package()).or_default().insert(option);
        }
        for (package, options) in go {
            self.check(options.len() == 1, "PACKAGE_SAME_GO_PACKAGE", package);
        }
    }

    /// None of buf's rules: no field has the name of an option of fields. Beside it protoc takes the option for the field, as names are
    /// looked up from the inside.
    fn extensions(&mut self, files: &[FileDescriptorProto]) {
        let options: BTreeSet<&str> =
            files.iter().flat_map(|file| &file.extension).map(|option| option.name()).collect();
        for message in files.iter().flat_map(|file| &file.message_type) {
            for field in &message.field {
                let what = format!("{}.{}", message.name(), field.name());
                self.check(!options.contains(field.name()), "EXTENSION_NOT_HIDDEN", &what);
            }
        }
    }

    /// No message is of two calls.
    fn calls(&mut self, files: &[FileDescriptorProto]) {
        let mut seen = BTreeSet::new();
        for method in files.iter().flat_map(|file| &file.service).flat_map(|service| &service.method) {
            for kind in [method.input_type(), method.output_type()] {
                self.check(
                    seen.insert(kind),
                    "RPC_REQUEST_RESPONSE_UNIQUE",
                    &format!("{kind} of {}", method.name()),
                );
            }
        }
    }
}

/// Imports of which nothing is used. Of files that are named as `PACKAGE/NAME.proto` it is enough to know
/// their types' names.
fn unused(file: &FileDescriptorProto) -> Vec<&str> {
    let mut types = BTreeSet::new();
    fn gather<'a>(message: &'a DescriptorProto, types: &mut BTreeSet<&'a str>) {
        types.extend(message.field.iter().map(prost_types::FieldDescriptorProto::type_name));
        message.nested_type.iter().for_each(|inner| gather(inner, types));
    }
    file.message_type.iter().for_each(|message| gather(message, &mut types));
    for method in file.service.iter().flat_map(|service| &service.method) {
        types.extend([method.input_type(), method.output_type()]);
    }
    types.extend(file.extension.iter().map(prost_types::FieldDescriptorProto::extendee));
    let own: BTreeSet<String> = netlab_types(file);
    let is_used = |import: &&String| {
        // What is used of it are options of fields, which these descriptors do not show.
        if import.as_str() == "netlab/v1/options.proto" {
            return true;
        }
        if *import == "google/protobuf/descriptor.proto" {
            return types.contains(".google.protobuf.FieldOptions");
        }
        if let Some(base) = import.strip_prefix("google/protobuf/") {
            let name = base.trim_end_matches(".proto").replace('_', "");
            return types.iter().any(|kind| kind.to_lowercase() == format!(".google.protobuf.{name}"));
        }
        // Something of the same package that is not in this file.
        let package = format!(".{}.", file.package());
        types.iter().any(|kind| kind.starts_with(&package) && !own.contains(*kind))
    };
    file.dependency.iter().filter(|import| !is_used(import)).map(String::as_str).collect()
}

/// The full names of a file's own types.
fn netlab_types(file: &FileDescriptorProto) -> BTreeSet<String> {
    fn gather(prefix: &str, message: &DescriptorProto, out: &mut BTreeSet<String>) {
        let name = format!("{prefix}.{}", message.name());
        out.extend(message.enum_type.iter().map(|kind| format!("{name}.{}", kind.name())));
        message.nested_type.iter().for_each(|inner| gather(&name, inner, out));
        out.insert(name);
    }
    let package = format!(".{}", file.package());
    let mut out: BTreeSet<String> =
        file.enum_type.iter().map(|kind| format!("{package}.{}", kind.name())).collect();
    file.message_type.iter().for_each(|message| gather(&package, message, &mut out));
    out
}
