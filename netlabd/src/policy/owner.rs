//! Whose something is.

use std::{fmt, sync::Arc};

use super::nss;

/// What stands for a user id where there is none: no user has it (`(uid_t) -1`, chown(2)).
const NO_UID: u32 = u32::MAX;

/// Whose a lab is, and for whose quotas something counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A user of this machine, by id.
    Local(u32),
    /// A remote client that is no user of this machine, by the name in its certificate.
    Remote(Arc<str>),
}

impl Owner {
    /// From what is kept: a user id, and for remote clients their name.
    pub fn kept(uid: u32, name: &str) -> Self {
        if name.is_empty() { Self::Local(uid) } else { Self::Remote(name.into()) }
    }

    /// The user id; 4,294,967,295 (no user's) for remote clients.
    pub fn uid(&self) -> u32 {
        match self {
            Self::Local(uid) => *uid,
            Self::Remote(_) => NO_UID,
        }
    }

    /// The name of a remote client; empty for users of this machine.
    pub fn remote(&self) -> &str {
        match self {
            Self::Local(_) => "",
            Self::Remote(name) => name,
        }
    }

    /// The name in a sentence: `alice`, `tls:alice`, or `uid 1000` for a user without a name.
    pub fn in_a_word(&self) -> String {
        let name = self.name();
        if name.is_empty() { format!("uid {}", self.uid()) } else { name }
    }

    /// The name, as the API gives it: `alice`, `tls:alice` for a remote client that is no user of this
    /// machine, nothing for a user without a name.
    pub fn name(&self) -> String {
        match self {
            Self::Local(uid) => nss::user_name(*uid).unwrap_or_default(),
            Self::Remote(name) => format!("tls:{name}"),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(uid) => f.write_str(&nss::shown(*uid)),
            Self::Remote(_) => f.write_str(&self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_client_is_no_user_of_its_name() {
        let remote = Owner::Remote("root".into());
        assert_ne!(remote, Owner::Local(0));
        assert_eq!(
            (remote.uid(), remote.name(), remote.to_string()),
            (NO_UID, "tls:root".into(), "tls:root".into())
        );
        assert_eq!(
            (Owner::Local(0).name(), Owner::Local(0).to_string()),
            ("root".into(), "root (uid 0)".into())
        );
    }

    #[test]
    fn what_is_kept_comes_back() {
        for owner in [Owner::Local(0), Owner::Local(1000), Owner::Remote("alice".into())] {
            assert_eq!(Owner::kept(owner.uid(), owner.remote()), owner);
        }
    }
}
