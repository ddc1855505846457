//! IPv4 and IPv6.

use std::net::IpAddr;

use super::{Line, be16, ipv4, ipv6};

/// Where a packet is from, and where to.
pub(super) type Ends = (IpAddr, IpAddr);

impl Line<'_> {
    /// A packet whose first bits tell the version.
    pub(super) fn any_ip(&mut self, bytes: &[u8]) {
        let complete = match bytes.first().map(|first| first >> 4) {
            Some(4) => self.ip4(bytes),
            Some(6) => self.ip6(bytes),
            _ => None,
        };
        if complete.is_none() {
            self.add(format_args!("[|ip]"));
        }
    }

    fn ip4(&mut self, bytes: &[u8]) -> Option<()> {
        let header = usize::from(bytes.first()? & 15) * 4;
        let total = usize::from(be16(bytes, 2)?);
        let (from, to) = (ipv4(bytes, 12)?, ipv4(bytes, 16)?);
        let (flags, protocol) = (be16(bytes, 6)?, *bytes.get(9)?);
        // Receive offload leaves 0 in packets that do not fit the field.
        let end = if total == 0 { bytes.len() } else { total.min(bytes.len()) };
        let payload = bytes.get(header..end.max(header)).filter(|_| header >= 20)?;
        let length = if total == 0 { payload.len() } else { total.saturating_sub(header) };
        self.add(format_args!("IP "));
        if flags & 0x1fff != 0 {
            let offset = u32::from(flags & 0x1fff) * 8;
            let id = be16(bytes, 4)?;
            self.add(format_args!("{from} > {to}: ip-proto-{protocol}, fragment (id {id}, offset {offset})"));
            return Some(());
        }
        self.payload(protocol, (from, to), payload, length);
        Some(())
    }

    fn ip6(&mut self, bytes: &[u8]) -> Option<()> {
        let (from, to) = (ipv6(bytes, 8)?, ipv6(bytes, 24)?);
        let (total, mut next) = (usize::from(be16(bytes, 4)?), *bytes.get(6)?);
        let end = if total == 0 { bytes.len() } else { (40 + total).min(bytes.len()) };
        let mut payload = bytes.get(40..end.max(40))?;
        let mut length = if total == 0 { payload.len() } else { total };
        self.add(format_args!("IP6 "));
        let mut options = String::new();
        // Hop by hop, routing, destination options: RFC 8200 section 4.
        while let Some(name) =
            [(0, "HBH "), (43, "RT6 "), (60, "DSTOPT ")].iter().find(|(code, _)| *code == next)
        {
            let size = (usize::from(*payload.get(1)?) + 1) * 8;
            options.push_str(name.1);
            next = *payload.first()?;
            payload = payload.get(size..)?;
            length = length.saturating_sub(size);
        }
        if next == 44 {
            let (offset, protocol) = (be16(payload, 2)? & 0xfff8, *payload.first()?);
            self.add(format_args!("{from} > {to}: {options}frag (offset {offset}) ip-proto-{protocol}"));
            return Some(());
        }
        if options.is_empty() {
            self.payload(next, (from, to), payload, length);
        } else {
            self.add(format_args!("{from} > {to}: {options}"));
            self.portless(next, (from, to), payload, length);
        }
        Some(())
    }

    /// What the packet carries; `length` is that of the whole payload.
    fn payload(&mut self, protocol: u8, ends: Ends, bytes: &[u8], length: usize) {
        match protocol {
            6 => self.tcp(ends, bytes, length),
            17 => self.udp(ends, bytes),
            _ => {
                self.add(format_args!("{} > {}: ", ends.0, ends.1));
                self.portless(protocol, ends, bytes, length);
            }
        }
    }

    fn portless(&mut self, protocol: u8, ends: Ends, bytes: &[u8], length: usize) {
        match protocol {
            1 => self.icmp(bytes, length),
            58 => self.icmp6(bytes, length),
            4 | 41 => self.inner(|line| line.any_ip(bytes)),
            6 | 17 => self.payload(protocol, ends, bytes, length),
            2 => self.add(format_args!("igmp, length {length}")),
            47 => self.add(format_args!("GRE, length {length}")),
            50 => self.add(format_args!("ESP, length {length}")),
            89 => self.add(format_args!("OSPF, length {length}")),
            112 => self.add(format_args!("VRRP, length {length}")),
            132 => self.add(format_args!("sctp, length {length}")),
            _ => self.add(format_args!("ip-proto-{protocol} {length}")),
        }
    }
}
