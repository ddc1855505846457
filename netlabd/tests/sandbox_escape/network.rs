//! Reaching another network namespace with netlink.

use std::io;

use netlink_sys::{Socket, protocols::NETLINK_ROUTE};

use crate::{Probe, decoy_pid, shell};

pub(crate) const PROBES: &[Probe] = &[
    ("veth into the host, by process", || {
        shell(&format!("ip link add n1 type veth peer name n1p netns {}", decoy_pid()))
    }),
    ("veth into the host, by pin", || shell("ip link add n3 type veth peer name n3p netns /srv/pins/host")),
    ("veth into another lab, by pin", || {
        shell("ip link add n4 type veth peer name n4p netns /srv/pins/other")
    }),
    ("move a link into the host", || {
        shell(&format!(
            "ip link del n5 2> /dev/null; ip link add n5 type veth peer name n5p && ip link set n5 netns {}",
            decoy_pid()
        ))
    }),
    ("move a link into another lab", || {
        shell(
            "ip link del n6 2> /dev/null; ip link add n6 type veth peer name n6p && ip link set n6 netns /srv/pins/other",
        )
    }),
    ("read a host link by nsid", || in_host(libc::RTM_GETLINK, 0, "uplink0")),
    ("create a host link by nsid", || in_host(libc::RTM_NEWLINK, libc::NLM_F_CREATE, "n10")),
    ("delete a host link by nsid", || in_host(libc::RTM_DELLINK, 0, "victim0")),
    ("macvlan on a host link by nsid", || {
        shell(&format!("ip link add n7 link if{} link-netnsid 0 type macvlan", peer()?))
    }),
    ("vxlan on a host link by nsid", || {
        shell(&format!("ip link add n8 link-netnsid 0 type vxlan id 9 dev if{} dstport 4789", peer()?))
    }),
    ("ip in the host with nsenter", || shell("nsenter --net=/srv/pins/host ip link show uplink0")),
    ("make a tap", || shell("ip tuntap del mode tap name n11 2> /dev/null; ip tuntap add mode tap name n11")),
    ("ip in another lab with nsenter", || shell("nsenter --net=/srv/pins/other ip link add n9 type bridge")),
];

/// Index of the uplink's end in the host, which `eth0` shows to everybody.
fn peer() -> io::Result<String> {
    let output = std::process::Command::new("ip").args(["-o", "link", "show", "eth0"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let index = text.split_once("@if").and_then(|(_, rest)| Some(rest.split_once(':')?.0.to_owned()));
    index.ok_or_else(|| io::Error::other(text))
}

/// A request about a link in the network namespace that this one knows as nsid 0, the host's
/// (`IFLA_TARGET_NETNSID`, which ip(8) does not offer).
fn in_host(kind: u16, flags: libc::c_int, name: &str) -> io::Result<()> {
    let mut attributes = attribute(46, &0_i32.to_ne_bytes());
    attributes.extend(attribute(libc::IFLA_IFNAME, &[name.as_bytes(), b"\0"].concat()));
    if flags == libc::NLM_F_CREATE {
        attributes.extend(attribute(libc::IFLA_LINKINFO, &attribute(libc::IFLA_INFO_KIND, b"bridge")));
    }
    let flags = u16::try_from(flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK).unwrap();
    let length = u32::try_from(32 + attributes.len()).unwrap();
    // Header: length, type, flags, sequence, port; then an empty `struct ifinfomsg`.
    let head =
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8], &[0; 16]].concat();
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.send(&[head, attributes].concat(), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    // NLMSG_ERROR carries a negative errno, or 0; a link is an answer in itself.
    match i32::from_ne_bytes(answer[16..20].try_into().unwrap()) {
        errno if answer[4..6] == 2_u16.to_ne_bytes() && errno != 0 => {
            Err(io::Error::from_raw_os_error(-errno))
        }
        _ => Ok(()),
    }
}

/// A netlink attribute, padded to 4 bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
