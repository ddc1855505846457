//! GRE over IPv6, RFC 7676: packets of both versions of IP.

use std::net::IpAddr;

use netlab_proto::v1 as proto;
use netlink_packet_core::DefaultNla;
use netlink_packet_route::link::{GreEncapType, GreIOFlags, InfoData, InfoGre6};

use super::{
    gre::Keys,
    ip_tunnel::{Encapsulation, IpTunnel, Payload},
    ip6tnl::{NO_ENCAP_LIMIT, has_no_encap_limit},
};

/// `IFLA_GRE_FLAGS`, for which the library has no name.
const FLAGS: u16 = 13;

/// A GRE tunnel over IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip6gre(pub IpTunnel);

impl Encapsulation for Ip6gre {
    type Message = proto::Gre;

    const KEY: &'static str = "ip6gre";
    const ABOUT: &'static str = "a GRE tunnel over IPv6";
    const OPTION: &'static str = "CONFIG_IPV6_GRE";
    const OVER_IPV6: bool = true;
    const HEADER: u32 = 4;
    const PAYLOAD: Payload = Payload::Ip;
    const WORDS: &'static str = " encaplimit none";

    fn new(settings: IpTunnel) -> Self {
        Self(settings)
    }

    fn settings(&self) -> &IpTunnel {
        &self.0
    }

    fn encode(&self) -> InfoData {
        let IpTunnel { local, remote, key, ttl } = self.0;
        let flags = DefaultNla::new(FLAGS, NO_ENCAP_LIMIT.bits().to_ne_bytes().to_vec());
        let mut options = vec![InfoGre6::Ttl(ttl), InfoGre6::Other(flags)];
        if let IpAddr::V6(remote) = remote {
            options.push(InfoGre6::Remote(remote));
        }
        if let Some(IpAddr::V6(local)) = local {
            options.push(InfoGre6::Local(local));
        }
        if let Some(key) = key {
            let flag = GreIOFlags::Key;
            let keys =
                [InfoGre6::IFlags(flag), InfoGre6::OFlags(flag), InfoGre6::IKey(key), InfoGre6::OKey(key)];
            options.extend(keys);
        }
        InfoData::GreTun6(options)
    }

    fn decode(data: &InfoData) -> Option<Self> {
        let InfoData::GreTun6(options) = data else { return None };
        let (mut local, mut remote, mut ttl, mut keys) = (None, None, 0, Keys::default());
        for option in options {
            match option {
                InfoGre6::Local(address) => local = Some(*address).filter(|it| !it.is_unspecified()),
                InfoGre6::Remote(address) => remote = Some(*address).filter(|it| !it.is_unspecified()),
                InfoGre6::Ttl(hops) => ttl = *hops,
                InfoGre6::IFlags(flags) => keys.in_flags = *flags,
                InfoGre6::OFlags(flags) => keys.out_flags = *flags,
                InfoGre6::IKey(key) => keys.in_key = *key,
                InfoGre6::OKey(key) => keys.out_key = *key,
                InfoGre6::CollectMetadata => return None,
                InfoGre6::Link(value) | InfoGre6::FwMask(value) | InfoGre6::FlowLabel(value)
                    if *value != 0 =>
                {
                    return None;
                }
                InfoGre6::EncapType(encap) if *encap != GreEncapType::None => return None,
                InfoGre6::Other(other) if !flags_are_ours(other) => return None,
                _ => {}
            }
        }
        let (local, remote) = (local.map(Into::into), remote?.into());
        keys.are_ours().then(|| Self(IpTunnel { local, remote, key: keys.key(), ttl }))
    }
}

/// Whether an attribute is not that of the flags, or has those that we give.
fn flags_are_ours(attribute: &DefaultNla) -> bool {
    use netlink_packet_core::Nla;
    let mut value = vec![0; attribute.value_len()];
    attribute.emit_value(&mut value);
    let flags = <[u8; 4]>::try_from(value).map(u32::from_ne_bytes);
    attribute.kind() != FLAGS || flags.is_ok_and(has_no_encap_limit)
}
