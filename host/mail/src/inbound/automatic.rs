//! Headers by which a machine says that it is one (RFC 3834 and its many elders).

use serde::Serialize;

/// What kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AutomaticKind {
    /// An answer to a mail, such as a vacation notice.
    Reply,
    /// A notice that nobody wrote.
    Generated,
    /// A mailing to many.
    Bulk,
}

/// The header that gave a machine away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Automatic {
    /// What kind.
    pub kind: AutomaticKind,
    /// The header and its value: `Auto-Submitted: auto-replied`.
    pub evidence: String,
}

/// The surest evidence among `headers`.
pub(super) fn find(headers: &[(String, String)]) -> Option<Automatic> {
    let value = |name: &str| {
        let found = headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_lowercase())
    };
    let automatic = |kind, name: &str| {
        let value = value(name).unwrap_or_default();
        Some(Automatic {
            kind,
            evidence: format!("{name}: {value}"),
        })
    };
    let submitted = value("Auto-Submitted").unwrap_or_default();
    let submitted = submitted.split([';', ' ']).next().unwrap_or_default();
    match submitted {
        "auto-replied" => return automatic(AutomaticKind::Reply, "Auto-Submitted"),
        "" | "no" => {}
        _ => return automatic(AutomaticKind::Generated, "Auto-Submitted"),
    }
    for name in [
        "X-Autoreply",
        "X-Autorespond",
        "X-Autoresponder",
        "X-Vacation",
        "X-Autoreply-From",
    ] {
        if value(name).is_some_and(|value| !matches!(value.as_str(), "no" | "false")) {
            return automatic(AutomaticKind::Reply, name);
        }
    }
    // Alone it is no proof: ordinary mail can carry it. With the loop marker it is a rule's.
    if value("X-Auto-Response-Suppress").is_some_and(|value| value.contains("all"))
        && value("X-MS-Exchange-Inbox-Rules-Loop").is_some()
    {
        return automatic(AutomaticKind::Reply, "X-MS-Exchange-Inbox-Rules-Loop");
    }
    if value("Delivered-To").is_some_and(|value| value.starts_with("autoresponder")) {
        return automatic(AutomaticKind::Reply, "Delivered-To");
    }
    match value("Precedence")
        .unwrap_or_default()
        .replace('-', "_")
        .as_str()
    {
        "auto_reply" => return automatic(AutomaticKind::Reply, "Precedence"),
        "bulk" | "junk" | "list" => return automatic(AutomaticKind::Bulk, "Precedence"),
        _ => {}
    }
    if value("Return-Path").is_some_and(|value| value == "<>") {
        return automatic(AutomaticKind::Generated, "Return-Path");
    }
    if value("List-Id").is_some() {
        return automatic(AutomaticKind::Bulk, "List-Id");
    }
    if value("X-Loop").is_some() {
        return automatic(AutomaticKind::Generated, "X-Loop");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use AutomaticKind::{Bulk, Generated, Reply};

    // CLS-2, RFC 3834
    #[test]
    fn machines_are_told_by_their_headers() {
        let check = |headers: &[(&str, &str)], expected: Option<AutomaticKind>| {
            let headers: Vec<(String, String)> = headers
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect();
            assert_eq!(
                find(&headers).map(|found| found.kind),
                expected,
                "{headers:?}"
            );
        };
        check(
            &[("Auto-Submitted", "auto-replied (vacation)")],
            Some(Reply),
        );
        check(&[("auto-submitted", "auto-generated")], Some(Generated));
        check(&[("Auto-Submitted", "no")], None);
        check(&[("X-Autoreply", "yes")], Some(Reply));
        check(&[("X-Autorespond", "")], Some(Reply));
        check(&[("Precedence", "auto_reply")], Some(Reply));
        check(&[("Precedence", "auto-reply")], Some(Reply));
        check(&[("Precedence", "bulk")], Some(Bulk));
        check(&[("X-Auto-Response-Suppress", "All")], None);
        check(
            &[
                ("X-Auto-Response-Suppress", "All"),
                ("X-MS-Exchange-Inbox-Rules-Loop", "a@b.test"),
            ],
            Some(Reply),
        );
        check(&[("Return-Path", "<>")], Some(Generated));
        check(&[("Return-Path", "<a@b.test>"), ("Subject", "Re: x")], None);
    }
}
