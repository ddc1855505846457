//! What rules of NAT, of firewalls and of routing ask packets for.

use ipnet::IpNet;

use crate::model::{IfName, Place};

use super::draft::Site;
use crate::input::{Path, Sink, address, name, shown};

/// Reads an interface's name that may be left out; the host has interfaces that the lab does not know.
pub(super) fn interface(site: &Site, text: &str, path: &Path, sink: &mut Sink) -> Option<IfName> {
    // A listing of such a rule could not be loaded again.
    if text.contains('"') || text.ends_with("\\*") {
        let why = "nft(8) cannot write a quotation mark, nor \\* at the end of a name; rename the interface";
        sink.add(path, format!("{}: {why}", shown(text)));
        return None;
    }
    match site.place {
        _ if text.is_empty() => None,
        Place::Host => name::optional(text, path, sink),
        Place::Node(_) => site.reference(text, path, sink),
    }
}

/// Reads an address range that may be left out.
pub(super) fn range(text: &str, path: &Path, sink: &mut Sink) -> Option<IpNet> {
    if text.is_empty() { None } else { sink.keep_text(path, text, address::range(text)) }
}

/// Reads one of some words; `what` they are follows "is no".
pub(super) fn word<T: Copy>(
    text: &str,
    words: &[(&str, T)],
    what: &str,
    path: &Path,
    sink: &mut Sink,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        let near = sink.suggest(text, words.iter().map(|(word, _)| *word));
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        sink.add(path, format!("{} is no {what}: {}{near}", shown(text), all.join(", ")));
    }
    found
}

/// Families that parts of a rule ask for; `true` is IPv6.
#[derive(Debug, Default)]
pub(super) struct Families<'a>(Vec<(&'a str, bool)>);

impl<'a> Families<'a> {
    /// A part by its field's name.
    pub(super) fn add(&mut self, field: &'a str, ipv6: Option<bool>) {
        self.0.extend(ipv6.map(|ipv6| (field, ipv6)));
    }

    /// A fault where two parts ask for different families.
    pub(super) fn check(&self, path: &Path, sink: &mut Sink) {
        let of = |ipv6| self.0.iter().find(|(_, known)| *known == ipv6);
        if let (Some((v4, _)), Some((v6, _))) = (of(false), of(true)) {
            let message =
                format!("{v4} asks for IPv4 and {v6} for IPv6, and no packet is both; make it two rules");
            sink.add(path, message);
        }
    }
}
