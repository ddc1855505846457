//! Issuing certificates.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::ServerName;

use super::{
    Authority, Issued, ROLE, USER, about,
    authority::{named, validity},
    files::{self, PRIVATE, PUBLIC},
};
use crate::{
    cli::{ClientRole, Lifetime},
    error::{CONFLICT, FAILED, Failure, USAGE},
};

/// Longest name of a client in characters.
const LONGEST: usize = 64;

/// A certificate that was issued, and where it is.
pub(crate) struct Pair {
    pub(crate) issued: Issued,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    /// A certificate for a daemon by these names and addresses.
    pub(crate) fn issue_server(&self, names: &[String], lifetime: Lifetime) -> Result<Pair, Failure> {
        for name in names {
            ServerName::try_from(name.as_str()).map_err(|_| {
                Failure::new(USAGE, format!("{name:?} is neither a host name nor an address"))
            })?;
        }
        let mut params =
            CertificateParams::new(names).map_err(|error| Failure::new(USAGE, error.to_string()))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let first = names.first().map_or("", String::as_str);
        self.renewable("servers", first, lifetime)?;
        self.issue("servers", first, params, lifetime)
    }

    /// A certificate for a client.
    pub(crate) fn issue_client(
        &self,
        name: &str,
        role: Option<ClientRole>,
        lifetime: Lifetime,
    ) -> Result<Pair, Failure> {
        let fit = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
        if name.is_empty() || name.len() > LONGEST || name.starts_with('.') || !name.chars().all(fit) {
            let message = format!(
                "{name:?} is no name for a client: 1 to {LONGEST} letters, digits, '.', '_', '@', '+', '-'"
            );
            return Err(Failure::new(USAGE, message));
        }
        let before = self.renewable("clients", name, lifetime)?.and_then(|before| before.role);
        let role = match (role, before) {
            (Some(role), _) => role.as_str().to_owned(),
            (None, Some(before)) => before,
            (None, None) => ClientRole::Member.as_str().to_owned(),
        };
        let uri = |text: String| text.as_str().try_into().map(SanType::URI);
        let uris = [uri(format!("{USER}{name}")), uri(format!("{ROLE}{role}"))];
        let mut params = CertificateParams::default();
        params.subject_alt_names = uris
            .into_iter()
            .collect::<Result<_, rcgen::Error>>()
            .map_err(|error| Failure::new(USAGE, error.to_string()))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue("clients", name, params, lifetime)
    }

    /// What is there under a name: nothing, or, where it is to be renewed, the certificate before.
    fn renewable(&self, folder: &str, name: &str, lifetime: Lifetime) -> Result<Option<Issued>, Failure> {
        let (certificate, key) = self.pair(folder, name);
        match [&certificate, &key].into_iter().find(|path| path.exists()) {
            None => Ok(None),
            Some(_) if lifetime.renew && certificate.exists() => Issued::read(&certificate).map(Some),
            Some(found) => Err(about(
                found,
                CONFLICT,
                "exists already; --renew issues a new one and keeps the old files",
            )),
        }
    }

    fn issue(
        &self,
        folder: &str,
        name: &str,
        mut params: CertificateParams,
        lifetime: Lifetime,
    ) -> Result<Pair, Failure> {
        let failed = |error: rcgen::Error| about(&self.dir, FAILED, error);
        params.distinguished_name = named(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(lifetime.days, Some(self.not_after));
        if params.not_after <= time::OffsetDateTime::now_utc() {
            return Err(about(&self.dir.join("ca.crt"), FAILED, "has expired; make a new authority"));
        }
        let pair = KeyPair::generate().map_err(failed)?;
        let signed = params.signed_by(&pair, &self.issuer).map_err(failed)?;
        let (certificate, key) = self.pair(folder, name);
        let issued = Issued::of(signed.der(), &certificate)?;
        if certificate.exists() {
            let before = Issued::read(&certificate)?;
            self.set_aside(folder, name, &before.serial)?;
        }
        files::folder(&self.dir.join(folder))?;
        // First where it can be revoked from.
        files::create(&self.copy(&issued.serial), PUBLIC, &signed.pem())?;
        files::create(&key, PRIVATE, &pair.serialize_pem())?;
        files::create(&certificate, PUBLIC, &signed.pem())?;
        Ok(Pair { issued, certificate, key })
    }

    fn copy(&self, serial: &str) -> PathBuf {
        self.dir.join(Path::new(files::ISSUED)).join(format!("{serial}.crt"))
    }
}
