//! Where metrics may be asked for: only on this host.

use std::{fmt, net::SocketAddr, path::PathBuf};

use serde::Deserialize;

/// An address that only this host reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A unix socket at this path.
    Unix(PathBuf),
    /// A TCP port of the loopback.
    Tcp(SocketAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// An address, or `off`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(Option<Address>);

impl Listen {
    /// The address; `None` for `off`.
    pub fn address(&self) -> Option<&Address> {
        self.0.as_ref()
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
                return Err(format!("{text:?} names no absolute path; write unix:/run/netlabd/metrics.sock"));
            }
            return Ok(Self(Some(Address::Unix(path.into()))));
        }
        let address = crate::model::address::service(&text).ok_or_else(|| {
            format!("{text:?} is neither off, unix:/PATH nor an address and port such as 127.0.0.1:9469")
        })?;
        if !address.ip().is_loopback() {
            return Err(format!(
                "{text:?} can be reached from elsewhere, and whoever asks for metrics is not asked who they are; \
                 write 127.0.0.1:{0}, [::1]:{0} or unix:/PATH",
                address.port()
            ));
        }
        if address.port() == 0 {
            return Err(format!("{text:?} names no port; write one from 1 to 65535"));
        }
        Ok(Self(Some(Address::Tcp(address))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_host() {
        let listen = |text: &str| Listen::try_from(text.to_owned());
        let address = |text: &str| listen(text).unwrap().address().map(ToString::to_string);
        assert_eq!(address("off"), None);
        for good in ["127.0.0.1:9469", "127.9.9.9:1", "[::1]:9469", "unix:/run/netlabd/metrics.sock"] {
            assert_eq!(address(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "0.0.0.0:9469",
            "[::]:9469",
            "192.0.2.1:9469",
            "[::ffff:127.0.0.1]:9469",
            "127.0.0.1",
            "127.0.0.1:0",
            "localhost:9469",
            "unix:metrics.sock",
            "unix:/",
            "unix:",
            "Off",
            "127.0.0.1:99999",
        ] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }
}
