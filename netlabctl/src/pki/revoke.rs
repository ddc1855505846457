//! Revoking certificates, and who is revoked.

use std::{collections::BTreeMap, path::Path};

use netlab_proto::suggest::nearest;
use rcgen::{RevokedCertParams, SerialNumber};
use rustls::pki_types::{CertificateRevocationListDer, pem::PemObject as _};
use time::OffsetDateTime;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use super::{
    Authority, Issued, about, all,
    authority::revocations,
    certificate::hexadecimal,
    files::{self, PUBLIC},
};
use crate::error::{FAILED, Failure, NOT_FOUND};

/// What the list of revocations says.
#[derive(Debug, Default)]
struct List {
    number: u64,
    /// When each was revoked, by serial number.
    revoked: BTreeMap<Vec<u8>, OffsetDateTime>,
}

impl List {
    fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| about(path, FAILED, error);
        let text = files::read(path)?;
        let der =
            CertificateRevocationListDer::from_pem_slice(text.as_bytes()).map_err(|error| failed(&error))?;
        let (_, list) = CertificateRevocationList::from_der(&der).map_err(|error| failed(&error))?;
        let number = list.crl_number().and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
        let revoked = list.iter_revoked_certificates();
        let revoked = revoked.map(|one| (one.raw_serial().to_vec(), one.revocation_date.to_datetime()));
        Ok(Self { number, revoked: revoked.collect() })
    }
}

impl Authority {
    /// Revokes all certificates of a name, or the one of a serial number; gives those that were not revoked
    /// before.
    ///
    /// # Errors
    /// Exit code 4 where none is called so.
    pub(crate) fn revoke(&self, name: &str) -> Result<Vec<Issued>, Failure> {
        let issued = all(&self.dir)?;
        let meant: Vec<_> = issued.iter().filter(|one| one.name == name || one.serial == name).collect();
        if meant.is_empty() {
            let near = nearest(name, issued.iter().map(|one| one.name.as_str()));
            let hint = near
                .map_or("netlabctl pki list shows all".to_owned(), |near| format!("did you mean {near:?}?"));
            return Err(about(
                &self.dir,
                NOT_FOUND,
                format!("no certificate of {name:?} was issued; {hint}"),
            ));
        }
        let path = self.dir.join("ca.crl");
        let mut list = List::read(&path)?;
        let revoked =
            |list: &List, one: &Issued| list.revoked.keys().any(|serial| hexadecimal(serial) == one.serial);
        let new: Vec<Issued> = meant.into_iter().filter(|one| !revoked(&list, one)).cloned().collect();
        let now = OffsetDateTime::now_utc();
        for one in &new {
            list.revoked.insert(bytes(&one.serial), now);
        }
        let entry = |(serial, time): (Vec<u8>, OffsetDateTime)| RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: time,
            reason_code: None,
            invalidity_date: None,
        };
        let entries = list.revoked.into_iter().map(entry).collect();
        let written = revocations(list.number + 1, entries, self.not_after).signed_by(&self.issuer);
        let written = written.and_then(|list| list.pem()).map_err(|error| about(&path, FAILED, error))?;
        files::replace(&path, PUBLIC, &written)?;
        Ok(new)
    }

    /// All that was issued, and whether it is revoked.
    pub(crate) fn list(&self) -> Result<Vec<(Issued, bool)>, Failure> {
        let list = List::read(&self.dir.join("ca.crl"))?;
        let revoked: Vec<String> = list.revoked.keys().map(|serial| hexadecimal(serial)).collect();
        let state = |one: Issued| {
            let revoked = revoked.contains(&one.serial);
            (one, revoked)
        };
        Ok(all(&self.dir)?.into_iter().map(state).collect())
    }
}

/// A serial number from its text.
fn bytes(serial: &str) -> Vec<u8> {
    let digits = serial.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    digits.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}
