//! Sysctls: what is to be written, in which order, and what goes back to what it was before the lab said it.
//!
//! The kernel couples them. Some of `all` are written to `default` and to every interface along; a new interface
//! copies `default`; IPv4's forwarding decides about redirects. So what is wanted of a node is worked out as the kernel
//! would have it in a new node with the same words, and what is there already is brought to that.

use std::collections::{BTreeMap, BTreeSet};

use super::{LinkTarget, PlaceTarget};
use crate::model::{Form, IfName, PerInterface, SysctlKey, observed::PlaceState, spread_by};

/// Values by key.
type Values = BTreeMap<SysctlKey, String>;

/// What is to be written in one place.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Writes {
    /// Before interfaces are made, which copy some of it.
    pub(super) early: Vec<(SysctlKey, String)>,
    /// What belongs to interfaces, once they are there and before they are up.
    pub(super) late: Vec<(SysctlKey, String)>,
}

/// Compares one place. `stays` tells whether an interface that is there will be.
pub(super) fn writes(
    wanted: &PlaceTarget,
    seen: Option<&PlaceState>,
    stays: &dyn Fn(&str) -> bool,
) -> Writes {
    let values = seen.map(|seen| seen.sysctls.clone()).unwrap_or_default();
    let mut work = Work { wanted, seen, stays, values, writes: Writes::default() };
    work.once();
    work.defaults();
    work.of_interfaces();
    work.writes.forwarding_last(wanted);
    work.writes
}

impl Writes {
    /// What only forwards needs nothing done before there are interfaces: that spares a stage.
    fn forwarding_last(&mut self, wanted: &PlaceTarget) {
        let words = wanted.sysctls.keys().chain(wanted.before.keys());
        if words.into_iter().all(is_forwarding) {
            let early = std::mem::take(&mut self.early);
            self.late.splice(0..0, early);
        }
    }
}

/// The sysctls behind a node's field `forwarding`, which every node has.
pub(super) fn is_forwarding(key: &SysctlKey) -> bool {
    matches!(key.as_str(), "net.ipv4.ip_forward" | "net.ipv6.conf.all.forwarding")
}

/// Whether a sysctl reads as what was written: the kernel separates numbers by tabs.
pub(super) fn same_value(seen: &str, wanted: &str) -> bool {
    seen.split_whitespace().eq(wanted.split_whitespace())
}

struct Work<'a> {
    wanted: &'a PlaceTarget,
    seen: Option<&'a PlaceState>,
    stays: &'a dyn Fn(&str) -> bool,
    /// What is there, and will be once the writes so far are done.
    values: Values,
    writes: Writes,
}

