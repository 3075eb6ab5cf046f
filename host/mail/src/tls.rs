//! TLS with the public roots, an extra CA file, and pinned certificates (MB-2).

use std::{fmt, io, path::Path, str::FromStr, sync::Arc};

use overture_egress::TlsError;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{BoxedStream, Cause};

/// SHA-256 of a server's certificate (DER), shown as `ab:cd:…`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    /// Reads 32 bytes in hexadecimal, with or without colons.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.chars().filter(|c| *c != ':' && *c != ' ').collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(&digits, &mut bytes).map_err(|_| {
            format!("`{text}` is not a SHA-256 fingerprint: 32 bytes in hexadecimal are wanted")
        })?;
        Ok(Self(bytes))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a certificate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum CertificateProblem {
    /// It vouches for itself.
    #[error("the server's certificate is self-signed")]
    SelfSigned,
    /// Nobody known vouches for it.
    #[error("the server's certificate was issued by somebody unknown")]
    UnknownIssuer,
    /// It is no longer, or not yet, valid.
    #[error("the server's certificate is not valid at this time (expired, or not yet valid)")]
    Expired,
    /// It is for another host.
    #[error("the server's certificate is for another host name")]
    WrongName,
    /// It is broken in another way: bad signature, revoked, not for servers.
    #[error("the server's certificate is not acceptable")]
    Unacceptable,
}

/// How connections are secured: one for the whole process.
#[derive(Clone)]
pub struct Tls {
    verifier: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// TLS 1.2 and 1.3 (OPS-8) that trusts webpki's roots and the certificates in the PEM file
    /// `extra_ca` (`mail.extra_ca_file`).
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn new(extra_ca: Option<&Path>) -> Result<Self, TlsError> {
        let roots = Arc::new(overture_egress::root_store(extra_ca)?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .expect("there are roots, and no revocation lists that could be broken");
        let config = config(&provider, Arc::new(Verifier::new(&verifier, None)));
        Ok(Self {
            verifier,
            provider,
            config,
        })
    }

    /// Does the handshake as `host` over `stream`. A certificate with the fingerprint `pinned`
    /// is accepted whatever else is wrong with it.
    ///
    /// # Errors
    /// [`Cause::Certificate`], [`Cause::NotTls`], [`Cause::Tls`], [`Cause::Io`].
    pub(crate) async fn handshake(
        &self,
        host: &str,
        pinned: Option<Fingerprint>,
        stream: BoxedStream,
    ) -> Result<BoxedStream, Cause> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Cause::Input(format!("`{host}` is not a host name")))?;
        let config = match pinned {
            None => Arc::clone(&self.config),
            Some(_) => config(
                &self.provider,
                Arc::new(Verifier::new(&self.verifier, pinned)),
            ),
        };
        match tokio_rustls::TlsConnector::from(config)
            .connect(name, stream)
            .await
        {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(cause_of(error)),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn config(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .expect("ring serves TLS 1.2 and 1.3")
        .dangerous() // the verifier is webpki's, plus the pin
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Arc::new(config)
}

/// A refused certificate on its way through rustls.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
struct Refused {
    problem: CertificateProblem,
    fingerprint: Fingerprint,
}

/// webpki's verifier, which says more about what it refuses, and knows a pinned certificate.
#[derive(Debug)]
struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    pinned: Option<Fingerprint>,
}

impl Verifier {
    fn new(webpki: &Arc<WebPkiServerVerifier>, pinned: Option<Fingerprint>) -> Self {
        Self {
            webpki: Arc::clone(webpki),
            pinned,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let fingerprint = Fingerprint::of(end_entity);
        if self.pinned == Some(fingerprint) {
            return Ok(ServerCertVerified::assertion());
        }
        match self
            .webpki
            .verify_server_cert(end_entity, intermediates, name, ocsp, now)
        {
            Err(rustls::Error::InvalidCertificate(error)) => {
                let problem = problem_of(&error, end_entity);
                let refused = OtherError(Arc::new(Refused {
                    problem,
                    fingerprint,
                }));
                Err(CertificateError::Other(refused).into())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

fn problem_of(error: &CertificateError, certificate: &CertificateDer<'_>) -> CertificateProblem {
    // A self-signed certificate fails as "unknown issuer", or as a CA used for a server.
    let self_signed = || {
        webpki::EndEntityCert::try_from(certificate)
            .is_ok_and(|parsed| parsed.issuer() == parsed.subject())
    };
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => CertificateProblem::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateProblem::WrongName
        }
        _ if self_signed() => CertificateProblem::SelfSigned,
        CertificateError::UnknownIssuer => CertificateProblem::UnknownIssuer,
        _ => CertificateProblem::Unacceptable,
    }
}

fn cause_of(error: io::Error) -> Cause {
    let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => Cause::Closed,
            _ => Cause::Io(error),
        };
    };
    match tls {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            match inner.downcast_ref::<Refused>() {
                Some(&Refused {
                    problem,
                    fingerprint,
                }) => Cause::Certificate {
                    problem,
                    fingerprint,
                },
                None => Cause::Tls(tls.to_string()),
            }
        }
        rustls::Error::InvalidMessage(_) => Cause::NotTls,
        other => Cause::Tls(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_read_what_they_show() {
        let fingerprint = Fingerprint::of(&CertificateDer::from(b"abc".to_vec()));
        let text = fingerprint.to_string();
        assert!(text.starts_with("ba:78:16:bf"), "{text}");
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(
            text.replace(':', "").to_uppercase().parse(),
            Ok(fingerprint)
        );
        assert!("ba:78".parse::<Fingerprint>().is_err());
    }
}
