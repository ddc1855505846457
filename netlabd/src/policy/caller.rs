//! Who calls, and in which role.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::net::UnixStream;

use super::{nss, owner::Owner, peer};

/// The group whose members may use netlabd.
pub const MEMBERS: &str = "netlab";

/// The group whose members may do everything.
pub const ADMINS: &str = "netlab-admin";

/// What a caller is to netlabd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Root, or in group `netlab-admin`: may do everything.
    Admin,
    /// In group `netlab`: has labs of their own.
    Member,
    /// Anyone else: is refused.
    Outsider,
}

impl Role {
    /// Its name in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Outsider => "outsider",
        }
    }

    /// From the word for it in certificates and the configuration.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "admin" => Some(Self::Admin),
            "member" => Some(Self::Member),
            "none" => Some(Self::Outsider),
            _ => None,
        }
    }
}

/// Who calls, as the kernel or a certificate vouched for it when the connection was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose labs are the caller's own.
    pub owner: Owner,
    /// Process id; may be another process's by now.
    pub pid: Option<i32>,
    /// The user's name where `/etc/passwd` has it.
    pub user: Option<Arc<str>>,
    /// What the caller is to netlabd.
    pub role: Role,
    /// The certificate's name and where the call comes from; `None` on the unix socket.
    pub remote: Option<Remote>,
}

/// A caller on another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The name in the certificate.
    pub name: Arc<str>,
    /// Where it calls from.
    pub address: SocketAddr,
}

impl Caller {
    /// The peer of a connection. Its groups are those of the process that connected, so that users from
    /// directories (LDAP) count too and a process that gave up its groups has given up their power.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let mut groups = peer::groups(stream)?;
        groups.push(credentials.gid());
        let role = role_of(credentials.uid(), &groups);
        Ok(Self {
            owner: Owner::Local(credentials.uid()),
            pid: credentials.pid(),
            user: nss::user_name(credentials.uid()).map(Into::into),
            role,
            remote: None,
        })
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.remote {
            Some(remote) => write!(f, "{:?} by certificate, from {}", remote.name, remote.address),
            None => self.owner.fmt(f),
        }
    }
}

/// The role of a user in these groups.
pub(super) fn role_of(uid: u32, groups: &[u32]) -> Role {
    role(uid, groups, nss::group_id(MEMBERS), nss::group_id(ADMINS))
}

impl Caller {
    /// Who it is, in a word or two: the user's name or number, `tls:NAME` for a remote client that is no user.
    pub fn shown(&self) -> String {
        let stranger = || match &self.owner {
            Owner::Local(uid) => format!("uid {uid}"),
            remote @ Owner::Remote(_) => remote.name(),
        };
        self.user.as_ref().map_or_else(stranger, ToString::to_string)
    }
}

fn role(uid: u32, groups: &[u32], members: Option<u32>, admins: Option<u32>) -> Role {
    let within = |group: Option<u32>| group.is_some_and(|group| groups.contains(&group));
    if uid == 0 || within(admins) {
        Role::Admin
    } else if within(members) {
        Role::Member
    } else {
        Role::Outsider
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles() {
        let role = |uid, groups: &[u32]| role(uid, groups, Some(104), Some(105));
        assert_eq!(role(0, &[0]), Role::Admin);
        assert_eq!(role(1000, &[1000, 105]), Role::Admin);
        assert_eq!(role(1000, &[104, 105]), Role::Admin);
        assert_eq!(role(1000, &[1000, 104]), Role::Member);
        assert_eq!(role(1000, &[1000, 0]), Role::Outsider, "root's group is not root");
    }

    #[test]
    fn groups_that_do_not_exist_have_no_members() {
        assert_eq!(role(1000, &[0, 1000], None, None), Role::Outsider);
        assert_eq!(role(0, &[], None, None), Role::Admin);
    }

    #[tokio::test]
    async fn the_kernel_says_who_is_at_the_other_end() {
        let (one, _other) = UnixStream::pair().unwrap();
        let caller = Caller::of(&one).unwrap();
        assert_eq!(caller.owner, Owner::Local(rustix::process::geteuid().as_raw()));
        assert_eq!(caller.pid, Some(std::process::id().cast_signed()));
    }
}
