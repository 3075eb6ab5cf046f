//! `plugin.toml`: who a plugin is, what it offers, and what it asks for.

mod check;

use std::{fmt, str::FromStr};

use serde_json::Value;

/// What a plugin says about itself (PLG-1, PLG-2). Asked is not granted: the admin grants.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Lower-case letters, digits and single hyphens, 2 to 64 characters; never changes.
    pub id: String,
    /// What people read.
    pub name: String,
    /// `MAJOR.MINOR.PATCH`, optionally with `-pre` at the end.
    pub version: String,
    /// What it offers, each once.
    pub kinds: Vec<Kind>,
    /// The line of the interface that it was built for.
    pub wit: WitVersion,
    /// One sentence.
    pub description: String,
    /// `Name` or `Name <address>`, at least one.
    pub authors: Vec<String>,
    /// An SPDX expression, such as `Apache-2.0`.
    pub license: String,
    /// What it asks of the host.
    pub capabilities: Capabilities,
    /// The limits that it wants; the admin's limits stand above them (PLG-3).
    pub limits: Limits,
    /// The URLs that a formatter is proposed for (API-9); empty for other kinds.
    pub urls: Vec<UrlPattern>,
    /// The JSON Schema of its settings, always of type `object`.
    pub settings: Value,
}

/// What a plugin can be (PLG-1). The text is the name of the interface in the WIT package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Turns events into bodies of webhooks.
    Formatter,
    /// Judges replies.
    Classifier,
    /// Sends and reads mail.
    MailProvider,
    /// Acts on a social network.
    NetworkProvider,
}

/// What a plugin asks of the host beyond the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Hosts that it wants to reach over HTTP: `api.example.com`, `*.example.com`.
    pub http_hosts: Vec<String>,
    /// Secrets that the admin fills in and that the guest never sees.
    pub secrets: Vec<SecretSlot>,
    /// Bytes that it wants to keep per workspace; 0 is no store.
    pub store_quota_bytes: u64,
    /// Wants to read the bytes of the mails that it sends (DESIGN §3).
    pub raw_mail: bool,
}

/// A secret by name: the guest writes `{name}`, the host fills it in toward its hosts only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSlot {
    /// Lower-case letters, digits and hyphens.
    pub name: String,
    /// What the admin is asked for.
    pub label: String,
    /// Where it may go; each is also one of [`Capabilities::http_hosts`].
    pub hosts: Vec<String>,
}

/// Limits of one call that a plugin wants (PLG-3); `None` is the host's default for its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory of the guest, in MiB.
    pub memory_mib: Option<u32>,
    /// Time that the guest computes, in milliseconds.
    pub cpu_ms: Option<u32>,
    /// Time from call to answer, waiting included, in milliseconds.
    pub wall_ms: Option<u32>,
    /// Bytes that it answers.
    pub output_bytes: Option<u32>,
    /// HTTP requests.
    pub http_calls: Option<u32>,
    /// Lines that it logs.
    pub log_lines: Option<u32>,
}

/// Host, and start of the path, of URLs that a formatter knows: `hooks.example.com`,
/// `*.example.com/hooks/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPattern {
    host: String,
    path: String,
}

/// A line of the interface: versions with the same major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WitVersion {
    /// 0 in `0.1`.
    pub major: u32,
    /// 1 in `0.1`.
    pub minor: u32,
}

/// What is wrong in a `plugin.toml`, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin.toml{}: {field}: {problem}; {fix}", line.map(|n| format!(", line {n}")).unwrap_or_default())]
pub struct ManifestError {
    /// Counted from 1; none where the place is the whole file.
    pub line: Option<usize>,
    /// The key, with dots: `capabilities.http-hosts`.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// What to write.
    pub fix: String,
}

impl Manifest {
    /// Reads the text of a `plugin.toml`.
    ///
    /// # Errors
    /// A [`ManifestError`] that names line, field and fix.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        check::read(text)
    }

    /// Whether this formatter is proposed for a URL with this host and path (API-9).
    #[must_use]
    pub fn matches_url(&self, host: &str, path: &str) -> bool {
        self.urls.iter().any(|u| u.matches(host, path))
    }
}

impl Kind {
    /// Every kind that this host knows.
    pub const ALL: [Kind; 4] = [
        Kind::Formatter,
        Kind::Classifier,
        Kind::MailProvider,
        Kind::NetworkProvider,
    ];

    /// The name in manifests and of the interface: `formatter`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Formatter => "formatter",
            Kind::Classifier => "classifier",
            Kind::MailProvider => "mail-provider",
            Kind::NetworkProvider => "network-provider",
        }
    }

    /// Formatters and classifiers only judge what they are given: the log is all they get.
    #[must_use]
    pub fn is_pure(self) -> bool {
        matches!(self, Kind::Formatter | Kind::Classifier)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Kind::ALL.into_iter().find(|k| k.as_str() == text).ok_or(())
    }
}

impl UrlPattern {
    /// Whether a URL with this host and path is meant. Hosts compare without regard to case;
    /// `*.example.com` means its subdomains, not itself.
    #[must_use]
    pub fn matches(&self, host: &str, path: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let host_fits = match self.host.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == self.host,
        };
        host_fits && path.starts_with(&self.path)
    }
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host, self.path)
    }
}

impl fmt::Display for WitVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for WitVersion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.split_once('.').ok_or(())?;
        let number = |s: &str| s.parse().map_err(drop);
        Ok(WitVersion {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}

impl ManifestError {
    pub(crate) fn not_utf8() -> Self {
        ManifestError {
            line: None,
            field: "(file)".into(),
            problem: "the text is not UTF-8".into(),
            fix: "save it as UTF-8".into(),
        }
    }
}

#[cfg(test)]
mod tests;
