//! Links: the interfaces at their ends become veth(4) ends of each other.

use std::collections::BTreeMap;

use netlab_proto::v1 as proto;

use crate::{
    link::Kind,
    model::{Cable, Endpoint, Form, IfName, Impairment},
};

use super::{
    draft::{Draft, Sites},
    impair, limit,
};
use crate::input::{Path, Sink, name, shown};

/// The end points that were read.
#[derive(Default)]
struct Seen<'a> {
    /// Where each was first named: link and end.
    first: BTreeMap<Endpoint, (usize, usize)>,
    /// Those that could not be read, or are too many.
    unread: Vec<&'a str>,
}

/// A link, and what it does to both of its ends.
struct Wire {
    ends: Cable,
    pulled: bool,
    impair: Option<Impairment>,
}

/// End points that could not be read and are looked through for the name of an interface.
const MOST_UNREAD: usize = 100;

/// Reads links into the drafts, then finds interfaces that are nothing at all.
pub(super) fn read(links: &[proto::Link], sites: &mut Sites, sink: &mut Sink) -> Vec<Cable> {
    let mut seen = Seen::default();
    let mut read = Vec::with_capacity(links.len());
    for (i, link) in links.iter().enumerate() {
        let path = Path::root().field("links").index(i);
        let ends = read_link(link, i, &path, sites, &mut seen, sink);
        let pulled = link.up == Some(false);
        let impair = link.impair.as_ref().and_then(|it| impair::read(it, &path.field("impair"), sink));
        read.extend(ends.map(|ends| Wire { ends, pulled, impair }));
    }
    for wire in &read {
        connect(sites, &wire.ends.a, &wire.ends.b, wire);
        connect(sites, &wire.ends.b, &wire.ends.a, wire);
    }
    for site in sites.iter() {
        limit::check_interfaces(&site.path, site.interfaces.len(), sink);
    }
    check_left_over(sites, &seen, sink);
    read.into_iter().map(|wire| wire.ends).collect()
}

fn read_link<'a>(
    link: &'a proto::Link,
    number: usize,
    path: &Path,
    sites: &mut Sites,
    seen: &mut Seen<'a>,
    sink: &mut Sink,
) -> Option<Cable> {
    let path = path.field("endpoints");
    match link.endpoints.len() {
        2 => {}
        0 | 1 => {
            let message = format!(
                "a link has two end points, not {}; name the interface at either end of the cable",
                link.endpoints.len()
            );
            sink.add(&path, message);
        }
        more => {
            let message = format!(
                "a link is a cable with two end points, not {more}; join more by networks, or by a bridge in a node of \
                 its own and a link to each"
            );
            sink.add(&path, message);
        }
    }
    seen.unread.extend(link.endpoints.iter().skip(2).map(String::as_str));
    let mut ends = Vec::new();
    for (i, text) in link.endpoints.iter().take(2).enumerate() {
        let path = path.index(i);
        let result = name::endpoint(text);
        let Some(end) = sink.keep_text(&path, text, result) else {
            seen.unread.push(text);
            continue;
        };
        let free = is_free(&end, number, seen, &path, sink);
        seen.first.entry(end.clone()).or_insert((number, i));
        if sites.exists(&end.place, &path, sink) && can_be_end(&end, sites, &path, sink) {
            // Even if the other end is at fault, others may refer to this one.
            let site = sites.get_mut(&end.place);
            site.map(|site| site.interfaces.entry(end.interface.clone()).or_insert_with(Draft::implied));
            ends.extend(free.then_some(end));
        }
    }
    match <[Endpoint; 2]>::try_from(ends) {
        Ok([a, b]) if link.endpoints.len() == 2 => Some(Cable { a, b }),
        _ => None,
    }
}

/// An end point belongs to one link.
fn is_free(end: &Endpoint, number: usize, seen: &Seen<'_>, path: &Path, sink: &mut Sink) -> bool {
    let Some((link, i)) = seen.first.get(end) else { return true };
    let end = shown(&end.to_string());
    if *link == number {
        sink.add(path, format!("{end} is both ends of this link; a link joins two interfaces"));
    } else {
        sink.add(
            path,
            format!("{end} is already an end of links[{link}].endpoints[{i}]; each interface has one link"),
        );
    }
    false
}

/// Whether an interface is not something else.
fn can_be_end(end: &Endpoint, sites: &Sites, path: &Path, sink: &mut Sink) -> bool {
    if end.interface == IfName::loopback() {
        sink.add(path, format!("{} cannot be the end of a link", shown(&end.to_string())));
        return false;
    }
    let Some(draft) = sites.interface(end) else { return true };
    if draft.has_kind {
        let kind = draft.form.as_ref().map_or("another", Form::as_str);
        let message = format!(
            "{} is of kind {kind} already and cannot be the end of a link; use another name or leave out the kind",
            shown(&end.to_string())
        );
        sink.add(path, message);
    }
    !draft.has_kind
}

fn connect(sites: &mut Sites, end: &Endpoint, peer: &Endpoint, wire: &Wire) {
    let draft = sites.get_mut(&end.place).and_then(|site| site.interfaces.get_mut(&end.interface));
    if let Some(draft) = draft {
        draft.form = Some(Form::Veth { peer: peer.clone() });
        draft.pulled = wire.pulled;
        draft.impaired_by_link.clone_from(&wire.impair);
    }
}

/// Finds entries without a kind that no link names. What may be meant by an end point that could not be read is
/// told there already.
fn check_left_over(sites: &Sites, seen: &Seen<'_>, sink: &mut Sink) {
    let mut elsewhere: BTreeMap<&IfName, &Endpoint> = BTreeMap::new();
    for end in seen.first.keys().filter(|end| sites.interface(end).is_none_or(|draft| !draft.entry)) {
        elsewhere.entry(&end.interface).or_insert(end);
    }
    for site in sites.iter() {
        for (name, draft) in &site.interfaces {
            let at = Endpoint { place: site.place.clone(), interface: name.clone() };
            let meant = || seen.unread.iter().take(MOST_UNREAD).any(|text| text.contains(name.as_str()));
            if draft.has_kind || draft.form.is_some() || seen.first.contains_key(&at) || meant() {
                continue;
            }
            let hint = elsewhere.get(name).map_or_else(
                || format!("give it a kind ({}) or add a link", Kind::KEYS.join(", ")),
                |other| {
                    let (link, i) = seen.first[*other];
                    format!("links[{link}].endpoints[{i}] is \"{other}\"; did you mean \"{at}\" there?")
                },
            );
            sink.add(&site.interface_path(name), format!("{at} has no kind and no link names it: {hint}"));
        }
    }
}
