//! A lab half way: everything that could be read, without what is at fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::link::Named;
use crate::model::{BridgePort, Endpoint, Form, IfName, Impairment, Interface, Mac, Place};

use crate::input::{Path, Sink, shown};

/// One interface.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// Whether the lab has an entry for it, and not only a link that names it.
    pub(super) entry: bool,
    /// Whether its entry names a kind, be it faulty.
    pub(super) has_kind: bool,
    /// What it is; `None` until a link names it, or if that is at fault.
    pub(super) form: Option<Form>,
    /// What it says to stand on. There even where the kind is at fault otherwise: one slip hides no other.
    pub(super) lower: Option<Named>,
    /// Its place in a bridge.
    pub(super) port: Option<BridgePort>,
    /// The other ends of a tunnel that has several.
    pub(super) remotes: BTreeSet<IpAddr>,
    /// The VRF or bond that it belongs to.
    pub(super) master: Option<IfName>,
    /// Its addresses, each with its index in the entry.
    pub(super) addresses: Vec<(usize, IpNet)>,
    /// Maximum transmission unit.
    pub(super) mtu: Option<u32>,
    /// MAC address.
    pub(super) mac: Option<Mac>,
    /// Whether it is set up.
    pub(super) up: bool,
    /// Whether it is an end of a cable that is pulled: down as well, and what leads through it waits.
    pub(super) pulled: bool,
    /// What carries it where its kind names nothing.
    pub(super) underlay: Option<IfName>,
    /// What becomes of what leaves by it, where its entry says so.
    pub(super) impair: Option<Impairment>,
    /// The same as its link says.
    pub(super) impaired_by_link: Option<Impairment>,
    /// How many packets may wait.
    pub(super) txqueuelen: Option<u32>,
    /// Whether the node answers for what its routes lead to.
    pub(super) proxy_arp: Option<bool>,
    /// Whether router advertisements are heard.
    pub(super) accept_ra: Option<bool>,
    /// Whether addresses are made of them.
    pub(super) slaac: bool,
}

impl Draft {
    /// An interface that only a link names.
    pub(super) fn implied() -> Self {
        Self {
            entry: false,
            has_kind: false,
            form: None,
            lower: None,
            port: None,
            remotes: BTreeSet::new(),
            master: None,
            addresses: Vec::new(),
            mtu: None,
            mac: None,
            up: true,
            pulled: false,
            underlay: None,
            impair: None,
            impaired_by_link: None,
            txqueuelen: None,
            proxy_arp: None,
            accept_ra: None,
            slaac: false,
        }
    }

    fn finish(self) -> Option<Interface> {
        Some(Interface {
            form: self.form?,
            port: self.port,
            remotes: self.remotes,
            master: self.master,
            addresses: self.addresses.into_iter().map(|(_, address)| address).collect(),
            mtu: self.mtu,
            mac: self.mac,
            up: self.up && !self.pulled,
            underlay: self.underlay,
            impair: self.impair.or(self.impaired_by_link).filter(|it| !it.is_nothing()),
            txqueuelen: self.txqueuelen,
            proxy_arp: self.proxy_arp,
            accept_ra: self.accept_ra,
            slaac: self.slaac,
        })
    }
}

/// A node or the host, with its interfaces.
#[derive(Debug)]
pub(super) struct Site {
    /// Which.
    pub(super) place: Place,
    /// Where it is in the message.
    pub(super) path: Path,
    /// Its interfaces.
    pub(super) interfaces: BTreeMap<IfName, Draft>,
}

impl Site {
    /// Its interfaces.
    pub(super) fn interfaces_of(&self) -> impl Iterator<Item = (&IfName, &Draft)> {
        self.interfaces.iter()
    }

    /// Where an interface is in the message.
    pub(super) fn interface_path(&self, name: &IfName) -> Path {
        self.path.field("interfaces").key(name.as_str())
    }

    /// Where an address is in the message.
    pub(super) fn address_path(&self, name: &IfName, index: usize) -> Path {
        self.interface_path(name).field("addresses").index(index)
    }

    /// Whether an interface that is named here is one that the host has by itself.
    pub(super) fn is_foreign(&self, name: &IfName) -> bool {
        self.place == Place::Host && !self.interfaces.contains_key(name)
    }

    /// The interface of that name; a fault if there is none.
    pub(super) fn find(&self, name: &IfName, path: &Path, sink: &mut Sink) -> Option<&Draft> {
        let found = self.interfaces.get(name);
        if found.is_none() {
            let near = sink.suggest(name.as_str(), self.interfaces.keys().map(IfName::as_str));
            sink.add(path, format!("{} has no interface {}{near}", self.place, shown(name.as_str())));
        }
        found
    }

