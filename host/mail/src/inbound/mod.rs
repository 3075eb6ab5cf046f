//! What an incoming mail says: who, to whom, in answer to what, in which words, and whether a
//! machine wrote it.
//!
//! Nothing in a mail can make parsing fail: what cannot be read is left out. Sizes are bounded,
//! so that a hostile mail costs no more than a large one.

mod automatic;
mod newest;
mod plain_bounce;
mod reader;
mod report;
mod text;

use mail_parser::{Message, MimeHeaders as _, PartType};
use overture_domain::Timestamp;
use serde::Serialize;

use crate::mime::Mailbox;

pub use automatic::{Automatic, AutomaticKind};
pub use newest::newest;
pub use report::{Action, DeliveryReport, Feedback, Recipient, Report};

/// An incoming mail.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inbound {
    /// Without angle brackets.
    pub message_id: Option<String>,
    /// Message-IDs that it answers, without angle brackets (TRK-3).
    pub in_reply_to: Vec<String>,
    /// Message-IDs of its thread, oldest first, without angle brackets (TRK-3).
    pub references: Vec<String>,
    /// The sender.
    pub from: Option<Mailbox>,
    /// Where answers are wanted, when not at the sender.
    pub reply_to: Option<Mailbox>,
    /// To, then Cc.
    pub to: Vec<Mailbox>,
    /// Decoded.
    pub subject: String,
    /// What the sender's clock said; the order of things goes by the time of sync.
    pub date: Option<Timestamp>,
    /// The text; made from the HTML where there is no text part.
    pub text: String,
    /// The HTML part.
    pub html: Option<String>,
    /// The text without quoted history and signature (CLS-3): what classifiers judge.
    pub newest_text: String,
    /// The header that shows that a machine sent it.
    pub automatic: Option<Automatic>,
    /// A bounce, a delay, or a complaint (RFC 3464, RFC 5965).
    pub report: Option<Report>,
    /// Header fields in their order, decoded as far as they are text.
    pub headers: Vec<(String, String)>,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
}

impl Inbound {
    /// The sender's address; empty where it has none.
    pub fn sender(&self) -> &str {
        self.from.as_ref().map_or("", |from| &from.address)
    }
}

/// What is known of a file that hangs on a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Its file name.
    pub name: Option<String>,
    /// Its media type.
    pub content_type: String,
    /// Its size in bytes, decoded.
    pub size: u64,
}

/// Texts are cut off here, in bytes: nobody writes more.
const TEXT_LIMIT: usize = 256 * 1024;
const HEADERS_LIMIT: usize = 200;
const HEADER_LIMIT: usize = 4 * 1024;
const IDS_LIMIT: usize = 100;
const ADDRESSES_LIMIT: usize = 100;

/// Reads a mail.
pub fn parse(bytes: &[u8]) -> Inbound {
    let Some(message) = reader::whole(bytes) else {
        let text = cut(&String::from_utf8_lossy(bytes), TEXT_LIMIT).to_owned();
        return Inbound {
            newest_text: newest(&text),
            text,
            ..Inbound::default()
        };
    };
    let headers = headers(&message);
    let (text, html) = texts(&message);
    let newest_text = match &html {
        Some(html) if !has_text_part(&message) => newest(&text::without_quotes(html)),
        _ => newest(&text),
    };
    let mut to: Vec<Mailbox> = addresses(message.to());
    to.extend(addresses(message.cc()));
    to.truncate(ADDRESSES_LIMIT);
    let subject = cut(message.subject().unwrap_or_default(), HEADER_LIMIT).to_owned();
    Inbound {
        message_id: message.message_id().map(str::to_owned),
        in_reply_to: ids(message.in_reply_to()),
        references: ids(message.references()),
        from: addresses(message.from()).into_iter().next(),
        reply_to: addresses(message.reply_to()).into_iter().next(),
        to,
        date: message
            .date()
            .map(|date| Timestamp::from_secs(date.to_timestamp())),
        automatic: automatic::find(&headers),
        report: report::find(&message, &headers, &subject, &text),
        attachments: attachments(&message),
        subject,
        text,
        html,
        newest_text,
        headers,
    }
}

