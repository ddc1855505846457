//! Comments of rules, as `nft list ruleset` shows them.

/// The type of a comment in a rule's user data (`NFTNL_UDATA_RULE_COMMENT` in libnftnl/udata.h).
const COMMENT: u8 = 0;

/// Finds the comment in a rule's user data: entries of type, length and value, one byte each for the
/// first two, the text closed by a NUL.
pub(super) fn from_userdata(mut bytes: &[u8]) -> Option<&str> {
    loop {
        let (&kind, &length) = (bytes.first()?, bytes.get(1)?);
        let value = bytes.get(2..2 + usize::from(length))?;
        if kind == COMMENT {
            return std::str::from_utf8(value.strip_suffix(&[0]).unwrap_or(value)).ok();
        }
        bytes = &bytes[2 + value.len()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data() {
        assert_eq!(from_userdata(b"\x00\x03hi\0"), Some("hi"));
        assert_eq!(from_userdata(b"\x01\x01x\x00\x03hi\0"), Some("hi"));
        for bad in [&b""[..], b"\x00", b"\x00\x05hi", b"\x01\x01x", b"\x00\x02\xff\x00"] {
            assert_eq!(from_userdata(bad), None);
        }
    }
}
