//! The pcapng format (draft-ietf-opsawg-pcapng), as much of it as a capture needs.

use super::socket::Packet;

/// `LINKTYPE_ETHERNET`.
const ETHERNET: u16 = 1;

/// The head of a file: one section, and an interface for each label.
pub(super) fn head(labels: &[String], snapshot_length: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes());
    section.extend(1_u16.to_le_bytes());
    section.extend(0_u16.to_le_bytes());
    // Length of the section: not known.
    section.extend(u64::MAX.to_le_bytes());
    option(&mut section, 4, concat!("netlabd ", env!("CARGO_PKG_VERSION")).as_bytes());
    option(&mut section, 0, &[]);
    block(&mut out, 0x0a0d_0d0a, &section);
    for label in labels {
        let mut interface = Vec::new();
        interface.extend(ETHERNET.to_le_bytes());
        interface.extend([0; 2]);
        interface.extend(snapshot_length.to_le_bytes());
        option(&mut interface, 2, label.as_bytes());
        // if_tsresol: nanoseconds.
        option(&mut interface, 9, &[9]);
        option(&mut interface, 0, &[]);
        block(&mut out, 1, &interface);
    }
    out
}

/// An enhanced packet block.
pub(super) fn packet(out: &mut Vec<u8>, interface: u32, packet: &Packet) {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let mut body = Vec::with_capacity(packet.bytes.len() + 24);
    body.extend(interface.to_le_bytes());
    let [high, low] = [packet.time_ns >> 32, packet.time_ns & 0xffff_ffff];
    for half in [high, low] {
        body.extend(u32::try_from(half).unwrap_or_default().to_le_bytes());
    }
    body.extend(length(packet.bytes.len()).to_le_bytes());
    body.extend(length(packet.length).to_le_bytes());
    body.extend(&packet.bytes);
    pad(&mut body);
    block(out, 6, &body);
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX);
    out.extend(kind.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(body);
    out.extend(length.to_le_bytes());
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend(code.to_le_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(value);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}