fn headers(message: &Message<'_>) -> Vec<(String, String)> {
    let raw = |from: u32, to: u32| {
        let bytes = message
            .raw_message
            .get(from as usize..to as usize)
            .unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(HEADER_LIMIT)];
        let unfolded = String::from_utf8_lossy(bytes).replace(['\r', '\n'], "");
        unfolded.trim().to_owned()
    };
    let fields = message.headers().iter().take(HEADERS_LIMIT);
    fields
        .map(|header| {
            let raw = raw(header.offset_start, header.offset_end);
            let value = match header.value.as_text() {
                Some(text) if raw.contains("=?") => cut(text, HEADER_LIMIT).to_owned(),
                _ => raw,
            };
            (header.name().to_owned(), value)
        })
        .collect()
}

fn has_text_part(message: &Message<'_>) -> bool {
    message
        .text_bodies()
        .any(|part| matches!(part.body, PartType::Text(_)))
}

/// The text and the HTML that a reader would see.
fn texts(message: &Message<'_>) -> (String, Option<String>) {
    let mut text = String::new();
    for part in message.text_bodies().take(20) {
        if text.len() > TEXT_LIMIT {
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        match &part.body {
            PartType::Html(html) => text.push_str(&crate::html::to_text(cut(html, TEXT_LIMIT))),
            PartType::Text(part) => text.push_str(cut(part, TEXT_LIMIT)),
            _ => {}
        }
    }
    let html = message.html_bodies().find_map(|part| match &part.body {
        PartType::Html(html) => Some(cut(html, TEXT_LIMIT).to_owned()),
        _ => None,
    });
    if text.trim().is_empty() && html.is_none() && message.attachments.is_empty() {
        text = undivided(message);
    }
    (cut(&text, TEXT_LIMIT).replace("\r\n", "\n"), html)
}

/// The body of a mail whose parts could not be told from each other, as it stands: better that
/// than nothing.
fn undivided(message: &Message<'_>) -> String {
    let header_end = message.headers().last().map_or(0, |last| last.offset_end);
    let body = message
        .raw_message
        .get(header_end as usize..)
        .unwrap_or_default();
    let body = String::from_utf8_lossy(&body[..body.len().min(TEXT_LIMIT)]);
    body.trim_start().to_owned()
}

fn addresses(field: Option<&mail_parser::Address<'_>>) -> Vec<Mailbox> {
    let each = field.into_iter().flat_map(|field| field.iter());
    each.take(ADDRESSES_LIMIT)
        .filter_map(|found| {
            let address = found.address()?.trim();
            let name = found.name().map(|name| cut(name, HEADER_LIMIT).to_owned());
            (!address.is_empty()).then(|| Mailbox {
                name,
                address: cut(address, HEADER_LIMIT).to_owned(),
            })
        })
        .collect()
}

fn ids(value: &mail_parser::HeaderValue<'_>) -> Vec<String> {
    let all: Vec<&str> = match value.as_text_list() {
        Some(list) => list.iter().map(AsRef::as_ref).collect(),
        None => value.as_text().into_iter().collect(),
    };
    // A thread's beginning and end matter; a hostile middle does not.
    let skip = all.len().saturating_sub(IDS_LIMIT);
    let mut kept: Vec<String> = Vec::new();
    for id in all.into_iter().skip(skip) {
        let id = id.trim().trim_start_matches('<').trim_end_matches('>');
        if !id.is_empty() && id.len() <= 998 && !kept.iter().any(|own| own == id) {
            kept.push(id.to_owned());
        }
    }
    kept
}

fn attachments(message: &Message<'_>) -> Vec<Attachment> {
    let parts = message.attachments().take(ADDRESSES_LIMIT);
    parts
        .map(|part| Attachment {
            name: part.attachment_name().map(|name| cut(name, 255).to_owned()),
            content_type: part.content_type().map_or_else(
                || "application/octet-stream".into(),
                |kind| match kind.subtype() {
                    Some(subtype) => {
                        cut(&format!("{}/{subtype}", kind.ctype()), 127).to_lowercase()
                    }
                    None => cut(kind.ctype(), 127).to_lowercase(),
                },
            ),
            size: part.len() as u64,
        })
        .collect()
}

/// The first `limit` bytes of `text`, less when a character would be cut.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