impl Work<'_> {
    /// The sysctls that a namespace has once, those that the kernel spreads first.
    fn once(&mut self) {
        let mut keys: Vec<&SysctlKey> = self.wanted.sysctls.keys().chain(self.wanted.before.keys()).collect();
        keys.sort_by_key(|key| (spread_by(key).is_none(), *key));
        keys.dedup();
        for key in keys {
            let per = PerInterface::of(key);
            if per.is_some_and(|per| per.of != "all") {
                continue;
            }
            let Some(value) = self.wanted.value_of(key) else { continue };
            if self.differs(key, &value) {
                self.spread(key, &value);
                self.writes.early.push((key.clone(), value));
            }
        }
    }

    fn differs(&self, key: &SysctlKey, value: &str) -> bool {
        match (self.seen, self.values.get(key)) {
            (_, Some(seen)) => !same_value(seen, value),
            (None, None) => true,
            // What cannot be read cannot be put back. A kernel without IPv6 forwards none.
            (Some(_), None) => {
                // Nor has every interface IPv6, and so nothing of it to turn off.
                let of_ipv6 = PerInterface::of(key).filter(|per| per.folder == "net/ipv6/conf");
                let without = of_ipv6.is_some_and(|per| self.is_there(&per.of));
                let moot = value == "0" && (key.as_str() == "net.ipv6.conf.all.forwarding" || without);
                self.wanted.sysctls.contains_key(key) && !moot
            }
        }
    }

    /// What the kernel writes along.
    fn spread(&mut self, key: &SysctlKey, value: &str) {
        if key.as_str() == IP_FORWARD
            && let Some(redirects) = self.values.iter_mut().find(|(key, _)| key.as_str() == ACCEPT_REDIRECTS)
        {
            if value == "1" { "0" } else { "1" }.clone_into(redirects.1);
        }
        let Some(spread) = spread_by(key) else { return };
        let Some(seen) = self.seen else { return };
        let all = ["all", "default"].into_iter().chain(seen.links.keys().map(String::as_str));
        for key in all.filter_map(|of| spread.key_of(of)) {
            self.values.insert(key, value.to_owned());
        }
    }

    /// Those that new interfaces copy. Interfaces that are there and have the old one get the new one, as if they had
    /// been made after it; and before it, so that whoever is interrupted finds the old one and goes on.
    fn defaults(&mut self) {
        let keys: BTreeSet<&SysctlKey> =
            self.wanted.sysctls.keys().chain(self.wanted.before.keys()).collect();
        for key in keys {
            let Some(per) = PerInterface::of(key).filter(|per| per.of == "default") else { continue };
            let Some(value) = self.wanted.value_of(key) else { continue };
            if !self.differs(key, &value) {
                continue;
            }
            self.loopback(&per, &value);
            if let Some(old) = self.values.get(key).cloned() {
                self.follow(&per, &old, &value);
            }
            self.values.insert(key.clone(), value.clone());
            self.writes.early.push((key.clone(), value));
        }
    }

    /// `lo` has what a new interface has. Whether the kernel copies an IPv4 default to it hangs on what has been before: it
    /// does so until `lo` has an address, and never where somebody had set that default of the machine's first namespace
    /// (`devinet_copy_dflt_conf` in net/ipv4/devinet.c, Linux 6.18; `devinet_init_net` copies the marks along).
    fn loopback(&mut self, per: &PerInterface, value: &str) {
        let key = per.key_of(IfName::loopback().as_str()).filter(|_| per.reaches_loopback());
        let Some(key) = key.filter(|key| !self.wanted.sysctls.contains_key(key)) else { return };
        let is = self.values.get(&key).map(|seen| same_value(seen, value));
        if is == Some(false) || self.seen.is_none() {
            self.values.insert(key.clone(), value.to_owned());
            self.writes.early.push((key, value.to_owned()));
        }
    }

    fn follow(&mut self, per: &PerInterface, old: &str, new: &str) {
        let names: Vec<&IfName> = self.wanted.links.keys().collect();
        for name in names {
            let own = self.wanted.links.get(name).and_then(|link| own_value(link, &per.name));
            let has_own = per.folder == "net/ipv6/conf" && own.is_some();
            if !self.is_there(name.as_str()) || *name == IfName::loopback() || has_own {
                continue;
            }
            let Some(key) = per.key_of(name.as_str()) else { continue };
            if self.wanted.sysctls.contains_key(&key) || self.wanted.before.contains_key(&key) {
                continue;
            }
            let follows = self.values.get(&key).is_some_and(|seen| same_value(seen, old));
            if follows && !same_value(old, new) {
                self.values.insert(key.clone(), new.to_owned());
                self.writes.early.push((key, new.to_owned()));
            }
        }
    }

    fn is_there(&self, name: &str) -> bool {
        self.seen.is_some_and(|seen| seen.links.contains_key(name)) && (self.stays)(name)
    }

    /// What the file says of an interface, and what goes back to what it is born with.
    fn of_interfaces(&mut self) {
        let keys: BTreeSet<&SysctlKey> =
            self.wanted.sysctls.keys().chain(self.wanted.before.keys()).collect();
        for key in keys {
            let Some(per) = PerInterface::of(key) else { continue };
            if matches!(per.of.as_str(), "all" | "default") {
                continue;
            }
            let there = self.is_there(&per.of);
            let value = match self.wanted.sysctls.get(key) {
                Some(word) => Some(word.clone()),
                None if there => self.born(&per, key),
                None => None,
            };
            let Some(value) = value else { continue };
            if !there || self.differs(key, &value) {
                self.writes.late.push((key.clone(), value));
            }
        }
    }

    /// What an interface has of which the file says nothing: what it had before the lab first said something, if that
    /// was something else than every new one has.
    fn born(&self, per: &PerInterface, key: &SysctlKey) -> Option<String> {
        let spread = self.wanted.spread_to(per);
        let is_loopback = per.of == IfName::loopback().as_str();
        if let Some(value) = spread.filter(|_| is_loopback && !per.reaches_loopback()) {
            return Some(value.clone());
        }
        if let Some(Some(before)) = self.wanted.before.get(key).filter(|_| spread.is_none()) {
            return Some(before.clone());
        }
        let link = self.wanted.links.get(per.of.as_str());
        if per.folder == "net/ipv6/conf"
            && let Some(own) = link.and_then(|link| own_value(link, &per.name))
        {
            return Some(own);
        }
        self.values.get(&per.default_key()?).cloned()
    }
}

