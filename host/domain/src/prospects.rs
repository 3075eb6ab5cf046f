//! People who are written to.

use std::collections::BTreeMap;

use crate::{ImportId, ListId, ProspectId, SuppressionId, Timestamp, WorkspaceId, names};

names! {
    /// PR-4, in the whole workspace.
    ProspectStatus {
        Active = "active",
        Bounced = "bounced",
        Unsubscribed = "unsubscribed",
        Suppressed = "suppressed",
        Invalid = "invalid",
        DoNotContact = "do_not_contact",
    }
}

/// One person (PR-1). Empty text means "not known".
#[derive(Clone, Debug, PartialEq)]
pub struct Prospect {
    pub id: ProspectId,
    pub workspace_id: WorkspaceId,
    /// Where mail goes; of a person whose address nobody knows a placeholder at
    /// [`NO_ADDRESS_DOMAIN`].
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub company: String,
    pub role: String,
    pub phone: String,
    pub linkedin_url: String,
    pub website: String,
    pub country: String,
    pub city: String,
    pub industry: String,
    pub time_zone: String,
    pub tags: Vec<String>,
    /// Names as [`custom_field_name`] makes them.
    pub custom: BTreeMap<String, String>,
    /// csv, api, hand, lead...
    pub source: String,
    pub status: ProspectStatus,
    /// Why, where that is known: [`NO_MX`]; otherwise empty.
    pub status_reason: String,
    pub last_replied_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Prospect {
    /// An active prospect of whom nothing but the address is known; `source` as in the field.
    pub fn new(
        id: ProspectId,
        workspace_id: WorkspaceId,
        email: impl Into<String>,
        source: &str,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            workspace_id,
            email: email.into(),
            first_name: String::new(),
            last_name: String::new(),
            company: String::new(),
            role: String::new(),
            phone: String::new(),
            linkedin_url: String::new(),
            website: String::new(),
            country: String::new(),
            city: String::new(),
            industry: String::new(),
            time_zone: String::new(),
            tags: Vec::new(),
            custom: BTreeMap::new(),
            source: source.to_owned(),
            status: ProspectStatus::Active,
            status_reason: String::new(),
            last_replied_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Where mail reaches the person, where somebody knows it (PR-1).
    pub fn address(&self) -> Option<&str> {
        (email_domain(&self.email) != NO_ADDRESS_DOMAIN).then_some(&self.email)
    }

    /// Why the prospect has its status, in words for people, where that is known.
    pub fn status_words(&self) -> Option<String> {
        (self.status_reason == NO_MX).then(|| no_mx_words(&email_domain(&self.email)))
    }

    /// First and last name, as far as they are known.
    pub fn full_name(&self) -> String {
        let names = [self.first_name.trim(), self.last_name.trim()];
        let known: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
        known.join(" ")
    }
}

/// The reason of a prospect's status whose domain takes no mail (PR-7).
pub const NO_MX: &str = "no_mx";

/// The same in words for people.
pub fn no_mx_words(domain: &str) -> String {
    format!(
        "no mail can reach {domain}: the DNS names no mail server for it (no MX, A or AAAA record, or a null MX); the domain is looked at again every week"
    )
}

/// Where the addresses stand of people whose address nobody knows: no mail goes there (PR-1).
pub const NO_ADDRESS_DOMAIN: &str = "noemail.invalid";

/// Why a mail to such a person waits, in words for people.
pub const NO_ADDRESS: &str = "no mail can reach this person: the address is not known";

/// A named list of prospects (PR-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    pub id: ListId,
    pub workspace_id: WorkspaceId,
    pub name: String,
    pub color: String,
    pub prospect_count: i64,
    pub created_at: Timestamp,
}

names! {
    /// How far an import is (PR-2).
    ImportState { Running = "running", Finished = "finished", Failed = "failed" }
}

/// An import and how its rows ended (PR-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub id: ImportId,
    pub workspace_id: WorkspaceId,
    pub file_name: String,
    pub list_id: Option<ListId>,
    pub state: ImportState,
    /// Why it failed, for people; empty otherwise.
    pub failure: String,
    /// The header of the file.
    pub header: Vec<String>,
    /// Rows of the file, without its header and empty ones.
    pub total_rows: i64,
    pub created_rows: i64,
    pub updated_rows: i64,
    pub duplicate_rows: i64,
    pub suppressed_rows: i64,
    pub invalid_rows: i64,
    /// Among those created and updated: rows with a value that made no sense and was left out.
    pub incomplete_rows: i64,
    pub created_at: Timestamp,
    /// When it finished or failed.
    pub finished_at: Option<Timestamp>,
}

