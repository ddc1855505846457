//! MTUs of interfaces that stand on others.

use std::collections::BTreeMap;

use crate::model::{IfName, Kind, Place};

use super::{
    draft::{Draft, Site, Sites},
    fault::Sink,
    lower::is_v6,
    stack::Stacks,
};

/// What the kernel gives an Ethernet interface.
const ETHERNET: u32 = 1500;
/// The least that IPv6 needs, RFC 8200 section 5.
const IPV6: u32 = 1280;
/// The least that IPv4 needs, RFC 791.
const IPV4: u32 = 68;

type Mtus<'a> = BTreeMap<&'a IfName, u32>;

/// Checks the MTUs of all places, the host first: macvlans stand on it.
pub(super) fn check(sites: &Sites, stacks: &Stacks, sink: &mut Sink) {
    let mut host = Mtus::new();
    for (site, order) in sites.iter().zip(stacks) {
        let mtus = check_site(site, order, &host, sink);
        if site.place == Place::Host {
            host = mtus;
        }
    }
}

fn check_site<'a>(site: &'a Site, order: &[IfName], host: &Mtus<'_>, sink: &mut Sink) -> Mtus<'a> {
    let mut ports: BTreeMap<&IfName, Vec<&IfName>> = BTreeMap::new();
    for (name, draft) in &site.interfaces {
        if let Some(port) = &draft.port {
            ports.entry(&port.bridge).or_default().push(name);
        }
    }
    let mut mtus = Mtus::new();
    for name in order {
        let Some((name, draft)) = site.interfaces.get_key_value(name) else { continue };
        let below = lower(draft, &mtus, host);
        if let (Some(mtu), Some(below)) = (draft.mtu, &below)
            && mtu > below.room
        {
            let message = format!("{mtu} does not fit: {} has room for {}; lower it", below.what, below.room);
            sink.add(&site.interface_path(name).field("mtu"), message);
        }
        let of_ports = || ports.get(name)?.iter().filter_map(|port| mtus.get(port)).min().copied();
        let mtu = draft.mtu.or_else(|| below.map(|below| below.room)).or_else(of_ports).unwrap_or(ETHERNET);
        check_least(site, name, draft, mtu, sink);
        mtus.insert(name, mtu);
    }
    mtus
}

/// What an interface's frames must fit into.
struct Below {
    room: u32,
    what: String,
}

fn lower(draft: &Draft, mtus: &Mtus<'_>, host: &Mtus<'_>) -> Option<Below> {
    match &draft.kind {
        Some(Kind::Vlan { parent, .. }) => {
            Some(Below { room: *mtus.get(parent)?, what: format!("the parent {parent}") })
        }
        Some(Kind::Macvlan { parent, .. }) => {
            Some(Below { room: *host.get(parent)?, what: format!("the parent {parent} on the host") })
        }
        Some(Kind::Vxlan(vxlan)) => {
            let dev = vxlan.dev.as_ref()?;
            let overhead = if is_v6(vxlan) { 70 } else { 50 };
            let what = format!("{dev}, less {overhead} bytes for VXLAN,");
            Some(Below { room: mtus.get(dev)?.saturating_sub(overhead), what })
        }
        _ => None,
    }
}

fn check_least(site: &Site, name: &IfName, draft: &Draft, mtu: u32, sink: &mut Sink) {
    let v6 = draft.addresses.iter().any(|(_, address)| address.addr().is_ipv6());
    let (least, reason) = if v6 { (IPV6, "IPv6 addresses need") } else { (IPV4, "an interface needs") };
    if draft.kind == Some(Kind::Loopback) || mtu >= least {
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
