//! The certificate and key that say who we are, and the authority that says who the daemon is.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::TLS13,
};

use crate::error::{Failure, NOT_PERMITTED, USAGE};

/// Three PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Our certificate, and those that lead to its authority.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    /// The authorities that daemons' certificates may come from.
    pub(crate) ca: PathBuf,
}

impl Credentials {
    /// Reads them.
    ///
    /// # Errors
    /// Exit code 2 for a file that is missing or cannot be used, 6 for one that may not be read.
    pub(super) fn config(&self) -> Result<ClientConfig, Failure> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca)? {
            roots.add(certificate).map_err(|error| wrong(&self.ca, &error))?;
        }
        let key = key(&self.key)?;
        let chain = certificates(&self.certificate)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| Failure::new(USAGE, error.to_string()))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| {
                let certificate = self.certificate.display();
                wrong(&self.key, &format!("does not go with the certificate in {certificate}: {error}"))
            })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // netlabd wants to see the certificate each time.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    let found = found.map_err(|error| wrong(file, &error))?;
    if found.is_empty() { Err(wrong(file, &"has no certificate in it (PEM)")) } else { Ok(found) }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    let text = read(file)?;
    private(file)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| wrong(file, &format!("has no key in it: {error}")))
}

/// Refuses a key of our own that others may read, as ssh(1) does.
pub(crate) fn private(file: &Path) -> Result<(), Failure> {
    let found = fs::metadata(file).map_err(|error| wrong(file, &error))?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 && found.uid() == rustix::process::geteuid().as_raw() {
        let message =
            format!("others may read this key (mode {mode:04o}); run: chmod 600 {}", file.display());
        return Err(wrong(file, &message));
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            Failure::new(NOT_PERMITTED, format!("{}: {error}", file.display()))
        }
        std::io::ErrorKind::NotFound => {
            let advice = "https needs a client certificate, its key and a CA: name them in a context (netlabctl \
                          context set), or by --tls-cert, --tls-key and --tls-ca";
            wrong(file, &format!("{error}; {advice}"))
        }
        _ => wrong(file, &error),
    })
}

fn wrong(file: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::new(USAGE, format!("{}: {problem}", file.display()))
}
