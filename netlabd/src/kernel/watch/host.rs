//! Which labs an event of the host concerns.
//!
//! A host may have many interfaces that are no lab's business, and they must cost nothing: an
//! event is answered from three small tables, without asking the kernel.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use ipnet::IpNet;

use super::super::{
    netlink::{self, Message},
    observe,
    rtnl::{self, RouteSocket},
};
use crate::{
    model::LabName,
    plan::{PlaceTarget, Target},
    platform::HostRoute,
};

/// What labs want of the host: noted whenever a lab is looked at.
#[derive(Debug, Default)]
pub(in crate::kernel) struct HostInterest(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    of_lab: BTreeMap<LabName, Wants>,
    by_name: BTreeMap<String, BTreeSet<LabName>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Wants {
    /// Interfaces of the host: the lab's own, and what its interfaces stand on or belong to.
    names: BTreeSet<String>,
    sysctls: bool,
    /// Whether it sends anything through the host's firewall.
    firewall: bool,
    /// The address ranges that it has on the host.
    ranges: Vec<IpNet>,
}

impl Wants {
    fn of(target: &Target) -> Self {
        let host = target.host();
        let own = host.into_iter().flat_map(|host| host.links.keys());
        let links = target.places().map(|(_, place)| place).flat_map(|place| place.links.values());
        let lowers = links.filter_map(|link| link.form.lower_on_host());
        let of_others = host.into_iter().flat_map(PlaceTarget::foreign);
        Self {
            names: own.chain(lowers).chain(of_others).map(ToString::to_string).collect(),
            sysctls: host.is_some_and(|host| host.shared_sysctls().next().is_some()),
            firewall: host.is_some_and(|host| !host.links.is_empty() || !host.nat.is_empty()),
            ranges: host
                .into_iter()
                .flat_map(|host| host.links.values())
                .flat_map(|link| link.addresses.clone())
                .collect(),
        }
    }
}

impl HostInterest {
    /// Notes what a lab wants.
    pub(in crate::kernel) fn note(&self, lab: &LabName, target: &Target) {
        let wants = Wants::of(target);
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tables.of_lab.get(lab);
        if known.map_or(wants == Wants::default(), |known| *known == wants) {
            return;
        }
        tables.forget(lab);
        for name in &wants.names {
            tables.by_name.entry(name.clone()).or_default().insert(lab.clone());
        }
        tables.of_lab.insert(lab.clone(), wants);
    }

    /// Forgets a lab.
    pub(in crate::kernel) fn forget(&self, lab: &LabName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).forget(lab);
    }

    fn add_by_name(&self, name: &str, labs: &mut BTreeSet<LabName>) {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        labs.extend(tables.by_name.get(name).into_iter().flatten().cloned());
    }

    /// Adds the labs that send something through the host's firewall.
    pub(super) fn add_behind_firewall(&self, labs: &mut BTreeSet<LabName>) {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        labs.extend(tables.of_lab.iter().filter(|(_, wants)| wants.firewall).map(|(lab, _)| lab.clone()));
    }

    /// Adds the labs that have some of a range on the host.
    fn add_within(&self, range: &IpNet, labs: &mut BTreeSet<LabName>) {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let overlaps = |own: &IpNet| own.contains(&range.network()) || range.contains(&own.network());
        let within = tables.of_lab.iter().filter(|(_, wants)| wants.ranges.iter().any(overlaps));
        labs.extend(within.map(|(lab, _)| lab.clone()));
    }

    fn add_with_sysctls(&self, labs: &mut BTreeSet<LabName>) {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        labs.extend(tables.of_lab.iter().filter(|(_, wants)| wants.sysctls).map(|(lab, _)| lab.clone()));
    }
}

impl Tables {
    fn forget(&mut self, lab: &LabName) {
        let Some(wants) = self.of_lab.remove(lab) else { return };
        for name in wants.names {
            if let Some(labs) = self.by_name.get_mut(&name) {
                labs.remove(lab);
                if labs.is_empty() {
                    self.by_name.remove(&name);
                }
            }
        }
    }
}

/// The host's interfaces that bear marks of labs, by index, kept up by their own events.
#[derive(Debug, Default)]
pub(super) struct MarkedLinks(BTreeMap<u32, LabName>);

impl MarkedLinks {
    /// Those there are now, in the calling thread's network namespace. To be called when events are
    /// subscribed to already, so that none is missed.
    pub(super) fn look() -> io::Result<Self> {
        let links = rtnl::links(&mut RouteSocket::open()?, None)?
            .map_err(|refusal| io::Error::from_raw_os_error(refusal.errno))?;
        let marked =
            links.iter().filter_map(|link| Some((link.index, observe::marked_by(link)?.parse().ok()?)));
        Ok(Self(marked.collect()))
    }

