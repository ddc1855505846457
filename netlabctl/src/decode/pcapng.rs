//! A pcapng stream (draft-ietf-opsawg-pcapng) as netlabd writes it: little endian.

/// Longest block that is taken for one.
const LONGEST: usize = 16 << 20;

/// The stream is no pcapng.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("netlabd sent what is no pcapng; upgrade netlabctl or netlabd, so that their versions agree")]
pub(crate) struct Malformed;

/// What packets of an interface begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkType {
    /// `LINKTYPE_ETHERNET`.
    Ethernet,
    /// `LINKTYPE_RAW`: an IP header.
    Ip,
    /// Something else, by its number.
    Other(u16),
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    /// Nanoseconds since 1970.
    pub(super) time_ns: u64,
    /// Where it was seen.
    pub(super) interface: String,
    /// What it begins with.
    pub(super) link: LinkType,
    /// What was kept of it.
    pub(super) bytes: Vec<u8>,
    /// How long it was.
    pub(super) length: u32,
}

/// Takes the stream apart, in whatever pieces it comes.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pending: Vec<u8>,
    /// How much of `pending` is read.
    read: usize,
    interfaces: Vec<Interface>,
}

#[derive(Debug)]
struct Interface {
    link: LinkType,
    name: String,
    /// Units of its times in a second.
    units: u64,
}

impl Reader {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.drain(..self.read);
        self.read = 0;
        self.pending.extend(bytes);
    }

    /// The next packet; `None` until more comes.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, Malformed> {
        loop {
            let rest = &self.pending[self.read..];
            let (Some(kind), Some(length)) = (le32(rest, 0), le32(rest, 4)) else { return Ok(None) };
            let length = length as usize;
            if !(12..=LONGEST).contains(&length) || !length.is_multiple_of(4) {
                return Err(Malformed);
            }
            let Some(block) = rest.get(..length) else { return Ok(None) };
            let packet = match (kind, &block[8..length - 4]) {
                (0x0a0d_0d0a, body) if le32(body, 0) != Some(0x1a2b_3c4d) => return Err(Malformed),
                (0x0a0d_0d0a, _) => {
                    self.interfaces.clear();
                    None
                }
                (1, body) => {
                    self.interfaces.push(interface(body).ok_or(Malformed)?);
                    None
                }
                (6, body) => Some(packet(body, &self.interfaces).ok_or(Malformed)?),
                _ => None,
            };
            self.read += length;
            if packet.is_some() {
                return Ok(packet);
            }
        }
    }
}

fn interface(body: &[u8]) -> Option<Interface> {
    let link = match le16(body, 0)? {
        1 => LinkType::Ethernet,
        101 => LinkType::Ip,
        other => LinkType::Other(other),
    };
    let mut interface = Interface { link, name: "?".to_owned(), units: 1_000_000 };
    let mut options = body.get(8..)?;
    while let (Some(code), Some(length)) = (le16(options, 0), le16(options, 2)) {
        let length = usize::from(length);
        let value = options.get(4..4 + length)?;
        match (code, value) {
            (0, _) => break,
            (2, name) => interface.name = String::from_utf8_lossy(name).into_owned(),
            (9, [power @ 0..=9]) => interface.units = 10_u64.pow(u32::from(*power)),
            _ => {}
        }
        options = options.get(4 + length.next_multiple_of(4)..)?;
    }
    Some(interface)
}

fn packet(body: &[u8], interfaces: &[Interface]) -> Option<Packet> {
    let interface = interfaces.get(le32(body, 0)? as usize)?;
    let time = u64::from(le32(body, 4)?) << 32 | u64::from(le32(body, 8)?);
    let kept = le32(body, 12)? as usize;
    Some(Packet {
        time_ns: time.saturating_mul(1_000_000_000 / interface.units),
        interface: interface.name.clone(),
        link: interface.link,
        bytes: body.get(20..20 + kept)?.to_vec(),
        length: le32(body, 16)?,
    })
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
