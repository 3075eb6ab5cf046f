//! Reports of mail servers: what became of a mail (RFC 3464), and complaints (RFC 5965).

use mail_parser::{Message, MimeHeaders as _, PartType};
use serde::Serialize;

use super::{cut, reader};
use crate::smtp::{Enhanced, Reply, ReplyClass, classify_parts};

/// A report that a server sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// What became of a mail of ours.
    Delivery(DeliveryReport),
    /// Somebody complained about a mail of ours.
    Feedback(Feedback),
}

/// A delivery status notification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryReport {
    /// One for each recipient that it speaks about.
    pub recipients: Vec<Recipient>,
    /// Message-ID of our mail, from the copy of its headers, without angle brackets (TRK-3).
    pub original_message_id: Option<String>,
    /// The server that reports.
    pub reporting_mta: Option<String>,
}

/// What happened (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Given up.
    Failed,
    /// Not yet there, still being tried: no bounce.
    Delayed,
    /// There.
    Delivered,
    /// Handed to a server that reports nothing.
    Relayed,
    /// Handed on to several addresses.
    Expanded,
}

/// What became of a mail for one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipient {
    /// The address that we wrote to, as far as the server tells it.
    pub address: String,
    /// The address that it became by forwarding, when another one.
    pub final_address: Option<String>,
    /// What happened.
    pub action: Action,
    /// The enhanced status code, `5.1.1`.
    pub status: Option<String>,
    /// The remote server's words.
    pub diagnostic: Option<String>,
    /// What it means (SAF-4). Only for [`Action::Failed`] is it a bounce.
    pub class: ReplyClass,
}

/// A complaint or the like (ARF).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Feedback {
    /// `abuse`, `fraud`, `virus`, `not-spam`, `opt-out`, `other`...
    pub kind: String,
    /// Recipients of the mail complained about; often redacted.
    pub recipients: Vec<String>,
    /// Message-ID of our mail, without angle brackets.
    pub original_message_id: Option<String>,
}

/// More is not read of a report.
const REPORT_LIMIT: usize = 256 * 1024;
const RECIPIENTS_LIMIT: usize = 1000;

/// The report in `message`, if it is one.
pub(super) fn find(
    message: &Message<'_>,
    headers: &[(String, String)],
    subject: &str,
    text: &str,
) -> Option<Report> {
    standard(message)
        .or_else(|| wrapped(message, headers))
        .or_else(|| {
            super::plain_bounce::find(message, headers, subject, text).map(Report::Delivery)
        })
}

/// The report that a gateway has put into a mail of its own. Only a server's: people forward
/// bounces too.
fn wrapped(message: &Message<'_>, headers: &[(String, String)]) -> Option<Report> {
    if !super::plain_bounce::is_from_server(headers) {
        return None;
    }
    message.parts.iter().find_map(|part| match &part.body {
        PartType::Message(inner) if is_report(inner) => standard(inner),
        _ => None,
    })
}

fn is_report(message: &Message<'_>) -> bool {
    message
        .content_type()
        .is_some_and(|kind| kind.attribute("report-type").is_some())
}

/// A report in the form of RFC 3464 or RFC 5965.
fn standard(message: &Message<'_>) -> Option<Report> {
    for part in &message.parts {
        let Some(kind) = part
            .content_type()
            .filter(|kind| kind.ctype().eq_ignore_ascii_case("message"))
        else {
            continue;
        };
        let bytes = part.contents();
        let body = String::from_utf8_lossy(&bytes[..bytes.len().min(REPORT_LIMIT)]);
        match kind
            .subtype()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "delivery-status" | "global-delivery-status" => {
                let mut report = delivery(&body);
                let (id, mailed) = original(message);
                report.original_message_id = id;
                // Where it doesn't say who, the copy of our mail does: each has one recipient.
                if let [only] = mailed.as_slice() {
                    let unnamed = report
                        .recipients
                        .iter_mut()
                        .filter(|r| r.address.is_empty());
                    unnamed.for_each(|recipient| recipient.address.clone_from(only));
                }
                report.recipients.retain(|r| !r.address.is_empty());
                if !report.recipients.is_empty() {
                    return Some(Report::Delivery(report));
                }
            }
            "feedback-report" => {
                let mut feedback = feedback(&body);
                let (id, recipients) = original(message);
                feedback.original_message_id = id;
                if feedback.recipients.is_empty() {
                    feedback.recipients = recipients;
                }
                return Some(Report::Feedback(feedback));
            }
            _ => {}
        }
    }
    None
}

