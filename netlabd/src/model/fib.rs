//! Which interface leads to an address, as far as a lab file tells.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{IfName, PrefixMap, Route, RouteType};

/// What the main table of a node holds by its file: the subnets of its interfaces, and its static routes.
#[derive(Debug, Default)]
pub struct Fib<'a> {
    /// By destination the metric, and the interface to send through: the first of several; none where nothing is sent.
    routes: PrefixMap<(u32, Option<&'a IfName>)>,
}

impl<'a> Fib<'a> {
    /// That of these addresses, each with the interface that has it and is up, and routes.
    pub fn new(
        addresses: impl Iterator<Item = (&'a IfName, IpNet)>,
        routes: impl Iterator<Item = &'a Route>,
    ) -> Self {
        let mut fib = Self::default();
        let shared = |net: &IpNet| net.prefix_len() < net.max_prefix_len();
        for (name, net) in addresses.filter(|(_, net)| shared(net)) {
            fib.add(net, 0, Some(name));
        }
        for route in routes.filter(|route| route.table == Route::MAIN && route.kind != RouteType::Throw) {
            fib.add(route.to, route.metric, route.hops.first().map(|hop| &hop.dev));
        }
        fib
    }

    fn add(&mut self, to: IpNet, metric: u32, dev: Option<&'a IfName>) {
        let best = self.routes.entry(to).or_insert((metric, dev));
        if metric < best.0 {
            *best = (metric, dev);
        }
    }

    /// The interface by which an address is reached: that of the longest prefix, then of the lowest metric.
    pub fn lookup(&self, address: IpAddr) -> Option<&'a IfName> {
        self.routes.holding(address).next().and_then(|(_, (_, dev))| *dev)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NextHop;

    #[test]
    fn the_longest_prefix_and_then_the_lowest_metric_wins() {
        let names: Vec<IfName> = ["eth0", "eth1", "eth2"].map(|name| name.parse().unwrap()).into();
        let route = |to: &str, dev: usize, metric, table| Route {
            kind: RouteType::Unicast,
            to: to.parse().unwrap(),
            hops: vec![NextHop::new(None, names[dev].clone())],
            src: None,
            mtu: None,
            metric,
            table,
        };
        let hole =
            Route { kind: RouteType::Blackhole, hops: vec![], ..route("198.51.100.0/24", 0, 0, Route::MAIN) };
        let routes = [
            hole,
            route("0.0.0.0/0", 1, 50, Route::MAIN),
            route("0.0.0.0/0", 2, 20, Route::MAIN),
            route("192.0.2.128/25", 1, 0, 100),
            route("2001:db8::/32", 2, 1024, Route::MAIN),
        ];
        let addresses = [(&names[0], "192.0.2.1/24"), (&names[1], "198.51.100.1/32")];
        let addresses = addresses.map(|(name, net)| (name, net.parse().unwrap()));
        let fib = Fib::new(addresses.into_iter(), routes.iter());
        let dev = |address: &str| fib.lookup(address.parse().unwrap()).map(IfName::as_str);
        assert_eq!(dev("192.0.2.200"), Some("eth0"));
        assert_eq!(dev("203.0.113.1"), Some("eth2"));
        assert_eq!(dev("2001:db8::1"), Some("eth2"));
        assert_eq!(dev("2001:db9::1"), None);
        assert_eq!(dev("198.51.100.9"), None);
    }
}
