//! What the tunnels in IP have in common: two ends, a header of their own, and perhaps a key.

use std::{fmt, net::IpAddr};

use netlab_proto::v1 as proto;
use netlink_packet_route::link::InfoData;

use super::{Attributes, Kind, LinkKind, LinkLocalFrom, MacFrom, Tunnel, UniqueKey, Unknown, tunnel};
use crate::{
    feature::Feature,
    input::{Path, Sink},
    model::{mtu::IPV6_MIN_MTU, name::IfName},
};

/// The time to live of outer packets where the file gives none. ip(8) would take that of the packet inside, and that of
/// a routing protocol's packets, 1, does not reach beyond one link.
const TTL: u8 = 64;

/// The settings of a tunnel in IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpTunnel {
    /// Source address of the outer packets.
    pub local: Option<IpAddr>,
    /// The other end.
    pub remote: IpAddr,
    /// Key of both directions, RFC 2890.
    pub key: Option<u32>,
    /// Time to live, or hop limit, of the outer packets; from 1.
    pub ttl: u8,
}

/// A kind of tunnel in IP: all else of it follows, see the implementation of [`LinkKind`] for those that have this.
pub trait Encapsulation: Copy + Eq + fmt::Debug + Into<Kind> {
    /// See [`LinkKind::Message`].
    type Message: Fields;

    /// See [`LinkKind::KEY`].
    const KEY: &'static str;
    /// See [`LinkKind::ABOUT`].
    const ABOUT: &'static str;
    /// The kernel's option for it.
    const OPTION: &'static str;
    /// Whether the outer packets are IPv6.
    const OVER_IPV6: bool;
    /// What stands between the outer IP header and the packet that is carried, without a key, in bytes.
    const HEADER: u32;
    /// What is carried.
    const PAYLOAD: Payload;

    /// It with these settings.
    fn new(settings: IpTunnel) -> Self;

    /// Its settings.
    fn settings(&self) -> &IpTunnel;

    /// See [`LinkKind::encode`].
    fn encode(&self) -> InfoData;

    /// See [`LinkKind::decode`].
    fn decode(data: &InfoData) -> Option<Self>;

    /// What ip-link(8) has to be told beside the settings, so that it does not set what nobody asked for.
    const WORDS: &'static str = "";
}

/// What a tunnel carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Ethernet frames.
    Ethernet,
    /// Packets of both versions of IP.
    Ip,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

/// A message with the settings of a tunnel in IP.
pub trait Fields: Clone {
    /// The message that reads as these settings.
    fn of(settings: &IpTunnel) -> Self;

    /// Local and remote end, key and time to live.
    fn fields(&self) -> (&str, &str, Option<u32>, Option<u32>);
}

impl Fields for proto::Gre {
    fn of(settings: &IpTunnel) -> Self {
        let IpTunnel { local, remote, key, ttl } = *settings;
        Self { local: tunnel::text(local), remote: remote.to_string(), key, ttl: Some(ttl.into()) }
    }

    fn fields(&self) -> (&str, &str, Option<u32>, Option<u32>) {
        (&self.local, &self.remote, self.key, self.ttl)
    }
}

impl Fields for proto::IpTunnel {
    fn of(settings: &IpTunnel) -> Self {
        let IpTunnel { local, remote, ttl, .. } = *settings;
        Self { local: tunnel::text(local), remote: remote.to_string(), ttl: Some(ttl.into()) }
    }

    fn fields(&self) -> (&str, &str, Option<u32>, Option<u32>) {
        (&self.local, &self.remote, None, self.ttl)
    }
}

impl IpTunnel {
    /// Settings with every option, and without.
    fn examples(over_ipv6: bool, keyed: bool) -> [Self; 2] {
        let [near, far]: [IpAddr; 2] = if over_ipv6 {
            [1, 9].map(|last| [0x2001, 0xdb8, 0, 0, 0, 0, 0, last].into())
        } else {
            [1, 9].map(|last| [192, 0, 2, last].into())
        };
        let plain = Self { local: None, remote: far, key: None, ttl: TTL };
        [plain, Self { local: Some(near), key: keyed.then_some(u32::MAX), ttl: 9, ..plain }]
    }

    fn read(
        message: &impl Fields,
        kind: &str,
        over_ipv6: bool,
        path: &Path,
        sink: &mut Sink,
    ) -> Option<Self> {
        let (local, remote, key, ttl) = message.fields();
        let other = match kind {
            "gre" => "; ip6gre is GRE over IPv6",
            "ip6gre" => "; gre is GRE over IPv4",
            "ipip" => "; ip6tnl tunnels over IPv6",
            "ip6tnl" => "; ipip and sit tunnel over IPv4",
            _ => "",
        };
        let of_family = |field: &str, address: Option<IpAddr>, sink: &mut Sink| {
            if let Some(address) = address.filter(|address| address.is_ipv6() != over_ipv6) {
                let version = if over_ipv6 { "IPv6" } else { "IPv4" };
                sink.add(
                    &path.field(field),
                    format!("{address} is no {version} address, as {kind} needs{other}"),
                );
                return None;
            }
            address
        };
        let remote = of_family("remote", tunnel::remote(remote, path, sink), sink);
        let local = of_family("local", tunnel::local(local, path, sink), sink);
        let ttl = tunnel::ttl(ttl, path, sink).unwrap_or(TTL);
        let remote = remote?;
        if local == Some(remote) {
            let message = format!("{remote} is local too: a tunnel has two ends; change one");
            sink.add(&path.field("remote"), message);
            return None;
        }
        Some(Self { local, remote, key, ttl })
    }

