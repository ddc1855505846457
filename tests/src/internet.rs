//! "The internet": one more namespace, linked to the private host.

use crate::host::TestHost;

/// A namespace with addresses of 198.18.0.0/15 (RFC 2544, for tests) to which the private host has its
/// default route. It knows no way to a lab's addresses: only what the host has translated gets an answer.
#[derive(Debug)]
pub struct Internet;

impl Internet {
    /// A well-known server.
    pub const SERVER: &str = "198.19.8.8";
    /// The private host's own address towards the internet.
    pub const HOST: &str = "198.18.0.1";

    /// Makes it and links it to the host.
    pub fn connect(host: &TestHost) -> Self {
        host.sh("ip netns add internet
            ip -n internet link set lo up
            ip link add wan0 type veth peer name eth0 netns internet
            ip addr add 198.18.0.1/24 dev wan0
            ip -n internet addr add 198.18.0.254/24 dev eth0
            ip -n internet addr add 198.19.8.8/32 dev lo
            ip -n internet link set eth0 up
            ip link set wan0 up
            ip route add default via 198.18.0.254");
        host.sh("ip netns exec internet nft 'table ip seen {
              set echo { type ipv4_addr; flags dynamic; }
              chain input {
                type filter hook input priority 0
                icmp type echo-request add @echo { ip saddr }
              }
            }'");
        Self
    }

    /// The addresses from which the internet has been pinged.
    pub fn pinged_by(&self, host: &TestHost) -> Vec<String> {
        let text = host.sh("ip netns exec internet nft -j list set ip seen echo");
        let ruleset: serde_json::Value = serde_json::from_str(&text).expect("nft speaks JSON");
        let set = ruleset["nftables"].as_array().and_then(|all| all.iter().find_map(|one| one.get("set")));
        let elements = set.and_then(|set| set["elem"].as_array()).cloned().unwrap_or_default();
        elements.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
    }
}
