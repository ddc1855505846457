//! Our rules' comments: the rule in words, which `nft list ruleset` shows and which tells us what the rule
//! was made for.

use crate::model::{Masquerade, NatRule, PortForward};

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

/// The rule that a comment speaks of: the inverse of `NatRule`'s `Display`.
pub(super) fn parse(text: &str) -> Option<NatRule> {
    if text == NatRule::LeaveBridged.to_string() {
        return Some(NatRule::LeaveBridged);
    }
    let mut words = text.split(' ');
    let rule = match words.next()? {
        "masquerade" => NatRule::Masquerade(parse_masquerade(words)?),
        "forward" => NatRule::PortForward(parse_forward(words)?),
        _ => return None,
    };
    (rule.to_string() == text).then_some(rule)
}

fn parse_masquerade<'a>(words: impl Iterator<Item = &'a str>) -> Option<Masquerade> {
    let mut words = words.peekable();
    let source = match words.next_if_eq(&"source") {
        Some(_) => Some(words.next()?.parse().ok()?),
        None => None,
    };
    let out_interface = match words.next_if_eq(&"out") {
        Some(_) => Some(words.next()?.parse().ok()?),
        None => None,
    };
    Some(Masquerade { source, out_interface })
}

fn parse_forward<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<PortForward> {
    let protocol = words.next()?.parse().ok()?;
    let port = words.nth(1)?.parse().ok()?;
    let to = words.nth(1)?.parse().ok()?;
    let in_interface = match words.next() {
        Some(_) => Some(words.next()?.parse().ok()?),
        None => None,
    };
    Some(PortForward { protocol, port, to, in_interface })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_write_we_can_read() {
        for text in [
            "leave what only crosses a bridge",
            "masquerade",
            "masquerade source 192.0.2.0/24",
            "masquerade out eth0",
            "masquerade source 2001:db8::/32 out out",
            "forward tcp port 8080 to 192.0.2.1:80",
            "forward udp port 53 to [2001:db8::1]:53 in in",
        ] {
            assert_eq!(parse(text).map(|rule| rule.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_others_write_is_not_ours() {
        for text in [
            "",
            "hello",
            "leave what only crosses",
            "masquerade ",
            "masquerade source",
            "masquerade source 192.0.2.0/33",
            "masquerade out eth0 source 192.0.2.0/24",
            "masquerade source 192.0.2.0/24 more",
            "forward",
            "forward sctp port 1 to 192.0.2.1:80",
            "forward tcp port 70000 to 192.0.2.1:80",
            "forward tcp door 1 to 192.0.2.1:80",
            "forward tcp port 1 to 192.0.2.1:80 in",
            "forward tcp port 01 to 192.0.2.1:80",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn user_data() {
        assert_eq!(from_userdata(b"\x00\x03hi\0"), Some("hi"));
        assert_eq!(from_userdata(b"\x01\x01x\x00\x03hi\0"), Some("hi"));
        for bad in [&b""[..], b"\x00", b"\x00\x05hi", b"\x01\x01x", b"\x00\x02\xff\x00"] {
            assert_eq!(from_userdata(bad), None);
        }
    }
}
