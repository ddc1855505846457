//! The way to the daemon.

mod channel;
mod compatibility;
mod credentials;
mod ssh;
mod tls;
mod unix;

use std::{net::Ipv4Addr, time::Duration};

use netlab_proto::v1::{
    host_service_client::HostServiceClient, lab_service_client::LabServiceClient,
    node_service_client::NodeServiceClient,
};
use tonic::transport::{Channel, Endpoint};

pub(crate) use self::{
    compatibility::Unknown,
    credentials::{Credentials, private},
};
use crate::error::{Failure, USAGE, set_place};

/// Largest answer that is read in bytes; a status with its spec is a few times a lab file.
const LARGEST_ANSWER: usize = 64 << 20;

/// How often a silent daemon on another machine is asked whether it lives, and how long it may take to answer.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// A daemon, and what is needed to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Daemon {
    /// The URL.
    pub(crate) url: String,
    /// What https needs.
    pub(crate) credentials: Credentials,
    /// Whether ssh may ask for a password, where it can.
    pub(crate) asks: bool,
}

/// A connection to a daemon. Cloning is cheap and shares it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    channel: Channel,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Exit code 2 for a URL that is not understood, 3 where nobody answers, 6 where the socket's
    /// permissions refuse or the daemon does not like our certificate.
    pub(crate) async fn connect(daemon: Daemon) -> Result<Self, Failure> {
        let host = Host::parse(&daemon.url)?;
        let endpoint = Endpoint::from_static("http://localhost")
            .user_agent(concat!("netlabctl/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| Failure::new(USAGE, error.to_string()))?;
        // Another machine may go away without a word.
        let far = endpoint.clone().http2_keep_alive_interval(KEEPALIVE).keep_alive_timeout(KEEPALIVE);
        let channel = match host {
            Host::Unix(path) => unix::connect(&endpoint, path).await?,
            Host::Ssh(target) => {
                set_place(daemon.url);
                ssh::connect(&far, target.asking(daemon.asks)).await?
            }
            Host::Https(address) => {
                set_place(daemon.url);
                tls::connect(&far, address, &daemon.credentials).await?
            }
        };
        Ok(Self { channel })
    }

    /// Labs.
    pub(crate) fn labs(&self) -> LabServiceClient<Channel> {
        LabServiceClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// What can be done in nodes.
    pub(crate) fn nodes(&self) -> NodeServiceClient<Channel> {
        NodeServiceClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }

    /// The host.
    pub(crate) fn host(&self) -> HostServiceClient<Channel> {
        HostServiceClient::new(self.channel.clone()).max_decoding_message_size(LARGEST_ANSWER)
    }
}

/// Where the daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// A socket of this machine.
    Unix(String),
    /// Another machine, by ssh(1).
    Ssh(ssh::Target),
    /// Another machine, by TLS.
    Https(tls::Address),
}

/// Whether a host's name has one reading: where its last part is a number it is an IPv4 address (URL Standard, 3.5),
/// and not one of those that only `inet_aton(3)` takes, where `010` is 8 and `127.1` is 127.0.0.1.
fn has_one_reading(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let hex = last.to_ascii_lowercase();
    let hex = hex.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let number = hex || (!last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()));
    !number || host.parse::<Ipv4Addr>().is_ok()
}

/// A TCP port as everybody reads it: no sign, and no zeros before it.
fn port(text: &str) -> Option<u16> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

impl Host {
    fn parse(url: &str) -> Result<Self, Failure> {
        if let Some(path) = url.strip_prefix("unix://") {
            if path.starts_with('/') && path.len() > 1 {
                return Ok(Self::Unix(path.to_owned()));
            }
            let message = format!("--host {url}: a unix URL names an absolute path, unix:///path");
            return Err(Failure::new(USAGE, message));
        }
        if let Some(target) = url.strip_prefix("ssh://") {
            return ssh::Target::parse(target).map(Self::Ssh).ok_or_else(|| {
                Failure::new(USAGE, format!("--host {url}: expected ssh://[user@]host[:port]"))
            });
        }
        if let Some(address) = url.strip_prefix("https://") {
            return tls::Address::parse(address)
                .map(Self::Https)
                .ok_or_else(|| Failure::new(USAGE, format!("--host {url}: expected https://host[:port]")));
        }
        let message =
            format!("--host {url}: expected unix:///path, https://host[:port] or ssh://[user@]host[:port]");
        Err(Failure::new(USAGE, message))
    }

    /// The path of a local socket.
    fn local(url: &str) -> Result<String, Failure> {
        match Self::parse(url)? {
            Self::Unix(path) => Ok(path),
            Self::Ssh(_) | Self::Https(_) => {
                Err(Failure::new(USAGE, "dial-stdio reaches a local socket only"))
            }
        }
    }
}

/// Whether a URL says where a daemon could be.
///
/// # Errors
/// Exit code 2.
pub(crate) fn check(url: &str) -> Result<(), Failure> {
    Host::parse(url).map(drop)
}

/// Joins stdin and stdout to the local socket: the far side of `ssh://`.
pub(crate) async fn dial_stdio(url: &str) -> Result<(), Failure> {
    let path = Host::local(url)?;
    let stream = unix::dial(&path).await?;
    let (mut from_daemon, mut to_daemon) = stream.into_split();
    let mut stdin = tokio::io::stdin();
    let mut stdout = tokio::io::stdout();
    // Either end closes the whole: there is one connection and nothing is half of it.
    tokio::select! {
        done = tokio::io::copy(&mut stdin, &mut to_daemon) => done?,
        done = tokio::io::copy(&mut from_daemon, &mut stdout) => done?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_the_daemon_is() {
        assert_eq!(Host::parse("unix:///run/x.sock"), Ok(Host::Unix("/run/x.sock".to_owned())));
        assert!(matches!(Host::parse("https://box:1"), Ok(Host::Https(_))));
        assert!(matches!(Host::parse("ssh://me@box:2222"), Ok(Host::Ssh(_))));
        for bad in ["", "unix://", "unix://x", "tcp://h:1", "ssh://", "https://", "http://h:1", "/run/x.sock"]
        {
            assert_eq!(Host::parse(bad).map_err(|failure| failure.code), Err(USAGE), "{bad}");
        }
    }

    #[test]
    fn addresses_and_ports_have_one_reading() {
        for good in ["192.0.2.1", "box", "box.example.org", "8.example", "10.0.0.1.example.org", "0x.example"]
        {
            for scheme in ["ssh", "https"] {
                assert!(Host::parse(&format!("{scheme}://{good}:22")).is_ok(), "{scheme}://{good}");
            }
        }
        for bad in [
            "192.0.2.010",
            "192.0.2.08",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "192.0.2.0x1",
            "192.0.2.1.",
            "box:022",
            "box:+22",
            "box:0",
            "[2001:db8::1]:022",
            "[::ffff:192.0.2.01]",
        ] {
            for scheme in ["ssh", "https"] {
                assert!(Host::parse(&format!("{scheme}://{bad}")).is_err(), "{scheme}://{bad}");
            }
        }
    }
}
