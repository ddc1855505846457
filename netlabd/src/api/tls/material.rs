//! Certificates, key and revocations from files, as a TLS configuration.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};

use crate::policy::config::Tls;

/// Why remote clients cannot be served: a file, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .file.display())]
pub struct Error {
    file: PathBuf,
    problem: String,
}

impl Error {
    fn new(file: &Path, problem: impl Into<String>) -> Self {
        Self { file: file.into(), problem: problem.into() }
    }
}

/// What connections need, read from the files at one time.
#[derive(Debug)]
pub(super) struct Material {
    pub(super) server: Arc<ServerConfig>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Material {
    /// Reads all files; each must be there and fit the others.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub(super) fn read(tls: &Tls) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for certificate in all::<CertificateDer<'_>>(&tls.client_ca, "certificate")? {
            roots.add(certificate).map_err(|error| Error::new(&tls.client_ca, error.to_string()))?;
        }
        let mut verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        if let Some(path) = tls.crl() {
            verifier = verifier
                .with_crls(all::<CertificateRevocationListDer<'_>>(path, "list of revocations (X509 CRL)")?);
        }
        let verifier = verifier.build().map_err(|error| {
            Error::new(tls.crl().unwrap_or(&tls.client_ca), format!("not usable: {error}"))
        })?;
        let chain = all::<CertificateDer<'_>>(&tls.certificate, "certificate")?;
        let key = key(&tls.key)?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| Error::new(&tls.certificate, error.to_string()))?
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(chain, key)
            .map_err(|error| {
                let certificate = tls.certificate.display();
                Error::new(&tls.key, format!("does not go with the certificate in {certificate}: {error}"))
            })?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session would not be asked for its certificate again.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self { server: server.into(), verifier })
    }

    /// Whether a client of an earlier connection would be let in now.
    ///
    /// # Errors
    /// Why it would not.
    pub(super) fn judge(&self, chain: &[CertificateDer<'_>]) -> Result<(), rustls::Error> {
        let (first, rest) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        self.verifier.verify_client_cert(first, rest, UnixTime::now()).map(drop)
    }
}

/// All items of a kind in a file, at least one.
fn all<T: PemObject>(file: &Path, kind: &str) -> Result<Vec<T>, Error> {
    let text = read(file)?;
    let items: Result<Vec<T>, _> = T::pem_slice_iter(&text).collect();
    let items = items.map_err(|error| Error::new(file, format!("is not PEM: {error}")))?;
    if items.is_empty() {
        return Err(Error::new(file, format!("has no {kind} in it (PEM)")));
    }
    Ok(items)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let text = read(file)?;
    let key = PrivateKeyDer::from_pem_slice(&text);
    let key = key.map_err(|error| Error::new(file, format!("has no key in it: {error}")))?;
    let mode = fs::metadata(file).map_err(|error| Error::new(file, error.to_string()))?.permissions().mode();
    if mode & 0o007 != 0 {
        let problem = format!("everybody may use this key (mode {:04o}); chmod 600 it", mode & 0o7777);
        return Err(Error::new(file, problem));
    }
    Ok(key)
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    /// More than any list of revocations that a lab host may have.
    const MOST: u64 = 64 << 20;
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "is larger than 64 MiB");
    let length =
        fs::metadata(file).and_then(|found| if found.len() > MOST { Err(too_large()) } else { Ok(()) });
    length.and_then(|()| fs::read(file)).map_err(|error| Error::new(file, error.to_string()))
}
