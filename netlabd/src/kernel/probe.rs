//! Whether the kernel has a feature: by trying it in a throw-away network namespace.

use std::{io, thread};

use ipnet::IpNet;

use super::{
    nft,
    rtnl::{self, Indexes, RouteSocket},
    sysctl::Sysctls,
};
use crate::{
    feature::Feature,
    link::Kind,
    model::{self, Encap, Endpoint, Guard, IfName, Impairment, Label, NextHop, Place, RoutingRule, Seg6Mode},
    plan::{
        Op,
        item::{Address, LabelRoute, Link, LinkChange, Qdisc, Route, Rule, Setting, Veth, VethEnd},
    },
    platform::{Failure, os_text},
    sandbox::{IdRange, UserNamespace},
};

/// Tries a feature; `Err` tells in the kernel's own words why not.
#[expect(unsafe_code, reason = "unshare(2) on a thread that ends right after")]
pub(super) fn probe(feature: Feature) -> Result<(), Failure> {
    if feature == Feature::USER_NAMESPACES {
        // Nobody's id: mapping the host's root would take a capability that netlabd has no need of.
        return UserNamespace::create(IdRange { base: 65_534, count: 1 }).map(drop).map_err(|error| {
            let errno = error.errno().map(rustix::io::Errno::raw_os_error);
            Failure { errno, ..refused(error) }
        });
    }
    let attempt = thread::Builder::new().spawn(move || {
        // SAFETY: only this thread leaves the shared namespace, and it ends with this closure.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }
            .map_err(|error| failed(&error.into()))?;
        try_here(feature)
    });
    let attempt = attempt.map_err(|error| failed(&error))?;
    attempt.join().unwrap_or_else(|_| Err(refused("the attempt crashed")))
}

/// Why it does not work, without an error number.
fn refused(message: impl std::fmt::Display) -> Failure {
    Failure::new("host", message)
}

/// Why it does not work.
fn failed(error: &io::Error) -> Failure {
    Failure { errno: error.raw_os_error(), ..refused(os_text(error)) }
}

/// All features that labs may need, in the order in which they are told.
pub(super) fn features() -> Vec<Feature> {
    let first = [Feature::USER_NAMESPACES, Feature::VETH].into_iter();
    let last = [
        Feature::GUARD,
        Feature::NAT,
        Feature::FIREWALL,
        Feature::NETEM,
        Feature::IPV6,
        Feature::MULTIPATH,
        Feature::MPLS,
        Feature::MPLS_IPTUNNEL,
        Feature::SEG6,
        Feature::TABLES,
        Feature::TABLES_IPV6,
    ];
    first.chain(Kind::features()).chain(last).collect()
}

