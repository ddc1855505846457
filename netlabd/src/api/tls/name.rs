//! Who a client's certificate says it is.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{AttributeTypeAndValue, FromDer as _, GeneralName, X509Certificate};

use crate::policy::Role;

/// What the URIs among the certificate's subject alternative names begin with.
const USER: &str = "netlab:user:";
const ROLE: &str = "netlab:role:";

/// Longest name in characters.
const LONGEST: usize = 64;

/// What a certificate says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: String,
    /// `None` where it says nothing of a role that is known here.
    pub(super) role: Option<Role>,
}

impl Identity {
    /// The name is that of the URI `netlab:user:NAME`, or without one the common name of the subject; the
    /// role that of the URI `netlab:role:ROLE`.
    ///
    /// # Errors
    /// A sentence: why the certificate does not say clearly who it is.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        let names = certificate.subject_alternative_name().map_err(|error| error.to_string())?;
        let uris = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        let (mut users, mut roles) = (Vec::new(), Vec::new());
        for uri in uris {
            users.extend(uri.strip_prefix(USER));
            roles.extend(uri.strip_prefix(ROLE));
        }
        if users.is_empty() {
            let names = certificate.subject().iter_common_name().map(AttributeTypeAndValue::as_str);
            users = names.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        }
        let name = match users.as_slice() {
            [] => return Err(format!("it has neither a URI {USER}NAME nor a common name")),
            [name] if fit(name) => (*name).to_owned(),
            [name] => return Err(format!("{name:?} is no name: 1 to {LONGEST} printable characters")),
            many => return Err(format!("it has more than one name: {}", many.join(", "))),
        };
        match roles.as_slice() {
            [] => Ok(Self { name, role: None }),
            [role] => Ok(Self { name, role: Role::parse(role) }),
            many => Err(format!("it has more than one role: {}", many.join(", "))),
        }
    }
}

fn fit(name: &str) -> bool {
    (1..=LONGEST).contains(&name.chars().count()) && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn identity(common_names: &[&str], uris: &[&str]) -> Result<Identity, String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in common_names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        let uri = |uri: &&str| SanType::URI((*uri).try_into().unwrap());
        params.subject_alt_names = uris.iter().map(uri).collect();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Identity::of(certificate.der())
    }

    fn says(name: &str, role: Option<Role>) -> Identity {
        Identity { name: name.to_owned(), role }
    }

    #[test]
    fn a_uri_goes_before_the_common_name() {
        assert_eq!(identity(&["Alice"], &[]), Ok(says("Alice", None)));
        assert_eq!(identity(&["Alice"], &["netlab:user:alice"]), Ok(says("alice", None)));
        let uris = ["https://example.org", "netlab:user:ci", "netlab:role:member"];
        assert_eq!(identity(&[], &uris), Ok(says("ci", Some(Role::Member))));
        assert_eq!(identity(&["x"], &["netlab:role:admin"]), Ok(says("x", Some(Role::Admin))));
        assert_eq!(identity(&["x"], &["netlab:role:emperor"]), Ok(says("x", None)));
    }

    #[test]
    fn who_is_not_clear_is_nobody() {
        for uris in [
            &["netlab:user:a", "netlab:user:b"][..],
            &["netlab:user:"],
            &["netlab:user:a", "netlab:role:member", "netlab:role:admin"],
            &[],
        ] {
            assert!(identity(&[], uris).is_err(), "{uris:?}");
        }
        assert!(identity(&["a\nb"], &[]).is_err());
        assert!(identity(&[&"a".repeat(65)], &[]).is_err());
        assert!(Identity::of(&CertificateDer::from_slice(b"no certificate")).is_err());
    }
}
