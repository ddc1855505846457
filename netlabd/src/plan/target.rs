//! A lab spelt out: for each place the whole of what must be there, defaults filled in.

mod host;
mod interfaces;
mod node;
mod segments;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use ipnet::IpNet;

use segments::Segments;

use super::{Before, WireguardTarget, impairment, wireguard::Keys};
use crate::{
    link::Carrier,
    model::{
        Endpoint, FdbEntry, Firewall, Form, Guard, IfName, Impairment, KeySeed, Lab, LabelRoute, Mac,
        NatRule, Neighbour, NodeName, Place, PortSettings, Route, RoutingRule, SysctlKey, VlanId,
        observed::VlanFlags,
    },
};

/// What must be there, place by place. Empty: nothing of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// The host's part, and one entry for each node; shared with the next lab spelt out where that wants the same.
    pub places: BTreeMap<Place, Arc<PlaceTarget>>,
}

/// What must be in one place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlaceTarget {
    /// Interfaces, `lo` of nodes included.
    pub links: BTreeMap<IfName, LinkTarget>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Label routes.
    pub label_routes: Vec<LabelRoute>,
    /// Rules of policy routing.
    pub rules: Vec<RoutingRule>,
    /// Neighbours.
    pub neighbours: Vec<Neighbour>,
    /// Sysctls, forwarding included.
    pub sysctls: BTreeMap<SysctlKey, String>,
    /// What sysctls of a node were before the lab first set them, those of [`PlaceTarget::sysctls`] and those that the
    /// lab has set and sets no more; `None`: what an interface has when it is made.
    pub before: BTreeMap<SysctlKey, Option<String>>,
    /// Rules of our nftables chains.
    pub nat: Vec<NatRule>,
    /// Which packets pass; on the host, nothing is said.
    pub firewall: Firewall,
    /// On the host: what keeps the lab's interfaces there apart from all else.
    pub guard: Option<Guard>,
}

/// What one interface must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkTarget {
    /// What it is.
    pub form: Form,
    /// Its MAC address; `None` for `lo`, and for what has its parent's. A member of a bond has the bond's, and this before and
    /// after.
    pub mac: Option<Mac>,
    /// Whether the file says its MAC address.
    pub mac_is_said: bool,
    /// Its MTU; `None` leaves the kernel's.
    pub mtu: Option<u32>,
    /// Whether it is up.
    pub up: bool,
    /// The bridge, VRF or bond it belongs to.
    pub master: Option<IfName>,
    /// What else is said of it as a port of that; `None`: it is none.
    pub port: Option<PortSettings>,
    /// The entries of its forwarding database that are not learned.
    pub fdb: BTreeSet<FdbEntry>,
    /// Its VLANs as a port of a filtering bridge, or as that bridge itself; `None` elsewhere.
    pub vlans: Option<BTreeMap<VlanId, VlanFlags>>,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
    /// What becomes of what leaves by it, chance's beginning included.
    pub impair: Option<Impairment>,
    /// Of how many segments what is sent by it may be (`IFLA_GSO_MAX_SEGS`); `None`: as many as can be.
    pub gso_max_segs: Option<u32>,
    /// What a WireGuard interface is set up as; `None`: it is none.
    pub wireguard: Option<WireguardTarget>,
    /// How many packets may wait; `None` leaves the kernel's.
    pub txqueuelen: Option<u32>,
}

/// What a place is spelt out from beside itself.
#[derive(Clone, Copy)]
struct Whole<'a> {
    lab: &'a Lab,
    keys: Keys<'a>,
    /// See [`impairment::segments`].
    segments: Option<u32>,
}

impl LinkTarget {
    /// Whether it is a bridge.
    pub fn is_bridge(&self) -> bool {
        self.form.ports().of_bridge()
    }

    /// The interface of the same place that it stands on.
    pub fn lower(&self) -> Option<&IfName> {
        self.form.lower_here()
    }

    /// The settings of a new port. An end of a link has 10 Gbit/s (`veth_get_link_ksettings`), whose cost is 2
    /// (`port_cost` in `net/bridge/br_if.c`); that of other kinds follows from what carries them: the kernel knows.
    pub(super) fn fresh_port(form: &Form) -> PortSettings {
        let cost = matches!(form, Form::Veth { .. }).then_some(2);
        PortSettings { cost, ..PortSettings::default() }
    }
}

impl Target {
    /// Spells out a lab. `uid` is the lab's unique identifier, from which MAC addresses are derived:
    /// the same lab gets the same ones after every repair and reboot, another lab gets others. Without a secret: what is
    /// only looked at, never made.
    pub fn new(lab: &Lab, uid: &str) -> Self {
        Self::with_keys(lab, uid, &KeySeed::NONE)
    }

    /// The same, with the secret from which keys are derived that the lab does not say.
    pub fn with_keys(lab: &Lab, uid: &str, seed: &KeySeed) -> Self {
        let whole = Whole { lab, keys: Keys { uid, seed }, segments: impairment::segments(lab) };
        let sent = Segments::of(lab);
        let node = |(name, node)| (Place::Node(Clone::clone(name)), node::node(whole, name, node, &sent));
        let places = lab.nodes.iter().map(node).chain([(Place::Host, host::host(whole))]);
        Self { places: places.map(|(place, wanted)| (place, Arc::new(wanted))).collect() }
    }

    /// Takes note of what sysctls were before the lab first set them.
    pub fn remember(&mut self, before: &Before) {
        for (place, target) in &mut self.places {
            let of = if let Place::Node(node) = place { before.get(node) } else { None };
            if of.map_or(!target.before.is_empty(), |of| target.before != *of) {
                Arc::make_mut(target).before = of.cloned().unwrap_or_default();
            }
        }
    }

