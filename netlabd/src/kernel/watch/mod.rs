//! The events that wake a lab's actor: whoever changes something of a lab is noticed at once.
//!
//! Four threads sleep until the kernel tells them something: of links, addresses, routes and
//! forwarding (rtnetlink), of NAT rules (nfnetlink), of pins (inotify, and changes of mounts). Each of the two
//! sockets hears all namespaces at once. An event only says which lab to look at, and in which node, never what is
//! wrong there, so that a storm of events costs one look and no memory.
//!
//! The kernel puts an event into the sockets' buffers before the call that caused it returns. So
//! whoever wants to know of all that has happened until now reads them empty first ([`Linux::catch_up`]).
//!
//! Sysctls other than forwarding and the per-interface settings of `NETCONF` have no events, and
//! `/proc/sys` has no inotify: a fifth thread looks at those that labs have asked for every two seconds,
//! and sleeps where there are none.

mod host;
mod mounts;
mod neighbours;
mod pins;
mod rules;
mod socket;
mod sysctls;

use std::{
    collections::BTreeSet,
    fmt, io,
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    thread,
};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::{
    Linux,
    netlink::{self, Message},
    nft,
    rtnl::{self, RouteSocket},
};
use crate::{model::LabName, sys::netns};

pub(super) use host::HostInterest;
pub(super) use pins::Pins;
pub(super) use sysctls::Silent;

use host::MarkedLinks;
use socket::{EventSocket, Received};

/// Whom an event concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// One lab.
    Lab(LabName),
    /// Any lab: events were lost.
    All,
}

/// What is subscribed to: group numbers `RTNLGRP_*` of linux/rtnetlink.h. Changes of a bridge's VLANs
/// come with those of links.
const GROUPS: [u32; 13] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_TC,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_NEXTHOP,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
    libc::RTNLGRP_IPV4_NETCONF,
    libc::RTNLGRP_IPV6_NETCONF,
    libc::RTNLGRP_MPLS_ROUTE,
    libc::RTNLGRP_MPLS_NETCONF,
];

/// Datagrams that are read before labs are woken; each lab is then woken once.
const AT_ONCE: usize = 1_000;
/// More datagrams than the receive buffer has room for: whoever has read so many has read all that
/// there was when it began.
const ALL: usize = 100_000;

/// The subscribed sockets and whom to tell.
pub(super) struct Events {
    routes: Stream<MarkedLinks>,
    /// A kernel without `nf_tables` has no rules to watch.
    rules: Option<Stream<()>>,
    /// Whether changes of neighbours are heard.
    neighbours: AtomicBool,
    host_id: i32,
    wake: Box<dyn Fn(Wake) + Send + Sync>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("host_id", &self.host_id).finish_non_exhaustive()
    }
}

/// One socket. Whoever reads it has its buffer locked until all that was read is told on: who gets the
/// lock next finds it told.
struct Stream<T> {
    socket: EventSocket,
    reader: Mutex<Reader<T>>,
}

struct Reader<T> {
    buffer: Vec<u8>,
    /// What is known from earlier events.
    known: T,
}

impl<T> Stream<T> {
    fn new(socket: EventSocket, known: T) -> Self {
        Self { socket, reader: Mutex::new(Reader { buffer: socket::buffer(), known }) }
    }

