//! `[tls]` of the configuration: remote clients, and what the names in their certificates may do.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::model::address::to_listen_at;

use super::{
    caller::{Caller, Remote, Role, role_of},
    nss,
    owner::Owner,
};

/// Remote clients. Without an address nothing listens at TCP, and nothing listens without certificates:
/// there is no TCP without TLS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Addresses to listen at. Default: none. Takes effect at the next start.
    #[serde(deserialize_with = "addresses")]
    pub listen: Vec<SocketAddr>,
    /// The daemon's certificate and, after it, those that lead to its authority (PEM).
    pub certificate: PathBuf,
    /// The key of that certificate (PEM).
    pub key: PathBuf,
    /// Certificates of the authorities whose clients may connect (PEM).
    pub client_ca: PathBuf,
    /// What these authorities have revoked: one list of each (PEM). Empty: nothing is asked for.
    pub client_crl: PathBuf,
    /// Whether a role in a certificate counts. If not, only the names in `users` are let in.
    pub roles_in_certificates: bool,
    /// What the name in a certificate may do; goes before the role in it.
    pub users: BTreeMap<String, User>,
}

fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| to_listen_at(text).map_err(D::Error::custom)).collect()
}

impl Default for Tls {
    fn default() -> Self {
        let file = |name: &str| Path::new("/etc/netlabd/tls").join(name);
        Self {
            listen: Vec::new(),
            certificate: file("server.crt"),
            key: file("server.key"),
            client_ca: file("ca.crt"),
            client_crl: file("ca.crl"),
            roles_in_certificates: true,
            users: BTreeMap::new(),
        }
    }
}

impl Tls {
    /// The list of what is revoked, if there is one.
    pub fn crl(&self) -> Option<&Path> {
        Some(self.client_crl.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    /// Who calls by a certificate with this name and, perhaps, role.
    pub(super) fn caller(&self, name: &str, claimed: Option<Role>, address: SocketAddr) -> Caller {
        let name: Arc<str> = name.into();
        let nobody = (Owner::Remote(name.clone()), None, Role::Outsider);
        let (owner, user, role) = match self.users.get(&*name) {
            Some(User::Role(role)) => (Owner::Remote(name.clone()), None, *role),
            Some(User::Local(user)) => match local(user) {
                Some((uid, role)) => (Owner::Local(uid), Some(user.as_str().into()), role),
                // The user is gone from this machine.
                None => nobody,
            },
            None => match claimed.filter(|_| self.roles_in_certificates) {
                Some(role) => (Owner::Remote(name.clone()), None, role),
                None => nobody,
            },
        };
        Caller { owner, pid: None, user, role, remote: Some(Remote { name, address }) }
    }
}

/// What a name in a certificate stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawUser")]
pub enum User {
    /// A user of this machine: the same labs as over the unix socket, by the groups in `/etc/group`.
    Local(String),
    /// Nobody of this machine, in a role.
    Role(Role),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUser {
    user: Option<String>,
    role: Option<String>,
}

impl TryFrom<RawUser> for User {
    type Error = String;

    fn try_from(raw: RawUser) -> Result<Self, String> {
        match (raw.user, raw.role) {
            (Some(user), None) if !user.is_empty() => Ok(Self::Local(user)),
            (None, Some(text)) => match Role::parse(&text) {
                Some(role) => Ok(Self::Role(role)),
                None => Err(format!("{text:?} is no role: \"member\", \"admin\" or \"none\"")),
            },
            _ => Err("expected either user = \"a user of this machine\" or role = \"member\"".to_owned()),
        }
    }
}

/// The user of this machine that a name stands for: id and role. `None` where there is no such user.
fn local(user: &str) -> Option<(u32, Role)> {
    let (uid, gid) = nss::user_ids(user)?;
    Some((uid, role_of(uid, &nss::groups_of(user, gid))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str) -> Result<BTreeMap<String, User>, String> {
        toml::from_str::<Tls>(text).map(|tls| tls.users).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_name_is_a_user_of_this_machine_or_has_a_role() {
        let text = "[users]\na = { user = \"alice\" }\nci = { role = \"member\" }\nx = { role = \"none\" }\n";
        let expected = [
            ("a", User::Local("alice".into())),
            ("ci", User::Role(Role::Member)),
            ("x", User::Role(Role::Outsider)),
        ];
        assert_eq!(users(text), Ok(expected.map(|(name, user)| (name.to_owned(), user)).into()));
        for bad in [
            "{}",
            "{ user = \"\" }",
            "{ user = \"a\", role = \"admin\" }",
            "{ role = \"root\" }",
            "{ rol = \"admin\" }",
        ] {
            assert!(users(&format!("[users]\na = {bad}\n")).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_to_listen_at_has_one_reading() {
        let read = |text: &str| toml::from_str::<Tls>(&format!("listen = [{text:?}]")).map(|tls| tls.listen);
        assert_eq!(read("[2001:db8::1]:7443").unwrap(), ["[2001:db8::1]:7443".parse().unwrap()]);
        for bad in ["192.0.2.1:07443", "192.0.2.010:7443"] {
            let refused = read(bad).unwrap_err();
            assert!(refused.message().contains("begins with 0"), "{refused}");
        }
    }

    #[test]
    fn the_configuration_goes_before_the_certificate() {
        let text = "[users]\nroot = { user = \"root\" }\nci = { role = \"member\" }\ngone = { user = \"no such user\" }\n";
        let mut tls: Tls = toml::from_str(text).unwrap();
        let address = "198.18.0.1:1000".parse().unwrap();
        let who = |tls: &Tls, name: &str, claimed| {
            let caller = tls.caller(name, claimed, address);
            (caller.owner, caller.role)
        };
        let remote = |name: &str| Owner::Remote(name.into());
        assert_eq!(who(&tls, "root", None), (Owner::Local(0), Role::Admin));
        assert_eq!(who(&tls, "ci", Some(Role::Admin)), (remote("ci"), Role::Member));
        assert_eq!(who(&tls, "gone", Some(Role::Admin)), (remote("gone"), Role::Outsider));
        assert_eq!(who(&tls, "bob", Some(Role::Member)), (remote("bob"), Role::Member));
        assert_eq!(who(&tls, "bob", None), (remote("bob"), Role::Outsider));
        tls.roles_in_certificates = false;
        assert_eq!(who(&tls, "bob", Some(Role::Admin)), (remote("bob"), Role::Outsider));
    }

    #[test]
    fn users_of_this_machine_have_the_roles_of_their_groups() {
        assert_eq!(local("root"), Some((0, Role::Admin)));
        assert_eq!(local("nobody").map(|(_, role)| role), Some(Role::Outsider));
        assert_eq!(local("no such user"), None);
    }
}
