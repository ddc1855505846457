//! TCP, UDP, and the Ethernet frames in VXLAN.

use super::{Line, be16, be32, ip::Ends};

/// IANA's port of VXLAN, and the one that Linux took before there was one.
const VXLAN: [u16; 2] = [4_789, 8_472];

impl Line<'_> {
    /// RFC 768.
    pub(super) fn udp(&mut self, (from, to): Ends, bytes: &[u8]) {
        let (Some(source), Some(target), Some(length)) = (be16(bytes, 0), be16(bytes, 2), be16(bytes, 4))
        else {
            return self.add(format_args!("{from} > {to}: [|udp]"));
        };
        self.add(format_args!("{from}.{source} > {to}.{target}: "));
        let payload = bytes.get(8..).unwrap_or_default();
        if VXLAN.contains(&target) && payload.len() >= 8 {
            return self.vxlan(payload);
        }
        self.add(format_args!("UDP, length {}", length.saturating_sub(8)));
    }

    /// RFC 7348. The inner frame has a line of its own.
    fn vxlan(&mut self, bytes: &[u8]) {
        let flags = bytes[0];
        let valid = if flags & 8 == 0 { "." } else { "I" };
        let vni = be32(bytes, 4).unwrap_or_default() >> 8;
        self.add(format_args!("VXLAN, flags [{valid}] ({flags:#04x}), vni {vni}\n"));
        let inner = &bytes[8..];
        let length = u32::try_from(inner.len()).unwrap_or(u32::MAX);
        self.inner(|line| line.ethernet(inner, length, false));
    }

    /// RFC 9293. `length` is that of the whole segment.
    pub(super) fn tcp(&mut self, ends: Ends, bytes: &[u8], length: usize) {
        if self.segment(ends, bytes, length).is_none() {
            self.add(format_args!("{} > {}: [|tcp]", ends.0, ends.1));
        }
    }

    fn segment(&mut self, (from, to): Ends, bytes: &[u8], length: usize) -> Option<()> {
        let (source, target) = (be16(bytes, 0)?, be16(bytes, 2)?);
        let (mut sequence, mut acknowledged) = (be32(bytes, 4)?, be32(bytes, 8)?);
        let (header, flags, window) =
            (usize::from(bytes.get(12)? >> 4) * 4, *bytes.get(13)?, be16(bytes, 14)?);
        let urgent = be16(bytes, 18)?;
        let data = u32::try_from(length.saturating_sub(header)).unwrap_or(u32::MAX);
        if flags & 0x10 != 0 {
            let numbers = [sequence, acknowledged];
            let base = self.conversations.base((from, source), (to, target), flags & 2 != 0, numbers);
            sequence = sequence.wrapping_sub(base[0]);
            acknowledged = acknowledged.wrapping_sub(base[1]);
        }
        self.add(format_args!("{from}.{source} > {to}.{target}: Flags [{}]", letters(flags)));
        if data > 0 {
            self.add(format_args!(", seq {sequence}:{}", sequence.wrapping_add(data)));
        } else if flags & 7 != 0 {
            self.add(format_args!(", seq {sequence}"));
        }
        if flags & 0x10 != 0 {
            self.add(format_args!(", ack {acknowledged}"));
        }
        self.add(format_args!(", win {window}"));
        if flags & 0x20 != 0 {
            self.add(format_args!(", urg {urgent}"));
        }
        if header > 20 {
            match bytes.get(20..header).and_then(options) {
                Some(options) => self.add(format_args!(", options [{options}]")),
                None => self.add(format_args!(", options [|tcp]")),
            }
        }
        self.add(format_args!(", length {data}"));
        Some(())
    }
}

/// The flags in the order of their bits.
fn letters(flags: u8) -> String {
    let letters: String =
        "FSRP.UEW".chars().enumerate().filter(|(bit, _)| flags & (1 << bit) != 0).map(|(_, c)| c).collect();
    if letters.is_empty() { "none".to_owned() } else { letters }
}

/// TCP's options; `None` if they do not add up.
fn options(mut bytes: &[u8]) -> Option<String> {
    let mut all = Vec::new();
    while let Some(&kind) = bytes.first() {
        if kind < 2 {
            all.push(if kind == 0 { "eol".to_owned() } else { "nop".to_owned() });
            if kind == 0 {
                break;
            }
            bytes = &bytes[1..];
            continue;
        }
        let length = usize::from(*bytes.get(1)?).max(2);
        let value = bytes.get(2..length)?;
        all.push(match (kind, value.len()) {
            (2, 2) => format!("mss {}", be16(value, 0)?),
            (3, 1) => format!("wscale {}", value[0]),
            (4, 0) => "sackOK".to_owned(),
            (5, _) => {
                let edges = value.chunks_exact(8).map(|edge| Some((be32(edge, 0)?, be32(edge, 4)?)));
                let edges = edges.collect::<Option<Vec<_>>>()?;
                let blocks = edges.iter().map(|(left, right)| format!("{{{left}:{right}}}"));
                format!("sack {} {}", edges.len(), blocks.collect::<String>())
            }
            (8, 8) => format!("TS val {} ecr {}", be32(value, 0)?, be32(value, 4)?),
            _ => format!("unknown-{kind}"),
        });
        bytes = &bytes[length..];
    }
    Some(all.join(","))
}
