//! From the parts of a mail to its RFC 5322 bytes.
//!
//! The same [`Outgoing`] always gives the same bytes: Date, Message-ID and MIME boundary come
//! from the caller (its clock, its ids), so a retry sends exactly what was recorded. No value can
//! add a header or a line: texts are encoded, addresses, ids and URLs are refused when they hold
//! what does not belong there.

mod encode;

use overture_domain::Timestamp;

use crate::{Cause, Result, Stage};

/// A name and an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mailbox {
    /// Display name in plain text.
    pub name: Option<String>,
    /// The address.
    pub address: String,
}

/// Both ways of leaving (TRK-4, RFC 2369, RFC 8058).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Takes the POST of one-click; https, and carries a token. None where the sender has no
    /// https address: then there is no one-click.
    pub url: Option<String>,
    /// `mailto:` URI that carries the token in its subject.
    pub mailto: String,
}

/// A mail that is to go out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Without angle brackets; fixed before the first attempt (SEQ-4).
    pub message_id: String,
    /// The Date header, written in UTC.
    pub date: Timestamp,
    /// The sender.
    pub from: Mailbox,
    /// The recipient.
    pub to: Mailbox,
    /// Where replies go, when not to the sender.
    pub reply_to: Option<Mailbox>,
    /// In plain text.
    pub subject: String,
    /// The plain-text part; derived from the HTML when `None`.
    pub text: Option<String>,
    /// The HTML part; a mail without one is plain text.
    pub html: Option<String>,
    /// Message-ID of the mail that this one answers (SEQ-4), without angle brackets.
    pub in_reply_to: Option<String>,
    /// Message-IDs of the thread, oldest first (RFC 5322 §3.6.4), without angle brackets.
    pub references: Vec<String>,
    /// For campaign mail.
    pub unsubscribe: Option<Unsubscribe>,
    /// Further headers: name and plain text.
    pub headers: Vec<(String, String)>,
    /// Separates the parts; must not occur in them (derive it from the Message-ID).
    pub boundary: String,
}

/// The bytes of `mail`, lines ended by CRLF, none longer than 998 bytes.
///
/// # Errors
/// [`Cause::Input`] at stage `build`, naming the field: an address, id, URL or header name with
/// characters that cannot stand there, or a mail without any text.
pub fn build(mail: &Outgoing) -> Result<Vec<u8>> {
    bytes(mail).map_err(|cause| cause.at(Stage::Build))
}

fn bytes(mail: &Outgoing) -> std::result::Result<Vec<u8>, Cause> {
    let mut out = String::with_capacity(4096);
    header(
        &mut out,
        "Message-ID",
        &message_id("Message-ID", &mail.message_id)?,
    );
    header(&mut out, "Date", &date(mail.date));
    header(&mut out, "From", &mailbox(&mail.from)?);
    header(&mut out, "To", &mailbox(&mail.to)?);
    if let Some(reply_to) = &mail.reply_to {
        header(&mut out, "Reply-To", &mailbox(reply_to)?);
    }
    header(&mut out, "Subject", &unstructured(&mail.subject));
    if let Some(parent) = &mail.in_reply_to {
        header(&mut out, "In-Reply-To", &message_id("In-Reply-To", parent)?);
    }
    if !mail.references.is_empty() {
        let ids: std::result::Result<Vec<String>, Cause> = mail
            .references
            .iter()
            .map(|id| message_id("References", id))
            .collect();
        header(&mut out, "References", &ids?.join("\r\n "));
    }
    if let Some(unsubscribe) = &mail.unsubscribe {
        list_unsubscribe(&mut out, unsubscribe)?;
    }
    for (name, value) in &mail.headers {
        header(&mut out, header_name(name)?, &unstructured(value));
    }
    header(&mut out, "MIME-Version", "1.0");
    parts(&mut out, mail)?;
    Ok(out.into_bytes())
}

