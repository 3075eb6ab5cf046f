//! Where connections come from, and what is needed to open one.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use overture_egress::{AddressPolicy, ConnectError, Resolver};
use serde::{Deserialize, Deserializer, de::Error as _};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    Cause, Error, Result, Stage,
    tls::{Fingerprint, Tls},
    wire::within,
};

/// A byte stream to a mail server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A byte stream to a mail server, whatever carries it.
pub type BoxedStream = Box<dyn Stream>;

/// Opens connections to mail servers. The real one checks addresses and ports ([`NetConnector`]);
/// a simulator's can break a dialogue anywhere.
#[async_trait]
pub trait Connector: Send + Sync {
    /// A plain connection to `host:port` within `limit`.
    ///
    /// # Errors
    /// Why there is none; nothing was sent.
    async fn connect(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> std::result::Result<BoxedStream, ConnectError>;
}

/// Connections over the network: name lookup, address and port policy, and the connection to the
/// very address that was checked (MB-12), all by [`overture_egress::connect`], which also sets
/// TCP_NODELAY: without it body and final dot of a mail wait for each other.
#[derive(Clone)]
pub struct NetConnector {
    /// Finds addresses.
    pub resolver: Resolver,
    /// `mail.allowed_networks` and `mail.allowed_ports` ([`AddressPolicy::mail`]).
    pub policy: AddressPolicy,
}

#[async_trait]
impl Connector for NetConnector {
    async fn connect(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> std::result::Result<BoxedStream, ConnectError> {
        let stream =
            overture_egress::connect(&self.resolver, &self.policy, host, port, limit).await?;
        Ok(Box::new(stream))
    }
}

/// How a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// TLS from the first byte: ports 465 and 993.
    Implicit,
    /// Plain text that is upgraded: ports 587 and 143. Never goes on without the upgrade.
    Starttls,
    /// No TLS. No credentials are ever sent over it, so it serves only sinks without sign-in
    /// (OPS-8: a mailbox cannot have it).
    Plain,
}

/// A server to talk to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Endpoint {
    /// Host name; the certificate must be for it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS mode.
    pub security: Security,
    /// A certificate that is accepted although nobody known vouches for it (MB-2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Fingerprint>,
}

/// How to sign in. The secret never shows in `Debug` (OPS-4).
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A password or app password: PLAIN, else LOGIN.
    Password {
        /// User name, mostly the full address.
        user: String,
        /// The password.
        password: String,
    },
    /// An OAuth access token: XOAUTH2.
    OAuth {
        /// User name, mostly the full address.
        user: String,
        /// The access token, refreshed by the caller before it expires.
        token: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, user) = match self {
            Self::Password { user, .. } => ("Password", user),
            Self::OAuth { user, .. } => ("OAuth", user),
        };
        f.debug_struct(kind)
            .field("user", user)
            .finish_non_exhaustive()
    }
}

/// How long each step may take, on the real clock. In settings they are whole seconds.
///
/// RFC 5321 §4.5.3.2 asks for 5 minutes (greeting, `MAIL`, `RCPT`), 2 (`DATA`), 3 (each piece of the
/// body) and 10 (the answer to it). What comes before the body is given up sooner by default: then
/// nothing was sent, and trying again costs nothing. After the body nothing is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// Name lookup and opening the connection together; then the TLS handshake.
    #[serde(deserialize_with = "seconds")]
    pub connect: Duration,
    /// From the connection to the server's first line.
    #[serde(deserialize_with = "seconds")]
    pub greeting: Duration,
    /// From a command to its answer.
    #[serde(deserialize_with = "seconds")]
    pub command: Duration,
    /// From `DATA` to the 354.
    #[serde(deserialize_with = "seconds")]
    pub data: Duration,
    /// For each piece of a mail's body to leave.
    #[serde(deserialize_with = "seconds")]
    pub block: Duration,
    /// From the end of a mail's body to the answer, and a whole transfer over IMAP. Giving up
    /// earlier makes mails ambiguous.
    #[serde(deserialize_with = "seconds")]
    pub transfer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            greeting: Duration::from_secs(60),
            command: Duration::from_secs(60),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            transfer: Duration::from_secs(600),
        }
    }
}

/// At least one second.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Duration, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(D::Error::custom("a limit in seconds is at least 1")),
        n => Ok(Duration::from_secs(n.into())),
    }
}

