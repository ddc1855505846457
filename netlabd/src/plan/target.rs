//! A lab spelt out: for each place the whole of what must be there, defaults filled in.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::{Before, WireguardTarget, impairment, wireguard::Keys};
use crate::{
    link::{Carrier, Kind, Lower, MacFrom},
    model::{
        BridgePort, ETHERNET_MTU, Endpoint, FdbEntry, Firewall, Form, Guard, IfName, Impairment, Interface,
        KeySeed, Lab, Mac, NatRule, Neighbour, Node, NodeName, Place, PortSettings, PortVlans, Route,
        RoutingRule, SysctlKey, VlanId,
        observed::{LinkState, VlanFlags},
    },
};

/// What must be there, place by place. Empty: nothing of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// The host's part, and one entry for each node.
    pub places: BTreeMap<Place, PlaceTarget>,
}

/// What must be in one place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlaceTarget {
    /// Interfaces, `lo` of nodes included.
    pub links: BTreeMap<IfName, LinkTarget>,
    /// Routes.
    pub routes: Vec<Route>,
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
    /// Its MAC address; `None` for `lo`, and for what has its parent's.
    pub mac: Option<Mac>,
    /// Whether the file says its MAC address.
    pub mac_is_said: bool,
    /// Its MTU; `None` leaves the kernel's.
    pub mtu: Option<u32>,
    /// Whether it is up.
    pub up: bool,
    /// The bridge or VRF it belongs to.
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
        let keys = Keys { uid, seed };
        let mut places = BTreeMap::from([(Place::Host, host(lab, keys))]);
        for name in lab.nodes.keys() {
            places.insert(Place::Node(name.clone()), node(lab, name, keys));
        }
        Self { places }
    }

    /// Takes note of what sysctls were before the lab first set them.
    pub fn remember(&mut self, before: &Before) {
        for (place, target) in &mut self.places {
            let of = if let Place::Node(node) = place { before.get(node) } else { None };
            target.before = of.cloned().unwrap_or_default();
        }
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
    /// are up, a bridge while one of its ports has.
    pub fn has_carrier(&self, at: &Endpoint) -> bool {
        self.is_carried(at, true)
    }

    /// Whether the file itself takes the carrier away, whatever ports bridges have: an interface is down, the other end
    /// of its link, or what it stands on.
    pub fn is_unplugged(&self, at: &Endpoint) -> bool {
        !self.is_carried(at, false)
    }

    /// `needs_ports`: a bridge without a port that has a carrier has none.
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
            form if needs_ports && form.ports().of_bridge() => {
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

fn node(lab: &Lab, name: &NodeName, keys: Keys<'_>) -> PlaceTarget {
    let node = &lab.nodes[name];
    let mut target = PlaceTarget {
        links: links(lab, &Place::Node(name.clone()), &node.interfaces, keys),
        routes: routes(node),
        rules: rules(node),
        neighbours: neighbours(node),
        sysctls: forwarding(node.forwarding),
        before: BTreeMap::new(),
        nat: node.nat.rules(),
        firewall: node.firewall.clone(),
        guard: None,
    };
    target.sysctls.extend(node.interfaces.iter().flat_map(|(name, it)| switches(name, it, node.forwarding)));
    target.sysctls.extend(node.sysctls.clone());
    target.links.entry(IfName::loopback()).or_insert_with(|| LinkTarget {
        form: Form::Loopback,
        mac: None,
        mac_is_said: false,
        mtu: None,
        up: true,
        master: None,
        port: None,
        fdb: BTreeSet::new(),
        vlans: None,
        addresses: Vec::new(),
        impair: None,
        gso_max_segs: None,
        wireguard: None,
        txqueuelen: None,
    });
    target
}

/// The sysctls behind switches of an interface. A forwarding node hears no advertisements at 1.
fn switches(
    name: &IfName,
    it: &Interface,
    forwards: bool,
) -> impl Iterator<Item = (SysctlKey, String)> + use<> {
    let heard = if forwards { "2" } else { "1" };
    let accept_ra = it.accept_ra.or(it.slaac.then_some(true)).map(|heed| if heed { heard } else { "0" });
    let all = [
        (format!("net/ipv4/conf/{name}/proxy_arp"), it.proxy_arp.map(|on| if on { "1" } else { "0" })),
        (format!("net/ipv6/conf/{name}/accept_ra"), accept_ra),
        (format!("net/ipv6/conf/{name}/autoconf"), it.slaac.then_some("1")),
    ];
    all.into_iter().filter_map(|(path, value)| Some((SysctlKey::from_path(&path).ok()?, value?.to_owned())))
}

/// What leads through a cable that is pulled comes with it, and so does what has an IPv6 address there as its source,
/// which goes with the interface.
fn routes(node: &Node) -> Vec<Route> {
    let up = |name: &IfName| is_up(name, &node.interfaces);
    let has = |interface: &Interface, src| interface.addresses.iter().any(|net| net.addr() == src);
    let owned = |src: IpAddr| node.interfaces.iter().any(|(name, it)| up(name) && has(it, src));
    let whole = |route: &Route| route.src.is_none_or(|src| src.is_ipv4() || owned(src));
    let mut routes: Vec<_> = node.routes.iter().filter_map(|route| route.through(up)).filter(whole).collect();
    for end in tables_of_vrfs(node).flat_map(Route::ends_of_vrf) {
        if !routes.iter().any(|route| route.replaces(&end)) {
            routes.push(end);
        }
    }
    routes
}

fn tables_of_vrfs(node: &Node) -> impl Iterator<Item = u32> {
    node.interfaces.values().filter_map(|interface| interface.form.ports().vrf())
}

/// The file's, and what VRFs need to have tables of their own.
fn rules(node: &Node) -> Vec<RoutingRule> {
    let has_vrfs = tables_of_vrfs(node).next().is_some();
    let of_vrfs = [false, true].map(RoutingRule::of_vrfs).into_iter().filter(|_| has_vrfs);
    node.rules.iter().cloned().chain(of_vrfs).collect()
}

/// An interface that is down has none.
fn neighbours(node: &Node) -> Vec<Neighbour> {
    node.neighbours.iter().filter(|it| is_up(&it.dev, &node.interfaces)).cloned().collect()
}

fn host(lab: &Lab, keys: Keys<'_>) -> PlaceTarget {
    let mut sysctls = BTreeMap::new();
    if lab.host.forwarding {
        sysctls = forwarding(true);
        if !host_uses_ipv6(lab) {
            sysctls.retain(|key, _| key.as_str().starts_with("net.ipv4."));
        }
    }
    for name in lab.host.interfaces.keys() {
        sysctls.extend(deaf(name));
    }
    sysctls.extend(lab.host.sysctls.clone());
    let guard = guard(lab, &sysctls);
    PlaceTarget {
        links: links(lab, &Place::Host, &lab.host.interfaces, keys),
        routes: Vec::new(),
        rules: Vec::new(),
        neighbours: Vec::new(),
        sysctls,
        before: BTreeMap::new(),
        nat: lab.host.nat.rules(),
        firewall: Firewall::default(),
        guard,
    }
}

/// By what a neighbour could steer the host, all off on an interface to a lab: router advertisements (RFC 4861) and
/// the addresses (RFC 4862) and routes that come with them, redirects (RFC 792, RFC 4861), routes that the sender chooses
/// (RFC 791, RFC 8200, RFC 8754, RFC 6554). All of `ip-sysctl`; new interfaces have the host's defaults.
fn deaf(name: &IfName) -> impl Iterator<Item = (SysctlKey, String)> {
    const IPV4: [&str; 4] = ["accept_redirects", "secure_redirects", "send_redirects", "accept_source_route"];
    const IPV6: [&str; 6] = [
        "accept_ra",
        "autoconf",
        "accept_redirects",
        "accept_source_route",
        "seg6_enabled",
        "rpl_seg_enabled",
    ];
    let of = |family: &str, setting: &str| format!("net/{family}/conf/{name}/{setting}");
    let ipv4 = IPV4.map(|setting| of("ipv4", setting));
    let ipv6 = IPV6.map(|setting| of("ipv6", setting));
    let key = |path: String| Some((SysctlKey::from_path(&path).ok()?, "0".to_owned()));
    ipv4.into_iter().chain(ipv6).filter_map(key)
}

fn guard(lab: &Lab, sysctls: &BTreeMap<SysctlKey, String>) -> Option<Guard> {
    let ends: Vec<IfName> = lab.host.interfaces.keys().cloned().collect();
    let is_bridge = |name: &&IfName| lab.host.interfaces[*name].form.ports().of_bridge();
    let hears = |name: &&IfName| {
        let key = SysctlKey::from_path(&format!("net/ipv4/conf/{name}/accept_redirects"));
        key.is_ok_and(|key| sysctls.get(&key).is_some_and(|value| value != "0"))
    };
    let guard = Guard {
        bridges: ends.iter().filter(is_bridge).cloned().collect(),
        heard: ends.iter().filter(hears).cloned().collect(),
        forwards: lab.host.forwarding,
        joins: lab.host.joins.clone(),
        apart: None,
        ends,
    };
    (!guard.ends.is_empty() || guard.forwards).then_some(guard)
}

/// Whether the lab gives the host an IPv6 address or translates one.
fn host_uses_ipv6(lab: &Lab) -> bool {
    let address =
        lab.host.interfaces.values().flat_map(|interface| &interface.addresses).any(|a| a.addr().is_ipv6());
    let translates = |rule: &NatRule| match rule {
        NatRule::Masquerade(rule) => rule.source.is_some_and(|source| source.addr().is_ipv6()),
        NatRule::PortForward(rule) => rule.to.is_ipv6(),
        NatRule::Source(rule) => rule.to.is_ipv6(),
        NatRule::Destination(rule) => rule.to.is_ipv6(),
        NatRule::Prefix(rule) => rule.internal.addr().is_ipv6(),
        NatRule::LeaveBridged => false,
    };
    address || lab.host.nat.rules().iter().any(translates)
}

/// The sysctls of forwarding. They are set even where it is off: a new namespace takes over the
/// host's values (`net.core.devconf_inherit_init_net`).
fn forwarding(on: bool) -> BTreeMap<SysctlKey, String> {
    let value = if on { "1" } else { "0" };
    ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"]
        .into_iter()
        .filter_map(|key| Some((key.parse().ok()?, value.to_owned())))
        .collect()
}

fn links(
    lab: &Lab,
    place: &Place,
    interfaces: &BTreeMap<IfName, Interface>,
    keys: Keys<'_>,
) -> BTreeMap<IfName, LinkTarget> {
    let segments = impairment::segments(lab);
    let wireguard = |name: &IfName, interface: &Interface| {
        let at = Endpoint { place: place.clone(), interface: name.clone() };
        Some(keys.of(lab, &at, interface.form.kind()?.wireguard()?))
    };
    let link = |(name, interface): (&IfName, &Interface)| {
        let target = LinkTarget {
            form: interface.form.clone(),
            mac: mac(place, name, interfaces, keys.uid),
            mac_is_said: interface.mac.is_some(),
            mtu: mtu(lab, name, interfaces),
            up: is_up(name, interfaces),
            master: interface.master().cloned(),
            port: interface.port.as_ref().map(|port| port_settings(port, &interface.form)),
            fdb: fdb(interface),
            vlans: vlans(name, interface, interfaces),
            addresses: interface.addresses.clone(),
            impair: impairment::of(place, name, interface, keys.uid),
            gso_max_segs: segments.filter(|_| interface.form != Form::Loopback),
            wireguard: wireguard(name, interface),
            txqueuelen: Some(interface.txqueuelen.unwrap_or(LinkState::TXQUEUELEN))
                .filter(|_| interface.form != Form::Loopback),
        };
        (name.clone(), target)
    };
    interfaces.iter().map(link).collect()
}

/// Who is behind a port, and the remotes of a VXLAN.
fn fdb(interface: &Interface) -> BTreeSet<FdbEntry> {
    let stations = interface.port.iter().flat_map(|port| &port.fdb);
    let remotes = interface.remotes.iter().map(|remote| FdbEntry::Remote(*remote));
    stations.map(|mac| FdbEntry::Station(*mac)).chain(remotes).collect()
}

/// What is said of a port, and of what is not said what a new one has.
fn port_settings(port: &BridgePort, form: &Form) -> PortSettings {
    let fresh = LinkTarget::fresh_port(form);
    PortSettings { cost: port.settings.cost.or(fresh.cost), ..port.settings }
}

/// Whether it can be up, and all that it is down with.
fn is_up(name: &IfName, interfaces: &BTreeMap<IfName, Interface>) -> bool {
    let below = |name: &&IfName| interfaces.get(*name)?.form.up_with();
    let mut all = std::iter::successors(Some(name), below).take(interfaces.len() + 1);
    all.all(|name| interfaces.get(name).is_none_or(|interface| interface.up))
}

/// The MAC address asked for, or one derived; some share that of what they stand on, as the kernel has it.
fn mac(place: &Place, name: &IfName, interfaces: &BTreeMap<IfName, Interface>, uid: &str) -> Option<Mac> {
    let interface = interfaces.get(name)?;
    let from = match &interface.form {
        Form::Loopback => return None,
        Form::Veth { .. } => MacFrom::Lab,
        Form::Made(kind) => kind.mac(),
    };
    match (interface.mac, from) {
        (Some(mac), _) => Some(mac),
        (None, MacFrom::Kernel) => None,
        (None, MacFrom::Lower) => mac(place, interface.form.lower_here()?, interfaces, uid),
        (None, MacFrom::Lab) => {
            let digest = Sha256::digest(format!("{uid}/{place}/{name}"));
            let mut octets = [0; 6];
            octets.copy_from_slice(&digest[..6]);
            Some(Mac::local(octets))
        }
    }
}

/// The MTU asked for, or what follows from what the interface stands on.
fn mtu(lab: &Lab, name: &IfName, interfaces: &BTreeMap<IfName, Interface>) -> Option<u32> {
    let interface = interfaces.get(name)?;
    if interface.mtu.is_some() {
        return interface.mtu;
    }
    let kind = match &interface.form {
        Form::Loopback => return None,
        Form::Veth { peer } => {
            let other = lab.interfaces(&peer.place).and_then(|there| there.get(&peer.interface));
            return Some(other.and_then(|other| other.mtu).unwrap_or(ETHERNET_MTU));
        }
        Form::Made(kind) => kind,
    };
    let lower = match kind.lower() {
        // What is sent by a VRF leaves by one of its members.
        Some(Lower::Here(name)) if is_vrf(name, interfaces) => Some(ETHERNET_MTU),
        Some(Lower::Here(name)) => mtu(lab, name, interfaces),
        Some(Lower::Host(name)) => mtu(lab, name, &lab.host.interfaces),
        None if kind.far_end().is_some() => {
            let carrier = interface.underlay.as_ref();
            carrier.and_then(|name| mtu(lab, name, interfaces)).or(Some(ETHERNET_MTU))
        }
        None => None,
    };
    let is_port = |(_, i): &(&IfName, &Interface)| i.port.as_ref().is_some_and(|port| port.bridge == *name);
    let ports = interfaces.iter().filter(|it| kind.ports().of_bridge() && is_port(it));
    kind.mtu(lower, ports.filter_map(|(port, _)| mtu(lab, port, interfaces)).min())
}

fn is_vrf(name: &IfName, interfaces: &BTreeMap<IfName, Interface>) -> bool {
    interfaces.get(name).is_some_and(|interface| interface.form.ports().vrf().is_some())
}

fn vlans(
    name: &IfName,
    interface: &Interface,
    interfaces: &BTreeMap<IfName, Interface>,
) -> Option<BTreeMap<VlanId, VlanFlags>> {
    const UNTAGGED: VlanFlags = VlanFlags { pvid: true, untagged: true };
    const TAGGED: VlanFlags = VlanFlags { pvid: false, untagged: false };
    if interface.form.ports().filtering() {
        let mut own = BTreeMap::from([(VlanId::DEFAULT, UNTAGGED)]);
        let tags = interface.form.kind().map(Kind::vlan_protocol);
        for above in interfaces.values() {
            let kind = above.form.kind().filter(|kind| kind.lower_here() == Some(name));
            let vlan = kind.filter(|kind| Some(kind.vlan_protocol()) == tags).and_then(Kind::vlan);
            if let Some(id) = vlan {
                own.entry(id).or_insert(TAGGED);
            }
        }
        return Some(own);
    }
    let port = interface.port.as_ref()?;
    if !interfaces.get(&port.bridge)?.form.ports().filtering() {
        return None;
    }
    Some(match &port.vlans {
        PortVlans::Default => BTreeMap::from([(VlanId::DEFAULT, UNTAGGED)]),
        PortVlans::Access(id) => BTreeMap::from([(*id, UNTAGGED)]),
        PortVlans::Trunk { tagged, native } => {
            let tagged = tagged.iter().map(|id| (*id, TAGGED));
            tagged.chain(native.map(|id| (id, UNTAGGED))).collect()
        }
    })
}