    fn words(&self, over_ipv6: bool) -> String {
        let Self { local, remote, key, ttl } = self;
        let local = local.map(|local| format!(" local {local}")).unwrap_or_default();
        let key = key.map(|key| format!(" key {key}")).unwrap_or_default();
        let hops = if over_ipv6 { "hoplimit" } else { "ttl" };
        format!("{local} remote {remote}{key} {hops} {ttl}")
    }
}

impl<T: Encapsulation> LinkKind for T {
    type Message = T::Message;

    const KEY: &'static str = T::KEY;
    const ABOUT: &'static str = T::ABOUT;
    const ON_HOST: Option<&'static str> = Some(tunnel::ON_HOST);
    const ETHERNET: bool = matches!(T::PAYLOAD, Payload::Ethernet);
    const ARP: bool = matches!(T::PAYLOAD, Payload::Ethernet);

    fn examples(_: &IfName) -> Vec<Self> {
        // Messages without a key give none.
        let keyed = T::Message::of(&IpTunnel::examples(T::OVER_IPV6, true)[1]).fields().2.is_some();
        IpTunnel::examples(T::OVER_IPV6, keyed).map(Self::new).to_vec()
    }

    fn read(message: &T::Message, path: &Path, sink: &mut Sink) -> Option<Self> {
        IpTunnel::read(message, T::KEY, T::OVER_IPV6, path, sink).map(Self::new)
    }

    fn message(&self) -> T::Message {
        T::Message::of(self.settings())
    }

    /// `ip_tunnel_find`, `ip6_tnl_locate`, `ip6gre_tunnel_find`, `ipip6_tunnel_locate`.
    fn identity(&self) -> Option<UniqueKey> {
        let IpTunnel { local, remote, key, .. } = *self.settings();
        let local = local.map(|local| format!("from {local} ")).unwrap_or_default();
        let key = key.map(|key| format!(" with key {key}")).unwrap_or_default();
        let is = format!("leads {local}to {remote}{key}");
        Some(UniqueKey { key: is.clone(), field: "remote", is, way_out: "change one" })
    }

    fn mac(&self) -> MacFrom {
        if T::PAYLOAD == Payload::Ethernet { MacFrom::Lab } else { MacFrom::Kernel }
    }

    /// Without a `local`, what is over IPv4 gets an address of each IPv4 address that the node has just then.
    fn link_local(&self) -> LinkLocalFrom {
        match (T::PAYLOAD, self.settings().local) {
            (Payload::Ip, None) if T::OVER_IPV6 => LinkLocalFrom::Identifier,
            (Payload::Ethernet, _) | (Payload::Ip, Some(_)) => LinkLocalFrom::Identifier,
            (Payload::Ipv6, Some(IpAddr::V4(local))) => LinkLocalFrom::Ipv4(local),
            _ => LinkLocalFrom::Nothing,
        }
    }

    /// The outer IP header of 20 or 40 bytes, its own, 4 of a key (RFC 2890), and 14 of an Ethernet header within.
    fn overhead(&self) -> u32 {
        let outer = if T::OVER_IPV6 { 40 } else { 20 };
        let key = if self.settings().key.is_some() { 4 } else { 0 };
        let inner = if T::PAYLOAD == Payload::Ethernet { 14 } else { 0 };
        outer + T::HEADER + key + inner
    }

    fn carries(&self, address: IpAddr) -> bool {
        match T::PAYLOAD {
            Payload::Ethernet | Payload::Ip => true,
            Payload::Ipv4 => address.is_ipv4(),
            Payload::Ipv6 => address.is_ipv6(),
        }
    }

    /// `ipip6_tunnel_setup` in net/ipv6/sit.c.
    fn least_mtu(&self) -> Option<u32> {
        matches!(T::PAYLOAD, Payload::Ipv6).then_some(IPV6_MIN_MTU)
    }

    fn tunnel(&self) -> Option<Tunnel> {
        let IpTunnel { local, remote, .. } = *self.settings();
        Some(Tunnel { local, remote: Some(remote) })
    }

    fn far_end(&self) -> Option<IpAddr> {
        Some(self.settings().remote)
    }

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of(T::OPTION), "")
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        Ok(Some(Encapsulation::encode(self)))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        Encapsulation::decode(seen.data?)
    }

    fn command(&self) -> String {
        self.settings().words(T::OVER_IPV6) + T::WORDS
    }

    fn way_out(&self, errno: i32) -> Option<String> {
        let text = || format!("somebody has made another {} with the same ends there: delete it", T::KEY);
        (errno == libc::EEXIST).then(text)
    }
}
