//! Remote clients: mutual TLS 1.3 over TCP. There is no TCP without it.
//!
//! ```text
//! TcpListener -> accept: handshake within limits -> name -> policy: Caller -> connection
//! SIGHUP      -> Remote::read -> Remote::put: new handshakes; open connections are judged again
//! ```

mod accept;
mod live;
mod material;
mod name;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpSocket};

pub(super) use accept::{Doors, Guest, run};
pub(super) use live::Listed;
pub use material::Error;

use self::{
    live::{Live, Session},
    material::Material,
    name::Identity,
};
use crate::policy::{Caller, Policy, config::Tls};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 256;

/// What remote clients are served with. Clones share it.
#[derive(Debug, Clone)]
pub struct Remote(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    material: RwLock<Arc<Material>>,
    live: Live,
    policy: Policy,
}

/// Files that were read and may be put to use.
#[derive(Debug)]
pub struct Ready(Material);

impl Remote {
    /// Reads the files of the configuration; `None` without an address to listen at.
    ///
    /// # Errors
    /// A sentence with the first file that cannot be used. Without them anybody could call.
    pub fn open(policy: &Policy, addresses: &[SocketAddr]) -> Result<Option<Self>, String> {
        let Some(address) = addresses.first() else { return Ok(None) };
        let material = Material::read(&policy.config().tls).map_err(|error| {
            format!(
                "listening at {address} needs TLS, and that is not complete: {error}. Make certificates (netlabctl \
                 pki) and name them in [tls] of the configuration, or do without: netlabctl --host ssh://USER@HOST"
            )
        })?;
        let material = RwLock::new(Arc::new(material));
        Ok(Some(Self(Arc::new(Shared { material, live: Live::default(), policy: policy.clone() }))))
    }

    /// Reads the files of a new configuration, without using them yet.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn read(&self, tls: &Tls) -> Result<Ready, Error> {
        Material::read(tls).map(Ready)
    }

    /// Uses new files and the policy as it is now. Connections of clients that would not be let in any more,
    /// or would be somebody else or in another role, are ended; the others notice nothing.
    pub fn put(&self, ready: Ready) {
        let material = Arc::new(ready.0);
        *self.0.material.write().unwrap_or_else(PoisonError::into_inner) = material.clone();
        self.0.live.end(|session| self.objection(&material, session));
    }

    fn material(&self) -> Arc<Material> {
        self.0.material.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn objection(&self, material: &Material, session: &Session) -> Option<String> {
        if let Err(error) = material.judge(&session.chain) {
            return Some(error.to_string());
        }
        let address = session.caller.remote.as_ref()?.address;
        match self.caller(&session.chain, address) {
            Ok(caller) if caller == session.caller => None,
            Ok(_) => Some("its rights have changed".to_owned()),
            Err(why) => Some(why),
        }
    }

    /// Who a client is, by a certificate that was verified.
    fn caller(&self, chain: &[CertificateDer<'_>], address: SocketAddr) -> Result<Caller, String> {
        let first = chain.first().ok_or("it has no certificate")?;
        let Identity { name, role } = Identity::of(first)?;
        Ok(self.0.policy.remote(&name, role, address))
    }

    /// Lists a connection that was let in with `material`; refuses it if that has been replaced meanwhile
    /// and the new one objects.
    fn list(&self, session: Session, material: &Arc<Material>) -> Result<Listed, String> {
        let address = session.caller.clone();
        let chain = session.chain.clone();
        let listed = self.0.live.add(session);
        let now = self.material();
        if !Arc::ptr_eq(&now, material) {
            now.judge(&chain).map_err(|error| error.to_string())?;
            let from = address.remote.as_ref().ok_or("it is not remote")?.address;
            if self.caller(&chain, from)? != address {
                return Err("its rights have changed".to_owned());
            }
        }
        Ok(listed)
    }
}

/// Listens at all addresses, also at those that this machine is yet to get: networks come up in their own
/// time.
///
/// # Errors
/// As socket(2), bind(2) and listen(2), with the address.
pub fn listen(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let one = |address: &SocketAddr| {
        let listener = open(*address)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen at {address}: {error}")))?;
        tracing::info!(%address, "remote clients are served, by mutual TLS");
        Ok(listener)
    };
    addresses.iter().map(one).collect()
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    rustix::net::sockopt::set_ip_freebind(&socket, true)?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