/// Fields of a report, in groups that empty lines separate.
fn groups(body: &str) -> Vec<Vec<(String, String)>> {
    let mut groups: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for line in body.lines() {
        if line.trim().is_empty() {
            groups.push(Vec::new());
            continue;
        }
        let Some(group) = groups.last_mut() else {
            continue;
        };
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.trim().to_ascii_lowercase();
            // Some servers forget the empty line between recipients.
            let begins = name == "final-recipient" || name == "original-recipient";
            if begins && group.iter().any(|(own, _)| *own == name) {
                groups.push(vec![(name, value.trim().to_owned())]);
            } else {
                group.push((name, value.trim().to_owned()));
            }
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn field<'a>(group: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = group.iter().find(|(own, _)| own == name);
    found
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

/// `rfc822; ada@example.com` → `ada@example.com`.
fn typed(value: &str) -> &str {
    let value = value
        .split_once(';')
        .map_or(value, |(_, value)| value)
        .trim();
    value.trim_start_matches('<').trim_end_matches('>')
}

fn delivery(body: &str) -> DeliveryReport {
    let groups = groups(body);
    let reporting_mta = groups
        .iter()
        .find_map(|group| field(group, "reporting-mta"))
        .map(|mta| cut(typed(mta), 255).to_owned());
    let recipients = groups
        .iter()
        .filter_map(|group| recipient(group))
        .take(RECIPIENTS_LIMIT);
    DeliveryReport {
        recipients: recipients.collect(),
        original_message_id: None,
        reporting_mta,
    }
}

fn recipient(group: &[(String, String)]) -> Option<Recipient> {
    let last = field(group, "final-recipient").map(typed);
    let first = field(group, "original-recipient").map(typed);
    // Forwarding changes the address, some systems write one of their own kind there, and others
    // shorten it for privacy.
    let is_whole = |text: &&str| !text.contains("..");
    let is_address = |text: &&str| text.contains('@') && is_whole(text);
    let address = first
        .filter(is_address)
        .or(last.filter(is_address))
        .or(last.filter(is_whole))
        .or(first.filter(is_whole))
        .unwrap_or_default();
    if address.is_empty() && field(group, "action").or(field(group, "status")).is_none() {
        return None; // about the mail, not about a recipient
    }
    let diagnostic = field(group, "diagnostic-code").map(|value| {
        // The type before the semicolon is `smtp` or `x-…`; words may hold a semicolon too.
        match value.split_once(';') {
            Some((kind, words)) if !kind.contains(' ') => words.trim(),
            _ => value,
        }
    });
    let status = field(group, "status").map(|value| {
        // Comments may follow: `5.1.1 (bad destination mailbox address)`.
        value.split([' ', '(']).next().unwrap_or_default()
    });
    let enhanced: Option<Enhanced> = status.and_then(|status| status.parse().ok());
    let action = match field(group, "action")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("delayed") => Action::Delayed,
        Some("delivered") => Action::Delivered,
        Some("relayed") => Action::Relayed,
        Some("expanded") => Action::Expanded,
        Some(failed) if failed.starts_with("fail") => Action::Failed,
        _ => match enhanced.map(|enhanced| enhanced.class) {
            Some(2) => Action::Delivered,
            Some(4) => Action::Delayed,
            _ => Action::Failed,
        },
    };
    Some(Recipient {
        address: cut(address, 320).to_owned(),
        final_address: last
            .filter(|last| *last != address && is_whole(last))
            .map(|last| cut(last, 320).to_owned()),
        action,
        status: status.map(|status| cut(status, 20).to_owned()),
        diagnostic: diagnostic.map(crate::error::printable),
        class: class(action, enhanced, diagnostic.unwrap_or_default()),
    })
}

fn class(action: Action, status: Option<Enhanced>, diagnostic: &str) -> ReplyClass {
    match action {
        Action::Delayed => return ReplyClass::Soft,
        Action::Failed => {}
        _ => return ReplyClass::Unknown,
    }
    let reply = Reply::parse(diagnostic);
    let said = reply.as_ref().and_then(Reply::enhanced);
    // `5.0.0` says nothing; the remote server's own code may.
    let enhanced = status
        .filter(|status| (status.subject, status.detail) != (0, 0))
        .or(said);
    let code = reply.as_ref().map(|reply| reply.code);
    classify_parts(code, enhanced.or(status), diagnostic)
}

/// Message-ID and recipients of our mail, from its copy or the copy of its headers.
pub(super) fn original(message: &Message<'_>) -> (Option<String>, Vec<String>) {
    for part in &message.parts {
        let copy = match &part.body {
            PartType::Message(copy) => Some(copy.clone()),
            _ if is_headers(part) => reader::whole(part.contents()),
            _ => None,
        };
        if let Some(copy) = copy {
            let id = copy.message_id().map(str::to_owned);
            let to = super::addresses(copy.to())
                .into_iter()
                .map(|mailbox| mailbox.address);
            let to: Vec<String> = to.collect();
            if id.is_some() || !to.is_empty() {
                return (id, to);
            }
        }
    }
    (None, Vec::new())
}

fn is_headers(part: &mail_parser::MessagePart<'_>) -> bool {
    part.content_type().is_some_and(|kind| {
        let subtype = kind.subtype().unwrap_or_default().to_ascii_lowercase();
        ["rfc822-headers", "global-headers", "rfc822", "global"].contains(&subtype.as_str())
    })
}

fn feedback(body: &str) -> Feedback {
    let groups = groups(body);
    let all = || groups.iter().flatten();
    let kind = all()
        .find(|(name, _)| name == "feedback-type")
        .map(|(_, value)| value);
    let recipients = all()
        .filter(|(name, _)| name == "original-rcpt-to")
        .map(|(_, value)| cut(typed(value), 320).to_owned())
        .take(RECIPIENTS_LIMIT);
    Feedback {
        kind: kind.map_or_else(|| "other".into(), |kind| cut(kind, 60).to_ascii_lowercase()),
        recipients: recipients.collect(),
        original_message_id: None,
    }
}
