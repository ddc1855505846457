//! What the kernel does with sysctls that exist once for each interface: copies and spreads them.

use super::{IfName, SysctlKey};

/// A sysctl below `net/ipv4/conf`, `net/ipv4/neigh`, `net/ipv6/conf`, `net/ipv6/neigh` or `net/mpls/conf`, which
/// have a folder for each interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerInterface {
    /// The folder, for example `net/ipv4/conf`.
    pub folder: String,
    /// For whom it is: an interface, or `all`, or `default` for interfaces that are made later.
    pub of: String,
    /// Its name, for example `rp_filter`.
    pub name: String,
}

impl PerInterface {
    /// Takes a key apart; `None` for a sysctl that a namespace has once.
    pub fn of(key: &SysctlKey) -> Option<Self> {
        let path = key.path();
        let parts: Vec<&str> = path.split('/').collect();
        let ["net", family, folder, of, name] = parts[..] else { return None };
        matches!((family, folder), ("ipv4" | "ipv6", "conf" | "neigh") | ("mpls", "conf")).then(|| Self {
            folder: format!("net/{family}/{folder}"),
            of: of.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The interface that it is for.
    pub fn interface(&self) -> Option<IfName> {
        self.of.parse().ok()
    }

    /// The same sysctl of another interface, of `all` or of `default`; `None` for a name that no interface has.
    pub fn key_of(&self, of: &str) -> Option<SysctlKey> {
        SysctlKey::from_path(&format!("{}/{of}/{}", self.folder, self.name)).ok()
    }

    /// The value that a new interface takes over; none for neighbours' settings, which a namespace has no default of.
    pub fn default_key(&self) -> Option<SysctlKey> {
        self.key_of("default").filter(|_| self.folder.ends_with("/conf") && !self.folder.contains("mpls"))
    }

    /// Whether `lo` takes over the default too: IPv4's it has at least until it is up (`inetdev_event` in
    /// net/ipv4/devinet.c), IPv6's is copied when it is made, with the namespace (`ipv6_add_dev`).
    pub fn reaches_loopback(&self) -> bool {
        self.folder == "net/ipv4/conf"
    }
}

/// The sysctl that the kernel writes to `default` and to all interfaces when `key` is written (`inet_forward_change` in
/// net/ipv4/devinet.c, `addrconf_fixup_forwarding`, `addrconf_disable_ipv6`, `addrconf_sysctl_addr_gen_mode`,
/// `addrconf_fixup_linkdown` and `addrconf_sysctl_force_forwarding` in net/ipv6/addrconf.c), given for `all`.
pub fn spread_by(key: &SysctlKey) -> Option<PerInterface> {
    let all = |folder: &str, name: &str| PerInterface {
        folder: folder.to_owned(),
        of: "all".to_owned(),
        name: name.to_owned(),
    };
    if matches!(key.as_str(), "net.ipv4.ip_forward" | "net.ipv4.conf.all.forwarding") {
        return Some(all("net/ipv4/conf", "forwarding"));
    }
    let name = key.as_str().strip_prefix("net.ipv6.conf.all.")?;
    let spreads =
        ["addr_gen_mode", "disable_ipv6", "force_forwarding", "forwarding", "ignore_routes_with_linkdown"];
    spreads.contains(&name).then(|| all("net/ipv6/conf", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_apart() {
        let key = |text: &str| text.parse::<SysctlKey>().unwrap();
        let per = PerInterface::of(&key("net.ipv4.conf.br0/100.rp_filter")).unwrap();
        assert_eq!(
            (per.folder.as_str(), per.of.as_str(), per.name.as_str()),
            ("net/ipv4/conf", "br0.100", "rp_filter")
        );
        assert_eq!(per.default_key(), Some(key("net.ipv4.conf.default.rp_filter")));
        assert_eq!(per.key_of("br0.100"), Some(key("net.ipv4.conf.br0/100.rp_filter")));
        assert!(PerInterface::of(&key("net.ipv4.ip_forward")).is_none());
        assert!(PerInterface::of(&key("net.ipv6.neigh.eth0.gc_stale_time")).unwrap().default_key().is_none());
        assert_eq!(spread_by(&key("net.ipv4.ip_forward")).unwrap().name, "forwarding");
        assert!(spread_by(&key("net.ipv6.conf.default.disable_ipv6")).is_none());
        assert!(spread_by(&key("net.ipv6.conf.all.accept_ra")).is_none());
    }
}
