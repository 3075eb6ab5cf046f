//! Sending accounts: mailboxes now, LinkedIn accounts beside them.

use serde::{Deserialize, Serialize};

use crate::{AccountId, AuditId, Timestamp, WorkspaceId, names};

names! {
    /// How people are reached.
    Channel { Mail = "mail", Linkedin = "linkedin" }
}

names! {
    /// MB-3, LI-1. Mailboxes use connecting, connected, disconnected, error and paused.
    AccountStatus {
        Connecting = "connecting",
        Connected = "connected",
        NeedsVerification = "needs_verification",
        Disconnected = "disconnected",
        Restricted = "restricted",
        Error = "error",
        Paused = "paused",
    }
}

/// One account that messages go out from. Its credentials are never part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub id: AccountId,
    pub workspace_id: WorkspaceId,
    pub channel: Channel,
    /// The id of the provider plugin.
    pub provider: String,
    /// The key of the provider's preset (MB-1).
    pub preset: String,
    /// The mail address as the user wrote it.
    pub address: String,
    pub sender_name: String,
    pub status: AccountStatus,
    /// Why it has this status, for people; empty when connected.
    pub status_reason: String,
    pub status_audit_id: AuditId,
    pub settings: serde_json::Value,
    /// Campaign and hand-written mails a day (MB-4).
    pub daily_limit: i64,
    /// IANA name; the calendar day of its caps (CAP-2).
    pub time_zone: String,
    pub signature_html: String,
    pub signature_text: String,
    /// The pacer (SCH-4): nothing is handed out before.
    pub next_send_at: Timestamp,
    /// The back-off ladder (CAP-3).
    pub backoff_until: Timestamp,
    pub backoff_rung: i64,
    pub auth_failures: i64,
    /// The provider's own note of how far it has read.
    pub sync_cursor: Option<String>,
    pub sync_due_at: Timestamp,
    pub synced_at: Option<Timestamp>,
    pub sync_error: Option<SyncError>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Why the last sync failed (MB-3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncError {
    /// dns, tcp, tls, auth, select, fetch.
    pub stage: String,
    /// A code of MB-2 or `protocol`.
    pub code: String,
    /// The server's words, where it said any.
    pub reply: Option<String>,
    pub detail: String,
    pub at: Timestamp,
}

names! {
    /// How a connection is secured.
    TlsMode {
        /// TLS from the first byte (465, 993).
        Implicit = "implicit",
        /// Plain until STARTTLS (587, 143).
        Starttls = "starttls",
    }
}

/// `Account::settings` of a mailbox that talks SMTP and IMAP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailSettings {
    pub smtp: MailServer,
    pub imap: MailServer,
    /// Defaults to the address (MB-11).
    pub user_name: String,
    /// SHA-256 of the one certificate that is accepted, hexadecimal (MB-2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_certificate: Option<String>,
    /// The server files mail sent over SMTP into Sent by itself (MB-9).
    #[serde(default)]
    pub files_sent: bool,
    /// And within so many minutes (SAFE-3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_within_minutes: Option<u32>,
}

/// Where a mail server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailServer {
    pub host: String,
    pub port: u16,
    pub tls: TlsMode,
}

/// What is sealed in an account's row.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Credentials {
    /// User name and password (an app password where the provider wants one).
    Password { password: String },
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}
