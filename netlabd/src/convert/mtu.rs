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
        let mtu =
            draft.mtu.or_else(|| below.map(|below| below.room)).or_else(of_ports).unwrap_or(ETHERNET_MTU);
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
    let kind = draft.form.as_ref()?.kind()?;
    let lower = kind.lower()?;
    let mtu = match lower {
        Lower::Here(name) => *mtus.get(name)?,
        Lower::Host(name) => *host.get(name)?,
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

fn check_least(site: &Site, name: &IfName, draft: &Draft, mtu: u32, sink: &mut Sink) {
    let v6 = draft.addresses.iter().any(|(_, address)| address.addr().is_ipv6());
    let (least, reason) =
        if v6 { (IPV6_MIN_MTU, "IPv6 addresses need") } else { (IPV4, "an interface needs") };
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
