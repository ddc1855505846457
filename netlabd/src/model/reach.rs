//! Which address of a target suits a sender.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Endpoint, Lab, NodeName, Place, Target};

impl Lab {
    /// The address at which `from` best reaches `to`: one on a range that both have, else the
    /// target's first one of a family that the sender has too, else its first.
    ///
    /// # Errors
    /// In words, where there is no such place or interface or it has no address.
    pub fn address_for(&self, from: &Place, to: &Target) -> Result<IpAddr, String> {
        let own = self.addresses(from).ok_or_else(|| format!("there is no node {from}"))?;
        let theirs = match to {
            Target::Address(address) => return Ok(*address),
            Target::Place(place) => {
                self.addresses(place).ok_or_else(|| format!("there is no node {place}"))?
            }
            Target::Endpoint(at) => self.addresses_at(at)?,
        };
        let shared = theirs.iter().find(|net| own.iter().any(|own| own.contains(&net.addr())));
        let kin =
            || theirs.iter().find(|net| own.iter().any(|own| own.addr().is_ipv4() == net.addr().is_ipv4()));
        let best = shared.or_else(kin).or(theirs.first());
        best.map(IpNet::addr).ok_or_else(|| format!("{to} has no address in the lab; give one"))
    }

    /// A node's hosts(5): every node of the lab by name, at the address that suits this one.
    pub fn hosts_file(&self, node: &NodeName) -> String {
        let from = Place::Node(node.clone());
        let mut lines = String::from("127.0.0.1 localhost\n::1 localhost\n");
        for name in self.nodes.keys() {
            let address = self.address_for(&from, &Target::Place(Place::Node(name.clone())));
            // A node without an address is only known to itself.
            let own = (name == node).then_some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
            if let Some(address) = address.ok().or(own) {
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
        let interfaces =
            self.interfaces(&at.place).ok_or_else(|| format!("there is no node {}", at.place))?;
        let interface = interfaces.get(&at.interface).ok_or_else(|| {
            let known: Vec<_> = interfaces.keys().map(super::IfName::as_str).collect();
            format!("{} has no interface {}; it has: {}", at.place, at.interface, known.join(", "))
        })?;
        Ok(interface.addresses.clone())
    }
}
