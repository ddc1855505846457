//! Source translation to given addresses.

use ipnet::IpNet;

use netlab_proto::v1 as proto;

use crate::model::{IfName, Masquerade, PrefixTranslation, SourceNat};

use super::{
    draft::Site,
    selector::{self, Families},
    translation,
};
use crate::input::{Path, Sink};

/// Reads the rules of a place; one that is at fault is `None`.
pub(super) fn read(
    site: &Site,
    rules: &[proto::SourceNat],
    path: &Path,
    sink: &mut Sink,
) -> Vec<Option<SourceNat>> {
    let read = |(at, rule)| read_one(site, rule, &path.index(at), sink);
    rules.iter().enumerate().map(read).collect()
}

fn read_one(site: &Site, rule: &proto::SourceNat, path: &Path, sink: &mut Sink) -> Option<SourceNat> {
    let faults = sink.len();
    let source = selector::range(&rule.source, &path.field("source"), sink);
    let out_interface = selector::interface(site, &rule.out_interface, &path.field("out_interface"), sink);
    let at = path.field("to");
    if rule.to.is_empty() {
        sink.add(&at, "is missing: an address that the source becomes, or a range of them");
        return None;
    }
    let to = sink.keep_text(&at, &rule.to, translation::addresses(&rule.to))?;
    let mut families = Families::default();
    families.add("source", source.map(|net| net.addr().is_ipv6()));
    families.add("to", Some(to.is_ipv6()));
    families.check(path, sink);
    // One that is read in part asks for less than it says, and others would seem not to be reached.
    (sink.len() == faults).then_some(SourceNat { source, out_interface, to })
}

/// What translations of sources ask packets for.
struct Scope<'a> {
    source: Option<IpNet>,
    ipv6: Option<bool>,
    out_interface: Option<&'a IfName>,
}

impl<'a> Scope<'a> {
    fn of(rule: &'a SourceNat) -> Self {
        Self {
            source: rule.source,
            ipv6: Some(rule.to.is_ipv6()),
            out_interface: rule.out_interface.as_ref(),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        let family = self.ipv6 == other.ipv6;
        let source = self.source.is_none_or(|net| other.source.is_some_and(|other| net.contains(&other)));
        let out = self.out_interface.is_none() || self.out_interface == other.out_interface;
        family && source && out
    }
}

/// A fault for each rule that no packet reaches, because one of `snat` before it decides about all that it asks for.
pub(super) fn unreached(
    snat: &[Option<SourceNat>],
    prefixes: &[Option<PrefixTranslation>],
    masquerades: &[Masquerade],
    path: &Path,
    sink: &mut Sink,
) {
    let of_prefix = |rule: &'_ PrefixTranslation| (rule.internal, rule.interface.clone());
    let prefixes: Vec<_> = prefixes.iter().map(|rule| rule.as_ref().map(of_prefix)).collect();
    let later = prefixes.iter().enumerate().filter_map(|(at, rule)| {
        let (internal, interface) = rule.as_ref()?;
        Some(("prefixes", at, scope(Some(*internal), Some(interface))))
    });
    let last = masquerades.iter().enumerate();
    let last = last.map(|(at, rule)| ("masquerade", at, scope(rule.source, rule.out_interface.as_ref())));
    let own = snat.iter().enumerate().filter_map(|(at, rule)| Some(("snat", at, Scope::of(rule.as_ref()?))));
    for (list, at, wanted) in own.chain(later).chain(last) {
        let before = snat.iter().enumerate().take(if list == "snat" { at } else { snat.len() });
        let mut before = before.filter_map(|(first, rule)| Some((first, Scope::of(rule.as_ref()?))));
        if let Some((first, _)) = before.find(|(_, rule)| rule.covers(&wanted)) {
            let message = format!(
                "snat[{first}] translates all of this before, so this never holds; leave one of them out, or make that one \
                 narrower"
            );
            sink.add(&path.field(list).index(at), message);
        }
    }
}

fn scope(source: Option<IpNet>, out_interface: Option<&IfName>) -> Scope<'_> {
    Scope { source, ipv6: source.map(|net| net.addr().is_ipv6()), out_interface }
}
