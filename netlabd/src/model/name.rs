//! Names of labs, nodes, interfaces and sysctls, each checked when it is made.

use std::{fmt, str::FromStr};

use netlab_proto::text::is_hidden;

/// Why a name is refused, in words that follow the name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(pub String);

/// Defines a string type whose values have passed `check`.
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), NameError> = $check;
                check(text).map(|()| Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

checked_name! {
    /// Name of a lab: 1 to 40 of `[a-z0-9-]`, first and last one a letter or digit.
    LabName, |text| check_label(text, LabName::MAX)
}

checked_name! {
    /// Name of a node: 1 to 20 of `[a-z0-9-]`, first and last one a letter or digit; not `host`.
    NodeName, |text| {
        if text == "host" {
            return Err(NameError("is reserved for the host itself".into()));
        }
        check_label(text, NodeName::MAX)
    }
}

checked_name! {
    /// Name of a network interface as the kernel takes it (`dev_valid_name` in net/core/dev.c):
    /// 1 to 15 bytes, no '/', ':' or white space, not `.` or `..`. We also refuse `%`, which the
    /// kernel takes for a pattern, characters that cannot be seen, `all` and `default`, which are folders
    /// under `/proc/sys/net/*/conf`, and the names of [fallback devices](is_fallback_device).
    IfName, check_interface
}

checked_name! {
    /// A sysctl of a network namespace by its dotted name, as sysctl(8) writes it: a `/` within
    /// stands for a dot inside a component, as in `net.ipv4.conf.br0/100.rp_filter`.
    SysctlKey, check_sysctl
}

impl LabName {
    /// Longest name in bytes.
    pub const MAX: usize = 40;
}

impl NodeName {
    /// Longest name in bytes.
    pub const MAX: usize = 20;
}

impl IfName {
    /// Longest name in bytes (IFNAMSIZ without the closing NUL).
    pub const MAX: usize = 15;

    /// The loopback interface, which every namespace has.
    pub fn loopback() -> Self {
        Self("lo".into())
    }

    /// Whether it holds only `[A-Za-z0-9_.-]` and begins with no `-`: then no firewall, script or shell of the
    /// host reads it as anything but a name.
    pub fn is_plain(&self) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        self.as_str().bytes().all(plain) && !self.as_str().starts_with('-')
    }
}

impl SysctlKey {
    /// The file below `/proc/sys`, for example `net/ipv4/ip_forward`.
    pub fn path(&self) -> String {
        self.as_str().chars().map(swap_separator).collect()
    }

    /// The interface of which it is a setting: `eth0` in `net.ipv4.conf.eth0.rp_filter`.
    pub fn interface(&self) -> Option<IfName> {
        super::PerInterface::of(self)?.interface()
    }

    /// Makes the key of a file below `/proc/sys`, the inverse of [`SysctlKey::path`].
    pub fn from_path(path: &str) -> Result<Self, NameError> {
        path.chars().map(swap_separator).collect::<String>().parse()
    }
}

/// Devices that tunnel modules make by themselves in each network namespace when they are loaded, where
/// `net.core.fb_tunnels_only_for_init_net` lets them (`net_has_fallback_tunnels` in include/linux/netdevice.h): nobody
/// has made them, and nobody can delete them.
const FALLBACK_DEVICES: [&str; 9] =
    ["tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"];

/// Whether an interface of this name may be there without anybody having made it.
pub fn is_fallback_device(name: &str) -> bool {
    FALLBACK_DEVICES.contains(&name)
}

fn swap_separator(c: char) -> char {
    match c {
        '.' => '/',
        '/' => '.',
        c => c,
    }
}

fn check_label(text: &str, max: usize) -> Result<(), NameError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.is_empty() {
        return Err(NameError("is empty".into()));
    }
    if text.len() > max {
        return Err(NameError(format!("has {} bytes; at most {max} are allowed", text.len())));
    }
    if !text.bytes().all(allowed) {
        return Err(NameError("may hold only a-z, 0-9 and '-'".into()));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(NameError("must begin and end with a letter or digit".into()));
    }
    Ok(())
}

fn check_interface(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError("is empty".into()));
    }
    if text.len() > IfName::MAX {
        return Err(NameError(format!("has {} bytes; the kernel takes at most {}", text.len(), IfName::MAX)));
    }
    if matches!(text, "." | ".." | "all" | "default") {
        return Err(NameError("is not a name that an interface can have".into()));
    }
    if is_fallback_device(text) {
        return Err(NameError(
            "is the name of a device that the kernel makes by itself when it loads a tunnel module; choose another".into(),
        ));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%')) {
        return Err(NameError("may not hold white space, '/', ':', '%' or control characters".into()));
    }
    if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
        let hidden = u32::from(hidden);
        return Err(NameError(format!(
            "holds U+{hidden:04X}, a character that cannot be seen; leave it out"
        )));
    }
    Ok(())
}

fn check_sysctl(text: &str) -> Result<(), NameError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b'@');
    if !text.starts_with("net.") {
        return Err(NameError("is not a sysctl of a network namespace; only net.* can be set".into()));
    }
    if text.len() > 200 || !text.bytes().all(allowed) {
        return Err(NameError("is not the name of a sysctl".into()));
    }
    if text.split(['.', '/']).any(str::is_empty) {
        return Err(NameError("has an empty part".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        assert!("vxlan-2".parse::<LabName>().is_ok());
        for bad in ["", "-a", "a-", "A", "a.b", "a/b", "ü", &"a".repeat(41)] {
            assert!(bad.parse::<LabName>().is_err(), "{bad}");
        }
        assert!("a".repeat(20).parse::<NodeName>().is_ok());
        assert!("a".repeat(21).parse::<NodeName>().is_err());
        assert!("host".parse::<NodeName>().is_err());
    }

    #[test]
    fn interfaces() {
        assert!("br0.100".parse::<IfName>().is_ok());
        for (name, plain) in [("br0.100", true), ("a_b-C", true), (";id", false), ("-a", false), ("ü", false)]
        {
            assert_eq!(name.parse::<IfName>().unwrap().is_plain(), plain, "{name}");
        }
        let hidden = ["a\u{200b}", "\u{202e}0"];
        for bad in
            ["", ".", "..", "a b", "a/b", "a:b", "veth%d", "all", "0123456789abcdef", "tunl0", "ip6_vti0"]
                .into_iter()
                .chain(hidden)
        {
            assert!(bad.parse::<IfName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sysctls() {
        let key: SysctlKey = "net.ipv4.conf.br0/100.rp_filter".parse().unwrap();
        assert_eq!(key.path(), "net/ipv4/conf/br0.100/rp_filter");
        assert_eq!(SysctlKey::from_path(&key.path()).unwrap(), key);
        for (key, name) in [
            ("net.ipv4.conf.br0/100.rp_filter", Some("br0.100")),
            ("net.ipv6.conf.lab0.accept_ra", Some("lab0")),
            ("net.ipv4.conf.all.rp_filter", None),
            ("net.ipv4.conf.default.rp_filter", None),
            ("net.ipv4.ip_forward", None),
            ("net.ipv4.conf.lab0", None),
        ] {
            let found = key.parse::<SysctlKey>().unwrap().interface();
            assert_eq!(found.as_ref().map(IfName::as_str), name, "{key}");
        }
        for bad in ["kernel.core_pattern", "net", "net.", "net..x", "net.../../kernel/x", "net.a b"] {
            assert!(bad.parse::<SysctlKey>().is_err(), "{bad}");
        }
    }
}
