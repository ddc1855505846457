//! Next hops of routes.

use std::net::IpAddr;

use ipnet::IpNet;
use netlab_proto::{range, v1 as proto};

use crate::model::{IfName, NextHop, RouteType};

use super::{draft::Site, encap, gateway::Gateways};
use crate::input::{Path, Sink, address, name};

/// A route whose next hops are read.
pub(super) struct Of<'a> {
    /// The node.
    pub(super) site: &'a Site,
    /// Its neighbours.
    pub(super) gateways: &'a Gateways<'a>,
    /// The route's table.
    pub(super) table: u32,
    /// Its destination, if that is none at fault.
    pub(super) to: Option<IpNet>,
}

/// The addresses of all next hops that can be read.
pub(super) fn vias(message: &proto::Route) -> Vec<IpAddr> {
    let texts = message.next_hops.iter().map(|hop| &hop.via).chain([&message.via]);
    texts.filter_map(|via| via.parse().ok()).collect()
}

/// That of a kind which sends nothing.
pub(super) fn none(
    kind: RouteType,
    message: &proto::Route,
    path: &Path,
    sink: &mut Sink,
) -> Option<Vec<NextHop>> {
    let given = [
        ("via", !message.via.is_empty()),
        ("dev", !message.dev.is_empty()),
        ("onlink", message.onlink),
        ("next_hops", !message.next_hops.is_empty()),
        ("encap", message.encap.is_some()),
        ("src", !message.src.is_empty()),
        ("mtu", message.mtu.is_some()),
    ];
    let mut given = given.iter().filter(|(_, given)| *given).peekable();
    let kind = kind.as_str();
    if given.peek().is_none() {
        return Some(Vec::new());
    }
    for (field, _) in given {
        let a = if kind == "unreachable" { "an" } else { "a" };
        let message = format!("{a} {kind} route sends nothing and has no {field}; leave out one of the two");
        sink.add(&path.field(field), message);
    }
    None
}

