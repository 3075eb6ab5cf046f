//! TCP connections to checked addresses.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::{net::TcpStream, time::timeout};

use crate::{AddressPolicy, DnsError, Refusal, Resolver};

/// How long one address may try alone before the next joins in (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);
/// More addresses of one host are not tried.
const MOST_ADDRESSES: usize = 8;

/// How far a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The target itself was refused before anything was sent.
    Policy,
    /// Finding the host's addresses.
    Dns,
    /// Opening the TCP connection.
    Tcp,
    /// The TLS handshake.
    Tls,
    /// The HTTP exchange.
    Http,
}

/// Why there is no connection. Nothing was sent in any of these cases.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    /// No address.
    #[error(transparent)]
    Dns(#[from] DnsError),
    /// The port is not among the allowed ones (MB-12).
    #[error("port {port} may not be reached; allowed are {allowed}")]
    Port {
        /// The port asked for.
        port: u16,
        /// The allowed ones, and the setting that adds to them.
        allowed: String,
    },
    /// Every address of the host is refused (API-8, MB-12).
    #[error("`{host}` is {refusal}")]
    Refused {
        /// The host asked for.
        host: String,
        /// Why its first address is refused.
        refusal: Refusal,
    },
    /// No address of the host answered; `source` is the last one's error.
    #[error("`{host}` port {port}: {source}")]
    Tcp {
        /// The host asked for.
        host: String,
        /// The port asked for.
        port: u16,
        /// What the operating system said, such as `ConnectionRefused`.
        source: Arc<io::Error>,
    },
    /// The time was up.
    #[error("`{host}` port {port} did not answer within {} s", after.as_secs_f32())]
    Timeout {
        /// The host asked for.
        host: String,
        /// The port asked for.
        port: u16,
        /// What was waited for: [`Stage::Dns`], [`Stage::Tcp`] or [`Stage::Tls`].
        stage: Stage,
        /// How long.
        after: Duration,
    },
}

impl ConnectError {
    /// How far it came (MB-3).
    pub fn stage(&self) -> Stage {
        match self {
            Self::Port { .. } | Self::Refused { .. } => Stage::Policy,
            Self::Dns(_) => Stage::Dns,
            Self::Tcp { .. } => Stage::Tcp,
            Self::Timeout { stage, .. } => *stage,
        }
    }
}

/// Connects to a host: finds its addresses, checks each, and connects to one that passed, so that
/// what was checked is what is reached. `host` is a name or an address in any spelling; `limit`
/// holds for all of it together. Addresses are tried in turn, each with a head start of 250 ms.
/// `TCP_NODELAY` is set.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(
    resolver: &Resolver,
    policy: &AddressPolicy,
    host: &str,
    port: u16,
    limit: Duration,
) -> Result<TcpStream, ConnectError> {
    if !policy.allows_port(port) {
        return Err(ConnectError::Port {
            port,
            allowed: policy.ports_hint(),
        });
    }
    let mut stage = Stage::Dns;
    let whole = async {
        let addresses = resolver.lookup(host).await?;
        let addresses = permitted(policy, host, addresses)?;
        stage = Stage::Tcp;
        open(&addresses, port)
            .await
            .map_err(|source| ConnectError::Tcp {
                host: host.to_owned(),
                port,
                source: source.into(),
            })
    };
    let outcome = timeout(limit, whole).await;
    outcome.unwrap_or_else(|_| {
        Err(ConnectError::Timeout {
            host: host.to_owned(),
            port,
            stage,
            after: limit,
        })
    })
}

/// The addresses that pass; an error when none does.
fn permitted(
    policy: &AddressPolicy,
    host: &str,
    addresses: Vec<IpAddr>,
) -> Result<Vec<IpAddr>, ConnectError> {
    let mut refusal = None;
    let mut passed = Vec::with_capacity(addresses.len());
    for address in addresses {
        match policy.check(address) {
            Ok(()) => passed.push(address),
            Err(why) => {
                refusal.get_or_insert(why);
            }
        }
    }
    match refusal {
        Some(refusal) if passed.is_empty() => Err(ConnectError::Refused {
            host: host.to_owned(),
            refusal,
        }),
        _ => Ok(passed),
    }
}

async fn open(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut waiting = addresses.iter().take(MOST_ADDRESSES).peekable();
    let mut attempts = FuturesUnordered::new();
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(TcpStream::connect(SocketAddr::new(*address, port)));
        }
        let ended = if waiting.peek().is_some() {
            match timeout(HEAD_START, attempts.next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            }
        } else {
            attempts.next().await
        };
        match ended {
            Some(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Some(Err(error)) => last = error,
            None if waiting.peek().is_none() => return Err(last),
            None => {}
        }
    }
}
