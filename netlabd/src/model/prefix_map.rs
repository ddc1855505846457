//! Values by network, found by address.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::IpAddr,
};

use ipnet::IpNet;

/// Values by network. A lookup costs no more than there are prefix lengths, however many networks there are.
#[derive(Debug)]
pub struct PrefixMap<V> {
    networks: BTreeMap<IpNet, V>,
    /// Prefix lengths that occur.
    lengths: BTreeSet<u8>,
}

impl<V> Default for PrefixMap<V> {
    fn default() -> Self {
        Self { networks: BTreeMap::new(), lengths: BTreeSet::new() }
    }
}

impl<V> PrefixMap<V> {
    /// Where the value of a network is, or goes; host bits of the network do not count.
    pub fn entry(&mut self, network: IpNet) -> Entry<'_, IpNet, V> {
        self.lengths.insert(network.prefix_len());
        self.networks.entry(network.trunc())
    }

    /// The value of exactly this network.
    pub fn get(&self, network: &IpNet) -> Option<&V> {
        self.networks.get(network)
    }

    /// The networks that hold an address, the longest prefix first.
    pub fn holding(&self, address: IpAddr) -> impl Iterator<Item = (IpNet, &V)> {
        self.lengths.iter().rev().filter_map(move |length| {
            let network = IpNet::new(address, *length).ok()?.trunc();
            Some((network, self.networks.get(&network)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_comes_first_and_families_stay_apart() {
        let mut map = PrefixMap::default();
        for (value, network) in ["0.0.0.0/0", "192.0.2.7/24", "192.0.2.128/25", "::/0"].iter().enumerate() {
            map.entry(network.parse().unwrap()).or_insert(value);
        }
        let found = |address: &str| -> Vec<_> {
            map.holding(address.parse().unwrap())
                .map(|(network, value)| (network.to_string(), *value))
                .collect()
        };
        let named = |all: &[(&str, usize)]| -> Vec<_> {
            all.iter().map(|(net, n)| ((*net).to_owned(), *n)).collect()
        };
        assert_eq!(
            found("192.0.2.200"),
            named(&[("192.0.2.128/25", 2), ("192.0.2.0/24", 1), ("0.0.0.0/0", 0)])
        );
        assert_eq!(found("2001:db8::1"), named(&[("::/0", 3)]));
        assert_eq!(map.get(&"192.0.2.0/24".parse().unwrap()), Some(&1));
    }
}