    /// Shares the places that are wanted as in `other`.
    #[must_use]
    pub fn sharing(mut self, other: &Self) -> Self {
        for (place, wanted) in &mut self.places {
            if let Some(same) = other.places.get(place).filter(|other| *other == wanted) {
                *wanted = same.clone();
            }
        }
        self
    }

    /// What must be in a place.
    pub fn place(&self, place: &Place) -> Option<&PlaceTarget> {
        self.places.get(place).map(AsRef::as_ref)
    }

    /// What must be on the host.
    pub fn host(&self) -> Option<&PlaceTarget> {
        self.place(&Place::Host)
    }

    /// What must be in each place.
    pub fn places(&self) -> impl Iterator<Item = (&Place, &PlaceTarget)> {
        self.places.iter().map(|(place, wanted)| (place, wanted.as_ref()))
    }

    /// The names of the nodes.
    pub fn nodes(&self) -> BTreeSet<&NodeName> {
        self.places
            .keys()
            .filter_map(|place| match place {
                Place::Node(name) => Some(name),
                Place::Host => None,
            })
            .collect()
    }

    /// Whether an interface is to have a carrier, so far as the file decides that: an end of a link has one while both
    /// are up, a bridge or bond while one of its ports has.
    pub fn has_carrier(&self, at: &Endpoint) -> bool {
        self.is_carried(at, true)
    }

    /// Whether the file itself takes the carrier away, whatever ports bridges and bonds have: an interface is down, the other end
    /// of its link, or what it stands on.
    pub fn is_unplugged(&self, at: &Endpoint) -> bool {
        !self.is_carried(at, false)
    }

    /// `needs_ports`: a bridge or bond without a port that has a carrier has none.
    fn is_carried(&self, at: &Endpoint, needs_ports: bool) -> bool {
        // Interfaces stand on each other, and never on themselves: no chain is longer than there are.
        let count = self.places.get(&at.place).map_or(0, |place| place.links.len());
        self.is_carried_within(at, needs_ports, count)
    }

    fn is_carried_within(&self, at: &Endpoint, needs_ports: bool, depth: usize) -> bool {
        let (Some(place), Some(link)) = (self.places.get(&at.place), self.link(at)) else { return true };
        let Some(depth) = depth.checked_sub(1) else { return true };
        let is_carried = |name: &IfName| {
            let here = Endpoint { place: at.place.clone(), interface: name.clone() };
            self.is_carried_within(&here, needs_ports, depth)
        };
        let carries = match &link.form {
            Form::Veth { peer } => self.link(peer).is_none_or(|peer| peer.up),
            form if needs_ports && form.ports().carry() => {
                let mut ports =
                    place.links.iter().filter(|(_, port)| port.master.as_ref() == Some(&at.interface));
                ports.any(|(port, _)| is_carried(port))
            }
            Form::Made(kind) if kind.carrier() == Carrier::Lower => kind.lower_here().is_none_or(is_carried),
            _ => true,
        };
        link.up && carries
    }

    /// The link at an end point.
    pub fn link(&self, at: &Endpoint) -> Option<&LinkTarget> {
        self.places.get(&at.place)?.links.get(&at.interface)
    }
}

impl PlaceTarget {
    /// The sysctls that are not of the lab's own interfaces here: on the host, others may want them too.
    pub fn shared_sysctls(&self) -> impl Iterator<Item = &SysctlKey> {
        let own = |key: &&SysctlKey| key.interface().is_some_and(|name| self.links.contains_key(&name));
        self.sysctls.keys().filter(move |key| !own(key))
    }

    /// What interfaces are to stand on or to belong to and the lab does not make: on the host, what others have.
    pub fn foreign(&self) -> impl Iterator<Item = &IfName> {
        let each = |link| [self.foreign_lower_of(link), self.foreign_master_of(link)];
        self.links.values().flat_map(each).flatten()
    }

    /// What one interface is to belong to, if that is a bridge of others.
    pub fn foreign_master_of<'a>(&self, link: &'a LinkTarget) -> Option<&'a IfName> {
        link.master.as_ref().filter(|master| !self.links.contains_key(*master))
    }

    /// What one interface is to stand on, if that is an interface of others.
    pub fn foreign_lower_of<'a>(&self, link: &'a LinkTarget) -> Option<&'a IfName> {
        link.lower().filter(|lower| !self.links.contains_key(*lower))
    }

    /// The names of the interfaces, each after those that it stands on.
    pub fn bottom_up(&self) -> Vec<&IfName> {
        let mut names: Vec<_> = self.links.keys().collect();
        names.sort_by_key(|name| self.depth(name));
        names
    }

    /// How many interfaces it stands on, one above the other.
    fn depth(&self, name: &IfName) -> usize {
        let next = |name: &&IfName| self.links.get(*name).and_then(LinkTarget::lower);
        std::iter::successors(Some(name), next).take(self.links.len() + 1).count()
    }
}

/// The sysctls of forwarding. They are set even where it is off: a new namespace takes over the
/// host's values (`net.core.devconf_inherit_init_net`).
fn forwarding(on: bool) -> BTreeMap<SysctlKey, String> {
    static KEYS: LazyLock<Vec<SysctlKey>> = LazyLock::new(|| {
        let keys = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];
        keys.into_iter().filter_map(|key| key.parse().ok()).collect()
    });
    let value = if on { "1" } else { "0" };
    KEYS.iter().map(|key| (key.clone(), value.to_owned())).collect()
}
