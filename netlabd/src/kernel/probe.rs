//! Whether the kernel has a feature: by trying it in a throw-away network namespace.
#![allow(unsafe_code)] // unshare(2) on a thread that ends right after

use std::{io, thread};

use ipnet::IpNet;

use super::{
    nft,
    rtnl::{self, Indexes, RouteSocket},
};
use crate::{
    model::{Endpoint, IfName, Kind, MacvlanMode, Place, VlanId, Vxlan},
    plan::{
        Op,
        item::{Address, Link, Veth, VethEnd},
    },
    platform::{Failure, Feature, os_text},
    sandbox::{IdRange, UserNamespace},
};

/// Tries a feature; `Err` tells in the kernel's own words why not.
pub(super) fn probe(feature: Feature) -> Result<(), Failure> {
    if feature == Feature::UserNamespaces {
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

fn try_here(feature: Feature) -> Result<(), Failure> {
    let name = |text: &str| text.parse::<IfName>().map_err(refused);
    let at = |text: &str| Ok::<_, Failure>(Endpoint { place: Place::Host, interface: name(text)? });
    let link = |at: Endpoint, kind| Op::add(Link { at, kind, mac: None, mtu: None });
    let end = |at| VethEnd { at, mac: None, mtu: None };
    let veth = Op::add(Veth { a: end(at("a")?), b: end(at("b")?) });
    let bridge = |vlan_filtering| Kind::Bridge { vlan_filtering, stp: false };
    let ops = match feature {
        Feature::UserNamespaces => Vec::new(),
        Feature::Veth => vec![veth],
        Feature::Bridge => vec![link(at("b")?, bridge(false))],
        Feature::BridgeVlanFiltering => vec![link(at("b")?, bridge(true))],
        Feature::Vlan => {
            let id = VlanId::DEFAULT;
            vec![veth, link(at("v")?, Kind::Vlan { parent: name("a")?, id })]
        }
        Feature::Vxlan => {
            let vxlan = Vxlan { vni: 1, remote: None, port: 4789, dev: None, local: None, learning: true };
            vec![link(at("x")?, Kind::Vxlan(vxlan))]
        }
        Feature::Macvlan => {
            vec![veth, link(at("m")?, Kind::Macvlan { parent: name("a")?, mode: MacvlanMode::Bridge })]
        }
        Feature::Dummy => vec![link(at("d")?, Kind::Dummy)],
        Feature::Nat => {
            let missing = |(config, result): (&str, Result<(), nft::Error>)| {
                let error = result.err()?;
                Some(Failure { errno: error.errno(), ..refused(format!("{config}: {error}")) })
            };
            return nft::probe_features().into_iter().find_map(missing).map_or(Ok(()), Err);
        }
        Feature::Ipv6 => {
            let address: IpNet = "2001:db8::1/64".parse().map_err(refused)?;
            vec![Op::add(Address { at: at("lo")?, address })]
        }
    };
    run(&ops)
}

fn run(ops: &[Op]) -> Result<(), Failure> {
    let mut socket = RouteSocket::open().map_err(|error| failed(&error))?;
    let text = |error: io::Error| failed(&error);
    let refusal = |refusal: rtnl::Refusal| Failure { errno: Some(refusal.errno), ..refused(&refusal) };
    for op in ops {
        let links = rtnl::links(&mut socket, None).map_err(text)?.map_err(refusal)?;
        let indexes: Indexes = links.into_iter().map(|link| (link.name, link.state.index)).collect();
        let requests = rtnl::messages(op, &indexes, &|_| None, "").map_err(|unknown| refused(unknown.0))?;
        // The first makes the interface; a mark for the host's interfaces may follow.
        for answer in socket.batch(requests.into_iter().take(1).collect()).map_err(text)? {
            answer.map_err(refusal)?;
        }
    }
    Ok(())
}
