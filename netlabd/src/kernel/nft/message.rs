//! nfnetlink messages as bytes (`linux/netfilter/nfnetlink.h`, `linux/netfilter/nf_tables.h`): just enough to ask
//! for dumps and to read chains and the outside of rules. What stands inside a rule is libnftnl's.

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct nlmsghdr` and `struct nfgenmsg`.
const FIXED: usize = HEADER + 4;
/// The two high bits of an attribute's type are flags (`NLA_TYPE_MASK`).
const TYPE_MASK: u16 = 0x3fff;

/// Types of attributes (`linux/netfilter/nf_tables.h`), under the kernel's own names.
pub(in crate::kernel) mod attr {
    pub(crate) const TABLE_NAME: u16 = 1;
    pub(crate) const TABLE_FLAGS: u16 = 2;
    pub(crate) const CHAIN_TABLE: u16 = 1;
    pub(crate) const CHAIN_NAME: u16 = 3;
    pub(crate) const CHAIN_HOOK: u16 = 4;
    pub(crate) const CHAIN_POLICY: u16 = 5;
    pub(crate) const CHAIN_TYPE: u16 = 7;
    pub(crate) const HOOK_NUMBER: u16 = 1;
    pub(crate) const HOOK_PRIORITY: u16 = 2;
    pub(crate) const HOOK_DEV: u16 = 3;
    pub(crate) const HOOK_DEVS: u16 = 4;
    pub(crate) const RULE_TABLE: u16 = 1;
    pub(crate) const RULE_CHAIN: u16 = 2;
    pub(crate) const RULE_HANDLE: u16 = 3;
    pub(crate) const RULE_EXPRESSIONS: u16 = 4;
    pub(crate) const RULE_USERDATA: u16 = 7;
    pub(crate) const SET_TABLE: u16 = 1;
    pub(crate) const SET_NAME: u16 = 2;
    pub(crate) const SET_FLAGS: u16 = 3;
    pub(crate) const SET_KEY_LENGTH: u16 = 5;
    pub(crate) const SET_DATA_LENGTH: u16 = 7;
    pub(crate) const SET_TIMEOUT: u16 = 11;
    pub(crate) const ELEMENTS: u16 = 3;
    pub(crate) const ELEMENT_KEY: u16 = 1;
    pub(crate) const ELEMENT_DATA: u16 = 2;
    pub(crate) const ELEMENT_FLAGS: u16 = 3;
    pub(crate) const ELEMENT_KEY_END: u16 = 10;
    pub(crate) const GENERATION_ID: u16 = 1;
    pub(crate) const DATA_VALUE: u16 = 1;
    pub(crate) const DATA_VERDICT: u16 = 2;
    pub(crate) const VERDICT_CODE: u16 = 1;
    pub(crate) const VERDICT_CHAIN: u16 = 2;
}

/// The type of a message of the nftables subsystem, for example `libc::NFT_MSG_NEWRULE`.
pub(in crate::kernel) fn nf_tables(kind: i32) -> u16 {
    let kind = u16::try_from(kind).expect("NFT_MSG_* are small");
    u16::try_from(libc::NFNL_SUBSYS_NFTABLES << 8).expect("a subsystem is one byte") | kind
}

/// Builds a message about family inet with string attributes. `res_id` is zero but for the marks that
/// enclose a batch.
pub(super) fn build(kind: u16, flags: i32, seq: u32, res_id: u16, attributes: &[(u16, &str)]) -> Vec<u8> {
    let family = u8::try_from(libc::NFPROTO_INET).expect("a family is one byte");
    build_for(family, kind, flags, seq, res_id, attributes)
}

/// The same about any family (`NFPROTO_*`; 0: all of them).
pub(super) fn build_for(
    family: u8,
    kind: u16,
    flags: i32,
    seq: u32,
    res_id: u16,
    attributes: &[(u16, &str)],
) -> Vec<u8> {
    let flags = u16::try_from(flags | libc::NLM_F_REQUEST).expect("message flags are 16 bits");
    let mut bytes = vec![0; 4];
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(seq.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend([family, 0]);
    bytes.extend(res_id.to_be_bytes());
    for (kind, text) in attributes {
        let length = u16::try_from(text.len() + 5).expect("names are short");
        bytes.extend(length.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(text.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    let length = u32::try_from(bytes.len()).expect("names are short");
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes
}

/// One whole netlink message, header included.
#[derive(Debug, Clone, Copy)]
pub(in crate::kernel) struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    /// All bytes.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The subsystem and type.
    pub(in crate::kernel) fn kind(self) -> u16 {
        u16::from_ne_bytes([self.0[4], self.0[5]])
    }

    /// `NLM_F_*`.
    pub(super) fn flags(self) -> i32 {
        i32::from(u16::from_ne_bytes([self.0[6], self.0[7]]))
    }

    /// The sequence number.
    pub(in crate::kernel) fn seq(self) -> u32 {
        u32::from_ne_bytes([self.0[8], self.0[9], self.0[10], self.0[11]])
    }

    /// What follows the netlink header.
    pub(in crate::kernel) fn payload(self) -> &'a [u8] {
        &self.0[HEADER..]
    }

    /// The family that it is about (`NFPROTO_*`).
    pub(super) fn family(self) -> u8 {
        self.0.get(HEADER).copied().unwrap_or_default()
    }

    /// The value of an attribute.
    pub(in crate::kernel) fn attribute(self, kind: u16) -> Option<&'a [u8]> {
        attribute(self.0.get(FIXED..)?, kind)
    }

    /// The value of a text attribute, without its closing NUL.
    pub(in crate::kernel) fn text(self, kind: u16) -> Option<&'a str> {
        let bytes = self.attribute(kind)?;
        std::str::from_utf8(bytes.strip_suffix(&[0]).unwrap_or(bytes)).ok()
    }

    /// The value of a numeric attribute (big-endian, as all of nftables).
    pub(super) fn number(self, kind: u16) -> Option<u32> {
        number(self.attribute(kind)?)
    }
}

/// The value of the attribute of this type among those in `bytes`.
pub(in crate::kernel) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// Walks over attributes: the type and value of each; stops at the first one that is cut short.
pub(in crate::kernel) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let head: [u8; 4] = *bytes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([head[2], head[3]]) & TYPE_MASK, value))
    })
}

/// A big-endian number of 32 bits.
pub(super) fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Walks over the messages of a datagram; stops at the first one that is cut short.
pub(in crate::kernel) fn split(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
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
    fn what_was_built_can_be_read() {
        let kind = nf_tables(libc::NFT_MSG_GETRULE);
        let mut bytes = build(kind, libc::NLM_F_ACK, 7, 0, &[(attr::RULE_TABLE, "netlab")]);
        bytes.extend(build(kind, 0, 8, 0, &[]));
        let messages: Vec<_> = split(&bytes).collect();
        assert_eq!(messages.iter().map(|message| message.seq()).collect::<Vec<_>>(), [7, 8]);
        assert_eq!(messages[0].text(attr::RULE_TABLE), Some("netlab"));
        assert_eq!(messages[0].flags(), libc::NLM_F_REQUEST | libc::NLM_F_ACK);
        assert_eq!(messages[1].text(attr::RULE_TABLE), None);
    }

    #[test]
    fn damaged_bytes_end_the_walk() {
        let bytes = build(nf_tables(0), 0, 1, 0, &[(1, "netlab")]);
        for end in 0..bytes.len() {
            assert_eq!(split(&bytes[..end]).count(), 0, "{end}");
        }
        assert_eq!(split(&[4, 0, 0, 0, 0, 0, 0, 0]).count(), 0);
        assert!(attribute(&[9, 0, 1, 0, 0], 1).is_none());
    }
}
