//! What there is: namespaces with their interfaces, as the kernel would have them.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::bond::Own;
use crate::{
    link::{Carrier, Kind, MacFrom, Ports},
    model::{
        AddressList, FdbEntry, Firewall, Guard, LabName, Mac, NatRule, Neighbour, NodeName, PerInterface,
        PortSettings, Route, RoutingRule, SysctlKey, VlanId, WireguardDevice,
        observed::{
            AddressState, FdbState, LabelRouteState, LinkState, NeighbourState, QdiscState, RouteState,
            RuleState, Segments, TableState, VlanFlags,
        },
    },
};

/// A namespace's number; the host is 0.
pub(super) type NamespaceId = u32;

/// The host.
pub(super) const HOST: NamespaceId = 0;

/// An interface: its namespace and index.
pub(super) type LinkId = (NamespaceId, u32);

/// All there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct World {
    pub(super) namespaces: BTreeMap<NamespaceId, Namespace>,
    pub(super) labs: BTreeMap<LabName, BTreeMap<NodeName, NamespaceId>>,
    pub(super) pins: BTreeMap<String, NamespaceId>,
    next: u32,
}

/// One network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Namespace {
    pub(super) links: BTreeMap<u32, Link>,
    pub(super) routes: Vec<RouteState>,
    pub(super) label_routes: Vec<LabelRouteState>,
    pub(super) rules: Vec<RuleState>,
    pub(super) neighbours: Vec<NeighbourState>,
    pub(super) sysctls: BTreeMap<SysctlKey, String>,
    /// Chains by lab; those of a node are under the lab's own name too.
    pub(super) nat: BTreeMap<LabName, Vec<NatRule>>,
    /// Firewalls likewise.
    pub(super) firewalls: BTreeMap<LabName, Firewall>,
    /// On the host, what keeps labs apart.
    pub(super) guards: BTreeMap<LabName, Guard>,
    /// Tables of others.
    pub(super) tables: Vec<TableState>,
    /// Whether it has had a VRF.
    pub(super) had_vrf: bool,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) mark: Option<LabName>,
    pub(super) form: FakeForm,
    pub(super) mac: Option<Mac>,
    pub(super) mtu: u32,
    pub(super) up: bool,
    pub(super) master: Option<u32>,
    /// Of a member of a bond.
    pub(super) own: Option<Own>,
    pub(super) addresses: Vec<AddressState>,
    pub(super) vlans: BTreeMap<VlanId, VlanFlags>,
    pub(super) port_settings: Option<PortSettings>,
    pub(super) fdb: BTreeMap<FdbEntry, FdbState>,
    pub(super) qdisc: Option<QdiscState>,
    pub(super) segments: Segments,
    pub(super) wireguard: Option<WireguardDevice>,
    pub(super) txqueuelen: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FakeForm {
    Loopback,
    Veth {
        peer: LinkId,
    },
    Made {
        /// The name in it of what it stands on is the one at its making.
        kind: Kind,
        lower: Option<LinkId>,
        /// Whether somebody set its MTU; a bridge's follows its ports until then.
        mtu_set: bool,
    },
}

impl FakeForm {
    /// Its kind.
    pub(super) fn kind(&self) -> Option<&Kind> {
        if let Self::Made { kind, .. } = self { Some(kind) } else { None }
    }

    /// What may join it.
    pub(super) fn ports(&self) -> Ports {
        self.kind().map_or(Ports::None, Kind::ports)
    }

    /// What it stands on, where that bounds its MTU: what puts nothing before its frames.
    fn bounds(&self) -> Option<LinkId> {
        match self {
            Self::Made { kind, lower, .. } if kind.overhead() == 0 => *lower,
            _ => None,
        }
    }

    /// What it is down with.
    fn up_with(&self) -> Option<LinkId> {
        match self {
            Self::Made { kind, lower, .. } if kind.carrier() == Carrier::Lower => *lower,
            _ => None,
        }
    }

    /// Whose MAC address it has.
    fn mac_of(&self) -> Option<LinkId> {
        match self {
            Self::Made { kind, lower, .. } if kind.mac() == MacFrom::Lower => *lower,
            _ => None,
        }
    }
}

impl World {
    /// A host with a loopback interface, and with what a host has.
    pub(super) fn new() -> Self {
        let mut world = Self {
            namespaces: BTreeMap::from([(HOST, Namespace::default())]),
            labs: BTreeMap::new(),
            pins: BTreeMap::new(),
            next: 1,
        };
        world.furnish(HOST);
        world
    }

