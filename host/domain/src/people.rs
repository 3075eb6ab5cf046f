//! Workspaces, users, keys, and who did what.

use crate::{ApiKeyId, AuditId, Timestamp, UserId, WorkspaceId, names};

/// WS-1
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    /// Shown in every campaign mail when set (TRK-4).
    pub postal_address: String,
    /// IANA name.
    pub time_zone: String,
    pub created_at: Timestamp,
}

names! {
    /// WS-2
    Role { Owner = "owner", Admin = "admin", User = "user", Readonly = "readonly" }
}

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub display_name: String,
    pub instance_admin: bool,
    pub created_at: Timestamp,
}

/// A key of the API (API-1), without the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub workspace_id: WorkspaceId,
    pub created_by: Option<UserId>,
    pub name: String,
    /// The first characters, for recognising it.
    pub prefix: String,
    pub scopes: Vec<String>,
    /// Where the key may call less often than its workspace may (API-3).
    pub requests_per_minute: Option<u32>,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// Who did something: `user:usr_…`, `key:key_…`, `engine`, `cli`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    User(UserId),
    Key(ApiKeyId),
    /// A person at the command line of the host.
    Cli,
    /// The product by itself; the text names the rule or job.
    Engine(&'static str),
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Cli => f.write_str("cli"),
            Self::Engine(rule) => write!(f, "engine:{rule}"),
        }
    }
}

/// One status change (SAFE-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    pub id: AuditId,
    pub workspace_id: WorkspaceId,
    /// `campaign`, `account` or `send`.
    pub subject_kind: String,
    pub subject_id: String,
    /// None at the beginning.
    pub from_status: Option<String>,
    pub to_status: String,
    pub reason: String,
    pub actor: String,
    pub at: Timestamp,
}
