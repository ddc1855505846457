//! nfnetlink messages as bytes (`linux/netfilter/nfnetlink.h`, `linux/netfilter/nf_tables.h`): just enough to ask
//! for dumps and to read chains and the outside of rules. What stands inside a rule is libnftnl's.

use super::super::netlink::Message;

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

/// What messages of nftables have beside others.
pub(super) trait OfNftables {
    /// The family that it is about (`NFPROTO_*`).
    fn family(self) -> u8;

    /// The value of a numeric attribute (big-endian, as all of nftables).
    fn number(self, kind: u16) -> Option<u32>;
}

impl OfNftables for Message<'_> {
    fn family(self) -> u8 {
        self.payload().first().copied().unwrap_or_default()
    }

    fn number(self, kind: u16) -> Option<u32> {
        number(self.attribute(kind)?)
    }
}

/// A big-endian number of 32 bits.
pub(super) fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{super::super::netlink::split, *};

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
}