    /// Reads the name of an interface that `lo` or an entry or a link makes.
    pub(super) fn reference(&self, text: &str, path: &Path, sink: &mut Sink) -> Option<IfName> {
        let name: IfName = sink.parse(path, text)?;
        if name == IfName::loopback() {
            return Some(name);
        }
        self.find(&name, path, sink).is_some().then_some(name)
    }

    /// What keeps an interface down: itself, or what it is down with.
    pub(super) fn down<'a>(&'a self, name: &'a IfName) -> Option<&'a IfName> {
        let below = |name: &&'a IfName| self.interfaces.get(*name)?.form.as_ref()?.up_with();
        let mut all = std::iter::successors(Some(name), below).take(self.interfaces.len() + 1);
        all.find(|name| self.interfaces.get(*name).is_some_and(|draft| !draft.up))
    }

    /// The VRF that an interface belongs to, or is.
    pub(super) fn vrf<'a>(&'a self, name: &'a IfName) -> Option<&'a IfName> {
        let master = self.interfaces.get(name).and_then(|draft| draft.master.as_ref());
        [Some(name), master].into_iter().flatten().find(|name| self.table_of(name).is_some())
    }

    /// Whether it has any VRF.
    pub(super) fn has_vrfs(&self) -> bool {
        self.interfaces.values().any(|draft| draft.table().is_some())
    }

    /// The table of a VRF.
    pub(super) fn table_of(&self, vrf: &IfName) -> Option<u32> {
        self.interfaces.get(vrf)?.table()
    }

    /// The bond that an interface belongs to.
    pub(super) fn bond<'a>(&self, draft: &'a Draft) -> Option<&'a IfName> {
        let is_bond = |name: &&IfName| {
            let form = self.interfaces.get(*name).and_then(|draft| draft.form.as_ref());
            form.is_some_and(|form| form.ports().of_bond())
        };
        draft.master.as_ref().filter(is_bond)
    }

    /// What takes all that arrives at an interface, and what the interface is to it.
    pub(super) fn taker<'a>(&self, draft: &'a Draft) -> Option<(&'a IfName, &'static str)> {
        let bridge = draft.port.as_ref().map(|port| (&port.bridge, "port"));
        bridge.or_else(|| self.bond(draft).map(|bond| (bond, "member")))
    }

    /// All addresses with their interfaces.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&IfName, usize, IpNet)> {
        let each =
            |(name, draft)| Draft::addresses(draft).map(move |(index, address)| (name, index, address));
        self.interfaces.iter().flat_map(each)
    }
}

impl Draft {
    /// The table of the VRF that it is.
    pub(super) fn table(&self) -> Option<u32> {
        self.form.as_ref()?.ports().vrf()
    }

    fn addresses(&self) -> impl Iterator<Item = (usize, IpNet)> {
        self.addresses.iter().copied()
    }
}

/// All places of a lab.
#[derive(Debug)]
pub(super) struct Sites(BTreeMap<Place, Site>);

impl Sites {
    /// Of these places, the host among them.
    pub(super) fn new(sites: BTreeMap<Place, Site>) -> Self {
        Self(sites)
    }

    /// The places in order, the host first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Site> {
        self.0.values()
    }

    /// The same, for changing.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Site> {
        self.0.values_mut()
    }

    /// One place.
    pub(super) fn get(&self, place: &Place) -> Option<&Site> {
        self.0.get(place)
    }

    /// One place, for changing.
    pub(super) fn get_mut(&mut self, place: &Place) -> Option<&mut Site> {
        self.0.get_mut(place)
    }

    /// One interface.
    pub(super) fn interface(&self, at: &Endpoint) -> Option<&Draft> {
        self.get(&at.place)?.interfaces.get(&at.interface)
    }

    /// A fault if there is no such place.
    pub(super) fn exists(&self, place: &Place, path: &Path, sink: &mut Sink) -> bool {
        let exists = self.0.contains_key(place);
        if !exists {
            let text = place.to_string();
            let names = self.0.keys().map(|place| match place {
                Place::Host => "host",
                Place::Node(name) => name.as_str(),
            });
            let near = sink.suggest(&text, names);
            sink.add(path, format!("the lab has no node {}{near}", shown(&text)));
        }
        exists
    }

    /// The interfaces of the model; complete if there was no fault.
    pub(super) fn finish(self) -> impl Iterator<Item = (Place, BTreeMap<IfName, Interface>)> {
        let useful = |draft: &Draft| draft.form != Some(Form::Loopback) || !draft.addresses.is_empty();
        self.0.into_iter().map(move |(place, site)| {
            let drafts = site.interfaces.into_iter().filter(|(_, draft)| useful(draft));
            (place, drafts.filter_map(|(name, draft)| Some((name, draft.finish()?))).collect())
        })
    }
}
