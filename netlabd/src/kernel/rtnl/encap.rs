//! What routes put around packets, as attributes.

use std::net::Ipv6Addr;

use netlink_packet_core::{Nla, NlaBuffer, Parseable};
use netlink_packet_route::route::{
    MplsLabel, RouteAttribute, RouteLwEnCapType, RouteLwTunnelEncap, RouteMplsIpTunnel, RouteSeg6IpTunnel,
    Seg6Header, Seg6Mode,
};

use crate::model::{self, Encap, Label};

/// What is there that the lab file has no words for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strange;

/// What a route or one of its next hops puts around packets, as attributes of it.
pub(super) fn encode(encap: &Encap) -> [RouteAttribute; 2] {
    let (kind, all) = match encap {
        Encap::Mpls(labels) => {
            let all = RouteLwTunnelEncap::Mpls(RouteMplsIpTunnel::Destination(stack(labels)));
            (RouteLwEnCapType::Mpls, vec![all])
        }
        Encap::Seg6 { mode, segments } => {
            let mut header = Seg6Header::default();
            header.segments.clone_from(segments);
            header.mode = match mode {
                model::Seg6Mode::Encap => Seg6Mode::Encap,
                model::Seg6Mode::Inline => {
                    // Room for the packet's own destination.
                    header.segments.push(Ipv6Addr::UNSPECIFIED);
                    Seg6Mode::Inline
                }
            };
            (RouteLwEnCapType::Seg6, vec![RouteLwTunnelEncap::Seg6(RouteSeg6IpTunnel::Seg6(header))])
        }
    };
    [RouteAttribute::EncapType(kind), RouteAttribute::Encap(all)]
}

/// Labels one behind the other, the last of which says that it is (RFC 3032 section 2.1).
pub(super) fn stack(labels: &[Label]) -> Vec<MplsLabel> {
    let last = labels.len().saturating_sub(1);
    let label = |(at, label): (usize, &Label)| MplsLabel {
        label: label.get(),
        traffic_class: 0,
        bottom_of_stack: at == last,
        ttl: 0,
    };
    labels.iter().enumerate().map(label).collect()
}

/// The same read.
pub(super) fn labels(stack: &[MplsLabel]) -> Result<Vec<Label>, Strange> {
    stack.iter().map(|label| Label::try_from(label.label).map_err(|_| Strange)).collect()
}

/// What a route or one of its next hops puts around packets, by its attributes.
pub(super) fn decode(attributes: &[RouteAttribute]) -> Result<Option<Encap>, Strange> {
    let kind = attributes.iter().find_map(|it| match it {
        RouteAttribute::EncapType(kind) => Some(*kind),
        _ => None,
    });
    let all =
        attributes.iter().find_map(|it| if let RouteAttribute::Encap(all) = it { Some(all) } else { None });
    let (Some(kind), Some(all)) = (kind, all) else { return Ok(None) };
    let all: Vec<_> = all.iter().map(|part| typed(kind, part)).collect::<Result<_, _>>()?;
    match all.as_slice() {
        [RouteLwTunnelEncap::Mpls(RouteMplsIpTunnel::Destination(stack))] => {
            labels(stack).map(|labels| Some(Encap::Mpls(labels)))
        }
        [RouteLwTunnelEncap::Seg6(RouteSeg6IpTunnel::Seg6(header))] if header.hmac.is_none() => {
            segments(header).map(Some)
        }
        _ => Err(Strange),
    }
}

fn segments(header: &Seg6Header) -> Result<Encap, Strange> {
    let mut segments = header.segments.clone();
    let mode = match header.mode {
        Seg6Mode::Encap => model::Seg6Mode::Encap,
        Seg6Mode::Inline => {
            segments.pop();
            model::Seg6Mode::Inline
        }
        _ => return Err(Strange),
    };
    Ok(Encap::Seg6 { mode, segments })
}

/// In one of several next hops the type stands behind what it is of, and the crate reads it as bytes.
fn typed(kind: RouteLwEnCapType, part: &RouteLwTunnelEncap) -> Result<RouteLwTunnelEncap, Strange> {
    let RouteLwTunnelEncap::Other(raw) = part else { return Ok(part.clone()) };
    let length = u16::try_from(raw.value_len() + 4).map_err(|_| Strange)?;
    let mut bytes = vec![0; length.into()];
    bytes[..2].copy_from_slice(&length.to_ne_bytes());
    bytes[2..4].copy_from_slice(&raw.kind().to_ne_bytes());
    raw.emit_value(&mut bytes[4..]);
    let buffer = NlaBuffer::new_checked(&bytes[..]).map_err(|_| Strange)?;
    match kind {
        RouteLwEnCapType::Mpls => RouteMplsIpTunnel::parse(&buffer).map(RouteLwTunnelEncap::Mpls),
        RouteLwEnCapType::Seg6 => RouteSeg6IpTunnel::parse(&buffer).map(RouteLwTunnelEncap::Seg6),
        _ => return Err(Strange),
    }
    .map_err(|_| Strange)
}
