//! Names that may be left out, and the end points of links.

use crate::model::{
    lab::{Endpoint, Place},
    name::{IfName, NameError},
};

use super::{Path, Sink};

/// Reads an interface's name that may be left out.
pub(crate) fn optional(text: &str, path: &Path, sink: &mut Sink) -> Option<IfName> {
    if text.is_empty() { None } else { sink.parse(path, text) }
}

/// Reads an interface's name that must be there; `why` follows "is missing".
pub(crate) fn required(text: &str, why: &str, path: &Path, sink: &mut Sink) -> Option<IfName> {
    if text.is_empty() {
        sink.add(path, format!("is missing: {why}"));
        return None;
    }
    sink.parse(path, text)
}

/// What an interface on the host may be called; `None` if the name will do.
pub(crate) fn unfit_for_host(place: &Place, name: &IfName) -> Option<&'static str> {
    let unfit = *place == Place::Host && !name.is_plain();
    unfit.then_some(
        "may hold only A-Z, a-z, 0-9, '_', '.' and '-', and not begin with '-': on the host, firewalls and scripts \
         go by the names of interfaces",
    )
}

/// Reads `node` or `host`.
pub(crate) fn place(text: &str) -> Result<Place, NameError> {
    if text == "host" { Ok(Place::Host) } else { text.parse().map(Place::Node) }
}

/// Reads `node:interface` or `host:interface`.
pub(crate) fn endpoint(text: &str) -> Result<Endpoint, NameError> {
    let Some((node, interface)) = text.split_once(':') else {
        return Err(NameError("is not node:interface, such as ns1:eth0".into()));
    };
    let place =
        place(node).map_err(|error| NameError(format!("is not node:interface: the node's name {error}")))?;
    let interface = interface
        .parse()
        .map_err(|error| NameError(format!("is not node:interface: the interface's name {error}")))?;
    if let Some(wrong) = unfit_for_host(&place, &interface) {
        return Err(NameError(format!("names an interface that {wrong}")));
    }
    Ok(Endpoint { place, interface })
}
