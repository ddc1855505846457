//! ICMP and `ICMPv6`.

use super::{Line, be16, be32, ipv4, ipv6};

impl Line<'_> {
    /// RFC 792. `length` is that of the whole message.
    pub(super) fn icmp(&mut self, bytes: &[u8], length: usize) {
        self.add(format_args!("ICMP "));
        match icmp(bytes) {
            Some(what) => self.add(format_args!("{what}, length {length}")),
            None => self.add(format_args!("[|icmp]")),
        }
    }

    /// RFC 4443 and, for neighbours, RFC 4861.
    pub(super) fn icmp6(&mut self, bytes: &[u8], length: usize) {
        self.add(format_args!("ICMP6, "));
        match icmp6(bytes) {
            Some(what) => self.add(format_args!("{what}, length {length}")),
            None => self.add(format_args!("[|icmp6]")),
        }
    }
}

fn icmp(bytes: &[u8]) -> Option<String> {
    let (kind, code) = (*bytes.first()?, *bytes.get(1)?);
    Some(match kind {
        0 | 8 => {
            let what = if kind == 8 { "echo request" } else { "echo reply" };
            format!("{what}, id {}, seq {}", be16(bytes, 4)?, be16(bytes, 6)?)
        }
        3 => unreachable(code, bytes)?,
        5 => format!("redirect {} to host {}", ipv4(bytes, 24)?, ipv4(bytes, 4)?),
        11 if code == 0 => "time exceeded in-transit".to_owned(),
        11 => "ip reassembly time exceeded".to_owned(),
        12 => "parameter problem".to_owned(),
        9 => "router advertisement".to_owned(),
        10 => "router solicitation".to_owned(),
        13 => "time stamp query".to_owned(),
        14 => "time stamp reply".to_owned(),
        _ => format!("type-#{kind}"),
    })
}

/// The message quotes the packet that it is about, from its ninth byte on.
fn unreachable(code: u8, bytes: &[u8]) -> Option<String> {
    let to = ipv4(bytes, 24)?;
    let protocol = *bytes.get(17)?;
    Some(match code {
        0 => format!("net {to} unreachable"),
        1 => format!("host {to} unreachable"),
        2 => format!("{to} protocol {protocol} unreachable"),
        3 => {
            let header = usize::from(bytes.get(8)? & 15) * 4;
            let port = be16(bytes, 8 + header + 2)?;
            match protocol {
                6 => format!("{to} tcp port {port} unreachable"),
                17 => format!("{to} udp port {port} unreachable"),
                _ => format!("{to} protocol {protocol} port {port} unreachable"),
            }
        }
        4 => match be16(bytes, 6)? {
            0 => format!("{to} unreachable - need to frag"),
            mtu => format!("{to} unreachable - need to frag (mtu {mtu})"),
        },
        5 => format!("{to} unreachable - source route failed"),
        6 => format!("net {to} unreachable - unknown"),
        7 => format!("host {to} unreachable - unknown"),
        8 => format!("{to} unreachable - source host isolated"),
        9 => format!("net {to} unreachable - admin prohibited"),
        10 => format!("host {to} unreachable - admin prohibited"),
        11 => format!("net {to} unreachable - tos prohibited"),
        12 => format!("host {to} unreachable - tos prohibited"),
        13 => format!("host {to} unreachable - admin prohibited filter"),
        14 => format!("host {to} unreachable - host precedence violation"),
        15 => format!("host {to} unreachable - precedence cutoff"),
        _ => format!("{to} unreachable - #{code}"),
    })
}

fn icmp6(bytes: &[u8]) -> Option<String> {
    let (kind, code) = (*bytes.first()?, *bytes.get(1)?);
    Some(match kind {
        1 => unreachable6(code, bytes)?,
        2 => format!("packet too big, mtu {}", be32(bytes, 4)?),
        3 if code == 0 => format!("time exceeded in-transit for {}", ipv6(bytes, 32)?),
        3 => "ip reassembly time exceeded".to_owned(),
        4 => "parameter problem".to_owned(),
        128 | 129 => {
            let what = if kind == 128 { "echo request" } else { "echo reply" };
            format!("{what}, id {}, seq {}", be16(bytes, 4)?, be16(bytes, 6)?)
        }
        130 => "multicast listener query".to_owned(),
        131 => "multicast listener report".to_owned(),
        132 => "multicast listener done".to_owned(),
        133 => "router solicitation".to_owned(),
        134 => "router advertisement".to_owned(),
        135 => format!("neighbor solicitation, who has {}", ipv6(bytes, 8)?),
        136 => format!("neighbor advertisement, tgt is {}", ipv6(bytes, 8)?),
        137 => format!("redirect, {} to {}", ipv6(bytes, 24)?, ipv6(bytes, 8)?),
        143 => format!("multicast listener report v2, {} group record(s)", be16(bytes, 6)?),
        _ => format!("type-#{kind}"),
    })
}

fn unreachable6(code: u8, bytes: &[u8]) -> Option<String> {
    let to = ipv6(bytes, 32)?;
    let what = match code {
        0 => format!("unreachable route {to}"),
        1 => format!("unreachable prohibited {to}"),
        2 => format!("beyond scope {to}"),
        3 => format!("unreachable address {to}"),
        4 => {
            let port = be16(bytes, 50)?;
            match *bytes.get(14)? {
                6 => format!("unreachable port, {to} tcp port {port}"),
                17 => format!("unreachable port, {to} udp port {port}"),
                _ => format!("unreachable port, {to}"),
            }
        }
        _ => format!("unreachable code-#{code} {to}"),
    };
    Some(format!("destination unreachable, {what}"))
}
