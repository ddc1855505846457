//! A lab's topology, and its pictures. Nothing here needs a daemon.

mod cable;
mod dot;
mod html;
mod kind;
mod layout;
mod mermaid;
mod rules;
mod svg;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use netlab_proto::v1::{Interface, Lab, Link};

use crate::{cli::GraphFormat, output::xml};
use kind::KindView;

/// The host's name in links and checks.
const HOST: &str = "host";

/// What there is to draw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Topology {
    name: String,
    description: String,
    boxes: Vec<Box>,
    edges: Vec<Edge>,
}

/// A node, or the host.
#[derive(Debug, PartialEq, Eq)]
struct Box {
    name: String,
    /// Its interfaces' names.
    interfaces: Vec<String>,
    /// One line an interface, then those of its rules.
    lines: Vec<String>,
    host: bool,
}

/// A link, or what carries one: places in `boxes`.
#[derive(Debug, PartialEq, Eq)]
struct Edge {
    from: usize,
    to: usize,
    /// Names of the interfaces at both ends.
    ends: [String; 2],
    /// What it is, where it is no cable.
    label: String,
    /// What is said of a cable.
    note: String,
}

impl Edge {
    /// Whether it is a cable; else it is drawn dashed.
    fn cable(&self) -> bool {
        self.label.is_empty()
    }
}

/// Draws a lab.
pub(crate) fn draw(lab: &Lab, format: GraphFormat) -> String {
    let topology = Topology::of(lab);
    match format {
        GraphFormat::Mermaid => mermaid::write(&topology),
        GraphFormat::Dot => dot::write(&topology),
        GraphFormat::Svg => svg::write(&topology),
        GraphFormat::Html => html::write(&topology),
    }
}

impl Topology {
    fn of(lab: &Lab) -> Self {
        let places = places(lab);
        let index: BTreeMap<&str, usize> = places.keys().enumerate().map(|(i, name)| (*name, i)).collect();
        let boxes = places
            .iter()
            .map(|(name, interfaces)| Box {
                name: (*name).to_owned(),
                interfaces: interfaces.keys().map(|name| (*name).to_owned()).collect(),
                lines: interfaces
                    .iter()
                    .map(|(name, interface)| line(name, *interface))
                    .chain(own_of_host(name, interfaces))
                    .chain(rules_of(lab, name))
                    .collect(),
                host: *name == HOST,
            })
            .collect();
        let mut edges = cables(lab, &index);
        edges.extend(tunnels(&places, &index));
        edges.extend(on_host(&places, &index));
        Self { name: lab.name.clone(), description: lab.description.clone(), boxes, edges }
    }
}

/// Interfaces of each place by name; `None` for those that only a link names.
type Places<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Option<&'a Interface>>>;

fn places(lab: &Lab) -> Places<'_> {
    let mut places = Places::new();
    for (name, node) in &lab.nodes {
        let interfaces = node.interfaces.iter().map(|(name, interface)| (name.as_str(), Some(interface)));
        places.insert(name, interfaces.collect());
    }
    if let Some(host) = &lab.host {
        let interfaces = host.interfaces.iter().map(|(name, interface)| (name.as_str(), Some(interface)));
        places.insert(HOST, interfaces.collect());
    }
    for (place, interface) in
        lab.links.iter().flat_map(|link| &link.endpoints).filter_map(|end| end.split_once(':'))
    {
        places.entry(place).or_default().entry(interface).or_insert(None);
    }
    if uppers(&places).next().is_some() {
        places.entry(HOST).or_default();
    }
    places
}

/// What is said of a place's rules, a line each.
fn rules_of(lab: &Lab, place: &str) -> Vec<String> {
    let node = lab.nodes.get(place);
    let firewall = node.and_then(|node| node.firewall.as_ref()).and_then(rules::firewall);
    let nat = match (place, &lab.host) {
        (HOST, Some(host)) => host.nat.as_ref(),
        _ => node.and_then(|node| node.nat.as_ref()),
    };
    let encaps = node.into_iter().flat_map(|node| rules::encaps(&node.routes));
    firewall.into_iter().chain(nat.and_then(rules::nat)).chain(encaps).collect()
}

/// What the host has by itself of what the lab's interfaces there stand on or belong to, a line each.
fn own_of_host(place: &str, interfaces: &BTreeMap<&str, Option<&Interface>>) -> Vec<String> {
    let mut names = BTreeSet::new();
    for interface in interfaces.values().flatten().filter(|_| place == HOST) {
        names.extend(KindView::of(interface).and_then(|kind| Some(kind.parent()?.to_owned())));
        names.extend(interface.port.as_ref().map(|port| port.bridge.clone()));
    }
    names.retain(|name| !interfaces.contains_key(name.as_str()));
    names.into_iter().map(|name| format!("{name} (the host's own)")).collect()
}

