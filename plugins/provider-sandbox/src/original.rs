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
    /// The last picture, as tracking adds its own.
    pub(crate) pixel: Option<String>,
    /// The web address of List-Unsubscribe (RFC 8058).
    pub(crate) unsubscribe: Option<String>,
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
        let (html, unsubscribe) = (readable(head, body), web(&header("List-Unsubscribe")));
        Original {
            message_id: message_id.to_owned(),
            sent_at,
            sender: sender.to_owned(),
            recipient: recipient.to_owned(),
            to: or(header("To"), recipient),
            from: or(header("From"), sender),
            subject: header("Subject"),
            references: header("References"),
            link: link(&html, unsubscribe.as_deref()),
            pixel: pixel(&html),
            unsubscribe,
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

/// `<mailto:…>, <https://…>` (RFC 2369)
fn web(header: &str) -> Option<String> {
    let addresses = header
        .split(',')
        .map(|part| part.trim().trim_matches(['<', '>']));
    addresses
        .map(str::to_owned)
        .find(|address| address.starts_with("http"))
}

/// The first link of the HTML, or of a text, that a person would follow.
fn link(body: &str, unsubscribe: Option<&str>) -> Option<String> {
    let of_html = body.split("href=\"").skip(1);
    let of_text = body.match_indices("http").map(|(at, _)| &body[at..]);
    of_html
        .chain(of_text)
        .filter_map(address)
        .find(|url| Some(url.as_str()) != unsubscribe && !url.to_lowercase().contains("unsub"))
}

/// The last picture: readers' programs fetch them all.
fn pixel(body: &str) -> Option<String> {
    let pictures = body.split("<img ").skip(1);
    let sources = pictures.filter_map(|picture| picture.split_once("src=\""));
    sources.filter_map(|(_, rest)| address(rest)).last()
}

/// The web address that a text begins with.
fn address(text: &str) -> Option<String> {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    let end = text.find(|c: char| c.is_whitespace() || "\"'<>)".contains(c));
    let url = text[..end.unwrap_or(text.len())].trim_end_matches(['.', ',']);
    is_web.then(|| url.replace("&amp;", "&"))
}

/// The parts of a mail's body one after the other, decoded (RFC 2045 §6).
fn readable(head: &str, body: &str) -> String {
    let is_base64 = |head: &str| {
        let head = head.to_ascii_lowercase();
        head.contains("content-transfer-encoding: base64")
    };
    let mut encoded = is_base64(head);
    let mut out = String::new();
    for block in body.split("\r\n\r\n").map(str::trim_start) {
        out.push_str(&match encoded {
            true => base64(block.lines()),
            false => quoted_printable(block),
        });
        out.push('\n');
        encoded = is_base64(block);
    }
    out
}

/// RFC 2045 §6.8
fn base64<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let (mut out, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for byte in lines.flat_map(str::bytes) {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
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
    fn finds_what_a_reader_would_fetch() {
        let html = "<p>日本語 https://x.test</p><a href=\"https://o.example.com/u/me\">stop</a>\
            <a href=\"https://o.example.com/c/x\">look</a><img src=\"https://x.test/logo.png\">\
            <img src=\"https://o.example.com/o/t\" width=\"1\">";
        // The same as base64 in a part of its own.
        let encoded = "PHA+5pel5pys6KqeIGh0dHBzOi8veC50ZXN0PC9wPjxhIGhyZWY9Imh0dHBzOi8vby5leGFtcGxl\r\n\
            LmNvbS91L21lIj5zdG9wPC9hPjxhIGhyZWY9Imh0dHBzOi8vby5leGFtcGxlLmNvbS9jL3giPmxv\r\n\
            b2s8L2E+PGltZyBzcmM9Imh0dHBzOi8veC50ZXN0L2xvZ28ucG5nIj48aW1nIHNyYz0iaHR0cHM6\r\n\
            Ly9vLmV4YW1wbGUuY29tL28vdCIgd2lkdGg9IjEiPg==";
        let head = "List-Unsubscribe: <https://o.example.com/u/me>,\r\n <mailto:ada@sender.test>";
        for (encoding, text) in [("8bit", html), ("base64", encoded)] {
            let raw = format!(
                "{head}\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\
                 Content-Type: text/plain\r\n\r\nHello there\r\n--b\r\n\
                 Content-Transfer-Encoding: {encoding}\r\n\r\n{text}\r\n--b--\r\n"
            );
            let mail = Original::read(raw.as_bytes(), "<1@x.test>", "a@x.test", "b@y.test", 7);
            let found = [&mail.link, &mail.pixel, &mail.unsubscribe];
            assert_eq!(
                found.map(|url| url.as_deref()),
                ["c/x", "o/t", "u/me"]
                    .map(|path| format!("https://o.example.com/{path}"))
                    .each_ref()
                    .map(|url| Some(url.as_str())),
                "{encoding}"
            );
        }
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
