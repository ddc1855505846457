//! Who may do what: configuration, callers, ownership, the host's protection, quotas.
//!
//! ```text
//! connection -> peer (the kernel's word) or tls (a certificate's) -> Caller and Role
//! request    -> Policy::access -> Access: may_use (ownership), may_touch (host), room (quota)
//! ```

mod access;
mod address;
mod caller;
pub mod config;
mod counters;
mod denied;
mod host;
mod ids;
mod nss;
mod owner;
mod peer;
mod quota;
mod segments;
mod share;
mod tls;
mod value;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

pub use access::Access;
pub use address::Address;
pub use caller::{ADMINS, Caller, MEMBERS, Remote, Role};
pub use config::{Config, ConfigError};
pub use counters::{Counters, Held};
pub use denied::{Denied, Violation};
pub use ids::{EACH, Ids, Known, overlap};
pub use nss::{group_id, user_name};
pub use owner::Owner;
pub use quota::{Session, Usage};
pub use share::Share;
pub use tls::User;

use share::Shares;

/// The administrator's policy, shared by all that ask; it may be read again while the daemon runs.
#[derive(Debug, Clone)]
pub struct Policy(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The file that was named, or the default one.
    file: PathBuf,
    /// Whether the file must exist.
    named: bool,
    config: RwLock<Arc<Config>>,
    sessions: Counters<(Owner, Session)>,
    captures: Shares,
}

impl Policy {
    /// Reads the configuration: `file`, which must exist if it was `named`.
    pub fn open(file: PathBuf, named: bool) -> Result<Self, ConfigError> {
        let config = RwLock::new(Arc::new(Config::read(&file, named)?));
        Ok(Self(Arc::new(Shared {
            file,
            named,
            config,
            sessions: Counters::default(),
            captures: Shares::default(),
        })))
    }

    /// Reads the file again, without using it yet.
    pub fn read(&self) -> Result<Config, ConfigError> {
        Config::read(&self.0.file, self.0.named)
    }

    /// Uses another configuration from now on.
    pub fn put(&self, config: Config) {
        *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// Who calls by a certificate that was verified: its name, and the role that it speaks of.
    pub fn remote(&self, name: &str, role: Option<Role>, address: SocketAddr) -> Caller {
        self.config().tls.caller(name, role, address)
    }

    /// The configuration as it is now.
    pub fn config(&self) -> Arc<Config> {
        self.0.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a caller may do.
    ///
    /// # Errors
    /// [`Denied::Outsider`] and [`Denied::Unknown`].
    pub fn access(&self, caller: Caller) -> Result<Access, Denied> {
        if caller.role == Role::Outsider {
            return Err(match (&caller.owner, caller.remote) {
                (Owner::Remote(_), Some(remote)) => Denied::Unknown { name: remote.name },
                (owner, _) => Denied::Outsider { uid: owner.uid() },
            });
        }
        Ok(Access::new(caller, self.config()))
    }

    /// How many sessions of all users are under way.
    pub fn under_way(&self, session: Session) -> u64 {
        self.0.sessions.in_use(|(_, counted)| *counted == session)
    }

    /// Memory for a capture of so many interfaces.
    ///
    /// # Errors
    /// [`Denied::Quota`].
    pub fn capture_memory(&self, access: &Access, interfaces: usize) -> Result<Share, Denied> {
        self.0.captures.take(access.caller().owner.clone(), interfaces, access.capture_memory())
    }

    /// How many sessions of a caller are under way.
    pub fn under_way_of(&self, access: &Access, session: Session) -> u64 {
        let key = (access.caller().owner.clone(), session);
        self.0.sessions.in_use(|counted| *counted == key)
    }

    /// Counts a session of a caller until the result is dropped.
    ///
    /// # Errors
    /// [`Denied::Quota`].
    pub fn begin(&self, access: &Access, session: Session) -> Result<Held<(Owner, Session)>, Denied> {
        let key = (access.caller().owner.clone(), session);
        let limit = access.session_limit(session);
        self.0.sessions.take(key, limit).ok_or_else(|| Denied::Quota {
            quota: session.as_str(),
            used: limit.into(),
            asked: 1,
            limit,
        })
    }
}
