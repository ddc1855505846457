//! What is there of a lab, for people: each interface with its peer, state and counters.
//!
//! A look of its own, made when it is asked for: what repairs depend on is remembered from look to look and
//! leaves out what changes with every packet.

use std::{collections::BTreeMap, io, os::fd::BorrowedFd};

use ipnet::IpNet;
use netlab_proto::v1 as proto;
use proto::interface_status::Presence;

use super::{
    Linux,
    namespaces::{LabNamespaces, NodeNamespace},
    observe,
    rtnl::{self, Inspected, RouteSocket},
};
use crate::{
    model::{LabName, Place},
    plan::Target,
    platform::Failure,
    sys::netns,
};

/// One place as dumped; other ends still by number.
struct PlaceDump {
    place: Place,
    links: Vec<Inspected>,
    addresses: BTreeMap<u32, Vec<IpNet>>,
    /// Names by index: on the host those of all interfaces, also of others.
    names: BTreeMap<u32, String>,
}

/// What is there of a lab, of which `target` is wanted: its nodes by name, then its part of the host.
///
/// # Errors
/// The kernel's. A node that cannot be looked into is told of in its place.
pub(super) fn inspect(
    linux: &Linux,
    host: BorrowedFd<'_>,
    lab: &LabName,
    target: &Target,
) -> Result<Vec<proto::NodeStatus>, Failure> {
    let failed = |error: io::Error| Failure::os("host", "observing the host", &error);
    let namespaces = linux.namespaces.identified(lab)?;
    let mut socket = RouteSocket::open().map_err(failed)?;
    let own_id = rtnl::namespace_id(&mut socket, host).map_err(failed)?;
    let on_host = look_at_host(&mut socket, lab).map_err(failed)?;
    let nodes: Vec<_> = namespaces.nodes().iter().collect();
    let eye = || netns::enter(host).and_then(|()| RouteSocket::open());
    let looks = netns::for_each(&nodes, eye, |from_host, (node, namespace)| {
        let look = match from_host {
            Ok(from_host) => look_into(from_host, Place::Node((*node).clone()), namespace),
            Err(error) => Err(io::Error::from(error.kind())),
        };
        ((*node).clone(), look)
    });
    let looks = looks.map_err(|error| Failure::no_thread("host", &error))?;
    let (mut seen, mut errors) = (vec![on_host], BTreeMap::new());
    for (node, look) in looks {
        match look {
            Ok(look) => seen.push(look),
            Err(error) => drop(errors.insert(Place::Node(node), crate::platform::os_text(&error))),
        }
    }
    Ok(tell(&Whole { seen, errors, namespaces: &namespaces, host: own_id }, target))
}

/// The lab's part of the host: what bears its mark, and the names of all.
fn look_at_host(socket: &mut RouteSocket, lab: &LabName) -> io::Result<PlaceDump> {
    let links = granted(rtnl::inspect_links(socket, None)?)?;
    let names = names(&links);
    let marked = |link: &Inspected| link.ours && observe::lab_of_alias(&link.alias) == Some(lab.as_str());
    let links: Vec<_> = links.into_iter().filter(marked).collect();
    // Addresses of others are none of the lab's business, and may be many.
    let addresses =
        if links.is_empty() { BTreeMap::new() } else { granted(rtnl::inspect_addresses(socket)?)? };
    Ok(PlaceDump { place: Place::Host, links, addresses, names })
}

fn look_into(from_host: &mut RouteSocket, place: Place, namespace: &NodeNamespace) -> io::Result<PlaceDump> {
    // Asked from the host, links name the namespaces of their other ends as the host knows them.
    let links = granted(rtnl::inspect_links(from_host, namespace.id)?)?;
    netns::enter(namespace.fd())?;
    let addresses = granted(rtnl::inspect_addresses(&mut RouteSocket::open()?)?)?;
    Ok(PlaceDump { names: names(&links), place, links, addresses })
}

fn granted<T>(answer: Result<T, rtnl::NetlinkError>) -> io::Result<T> {
    answer.map_err(|refusal| io::Error::from_raw_os_error(refusal.errno))
}

