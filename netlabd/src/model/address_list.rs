//! The order in which the kernel keeps the addresses of an interface: it decides which one packets leave with.

use ipnet::IpNet;

/// The addresses of one interface in the kernel's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressList(Vec<IpNet>);

impl AddressList {
    /// The list as it is.
    pub fn new(addresses: impl IntoIterator<Item = IpNet>) -> Self {
        let mut list: Vec<IpNet> = addresses.into_iter().collect();
        list.sort_by_key(|address| address.addr().is_ipv6());
        Self(list)
    }

    /// The list in order, IPv4 before IPv6.
    pub fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.0.iter()
    }

    /// Adds an address, where the kernel puts it: IPv4 behind the last primary address, or last if its network has one
    /// already (`__inet_insert_ifa` in net/ipv4/devinet.c); IPv6 before all others of its scope (`ipv6_link_dev_addr` in
    /// net/ipv6/addrconf.c).
    pub fn add(&mut self, address: IpNet) {
        let place = match address {
            IpNet::V4(_) if self.primary_of(&address).is_some() => self.ipv4(),
            IpNet::V4(_) => {
                let last = (0..self.ipv4()).rev().find(|at| self.is_primary(*at));
                last.map_or(0, |at| at + 1)
            }
            IpNet::V6(_) => {
                let behind = |other: &IpNet| other.addr().is_ipv6() && scope(other) <= scope(&address);
                self.0.iter().position(behind).unwrap_or(self.0.len())
            }
        };
        self.0.insert(place, address);
    }

    /// Deletes an address. A follower of an IPv4 network takes the place of the primary one behind the last primary that
    /// comes after that, or else behind the first address (`__inet_del_ifa` with `promote_secondaries`).
    pub fn delete(&mut self, address: &IpNet) {
        let Some(at) = self.0.iter().position(|other| other == address) else { return };
        if address.addr().is_ipv6() || !self.is_primary(at) {
            self.0.remove(at);
            return;
        }
        let Some(heir) = (at + 1..self.0.len()).find(|other| same_network(&self.0[*other], address)) else {
            self.0.remove(at);
            return;
        };
        if heir > at + 1 {
            let last = (at + 1..heir).rev().find(|other| self.is_primary(*other));
            let heir = self.0.remove(heir);
            self.0.insert(last.unwrap_or(0) + 1, heir);
        }
        self.0.retain(|other| other != address);
    }

    /// How many are IPv4.
    fn ipv4(&self) -> usize {
        self.0.iter().filter(|address| address.addr().is_ipv4()).count()
    }

    fn primary_of(&self, address: &IpNet) -> Option<&IpNet> {
        self.0.iter().find(|other| same_network(other, address))
    }

    fn is_primary(&self, at: usize) -> bool {
        !self.0[..at].iter().any(|other| same_network(other, &self.0[at]))
    }
}

fn same_network(a: &IpNet, b: &IpNet) -> bool {
    a.trunc() == b.trunc()
}

/// Greater is wider (`ipv6_addr_src_scope`).
fn scope(address: &IpNet) -> u8 {
    match address {
        IpNet::V6(v6) if v6.addr().is_loopback() || v6.addr().is_unicast_link_local() => 2,
        IpNet::V6(v6) if v6.addr().segments()[0] & 0xffc0 == 0xfec0 => 5,
        _ => 14,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(addresses: &[&str]) -> AddressList {
        let mut list = AddressList::default();
        for address in addresses {
            list.add(address.parse().unwrap());
        }
        list
    }

    fn shown(list: &AddressList) -> String {
        list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    // As Linux 6.18 shows them.
    #[test]
    fn as_the_kernel_has_them() {
        let mut v4 =
            list(&["10.0.0.1/24", "10.0.1.1/24", "10.0.0.2/24", "10.0.2.1/24", "10.0.1.2/24", "10.0.2.2/24"]);
        assert_eq!(shown(&v4), "10.0.0.1/24 10.0.1.1/24 10.0.2.1/24 10.0.0.2/24 10.0.1.2/24 10.0.2.2/24");
        v4.delete(&"10.0.0.1/24".parse().unwrap());
        assert_eq!(shown(&v4), "10.0.1.1/24 10.0.2.1/24 10.0.0.2/24 10.0.1.2/24 10.0.2.2/24");
        v4.delete(&"10.0.0.2/24".parse().unwrap());
        v4.delete(&"10.0.2.1/24".parse().unwrap());
        assert_eq!(shown(&v4), "10.0.1.1/24 10.0.2.2/24 10.0.1.2/24");
        let v6 = list(&["2001:db8::1/64", "fe80::1/64", "2001:db8::2/64", "fd00::1/64"]);
        assert_eq!(shown(&v6), "fd00::1/64 2001:db8::2/64 2001:db8::1/64 fe80::1/64");
    }
}