    fn reader(&self) -> MutexGuard<'_, Reader<T>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Linux {
    /// Calls `wake` for whatever happens from now on, from threads of its own that run until the
    /// process ends, and from [`Kernel::catch_up`](crate::platform::Kernel::catch_up). Only the first call
    /// does something.
    pub fn watch(self: &Arc<Self>, wake: impl Fn(Wake) + Send + Sync + 'static) -> io::Result<()> {
        // Sockets belong to the namespace in which they are opened: all are opened on the host.
        let (routes, rules, marked, host_id) = thread::scope(|scope| {
            let open = scope.spawn(|| {
                netns::enter(self.host.as_fd())?;
                let routes = EventSocket::new(route_socket()?)?;
                let rules = nft::event_socket().ok().map(EventSocket::new).transpose()?;
                let host_id = rtnl::namespace_id(&mut RouteSocket::open()?, self.host.as_fd())?;
                io::Result::Ok((routes, rules, MarkedLinks::look()?, host_id))
            });
            open.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        self.pins.watch(self.namespaces.netns_dir());
        let events = Events {
            routes: Stream::new(routes, marked),
            rules: rules.map(|socket| Stream::new(socket, ())),
            neighbours: AtomicBool::new(false),
            host_id,
            wake: Box::new(wake),
        };
        if self.events.set(events).is_err() {
            return Ok(());
        }
        self.spawn("events", |linux, events| follow(&events.routes, || linux.hear_routes(events, AT_ONCE)))?;
        self.spawn("rule-events", |linux, events| match &events.rules {
            Some(rules) => follow(rules, || linux.hear_rules(events, AT_ONCE)),
            None => Ok(()),
        })?;
        self.spawn("sysctl-looks", |linux, events| linux.follow_sysctls(&events.wake))?;
        self.spawn("pin-events", |linux, events| {
            linux.pins.follow(&|wake| {
                linux.mounts.mark();
                (events.wake)(wake);
            })
        })?;
        self.spawn("mount-events", |linux, events| mounts::follow(&linux.namespaces, &events.wake))
    }

    fn spawn(
        self: &Arc<Self>,
        name: &'static str,
        follow: impl FnOnce(&Self, &Events) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let linux = self.clone();
        let run = move || {
            let Some(events) = linux.events.get() else { return };
            let ended = netns::enter(linux.host.as_fd()).and_then(|()| follow(&linux, events));
            if let Err(error) = ended {
                tracing::error!(%error, "{name} are no longer heard: changes are noticed late; restart netlabd");
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
    }

    /// Takes in the events of all that has happened until now. Returns whether that worked: if not,
    /// nothing is known for sure without looking.
    pub(super) fn hear(&self) -> bool {
        let Some(events) = self.events.get() else { return false };
        self.hear_routes(events, ALL).and_then(|()| self.hear_rules(events, ALL)).is_ok()
    }

    /// Reads up to `limit` datagrams of rtnetlink.
    fn hear_routes(&self, events: &Events, limit: usize) -> io::Result<()> {
        self.read(&events.routes, limit, events, |sender, datagram, marked, labs| {
            match sender.filter(|id| *id != events.host_id) {
                // Whatever it is, something changed in one of the lab's nodes.
                Some(id) if netlink::split(datagram).any(neighbours::is_of_interest) => {
                    labs.extend(self.note(id));
                }
                Some(_) => {}
                None => {
                    netlink::split(datagram)
                        .for_each(|event| marked.add_concerned(event, &self.wanted, labs));
                }
            }
        })
    }

    /// Reads up to `limit` datagrams of nfnetlink.
    fn hear_rules(&self, events: &Events, limit: usize) -> io::Result<()> {
        let Some(stream) = &events.rules else { return Ok(()) };
        self.read(stream, limit, events, |sender, datagram, (), labs| {
            let ours = |event: &Message<'_>| rules::is_ours(*event);
            let foreign = |event: &Message<'_>| rules::is_foreign(*event);
            if let Some(id) = sender.filter(|id| *id != events.host_id) {
                // Rules of others in a node are left alone and listed.
                let mut all = netlink::split(datagram);
                labs.extend(all.find(|event| ours(event) || foreign(event)).and_then(|_| self.note(id)));
                return;
            }
            netlink::split(datagram).filter(ours).for_each(|event| rules::add_concerned(event, labs));
            // Rules of others may drop what labs send through the host.
            if netlink::split(datagram).any(|event| foreign(&event)) {
                self.wanted.add_behind_firewall(labs);
            }
        })
    }

    /// Notes that something changed in the namespace with that identifier, and returns its lab.
    fn note(&self, id: i32) -> Option<LabName> {
        let owner = self.namespaces.owner_of(id)?;
        self.marks.mark(&owner.lab, [owner.node.clone()]);
        Some(owner.lab.clone())
    }

    /// Reads what there is, at most `limit` datagrams, and wakes each lab that some of them concern
    /// once for all.
    fn read<T>(
        &self,
        stream: &Stream<T>,
        limit: usize,
        events: &Events,
        mut add_concerned: impl FnMut(Option<i32>, &[u8], &mut T, &mut BTreeSet<LabName>),
    ) -> io::Result<()> {
        let mut reader = stream.reader();
        let Reader { buffer, known } = &mut *reader;
        let (mut labs, mut lost) = (BTreeSet::new(), false);
        for _ in 0..limit {
            match stream.socket.receive(buffer)? {
                Some(Received::Events(sender, datagram)) => add_concerned(sender, datagram, known, &mut labs),
                Some(Received::Lost) => lost = true,
                None => break,
            }
        }
        if lost {
            self.marks.mark_all();
            (events.wake)(Wake::All);
        } else {
            labs.into_iter().map(Wake::Lab).for_each(&events.wake);
        }
        Ok(())
    }
}

/// Reads bytes as events of rtnetlink and of `nf_tables` on the host: for fuzzers.
pub fn read_route_events(bytes: &[u8]) {
    let (mut marked, wanted, mut labs) = (MarkedLinks::default(), HostInterest::default(), BTreeSet::new());
    for event in netlink::split(bytes) {
        marked.add_concerned(event, &wanted, &mut labs);
        let _ = rules::is_ours(event);
    }
}

fn route_socket() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    let groups = GROUPS.iter().fold(0, |mask, group| mask | 1 << (group - 1));
    socket.bind(&SocketAddr::new(0, groups))?;
    Ok(socket)
}

/// Sleeps until there are events and has them read, for ever.
fn follow<T>(stream: &Stream<T>, read: impl Fn() -> io::Result<()>) -> io::Result<()> {
    loop {
        stream.socket.wait()?;
        read()?;
    }
}
