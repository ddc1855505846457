//! What the interfaces of a place must be.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{LinkTarget, Whole};
use crate::{
    link::{Kind, Lower, MacFrom},
    model::{
        BridgePort, ETHERNET_MTU, Endpoint, FdbEntry, Form, IfName, Interface, Lab, Mac, Place, PortSettings,
        PortVlans, VlanId,
        observed::{LinkState, VlanFlags},
    },
    plan::impairment,
};

/// The interfaces of a place.
pub(super) fn links(
    whole: Whole<'_>,
    place: &Place,
    interfaces: &BTreeMap<IfName, Interface>,
) -> BTreeMap<IfName, LinkTarget> {
    let Whole { lab, keys, segments } = whole;
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
pub(super) fn is_up(name: &IfName, interfaces: &BTreeMap<IfName, Interface>) -> bool {
    let below = |name: &&IfName| interfaces.get(*name)?.form.up_with();
    let mut all = std::iter::successors(Some(name), below).take(interfaces.len() + 1);
    all.all(|name| interfaces.get(name).is_none_or(|interface| interface.up))
}

/// The first octet of addresses above all others of one station. A bridge to which nobody gave one takes the least of its
/// ports' (`br_stp_recalculate_bridge_id`): that of others is to keep the one that it has by its own ports.
const HIGHEST: u8 = 0xfe;

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
            let of_others = |port: &BridgePort| !interfaces.contains_key(&port.bridge);
            if interface.port.as_ref().is_some_and(of_others) {
                octets[0] = HIGHEST;
            }
            Some(Mac::local(octets))
        }
    }
}

/// The MTU asked for, or what follows from what the interface stands on; a member of a bond has the bond's.
fn mtu(lab: &Lab, name: &IfName, interfaces: &BTreeMap<IfName, Interface>) -> Option<u32> {
    match bond_of(interfaces.get(name)?, interfaces) {
        Some(bond) => mtu(lab, bond, interfaces),
        None => own_mtu(lab, name, interfaces),
    }
}

/// The bond that an interface belongs to.
fn bond_of<'a>(interface: &'a Interface, interfaces: &BTreeMap<IfName, Interface>) -> Option<&'a IfName> {
    let master = interface.master.as_ref()?;
    interfaces.get(master).filter(|master| master.form.ports().of_bond()).map(|_| master)
}

/// What the file says of an end of a link, or of the bond that it belongs to.
fn said_mtu(lab: &Lab, end: &Endpoint) -> Option<u32> {
    let interfaces = lab.interfaces(&end.place)?;
    let interface = interfaces.get(&end.interface)?;
    let bond = bond_of(interface, interfaces).and_then(|bond| interfaces.get(bond));
    bond.unwrap_or(interface).mtu
}

/// The MTU that an interface has, or would have if it belonged to no bond.
fn own_mtu(lab: &Lab, name: &IfName, interfaces: &BTreeMap<IfName, Interface>) -> Option<u32> {
    let interface = interfaces.get(name)?;
    if interface.mtu.is_some() {
        return interface.mtu;
    }
    let kind = match &interface.form {
        Form::Loopback => return None,
        Form::Veth { peer } => return Some(said_mtu(lab, peer).unwrap_or(ETHERNET_MTU)),
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
    let is_port = |(_, interface): &(&IfName, &Interface)| interface.master() == Some(name);
    let ports = interfaces.iter().filter(|it| kind.ports().carry() && is_port(it));
    // A member of a bond, or it would come back here.
    let of = if kind.ports().of_bond() { own_mtu } else { mtu };
    kind.mtu(lower, ports.filter_map(|(port, _)| of(lab, port, interfaces)).min())
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
    let bridge = interfaces.get(&port.bridge);
    // Whether one of others filters is seen there, and what it gives new ports.
    if bridge.map_or(port.vlans == PortVlans::Default, |bridge| !bridge.form.ports().filtering()) {
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
