//! A daemon on another machine, by mutual TLS 1.3.

use std::{io, sync::Arc, time::Duration};

use rustls::{AlertDescription, CertificateError, Error as TlsError, pki_types::ServerName};
use tokio::{io::BufReader, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};

use super::{
    channel::{Greeting, greeting, over},
    credentials::Credentials,
};
use crate::error::{Failure, NO_DAEMON, NOT_PERMITTED, USAGE};

/// The port of a URL without one.
pub(crate) const PORT: u16 = 7443;

/// How long the other machine may take to answer, in each of the two steps: TCP and TLS.
const PATIENCE: Duration = Duration::from_secs(10);

/// `host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// Parses what follows `https://`. IPv6 addresses stand in brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':')?)),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Some(PORT), super::port)?;
        ServerName::try_from(host).ok().filter(|_| super::has_one_reading(host))?;
        Some(Self { host: host.to_owned(), port })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The connection, with what was read of it to see that it is one.
type Stream = BufReader<TlsStream<TcpStream>>;

#[derive(Clone)]
struct Dialer {
    address: Address,
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Dialer {
    /// Connects until the daemon has let us in: its first frame comes only then. In TLS 1.3 a client's own
    /// part of the handshake is over before the server has looked at its certificate.
    async fn dial(&self) -> Result<Stream, Failure> {
        let address = &self.address;
        let unreached = |error: &dyn std::fmt::Display| {
            let message = format!(
                "no netlabd reached at {address}: {error}; does it listen there ([tls] listen), and does a firewall \
                 let you through?"
            );
            Failure::new(NO_DAEMON, message)
        };
        let silent =
            || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", PATIENCE.as_secs()));
        let target = (address.host.as_str(), address.port);
        let tcp = timeout(PATIENCE, TcpStream::connect(target)).await.unwrap_or_else(|_| Err(silent()));
        let tcp = tcp.map_err(|error| unreached(&error))?;
        // Keys typed in a shell are small pieces.
        let _ = tcp.set_nodelay(true);
        let answer = async { greeting(self.connector.connect(self.name.clone(), tcp).await?).await };
        match timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(silent())) {
            Ok(Greeting::Settings(stream)) => Ok(stream),
            Ok(Greeting::Closed) => Err(self.refusal(&io::ErrorKind::UnexpectedEof.into())),
            Ok(Greeting::Noise) => Err(Failure::new(NO_DAEMON, self.stranger())),
            Err(error) => Err(self.refusal(&error)),
        }
    }

    /// What is said where another program answers.
    fn stranger(&self) -> String {
        format!("what listens at {} is not netlabd", self.address)
    }

    /// Why there is no connection, in words, and whose refusal it is.
    fn refusal(&self, error: &io::Error) -> Failure {
        let address = &self.address;
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        let (code, message) = match cause {
            Some(TlsError::AlertReceived(alert)) => match objection(*alert) {
                Some(words) => {
                    (NOT_PERMITTED, format!("netlabd at {address} refuses your certificate: {words}"))
                }
                None => (
                    NO_DAEMON,
                    format!("what listens at {address} is no netlabd that can be spoken to: {error}"),
                ),
            },
            Some(TlsError::InvalidCertificate(fault)) => {
                (NO_DAEMON, format!("{address} is not trusted: {}", distrust(fault)))
            }
            Some(_) => (NO_DAEMON, format!("what listens at {address} does not speak TLS 1.3: {error}")),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                (NO_DAEMON, format!("netlabd at {address} closed the connection; its log says why"))
            }
            None => (NO_DAEMON, format!("no netlabd reached at {address}: {error}")),
        };
        Failure::new(code, message)
    }
}

/// What the daemon has against a client's certificate; `None` where the alert speaks of something else.
fn objection(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::CertificateExpired => {
            "it has expired or is not valid yet, by netlabd's clock; ask for a new one"
        }
        AlertDescription::CertificateRevoked => "it is revoked; ask for a new one",
        // A signature that is wrong is that of another authority of the same name.
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "its authority is not known there ([tls] client_ca)"
        }
        AlertDescription::UnsupportedCertificate => "it is not a client's",
        AlertDescription::CertificateRequired => "none was presented",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => "it is not accepted there; netlabd's log says why",
        _ => return None,
    })
}

/// What we have against the daemon's certificate.
fn distrust(fault: &CertificateError) -> String {
    let advice = match fault {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its authority is not the one in the CA file"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "connect by a name or address that is in it, or have it issued for this one"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it must be renewed there",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "are both clocks right?"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not a server's"
        }
        _ => "it is not in order",
    };
    format!("{}; {advice}", TlsError::from(fault.clone()))
}

/// Connects a channel. The first dial is ours, for its error; the channel dials again by itself where the
/// connection broke.
pub(super) async fn connect(
    endpoint: &Endpoint,
    address: Address,
    credentials: &Credentials,
) -> Result<Channel, Failure> {
    let config = credentials.config()?;
    let name = ServerName::try_from(address.host.clone());
    let name = name.map_err(|_| Failure::new(USAGE, format!("{:?} is no host name", address.host)))?;
    let dialer = Dialer { address, connector: TlsConnector::from(Arc::new(config)), name };
    let first = dialer.dial().await?;
    let stranger = dialer.stranger();
    let again = move || {
        let dialer = dialer.clone();
        async move { dialer.dial().await.map_err(|failure| io::Error::other(failure.text())) }
    };
    over(endpoint, first, again, stranger).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let address = |host: &str, port| Some(Address { host: host.to_owned(), port });
        assert_eq!(Address::parse("box"), address("box", PORT));
        assert_eq!(Address::parse("box.example.org:1/"), address("box.example.org", 1));
        assert_eq!(Address::parse("198.18.0.1:2"), address("198.18.0.1", 2));
        assert_eq!(Address::parse("[2001:db8::1]:3"), address("2001:db8::1", 3));
        assert_eq!(Address::parse("[2001:db8::1]").unwrap().to_string(), format!("[2001:db8::1]:{PORT}"));
        for bad in ["", ":1", "box:0", "box:x", "box:70000", "a b", "me@box", "box/path", "[::1]x"] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }
}