    /// A new namespace.
    pub(super) fn add_space(&mut self) -> NamespaceId {
        let id = self.number();
        self.namespaces.insert(id, Namespace::default());
        self.furnish(id);
        id
    }

    fn furnish(&mut self, id: NamespaceId) {
        let loopback = Link::new("lo", FakeForm::Loopback);
        self.add(id, Link { mtu: 65_536, up: id == HOST, ..loopback });
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.rp_filter"] {
            let key = key.parse().expect("a sysctl");
            self.namespace(id).sysctls.insert(key, "0".to_owned());
        }
    }

    /// A number that nothing has had before.
    pub(super) fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub(super) fn namespace(&mut self, id: NamespaceId) -> &mut Namespace {
        self.namespaces.get_mut(&id).expect("the namespace is there")
    }

    pub(super) fn add(&mut self, namespace: NamespaceId, link: Link) -> LinkId {
        let index = self.number();
        if link.form.ports().vrf().is_some() && !self.namespace(namespace).had_vrf {
            self.namespace(namespace).had_vrf = true;
            let rule = |ipv6| {
                let rule = RoutingRule::of_vrfs(ipv6);
                RuleState { plain: true, protocol: rule.protocol(), rule }
            };
            self.namespace(namespace).rules.extend([false, true].map(rule));
        }
        let values = &mut self.namespace(namespace).sysctls;
        let copy = |(key, value): (&SysctlKey, &String)| {
            let per = PerInterface::of(key).filter(|per| per.of == "default")?;
            Some((per.key_of(&link.name)?, value.clone()))
        };
        let copies: Vec<_> = values.iter().filter_map(copy).collect();
        values.extend(copies);
        self.namespace(namespace).links.insert(index, link);
        (namespace, index)
    }

    pub(super) fn link(&mut self, at: LinkId) -> Option<&mut Link> {
        self.namespaces.get_mut(&at.0)?.links.get_mut(&at.1)
    }

    /// The interface of a name.
    pub(super) fn find(&self, namespace: NamespaceId, name: &str) -> Option<u32> {
        let links = &self.namespaces.get(&namespace)?.links;
        links.iter().find(|(_, link)| link.name == name).map(|(index, _)| *index)
    }

    /// Who stands on an interface, or is its other end.
    fn dependents(&self, at: LinkId) -> Vec<LinkId> {
        let depends = |link: &Link| match &link.form {
            FakeForm::Loopback => false,
            FakeForm::Veth { peer } => *peer == at,
            FakeForm::Made { lower, .. } => *lower == Some(at),
        };
        let all = self
            .namespaces
            .iter()
            .flat_map(|(id, namespace)| namespace.links.iter().map(|(i, l)| (*id, *i, l)));
        all.filter(|(_, _, link)| depends(link)).map(|(namespace, index, _)| (namespace, index)).collect()
    }

    /// Deletes an interface with all that goes along.
    pub(super) fn delete(&mut self, at: LinkId) {
        let dependents = self.dependents(at);
        let ports: Vec<_> = self.namespaces.get(&at.0).into_iter().flat_map(|space| &space.links).collect();
        let ports = ports.into_iter().filter(|(_, port)| port.master == Some(at.1));
        for port in ports.map(|(index, _)| *index).collect::<Vec<_>>() {
            self.leave_master((at.0, port));
        }
        let Some(link) = self.namespaces.get_mut(&at.0).and_then(|namespace| namespace.links.remove(&at.1))
        else {
            return;
        };
        let namespace = self.namespace(at.0);
        namespace.sysctls.retain(|key, _| PerInterface::of(key).is_none_or(|per| per.of != link.name));
        namespace.routes.retain(|state| !state.route.leads_through(&link.name));
        namespace.label_routes.retain(|state| state.route.dev.as_str() != link.name);
        namespace.neighbours.retain(|state| state.neighbour.dev.as_str() != link.name);
        self.follow_ports(at.0, link.master);
        if let Some(master) = link.master {
            self.without_members(at.0, master);
        }
        for other in dependents {
            self.delete(other);
        }
    }

    /// Deletes a namespace with all that is in it.
    pub(super) fn delete_space(&mut self, id: NamespaceId) {
        let Some(namespace) = self.namespaces.get(&id) else { return };
        for index in namespace.links.keys().copied().collect::<Vec<_>>() {
            self.delete((id, index));
        }
        self.namespaces.remove(&id);
        self.pins.retain(|_, pinned| *pinned != id);
    }

    /// Sets an interface up or down. Down loses routes and IPv6 addresses; VLANs follow.
    pub(super) fn set_up(&mut self, at: LinkId, up: bool) -> Result<(), i32> {
        let link = self.link(at).ok_or(libc::ENODEV)?;
        let (name, with, was) = (link.name.clone(), link.form.up_with(), link.up);
        if let Some(lower) = with.filter(|_| up)
            && !self.link(lower).is_some_and(|lower| lower.up)
        {
            return Err(libc::ENETDOWN);
        }
        if was == up {
            return Ok(());
        }
        let link = self.link(at).ok_or(libc::ENODEV)?;
        link.up = up;
        if !up {
            link.addresses.retain(|state| state.address.addr().is_ipv4());
            self.drop_routes(at.0, &name, |_| true);
            self.namespace(at.0).neighbours.retain(|state| state.neighbour.dev.as_str() != name);
        }
        for (namespace, index) in self.dependents(at) {
            let on_top = self.link((namespace, index)).is_some_and(|link| link.form.up_with().is_some());
            if on_top {
                self.set_up((namespace, index), up)?;
            }
        }
        Ok(())
    }

    /// Takes an address off. With the last of its family, the routes of that family go.
    pub(super) fn delete_address(&mut self, at: LinkId, address: IpNet) {
        let Some(link) = self.link(at) else { return };
        let (name, before) = (link.name.clone(), link.addresses.len());
        link.order(|list| list.delete(&address));
        if link.addresses.len() == before {
            return;
        }
        self.namespace(at.0).routes.retain(|state| state.route.src != Some(address.addr()));
        let last =
            !self.link(at).is_some_and(|link| link.addresses.iter().any(|it| it.address.addr().is_ipv4()));
        if last && address.addr().is_ipv4() {
            self.drop_routes(at.0, &name, |route| route.to.addr().is_ipv4());
            let stays = |it: &Neighbour| it.to.is_ipv6() || it.dev.as_str() != name;
            self.namespace(at.0).neighbours.retain(|state| stays(&state.neighbour));
        }
    }

    /// Drops what leads through an interface that is down or has no address of the family left, unless another next
    /// hop is there (`fib_sync_down_dev`, `fib6_ifdown`).
    fn drop_routes(&mut self, namespace: NamespaceId, name: &str, some: impl Fn(&Route) -> bool) {
        let namespace = self.namespace(namespace);
        let links = &namespace.links;
        let works = |dev: &str| dev != name && links.values().any(|link| link.name == dev && link.up);
        namespace.routes.retain(|RouteState { route, .. }| {
            let lost = some(route) && route.leads_through(name);
            !lost || route.hops.iter().any(|hop| works(hop.dev.as_str()))
        });
    }

    pub(super) fn set_mtu(&mut self, at: LinkId, mtu: u32) -> Result<(), i32> {
        let link = self.link(at).ok_or(libc::ENODEV)?;
        if link.mtu == mtu {
            return Ok(());
        }
        let bound = link.form.bounds();
        let refusal = if link.form.up_with().is_some() { libc::ERANGE } else { libc::EINVAL };
        if bound.is_some_and(|lower| self.link(lower).is_some_and(|lower| lower.mtu < mtu)) {
            return Err(refusal);
        }
        let link = self.link(at).ok_or(libc::ENODEV)?;
        link.mtu = mtu;
        if let FakeForm::Made { mtu_set, .. } = &mut link.form {
            *mtu_set = true;
        }
        let master = link.master;
        self.follow_ports(at.0, master);
        self.lead_members(at);
        for above in self.dependents(at) {
            let link = self.link(above).expect("a dependent is there");
            if link.form.bounds().is_some() {
                link.mtu = link.mtu.min(mtu);
            }
        }
        Ok(())
    }

    /// A new MAC address; VLANs that shared the old one follow.
    pub(super) fn set_mac(&mut self, at: LinkId, mac: Mac) -> Result<(), i32> {
        let link = self.link(at).ok_or(libc::ENODEV)?;
        let (old, name) = (link.mac.replace(mac), link.name.clone());
        if old != Some(mac) {
            self.namespace(at.0).neighbours.retain(|state| state.neighbour.dev.as_str() != name);
        }
        self.lead_members(at);
        for above in self.dependents(at) {
            let link = self.link(above).expect("a dependent is there");
            if link.form.mac_of().is_some() && link.mac == old {
                link.mac = Some(mac);
            }
        }
        Ok(())
    }

    pub(super) fn set_master(&mut self, at: LinkId, master: Option<u32>) -> Result<(), i32> {
        let ports = master.map(|master| self.link((at.0, master)).map_or(Ports::None, |it| it.form.ports()));
        let link = self.link(at).ok_or(libc::ENODEV)?;
        let old = link.master;
        let refused = match ports {
            Some(Ports::Vrf { .. }) => link.form.ports().vrf().is_some(),
            Some(Ports::Bond) => link.form.ports() != Ports::None,
            Some(_) => link.form.ports().of_bridge(),
            None => false,
        };
        if master.is_some() && (refused || link.form == FakeForm::Loopback) {
            return Err(libc::ELOOP);
        }
        self.leave_master(at);
        if let Some((bond, Ports::Bond)) = master.zip(ports) {
            self.follow_ports(at.0, old);
            return self.join_bond(at, bond);
        }
        let link = self.link(at).ok_or(libc::ENODEV)?;
        link.master = master;
        match ports {
            Some(Ports::Vrf { .. }) => self.cycle(at)?,
            Some(_) => {
                link.vlans = Link::first_vlans();
                let cost = if matches!(link.form, FakeForm::Veth { .. }) { 2 } else { 100 };
                link.port_settings = Some(PortSettings { cost: Some(cost), ..PortSettings::default() });
            }
            None => {}
        }
        self.follow_ports(at.0, old);
        self.follow_ports(at.0, master);
        Ok(())
    }

    /// What becomes of a port without its master.
    fn leave_master(&mut self, at: LinkId) {
        let Some(master) = self.link(at).and_then(|link| link.master.take()) else { return };
        let was = self.link((at.0, master)).map_or(Ports::None, |it| it.form.ports());
        if was.vrf().is_some() {
            let _ = self.cycle(at);
        } else if was.of_bond() {
            self.leave_bond(at, master);
        } else if let Some(link) = self.link(at) {
            link.vlans.clear();
            link.port_settings = None;
            link.fdb.retain(|entry, _| matches!(entry, FdbEntry::Remote(_)));
        }
    }

    /// Down and up again, as what comes to a VRF or leaves one.
    fn cycle(&mut self, at: LinkId) -> Result<(), i32> {
        if self.link(at).is_some_and(|link| link.up) {
            self.set_up(at, false)?;
            self.set_up(at, true)?;
        }
        Ok(())
    }

    /// A bridge whose MTU nobody set has that of its smallest port.
    fn follow_ports(&mut self, namespace: NamespaceId, bridge: Option<u32>) {
        let Some(bridge) = bridge else { return };
        let links = &mut self.namespace(namespace).links;
        let ports = links.values().filter(|link| link.master == Some(bridge)).map(|link| link.mtu);
        let smallest = ports.min().unwrap_or(1500);
        if let Some(Link { form: FakeForm::Made { kind, mtu_set: false, .. }, mtu, .. }) =
            links.get_mut(&bridge)
            && kind.ports().of_bridge()
        {
            *mtu = smallest;
        }
    }
}

