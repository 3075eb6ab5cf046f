//! The stable codes of MB-2, what leads to each, and what a user can do about it.

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
        self.entry().0
    }

    /// What a user can do about it.
    pub fn fix(self) -> &'static str {
        self.entry().1
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

    fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::AuthAppPasswordRequired => (
                "auth_app_password_required",
                "Create an app password in the security settings of the mail account and use it \
                 here in place of the normal password.",
            ),
            Self::AuthInvalid => (
                "auth_invalid",
                "Check user name and password. The user name is mostly the full address; with \
                 two-step verification an app password is needed.",
            ),
            Self::SmtpAuthDisabled => (
                "smtp_auth_disabled",
                "An admin must enable authenticated SMTP for this mailbox (Microsoft 365: Users > \
                 Mail > Manage email apps), or connect the mailbox by OAuth.",
            ),
            Self::AuthUnsupported => (
                "auth_unsupported",
                "The server offers no sign-in that works with these credentials. Check host, port \
                 and TLS mode, or connect the mailbox by OAuth.",
            ),
            Self::ConnectionRefused => (
                "connection_refused",
                "Nothing listens there: check host name and port. SMTP is mostly 465 or 587, IMAP \
                 993.",
            ),
            Self::ConnectionLost => (
                "connection_lost",
                "The server hung up. Try again; when it persists, check host, port and TLS mode.",
            ),
            Self::DnsNotFound => ("dns_not_found", "Check the host name for typing errors."),
            Self::DnsFailed => (
                "dns_failed",
                "The name server did not answer. Try again; when it persists, check the DNS \
                 settings of this instance.",
            ),
            Self::AddressNotAllowed => (
                "address_not_allowed",
                "Mail servers must have a public address. The operator can allow a private \
                 network by `mail.allowed_networks`.",
            ),
            Self::PortNotAllowed => (
                "port_not_allowed",
                "Use port 25, 465, 587, 2525, 143 or 993. The operator can allow others by \
                 `mail.allowed_ports`.",
            ),
            Self::Timeout => (
                "timeout",
                "The server did not answer in time. Check host and port, and whether a firewall \
                 is in between.",
            ),
            Self::TlsSelfSigned => (
                "tls_self_signed",
                "Compare the fingerprint with the one your server's admin tells you, then pin it \
                 for this mailbox.",
            ),
            Self::TlsUntrustedIssuer => (
                "tls_untrusted_issuer",
                "The server's admin should install the full certificate chain. For a private CA \
                 the operator sets `mail.extra_ca_file`; or pin the fingerprint for this mailbox.",
            ),
            Self::TlsExpired => (
                "tls_expired",
                "The server's admin must renew the certificate. Check this machine's clock, too.",
            ),
            Self::TlsHostnameMismatch => (
                "tls_hostname_mismatch",
                "Use the host name that the certificate is for; your provider's help page names \
                 it.",
            ),
            Self::TlsWrongMode => (
                "tls_wrong_mode",
                "Change the TLS mode or the port: 465 and 993 are implicit TLS, 587 and 143 are \
                 STARTTLS.",
            ),
            Self::TlsFailed => (
                "tls_failed",
                "TLS 1.2 or newer with an ordinary server certificate is needed. Ask the server's \
                 admin.",
            ),
            Self::StarttlsUnsupported => (
                "starttls_unsupported",
                "The server offers no STARTTLS on this port. Use implicit TLS: port 465 for SMTP, \
                 993 for IMAP.",
            ),
            Self::StarttlsInjected => (
                "starttls_injected",
                "Somebody may be tampering with the connection. Use implicit TLS (465, 993), and \
                 tell the server's admin.",
            ),
            Self::MailboxNotFound => (
                "mailbox_not_found",
                "The server knows no such mailbox. Check the address and the user name.",
            ),
            Self::ImapDisabled => (
                "imap_disabled",
                "Switch IMAP on in the settings of the mail account, or ask its admin.",
            ),
            Self::RateLimited => (
                "rate_limited",
                "The server asks for patience. It is tried again later by itself; close other \
                 programs that use this mailbox if it persists.",
            ),
            Self::ServerUnavailable => (
                "server_unavailable",
                "The server cannot serve at the moment. It is tried again later by itself.",
            ),
            Self::ServerRefused => (
                "server_refused",
                "The server's own words say why; ask its admin when they don't help.",
            ),
            Self::ProtocolError => (
                "protocol_error",
                "That is no mail server of the wanted kind, or something in between changes what \
                 it says. Check host and port.",
            ),
            Self::InvalidInput => ("invalid_input", "Correct the value that the message names."),
        }
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
                        _ if is_rate(&words) => Self::RateLimited,
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

