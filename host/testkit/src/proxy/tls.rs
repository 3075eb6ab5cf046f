//! The proxy's TLS: towards clients with a certificate of the test's choice, towards the server as
//! an ordinary client.

use std::{fmt, fs, io, path::Path, sync::Arc};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// The host name that [`Certificate::Good`] is for.
pub const HOST: &str = "server.test";

/// What a server shows. All but one are wrong in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For [`HOST`], by the CA of [`ca_bundle`].
    Good,
    /// Its time is over.
    Expired,
    /// For another host.
    OtherName,
    /// It vouches for itself.
    SelfSigned,
    /// By a CA that nobody knows.
    UnknownIssuer,
}

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../mail/tests/certificates/", $name))
    };
}

impl Certificate {
    fn pem(self) -> &'static [u8] {
        match self {
            Self::Good => file!("good.pem"),
            Self::Expired => file!("expired.pem"),
            Self::OtherName => file!("other-name.pem"),
            Self::SelfSigned => file!("self-signed.pem"),
            Self::UnknownIssuer => file!("unknown-issuer.pem"),
        }
    }
}

/// Writes the CA of the proxies and the one in `ca_file` into `path`: a client that trusts it
/// trusts both the proxies and the servers behind them.
///
/// # Errors
/// When a file can't be read or written.
pub fn ca_bundle(ca_file: &Path, path: &Path) -> io::Result<()> {
    let mut bundle = fs::read(ca_file)?;
    bundle.extend_from_slice(file!("ca.pem"));
    fs::write(path, bundle)
}

/// Both ends of a proxy.
#[derive(Clone)]
pub(super) struct Ends {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Ends {
    pub(super) fn new(certificate: Certificate, ca_file: &Path) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = vec![CertificateDer::from_pem_slice(certificate.pem()).map_err(invalid)?];
        let key = PrivateKeyDer::from_pem_slice(file!("key.pem")).map_err(invalid)?;
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(invalid)?;
        let roots = overture_egress::root_store(Some(ca_file)).map_err(invalid)?;
        let client = overture_egress::client_config(roots);
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
        })
    }

    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        client: S,
    ) -> io::Result<server::TlsStream<S>> {
        self.acceptor.accept(client).await
    }

    pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        server: S,
    ) -> io::Result<client::TlsStream<S>> {
        let name = ServerName::try_from("localhost").map_err(invalid)?;
        self.connector.connect(name, server).await
    }
}

impl fmt::Debug for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ends")
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
