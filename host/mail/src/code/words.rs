//! The words of the codes: their text form, what has happened, and what a user can do about it.

use super::Code;

/// What is said about a code.
pub(super) struct Words {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) fix: &'static str,
}

/// Every code.
pub(super) const ALL: [Code; 26] = [
    Code::AuthAppPasswordRequired,
    Code::AuthInvalid,
    Code::SmtpAuthDisabled,
    Code::AuthUnsupported,
    Code::ConnectionRefused,
    Code::ConnectionLost,
    Code::DnsNotFound,
    Code::DnsFailed,
    Code::AddressNotAllowed,
    Code::PortNotAllowed,
    Code::Timeout,
    Code::TlsSelfSigned,
    Code::TlsUntrustedIssuer,
    Code::TlsExpired,
    Code::TlsHostnameMismatch,
    Code::TlsWrongMode,
    Code::TlsFailed,
    Code::StarttlsUnsupported,
    Code::StarttlsInjected,
    Code::MailboxNotFound,
    Code::ImapDisabled,
    Code::RateLimited,
    Code::ServerUnavailable,
    Code::ServerRefused,
    Code::ProtocolError,
    Code::InvalidInput,
];

pub(super) fn words(code: Code) -> Words {
    let (name, meaning, fix) = match code {
        Code::AuthAppPasswordRequired => (
            "auth_app_password_required",
            "The server takes an app password only",
            "Create an app password in the security settings of the mail account and use it \
                 here in place of the normal password.",
        ),
        Code::AuthInvalid => (
            "auth_invalid",
            "The server refused user name or password",
            "Check user name and password. The user name is mostly the full address; with \
                 two-step verification an app password is needed.",
        ),
        Code::SmtpAuthDisabled => (
            "smtp_auth_disabled",
            "Sending with a password is switched off for this mailbox",
            "An admin must enable authenticated SMTP for this mailbox (Microsoft 365: Users > \
                 Mail > Manage email apps), or connect the mailbox by OAuth.",
        ),
        Code::AuthUnsupported => (
            "auth_unsupported",
            "The server offers no way of signing in that works here",
            "The server offers no sign-in that works with these credentials. Check host, port \
                 and TLS mode, or connect the mailbox by OAuth.",
        ),
        Code::ConnectionRefused => (
            "connection_refused",
            "Nothing answers at that host and port",
            "Nothing listens there: check host name and port. SMTP is mostly 465 or 587, IMAP \
                 993.",
        ),
        Code::ConnectionLost => (
            "connection_lost",
            "The server hung up",
            "The server hung up. Try again; when it persists, check host, port and TLS mode.",
        ),
        Code::DnsNotFound => (
            "dns_not_found",
            "There is no host of this name",
            "Check the host name for typing errors.",
        ),
        Code::DnsFailed => (
            "dns_failed",
            "The host name could not be looked up",
            "The name server did not answer. Try again; when it persists, check the DNS \
                 settings of this instance.",
        ),
        Code::AddressNotAllowed => (
            "address_not_allowed",
            "The host is not at a public address",
            "Mail servers must have a public address. The operator can allow a private \
                 network by `mail.allowed_networks`.",
        ),
        Code::PortNotAllowed => (
            "port_not_allowed",
            "That is no mail port",
            "Use port 25, 465, 587, 2525, 143 or 993. The operator can allow others by \
                 `mail.allowed_ports`.",
        ),
        Code::Timeout => (
            "timeout",
            "There was no answer in time",
            "The server did not answer in time. Check host and port, and whether a firewall \
                 is in between.",
        ),
        Code::TlsSelfSigned => (
            "tls_self_signed",
            "The server's certificate is self-signed",
            "Compare the fingerprint with the one your server's admin tells you, then pin it \
                 for this mailbox.",
        ),
        Code::TlsUntrustedIssuer => (
            "tls_untrusted_issuer",
            "The server's certificate was issued by somebody unknown",
            "The server's admin should install the full certificate chain. For a private CA \
                 the operator sets `mail.extra_ca_file`; or pin the fingerprint for this mailbox.",
        ),
        Code::TlsExpired => (
            "tls_expired",
            "The server's certificate is not valid at this time",
            "The server's admin must renew the certificate. Check this machine's clock, too.",
        ),
        Code::TlsHostnameMismatch => (
            "tls_hostname_mismatch",
            "The server's certificate is for another host name",
            "Use the host name that the certificate is for; your provider's help page names \
                 it.",
        ),
        Code::TlsWrongMode => (
            "tls_wrong_mode",
            "The TLS mode does not fit the port",
            "Change the TLS mode or the port: 465 and 993 are implicit TLS, 587 and 143 are \
                 STARTTLS.",
        ),
        Code::TlsFailed => (
            "tls_failed",
            "No secure connection came about",
            "TLS 1.2 or newer with an ordinary server certificate is needed. Ask the server's \
                 admin.",
        ),
        Code::StarttlsUnsupported => (
            "starttls_unsupported",
            "The server has no STARTTLS",
            "The server offers no STARTTLS on this port. Use implicit TLS: port 465 for SMTP, \
                 993 for IMAP.",
        ),
        Code::StarttlsInjected => (
            "starttls_injected",
            "Text came in the clear where the secure connection had to begin",
            "Somebody may be tampering with the connection. Use implicit TLS (465, 993), and \
                 tell the server's admin.",
        ),
        Code::MailboxNotFound => (
            "mailbox_not_found",
            "The server knows no such mailbox",
            "The server knows no such mailbox. Check the address and the user name.",
        ),
        Code::ImapDisabled => (
            "imap_disabled",
            "IMAP is switched off for this mailbox",
            "Switch IMAP on in the settings of the mail account, or ask its admin.",
        ),
        Code::RateLimited => (
            "rate_limited",
            "The server asks for patience",
            "The server asks for patience. It is tried again later by itself; close other \
                 programs that use this mailbox if it persists.",
        ),
        Code::ServerUnavailable => (
            "server_unavailable",
            "The server cannot serve now",
            "The server cannot serve at the moment. It is tried again later by itself.",
        ),
        Code::ServerRefused => (
            "server_refused",
            "The server refused",
            "The server's own words say why; ask its admin when they don't help.",
        ),
        Code::ProtocolError => (
            "protocol_error",
            "The server does not speak the protocol of a mail server",
            "That is no mail server of the wanted kind, or something in between changes what \
                 it says. Check host and port.",
        ),
        Code::InvalidInput => (
            "invalid_input",
            "What was entered is not fit for sending",
            "Correct the value that the message names.",
        ),
    };
    Words { name, meaning, fix }
}
