//! Which address of a target suits a sender.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Destination, Endpoint, Lab, NodeName, Place};

fn is_ipv4(net: &IpNet) -> bool {
    net.addr().is_ipv4()
}

/// The first on a range of the sender's `own`, else the first.
fn nearest<'a>(own: &[IpNet], theirs: impl Iterator<Item = &'a IpNet> + Clone) -> Option<&'a IpNet> {
    let shared = theirs.clone().find(|net| own.iter().any(|own| own.contains(&net.addr())));
    shared.or_else(|| theirs.into_iter().next())
}

impl Lab {
    /// The address at which `from` best reaches `to`: one on a range that both have, else the
    /// target's first one of a family that the sender has too, else its first.
    ///
    /// # Errors
    /// In words, where there is no such place or interface or it has no address.
    pub fn address_for(&self, from: &Place, to: &Destination) -> Result<IpAddr, String> {
        let unknown = |place: &Place| format!("there is no node {place} in lab {}", self.name);
        let own = self.addresses(from).ok_or_else(|| unknown(from))?;
        let theirs = match to {
            Destination::Address(address) => return Ok(*address),
            Destination::Place(place) => self.addresses(place).ok_or_else(|| unknown(place))?,
            Destination::Endpoint(at) => self.addresses_at(at)?,
        };
        let kin = theirs.iter().filter(|net| own.iter().any(|own| is_ipv4(own) == is_ipv4(net)));
        let best = nearest(&own, kin).or(theirs.first());
        best.map(IpNet::addr).ok_or_else(|| format!("{to} has no address in the lab; give one"))
    }

    /// The address of an interface of `from` to send to `target` from: its first one of that IP version.
    ///
    /// # Errors
    /// In words, where there is no such interface or it has no such address.
    pub fn source_at(&self, from: &Endpoint, target: IpAddr) -> Result<IpAddr, String> {
        let own = self.addresses_at(from)?;
        let kin = own.iter().map(IpNet::addr).find(|own| own.is_ipv4() == target.is_ipv4());
        let version = if target.is_ipv4() { "IPv4" } else { "IPv6" };
        kin.ok_or_else(|| format!("{from} has no {version} address to send from"))
    }

    /// Which interface of a place has an address.
    pub fn interface_with(&self, place: &Place, address: IpAddr) -> Option<Endpoint> {
        let has = |interface: &super::Interface| interface.addresses.iter().any(|net| net.addr() == address);
        let (name, _) = self.interfaces(place)?.iter().find(|(_, interface)| has(interface))?;
        Some(Endpoint { place: place.clone(), interface: name.clone() })
    }

    /// Whether an address is the lab's: a node has it, or it lies in the network of an interface of the lab on the
    /// host.
    pub fn has_address(&self, address: &IpAddr) -> bool {
        let of = |place: &Place| self.addresses(place).unwrap_or_default();
        of(&Place::Host).iter().any(|net| net.contains(address))
            || self
                .nodes
                .keys()
                .any(|node| of(&Place::Node(node.clone())).iter().any(|net| net.addr() == *address))
    }

    /// A node's hosts(5): every node of the lab by name, at the address of each family that suits this one.
    pub fn hosts_file(&self, node: &NodeName) -> String {
        let own = self.addresses(&Place::Node(node.clone())).unwrap_or_default();
        let mut lines = String::from("127.0.0.1 localhost\n::1 localhost\n");
        for name in self.nodes.keys() {
            let theirs = self.addresses(&Place::Node(name.clone())).unwrap_or_default();
            let best = |family: bool| {
                let spoken = own.iter().any(|own| is_ipv4(own) == family);
                nearest(&own, theirs.iter().filter(|net| spoken && is_ipv4(net) == family))
            };
            let mut found: Vec<IpAddr> =
                [true, false].into_iter().filter_map(best).map(IpNet::addr).collect();
            if found.is_empty() {
                // A node without an address is only known to itself.
                let itself = (name == node).then_some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
                found.extend(theirs.first().map(IpNet::addr).or(itself));
            }
            for address in found {
                lines.extend([address.to_string().as_str(), " ", name.as_str(), "\n"]);
            }
        }
        lines
    }

    /// All addresses of a place, those of `lo` last; `None` if there is no such node.
    fn addresses(&self, place: &Place) -> Option<Vec<IpNet>> {
        let interfaces = self.interfaces(place)?;
        let (loopback, others): (Vec<_>, Vec<_>) =
            interfaces.iter().partition(|(name, _)| name.as_str() == "lo");
        let all = others.into_iter().chain(loopback);
        Some(all.flat_map(|(_, interface)| interface.addresses.iter().copied()).collect())
    }

    fn addresses_at(&self, at: &Endpoint) -> Result<Vec<IpNet>, String> {
        let interfaces = self
            .interfaces(&at.place)
            .ok_or_else(|| format!("there is no node {} in lab {}", at.place, self.name))?;
        let interface = interfaces.get(&at.interface).ok_or_else(|| {
            let known: Vec<_> = interfaces.keys().map(super::IfName::as_str).collect();
            format!("{} has no interface {}; it has: {}", at.place, at.interface, known.join(", "))
        })?;
        Ok(interface.addresses.clone())
    }
}
