//! The resolver of commands in nodes: resolv.conf(5) of the host, as far as it can serve there.

use std::{fs, net::IpAddr};

use crate::{
    input::address::is_link_local,
    resolver::{FILES, server},
};

/// What a node has where none of the host's name servers can serve it. Without a server, programs ask 127.0.0.1.
const NONE: &str = "# The host's name servers listen on its own loopback or by an interface of its own, where no node reaches them:\n\
                    # names of the internet are not resolved here. Those of the lab's nodes are, by /etc/hosts.\n";

/// Content of a node's /etc/resolv.conf.
pub(super) fn of_node() -> String {
    of(FILES.into_iter().map(|file| fs::read_to_string(file).unwrap_or_default()))
}

/// The first text that names a server within reach, without those that are not; else the first one's rest.
fn of(mut texts: impl Iterator<Item = String>) -> String {
    let reachable = |text: String| {
        let lines = text.lines().filter(|line| server(line).is_none_or(serves_nodes));
        lines.flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let has_server = |text: &String| text.lines().any(|line| server(line).is_some());
    let own = texts.next().unwrap_or_default();
    let asks_itself = has_server(&own);
    let first = reachable(own);
    if has_server(&first) {
        return first;
    }
    // A host without any server has none to give.
    let behind = if asks_itself { texts.map(reachable).find(has_server) } else { None };
    behind.unwrap_or_else(|| format!("{NONE}{first}"))
}

/// Whether a server can be asked from a node: one on the loopback, or on a link of the host's, cannot.
fn serves_nodes(address: &str) -> bool {
    address.parse::<IpAddr>().is_ok_and(|address| {
        let address = address.to_canonical();
        !address.is_loopback() && !address.is_unspecified() && !is_link_local(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_the_servers_that_it_can_ask() {
        let of = |etc: &str, resolved: &str| of([etc, resolved].map(str::to_owned).into_iter());
        let plain = "search example.org\nnameserver 192.0.2.53\noptions edns0\n";
        assert_eq!(of(plain, "nameserver 192.0.2.99\n"), plain);
        assert_eq!(of("nameserver 192.0.2.53\nnameserver 127.0.1.1", ""), "nameserver 192.0.2.53\n");
        // systemd-resolved: what it asks itself.
        let stub = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n";
        let behind = "# real\nnameserver 198.51.100.1\nnameserver fe80::1%eth0\nnameserver 2001:db8::53\n";
        assert_eq!(of(stub, behind), "# real\nnameserver 198.51.100.1\nnameserver 2001:db8::53\n");
        // Nothing can be had: it is said.
        for loopback in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1%eth0", "nonsense"] {
            let text = of(&format!("nameserver {loopback}\nsearch x\n"), "nameserver 127.0.0.54\n");
            assert_eq!(text, format!("{NONE}search x\n"), "{loopback}");
        }
        assert_eq!(of("", behind), NONE, "without a server of its own the host uses none");
        assert!(NONE.lines().all(|line| line.starts_with('#')));
    }
}
