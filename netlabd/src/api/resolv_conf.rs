//! The resolver of commands in nodes: resolv.conf(5) of the host, as far as it can serve there.

use std::{fs, net::IpAddr};

/// The host's own, and the servers behind the stub of systemd-resolved(8), which listens on the host's loopback.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// What a node has where none of the host's name servers can serve it. Without a server, programs ask 127.0.0.1.
const NONE: &str = "# The host's name servers listen on its own loopback or by an interface of its own, where no node reaches them:\n\
                    # names of the internet are not resolved here. Those of the lab's nodes are, by /etc/hosts.\n";

/// Content of a node's /etc/resolv.conf.
pub(super) fn of_node() -> String {
    let texts = FILES.map(|file| fs::read_to_string(file).unwrap_or_default());
    of(&texts)
}

/// The first text that names a server within reach, without those that are not; else the first one's rest.
fn of(texts: &[String]) -> String {
    let reachable = |text: &String| {
        let lines = text.lines().filter(|line| server(line).is_none_or(serves_nodes));
        lines.flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let has_server = |text: &String| text.lines().any(|line| server(line).is_some());
    let mut all = texts.iter().map(reachable);
    let first = all.next().unwrap_or_default();
    if has_server(&first) {
        return first;
    }
    // A host without any server has none to give.
    let behind = if texts.first().is_some_and(has_server) { all.find(has_server) } else { None };
    behind.unwrap_or_else(|| format!("{NONE}{first}"))
}

/// The address that a line names as a server.
fn server(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    if words.next() == Some("nameserver") { words.next() } else { None }
}

/// Whether a server can be asked from a node: one on the loopback, or on a link of the host's, cannot.
fn serves_nodes(address: &str) -> bool {
    address.parse::<IpAddr>().is_ok_and(|address| {
        let address = address.to_canonical();
        let on_link = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        !address.is_loopback() && !address.is_unspecified() && !on_link
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_the_servers_that_it_can_ask() {
        let of = |etc: &str, resolved: &str| of(&[etc.to_owned(), resolved.to_owned()]);
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
