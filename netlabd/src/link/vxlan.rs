//! VXLAN tunnel end points, RFC 7348.

use std::{collections::BTreeSet, net::IpAddr};

use netlab_proto::v1 as proto;
use netlink_packet_route::link::{InfoData, InfoVxlan};

use super::{Attributes, LinkKind, Lower, Tunnel, UniqueKey, Unknown, tunnel::text};
use crate::{
    feature::Feature,
    input::{Path, Sink, address, name, number},
    model::name::IfName,
    shell::word,
};

/// The UDP port that IANA gave VXLAN, RFC 7348 section 5.
const PORT: u16 = 4789;

/// A VXLAN tunnel end point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vxlan {
    /// VXLAN network identifier, below 2^24.
    pub vni: u32,
    /// The other end, or a multicast group.
    pub remote: Option<IpAddr>,
    /// UDP port of both ends.
    pub port: u16,
    /// The interface of the same node that carries the tunnel.
    pub dev: Option<IfName>,
    /// Source address of the tunnel.
    pub local: Option<IpAddr>,
    /// Whether addresses are learned from received frames.
    pub learning: bool,
}

impl Vxlan {
    fn ends(&self) -> Tunnel {
        Tunnel { local: self.local, remote: self.remote }
    }
}

/// Most other ends.
const MAX_REMOTES: usize = 1_000;

/// Reads the other ends of one that has several. What is at fault is left out.
fn read_remotes(message: &proto::Vxlan, path: &Path, sink: &mut Sink) -> BTreeSet<IpAddr> {
    let local = address::host(&message.local).ok();
    let at = path.field("remotes");
    if !message.remote.is_empty() && !message.remotes.is_empty() {
        sink.add(&at, "remote is the one other end; give it here too, and leave remote out");
    }
    if message.remotes.len() > MAX_REMOTES {
        sink.add(&at, format!("{} other ends; at most {MAX_REMOTES}", message.remotes.len()));
        return BTreeSet::new();
    }
    let mut known = BTreeSet::new();
    for (i, text) in message.remotes.iter().enumerate() {
        let at = at.index(i);
        let Some(remote) = sink.keep_text(&at, text, address::host(text)) else { continue };
        if !known.insert(remote) {
            sink.add(&at, format!("{remote} is listed twice; once is enough"));
        } else if let Some(wrong) = unfit(remote, local) {
            sink.add(&at, format!("{remote} {wrong}"));
        }
    }
    known
}

/// Why a VXLAN with this source address cannot send there (`vxlan_fdb_parse`).
fn unfit(remote: IpAddr, local: Option<IpAddr>) -> Option<String> {
    let of_local = local.map(|local| local.is_ipv6());
    match (remote.is_ipv6(), of_local) {
        _ if address::is_link_local(remote) => {
            Some("is link-local, so it is on every link; give another address of that end".to_owned())
        }
        (true, None) => Some("is of IPv6: add local, an IPv6 address of this node".to_owned()),
        (is_ipv6, Some(of_local)) if is_ipv6 != of_local => {
            Some("and local are of different families; use IPv4 or IPv6 for all".to_owned())
        }
        _ => None,
    }
}

impl LinkKind for Vxlan {
    type Message = proto::Vxlan;

    const KEY: &'static str = "vxlan";
    const ABOUT: &'static str = "a VXLAN tunnel end point";
    const ON_HOST: Option<&'static str> =
        Some("a VXLAN on the host would let the lab send from the host's addresses; put it in a node");
    const LOWER_FIELD: &'static str = "dev";
    const LINKED: bool = false;

