//! What the kernel tells nobody of, sysctls, the addresses for which a node answers, WireGuard's keys and peers: a short
//! look at just those that labs have asked for.
//!
//! Like an event, a look only tells of what has changed since the one before, so that a value that cannot
//! be repaired wakes nobody again and again. Where nobody asks for such, nothing is looked at.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    os::fd::AsFd,
    sync::{Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{
        genl,
        rtnl::{self, RouteSocket},
        sysctl::Sysctls,
    },
    Linux, Wake,
};
use crate::{
    model::{IfName, LabName, Place, SysctlKey, WireguardDevice},
    plan::{PlaceTarget, Target},
    sys::netns,
};

/// Least and longest time between two looks.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Time between two looks, in times of what the first took: a few values are looked at often, those of a large lab
/// seldom enough to cost little.
const REST: u32 = 20;

/// What is silent, by place.
type Values = BTreeMap<Place, Quiet>;

/// What one place has of which nobody is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Quiet {
    sysctls: BTreeMap<SysctlKey, String>,
    /// The addresses for which it answers, in order.
    proxied: Vec<IpAddr>,
    /// What WireGuard interfaces are set up as.
    wireguards: BTreeMap<IfName, WireguardDevice>,
}

impl Quiet {
    fn of(wanted: &PlaceTarget) -> Self {
        let silent = wanted.sysctls.iter().filter(|(key, _)| !has_events(key));
        let proxied = wanted.neighbours.iter().filter(|it| it.mac.is_none());
        let mut proxied: Vec<_> = proxied.map(|it| it.to).collect();
        proxied.sort_unstable();
        let sysctls = silent.map(|(key, value)| (key.clone(), value.clone())).collect();
        let devices = wanted.links.iter().filter_map(|(name, link)| Some((name, link.wireguard.as_ref()?)));
        let wireguards = devices.map(|(name, target)| (name.clone(), target.device.clone())).collect();
        Self { sysctls, proxied, wireguards }
    }

    fn differs(&self, wanted: &Self) -> bool {
        let other = |(key, value): (&SysctlKey, &String)| {
            wanted.sysctls.get(key).is_some_and(|want| !same(value, want))
        };
        let device = |(name, want): (&IfName, &WireguardDevice)| {
            self.wireguards.get(name).is_none_or(|seen| !want.changes(seen).is_empty())
        };
        self.proxied != wanted.proxied
            || wanted.wireguards.iter().any(device)
            || self.sysctls.iter().any(other)
    }
}

/// What labs want, as far as the kernel does not tell of it.
#[derive(Debug, Default)]
pub(in crate::kernel) struct Silent {
    wanted: Mutex<BTreeMap<LabName, Values>>,
    changed: Condvar,
}

impl Silent {
    /// Notes what a lab wants.
    pub(in crate::kernel) fn note(&self, lab: &LabName, target: &Target) {
        let values = target.places().map(|(place, wanted)| (place, Quiet::of(wanted)));
        let values = values.filter(|(_, values)| *values != Quiet::default());
        let values: Values = values.map(|(place, values)| (place.clone(), values)).collect();
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if values.is_empty() {
            wanted.remove(lab);
        } else if wanted.get(lab) != Some(&values) {
            wanted.insert(lab.clone(), values);
            self.changed.notify_one();
        }
    }

    /// Forgets a lab.
    pub(in crate::kernel) fn forget(&self, lab: &LabName) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).remove(lab);
    }

    /// Waits until there is something to look at.
    fn wait(&self) -> BTreeMap<LabName, Values> {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.changed.wait_while(wanted, |wanted| wanted.is_empty());
        wanted.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The kernel tells of these (`RTM_NEWNETCONF`).
fn has_events(key: &SysctlKey) -> bool {
    matches!(key.as_str(), "net.ipv4.ip_forward" | "net.ipv6.conf.all.forwarding")
}

impl Linux {
    /// Looks again and again, and tells whose values have changed to what is not wanted.
    pub(super) fn follow_sysctls(&self, wake: &dyn Fn(Wake)) -> std::io::Result<()> {
        let mut before: BTreeMap<LabName, Values> = BTreeMap::new();
        loop {
            let wanted = self.silent.wait();
            let start = Instant::now();
            before.retain(|lab, _| wanted.contains_key(lab));
            for (lab, values) in &wanted {
                let seen = self.values(lab, values);
                let known = before.insert(lab.clone(), seen.clone());
                let differs = |(place, seen): (&Place, &Quiet)| {
                    values.get(place).is_some_and(|wanted| seen.differs(wanted))
                };
                if known.is_some_and(|known| known != seen) && seen.iter().any(differs) {
                    wake(Wake::Lab(lab.clone()));
                }
            }
            thread::sleep((start.elapsed() * REST).clamp(PAUSE.0, PAUSE.1));
        }
    }

    /// The values that a lab's sysctls have now; of a place that is not there, none.
    fn values(&self, lab: &LabName, wanted: &Values) -> Values {
        let Ok(namespaces) = self.namespaces.of(lab) else { return Values::new() };
        let places: Vec<_> = wanted.iter().collect();
        let read = |sysctls: &mut Sysctls, (place, wanted): &(&Place, &Quiet)| {
            let namespace =
                if **place == Place::Host { Some(self.host.as_fd()) } else { namespaces.fd(place) };
            netns::enter(namespace?).ok()?;
            sysctls.enter();
            let values = wanted.sysctls.keys().filter_map(|key| Some((key.clone(), sysctls.read(key)?)));
            let mut seen = Quiet { sysctls: values.collect(), ..Quiet::default() };
            if !wanted.proxied.is_empty() {
                seen.proxied = rtnl::proxied(&mut RouteSocket::open().ok()?).ok()?.unwrap_or_default();
                seen.proxied.sort_unstable();
            }
            seen.wireguards = wireguards(wanted.wireguards.keys());
            Some(((*place).clone(), seen))
        };
        // Without a thread nothing is seen now; the next look comes soon.
        let seen = netns::for_each(&places, Sysctls::of_many, read).unwrap_or_default();
        seen.into_iter().flatten().collect()
    }
}

/// What WireGuard interfaces of the calling thread's network namespace are set up as.
fn wireguards<'a>(names: impl ExactSizeIterator<Item = &'a IfName>) -> BTreeMap<IfName, WireguardDevice> {
    if names.len() == 0 {
        return BTreeMap::new();
    }
    let Ok(Ok(mut socket)) = genl::GenericSocket::open(genl::WIREGUARD) else { return BTreeMap::new() };
    names
        .filter_map(|name| Some((name.clone(), genl::device(&mut socket, name.as_str()).ok()?.ok()?)))
        .collect()
}

/// The kernel separates numbers by tabs.
fn same(seen: &str, wanted: &str) -> bool {
    seen.split_whitespace().eq(wanted.split_whitespace())
}
