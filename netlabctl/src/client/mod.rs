//! The way to the daemon.

mod channel;
mod compatibility;
mod credentials;
mod ssh;
mod tls;
mod unix;

use std::time::Duration;

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
}