/// The interfaces of nodes that stand on one of the host: place, name, kind and parent.
fn uppers<'a>(places: &'a Places<'a>) -> impl Iterator<Item = (&'a str, &'a str, KindView)> {
    let all = places.iter().flat_map(|(place, interfaces)| {
        interfaces.iter().map(move |(name, interface)| (*place, interfaces, *name, *interface))
    });
    all.filter_map(|(place, interfaces, name, interface)| {
        let kind = KindView::of(interface?)?;
        let on_host = place != HOST && !interfaces.contains_key(kind.parent()?);
        on_host.then_some((place, name, kind))
    })
}

fn line(name: &str, interface: Option<&Interface>) -> String {
    let Some(interface) = interface else { return name.to_owned() };
    let kind = KindView::of(interface).map(|kind| format!(" ({})", kind.label())).unwrap_or_default();
    let port = interface.port.as_ref().map_or_else(String::new, |port| {
        let trunk: Vec<String> = port.trunk.iter().map(u32::to_string).collect();
        let vlans = match (port.access, trunk.is_empty()) {
            (Some(vlan), _) => format!(", VLAN {vlan}"),
            (None, false) => format!(", VLANs {}", trunk.join(" ")),
            (None, true) => String::new(),
        };
        let isolated = if port.isolated { ", isolated" } else { "" };
        format!(" (port of {}{vlans}{isolated})", port.bridge)
    });
    let member = match interface.master.as_str() {
        "" => String::new(),
        master => format!(" (member of {master})"),
    };
    let impaired = interface.impair.as_ref().map(cable::words).filter(|words| !words.is_empty());
    let impaired = impaired.map(|words| format!(" ({words})")).unwrap_or_default();
    let first = format!("{name}{kind}{port}{member}{impaired}");
    let words = std::iter::once(first.as_str()).chain(interface.addresses.iter().map(String::as_str));
    words.collect::<Vec<_>>().join(" ")
}

fn cables(lab: &Lab, index: &BTreeMap<&str, usize>) -> Vec<Edge> {
    let cable = |link: &Link| {
        let [from, to] = link.endpoints.as_slice() else { return None };
        let ((from, from_end), (to, to_end)) = (from.split_once(':')?, to.split_once(':')?);
        let ends = [from_end.to_owned(), to_end.to_owned()];
        let note = cable::note(link);
        Some(Edge { from: *index.get(from)?, to: *index.get(to)?, ends, label: String::new(), note })
    };
    lab.links.iter().filter_map(cable).collect()
}

/// The end point of a tunnel whose remote is an address of another place, once for each pair.
fn tunnels(places: &Places<'_>, index: &BTreeMap<&str, usize>) -> Vec<Edge> {
    let owners: BTreeMap<&str, &str> = places
        .iter()
        .flat_map(|(place, interfaces)| {
            let addresses = interfaces.values().flatten().flat_map(|interface| &interface.addresses);
            addresses.filter_map(|address| Some((address.split('/').next()?, *place)))
        })
        .collect();
    let mut seen = BTreeSet::new();
    let mut edges = Vec::new();
    for (place, interfaces) in places {
        for (name, interface) in interfaces {
            let Some(kind) = interface.and_then(KindView::of) else { continue };
            for other in
                kind.remotes().filter_map(|remote| owners.get(remote)).filter(|other| *other != place)
            {
                let label = kind.name();
                if seen.insert((label.clone(), *place.min(other), *place.max(other))) {
                    let ends = [(*name).to_owned(), String::new()];
                    edges.push(Edge {
                        from: index[place],
                        to: index[other],
                        ends,
                        label,
                        note: String::new(),
                    });
                }
            }
        }
    }
    edges
}

fn on_host(places: &Places<'_>, index: &BTreeMap<&str, usize>) -> Vec<Edge> {
    let edge = |(place, name, kind): (&str, &str, KindView)| Edge {
        from: index[place],
        to: index[HOST],
        ends: [name.to_owned(), kind.parent().unwrap_or_default().to_owned()],
        label: kind.name(),
        note: String::new(),
    };
    uppers(places).map(edge).collect()
}

/// Text that XML and Mermaid alike take for nothing but text in one line.
fn escape(text: &str) -> String {
    xml::escape(&text.replace(char::is_whitespace, " "))
}
