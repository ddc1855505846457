//! The authority's own certificate and key.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{
    about,
    certificate::hexadecimal,
    files::{self, PRIVATE, PUBLIC},
};
use crate::{
    client::private,
    error::{CONFLICT, FAILED, Failure, NOT_FOUND},
};

/// How far in the past certificates begin: clocks of other machines may be a little late.
const SLACK: Duration = Duration::minutes(5);

/// An authority that can issue and revoke.
pub(crate) struct Authority {
    pub(super) dir: PathBuf,
    pub(super) issuer: Issuer<'static, KeyPair>,
    /// Its own end.
    pub(super) not_after: OffsetDateTime,
    /// One command at a time works in the folder.
    _lock: File,
}

/// Makes an authority in a folder.
///
/// # Errors
/// Exit code 5 where there is one already.
pub(crate) fn init(dir: &Path, name: Option<String>, days: u32) -> Result<OffsetDateTime, Failure> {
    for file in ["ca.key", "ca.crt", "ca.crl"] {
        if dir.join(file).exists() {
            return Err(about(&dir.join(file), CONFLICT, "exists already, and is not overwritten"));
        }
    }
    let failed = |error: rcgen::Error| about(dir, FAILED, error);
    let key = KeyPair::generate().map_err(failed)?;
    let (not_before, not_after) = validity(days, None);
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&name.unwrap_or_else(|| {
        // Certificates name their authority: two of one name would be taken for each other.
        let digits = hexadecimal(key.public_key_raw());
        format!("netlab CA {}", &digits[digits.len().saturating_sub(8)..])
    }));
    // It signs certificates of daemons and clients, and no other authorities.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (not_before, not_after);
    let certificate = params.self_signed(&key).map_err(failed)?;
    let list = revocations(1, Vec::new(), not_after);
    let list =
        list.signed_by(&Issuer::from_params(&params, &key)).and_then(|list| list.pem()).map_err(failed)?;
    files::folder(&dir.join(files::ISSUED))?;
    files::create(&dir.join("ca.key"), PRIVATE, &key.serialize_pem())?;
    files::create(&dir.join("ca.crt"), PUBLIC, &certificate.pem())?;
    files::create(&dir.join("ca.crl"), PUBLIC, &list)?;
    Ok(not_after)
}

impl Authority {
    /// Opens the authority in a folder.
    ///
    /// # Errors
    /// Exit code 4 where there is none.
    pub(crate) fn open(dir: &Path) -> Result<Self, Failure> {
        let (certificate, key) = (dir.join("ca.crt"), dir.join("ca.key"));
        if !certificate.exists() {
            let problem = "there is no authority here; make one: netlabctl pki init";
            return Err(about(dir, NOT_FOUND, problem));
        }
        private(&key)?;
        let pair = KeyPair::from_pem(&files::read(&key)?).map_err(|error| about(&key, FAILED, error))?;
        let broken = |error: &dyn std::fmt::Display| about(&certificate, FAILED, error);
        let pem = files::read(&certificate)?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| broken(&error))?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| broken(&error))?;
        if parsed.public_key().subject_public_key.data.as_ref() != pair.public_key_raw() {
            return Err(about(&key, FAILED, format!("does not go with {}", certificate.display())));
        }
        let not_after = parsed.validity().not_after.to_datetime();
        let issuer = Issuer::from_ca_cert_der(&der, pair).map_err(|error| broken(&error))?;
        let lock = File::options().create(true).append(true).open(dir.join(".lock"));
        let lock =
            lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(|error| about(dir, FAILED, error))?;
        Ok(Self { dir: dir.to_owned(), issuer, not_after, _lock: lock })
    }

    /// A pair of files for one name: certificate and key.
    pub(super) fn pair(&self, folder: &str, name: &str) -> (PathBuf, PathBuf) {
        let file = |suffix| self.dir.join(folder).join(format!("{name}.{suffix}"));
        (file("crt"), file("key"))
    }

    /// Keeps the old pair under another name.
    pub(super) fn set_aside(&self, folder: &str, name: &str, serial: &str) -> Result<(), Failure> {
        let ((certificate, key), (old_certificate, old_key)) =
            (self.pair(folder, name), self.pair(folder, &format!("{name}-{serial}")));
        for (from, to) in [(certificate, old_certificate), (key, old_key)] {
            if to.exists() {
                return Err(about(&to, CONFLICT, "exists already, and is not overwritten"));
            }
            // The key may have been moved to where it is used.
            if from.exists() {
                fs::rename(&from, &to).map_err(|error| about(&from, FAILED, error))?;
            }
        }
        Ok(())
    }
}

/// A subject with a common name alone.
pub(super) fn named(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// From a little ago for so many days, at most until `end`.
pub(super) fn validity(days: u32, end: Option<OffsetDateTime>) -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::now_utc();
    let now = now.replace_nanosecond(0).unwrap_or(now);
    let wanted = now + Duration::days(days.into());
    (now - SLACK, end.map_or(wanted, |end| end.min(wanted)))
}

/// A list of revocations. The next one comes at the next revocation, so this one holds to the end.
pub(super) fn revocations(
    number: u64,
    revoked_certs: Vec<rcgen::RevokedCertParams>,
    next_update: OffsetDateTime,
) -> CertificateRevocationListParams {
    CertificateRevocationListParams {
        this_update: OffsetDateTime::now_utc() - SLACK,
        next_update,
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs,
        key_identifier_method: KeyIdMethod::Sha256,
    }
}