    /// Adds the labs that an event of the host concerns.
    pub(super) fn add_concerned(
        &mut self,
        event: Message<'_>,
        wanted: &HostInterest,
        labs: &mut BTreeSet<LabName>,
    ) {
        /// `sizeof(struct ifinfomsg)`.
        const LINK: usize = 16;
        /// `sizeof(struct netconfmsg)`, aligned (linux/netconf.h).
        const NETCONF: usize = 4;
        /// linux/netconf.h.
        const NETCONFA_IFINDEX: u16 = 1;
        const NETCONFA_IFINDEX_ALL: i32 = -1;
        let payload = event.payload();
        match event.kind() {
            kind @ (libc::RTM_NEWLINK | libc::RTM_DELLINK) if payload.len() >= LINK => {
                self.link(
                    kind == libc::RTM_NEWLINK,
                    payload[0],
                    index(payload),
                    &payload[LINK..],
                    wanted,
                    labs,
                );
            }
            libc::RTM_NEWADDR | libc::RTM_DELADDR | libc::RTM_NEWQDISC | libc::RTM_DELQDISC => {
                labs.extend(self.0.get(&index(payload)).cloned());
            }
            // One that leads elsewhere what is for a lab, or does so no more; and the kernel's own route to the
            // network of an address may be among them.
            kind @ (libc::RTM_NEWROUTE | libc::RTM_DELROUTE) => {
                let dev = payload.get(ROUTE..).and_then(|rest| netlink::attribute(rest, libc::RTA_OIF));
                let dev = dev.and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes);
                let of_lab = dev.and_then(|dev| self.0.get(&dev));
                if let Some(range) = destination(payload).filter(|range| !HostRoute::is_default(range))
                    && of_lab.is_none()
                {
                    wanted.add_within(&range, labs);
                }
                labs.extend(of_lab.filter(|_| kind == libc::RTM_DELROUTE).cloned());
            }
            RTM_NEWNETCONF => {
                let about =
                    payload.get(NETCONF..).and_then(|rest| netlink::attribute(rest, NETCONFA_IFINDEX));
                if about == Some(&NETCONFA_IFINDEX_ALL.to_ne_bytes()) {
                    wanted.add_with_sysctls(labs);
                }
            }
            _ => {}
        }
    }

    fn link(
        &mut self,
        is_there: bool,
        family: u8,
        index: u32,
        attributes: &[u8],
        wanted: &HostInterest,
        labs: &mut BTreeSet<LabName>,
    ) {
        let text = |kind| {
            let bytes: &[u8] = netlink::attribute(attributes, kind)?;
            std::str::from_utf8(bytes.strip_suffix(&[0]).unwrap_or(bytes)).ok()
        };
        // Whoever had it may have just lost its mark.
        labs.extend(self.0.get(&index).cloned());
        // A bridge speaks of its ports in a shorter form, without marks.
        if i32::from(family) == libc::AF_BRIDGE {
            return;
        }
        let owner = text(libc::IFLA_IFALIAS)
            .and_then(observe::lab_of_alias)
            .and_then(|name| name.parse::<LabName>().ok());
        labs.extend(owner.clone());
        match owner.filter(|_| is_there) {
            Some(owner) => self.0.insert(index, owner),
            None => self.0.remove(&index),
        };
        if let Some(name) = text(libc::IFLA_IFNAME) {
            wanted.add_by_name(name, labs);
        }
    }
}

/// The destination in a message about a route (`struct rtmsg`: family, length of the prefix, ...).
fn destination(payload: &[u8]) -> Option<IpNet> {
    let (length, attributes) = (*payload.get(1)?, payload.get(ROUTE..)?);
    if i32::from(*payload.first()?) == libc::AF_MPLS {
        return None;
    }
    let bytes = netlink::attribute(attributes, libc::RTA_DST)?;
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
    };
    IpNet::new(address, length).ok()
}

/// `sizeof(struct rtmsg)`.
const ROUTE: usize = 12;
/// linux/rtnetlink.h.
const RTM_NEWNETCONF: u16 = 80;

/// The interface index in `struct ifinfomsg`, `struct ifaddrmsg` and `struct tcmsg` alike; 0, which no interface has,
/// if the message is cut short.
fn index(payload: &[u8]) -> u32 {
    payload.get(4..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_ne_bytes)
}
