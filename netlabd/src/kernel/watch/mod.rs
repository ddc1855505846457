//! The events that wake a lab's actor: whoever changes something of a lab is noticed at once.
//!
//! Three threads sleep until the kernel tells them something: of links, addresses, routes and
//! forwarding (rtnetlink), of NAT rules (nfnetlink), of pins (inotify). Each of the two sockets hears
//! all namespaces at once. An event only says which lab to look at, never what is wrong there, so
//! that a storm of events costs one look and no memory.
//!
//! Sysctls other than forwarding and the per-interface settings of `NETCONF` have no events, and
//! `/proc/sys` has no inotify: a fourth thread looks at those that labs have asked for every two seconds,
//! and sleeps where there are none.

mod host;
mod pins;
mod rules;
mod socket;
mod sysctls;

use std::{collections::BTreeSet, io, os::fd::AsFd, sync::Arc, thread};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::{
    Linux, enter, nft,
    nft::message::{self, Message},
    rtnl::{self, RouteSocket},
};
use crate::model::LabName;

pub(super) use host::Wanted;
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
const GROUPS: [u32; 7] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV4_NETCONF,
    libc::RTNLGRP_IPV6_NETCONF,
];

/// Datagrams that are read before labs are woken; each lab is then woken once.
const AT_ONCE: usize = 1_000;

impl Linux {
    /// Calls `wake` for whatever happens from now on, from threads of its own that run until the
    /// process ends.
    pub fn watch(self: &Arc<Self>, wake: impl Fn(Wake) + Send + Sync + 'static) -> io::Result<()> {
        let wake = Arc::new(wake);
        // Sockets belong to the namespace in which they are opened: all are opened on the host.
        let (routes, rules, marked, host_id) = thread::scope(|scope| {
            let open = scope.spawn(|| {
                enter::enter(self.host.as_fd())?;
                let routes = EventSocket::new(route_socket()?)?;
                // A kernel without nf_tables has no rules to watch.
                let rules = nft::event_socket().ok().map(EventSocket::new).transpose()?;
                let host_id = rtnl::namespace_id(&mut RouteSocket::open()?, self.host.as_fd())?;
                io::Result::Ok((routes, rules, MarkedLinks::look()?, host_id))
            });
            open.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        self.pins.watch(self.spaces.netns_dir());
        self.spawn("events", &wake, move |linux, wake| linux.follow_routes(routes, marked, host_id, wake))?;
        if let Some(rules) = rules {
            self.spawn("rule-events", &wake, move |linux, wake| linux.follow_rules(rules, host_id, wake))?;
        }
        self.spawn("sysctl-looks", &wake, Self::follow_sysctls)?;
        self.spawn("pin-events", &wake, |linux, wake| linux.pins.follow(wake))
    }

    fn spawn<W: Fn(Wake) + Send + Sync + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        wake: &Arc<W>,
        follow: impl FnOnce(&Self, &dyn Fn(Wake)) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let (linux, wake) = (self.clone(), wake.clone());
        let run = move || {
            let ended = enter::enter(linux.host.as_fd()).and_then(|()| follow(&linux, &*wake));
            if let Err(error) = ended {
                tracing::error!(%error, "{name} are no longer heard: changes are noticed late; restart netlabd");
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
    }

    fn follow_routes(
        &self,
        socket: EventSocket,
        mut marked: MarkedLinks,
        host_id: i32,
        wake: &dyn Fn(Wake),
    ) -> io::Result<()> {
        follow(socket, wake, |sender, events, labs| match sender.filter(|id| *id != host_id) {
            // Whatever it is, something changed in one of the lab's nodes.
            Some(id) => labs.extend(self.spaces.lab_of(id)),
            None => message::split(events).for_each(|event| marked.add_concerned(event, &self.wanted, labs)),
        })
    }

    fn follow_rules(&self, socket: EventSocket, host_id: i32, wake: &dyn Fn(Wake)) -> io::Result<()> {
        follow(socket, wake, |sender, events, labs| {
            let mut ours = message::split(events).filter(|event| rules::is_ours(*event));
            match sender.filter(|id| *id != host_id) {
                Some(id) => labs.extend(ours.next().and_then(|_: Message<'_>| self.spaces.lab_of(id))),
                None => ours.for_each(|event| rules::add_concerned(event, labs)),
            }
        })
    }
}

/// Reads bytes as events of rtnetlink and of `nf_tables` on the host: for fuzzers.
pub fn read_route_events(bytes: &[u8]) {
    let (mut marked, wanted, mut labs) = (MarkedLinks::default(), Wanted::default(), BTreeSet::new());
    for event in message::split(bytes) {
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

/// Reads events for ever, and wakes each lab that some of them concern once for all.
fn follow(
    mut socket: EventSocket,
    wake: &dyn Fn(Wake),
    mut add_concerned: impl FnMut(Option<i32>, &[u8], &mut BTreeSet<LabName>),
) -> io::Result<()> {
    loop {
        socket.wait()?;
        let (mut labs, mut lost) = (BTreeSet::new(), false);
        for _ in 0..AT_ONCE {
            match socket.receive()? {
                Some(Received::Events(sender, events)) => add_concerned(sender, events, &mut labs),
                Some(Received::Lost) => lost = true,
                None => break,
            }
        }
        if lost {
            wake(Wake::All);
        } else {
            labs.into_iter().map(Wake::Lab).for_each(wake);
        }
    }
}
