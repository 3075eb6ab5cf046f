//! What of the sent mail an answer needs.

use overture_plugin::Timestamp;
use serde::{Deserialize, Serialize};

/// A mail as the one who got it sees it. Header values stay as they were encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Original {
    pub(crate) message_id: String,
    pub(crate) sent_at: Timestamp,
    pub(crate) sender: String,
    pub(crate) recipient: String,
    /// `To`, which may hold a name.
    pub(crate) to: String,
    /// `From`, which may hold a name.
    pub(crate) from: String,
    pub(crate) subject: String,
    pub(crate) references: String,
    /// The first link of the text that isn't for unsubscribing.
    pub(crate) link: Option<String>,
}

impl Original {
    pub(crate) fn read(
        raw: &[u8],
        message_id: &str,
        sender: &str,
        recipient: &str,
        sent_at: Timestamp,
    ) -> Self {
        let text = String::from_utf8_lossy(raw);
        let end = text.find("\r\n\r\n").unwrap_or(text.len());
        let (head, body) = text.split_at(end);
        let header = |name: &str| header(head, name).unwrap_or_default();
        let or = |value: String, other: &str| {
            if value.is_empty() {
                other.into()
            } else {
                value
            }
        };
        Original {
            message_id: message_id.to_owned(),
            sent_at,
            sender: sender.to_owned(),
            recipient: recipient.to_owned(),
            to: or(header("To"), recipient),
            from: or(header("From"), sender),
            subject: header("Subject"),
            references: header("References"),
            link: link(body),
        }
    }
}

/// The value of a header field, unfolded (RFC 5322 §2.2.3).
fn header(head: &str, name: &str) -> Option<String> {
    let mut lines = head.split("\r\n").skip_while(|line| {
        let field = line.split(':').next().unwrap_or("");
        !field.eq_ignore_ascii_case(name)
    });
    let first = lines.next()?.split_once(':')?.1.trim();
    let mut value = first.to_owned();
    for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        if !value.is_empty() {
            value.push(' ');
        }
        value.push_str(line.trim());
    }
    Some(value)
}

/// Parts in base64 are passed over: a person would click, a sandbox may miss.
fn link(body: &str) -> Option<String> {
    let plain = quoted_printable(body);
    let starts = plain.match_indices("http").map(|(at, _)| &plain[at..]);
    starts
        .filter(|rest| rest.starts_with("https://") || rest.starts_with("http://"))
        .map(|rest| {
            let end = rest.find(|c: char| c.is_whitespace() || "\"'<>)".contains(c));
            rest[..end.unwrap_or(rest.len())].trim_end_matches(['.', ','])
        })
        .find(|url| !url.to_ascii_lowercase().contains("unsub"))
        .map(|url| url.replace("&amp;", "&"))
}

/// RFC 2045 §6.7, as far as addresses need it: soft breaks, and `=3D` and its like.
fn quoted_printable(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut out = Vec::with_capacity(joined.len());
    let bytes = joined.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'=', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_headers_and_the_first_link() {
        let raw =
            b"From: =?utf-8?q?Ad=C3=A4?= <ada@sender.test>\r\nTo: Bob\r\n <reply@d1.test>\r\n\
            subject: Hello\r\n\r\nTo stop: https://o.example.com/unsubscribe/1\r\n\
            <a href=3D\"https://o.exam=\r\nple.com/c/x?a=3D1&amp;b=3D2\">look</a>\r\n";
        let original = Original::read(
            raw,
            "<1@sender.test>",
            "ada@sender.test",
            "reply@d1.test",
            7,
        );
        assert_eq!(original.from, "=?utf-8?q?Ad=C3=A4?= <ada@sender.test>");
        assert_eq!(original.to, "Bob <reply@d1.test>");
        assert_eq!(original.subject, "Hello");
        assert_eq!(
            original.link.as_deref(),
            Some("https://o.example.com/c/x?a=1&b=2")
        );
    }

    #[test]
    fn gets_by_with_little() {
        let original = Original::read(b"", "<1@x.test>", "a@x.test", "b@y.test", 7);
        assert_eq!(
            (original.to.as_str(), original.from.as_str()),
            ("b@y.test", "a@x.test")
        );
        assert_eq!(original.link, None);
    }
}
