//! Names of interfaces, as Wireshark lists and gives them back.

use std::fmt::{self, Display, Formatter, Write as _};

/// What all of ours begin with.
const PREFIX: &str = "netlab";

/// An interface of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The context whose daemon has the lab; `None`: the daemon of everyday.
    pub(super) context: Option<String>,
    /// Name of the lab.
    pub(super) lab: String,
    /// Node, or `host`.
    pub(super) node: String,
    /// Interface, or `any`.
    pub(super) interface: String,
}

impl Name {
    /// `netlab:[CONTEXT:]LAB:NODE:INTERFACE`, as displayed; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (context, [lab, node, interface]) = match parts[..] {
            [PREFIX, lab, node, interface] => (None, [lab, node, interface]),
            [PREFIX, context, lab, node, interface] => (Some(plain(context)?), [lab, node, interface]),
            _ => return None,
        };
        Some(Self { context, lab: plain(lab)?, node: plain(node)?, interface: plain(interface)? })
    }

    /// `node:interface`, as a capture is asked for.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.node, self.interface)
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        for part in self.context.iter().chain([&self.lab, &self.node, &self.interface]) {
            write!(f, ":{}", escaped(part))?;
        }
        Ok(())
    }
}

/// Braces would end the value in Wireshark's grammar, and it makes names of files out of it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

fn plain(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_went() {
        let name = |context: Option<&str>, interface: &str| Name {
            context: context.map(str::to_owned),
            lab: "vxlan".to_owned(),
            node: "ns1".to_owned(),
            interface: interface.to_owned(),
        };
        for (given, text) in [
            (name(None, "eth0"), "netlab:vxlan:ns1:eth0"),
            (name(Some("box"), "br0.100"), "netlab:box:vxlan:ns1:br0.100"),
            (name(Some("my box:2/ü"), "{a}%"), "netlab:my%20box%3a2%2f%c3%bc:vxlan:ns1:%7ba%7d%25"),
        ] {
            assert_eq!(given.to_string(), text);
            assert_eq!(Name::parse(text), Some(given));
        }
        for bad in [
            "",
            "eth0",
            "netlab:a:b",
            "netlab:a:b:c:d:e",
            "other:a:b:c",
            "netlab:a:b:%",
            "netlab:a::c",
            "netlab:a:b:%zz",
            "netlab:a:b:%ff",
        ] {
            assert_eq!(Name::parse(bad), None, "{bad}");
        }
    }
}
