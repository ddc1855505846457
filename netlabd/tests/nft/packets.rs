//! Real packets through a router with our rules: client - router - server.

use netlabd::{kernel::nft::ChainScope, model::Protocol};

use super::{
    names::{forward, masquerade, replace},
    support::{isolated, sh},
};

/// The thread's own namespace is the router. The server has no route back to the client.
const TOPOLOGY: &str = "
    ip netns add client; ip netns add server
    # Without duplicate address detection link-local addresses serve at once.
    nodad='echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad'
    eval \"$nodad\"; for n in client server; do ip netns exec $n sh -c \"$nodad\"; done
    ip link add eth0 type veth peer name eth0 netns client
    ip link add eth1 type veth peer name eth0 netns server
    for n in client server; do ip -n $n link set lo up; ip -n $n link set eth0 up; done
    ip link set eth0 up; ip link set eth1 up
    for a in 192.0.2.254/24 2001:db8:1::fe/64; do ip addr add $a dev eth0; done
    for a in 198.18.0.254/24 2001:db8:2::fe/64; do ip addr add $a dev eth1; done
    for a in 192.0.2.1/24 2001:db8:1::1/64; do ip -n client addr add $a dev eth0; done
    for a in 198.18.0.1/24 2001:db8:2::1/64; do ip -n server addr add $a dev eth0; done
    ip -n client route add default via 192.0.2.254; ip -n client route add default via 2001:db8:1::fe
    echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
";

fn answers(from: &str, to: &str) -> bool {
    sh(&format!("ip netns exec {from} ping -n -c 1 -W 1 {to} >/dev/null 2>&1 && echo yes || echo no"))
        == "yes\n"
}

/// What `from` hears from a TCP service at `to` that runs in `at` on port 80 and says who called.
fn call(at: &str, listen: &str, from: &str, to: &str, port: u16) -> String {
    let serve = format!(
        "import socket; s = socket.create_server(('{listen}', 80), family=socket.AF_INET6 if ':' in '{listen}' \
         else socket.AF_INET); open('ready', 'w').close(); c, who = s.accept(); c.sendall(who[0].encode())"
    );
    let ask = format!(
        "import socket; c = socket.create_connection(('{to}', {port}), 20); print(c.makefile().read(), end='')"
    );
    sh(&format!(
        "cd /run/netns; rm -f ready; ip netns exec {at} timeout 30 python3 -c \"{serve}\" & \
         while ! test -e ready; do sleep 0.02; done; rm ready; ip netns exec {from} python3 -c \"{ask}\"; wait"
    ))
}

#[test]
fn masquerade_lets_replies_come_back() {
    isolated(|| {
        sh(TOPOLOGY);
        assert!(!answers("client", "198.18.0.1"));
        assert!(!answers("client", "2001:db8:2::1"));
        replace(
            ChainScope::Node,
            &[masquerade("192.0.2.0/24", "eth1"), masquerade("2001:db8:1::/64", "eth1")],
        )
        .unwrap();
        assert!(answers("client", "198.18.0.1"));
        assert!(answers("client", "2001:db8:2::1"));
        assert_eq!(call("server", "198.18.0.1", "client", "198.18.0.1", 80), "198.18.0.254");
        assert_eq!(call("server", "2001:db8:2::1", "client", "2001:db8:2::1", 80), "2001:db8:2::fe");
        replace(ChainScope::Node, &[masquerade("192.0.2.128/25", "")]).unwrap();
        assert!(!answers("client", "198.18.0.1"), "outside of the range");
        replace(ChainScope::Node, &[masquerade("", "eth0")]).unwrap();
        assert!(!answers("client", "198.18.0.1"), "another interface");
        replace(ChainScope::Node, &[masquerade("", "")]).unwrap();
        assert!(answers("client", "198.18.0.1"));
    });
}

#[test]
fn a_port_forward_reaches_the_service() {
    isolated(|| {
        sh(TOPOLOGY);
        let rules = |input| {
            [
                forward(Protocol::Tcp, 8080, "192.0.2.1:80", input),
                forward(Protocol::Tcp, 8081, "[2001:db8:1::1]:80", input),
            ]
        };
        sh(
            "ip -n server route add 192.0.2.0/24 via 198.18.0.254; ip -n server route add 2001:db8:1::/64 via 2001:db8:2::fe",
        );
        for input in ["eth1", ""] {
            replace(ChainScope::Node, &rules(input)).unwrap();
            assert_eq!(call("client", "192.0.2.1", "server", "198.18.0.254", 8080), "198.18.0.1");
            assert_eq!(call("client", "2001:db8:1::1", "server", "2001:db8:2::fe", 8081), "2001:db8:2::1");
        }
        replace(ChainScope::Node, &rules("eth0")).unwrap();
        let refused = "import socket\ntry: socket.create_connection(('198.18.0.254', 8080), 2)\nexcept OSError: print('no')";
        assert_eq!(sh(&format!("ip netns exec server python3 -c \"{refused}\"")), "no\n");
    });
}
