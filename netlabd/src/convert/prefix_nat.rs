//! Translation of a prefix, one to one.

use ipnet::IpNet;

use netlab_proto::v1 as proto;

use crate::model::{Place, PrefixTranslation};

use super::{draft::Site, selector};
use crate::input::{Path, Sink, address, shown};

/// Reads the rules of a place; one that is at fault is `None`.
pub(super) fn read(
    site: &Site,
    rules: &[proto::PrefixTranslation],
    path: &Path,
    sink: &mut Sink,
) -> Vec<Option<PrefixTranslation>> {
    if site.place == Place::Host && !rules.is_empty() {
        let message =
            "the host translates no prefixes, which would take what is sent to others too; do it in a node";
        sink.add(path, message);
        return Vec::new();
    }
    let mut all: Vec<Option<PrefixTranslation>> = Vec::with_capacity(rules.len());
    for (at, rule) in rules.iter().enumerate() {
        let path = path.index(at);
        let read = read_one(site, rule, &path, sink);
        if let Some(read) = &read {
            doubled(read, &all, &path, sink);
        }
        all.push(read);
    }
    all
}

fn read_one(
    site: &Site,
    rule: &proto::PrefixTranslation,
    path: &Path,
    sink: &mut Sink,
) -> Option<PrefixTranslation> {
    let internal =
        prefix(&rule.internal, "the prefix inside, such as fd00:1::/48", &path.field("internal"), sink);
    let external =
        prefix(&rule.external, "the prefix outside, such as 2001:db8:1::/48", &path.field("external"), sink);
    let at = path.field("interface");
    if rule.interface.is_empty() {
        sink.add(&at, "is missing: the interface to the outside");
    }
    let interface = selector::interface(site, &rule.interface, &at, sink);
    let (internal, external) = (internal?, external?);
    let (inside, outside) = (internal.prefix_len(), external.prefix_len());
    if internal.addr().is_ipv4() != external.addr().is_ipv4() {
        let message = "internal and external are of two families, and translating those (NAT64) the kernel cannot do; \
                       name two of one family";
        sink.add(path, message);
    } else if inside != outside {
        let message = format!(
            "the prefix inside has {inside} bits and that outside {outside}: one to one they are as long as each other; \
             write {}/{inside}",
            IpNet::new(external.addr(), inside).map_or(external.addr(), |net| net.network())
        );
        sink.add(&path.field("external"), message);
    } else if internal == external {
        sink.add(path, format!("{internal} becomes itself; name two prefixes"));
    } else {
        return Some(PrefixTranslation { internal, external, interface: interface? });
    }
    None
}

fn prefix(text: &str, what: &str, path: &Path, sink: &mut Sink) -> Option<IpNet> {
    if text.is_empty() {
        sink.add(path, format!("is missing: {what}"));
        return None;
    }
    let net = selector::range(text, path, sink)?;
    let first = net.addr();
    let wrong = if net.prefix_len() == 0 {
        "is all there is; name the prefix of a site"
    } else if address::is_link_local(first) || first.is_loopback() || first.is_multicast() {
        "is no prefix that routers lead anywhere (RFC 6296, section 3.5, has unicast ones); name another"
    } else {
        return Some(net);
    };
    sink.add(path, format!("{} {wrong}", shown(text)));
    None
}

/// A fault where one before has part of the same on the same interface: the first would take it.
fn doubled(rule: &PrefixTranslation, before: &[Option<PrefixTranslation>], path: &Path, sink: &mut Sink) {
    let overlap = |a: IpNet, b: IpNet| a.contains(&b) || b.contains(&a);
    let first = before.iter().position(|before| {
        before.as_ref().is_some_and(|before| {
            before.interface == rule.interface
                && (overlap(before.internal, rule.internal) || overlap(before.external, rule.external))
        })
    });
    if let Some(first) = first {
        let message = format!("prefixes[{first}] has part of this already, and takes it; make them apart");
        sink.add(path, message);
    }
}