fn names(links: &[Inspected]) -> BTreeMap<u32, String> {
    links.iter().map(|link| (link.status.index, link.status.name.clone())).collect()
}

/// All that was seen.
struct Whole<'a> {
    seen: Vec<PlaceDump>,
    /// What could not be looked into, and why.
    errors: BTreeMap<Place, String>,
    namespaces: &'a LabNamespaces,
    /// The host's identifier of itself.
    host: i32,
}

impl Whole<'_> {
    fn at(&self, place: &Place) -> Option<&PlaceDump> {
        self.seen.iter().find(|seen| seen.place == *place)
    }

    /// The place of an interface's other end.
    fn place(&self, own: &Place, id: Option<i32>) -> Option<Place> {
        match id {
            None => Some(own.clone()),
            Some(id) if id == self.host => Some(Place::Host),
            Some(id) => self.namespaces.node_of(id).cloned().map(Place::Node),
        }
    }

    /// An interface by place and index, as `node:interface`.
    fn end(&self, place: &Place, index: u32) -> Option<String> {
        Some(format!("{place}:{}", self.at(place)?.names.get(&index)?))
    }

    fn interface(&self, seen: &PlaceDump, link: &Inspected) -> proto::InterfaceStatus {
        let mut status = link.status.clone();
        let master = link.master.and_then(|index| seen.names.get(&index));
        status.master = master.cloned().unwrap_or_default();
        if let Some((index, id)) = link.link
            && let Some(place) = self.place(&seen.place, id)
        {
            let other = if status.kind == "veth" { &mut status.peer } else { &mut status.lower };
            *other = if status.kind != "veth" && place == seen.place {
                seen.names.get(&index).cloned()
            } else {
                self.end(&place, index)
            }
            .unwrap_or_default();
        }
        status.addresses =
            seen.addresses.get(&status.index).into_iter().flatten().map(ToString::to_string).collect();
        status
    }
}

/// A place in the API's words, beside what is wanted of it.
fn tell(whole: &Whole<'_>, target: &Target) -> Vec<proto::NodeStatus> {
    let mut places: Vec<&Place> =
        target.places.keys().chain(whole.seen.iter().map(|seen| &seen.place)).collect();
    places.extend(whole.errors.keys());
    // Nodes by name, the host last.
    places.sort_by_key(|place| (**place == Place::Host, *place));
    places.dedup();
    places.into_iter().filter_map(|place| tell_of(whole, place, target)).collect()
}

fn tell_of(whole: &Whole<'_>, place: &Place, target: &Target) -> Option<proto::NodeStatus> {
    let wanted = target.place(place);
    let wants = |name: &str| wanted.is_some_and(|wanted| wanted.links.contains_key(name));
    let seen = whole.at(place);
    let mut interfaces = Vec::new();
    for link in seen.into_iter().flat_map(|seen| &seen.links) {
        let mut status = seen.map(|seen| whole.interface(seen, link)).unwrap_or_default();
        let known = wants(&status.name) || status.kind == "loopback";
        status.presence = if known { Presence::Present } else { Presence::Extra }.into();
        interfaces.push(status);
    }
    interfaces.sort_by_key(|status| status.index);
    let there = |name: &str| interfaces.iter().any(|status| status.name == name);
    let missing = wanted.into_iter().flat_map(|wanted| wanted.links.keys());
    let missing: Vec<_> = missing.filter(|name| !there(name.as_str())).collect();
    let error = whole.errors.get(place).cloned().unwrap_or_default();
    if error.is_empty() {
        interfaces.extend(missing.into_iter().map(|name| proto::InterfaceStatus {
            name: name.to_string(),
            presence: Presence::Missing.into(),
            ..proto::InterfaceStatus::default()
        }));
    }
    if *place == Place::Host && interfaces.is_empty() {
        return None;
    }
    let present = seen.is_some() || !error.is_empty();
    Some(proto::NodeStatus { name: place.to_string(), present, interfaces, error })
}