fn try_here(feature: Feature) -> Result<(), Failure> {
    let name = |text: &str| text.parse::<IfName>().map_err(refused);
    let at = |text: &str| Ok::<_, Failure>(Endpoint { place: Place::Host, interface: name(text)? });
    let end = |at| VethEnd { at, mac: None, mtu: None, gso_max_segs: None };
    let veth = Op::add(Veth { a: end(at("a")?), b: end(at("b")?) });
    match feature {
        Feature::VETH => return run(&[veth]),
        Feature::GUARD => {
            let guard = Guard { ends: vec![IfName::loopback()], forwards: true, ..Guard::default() };
            let made = nft::replace_guard(&"probe".parse().map_err(refused)?, Some(&guard));
            return made.map_err(|error| Failure { errno: error.errno(), ..refused(error) });
        }
        Feature::NAT => return all(nft::probe_features()),
        Feature::FIREWALL => return all(nft::probe_filters()),
        Feature::NETEM => {
            let impairment = Impairment { limit: 1, ..Impairment::default() };
            return run(&[veth, Op::add(Qdisc { at: at("a")?, impairment, over: None })]);
        }
        Feature::IPV6 => {
            let address: IpNet = "2001:db8::1/64".parse().map_err(refused)?;
            return run(&[Op::add(Address { at: at("lo")?, address })]);
        }
        Feature::TABLES | Feature::TABLES_IPV6 => {
            let (ipv6, action) = (feature == Feature::TABLES_IPV6, model::RuleAction::Lookup(100));
            let rule =
                RoutingRule { ipv6, priority: 1, from: None, to: None, iif: None, fwmark: None, action };
            return run(&[Op::add(Rule { place: Place::Host, rule })]);
        }
        Feature::MULTIPATH => {
            let up = |at| Op::set(Setting { at, change: LinkChange::Up(true) });
            let hops = vec![NextHop::new(None, name("a")?), NextHop::new(None, name("b")?)];
            let route = model::Route { hops, ..model::Route::to("203.0.113.0/24".parse().map_err(refused)?) };
            let route = Op::add(Route { place: Place::Host, route });
            return run(&[veth, up(at("a")?), up(at("b")?), route]);
        }
        Feature::MPLS => {
            // Has the kernel load its modules, which nothing else asks for.
            let _ = try_here(Feature::MPLS_IPTUNNEL);
            let key = model::LabelRoute::room().ok_or_else(|| refused("no sysctl"))?;
            Sysctls::default().write(&key, "101").map_err(|error| failed(&error))?;
            let label = Label::try_from(100).map_err(refused)?;
            let route = model::LabelRoute { label, out: Vec::new(), via: None, dev: name("lo")? };
            return run(&[Op::add(LabelRoute { place: Place::Host, route })]);
        }
        Feature::MPLS_IPTUNNEL | Feature::SEG6 => {
            let up = |at| Op::set(Setting { at, change: LinkChange::Up(true) });
            let encap = if feature == Feature::SEG6 {
                Encap::Seg6 { mode: Seg6Mode::Encap, segments: vec!["2001:db8::1".parse().map_err(refused)?] }
            } else {
                Encap::Mpls(vec![Label::try_from(100).map_err(refused)?])
            };
            let hops = vec![NextHop { encap: Some(encap), ..NextHop::new(None, name("a")?) }];
            let route = model::Route { hops, ..model::Route::to("203.0.113.0/24".parse().map_err(refused)?) };
            let route = Op::add(Route { place: Place::Host, route });
            return run(&[veth, up(at("a")?), up(at("b")?), route]);
        }
        _ => {}
    }
    let examples = Kind::examples(&name("a")?).into_iter();
    let Some(kind) = examples.into_iter().find(|kind| kind.needs().0 == feature) else {
        return Err(refused(format!("nobody knows how to try {feature}")));
    };
    let below = kind.lower().map(|_| veth);
    let made = Op::add(Link { at: at("made")?, kind, mac: None, mtu: None, gso_max_segs: None });
    run(&below.into_iter().chain([made]).collect::<Vec<_>>())
}

/// The first part that the kernel lacks.
fn all(tried: Vec<nft::Tried>) -> Result<(), Failure> {
    let missing = |(config, result): nft::Tried| {
        let error = result.err()?;
        Some(Failure { errno: error.errno(), ..refused(format!("{config}: {error}")) })
    };
    tried.into_iter().find_map(missing).map_or(Ok(()), Err)
}

fn run(ops: &[Op]) -> Result<(), Failure> {
    let mut socket = RouteSocket::open().map_err(|error| failed(&error))?;
    let text = |error: io::Error| failed(&error);
    let refusal = |refusal: rtnl::NetlinkError| Failure { errno: Some(refusal.errno), ..refused(&refusal) };
    for op in ops {
        let links = rtnl::links(&mut socket, None).map_err(text)?.map_err(refusal)?;
        let indexes: Indexes = links.into_iter().map(|link| (link.name, link.index)).collect();
        let requests = rtnl::messages(op, &indexes, &|_| None, "").map_err(|unknown| refused(unknown.0))?;
        // The first makes the interface; a mark for the host's interfaces may follow.
        for answer in socket.batch(requests.into_iter().take(1).collect()).map_err(text)? {
            answer.map_err(refusal)?;
        }
    }
    Ok(())
}
