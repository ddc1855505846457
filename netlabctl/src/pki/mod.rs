//! A small authority for certificates: one folder, one key, and all that it has issued.
//!
//! ```text
//! ca.crt ca.key ca.crl          the authority; ca.crl is written anew at each revocation
//! issued/SERIAL.crt             every certificate that was issued: what `list` and `revoke` know
//! servers/NAME.crt .key         for daemons
//! clients/NAME.crt .key         for clients
//! ```
//!
//! Keys are ECDSA P-256, readable by their owner only. Nothing is overwritten but ca.crl.

mod authority;
mod certificate;
mod files;
mod issue;
mod revoke;

use std::{fs, path::Path};

pub(crate) use authority::{Authority, init};
pub(crate) use certificate::{Issued, Kind, show};

use crate::error::{FAILED, Failure};

/// What a client's certificate has among its subject alternative names, as URIs.
pub(crate) const USER: &str = "netlab:user:";
/// Likewise, its role.
pub(crate) const ROLE: &str = "netlab:role:";

/// A failure with the file that it is about.
fn about(path: &Path, code: u8, problem: impl std::fmt::Display) -> Failure {
    Failure::new(code, format!("{}: {problem}", path.display()))
}

/// All that was issued, the oldest first.
fn all(dir: &Path) -> Result<Vec<Issued>, Failure> {
    let folder = dir.join(files::ISSUED);
    let failed = |error: std::io::Error| about(&folder, FAILED, error);
    let mut all = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        all.push(Issued::read(&entry.map_err(failed)?.path())?);
    }
    all.sort_by(|a, b| (a.not_before, &a.serial).cmp(&(b.not_before, &b.serial)));
    Ok(all)
}
