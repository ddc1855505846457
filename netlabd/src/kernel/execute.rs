//! Execution: a plan, stage by stage.

use std::collections::BTreeMap;

use super::{
    advice, genl,
    namespaces::{LabNamespaces, Namespaces},
    nft, observe,
    rtnl::{self, Indexes, NetlinkError, Request, RouteSocket},
    sysctl::{Followers, Sysctls},
    teardown,
};
use crate::{
    failpoint,
    link::Unknown,
    model::{
        Endpoint, LabName, Place, SysctlKey, nat_chains,
        nft::{Chain, Part},
    },
    plan::{
        Op, Plan, Verb,
        item::{
            Address, Firewall, Guard, Item, Link, LinkLocal, Name, Namespace, Nat, Spot, Sysctl, Wireguard,
        },
    },
    platform::{Failure, Scope},
    sys::netns,
    threads,
};

/// So many nodes or more that veth pairs are made from: making a namespace for that pays.
const MANY: usize = 16;

/// Carries out a plan; stops after the first stage with failures.
pub(super) fn execute(
    namespaces: &Namespaces,
    scope: Scope<'_>,
    plan: &Plan,
    done: &mut dyn FnMut(usize),
) -> Vec<Failure> {
    let mut count = 0;
    for stage in &plan.stages {
        let mut failures = add_namespaces(namespaces, scope, &stage.ops);
        if failures.is_empty() {
            match namespaces.of(scope.lab) {
                Ok(open) => failures = settings(&open, scope.lab, &stage.ops),
                Err(failure) => failures.push(failure),
            }
        }
        failures.extend(removals(namespaces, scope.lab, &stage.ops));
        if !failures.is_empty() {
            return failures;
        }
        failpoint::step(stage.name);
        count += stage.ops.len();
        done(count);
    }
    Vec::new()
}

/// Makes all new namespaces of a stage at once, and puts lost pins back.
fn add_namespaces(namespaces: &Namespaces, scope: Scope<'_>, ops: &[Op]) -> Vec<Failure> {
    let new: Vec<_> = ops.iter().filter_map(Op::makes_node).collect();
    let mut failures = Vec::new();
    if !new.is_empty() {
        failures.extend(namespaces.add(scope.lab, scope.first_id, &new).err().unwrap_or_default());
    }
    for op in ops {
        if let (Verb::Set, Item::Namespace(Namespace(node))) = (op.verb, &op.item) {
            failures.extend(namespaces.pin(scope.lab, node).err());
        }
    }
    failures
}

/// Takes namespaces away: lets all go, waits until the kernel has taken them apart, and deletes the
/// interfaces of those that somebody else holds, such as a process inside.
fn removals(namespaces: &Namespaces, lab: &LabName, ops: &[Op]) -> Vec<Failure> {
    let gone: Vec<_> = ops.iter().filter_map(Op::deletes_node).collect();
    if gone.is_empty() {
        return Vec::new();
    }
    let failed = |error| Failure::os(lab, "deleting its interfaces", &error);
    let last = teardown::Last::make();
    let removed = match namespaces.remove(lab, &gone) {
        Ok(removed) => removed,
        Err(failure) => return vec![failure],
    };
    // What somebody holds still is emptied at once, what is dead goes before the last one: whoever lets go meanwhile
    // would leave its namespace to be taken apart after the wait.
    let emptied = namespaces.empty(&removed.ids).and_then(|()| last.and_then(teardown::Last::wait));
    removed.failures.into_iter().chain(emptied.err().map(failed)).collect()
}

/// Where an operation's messages are sent from: links that leave their namespace are made from where one
/// end is, from the host if it has one.
fn runs_at(op: &Op) -> Place {
    match &op.item {
        Item::Veth(pair) if pair.b.at.place == Place::Host => Place::Host,
        Item::Link(Link { kind, .. }) if kind.lower_on_host().is_some() => Place::Host,
        _ => op.place(),
    }
}