fn list_unsubscribe(out: &mut String, to: &Unsubscribe) -> std::result::Result<(), Cause> {
    let mailto = uri("unsubscribe mailto", &to.mailto, "mailto:")?;
    let Some(url) = &to.url else {
        header(out, "List-Unsubscribe", &format!("<{mailto}>"));
        return Ok(());
    };
    let url = uri("unsubscribe URL", url, "https://")?;
    header(out, "List-Unsubscribe", &format!("<{url}>,\r\n <{mailto}>"));
    header(out, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
    Ok(())
}

fn parts(out: &mut String, mail: &Outgoing) -> std::result::Result<(), Cause> {
    let derived = match (&mail.text, &mail.html) {
        (None, Some(html)) => Some(crate::html::to_text(html)),
        _ => None,
    };
    let text = mail.text.as_ref().or(derived.as_ref());
    match (text, &mail.html) {
        (None, _) => Err(Cause::Input("the mail has neither text nor HTML".into())),
        (Some(text), None) => {
            part(out, "plain", text);
            Ok(())
        }
        (Some(text), Some(html)) => {
            let boundary = boundary(&mail.boundary)?;
            header(
                out,
                "Content-Type",
                &format!("multipart/alternative;\r\n boundary=\"{boundary}\""),
            );
            out.push_str("\r\n");
            for (kind, body) in [("plain", text), ("html", html)] {
                if body.contains(&format!("--{boundary}")) {
                    return Err(Cause::Input("the boundary occurs in the body".into()));
                }
                out.push_str(&format!("--{boundary}\r\n"));
                part(out, kind, body);
            }
            out.push_str(&format!("--{boundary}--\r\n"));
            Ok(())
        }
    }
}

/// A text part: its headers, an empty line, its lines.
fn part(out: &mut String, kind: &str, text: &str) {
    let encode::EncodedBody { encoding, lines } = encode::body(text);
    header(out, "Content-Type", &format!("text/{kind}; charset=utf-8"));
    header(out, "Content-Transfer-Encoding", encoding);
    out.push_str("\r\n");
    out.push_str(&lines);
}

fn header(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str(": ");
    out.push_str(value);
    out.push_str("\r\n");
}

fn date(at: Timestamp) -> String {
    at.to_jiff()
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}

/// A text of one line, folded before spaces, encoded where ASCII does not do. Control
/// characters, line ends among them, become spaces.
fn unstructured(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let text = text.trim();
    let readable =
        text.is_ascii() && !text.contains("=?") && text.split(' ').all(|word| word.len() < 60);
    if !readable {
        return encode::encoded_words(text);
    }
    let mut out = String::new();
    let mut column = 16; // about the name's width
    for (place, word) in text.split(' ').enumerate() {
        if place > 0 {
            // A run of spaces stays on one line: a line of only spaces is not allowed.
            if column + 1 + word.len() > 76 && !word.is_empty() && !out.ends_with(' ') {
                out.push_str("\r\n");
                column = 0;
            }
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out
}

fn mailbox(mailbox: &Mailbox) -> std::result::Result<String, Cause> {
    let address = ascii_domain(&mailbox.address)?;
    let name: String = mailbox.name.as_deref().unwrap_or_default().to_owned();
    let name: String = name
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let name = name.trim();
    Ok(match name {
        "" => format!("<{address}>"),
        _ if !name.is_ascii() || name.len() > 60 || name.contains("=?") => {
            format!("{}\r\n <{address}>", encode::encoded_words(name))
        }
        _ if name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" -'_!#$%&*+/=?^`{|}~".contains(&b)) =>
        {
            format!("{name} <{address}>")
        }
        _ => {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{quoted}\" <{address}>")
        }
    })
}

/// `address` with its domain in ASCII (IDNA), checked so far that it can end neither a header
/// nor a command. The part before the `@` may be UTF-8 (RFC 6532); the server decides.
pub(crate) fn ascii_domain(address: &str) -> std::result::Result<String, Cause> {
    let refuse = |why: &str| Cause::Input(format!("`{}` {why}", address.escape_debug()));
    let Some((local, domain)) = address.rsplit_once('@') else {
        return Err(refuse("is not an address: the @ is missing"));
    };
    let odd = |c: char| c.is_control() || c.is_whitespace() || "<>()[]\\,;:\"@".contains(c);
    if local.is_empty() || local.len() > 64 || local.contains(odd) {
        return Err(refuse(
            "is not an address: what stands before the @ is not allowed",
        ));
    }
    let ascii = idna::domain_to_ascii(domain).ok().filter(|ascii| {
        !ascii.is_empty()
            && ascii.len() <= 253
            && ascii
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
    });
    match ascii {
        Some(ascii) => Ok(format!("{local}@{ascii}")),
        None => Err(refuse(
            "is not an address: what stands after the @ is no domain",
        )),
    }
}

fn message_id(field: &str, id: &str) -> std::result::Result<String, Cause> {
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    let good = !id.is_empty()
        && id.len() <= 900
        && id
            .bytes()
            .all(|b| (33..127).contains(&b) && !b"<>".contains(&b));
    if good {
        Ok(format!("<{id}>"))
    } else {
        Err(Cause::Input(format!(
            "{field}: `{}` is not a Message-ID",
            id.escape_debug()
        )))
    }
}

fn uri<'a>(field: &str, uri: &'a str, scheme: &str) -> std::result::Result<&'a str, Cause> {
    let good = uri.starts_with(scheme)
        && uri.len() <= 900
        && uri
            .bytes()
            .all(|b| (33..127).contains(&b) && !b"<>\"\\".contains(&b));
    if good {
        Ok(uri)
    } else {
        Err(Cause::Input(format!(
            "{field}: `{}` is not a URI that starts with {scheme}",
            uri.escape_debug()
        )))
    }
}

fn header_name(name: &str) -> std::result::Result<&str, Cause> {
    let good = !name.is_empty()
        && name.len() <= 76
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if good {
        Ok(name)
    } else {
        Err(Cause::Input(format!(
            "`{}` is not a header name",
            name.escape_debug()
        )))
    }
}

fn boundary(boundary: &str) -> std::result::Result<&str, Cause> {
    let good = (1..=70).contains(&boundary.len())
        && boundary
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_=.".contains(&b));
    if good {
        Ok(boundary)
    } else {
        Err(Cause::Input(format!(
            "`{}` is not a MIME boundary",
            boundary.escape_debug()
        )))
    }
}

#[cfg(test)]
mod tests;