/// All that sessions need to come about: one for the whole process.
#[derive(Clone)]
pub struct Dialer {
    /// Opens the connections.
    pub connector: Arc<dyn Connector>,
    /// Secures them.
    pub tls: Tls,
    /// Limits of each step.
    pub timeouts: Timeouts,
    /// What we call ourselves in EHLO: a host name, or an address literal as mail programs use.
    pub hello: String,
}

impl Dialer {
    /// A dialer with the default limits, which greets as `[127.0.0.1]`: what mail programs on
    /// private networks do, and no provider judges a signed-in client by it.
    pub fn new(connector: Arc<dyn Connector>, tls: Tls) -> Self {
        Self {
            connector,
            tls,
            timeouts: Timeouts::default(),
            hello: "[127.0.0.1]".into(),
        }
    }

    /// A plain connection.
    pub(crate) async fn open(&self, endpoint: &Endpoint) -> Result<BoxedStream> {
        let limit = self.timeouts.connect;
        let opened = self
            .connector
            .connect(&endpoint.host, endpoint.port, limit)
            .await;
        opened.map_err(|error| {
            let stage = match error.stage() {
                overture_egress::Stage::Tcp => Stage::Tcp,
                _ => Stage::Dns,
            };
            Cause::Connect(error).at(stage)
        })
    }

    /// TLS over `stream`.
    pub(crate) async fn secure(
        &self,
        endpoint: &Endpoint,
        stream: BoxedStream,
    ) -> Result<BoxedStream> {
        within(
            self.timeouts.connect,
            self.tls.handshake(&endpoint.host, endpoint.pinned, stream),
        )
        .await
        .map_err(|cause| match (endpoint.security, cause) {
            // The mode is right: the server has just said that it would speak TLS now.
            (Security::Starttls, Cause::NotTls) => {
                let words = "the server agreed to STARTTLS, and then spoke no TLS";
                Cause::Tls(words.to_owned()).at(Stage::Tls)
            }
            (_, cause) => cause.at(Stage::Tls),
        })
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("timeouts", &self.timeouts)
            .field("hello", &self.hello)
            .finish_non_exhaustive()
    }
}

/// Refuses credentials that would go out in the clear.
pub(crate) fn refuse_clear_text(endpoint: &Endpoint, credentials: bool) -> Result<()> {
    if endpoint.security == Security::Plain && credentials {
        let words = "credentials are never sent without TLS; choose implicit TLS or STARTTLS";
        return Err(Error {
            stage: Stage::Auth,
            cause: Cause::Input(words.into()),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // OPS-4
    #[test]
    fn secrets_do_not_show() {
        let password = Credentials::Password {
            user: "ada".into(),
            password: "hunter2".into(),
        };
        let token = Credentials::OAuth {
            user: "ada".into(),
            token: "ya29.x".into(),
        };
        let shown = format!("{password:?} {token:?}");
        assert!(shown.contains("ada") && !shown.contains("hunter2") && !shown.contains("ya29"));
    }

    // Sessions are used in spawned tasks.
    #[test]
    fn futures_of_sessions_can_be_spawned() {
        fn spawnable<T: Send>(_: impl FnOnce(Dialer, Endpoint, Credentials) -> T) {}
        spawnable(
            async |dialer: Dialer, endpoint: Endpoint, credentials: Credentials| {
                let mut smtp =
                    crate::smtp::Session::connect(&dialer, &endpoint, Some(&credentials)).await?;
                let envelope = crate::smtp::Envelope {
                    from: String::new(),
                    to: String::new(),
                };
                smtp.begin(&envelope).await?;
                smtp.body(b"").await?;
                smtp.quit().await;
                let mut imap =
                    crate::imap::Session::connect(&dialer, &endpoint, &credentials).await?;
                imap.folders().await?;
                imap.select("").await?;
                imap.search_message_id("").await?;
                imap.fetch_since(0, &crate::imap::FetchLimits::default())
                    .await?;
                imap.append("", b"", &[]).await?;
                imap.move_to(&[], "").await?;
                imap.set_flags(&[], &[], true).await?;
                imap.idle(Duration::ZERO).await?;
                imap.logout().await;
                crate::check::run(&dialer, &endpoint, &endpoint, &credentials, "").await;
                Result::Ok(())
            },
        );
    }
}
