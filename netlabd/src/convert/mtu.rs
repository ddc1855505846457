//! MTUs of interfaces that stand on others.

use std::collections::BTreeMap;

use crate::{
    link::Lower,
    model::{ETHERNET_MTU, Form, IPV6_MIN_MTU, IfName, Place},
};

use super::{
    draft::{Draft, Site, Sites},
    stack::Stacks,
};
use crate::input::Sink;

/// The least that IPv4 needs, RFC 791.
const IPV4: u32 = 68;

/// MTUs by interface.
type Known<'a> = BTreeMap<&'a IfName, u32>;

/// The MTUs of a lab.
pub(super) struct Mtus<'a>(BTreeMap<&'a Place, Known<'a>>);

impl Mtus<'_> {
    /// That of an interface.
    pub(super) fn of(&self, place: &Place, name: &IfName) -> u32 {
        let known = self.0.get(place).and_then(|known| known.get(name));
        known.copied().unwrap_or(ETHERNET_MTU)
    }
}

/// Checks the MTUs of all places, the host first: macvlans stand on it.
pub(super) fn check<'a>(sites: &'a Sites, stacks: &Stacks, sink: &mut Sink) -> Mtus<'a> {
    let mut all = Mtus(BTreeMap::new());
    for (site, order) in sites.iter().zip(stacks) {
        let none = Known::new();
        let host = all.0.get(&Place::Host).unwrap_or(&none);
        let mut mtus = Finder::of(sites, site, host);
        for name in order {
            mtus.check(name, sink);
        }
        let known = mtus.known;
        all.0.insert(&site.place, known);
    }
    all
}

/// The MTUs of a place, each found when it is first asked for.
struct Finder<'a, 'h> {
    sites: &'a Sites,
    site: &'a Site,
    host: &'h Known<'h>,
    ports: BTreeMap<&'a IfName, Vec<&'a IfName>>,
    known: Known<'a>,
}

impl<'a, 'h> Finder<'a, 'h> {
    fn of(sites: &'a Sites, site: &'a Site, host: &'h Known<'h>) -> Self {
        let mut ports: BTreeMap<&IfName, Vec<&IfName>> = BTreeMap::new();
        for (name, draft) in &site.interfaces {
            let carried = draft.port.as_ref().map(|port| &port.bridge).or_else(|| site.bond(draft));
            if let Some(carried) = carried {
                ports.entry(carried).or_default().push(name);
            }
        }
        Self { sites, site, host, ports, known: Known::new() }
    }

    fn find(&mut self, name: &IfName) -> Option<u32> {
        let (name, draft) = self.site.interfaces.get_key_value(name)?;
        if let Some(known) = self.known.get(name) {
            return Some(*known);
        }
        // Whoever comes back to it is in a loop, which is a fault of its own.
        self.known.insert(name, ETHERNET_MTU);
        let mtu = draft.mtu.or_else(|| self.derived(name, draft)).unwrap_or(ETHERNET_MTU);
        self.known.insert(name, mtu);
        Some(mtu)
    }

    fn derived(&mut self, name: &IfName, draft: &'a Draft) -> Option<u32> {
        if let Some(below) = self.below(draft) {
            return Some(below.room);
        }
        // Of one that says nothing, the other end's, which is its bond's where it belongs to one.
        if let Some(Form::Veth { peer }) = &draft.form {
            let there = self.sites.get(&peer.place)?;
            let other = there.interfaces.get(&peer.interface)?;
            let bond = there.bond(other).and_then(|bond| there.interfaces.get(bond));
            return bond.unwrap_or(other).mtu;
        }
        let kind = draft.form.as_ref()?.kind()?;
        if kind.far_end().is_some() {
            return Some(ETHERNET_MTU - kind.overhead());
        }
        let ports = self.ports.get(name)?.clone();
        ports.into_iter().filter_map(|port| self.find(port)).min()
    }

    /// What an interface's frames must fit into.
    fn below(&mut self, draft: &Draft) -> Option<Below> {
        let kind = draft.form.as_ref()?.kind()?;
        let lower = kind.lower().or_else(|| draft.underlay.as_ref().map(Lower::Here))?;
        let mtu = match lower {
            Lower::Here(name) => self.find(name)?,
            Lower::Host(name) => *self.host.get(name)?,
        };
        let what = match (lower, kind.overhead()) {
            (Lower::Here(name), 0) => format!("the {} {name}", kind.lower_field()),
            (Lower::Host(name), 0) => format!("the {} {name} on the host", kind.lower_field()),
            (lower, overhead) => {
                format!("{}, less {overhead} bytes for {},", lower.name(), kind.key().to_uppercase())
            }
        };
        Some(Below { room: mtu.saturating_sub(kind.overhead()), what })
    }

    fn check(&mut self, name: &IfName, sink: &mut Sink) {
        let Some((name, draft)) = self.site.interfaces.get_key_value(name) else { return };
        if let (Some(mtu), Some(below)) = (draft.mtu, self.below(draft))
            && mtu > below.room
        {
            let message = format!("{mtu} does not fit: {} has room for {}; lower it", below.what, below.room);
            sink.add(&self.site.interface_path(name).field("mtu"), message);
        }
        self.check_member(draft, sink);
        if let Some(mtu) = self.find(name) {
            check_least(self.site, name, draft, mtu, sink);
        }
    }

    /// A bond gives its members its own MTU.
    fn check_member(&mut self, draft: &Draft, sink: &mut Sink) {
        let Some(bond) = self.site.bond(draft) else { return };
        let said = self.site.interfaces.get(bond).and_then(|bond| bond.mtu);
        let Some((mtu, below)) = said.zip(self.below(draft)) else { return };
        if mtu > below.room {
            let message = format!(
                "{mtu} does not fit its members: {} has room for {}; lower it",
                below.what, below.room
            );
            sink.add(&self.site.interface_path(bond).field("mtu"), message);
        }
    }
}

/// What an interface's frames must fit into.
struct Below {
    room: u32,
    what: String,
}

fn check_least(site: &Site, name: &IfName, draft: &Draft, mtu: u32, sink: &mut Sink) {
    let v6 = draft.addresses.iter().any(|(_, address)| address.addr().is_ipv6());
    let kind = draft.form.as_ref().and_then(Form::kind);
    let (least, reason) = match kind.and_then(|kind| Some((kind, kind.least_mtu()?))) {
        Some((kind, least)) => (least, format!("{} needs", kind.noun())),
        None if v6 => (IPV6_MIN_MTU, "IPv6 addresses need".to_owned()),
        None => (IPV4, "an interface needs".to_owned()),
    };
    if draft.form == Some(Form::Loopback) || mtu >= least {
        return;
    }
    let path = site.interface_path(name);
    if draft.mtu.is_some() {
        sink.add(&path.field("mtu"), format!("{mtu} is too small: {reason} at least {least}"));
    } else {
        let message =
            format!("gets an MTU of {mtu} from below, but {reason} at least {least}; raise the one below");
        sink.add(&path, message);
    }
}