fn settings(open: &LabNamespaces, lab: &LabName, ops: &[Op]) -> Vec<Failure> {
    let ops: Vec<&Op> = ops.iter().filter(|op| !matches!(op.item, Item::Namespace(_))).collect();
    let detours = match detours(&ops) {
        Ok(detours) => detours,
        Err(error) => return vec![Failure::os("host", "listing its interfaces", &error)],
    };
    let (mut veths, mut groups) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
    for (number, op) in ops.into_iter().enumerate() {
        let steps = detours.get(&number).map_or_else(|| vec![op], |detour| detour.iter().collect());
        for step in steps {
            let place = runs_at(step);
            let between = matches!(step.item, Item::Veth(_)) && place != Place::Host;
            if between { &mut veths } else { &mut groups }.entry(place).or_default().push(step);
        }
    }
    let host = groups.remove(&Place::Host);
    let mut failures =
        host.map(|ops| run(&Place::Host, open, lab, &ops, &Sysctls::default())).unwrap_or_default();
    // What is done in a node may need a link that is made from another one.
    failures.extend(if veths.len() < MANY {
        // One after the other: at once, a node's interfaces would get another order of indexes each time.
        veths.into_iter().flat_map(|group| in_nodes(open, lab, BTreeMap::from([group]))).collect()
    } else {
        from_nowhere(open, lab, &veths)
    });
    failures.extend(in_nodes(open, lab, groups));
    failures
}

/// Makes many veth pairs between nodes from a namespace that is made for that and has no interface whose
/// name could be in the way: that saves entering each node.
fn from_nowhere(open: &LabNamespaces, lab: &LabName, veths: &BTreeMap<Place, Vec<&Op>>) -> Vec<Failure> {
    let ops: Vec<&Op> = veths.values().flatten().copied().collect();
    let lost = ops.iter().flat_map(|op| op.nodes()).filter(|node| !open.nodes().contains_key(node));
    let lost: Vec<_> = lost.map(|node| Failure::new(node, "its namespace is gone")).collect();
    if !lost.is_empty() {
        return lost;
    }
    let made = threads::aside(|| match netns::leave() {
        Ok(()) => run(&Place::Host, open, lab, &ops, &Sysctls::default()),
        Err(error) => vec![Failure::os(lab, "making a namespace to make links from", &error)],
    });
    made.unwrap_or_else(|error| vec![Failure::no_thread(lab, &error)])
}

/// Runs the operations of nodes, each node's in order.
fn in_nodes(open: &LabNamespaces, lab: &LabName, groups: BTreeMap<Place, Vec<&Op>>) -> Vec<Failure> {
    let groups: Vec<_> = groups.into_iter().collect();
    let results = netns::for_each(&groups, Sysctls::of_many, |sysctls, (place, ops)| {
        let Some(namespace) = open.fd(place) else {
            return vec![Failure::new(place, "its namespace is gone")];
        };
        match netns::enter(namespace) {
            Ok(()) => {
                sysctls.enter();
                run(place, open, lab, ops, sysctls)
            }
            Err(error) => vec![Failure::os(place, "entering its namespace", &error)],
        }
    });
    match results {
        Ok(results) => results.into_iter().flatten().collect(),
        Err(error) => vec![Failure::no_thread(lab, &error)],
    }
}

/// Other ways to make interfaces whose name the host has too, by their operation's number. They are made
/// from the host, where what they stand on is, and before Linux 6.15 the kernel takes the host's interface for
/// the one to be made: they get their name in their node.
fn detours(ops: &[&Op]) -> std::io::Result<BTreeMap<usize, [Op; 2]>> {
    let is_placed = |op: &&Op| matches!(&op.item, Item::Link(link) if link.kind.lower_on_host().is_some());
    if !ops.iter().any(is_placed) {
        return Ok(BTreeMap::new());
    }
    let links = rtnl::links(&mut RouteSocket::open()?, None)?;
    let links = links.map_err(|refusal| std::io::Error::from_raw_os_error(refusal.errno))?;
    let detour = |(number, op): (usize, &&Op)| {
        let Item::Link(link @ Link { at, .. }) = &op.item else { return None };
        let taken = |name: &str| links.iter().any(|link| link.name == name);
        if !is_placed(op) || at.place == Place::Host || !taken(at.interface.as_str()) {
            return None;
        }
        let mut names = (0..).map(|free: usize| format!("netlab{number}-{free}"));
        let name = names.find(|name| !taken(name))?;
        let made = Endpoint { place: at.place.clone(), interface: name.parse().ok()? };
        let from = Spot { place: at.place.clone(), name };
        let add = Op::add(Link { at: made, ..link.clone() });
        Some((number, [add, Op::set(Name { from, to: at.interface.clone() })]))
    };
    Ok(ops.iter().enumerate().filter_map(detour).collect())
}

