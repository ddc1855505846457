//! How a masquerade looks to those who try to get through it.

use netlab_proto::v1 as proto;

use crate::model::{Masquerade, NatType, Place};

use super::draft::Site;
use crate::input::{Path, Sink, shown};

/// Reads the type of a masquerade that stands behind others.
pub(super) fn read(
    site: &Site,
    rule: &proto::Masquerade,
    before: &[Masquerade],
    path: &Path,
    sink: &mut Sink,
) -> Option<NatType> {
    let text = rule.r#type.as_str();
    if text.is_empty() {
        return None;
    }
    let at = path.field("type");
    let read = text.parse();
    let near = if read.is_err() { sink.suggest(text, NatType::names()) } else { String::new() };
    let read = read.map_err(|wrong| sink.add(&at, format!("{} {wrong}{near}", shown(text)))).ok();
    let first = before.iter().position(|rule| rule.nat_type.is_some());
    if site.place == Place::Host {
        sink.add(
            &at,
            "a type would close the host's own ports and open them to others; have a node translate",
        );
    } else if rule.out_interface.is_empty() {
        sink.add(&at, "a type is that of the side to the outside; add out_interface");
    } else if rule.source.contains(':') {
        sink.add(
            &at,
            "types are those of NAT for IPv4, where addresses are scarce; leave type or source out",
        );
    } else if let Some(first) = first {
        sink.add(
            &at,
            format!("masquerade[{first}] has a type already, and a node has one; leave one of them out"),
        );
    }
    read
}
