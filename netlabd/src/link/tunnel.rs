//! What tunnels have in common.

use std::net::IpAddr;

use netlab_proto::range;

use crate::input::{Path, Sink, address};

/// Why a lab cannot have one on the host.
pub(super) const ON_HOST: &str =
    "a tunnel on the host would let the lab send from the host's addresses; put it in a node";

/// The ends of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnel {
    /// Source address.
    pub local: Option<IpAddr>,
    /// The other end, or a multicast group.
    pub remote: Option<IpAddr>,
}

impl Tunnel {
    /// Reads both ends; the empty text leaves one out.
    pub(super) fn read(local: &str, remote: &str, path: &Path, sink: &mut Sink) -> Self {
        let at = path.field("remote");
        let remote = optional(remote, address::plain, &at, sink);
        if remote.is_some_and(|it| it.is_unspecified()) {
            sink.add(&at, "is the unspecified address; name the other end, or leave it out");
        }
        let local = self::local(local, path, sink);
        Self { local, remote }
    }

    /// The kernel wants both of one family, and both link-local or neither (`vxlan_config_validate`).
    pub(super) fn check(self, path: &Path, sink: &mut Sink) {
        let (Some(local), Some(remote)) = (self.local, self.remote) else { return };
        if local.is_ipv4() != remote.is_ipv4() {
            let message = format!(
                "{local} and the remote {remote} are of different families; use IPv4 or IPv6 for both"
            );
            sink.add(path, message);
        } else if !remote.is_multicast() && address::is_link_local(local) != address::is_link_local(remote) {
            sink.add(path, format!("{local} and the remote {remote} must be both link-local or neither"));
        }
    }

    /// Whether it runs over IPv6.
    pub(super) fn is_ipv6(self) -> bool {
        self.remote.or(self.local).is_some_and(|address| address.is_ipv6())
    }
}

/// Reads the one other end of a tunnel; `path` is that of the kind.
pub(super) fn remote(text: &str, path: &Path, sink: &mut Sink) -> Option<IpAddr> {
    let at = path.field("remote");
    if text.is_empty() {
        sink.add(&at, "is missing: give the address of the tunnel's other end");
        return None;
    }
    let remote = sink.keep_text(&at, text, address::host(text))?;
    if address::is_link_local(remote) {
        let message =
            format!("{remote} is link-local, so it is on every link; give another address of the other end");
        sink.add(&at, message);
        return None;
    }
    Some(remote)
}

/// Reads the source address of a tunnel's outer packets; `None` where nobody gives one.
pub(super) fn local(text: &str, path: &Path, sink: &mut Sink) -> Option<IpAddr> {
    optional(text, address::host, &path.field("local"), sink)
}

/// Reads the time to live of a tunnel's outer packets; `None` where nobody gives one.
pub(super) fn ttl(ttl: Option<u32>, path: &Path, sink: &mut Sink) -> Option<u8> {
    let ttl = ttl?;
    let read = u8::try_from(ttl).ok().filter(|_| range::TTL.contains(&ttl));
    if read.is_none() {
        sink.add(&path.field("ttl"), format!("{ttl} is not a time to live: 1 to 255"));
    }
    read
}

fn optional(
    text: &str,
    read: fn(&str) -> Result<IpAddr, crate::model::name::NameError>,
    path: &Path,
    sink: &mut Sink,
) -> Option<IpAddr> {
    if text.is_empty() { None } else { sink.keep_text(path, text, read(text)) }
}

/// An address as the API has it, "" for none.
pub(super) fn text(address: Option<IpAddr>) -> String {
    address.map(|address| address.to_string()).unwrap_or_default()
}
