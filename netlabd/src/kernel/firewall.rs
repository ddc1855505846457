//! What of the host decides whether packets of labs pass: rules of others, default routes.

use std::{
    collections::BTreeMap,
    fs, io,
    sync::{Arc, Mutex, PoisonError},
};

use netlink_packet_route::AddressFamily;

use super::{
    nft,
    rtnl::{self, RouteSocket},
};
use crate::{
    model::ruleset::Ruleset,
    platform::{Failure, Firewall},
};

/// The ruleset as last read: a large one is read again only when something of it has changed.
#[derive(Debug, Default)]
pub(super) struct RulesetCache(Mutex<Option<(u32, Arc<Ruleset>)>>);

impl RulesetCache {
    fn ruleset(&self) -> Result<Arc<Ruleset>, nft::Error> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(generation) = nft::generation()? else { return Ok(Arc::default()) };
        if let Some((of, ruleset)) = &*known
            && *of == generation
        {
            return Ok(ruleset.clone());
        }
        // The number was read first: a change during the reading is seen the next time.
        let ruleset = Arc::new(nft::ruleset()?);
        *known = Some((generation, ruleset.clone()));
        Ok(ruleset)
    }

    /// Looks at the calling thread's network namespace, which is to be the host's.
    pub(super) fn look(&self) -> Result<Firewall, Failure> {
        let ruleset = self.ruleset().map_err(|error| Failure::new("host", error))?;
        let look = || -> io::Result<Firewall> {
            let mut socket = RouteSocket::open()?;
            let refused = |refusal: rtnl::NetlinkError| io::Error::from_raw_os_error(refusal.errno);
            let links = rtnl::links(&mut socket, None)?.map_err(refused)?;
            let names: BTreeMap<u32, String> =
                links.iter().map(|link| (link.index, link.name.clone())).collect();
            let routes = rtnl::host_routes(&mut socket, &names)?;
            let mut uplinks = |family| -> io::Result<_> {
                let indices = rtnl::uplinks(&mut socket, family)?;
                Ok(indices.iter().filter_map(|index| names.get(index).cloned()).collect())
            };
            Ok(Firewall {
                ruleset,
                routes,
                legacy: legacy(),
                uplinks: [uplinks(AddressFamily::Inet)?, uplinks(AddressFamily::Inet6)?],
                interfaces: links.iter().map(|link| (link.name.clone(), link.index)).collect(),
                bridged: ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"].map(is_set),
            })
        };
        look().map_err(|error| Failure::os("host", "reading the host's firewall", &error))
    }
}

/// The tables of the old iptables, which the kernel makes as soon as somebody looks into them.
fn legacy() -> Vec<String> {
    let read = |file: &str, of: &str| {
        let names = fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
        names.lines().map(|name| format!("{of} {name}")).collect::<Vec<_>>()
    };
    [read("ip_tables_names", "ip"), read("ip6_tables_names", "ip6")].concat()
}

fn is_set(name: &str) -> bool {
    fs::read_to_string(format!("/proc/sys/net/bridge/{name}")).is_ok_and(|value| value.trim() == "1")
}
