//! What holds for every kind.

use std::{fs, path::Path as File};

use netlab_proto::v1 as proto;
use netlink_packet_core::{Emitable, Parseable};
use netlink_packet_route::link::{LinkAttribute, LinkInfo, LinkMessage};

use super::*;

/// The index of the one interface that there is beside the example's own.
const INDEX: u32 = 7;

fn lower() -> IfName {
    "low0".parse().unwrap()
}

/// What the kernel would show of a kind that it was told of, through the bytes that it would be told.
fn shown(kind: &Kind) -> Option<Kind> {
    let data = kind.encode(&|name| {
        assert_eq!(*name, lower());
        Ok(INDEX)
    });
    let mut infos = vec![LinkInfo::Kind(kind.info())];
    infos.extend(data.unwrap().map(LinkInfo::Data));
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::LinkInfo(infos));
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    let message = LinkMessage::parse(&bytes[..]).unwrap();
    let infos = message.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    let data =
        infos.flatten().find_map(|info| if let LinkInfo::Data(data) = info { Some(data) } else { None });
    let linked = kind.lower().filter(|_| kind.linked()).map(|lower| match lower {
        Lower::Here(name) => Lower::Here(name.clone()),
        Lower::Host(name) => Lower::Host(name.clone()),
    });
    let name = |index| (index == INDEX).then(lower);
    Kind::decode(&kind.info(), &Attributes { lower: linked, data, name: &name })
}

#[test]
fn what_the_kernel_is_told_is_what_it_shows() {
    for kind in Kind::examples(&lower()) {
        let seen = shown(&kind).unwrap_or_else(|| panic!("{kind:?} is not known again"));
        assert_eq!(kind.change(&seen), Change::Set(Vec::new()), "{kind:?}");
        assert_eq!(kind, seen);
    }
}

#[test]
fn what_is_written_is_read_again() {
    for kind in Kind::examples(&lower()) {
        let mut sink = Sink::default();
        let message = kind.message();
        assert_eq!(Kind::key_of(&message), kind.key());
        let read = Kind::read(&message, false, &Path::root(), &mut sink);
        sink.finish().unwrap_or_else(|faults| panic!("{kind:?}: {faults}"));
        assert_eq!(read, Some(kind));
    }
}

#[test]
fn settings_lead_from_one_to_the_other() {
    let all = Kind::examples(&lower());
    for (want, seen) in all.iter().flat_map(|want| all.iter().map(move |seen| (want, seen))) {
        match want.change(seen) {
            Change::Set(settings) => {
                let last = settings.last().map_or(seen, |setting| &setting.then);
                assert_eq!(last, want, "from {seen:?} by {settings:?}");
            }
            Change::Remake => assert_ne!(want, seen),
        }
    }
}

#[test]
fn every_kind_says_what_it_stands_on_in_one_way() {
    let other: IfName = "other".parse().unwrap();
    for mut kind in Kind::examples(&lower()) {
        let before = kind.lower().map(|lower| lower.name().clone());
        assert!(before.is_none_or(|name| name == lower()), "{kind:?}");
        if let Some(name) = kind.lower_mut() {
            *name = other.clone();
        }
        let after = kind.lower().map(Lower::name);
        assert!(after.is_none_or(|name| *name == other), "{kind:?}");
    }
}

fn repository() -> &'static File {
    File::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The kinds that the interfaces of some labs have, as JSON or YAML has them.
fn kinds_in(files: impl Iterator<Item = std::path::PathBuf>) -> String {
    files.map(|file| fs::read_to_string(&file).unwrap_or_default()).collect()
}

#[test]
fn every_kind_has_a_golden_a_lab_and_its_place_in_the_documentation() {
    let folder =
        |path: &str| fs::read_dir(repository().join(path)).unwrap().map(|entry| entry.unwrap().path());
    let goldens = kinds_in(folder("netlabd/tests/golden").map(|folder| folder.join("lab.json")));
    let labs = kinds_in(folder("labs"));
    let reference = fs::read_to_string(repository().join("docs/lab-file.md")).unwrap();
    let schema = fs::read_to_string(repository().join("docs/lab.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    for key in Kind::KEYS {
        assert!(goldens.contains(&format!("\"{key}\":")), "no lab of netlabd/tests/golden has a {key}");
        assert!(labs.contains(&format!(" {key}:")), "no lab of labs has a {key}");
        assert!(reference.contains(&format!("\n| `{key}` |")), "docs/lab-file.md has no row for {key}");
        let property = &schema["$defs"]["Interface"]["properties"][*key];
        assert!(property.is_object(), "docs/lab.schema.json has no {key}");
    }
}

#[test]
fn every_kind_has_examples_and_the_api_no_other_kinds() {
    let examples = Kind::examples(&lower());
    for key in Kind::KEYS {
        assert!(examples.iter().any(|kind| kind.key() == *key), "{key}");
    }
    let descriptors = proto_kinds();
    assert_eq!(Kind::KEYS, descriptors);
}

/// The names of the arms of `Interface.kind`.
fn proto_kinds() -> Vec<String> {
    use prost::Message as _;
    let set = prost_types::FileDescriptorSet::decode(netlab_proto::FILE_DESCRIPTOR_SET).unwrap();
    let messages = set.file.into_iter().flat_map(|file| file.message_type);
    let mut interfaces = messages.filter(|message| message.name() == "Interface");
    let interface = interfaces.next().unwrap();
    assert!(proto::Interface::default().kind.is_none());
    let arm =
        |field: &prost_types::FieldDescriptorProto| field.oneof_index.is_some() && !field.proto3_optional();
    interface.field.iter().filter(|field| arm(field)).map(|field| field.name().to_owned()).collect()
}
