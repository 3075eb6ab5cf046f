//! The stable codes of MB-2, what leads to each, and what a user can do about it.

mod words;

use std::io;

use overture_egress::{ConnectError, DnsError};
use serde::Serialize;

use crate::{
    Cause, Error, Stage,
    smtp::{Enhanced, ReplyClass},
    tls::CertificateProblem,
};

/// A failure of a mail connection, as the product names it (MB-2). The text form is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The provider takes an app password only.
    AuthAppPasswordRequired,
    /// User name or password is wrong.
    AuthInvalid,
    /// An admin must switch SMTP AUTH on.
    SmtpAuthDisabled,
    /// The server offers no way of signing in that we speak.
    AuthUnsupported,
    /// Nothing listens on that port.
    ConnectionRefused,
    /// The connection broke.
    ConnectionLost,
    /// The host name does not exist.
    DnsNotFound,
    /// The name could not be looked up.
    DnsFailed,
    /// MB-12: the host is not on a public address.
    AddressNotAllowed,
    /// MB-12: not a mail port.
    PortNotAllowed,
    /// No answer in time.
    Timeout,
    /// The certificate vouches for itself.
    TlsSelfSigned,
    /// The certificate's chain has no known issuer.
    TlsUntrustedIssuer,
    /// The certificate is out of date.
    TlsExpired,
    /// The certificate is for another host.
    TlsHostnameMismatch,
    /// Implicit TLS where STARTTLS is spoken, or the other way round.
    TlsWrongMode,
    /// Another failure of TLS.
    TlsFailed,
    /// The server has no STARTTLS.
    StarttlsUnsupported,
    /// Text was slipped in before TLS stood.
    StarttlsInjected,
    /// The server knows no such mailbox.
    MailboxNotFound,
    /// IMAP is switched off for the mailbox.
    ImapDisabled,
    /// The server asks for patience: too many connections, sign-ins or mails.
    RateLimited,
    /// The server cannot serve now.
    ServerUnavailable,
    /// The server said no for another reason.
    ServerRefused,
    /// The server did not speak the protocol.
    ProtocolError,
    /// What was to be sent is not fit for sending.
    InvalidInput,
}

impl Code {
    /// The text form, `auth_invalid`.
    pub fn as_str(self) -> &'static str {
        words::words(self).name
    }

    /// What has happened, in a few words without a full stop at the end.
    pub fn meaning(self) -> &'static str {
        words::words(self).meaning
    }

    /// What a user can do about it.
    pub fn fix(self) -> &'static str {
        words::words(self).fix
    }

    /// Whether the server has definitely refused the credentials (MB-3): trying again with the
    /// same ones is useless and brings the account nearer to being locked.
    pub fn is_definite_auth_failure(self) -> bool {
        matches!(
            self,
            Self::AuthAppPasswordRequired
                | Self::AuthInvalid
                | Self::SmtpAuthDisabled
                | Self::ImapDisabled
        )
    }

    pub(crate) fn of(error: &Error) -> Self {
        match &error.cause {
            Cause::Connect(error) => of_connect(error),
            Cause::Timeout(_) => Self::Timeout,
            Cause::Io(_) | Cause::Closed => Self::ConnectionLost,
            Cause::Certificate { problem, .. } => match problem {
                CertificateProblem::SelfSigned => Self::TlsSelfSigned,
                CertificateProblem::UnknownIssuer => Self::TlsUntrustedIssuer,
                CertificateProblem::Expired => Self::TlsExpired,
                CertificateProblem::WrongName => Self::TlsHostnameMismatch,
                CertificateProblem::Unacceptable => Self::TlsFailed,
            },
            Cause::NotTls | Cause::OnlyTls => Self::TlsWrongMode,
            Cause::Tls(_) => Self::TlsFailed,
            Cause::NotOffered("STARTTLS") => Self::StarttlsUnsupported,
            Cause::NotOffered(_) => Self::AuthUnsupported,
            Cause::Injected => Self::StarttlsInjected,
            Cause::Garbage(_) => Self::ProtocolError,
            Cause::Input(_) => Self::InvalidInput,
            Cause::Reply(reply) => {
                let words = reply.text().to_lowercase();
                match error.stage {
                    Stage::Auth => of_smtp_auth(reply.code, reply.enhanced(), &words),
                    Stage::Starttls => Self::StarttlsUnsupported,
                    _ => match crate::smtp::classify(reply) {
                        ReplyClass::SenderLimit => Self::RateLimited,
                        ReplyClass::Hard => Self::MailboxNotFound,
                        ReplyClass::Auth => of_smtp_auth(reply.code, reply.enhanced(), &words),
                        _ if any(&words, RATE) => Self::RateLimited,
                        // Of one mail that is greylisting, and says nothing about how many.
                        _ if any(&words, LATER) && !is_about_mail(error.stage) => Self::RateLimited,
                        _ if reply.is_transient() => Self::ServerUnavailable,
                        _ => Self::ServerRefused,
                    },
                }
            }
            Cause::Status(status) => {
                let words = status.to_string().to_lowercase();
                match error.stage {
                    Stage::Starttls => Self::StarttlsUnsupported,
                    stage => of_imap(stage, &words),
                }
            }
        }
    }
}

