//! Checks, and the targets of pings.

use netlab_proto::v1 as proto;

use crate::model::{Check, Destination, Endpoint, NameError, Place};

use super::draft::Sites;
use crate::input::{Path, Sink, address, name};

/// Reads a node's name, or `host`.
///
/// # Errors
/// What is wrong, in words that follow the text.
pub fn place(text: &str) -> Result<Place, NameError> {
    name::place(text)
}

/// Reads what a ping or a check aims at: an address, `node:interface`, a node or `host`.
///
/// # Errors
/// What is wrong, in words that follow the text.
pub fn target(text: &str) -> Result<Destination, NameError> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        let address = address::host(text)?;
        if address::is_link_local(address) {
            return Err(NameError(
                "is link-local and on no certain link; name node:interface instead".into(),
            ));
        }
        return Ok(Destination::Address(address));
    }
    if crate::model::address::is_ambiguous(text) {
        return Err(NameError(crate::model::address::AMBIGUOUS.into()));
    }
    if text.contains(':') {
        return name::endpoint(text).map(Destination::Endpoint);
    }
    if text.contains(['.', '/']) {
        return Err(NameError("is not a node, node:interface, host or an IP address".into()));
    }
    place(text).map(Destination::Place)
}

/// Reads the checks of a lab.
pub(super) fn read(checks: &[proto::Check], sites: &Sites, sink: &mut Sink) -> Vec<Check> {
    let mut read = Vec::with_capacity(checks.len());
    for (i, message) in checks.iter().enumerate() {
        let path = Path::root().field("checks").index(i);
        let from = sink.keep_text(&path.field("from"), &message.from, place(&message.from));
        let from = from.filter(|from| sites.exists(from, &path.field("from"), sink));
        let to = sink.keep_text(&path.field("to"), &message.to, target(&message.to));
        if let Some(to) = &to {
            check_target(to, sites, &path.field("to"), sink);
        }
        let Some((from, to)) = from.zip(to) else { continue };
        read.push(Check { from, to, reachable: message.reachable.unwrap_or(true) });
    }
    read
}

/// The target is there and has an address.
fn check_target(to: &Destination, sites: &Sites, path: &Path, sink: &mut Sink) {
    let place = match to {
        Destination::Address(_) => return,
        Destination::Place(place) | Destination::Endpoint(Endpoint { place, .. }) => place,
    };
    if !sites.exists(place, path, sink) {
        return;
    }
    let Some(site) = sites.get(place) else { return };
    let has_address = match to {
        Destination::Endpoint(Endpoint { interface, .. }) => match site.find(interface, path, sink) {
            Some(draft) => !draft.addresses.is_empty(),
            None => return,
        },
        _ => site.addresses().next().is_some(),
    };
    if !has_address {
        sink.add(path, format!("{to} has no address that could be reached; give it one"));
    }
}