/// Runs operations in order in the calling thread's namespace.
fn run(place: &Place, open: &LabNamespaces, lab: &LabName, ops: &[&Op], sysctls: &Sysctls) -> Vec<Failure> {
    let socket = match RouteSocket::open() {
        Ok(socket) => socket,
        Err(error) => return vec![Failure::os(place, "opening an rtnetlink socket", &error)],
    };
    let mut runner = Runner {
        place,
        lab,
        open,
        alias: observe::alias(lab),
        socket,
        wireguard: None,
        sysctls,
        indexes: None,
        pending: Vec::new(),
        invalid: Vec::new(),
        failures: Vec::new(),
    };
    for op in ops {
        if !matches!(op.item, Item::Sysctl(_)) {
            runner.write_again();
        }
        runner.step(op);
    }
    runner.write_again();
    runner.flush();
    runner.failures
}

struct Runner<'a> {
    place: &'a Place,
    lab: &'a LabName,
    open: &'a LabNamespaces,
    alias: String,
    socket: RouteSocket,
    /// Opened for the first that is asked of it.
    wireguard: Option<genl::GenericSocket>,
    sysctls: &'a Sysctls,
    /// Interface indexes as last dumped; `None` before the first need.
    indexes: Option<Indexes>,
    /// Messages not yet sent, each with its operation.
    pending: Vec<(&'a Op, Request)>,
    /// Sysctls whose values were refused as invalid.
    invalid: Vec<(&'a SysctlKey, &'a str)>,
    failures: Vec<Failure>,
}

impl<'a> Runner<'a> {
    fn step(&mut self, op: &'a Op) {
        match &op.item {
            Item::Sysctl(Sysctl { key, value, .. }) => {
                self.flush();
                self.write(key, value);
            }
            Item::Nat(Nat { rules, .. }) => self.replace(Part::Nat, &nat_chains(rules, true)),
            Item::Firewall(Firewall { firewall, .. }) => self.replace(Part::Firewall, &firewall.chains()),
            Item::Guard(Guard(guard)) => {
                self.flush();
                self.note(nft::replace_guard(self.lab, guard.as_ref()));
            }
            Item::Wireguard(wireguard) => {
                self.flush();
                self.set_wireguard(op, wireguard);
            }
            Item::LinkLocal(LinkLocal { at, .. }) if op.verb != Verb::Delete => {
                self.flush();
                if let Err(error) = self.sysctls.make_link_local(&at.interface) {
                    self.failures.push(Failure::os(op.object(), op, &error));
                }
            }
            Item::Address(Address { at, address }) if op.verb != Verb::Add && address.addr().is_ipv4() => {
                self.flush();
                let followers = Followers::keep(&at.interface);
                self.queue(op);
                self.flush();
                followers.let_go();
            }
            _ => self.queue(op),
        }
    }

    /// Sets one thing of a WireGuard interface.
    fn set_wireguard(&mut self, op: &Op, wireguard: &Wireguard) {
        match self.tell_wireguard(wireguard) {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => self.failures.push(refused(&op.object(), &op.to_string(), &refusal)),
            Err(error) => self.failures.push(Failure::os(op.object(), op, &error)),
        }
    }

    fn tell_wireguard(&mut self, wireguard: &Wireguard) -> genl::Answer<()> {
        let mut socket = match self.wireguard.take() {
            Some(socket) => socket,
            None => match genl::GenericSocket::open(genl::WIREGUARD)? {
                Ok(socket) => socket,
                Err(refusal) => return Ok(Err(refusal)),
            },
        };
        let done = genl::set(&mut socket, wireguard);
        self.wireguard = done.is_ok().then_some(socket);
        done
    }

    /// Makes our nftables chains of a part these.
    fn replace(&mut self, part: Part, chains: &[Chain]) {
        self.flush();
        let host = *self.place == Place::Host;
        let scope = if host { nft::ChainScope::Host(self.lab) } else { nft::ChainScope::Node };
        self.note(nft::replace(scope, part, chains));
    }

    /// Keeps what nftables refused.
    fn note(&mut self, done: Result<(), nft::Error>) {
        if let Err(error) = done {
            let errno = error.errno();
            self.failures.push(Failure { errno, ..Failure::new(self.place, error) });
        }
    }