    fn examples(lower: &IfName) -> Vec<Self> {
        let plain = Self { vni: 1, remote: None, port: PORT, dev: None, local: None, learning: true };
        let ipv4 = Self {
            vni: 0x00ff_ffff,
            remote: Some([192, 0, 2, 9].into()),
            local: Some([192, 0, 2, 1].into()),
            dev: Some(lower.clone()),
            ..plain.clone()
        };
        let ipv6 = Self {
            vni: 2,
            remote: Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 9].into()),
            local: Some([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()),
            ..ipv4.clone()
        };
        let group = Self {
            vni: 3,
            remote: Some([239, 1, 1, 1].into()),
            local: None,
            port: 4790,
            learning: false,
            ..ipv4.clone()
        };
        vec![plain, ipv4, ipv6, group]
    }

    fn read(message: &proto::Vxlan, path: &Path, sink: &mut Sink) -> Option<Self> {
        let vni = number::vni("VXLAN", message.vni, &path.field("vni"), sink);
        let at = path.field("dev");
        let ends = Tunnel::read(&message.local, &message.remote, path, sink);
        if ends.remote.is_some_and(|it| it.is_multicast()) && message.dev.is_empty() {
            let message =
                format!("is missing: the group {} is joined on an interface; name it", message.remote);
            sink.add(&at, message);
        }
        ends.check(&path.field("local"), sink);
        let port = number::port(message.port.unwrap_or(PORT.into()), &path.field("port"), sink);
        let dev = name::optional(&message.dev, &at, sink);
        let learning = message.learning.unwrap_or(true);
        let Tunnel { local, remote } = ends;
        Some(Self { vni: vni?, remote, port: port?, dev, local, learning })
    }

    fn named(message: &proto::Vxlan) -> Option<Lower<&str>> {
        Some(Lower::Here(&message.dev))
    }

    fn remotes(message: &proto::Vxlan, path: &Path, sink: &mut Sink) -> BTreeSet<IpAddr> {
        read_remotes(message, path, sink)
    }

    fn message(&self) -> proto::Vxlan {
        proto::Vxlan {
            vni: Some(self.vni),
            remote: text(self.remote),
            port: Some(self.port.into()),
            dev: self.dev.as_ref().map(ToString::to_string).unwrap_or_default(),
            local: text(self.local),
            learning: Some(self.learning),
            remotes: Vec::new(),
        }
    }

    fn lower(&self) -> Option<Lower<&IfName>> {
        self.dev.as_ref().map(Lower::Here)
    }

    fn lower_mut(&mut self) -> Option<&mut IfName> {
        self.dev.as_mut()
    }

    /// The kernel keeps VNIs apart by port and family, but not by `dev` (`vxlan_vni_in_use`).
    fn identity(&self) -> Option<UniqueKey> {
        let is = format!("has VNI {} at port {}", self.vni, self.port);
        let key = format!("{is} {}", self.ends().is_ipv6());
        Some(UniqueKey { key, field: "vni", is, way_out: "change one" })
    }

    fn has_fdb(&self) -> bool {
        true
    }

    /// RFC 7348 section 5: outer Ethernet 14, IPv4 20 or IPv6 40, UDP 8, VXLAN 8.
    fn overhead(&self) -> u32 {
        if self.ends().is_ipv6() { 70 } else { 50 }
    }

    fn tunnel(&self) -> Option<Tunnel> {
        Some(self.ends())
    }

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of("CONFIG_VXLAN"), "")
    }

    fn encode(&self, index: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        let mut options =
            vec![InfoVxlan::Id(self.vni), InfoVxlan::Port(self.port), InfoVxlan::Learning(self.learning)];
        options.extend(self.remote.map(|remote| match remote {
            IpAddr::V4(remote) => InfoVxlan::Group(remote),
            IpAddr::V6(remote) => InfoVxlan::Group6(remote),
        }));
        options.extend(self.local.map(|local| match local {
            IpAddr::V4(local) => InfoVxlan::Local(local),
            IpAddr::V6(local) => InfoVxlan::Local6(local),
        }));
        if let Some(dev) = &self.dev {
            options.push(InfoVxlan::Link(index(dev)?));
        }
        Ok(Some(InfoData::Vxlan(options)))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        let Some(InfoData::Vxlan(options)) = seen.data else { return None };
        let mut vxlan = Self { vni: 0, remote: None, port: 0, dev: None, local: None, learning: false };
        for option in options {
            match option {
                InfoVxlan::Id(vni) => vxlan.vni = *vni,
                InfoVxlan::Group(remote) => vxlan.remote = Some((*remote).into()),
                InfoVxlan::Group6(remote) => vxlan.remote = Some((*remote).into()),
                InfoVxlan::Local(local) => vxlan.local = Some((*local).into()),
                InfoVxlan::Local6(local) => vxlan.local = Some((*local).into()),
                InfoVxlan::Port(port) => vxlan.port = *port,
                InfoVxlan::Learning(on) => vxlan.learning = *on,
                // One that is not in this namespace is no `dev` that could be wanted.
                InfoVxlan::Link(index) if *index != 0 => vxlan.dev = Some((seen.name)(*index)?),
                _ => {}
            }
        }
        Some(vxlan)
    }

    fn command(&self) -> String {
        let mut line = format!(" id {}", self.vni);
        if let Some(remote) = self.remote {
            line.extend([if remote.is_multicast() { " group " } else { " remote " }, &remote.to_string()]);
        }
        line.extend(self.local.map(|local| format!(" local {local}")));
        line.extend([" dstport ", &self.port.to_string()]);
        line.extend(self.dev.as_ref().map(|dev| format!(" dev {}", word(dev.as_str()))));
        if !self.learning {
            line += " nolearning";
        }
        line
    }

    fn way_out(&self, errno: i32) -> Option<String> {
        match errno {
            libc::EEXIST => Some(format!(
                "somebody has made another VXLAN with VNI {} and port {} there: delete it",
                self.vni, self.port
            )),
            // `vxlan_config_validate` in drivers/net/vxlan/vxlan_core.c.
            libc::EPERM if self.remote.is_some_and(|remote| remote.is_ipv6()) => Some(
                "IPv6 is off there, and the tunnel runs over it: a sysctl net.ipv6.conf.*.disable_ipv6 is 1"
                    .into(),
            ),
            _ => None,
        }
    }
}
