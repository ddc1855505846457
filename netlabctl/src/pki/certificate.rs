//! What a certificate says, as far as we issued it.

use std::{fmt::Write as _, net::IpAddr, path::Path};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{ROLE, USER, about, files};
use crate::error::{FAILED, Failure};

/// For whom a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A daemon.
    Server,
    /// A client.
    Client,
}

/// A certificate that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Issued {
    /// Its serial number, hexadecimal.
    pub(crate) serial: String,
    /// For whom it is.
    pub(crate) kind: Kind,
    /// The client's name, or the server's first one.
    pub(crate) name: String,
    /// All names and addresses of a server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
    /// A client's role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
    /// Valid from then on.
    #[serde(serialize_with = "rfc3339")]
    pub(crate) not_before: OffsetDateTime,
    /// Valid until then.
    #[serde(serialize_with = "rfc3339")]
    pub(crate) not_after: OffsetDateTime,
}

impl Issued {
    /// Reads one from a PEM file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let der = CertificateDer::from_pem_slice(files::read(path)?.as_bytes());
        der.map_err(|error| about(path, FAILED, error)).and_then(|der| Self::of(&der, path))
    }

    /// What a certificate says; `path` is named in errors.
    pub(super) fn of(der: &CertificateDer<'_>, path: &Path) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| about(path, FAILED, error);
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| failed(&error))?;
        let alternative = certificate.subject_alternative_name().map_err(|error| failed(&error))?;
        let (mut names, mut user, mut role) = (Vec::new(), None, None);
        for name in alternative.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => names.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => {
                    names.extend(address(bytes).map(|address| address.to_string()));
                }
                GeneralName::URI(uri) => {
                    user = user.or_else(|| uri.strip_prefix(USER).map(str::to_owned));
                    role = role.or_else(|| uri.strip_prefix(ROLE).map(str::to_owned));
                }
                _ => {}
            }
        }
        let common = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let kind = if user.is_some() { Kind::Client } else { Kind::Server };
        Ok(Self {
            serial: hexadecimal(certificate.raw_serial()),
            kind,
            name: user.or_else(|| common.map(str::to_owned)).unwrap_or_default(),
            names,
            role,
            not_before: certificate.validity().not_before.to_datetime(),
            not_after: certificate.validity().not_after.to_datetime(),
        })
    }
}

/// A serial number as text.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    four().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

fn rfc3339<S: serde::Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&show(*time))
}

/// A time as text.
pub(crate) fn show(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}