names! {
    /// What a suppression covers (SUP-1).
    SuppressionKind { Email = "email", Domain = "domain" }
}

names! {
    /// Where a suppression came from (SUP-1).
    SuppressionSource {
        Bounce = "bounce",
        Unsubscribe = "unsubscribe",
        Complaint = "complaint",
        Manual = "manual",
    }
}

/// An address or domain that is never written to (SUP-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    pub id: SuppressionId,
    pub workspace_id: WorkspaceId,
    pub kind: SuppressionKind,
    pub value: String,
    pub source: SuppressionSource,
    pub reason: String,
    pub created_at: Timestamp,
}

/// The key under which an address is unique: trimmed and lower case. Dots and `+` stay: they are
/// other mailboxes at most providers.
pub fn email_key(address: &str) -> String {
    address.trim().to_lowercase()
}

/// The domain of an address, lower case; empty when there is none.
pub fn email_domain(address: &str) -> String {
    address
        .rsplit_once('@')
        .map(|(_, domain)| domain.trim().to_lowercase())
        .unwrap_or_default()
}

/// A text as the search compares it (PR-3): without case, also of other scripts, a letter at a time,
/// so that a part of a text becomes a part of its key.
pub fn search_key(text: &str) -> String {
    let folded = text.chars().flat_map(char::to_lowercase);
    // The same letter at the end of a word.
    folded.map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// Why a text is no mail address, in words for people; `None` when it is one. Only the form is
/// looked at: one `@`, a local part and a domain of at least two labels, no spaces or controls, at
/// most 254 bytes (RFC 5321 §4.5.3.1.3).
pub fn email_problem(address: &str) -> Option<&'static str> {
    let address = address.trim();
    if address.is_empty() {
        return Some("the address is empty");
    }
    let Some((local, domain)) = address.rsplit_once('@') else {
        return Some("the address has no @");
    };
    if address.len() > 254 || local.len() > 64 {
        return Some("the address is too long");
    }
    let odd = |c: char| c.is_whitespace() || c.is_control() || "()<>[]:;,\\\"@".contains(c);
    if local.is_empty()
        || local.starts_with('.')
        || local.ends_with('.')
        || local.contains("..")
        || local.contains(odd)
    {
        return Some("the part before the @ is not valid");
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    if !domain.contains('.') || !domain.split('.').all(label) {
        return Some("the part after the @ is not a domain");
    }
    None
}

/// The name of a custom field (PR-1): lower case, everything but letters and digits as `_`, at
/// most 30 characters.
pub fn custom_field_name(text: &str) -> String {
    text.trim()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(30)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_looked_at_by_form() {
        for good in [
            "ada@example.com",
            " ada.l+x@sub.example.com ",
            "ö@bücher.example",
            "o'hara@example.com",
        ] {
            assert_eq!(email_problem(good), None, "{good}");
        }
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a b@example.com",
            "a@b@example.com",
            ".a@example.com",
            "a..b@example.com",
            "a@-x.com",
            "a@x..com",
            "<a@example.com>",
            "a@exa mple.com",
        ] {
            assert!(email_problem(bad).is_some(), "{bad}");
        }
    }

    // PR-1
    #[test]
    fn keys_fold_case_and_space() {
        assert_eq!(email_key(" Ada.L+x@Example.COM "), "ada.l+x@example.com");
        assert_eq!(email_domain("ada@Example.com"), "example.com");
        assert_eq!(custom_field_name(" Last Visit (UTC)"), "last_visit__utc_");
        assert_eq!(custom_field_name(&"x".repeat(50)).len(), 30);
    }
}
