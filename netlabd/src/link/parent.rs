//! What macvlans and ipvlans are on: an interface of the host by `parent`, or one of the node by `dev`.

use super::Lower;
use crate::{
    input::{Path, Sink, name},
    model::name::IfName,
};

/// Reads what it is on: an interface of the host, or one of the node.
pub(super) fn read(parent: &str, dev: &str, path: &Path, sink: &mut Sink) -> Option<Lower<IfName>> {
    let at = path.field("parent");
    if !parent.is_empty() && !dev.is_empty() {
        sink.add(
            &path.field("dev"),
            "parent is an interface of the host, and dev one of the node; give one of them",
        );
        return None;
    }
    if !dev.is_empty() {
        return sink.parse(&path.field("dev"), dev).map(Lower::Here);
    }
    let why = "name an interface of the host, or by dev one of the node";
    let name = name::required(parent, why, &at, sink);
    if parent == "lo" {
        sink.add(&at, "\"lo\" carries no Ethernet; name another interface of the host");
    }
    name.map(Lower::Host)
}

/// The same, be it at fault.
pub(super) fn named<'a>(parent: &'a str, dev: &'a str) -> Lower<&'a str> {
    if dev.is_empty() { Lower::Host(parent) } else { Lower::Here(dev) }
}

/// The field that names it.
pub(super) fn field<N>(lower: &Lower<N>) -> &'static str {
    match lower {
        Lower::Host(_) => "parent",
        Lower::Here(_) => "dev",
    }
}

/// Both fields.
pub(super) fn texts(lower: &Lower<IfName>) -> (String, String) {
    match lower {
        Lower::Host(name) => (name.to_string(), String::new()),
        Lower::Here(name) => (String::new(), name.to_string()),
    }
}
