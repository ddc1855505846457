//! Ethernet, VLAN tags, ARP.

use super::{Line, be16, be32, ipv4};

const ARP: u16 = 0x0806;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const PROVIDER_VLAN: u16 = 0x88a8;

/// A MAC address.
fn mac(bytes: &[u8], at: usize) -> Option<String> {
    let bytes = bytes.get(at..at + 6)?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"))
}

fn name(kind: u16) -> String {
    let name = match kind {
        ARP => "ARP",
        IPV4 => "IPv4",
        IPV6 => "IPv6",
        VLAN => "802.1Q",
        PROVIDER_VLAN => "802.1Q-QinQ",
        0x88cc => "LLDP",
        _ => "Unknown",
    };
    format!("ethertype {name} ({kind:#06x})")
}

impl Line<'_> {
    /// An Ethernet frame, `length` bytes long on the wire.
    pub(super) fn ethernet(&mut self, bytes: &[u8], length: u32, header: bool) {
        let (Some(to), Some(from), Some(kind)) = (mac(bytes, 0), mac(bytes, 6), be16(bytes, 12)) else {
            return self.add(format_args!("[|ether]"));
        };
        if header {
            // Below 1,536 it is a length: IEEE 802.3.
            let kind = if kind < 1_536 { "802.3".to_owned() } else { name(kind) };
            self.add(format_args!("{from} > {to}, {kind}, length {length}: "));
        }
        self.network(kind, &bytes[14..]);
    }

    fn network(&mut self, kind: u16, bytes: &[u8]) {
        match kind {
            VLAN | PROVIDER_VLAN => self.vlan(bytes),
            ARP => self.arp(bytes),
            IPV4 | IPV6 => self.any_ip(bytes),
            0x88cc => self.add(format_args!("LLDP, length {}", bytes.len())),
            ..1_536 if bytes.starts_with(&[0x42, 0x42, 3]) => {
                self.add(format_args!("STP, length {}", kind.saturating_sub(3)));
            }
            ..1_536 => self.add(format_args!("802.3, length {kind}")),
            _ => self.add(format_args!("{}, length {}", name(kind), bytes.len())),
        }
    }

    fn vlan(&mut self, bytes: &[u8]) {
        let (Some(tag), Some(kind)) = (be16(bytes, 0), be16(bytes, 2)) else {
            return self.add(format_args!("[|vlan]"));
        };
        let eligible = if tag & 0x1000 == 0 { "" } else { ", DEI" };
        self.add(format_args!("vlan {}, p {}{eligible}, ", tag & 0xfff, tag >> 13));
        self.inner(|line| line.network(kind, &bytes[4..]));
    }

    fn arp(&mut self, bytes: &[u8]) {
        self.add(format_args!("ARP, "));
        if self.arp_for_ethernet(bytes).is_none() {
            self.add(format_args!("[|arp]"));
        }
    }

    /// RFC 826; `None` if it is not about IPv4 on Ethernet or cut short.
    fn arp_for_ethernet(&mut self, bytes: &[u8]) -> Option<()> {
        if be32(bytes, 0)? != 0x0001_0800 || be16(bytes, 4)? != 0x0604 {
            return None;
        }
        let (sender, target) = (ipv4(bytes, 14)?, ipv4(bytes, 24)?);
        let (sender_mac, target_mac) = (mac(bytes, 8)?, mac(bytes, 18)?);
        match be16(bytes, 6)? {
            1 => {
                let known = if bytes[18..24] == [0; 6] { String::new() } else { format!(" ({target_mac})") };
                self.add(format_args!("Request who-has {target}{known} tell {sender}"));
            }
            2 => self.add(format_args!("Reply {sender} is-at {sender_mac}")),
            other => self.add(format_args!("operation {other}")),
        }
        self.add(format_args!(", length {}", bytes.len()));
        Some(())
    }
}
