//! What others have on a host before netlabd comes: it must survive every lab untouched.

use crate::host::TestHost;

/// Makes a namespace, a link with an address and forwarding of its own, routes, a rule, an nftables
/// ruleset with a table of rules like ours, and custom sysctls.
pub fn create(host: &TestHost) {
    host.sh("ip netns add stranger
        ip link add stranger0 type veth peer name eth0 netns stranger
        ip addr add 10.66.0.1/24 dev stranger0
        ip -n stranger addr add 10.66.0.2/24 dev eth0
        ip -n stranger link set lo up
        ip -n stranger link set eth0 up
        ip link set stranger0 alias 'not yours' up
        ip route add 10.67.0.0/16 via 10.66.0.2
        ip route add 10.68.0.0/16 via 10.66.0.2 table 66
        ip rule add from 10.66.0.9 lookup 66
        sysctl -qw net.ipv4.conf.stranger0.forwarding=1
        sysctl -qw net.ipv4.conf.stranger0.accept_redirects=0
        sysctl -qw net.ipv4.conf.all.log_martians=1");
    host.sh("nft 'table ip stranger {
            chain postrouting {
              type nat hook postrouting priority srcnat
              ip saddr 10.66.0.0/24 masquerade comment \"not yours\"
            }
        }
        table inet guard {
            set good { type ipv4_addr; elements = { 10.66.0.2 } }
            chain forward { type filter hook forward priority filter; ip saddr @good accept; }
        }'");
}

/// Fails the test unless the stranger's link still works.
pub fn assert_intact(host: &TestHost) {
    assert!(host.pings("stranger", "10.66.0.1"), "the stranger's namespace does not reach the host any more");
}
