//! What would harm the host, or cannot work on it: found before anything changes.

use super::{
    bridges,
    error::{Reason, Refusal},
    others::Other,
    parents, ports, ranges,
};
use crate::{
    feature::Feature,
    model::{Form, LabName, Place, Route, observed::Observed},
    plan::{PlaceTarget, Target},
    platform::{HostState, Kernel},
};

/// What there is of a lab already.
#[derive(Default)]
pub(super) struct Own<'a> {
    /// What was seen of it.
    pub(super) observed: Option<&'a Observed>,
    /// What was wanted of it until now.
    pub(super) held: Option<&'a Target>,
}

/// All that keeps the host from having a lab.
pub(super) fn check(
    kernel: &dyn Kernel,
    lab: &LabName,
    target: &Target,
    host: &HostState,
    own: &Own<'_>,
    others: &[Other<'_>],
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if let Some(wanted) = target.host() {
        names(lab, wanted, host, others, &mut refusals);
        ranges::check(lab, wanted, own.held, host, others, &mut refusals);
        ports::check(wanted, own.held, host, others, &mut refusals);
        ipv6(wanted, host, &mut refusals);
    }
    let has = |place: &&Place| own.observed.is_some_and(|observed| observed.places.contains_key(*place));
    for place in target.places.keys().filter(|place| !has(place)) {
        let Place::Node(node) = place else { continue };
        if host.pins.contains(&format!("{lab}.{node}")) {
            refusals.push(Refusal {
                reason: Reason::NamespaceTaken,
                path: format!("nodes.{node}"),
                message: format!(
                    "a network namespace {lab}.{node} exists and is not netlab's; rename the node or the lab, or \
                     delete it with: ip netns delete {lab}.{node}"
                ),
            });
        }
    }
    parents::check(target, host, others, &mut refusals);
    bridges::check(target, host, others, &mut refusals);
    features(kernel, target, &mut refusals);
    refusals
}

/// Whether a lab could take anything away from the host's sockets: a range that their other ends are in, or a port.
pub(super) fn meets_sockets(target: &Target) -> bool {
    let has_range = target.host().is_some_and(|host| host.links.values().any(|it| !it.addresses.is_empty()));
    has_range || ports::publishes(target)
}

fn names(
    lab: &LabName,
    wanted: &PlaceTarget,
    host: &HostState,
    others: &[Other<'_>],
    refusals: &mut Vec<Refusal>,
) {
    for name in wanted.links.keys() {
        let seen = host.links.get(name.as_str()).filter(|link| link.lab.as_deref() != Some(lab.as_str()));
        let claimed =
            others.iter().find(|other| other.target.host().is_some_and(|host| host.links.contains_key(name)));
        let also =
            host.links.iter().find(|(_, link)| link.other_names.iter().any(|other| other == name.as_str()));
        let whose = match (claimed, seen, also) {
            (Some(other), ..) => format!("lab {} ({}) has", other.name, other.whose),
            (None, Some(_), _) => "the host has".to_owned(),
            (None, None, Some((known, _))) => {
                refusals.push(Refusal {
                    reason: Reason::InterfaceTaken,
                    path: format!("host.interfaces.{name}"),
                    message: format!(
                        "{name} is another name (altname) of the host's interface {known}; choose another name for the \
                         lab's"
                    ),
                });
                continue;
            }
            (None, None, None) => continue,
        };
        refusals.push(Refusal {
            reason: Reason::InterfaceTaken,
            path: format!("host.interfaces.{name}"),
            message: format!("{whose} an interface {name} already; choose another name for the lab's"),
        });
    }
}

fn ipv6(wanted: &PlaceTarget, host: &HostState, refusals: &mut Vec<Refusal>) {
    let forwards = wanted.sysctls.keys().any(|key| key.as_str() == "net.ipv6.conf.all.forwarding");
    if forwards && host.ipv6_by_advertisement {
        refusals.push(Refusal {
            reason: Reason::Ipv6Advertised,
            path: "host.forwarding".to_owned(),
            message: "the host has its IPv6 default route from router advertisements, which a forwarding host \
                      ignores: it would lose the route. Set net.ipv6.conf.IF.accept_ra = 2 and a static route first"
                .to_owned(),
        });
    }
}

fn features(kernel: &dyn Kernel, target: &Target, refusals: &mut Vec<Refusal>) {
    for (feature, path) in needs(target) {
        if let Err(failure) = kernel.probe(feature) {
            let (config, words) = (feature.config(), &failure.message);
            let untried =
                format!("it cannot be tried whether this kernel has {config}, which the lab needs: {words}");
            let (reason, message) = match &failure {
                failure if failure.is_shortage() => (Reason::Exhausted, untried),
                failure if failure.tells_nothing() => (Reason::FeatureMissing(feature), untried),
                _ => {
                    let message = format!(
                        "this kernel lacks {config}, which the lab needs ({words}); boot a kernel that has it, or load its \
                         module"
                    );
                    (Reason::FeatureMissing(feature), message)
                }
            };
            refusals.push(Refusal { reason, path, message });
        }
    }
}

/// The features that a lab needs, each with the first field that asks for it.
fn needs(target: &Target) -> Vec<(Feature, String)> {
    let mut needs: Vec<(Feature, String)> = Vec::new();
    let mut need = |feature: Feature, path: &dyn Fn() -> String| {
        if !needs.iter().any(|(known, _)| *known == feature) {
            needs.push((feature, path()));
        }
    };
    for (place, wanted) in target.places() {
        let base = || if *place == Place::Host { "host".to_owned() } else { format!("nodes.{place}") };
        if *place != Place::Host {
            need(Feature::USER_NAMESPACES, &base);
        }
        for (name, link) in &wanted.links {
            let at = || format!("{}.interfaces.{name}", base());
            match &link.form {
                Form::Loopback => {}
                Form::Veth { .. } => need(Feature::VETH, &at),
                Form::Made(kind) => {
                    let (feature, field) = kind.needs();
                    let dot = if field.is_empty() { "" } else { "." };
                    need(feature, &|| format!("{}.{}{dot}{field}", at(), kind.key()));
                }
            }
            if link.impair.is_some() {
                need(Feature::NETEM, &|| format!("{}.impair", at()));
            }
            if let Some(number) = link.addresses.iter().position(|address| address.addr().is_ipv6()) {
                need(Feature::IPV6, &|| format!("{}.addresses[{number}]", at()));
            }
        }
        for (ipv6, feature) in [(false, Feature::TABLES), (true, Feature::TABLES_IPV6)] {
            let elsewhere = |route: &&Route| route.to.addr().is_ipv6() == ipv6 && route.table != Route::MAIN;
            if wanted.routes.iter().any(|route| elsewhere(&route)) {
                need(feature, &|| format!("{}.routes", base()));
            }
            if wanted.rules.iter().any(|rule| rule.ipv6 == ipv6) {
                need(feature, &|| format!("{}.rules", base()));
            }
        }
        if wanted.routes.iter().any(|route| route.to.addr().is_ipv4() && route.hops.len() > 1) {
            need(Feature::MULTIPATH, &|| format!("{}.routes", base()));
        }
        if !wanted.label_routes.is_empty() {
            need(Feature::MPLS, &|| format!("{}.routes", base()));
        }
        for encap in wanted.routes.iter().flat_map(|route| &route.hops).filter_map(|hop| hop.encap.as_ref()) {
            need(encap.needs(), &|| format!("{}.routes", base()));
        }
        if !wanted.nat.is_empty() {
            need(Feature::NAT, &|| format!("{}.nat", base()));
        }
        if !wanted.firewall.is_empty() {
            need(Feature::FIREWALL, &|| format!("{}.firewall", base()));
        }
        // What forwards for labs only does so by rules.
        if wanted.guard.as_ref().is_some_and(|guard| guard.forwards) {
            need(Feature::NAT, &|| format!("{}.forwarding", base()));
        }
    }
    needs
}
