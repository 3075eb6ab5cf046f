//! The connector under the HTTP client: the place that no request gets around, so the address
//! policy is applied here, to literals as well as to names.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{AddressPolicy, ConnectError, Resolver, Stage, connect};

/// For DNS and TCP, and once more for the TLS handshake; the request's own time is mostly shorter.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(super) struct Connector {
    resolver: Resolver,
    policy: Arc<AddressPolicy>,
    tls: TlsConnector,
}

/// Why there is no connection; carried through hyper and taken out again by the client.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectorError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{reason}")]
    Tls { host: String, reason: String },
}

impl Connector {
    pub(super) fn new(
        resolver: Resolver,
        policy: Arc<AddressPolicy>,
        tls: rustls::ClientConfig,
    ) -> Self {
        Self {
            resolver,
            policy,
            tls: TlsConnector::from(Arc::new(tls)),
        }
    }

    async fn open(self, target: Uri) -> Result<TokioIo<Link>, ConnectorError> {
        let host = target.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let encrypted = target.scheme_str() != Some("http");
        let port = target
            .port_u16()
            .unwrap_or(if encrypted { 443 } else { 80 });
        let tcp = connect(&self.resolver, &self.policy, host, port, LIMIT).await?;
        if !encrypted {
            return Ok(TokioIo::new(Link(Box::new(tcp))));
        }
        let failed = |reason: String| ConnectorError::Tls {
            host: host.to_owned(),
            reason,
        };
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned())
            .map_err(|error| failed(error.to_string()))?;
        match timeout(LIMIT, self.tls.connect(name, tcp)).await {
            Ok(Ok(tls)) => Ok(TokioIo::new(Link(Box::new(tls)))),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(ConnectError::Timeout {
                host: host.to_owned(),
                port,
                stage: Stage::Tls,
                after: LIMIT,
            }
            .into()),
        }
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = ConnectorError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        Box::pin(self.clone().open(target))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection, with or without TLS.
pub(super) struct Link(Box<dyn Stream>);

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
