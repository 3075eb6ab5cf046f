//! What can go wrong on the way to a mail server, and where it did.

use std::{io, time::Duration};

use overture_egress::ConnectError;
use serde::Serialize;

use crate::{
    Code, imap,
    smtp::{Reply, ReplyClass},
    tls::{CertificateProblem, Fingerprint},
};

/// Where a dialogue stood when it failed (MB-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Building the mail; nothing was connected.
    Build,
    /// Looking the host name up.
    Dns,
    /// Opening the connection.
    Tcp,
    /// The TLS handshake, certificate checks included.
    Tls,
    /// Waiting for the server's first line.
    Greeting,
    /// Asking what the server can do (EHLO, CAPABILITY).
    Capability,
    /// Asking to go over to TLS.
    Starttls,
    /// Signing in.
    Auth,
    /// SMTP: `MAIL FROM`.
    Mail,
    /// SMTP: `RCPT TO`.
    Rcpt,
    /// SMTP: `DATA`, up to the 354.
    Data,
    /// SMTP: the body has begun; see [`Error::fate`].
    Body,
    /// SMTP: `RSET`.
    Reset,
    /// IMAP: `LIST`.
    List,
    /// IMAP: `SELECT`.
    Select,
    /// IMAP: `SEARCH`.
    Search,
    /// IMAP: `FETCH`.
    Fetch,
    /// IMAP: `APPEND`.
    Append,
    /// IMAP: `MOVE`, or `COPY` and `EXPUNGE`.
    Move,
    /// IMAP: `STORE`.
    Flag,
    /// IMAP: `IDLE`.
    Idle,
}

impl Stage {
    /// The word in reports and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Capability => "capability",
            Self::Starttls => "starttls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Body => "body",
            Self::Reset => "reset",
            Self::List => "list",
            Self::Select => "select",
            Self::Search => "search",
            Self::Fetch => "fetch",
            Self::Append => "append",
            Self::Move => "move",
            Self::Flag => "flag",
            Self::Idle => "idle",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of a mail whose dialogue broke (SAFE-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The server cannot have taken it: it may be tried again freely.
    NotSent,
    /// The body had begun and no answer came: only evidence tells.
    Ambiguous,
}

/// A dialogue that failed: where, and why.
#[derive(Debug, thiserror::Error)]
#[error("{stage}: {cause}")]
pub struct Error {
    /// Where it stood.
    pub stage: Stage,
    /// What happened.
    pub cause: Cause,
}

/// Why a dialogue failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No connection came about; nothing was sent.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A step took longer than its limit.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The server hung up.
    #[error("the server closed the connection")]
    Closed,
    /// The certificate was not accepted.
    #[error("{problem} (SHA-256 {fingerprint})")]
    Certificate {
        /// What is wrong with it.
        problem: CertificateProblem,
        /// The certificate that the server showed, for pinning (MB-2).
        fingerprint: Fingerprint,
    },
    /// The other side does not speak TLS at this point.
    #[error("the server does not speak TLS on this port from the start")]
    NotTls,
    /// The server waits for TLS, where it should greet in the clear.
    #[error("the server speaks TLS on this port from the start")]
    OnlyTls,
    /// Another failure of TLS, such as no common version.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The server does not offer what is needed.
    #[error("the server does not offer {0}")]
    NotOffered(&'static str),
    /// Text came before TLS stood, where none may come: somebody may be in between.
    #[error("the server sent text after its go-ahead for TLS; somebody may be in between")]
    Injected,
    /// A line that is not of this protocol, or larger than any honest one.
    #[error("the server's answer was not understood: {0}")]
    Garbage(String),
    /// The SMTP server said no.
    #[error("the server answered: {0}")]
    Reply(Reply),
    /// The IMAP server said no.
    #[error("the server answered: {0}")]
    Status(imap::Status),
    /// What the caller gave cannot be sent.
    #[error("{0}")]
    Input(String),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Cause {
    /// The error of this cause at `stage`.
    pub fn at(self, stage: Stage) -> Error {
        Error { stage, cause: self }
    }
}

impl Error {
    /// What became of the mail (SAFE-3): ambiguous only after the body had begun and without a
    /// complete answer of the server.
    pub fn fate(&self) -> Fate {
        match (self.stage, &self.cause) {
            (Stage::Body, Cause::Reply(_) | Cause::Input(_)) => Fate::NotSent,
            (Stage::Body, _) => Fate::Ambiguous,
            _ => Fate::NotSent,
        }
    }

    /// The SMTP server's answer, when it gave one.
    pub fn reply(&self) -> Option<&Reply> {
        match &self.cause {
            Cause::Reply(reply) => Some(reply),
            _ => None,
        }
    }

    /// What the SMTP server's answer means; `None` when it gave none.
    pub fn class(&self) -> Option<ReplyClass> {
        self.reply().map(crate::smtp::classify)
    }

    /// The stable code of MB-2.
    pub fn code(&self) -> Code {
        Code::of(self)
    }

    /// The server's own words, without control characters, at most 500 characters.
    pub fn words(&self) -> Option<String> {
        match &self.cause {
            Cause::Reply(reply) => Some(printable(&reply.to_string())),
            Cause::Status(status) => Some(printable(&status.to_string())),
            Cause::Garbage(words) => Some(printable(words)),
            _ => None,
        }
    }

    /// Whether the failure says something about the host and not about the mailbox or the mail:
    /// what a breaker per mail host counts (SAF-3). What we refuse by ourselves (MB-12, a
    /// certificate) says nothing about it.
    pub fn is_connection_failure(&self) -> bool {
        if matches!(
            self.cause,
            Cause::Certificate { .. }
                | Cause::Connect(ConnectError::Port { .. } | ConnectError::Refused { .. })
        ) {
            return false;
        }
        matches!(
            self.stage,
            Stage::Dns | Stage::Tcp | Stage::Tls | Stage::Greeting
        ) || matches!(self.cause, Cause::Timeout(_) | Cause::Io(_) | Cause::Closed)
    }
}

/// `words` on one line, without control characters, at most 500 characters.
pub(crate) fn printable(words: &str) -> String {
    let line: String = words
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(500)
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    // SAF-3, MB-12
    #[test]
    fn own_refusals_say_nothing_about_a_host() {
        let port = ConnectError::Port {
            port: 1,
            allowed: "25".into(),
        };
        assert!(!Cause::Connect(port).at(Stage::Tcp).is_connection_failure());
        assert!(Cause::Closed.at(Stage::Greeting).is_connection_failure());
        let limit = Duration::from_secs(60);
        assert!(
            Cause::Timeout(limit)
                .at(Stage::Auth)
                .is_connection_failure()
        );
        // The host is there: it speaks.
        let speaks = Cause::NotOffered("AUTH").at(Stage::Auth);
        assert!(!speaks.is_connection_failure());
    }
}