/// Reads the text form.
impl std::str::FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        words::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .ok_or(UnknownCode)
    }
}

/// A text that is no code of MB-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such code")]
pub struct UnknownCode;

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

fn of_connect(error: &ConnectError) -> Code {
    match error {
        ConnectError::Dns(DnsError::Unanswered { .. }) => Code::DnsFailed,
        ConnectError::Dns(_) => Code::DnsNotFound,
        ConnectError::Port { .. } => Code::PortNotAllowed,
        ConnectError::Refused { .. } => Code::AddressNotAllowed,
        ConnectError::Tcp { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
            Code::Timeout
        }
        ConnectError::Tcp { .. } => Code::ConnectionRefused,
        ConnectError::Timeout { .. } => Code::Timeout,
    }
}

fn any(words: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| words.contains(phrase))
}

const RATE: &[&str] = &["too many", "rate limit", "throttl", "exceeded the limit"];

const LATER: &[&str] = &["try again later"];

fn is_rate(words: &str) -> bool {
    any(words, RATE) || any(words, LATER)
}

fn is_about_mail(stage: Stage) -> bool {
    matches!(stage, Stage::Rcpt | Stage::Data | Stage::Body)
}

fn is_app_password(words: &str) -> bool {
    any(
        words,
        &[
            "application-specific password",
            "app password",
            "app-specific password",
            "application password",
            "application specific password",
            "generate an app",
            "webloginrequired",
            "log in via your web browser",
            "login via your web browser",
        ],
    )
}

fn of_smtp_auth(code: u16, enhanced: Option<Enhanced>, words: &str) -> Code {
    let is = |subject, detail| enhanced.is_some_and(|e| e.subject == subject && e.detail == detail);
    if is_app_password(words) || (code == 534 && (is(7, 9) || is(7, 14))) {
        return Code::AuthAppPasswordRequired;
    }
    if is(7, 139)
        || any(
            words,
            &[
                "smtpclientauthentication is disabled",
                "smtp auth is disabled",
            ],
        )
    {
        return Code::SmtpAuthDisabled;
    }
    if is_rate(words) {
        return Code::RateLimited;
    }
    match code {
        535 | 534 => Code::AuthInvalid,
        400..=499 => Code::ServerUnavailable,
        502..=504 | 530 | 538 => Code::AuthUnsupported,
        _ if is(7, 8) || is(7, 3) || is(7, 0) || is(7, 1) => Code::AuthInvalid,
        _ => Code::ServerRefused,
    }
}

fn of_imap(stage: Stage, words: &str) -> Code {
    if is_app_password(words) {
        return Code::AuthAppPasswordRequired;
    }
    if any(
        words,
        &[
            "imap access is disabled",
            "not enabled for imap",
            "imap is disabled",
            "imap disabled",
            "imap access disabled",
            "imap service is disabled",
            "enable imap",
            "imap4 is disabled",
        ],
    ) {
        return Code::ImapDisabled;
    }
    if any(
        words,
        &[
            "[nonexistent]",
            "[trycreate]",
            "mailbox doesn't exist",
            "unknown mailbox",
        ],
    ) {
        return Code::MailboxNotFound;
    }
    if any(words, &["[limit]", "[overquota]"]) || is_rate(words) {
        return Code::RateLimited;
    }
    if any(
        words,
        &["[unavailable]", "[inuse]", "[serverbug]", "temporar"],
    ) {
        return Code::ServerUnavailable;
    }
    match stage {
        Stage::Auth => Code::AuthInvalid,
        _ => Code::ServerRefused,
    }
}

#[cfg(test)]
mod tests;
