//! Network address translation.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use netlab_proto::v1 as proto;

use crate::model::{self, Masquerade, NameError, Nat, PortForward, Protocol};

use super::{destination_nat, draft::Site, nat_type, prefix_nat, selector, source_nat, translation};
use crate::input::{Path, Sink, address, number};

/// Reads the translations of a node or of the host.
pub(super) fn read(site: &Site, message: Option<&proto::Nat>, forwarding: bool, sink: &mut Sink) -> Nat {
    let path = site.path.field("nat");
    let Some(message) = message else { return Nat::default() };
    let field = |name| path.field(name);
    let snat = source_nat::read(site, &message.snat, &field("snat"), sink);
    let dnat = destination_nat::read(site, &message.dnat, &field("dnat"), sink);
    let prefixes = prefix_nat::read(site, &message.prefixes, &field("prefixes"), sink);
    let masquerade = read_masquerades(site, &message.masquerade, &field("masquerade"), sink);
    let port_forwards = read_forwards(site, &message.port_forwards, &field("port_forwards"), sink);
    source_nat::unreached(&snat, &prefixes, &masquerade, &path, sink);
    destination_nat::unreached(&port_forwards, &dnat, &field("dnat"), sink);
    let empty = message.masquerade.is_empty()
        && message.port_forwards.is_empty()
        && message.snat.is_empty()
        && message.dnat.is_empty()
        && message.prefixes.is_empty();
    if !empty && !forwarding {
        let message =
            format!("{path} translates forwarded packets, and {} forwards none; set it to true", site.place);
        sink.add(&site.path.field("forwarding"), message);
    }
    Nat {
        masquerade,
        port_forwards,
        snat: snat.into_iter().flatten().collect(),
        dnat: dnat.into_iter().flatten().collect(),
        prefixes: prefixes.into_iter().flatten().collect(),
    }
}

fn read_masquerades(
    site: &Site,
    rules: &[proto::Masquerade],
    path: &Path,
    sink: &mut Sink,
) -> Vec<Masquerade> {
    let mut read = Vec::with_capacity(rules.len());
    for (i, rule) in rules.iter().enumerate() {
        let path = path.index(i);
        let source = selector::range(&rule.source, &path.field("source"), sink);
        let out_interface =
            selector::interface(site, &rule.out_interface, &path.field("out_interface"), sink);
        let nat_type = nat_type::read(site, rule, &read, &path, sink);
        read.push(Masquerade { source, out_interface, nat_type });
    }
    read
}

fn read_forwards(
    site: &Site,
    rules: &[proto::PortForward],
    path: &Path,
    sink: &mut Sink,
) -> Vec<PortForward> {
    let mut seen = BTreeMap::new();
    let mut read = Vec::with_capacity(rules.len());
    for (i, rule) in rules.iter().enumerate() {
        let path = path.index(i);
        let Some(forward) = read_forward(site, rule, &path, sink) else { continue };
        let key = (forward.protocol, forward.port, forward.in_interface.clone(), forward.to.is_ipv4());
        let first = *seen.entry(key).or_insert(i);
        if first != i {
            let port = format!("{} port {}", forward.protocol.as_str(), forward.port);
            sink.add(&path, format!("{port} is forwarded by port_forwards[{first}] already; change one"));
        }
        read.push(forward);
    }
    read
}

fn read_forward(site: &Site, rule: &proto::PortForward, path: &Path, sink: &mut Sink) -> Option<PortForward> {
    let protocol: Option<Protocol> = sink.parse(&path.field("protocol"), &rule.protocol);
    let port = number::port(rule.port, &path.field("port"), sink);
    let to = sink.keep_text(&path.field("to"), &rule.to, service(&rule.to));
    let in_interface = selector::interface(site, &rule.in_interface, &path.field("in_interface"), sink);
    Some(PortForward { protocol: protocol?, port: port?, to: to?, in_interface })
}

fn service(text: &str) -> Result<SocketAddr, NameError> {
    let wrong = || {
        let hint = match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(v4)) => format!("has no port; write {v4}:80, with the port of the service"),
            Ok(IpAddr::V6(v6)) => format!("has no port; write [{v6}]:80, with the port of the service"),
            Err(_) if model::address::is_ambiguous(text) => model::address::AMBIGUOUS.into(),
            Err(_) => "is not address:port such as 192.0.2.1:80 or [2001:db8::1]:80".into(),
        };
        NameError(hint)
    };
    let service: SocketAddr = model::address::service(text).ok_or_else(wrong)?;
    address::host(&service.ip().to_string())?;
    if service.port() == 0 {
        return Err(NameError("has port 0; ports are 1 to 65,535".into()));
    }
    translation::forwardable(service.ip())?;
    Ok(service)
}