    /// Writes a sysctl. One that the kernel finds invalid may only be so beside another that is yet to be written, as a
    /// range of ports beside the first unprivileged one: it is tried again once the rest is done.
    fn write(&mut self, key: &'a SysctlKey, value: &'a str) {
        match self.sysctls.write(key, value) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.invalid.push((key, value)),
            Err(error) => self.failures.push(sysctl_failed(self.place, key, value, &error)),
        }
    }

    fn write_again(&mut self) {
        for (key, value) in std::mem::take(&mut self.invalid) {
            if let Err(error) = self.sysctls.write(key, value) {
                self.failures.push(sysctl_failed(self.place, key, value, &error));
            }
        }
    }

    /// Queues an operation's messages. An index that is not known is looked up after all that is
    /// queued has been sent: the interface may be about to be made.
    fn queue(&mut self, op: &'a Op) {
        for attempt in 0..2 {
            let none = Indexes::new();
            let open = self.open;
            let namespace = |place: &Place| if place == self.place { None } else { open.fd(place) };
            match rtnl::messages(op, self.indexes.as_ref().unwrap_or(&none), &namespace, &self.alias) {
                Ok(requests) => {
                    self.pending.extend(requests.into_iter().map(|request| (op, request)));
                    if let (Item::Name(Name { from, to }), Some(indexes)) = (&op.item, &mut self.indexes)
                        && let Some(index) = indexes.remove(&from.name)
                    {
                        indexes.insert(to.as_str().to_owned(), index);
                    }
                    return;
                }
                Err(Unknown(_)) if attempt == 0 => {
                    self.flush();
                    self.refresh();
                }
                Err(Unknown(name)) => {
                    let message = format!("{op}: there is no interface {name} in {}", self.place);
                    self.failures
                        .push(Failure { errno: Some(libc::ENODEV), ..Failure::new(op.object(), message) });
                }
            }
        }
    }

    fn refresh(&mut self) {
        match rtnl::links(&mut self.socket, None) {
            Ok(Ok(links)) => {
                self.indexes = Some(links.into_iter().map(|link| (link.name, link.index)).collect());
            }
            Ok(Err(refusal)) => self.failures.push(refused(self.place, "listing its interfaces", &refusal)),
            Err(error) => self.failures.push(Failure::os(self.place, "listing its interfaces", &error)),
        }
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let (ops, requests): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending).into_iter().unzip();
        let sent = self.socket.batch(requests);
        failpoint::step("after a batch");
        match sent {
            Ok(answers) => {
                for (op, answer) in ops.into_iter().zip(answers) {
                    match answer {
                        Err(refusal) if !op.is_done_already(refusal.errno) => {
                            let mut failure = refused(&op.object(), &op.to_string(), &refusal);
                            if let Some(way_out) = advice::way_out(op, refusal.errno) {
                                failure.message = format!("{}; {way_out}", failure.message);
                            }
                            self.failures.push(failure);
                        }
                        _ => {}
                    }
                }
            }
            Err(error) => self.failures.push(Failure::os(self.place, "talking to rtnetlink", &error)),
        }
    }
}

fn sysctl_failed(place: &Place, key: &SysctlKey, value: &str, error: &std::io::Error) -> Failure {
    Failure::os(place, format!("setting {key} = {value}"), error)
}

fn refused(object: &dyn std::fmt::Display, what: &str, refusal: &NetlinkError) -> Failure {
    Failure { errno: Some(refusal.errno), ..Failure::new(object, format!("{what}: {refusal}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::item::Veth;

    #[test]
    fn links_between_places_are_made_from_one_of_them() {
        let node: crate::model::NodeName = "ns1".parse().unwrap();
        let at = crate::model::Endpoint { place: Place::Node(node), interface: "eth0".parse().unwrap() };
        let end = crate::plan::item::VethEnd { at: at.clone(), mac: None, mtu: None, gso_max_segs: None };
        let mut host = end.clone();
        host.at.place = Place::Host;
        assert_eq!(runs_at(&Op::add(Veth { a: end.clone(), b: end.clone() })), at.place);
        assert_eq!(runs_at(&Op::add(Veth { a: end.clone(), b: host.clone() })), Place::Host);
        assert_eq!(runs_at(&Op::add(Veth { a: host, b: end })), Place::Host);
        let dummy = Op::add(Link {
            at: at.clone(),
            kind: crate::link::Dummy.into(),
            mac: None,
            mtu: None,
            gso_max_segs: None,
        });
        assert_eq!(runs_at(&dummy), at.place);
    }
}