impl Of<'_> {
    /// Reads all next hops; `None` if something is wrong with any.
    pub(super) fn read(&self, message: &proto::Route, path: &Path, sink: &mut Sink) -> Option<Vec<NextHop>> {
        if message.next_hops.is_empty() {
            let proto::Route { via, dev, onlink, encap, .. } = message;
            let (via, dev, encap) = (via.clone(), dev.clone(), encap.clone());
            let hop = proto::NextHop { via, dev, onlink: *onlink, weight: None, encap };
            return self.hop(&hop, path, sink).map(|hop| vec![hop]);
        }
        let given = [
            ("via", !message.via.is_empty()),
            ("dev", !message.dev.is_empty()),
            ("onlink", message.onlink),
            ("encap", message.encap.is_some()),
        ];
        let mut whole = true;
        for (field, _) in given.iter().filter(|(_, given)| *given) {
            whole = false;
            sink.add(&path.field(field), "next_hops say where the route leads; move it into one of them");
        }
        let path = path.field("next_hops");
        let mut hops: Vec<NextHop> = Vec::with_capacity(message.next_hops.len());
        for (i, hop) in message.next_hops.iter().enumerate() {
            let path = path.index(i);
            let Some(mut read) = self.hop(hop, &path, sink) else {
                whole = false;
                continue;
            };
            // The only one takes all.
            if message.next_hops.len() == 1 {
                read.weight = 1;
            }
            whole &= self.fits(&hops, &read, message.next_hops.len() > 1, &path, sink);
            hops.push(read);
        }
        whole.then_some(hops)
    }

    /// What holds of one among several.
    fn fits(&self, others: &[NextHop], hop: &NextHop, several: bool, path: &Path, sink: &mut Sink) -> bool {
        let ipv6 = self.to.is_some_and(|to| to.addr().is_ipv6());
        // `fib6_nh_init`: "Device only routes can not be added for IPv6 using the multipath API".
        if ipv6 && several && hop.via.is_none() {
            sink.add(path, "one of several next hops of IPv6 needs via: the kernel takes none by dev alone");
            return false;
        }
        let key = |hop: &NextHop| (hop.via, hop.dev.clone(), hop.encap.clone());
        let same = others.iter().position(|other| key(other) == key(hop));
        if let Some(first) = same {
            sink.add(path, format!("is next_hops[{first}] again; give that one more weight instead"));
        }
        same.is_none()
    }

    fn hop(&self, message: &proto::NextHop, path: &Path, sink: &mut Sink) -> Option<NextHop> {
        let weight = weight(message.weight, &path.field("weight"), sink);
        let around = path.field("encap");
        let encap = message.encap.as_ref();
        let encap = encap.map(|it| encap::read(self.site, self.gateways, self.to, it, &around, sink));
        let at = path.field("via");
        let has_via = !message.via.is_empty();
        let via = if has_via { sink.keep_text(&at, &message.via, address::host(&message.via)) } else { None };
        let is_kin = via.is_none_or(|via| self.is_kin(via, &at, sink));
        let dev = name::optional(&message.dev, &path.field("dev"), sink);
        let dev = dev.filter(|dev| {
            *dev == IfName::loopback() || self.site.find(dev, &path.field("dev"), sink).is_some()
        });
        if !has_via && message.dev.is_empty() {
            sink.add(path, "a route needs via (the next hop) or dev (the interface)");
        }
        if message.onlink && !may_be_onlink(message, &path.field("onlink"), sink) {
            return None;
        }
        let dev = match via {
            Some(via) if message.dev.is_empty() => self.gateways.find(via, self.table, &at, sink),
            Some(via) if message.onlink => dev.filter(|dev| !self.gateways.is_own_on(via, dev, &at, sink)),
            Some(via) => dev.filter(|dev| self.gateways.reaches(via, (dev, self.table), &at, sink)),
            None => dev,
        }?;
        if has_via && via.is_none() || !is_kin {
            return None;
        }
        self.check_up(&dev, path, sink);
        if encap.is_some() && dev == IfName::loopback() {
            let message =
                "nothing leaves by lo, so that nothing can be put around it; name another interface";
            sink.add(&around, message);
            return None;
        }
        let encap = match encap {
            Some(encap) => Some(encap?),
            None => None,
        };
        Some(NextHop { via, dev, onlink: message.onlink, weight: weight?, encap })
    }

    /// IPv6 has no next hops of IPv4; IPv4 has those of IPv6 (RFC 8950).
    fn is_kin(&self, via: IpAddr, path: &Path, sink: &mut Sink) -> bool {
        let stranger = self.to.filter(|to| to.addr().is_ipv6() && via.is_ipv4());
        if let Some(to) = stranger {
            sink.add(path, format!("{via} is no next hop for {to}, which is of IPv6; name one of IPv6"));
        }
        stranger.is_none()
    }

    fn check_up(&self, dev: &IfName, path: &Path, sink: &mut Sink) {
        match self.site.down(dev) {
            None => {}
            Some(down) if down == dev => {
                sink.add(path, format!("leads through {dev}, which is down; leave out up: false there"));
            }
            Some(down) => {
                let message = format!(
                    "leads through {dev}, which is down with {down} below it; leave out up: false there"
                );
                sink.add(path, message);
            }
        }
    }
}

fn weight(weight: Option<u32>, path: &Path, sink: &mut Sink) -> Option<u16> {
    let weight = weight.unwrap_or(1);
    let read = u16::try_from(weight).ok().filter(|_| range::WEIGHT.contains(&weight));
    if read.is_none() {
        sink.add(path, format!("{weight} is no weight of a next hop: 1 to 256"));
    }
    read
}

fn may_be_onlink(message: &proto::NextHop, path: &Path, sink: &mut Sink) -> bool {
    let wanting = match (message.via.is_empty(), message.dev.is_empty()) {
        (true, _) => "is said of a next hop: add via, or leave it out",
        (false, true) => "needs dev: nothing else says on which link the next hop is",
        (false, false) => return true,
    };
    sink.add(path, wanting);
    false
}
