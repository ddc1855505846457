//! The pcapng format (draft-ietf-opsawg-pcapng), as much of it as a capture needs.

use super::{ring::Packet, socket::LinkType};

/// Counts of one interface since the capture began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// Packets that passed the filter, whether kept or dropped.
    pub(super) received: u64,
    /// Packets that did not fit the kernel's buffer.
    pub(super) dropped: u64,
}

/// The section header, the begin of a file.
pub(super) fn head() -> Vec<u8> {
    let mut out = Vec::new();
    block(&mut out, 0x0a0d_0d0a, |section| {
        section.extend(0x1a2b_3c4d_u32.to_le_bytes());
        section.extend(1_u16.to_le_bytes());
        section.extend(0_u16.to_le_bytes());
        // Length of the section: not known.
        section.extend(u64::MAX.to_le_bytes());
        option(section, 4, concat!("netlabd ", env!("CARGO_PKG_VERSION")).as_bytes());
        option(section, 0, &[]);
    });
    out
}

/// The description of the next interface; packets name it by its number in the file.
pub(super) fn interface(out: &mut Vec<u8>, label: &str, link: LinkType, snapshot_length: u32, filter: &str) {
    block(out, 1, |interface| {
        interface.extend(link.link_type().to_le_bytes());
        interface.extend([0; 2]);
        interface.extend(snapshot_length.to_le_bytes());
        option(interface, 2, label.as_bytes());
        // if_tsresol: nanoseconds.
        option(interface, 9, &[9]);
        if !filter.is_empty() {
            // 0: a filter of libpcap, as text.
            option(interface, 11, &[&[0], filter.as_bytes()].concat());
        }
        option(interface, 0, &[]);
    });
}

/// An enhanced packet block. The 802.1Q tag, which the kernel keeps beside the packet, is put back.
pub(super) fn packet(out: &mut Vec<u8>, interface: u32, packet: &Packet<'_>, snapshot_length: u32) {
    let tag = packet.tag.as_ref().filter(|_| packet.bytes.len() >= 12).map_or(&[][..], |tag| &tag[..]);
    let (before, after) = packet.bytes.split_at(if tag.is_empty() { 0 } else { 12 });
    let kept = length(packet.bytes.len() + tag.len()).min(snapshot_length);
    block(out, 6, |body| {
        body.extend(interface.to_le_bytes());
        stamp(body, packet.time_ns);
        body.extend(kept.to_le_bytes());
        body.extend(packet.length.saturating_add(length(tag.len())).to_le_bytes());
        let start = body.len();
        body.extend(before);
        body.extend(tag);
        body.extend(after);
        body.truncate(start + kept as usize);
        pad(body);
    });
}

/// An interface statistics block. As dumpcap(1) has it, what the kernel dropped is `isb_ifdrop`: that
/// is what readers show.
pub(super) fn statistics(out: &mut Vec<u8>, interface: u32, start_ns: u64, now_ns: u64, counts: Counts) {
    block(out, 5, |body| {
        body.extend(interface.to_le_bytes());
        stamp(body, now_ns);
        for (code, time) in [(2, start_ns), (3, now_ns)] {
            let mut value = Vec::with_capacity(8);
            stamp(&mut value, time);
            option(body, code, &value);
        }
        option(body, 4, &counts.received.to_le_bytes());
        option(body, 5, &counts.dropped.to_le_bytes());
        option(body, 0, &[]);
    });
}

/// A time: its higher half, then its lower.
fn stamp(out: &mut Vec<u8>, time_ns: u64) {
    for half in [time_ns >> 32, time_ns & 0xffff_ffff] {
        out.extend(u32::try_from(half).unwrap_or_default().to_le_bytes());
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A block: its length stands before and after the body.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    let total = length(out.len() - start + 4).to_le_bytes();
    out[start + 4..start + 8].copy_from_slice(&total);
    out.extend(total);
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend(code.to_le_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(value);
    pad(out);
}

/// All parts begin at multiples of four, so the whole does.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(bytes: &[u8], tag: Option<[u8; 4]>, snapshot_length: u32) -> Vec<u8> {
        let mut out = Vec::new();
        let captured =
            Packet { time_ns: 1 << 32 | 7, tag, bytes, length: length(bytes.len()), index: 2, hardware: 1 };
        packet(&mut out, 3, &captured, snapshot_length);
        assert_eq!(out.len() % 4, 0);
        let total = length(out.len()).to_le_bytes();
        assert_eq!((&out[4..8], &out[out.len() - 4..]), (&total[..], &total[..]));
        assert_eq!(out[8..20], [3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0]);
        out[20..out.len() - 4].to_vec()
    }

    #[test]
    fn a_tag_goes_behind_the_addresses() {
        let frame: Vec<u8> = (0..14).collect();
        let plain = kept(&frame, None, 100);
        assert_eq!(plain[..8], [14, 0, 0, 0, 14, 0, 0, 0]);
        assert_eq!(plain[8..22], frame[..]);
        let tagged = kept(&frame, Some([0x81, 0, 0, 100]), 100);
        assert_eq!(tagged[..8], [18, 0, 0, 0, 18, 0, 0, 0]);
        assert_eq!(tagged[8..26], [&frame[..12], &[0x81, 0, 0, 100], &frame[12..]].concat());
        let cut = kept(&frame, Some([0x81, 0, 0, 100]), 14);
        assert_eq!(cut[..8], [14, 0, 0, 0, 18, 0, 0, 0]);
        assert_eq!(kept(&frame[..5], Some([0x81, 0, 0, 100]), 100)[8..13], frame[..5]);
    }
}
