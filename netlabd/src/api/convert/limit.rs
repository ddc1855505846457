//! How large a lab may be. Checked first and alone, so that an absurd message costs nothing.

use netlab_proto::v1 as proto;

use super::fault::{Path, Sink};

/// Bytes of a description.
const DESCRIPTION: usize = 4096;
/// Nodes of a lab.
const NODES: usize = 4096;
/// Interfaces of a place.
const INTERFACES: usize = 512;
/// Links of a lab.
const LINKS: usize = 10_000;
/// Addresses of a lab.
const ADDRESSES: usize = 20_000;
/// Routes of a node.
const ROUTES: usize = 1000;
/// Rules of each kind of translation in a place.
const RULES: usize = 1000;
/// Sysctls of a node.
const SYSCTLS: usize = 256;
/// VLANs that a port lists: all there are.
const TRUNK: usize = 4094;
/// Checks of a lab.
const CHECKS: usize = 10_000;

/// Finds what is too large.
pub(super) fn check(lab: &proto::Lab, sink: &mut Sink) {
    let root = Path::root();
    let most = |path: Path, count: usize, max: usize, what: &str, sink: &mut Sink| {
        if count > max {
            sink.add(&path, format!("{count} {what}; at most {max} are allowed"));
        }
    };
    most(root.field("description"), lab.description.len(), DESCRIPTION, "bytes", sink);
    most(root.field("nodes"), lab.nodes.len(), NODES, "nodes", sink);
    most(root.field("links"), lab.links.len(), LINKS, "links", sink);
    most(root.field("checks"), lab.checks.len(), CHECKS, "checks", sink);
    let nodes = lab.nodes.values().map(|node| &node.interfaces);
    let interfaces =
        || nodes.clone().chain(lab.host.iter().map(|host| &host.interfaces)).flat_map(|all| all.values());
    let addresses = interfaces().map(|interface| interface.addresses.len()).sum();
    most(root.clone(), addresses, ADDRESSES, "addresses in the lab", sink);
    let mut place = |path: &Path,
                     interfaces: &std::collections::BTreeMap<String, proto::Interface>,
                     nat: Option<&proto::Nat>| {
        most(path.field("interfaces"), interfaces.len(), INTERFACES, "interfaces", sink);
        for (name, port) in
            interfaces.iter().filter_map(|(name, it)| it.port.as_ref().map(|port| (name, port)))
        {
            let path = || path.field("interfaces").key(name).field("port").field("trunk");
            if port.trunk.len() > TRUNK {
                most(path(), port.trunk.len(), TRUNK, "VLANs", sink);
            }
        }
        if let Some(nat) = nat {
            let path = path.field("nat");
            most(path.field("masquerade"), nat.masquerade.len(), RULES, "rules", sink);
            most(path.field("port_forwards"), nat.port_forwards.len(), RULES, "rules", sink);
        }
    };
    if let Some(host) = &lab.host {
        place(&root.field("host"), &host.interfaces, host.nat.as_ref());
    }
    for (name, node) in lab.nodes.iter().take(NODES) {
        place(&root.field("nodes").key(name), &node.interfaces, node.nat.as_ref());
    }
    for (name, node) in lab.nodes.iter().take(NODES) {
        let path = root.field("nodes").key(name);
        most(path.field("routes"), node.routes.len(), ROUTES, "routes", sink);
        most(path.field("sysctls"), node.sysctls.len(), SYSCTLS, "sysctls", sink);
    }
}
