//! Whose certificates are believed.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Why the file with extra certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file can't be read, or is no PEM.
    #[error("the certificates in {path} can't be read: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong.
        source: io::Error,
    },
    /// The file holds no usable certificate.
    #[error("{path} holds no CA certificate in PEM form (`-----BEGIN CERTIFICATE-----`)")]
    NoCertificate {
        /// The file.
        path: String,
    },
}

/// Mozilla's roots, and those of the PEM file that the instance adds (`http.extra_ca_file`,
/// `mail.extra_ca_file`).
///
/// # Errors
/// [`TlsError`].
pub fn root_store(extra_ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let Some(file) = extra_ca_file else {
        return Ok(roots);
    };
    let path = file.display().to_string();
    let unreadable = |source| TlsError::Unreadable {
        path: path.clone(),
        source,
    };
    let pem = std::fs::read(file).map_err(unreadable)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    if certificates.is_empty() || roots.add_parsable_certificates(certificates).0 == 0 {
        return Err(TlsError::NoCertificate { path });
    }
    Ok(roots)
}

/// TLS 1.2 and 1.3 by *ring*, without client certificates (OPS-8).
pub fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring serves TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
