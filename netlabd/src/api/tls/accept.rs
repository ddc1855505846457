//! Handshakes: few at a time, each with little time, before anybody has proven who they are.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Listed, Remote, live::Session};
use crate::policy::{Caller, Counters};

/// Handshakes under way at once: of all, and of one address (for IPv6: of one /64).
const HANDSHAKES: (usize, u32) = (256, 16);

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long, and how many bytes, a refused client is listened to, so that it can read why.
const FAREWELL: (Duration, u64) = (Duration::from_secs(2), 64 << 10);

/// How long to wait after an accept that failed, for example for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What bounds the clients that are not known yet. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::api) struct Doors {
    all: Arc<Semaphore>,
    each: Counters<IpAddr>,
}

impl Default for Doors {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(HANDSHAKES.0)), each: Counters::default() }
    }
}

/// A client that has proven who it is.
pub(in crate::api) struct Guest {
    pub(in crate::api) stream: TlsStream<TcpStream>,
    pub(in crate::api) caller: Caller,
    pub(in crate::api) listed: Listed,
}

/// Accepts at one address and gives each client that has proven who it is to `welcome`.
pub(in crate::api) async fn run<F>(
    listener: TcpListener,
    remote: Remote,
    doors: Doors,
    welcome: impl Fn(Guest) -> F + Clone + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a remote client's connection cannot be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Beyond the limits the socket is closed at once: a queue would be full of those who only wait.
        let Ok(slot) = doors.all.clone().try_acquire_owned() else {
            tracing::warn!(from = %address, "too many handshakes at once");
            continue;
        };
        let Some(share) = doors.each.take(network(address.ip()), HANDSHAKES.1) else {
            tracing::warn!(from = %address, "too many handshakes at once from there");
            continue;
        };
        let (remote, welcome) = (remote.clone(), welcome.clone());
        tokio::spawn(async move {
            let guest = timeout(HANDSHAKE, handshake(stream, address, &remote)).await;
            drop((slot, share));
            match guest.unwrap_or_else(|_| Err(format!("no handshake within {} s", HANDSHAKE.as_secs()))) {
                Ok(guest) => welcome(guest).await,
                Err(why) => tracing::warn!(from = %address, why, "a remote client is refused"),
            }
        });
    }
}

async fn handshake(stream: TcpStream, address: SocketAddr, remote: &Remote) -> Result<Guest, String> {
    // Commands' output is many small pieces.
    let _ = stream.set_nodelay(true);
    let material = remote.material();
    let accepted = TlsAcceptor::from(material.server.clone()).accept(stream).into_fallible().await;
    let mut stream = match accepted {
        Ok(stream) => stream,
        Err((error, stream)) => {
            farewell(stream).await;
            return Err(error.to_string());
        }
    };
    let guest = identify(&stream, address, remote, &material);
    match guest {
        Ok((caller, listed)) => Ok(Guest { stream, caller, listed }),
        Err(why) => {
            let _ = stream.shutdown().await;
            Err(why)
        }
    }
}

fn identify(
    stream: &TlsStream<TcpStream>,
    address: SocketAddr,
    remote: &Remote,
    material: &Arc<super::Material>,
) -> Result<(Caller, Listed), String> {
    let (socket, state) = stream.get_ref();
    let chain: Vec<_> =
        state.peer_certificates().unwrap_or_default().iter().map(|der| der.clone().into_owned()).collect();
    let caller = remote.caller(&chain, address)?;
    let session = Session::new(socket, chain, caller.clone()).map_err(|error| error.to_string())?;
    Ok((caller, remote.list(session, material)?))
}

/// Closes a refused connection. Were it closed with something unread, the kernel would reset it, and the
/// client would not see the alert that says why.
async fn farewell(mut stream: TcpStream) {
    let listen = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(FAREWELL.1), &mut tokio::io::sink()).await
    };
    let _: Result<io::Result<u64>, _> = timeout(FAREWELL.0, listen).await;
}

/// What counts as one place: whoever has an IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_place() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("198.18.0.1"), "198.18.0.1");
        assert_eq!(network("::ffff:198.18.0.1"), "198.18.0.1");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
