//! Words of commands that are printed for people to run.
//!
//! A lab's author, and whoever is root in a lab, choose names and values that end up in such commands:
//! the kernel takes nearly any byte in an interface's name. Whatever is printed to be run goes through
//! [`word`], so that a POSIX shell (XCU 2.2, "Quoting") reads the word that was meant and nothing else.

use std::{borrow::Cow, fmt::Write};

/// A word as a POSIX shell must be told it.
///
/// Plain words stay as they are. Others stand in single quotes, in which a shell changes nothing. What would
/// steer a terminal, or hide or turn round what stands beside it, is written by printf(1) in octal.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = must_be_escaped(first);
        let length = rest.find(|c| must_be_escaped(c) != hidden).unwrap_or(rest.len());
        let (part, after) = rest.split_at(length);
        if hidden {
            out.push_str("\"$(printf '");
            for byte in part.bytes() {
                write!(out, "\\{byte:03o}").expect("strings take all");
            }
            out.push_str("')\"");
        } else {
            write!(out, "'{}'", part.replace('\'', r"'\''")).expect("strings take all");
        }
        rest = after;
    }
    if out.is_empty() { Cow::Borrowed("''") } else { Cow::Owned(out) }
}

/// Whether a character is not fit to be shown: it steers terminals, is invisible or changes the order of
/// others. A line feed is none: a command substitution would lose it, and quotes keep it.
fn must_be_escaped(c: char) -> bool {
    c != '\n' && netlab_proto::text::is_hidden(c)
}

/// Whether a name can be told from the words of ip(8) and nft(8) without a word before it: it ends with a
/// digit, as names of interfaces do and keywords do not, or it is `lo`.
///
/// ip(8) takes any beginning of a keyword for the keyword: `ip link set a up` sets an address.
pub(crate) fn is_no_keyword(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let keyword = ["ip", "icmp"].iter().any(|word| name.starts_with(word));
    name == "lo"
        || name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.ends_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(plain)
            && !keyword
}

/// An interface's name in a rule, as nft(8) must be told it: in quotes, which nothing can leave, as nft knows
/// no way to write a quotation mark, nor `\\*` at the end. An asterisk there would stand for any end.
pub(crate) fn nft_name(name: &str) -> String {
    match name.strip_suffix('*') {
        Some(before) => format!("\"{before}\\*\""),
        None => format!("\"{name}\""),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn words_are_quoted_where_they_must_be() {
        for plain in ["eth0", "net.ipv4.conf.br0/100.rp_filter=1", "2001:db8::1/64", "-x", "a,b"] {
            assert_eq!(word(plain), plain);
        }
        assert_eq!(word(""), "''");
        assert_eq!(word("1 2"), "'1 2'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word("x;id>y"), "'x;id>y'");
        assert_eq!(word("a\u{1b}b"), r#"'a'"$(printf '\033')"'b'"#);
        assert_eq!(word("\u{202e}"), r#""$(printf '\342\200\256')""#);
        assert_eq!(word("~root"), "'~root'");
    }

    #[test]
    fn a_shell_reads_the_word_that_was_meant() {
        let all: String = (1..0x300_u32).filter_map(char::from_u32).collect();
        let marks = "\u{200b}\u{202e}\u{2066}\u{feff}\u{2028}";
        let words = [
            "", "a b", "'", "''", "\\", "\"", "$(id)", "`id`", "${IFS}", "*", "~", "#x", "!!", "&", "a\nb",
            "\n", "x\n\n", "-n", "%s", "=", "\t\r", "{a,b}", "[x]", marks, &all,
        ];
        for text in words {
            let script = format!("printf %s {}", word(text));
            let said = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&said.stdout), text, "{script}");
            assert!(said.stderr.is_empty(), "{script}: {}", String::from_utf8_lossy(&said.stderr));
        }
    }

    #[test]
    fn what_is_shown_is_one_line_of_printable_text() {
        let text = word("a\u{7}b\u{9b}c\u{202e}d\u{7f}");
        assert!(text.chars().all(|c| !netlab_proto::text::is_hidden(c)), "{text}");
    }

    #[test]
    fn names_that_are_keywords() {
        for name in ["eth0", "lo", "br0.100", "ns1-veth0", "l0-1"] {
            assert!(is_no_keyword(name), "{name}");
        }
        for name in ["a", "h", "up", "dev", "type", "ip6", "1", "", "x;0", "-0", "eth", "ü0", "icmpv6"] {
            assert!(!is_no_keyword(name), "{name}");
        }
    }

    #[test]
    fn names_in_rules() {
        assert_eq!(nft_name("eth0"), "\"eth0\"");
        assert_eq!(nft_name("e*h"), "\"e*h\"");
        assert_eq!(nft_name("e*"), "\"e\\*\"");
    }
}
