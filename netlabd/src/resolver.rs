//! The host's name servers, resolv.conf(5).

/// The host's own, and that with the servers behind the stub of systemd-resolved(8), which listens on the host's
/// loopback.
pub(crate) const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// The address that a line names as a server; a link-local one names its interface too: `fe80::1%eth0`.
pub(crate) fn server(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    if words.next() == Some("nameserver") { words.next() } else { None }
}