/// What a new interface has by its kind instead of the default (`ipv6_add_dev` in net/ipv6/addrconf.c).
fn own_value(link: &LinkTarget, name: &str) -> Option<String> {
    match (name, &link.form) {
        ("mtu", _) => link.mtu.map(|mtu| mtu.to_string()),
        // It has no neighbours to ask (IFF_NOARP).
        ("accept_dad", Form::Made(kind)) if !kind.arp() => Some("-1".to_owned()),
        _ => None,
    }
}

const IP_FORWARD: &str = "net.ipv4.ip_forward";
const ACCEPT_REDIRECTS: &str = "net.ipv4.conf.all.accept_redirects";

impl PlaceTarget {
    /// What a sysctl of the namespace, or a default, is to be: what the file says, what follows from that, or what it
    /// was before the lab first said something.
    fn value_of(&self, key: &SysctlKey) -> Option<String> {
        if let Some(word) = self.sysctls.get(key) {
            return Some(word.clone());
        }
        let before = self.before.get(key)?.clone();
        let per = PerInterface::of(key).filter(|per| per.of == "default");
        if let Some(spread) = per.and_then(|per| self.spread_to(&per)) {
            return Some(spread.clone());
        }
        if key.as_str() != ACCEPT_REDIRECTS {
            return before;
        }
        // `inet_forward_change` sets it when forwarding changes.
        let on = |value: &String| value.trim() == "1";
        let was = self.before.get(IP_FORWARD).and_then(Option::as_ref).map(on);
        match (was, self.sysctls.get(IP_FORWARD).map(on)) {
            (Some(was), Some(is)) if was != is => Some(if is { "0" } else { "1" }.to_owned()),
            _ => before,
        }
    }

    /// What the kernel gives a sysctl of `default` or of an interface along with what the file says of all.
    fn spread_to(&self, per: &PerInterface) -> Option<&String> {
        let forwards = per.folder == "net/ipv4/conf" && per.name == "forwarding";
        let key = per.key_of("all").filter(|key| spread_by(key).is_some())?;
        self.sysctls.get(&key).or_else(|| self.sysctls.get(IP_FORWARD).filter(|_| forwards))
    }

    /// The sysctls that a look has to read.
    pub fn asked(&self) -> BTreeSet<SysctlKey> {
        let mut asked: BTreeSet<SysctlKey> = self.sysctls.keys().chain(self.before.keys()).cloned().collect();
        for key in &asked.clone() {
            let Some(per) = PerInterface::of(key) else { continue };
            let own = !matches!(per.of.as_str(), "all" | "default");
            // What it goes back to, or what it differs from before it is written.
            if own && !(self.sysctls.contains_key(key) && self.before.contains_key(key)) {
                asked.extend(per.default_key());
            }
        }
        asked
    }

    /// What has to be read besides, where a value is not as it is wanted: what the kernel changes along with it, or
    /// what follows it. `links` are the interfaces that are there.
    pub fn asked_besides<'a>(
        &self,
        read: &BTreeMap<SysctlKey, String>,
        links: &(impl Iterator<Item = &'a str> + Clone),
    ) -> BTreeSet<SysctlKey> {
        let mut besides = BTreeSet::new();
        for key in self.sysctls.keys().chain(self.before.keys()) {
            let wanted = self.value_of(key);
            let is = |value: &String| wanted.as_ref().is_some_and(|wanted| same_value(value, wanted));
            if read.get(key).is_some_and(is) {
                continue;
            }
            if key.as_str() == ACCEPT_REDIRECTS {
                besides.extend(IP_FORWARD.parse::<SysctlKey>());
            }
            let per = PerInterface::of(key).filter(|per| per.of == "default");
            let Some(per) = spread_by(key).filter(|_| !is_forwarding(key)).or(per) else { continue };
            besides.extend(["default"].into_iter().chain(links.clone()).filter_map(|of| per.key_of(of)));
        }
        besides
    }
}