fn is_rate(words: &str) -> bool {
    any(
        words,
        &[
            "too many",
            "rate limit",
            "throttl",
            "try again later",
            "exceeded the limit",
        ],
    )
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
mod tests {
    use super::*;
    use crate::{imap::Status, smtp::Reply};

    // MB-2
    #[test]
    fn smtp_answers_to_sign_in() {
        let check = |line: &str, expected: Code| {
            let reply = Reply::parse(line).unwrap();
            assert_eq!(
                Cause::Reply(reply).at(Stage::Auth).code(),
                expected,
                "{line}"
            );
        };
        check(
            "534 5.7.9 Application-specific password required.",
            Code::AuthAppPasswordRequired,
        );
        check(
            "534-5.7.14 <https://accounts.example.com/signin/continue>\n534 5.7.14 Please log in",
            Code::AuthAppPasswordRequired,
        );
        check("535 5.7.8 Error: authentication failed:", Code::AuthInvalid);
        check("535 5.7.3 Authentication unsuccessful", Code::AuthInvalid);
        check(
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for \
             the Tenant.",
            Code::SmtpAuthDisabled,
        );
        check(
            "454 4.7.0 Temporary authentication failure",
            Code::ServerUnavailable,
        );
        check(
            "454 4.7.0 Too many login attempts, please try again later",
            Code::RateLimited,
        );
        check("421 4.7.0 Too many connections", Code::RateLimited);
        check(
            "504 5.7.4 Unrecognized authentication type",
            Code::AuthUnsupported,
        );
    }

    // MB-2
    #[test]
    fn smtp_answers_to_an_envelope() {
        let check = |line: &str, expected: Code| {
            let reply = Reply::parse(line).unwrap();
            assert_eq!(
                Cause::Reply(reply).at(Stage::Rcpt).code(),
                expected,
                "{line}"
            );
        };
        check("550 5.1.1 no such user here", Code::MailboxNotFound);
        check("550 5.4.5 daily sending quota exceeded", Code::RateLimited);
        check("450 4.7.1 greylisted, try again later", Code::RateLimited);
        check("451 4.3.0 queue file write error", Code::ServerUnavailable);
        check("530 5.7.0 Authentication required", Code::AuthUnsupported);
        check("554 5.7.1 looks like spam", Code::ServerRefused);
    }

    // MB-2
    #[test]
    fn imap_answers() {
        let check = |stage: Stage, line: &str, expected: Code| {
            let status = Status::parse(line).unwrap();
            assert_eq!(Cause::Status(status).at(stage).code(), expected, "{line}");
        };
        check(
            Stage::Auth,
            "NO [AUTHENTICATIONFAILED] Authentication failed.",
            Code::AuthInvalid,
        );
        check(
            Stage::Auth,
            "NO [ALERT] Application-specific password required: https://support.example.com",
            Code::AuthAppPasswordRequired,
        );
        check(
            Stage::Auth,
            "NO [ALERT] Your account is not enabled for IMAP use.",
            Code::ImapDisabled,
        );
        check(
            Stage::Auth,
            "NO [LIMIT] Too many simultaneous connections",
            Code::RateLimited,
        );
        check(
            Stage::Auth,
            "NO [UNAVAILABLE] Temporary failure",
            Code::ServerUnavailable,
        );
        check(
            Stage::Select,
            "NO [NONEXISTENT] Unknown Mailbox: Sent",
            Code::MailboxNotFound,
        );
        check(
            Stage::Fetch,
            "BAD Error in IMAP command",
            Code::ServerRefused,
        );
        check(
            Stage::Starttls,
            "BAD Unknown command",
            Code::StarttlsUnsupported,
        );
    }

    #[test]
    fn definite_auth_failures_are_told_from_passing_ones() {
        // MB-3
        assert!(Code::AuthInvalid.is_definite_auth_failure());
        assert!(!Code::ServerUnavailable.is_definite_auth_failure());
        assert!(!Code::RateLimited.is_definite_auth_failure());
    }

    #[test]
    fn text_form_and_json_agree() {
        for code in [
            Code::AuthAppPasswordRequired,
            Code::TlsUntrustedIssuer,
            Code::DnsNotFound,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