impl Link {
    /// Adds an address in the kernel's place for it.
    pub(super) fn add_address(&mut self, state: AddressState) {
        let address = state.address;
        self.addresses.push(state);
        let others = self.addresses.iter().map(|state| state.address).filter(|other| *other != address);
        let mut list = AddressList::new(others);
        list.add(address);
        self.arrange(&list);
    }

    fn order(&mut self, change: impl FnOnce(&mut AddressList)) {
        let mut list = AddressList::new(self.addresses.iter().map(|state| state.address));
        change(&mut list);
        self.arrange(&list);
    }

    fn arrange(&mut self, list: &AddressList) {
        let place = |state: &AddressState| list.iter().position(|address| *address == state.address);
        self.addresses.retain(|state| place(state).is_some());
        self.addresses.sort_by_key(place);
    }

    pub(super) fn new(name: &str, form: FakeForm) -> Self {
        let vlans = if form.ports().of_bridge() { Self::first_vlans() } else { BTreeMap::new() };
        Self {
            name: name.to_owned(),
            mark: None,
            form,
            mac: None,
            mtu: 1500,
            up: false,
            master: None,
            own: None,
            addresses: Vec::new(),
            vlans,
            port_settings: None,
            fdb: BTreeMap::new(),
            qdisc: None,
            segments: Segments::default(),
            wireguard: None,
            txqueuelen: LinkState::TXQUEUELEN,
        }
    }

    fn first_vlans() -> BTreeMap<VlanId, VlanFlags> {
        BTreeMap::from([(VlanId::DEFAULT, VlanFlags { pvid: true, untagged: true })])
    }
}
