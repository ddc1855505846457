//! Messages of netlink as bytes (`linux/netlink.h`): taken apart, whatever protocol they are of.

/// `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;
/// The same, and the 4 bytes that nfnetlink (`struct nfgenmsg`) and generic netlink (`struct genlmsghdr`) put before
/// attributes.
const FIXED: usize = HEADER + 4;
/// The two high bits of an attribute's type are flags (`NLA_TYPE_MASK`).
const TYPE_MASK: u16 = 0x3fff;

/// One whole netlink message, header included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    /// All bytes.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The subsystem and type.
    pub(super) fn kind(self) -> u16 {
        u16::from_ne_bytes([self.0[4], self.0[5]])
    }

    /// `NLM_F_*`.
    pub(super) fn flags(self) -> i32 {
        i32::from(u16::from_ne_bytes([self.0[6], self.0[7]]))
    }

    /// The sequence number.
    pub(super) fn seq(self) -> u32 {
        u32::from_ne_bytes([self.0[8], self.0[9], self.0[10], self.0[11]])
    }

    /// What follows the netlink header.
    pub(super) fn payload(self) -> &'a [u8] {
        &self.0[HEADER..]
    }

    /// The value of an attribute.
    pub(super) fn attribute(self, kind: u16) -> Option<&'a [u8]> {
        attribute(self.0.get(FIXED..)?, kind)
    }

    /// The value of a text attribute, without its closing NUL.
    pub(super) fn text(self, kind: u16) -> Option<&'a str> {
        let bytes = self.attribute(kind)?;
        std::str::from_utf8(bytes.strip_suffix(&[0]).unwrap_or(bytes)).ok()
    }
}

/// The value of the attribute of this type among those in `bytes`.
pub(super) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// Walks over attributes: the type and value of each; stops at the first one that is cut short.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let head: [u8; 4] = *bytes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([head[2], head[3]]) & TYPE_MASK, value))
    })
}

/// Walks over the messages of a datagram; stops at the first one that is cut short.
pub(super) fn split(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let message = bytes.get(..length).filter(|message| message.len() >= HEADER)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message(message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_bytes_end_the_walk() {
        let attribute_of = [&11_u16.to_ne_bytes()[..], &1_u16.to_ne_bytes(), b"netlab\0\0"].concat();
        let mut bytes = vec![0; FIXED];
        bytes.extend(attribute_of);
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        assert_eq!(split(&bytes).next().and_then(|message| message.text(1)), Some("netlab"));
        for end in 0..bytes.len() {
            assert_eq!(split(&bytes[..end]).count(), 0, "{end}");
        }
        assert_eq!(split(&[4, 0, 0, 0, 0, 0, 0, 0]).count(), 0);
        assert!(attribute(&[9, 0, 1, 0, 0], 1).is_none());
    }
}
