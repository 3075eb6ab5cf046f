//! Transfer encodings of header texts (RFC 2047) and bodies (RFC 2045 §6).

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The line length that RFC 5322 §2.1.1 recommends.
const LINE: usize = 76;

/// How a text part is encoded, and the encoded lines.
pub(super) struct EncodedBody {
    /// For Content-Transfer-Encoding.
    pub(super) encoding: &'static str,
    /// Lines that end in CRLF.
    pub(super) lines: String,
}

/// Encodes a text: as it is when it is plain ASCII in short lines, else whichever of
/// quoted-printable (which stays readable) and
/// base 64 (for scripts that are hardly ASCII) fits.
pub(super) fn body(text: &str) -> EncodedBody {
    let lines: Vec<&str> = lines(text);
    let plain = |line: &&str| {
        line.len() <= LINE
            && line
                .bytes()
                .all(|byte| byte == b'\t' || (32..127).contains(&byte))
            && !line.ends_with([' ', '\t'])
            && !line.starts_with("From ")
    };
    if lines.iter().all(plain) {
        let lines = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
        return EncodedBody {
            encoding: "7bit",
            lines,
        };
    }
    let quoted = quoted_printable(&lines);
    let joined: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
    if quoted.len() <= joined.len() * 2 {
        EncodedBody {
            encoding: "quoted-printable",
            lines: quoted,
        }
    } else {
        EncodedBody {
            encoding: "base64",
            lines: base64_lines(joined.as_bytes()),
        }
    }
}

/// Lines without their ends, whichever kind they have; no empty line at the end.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text
        .split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
        .collect();
    if lines.last() == Some(&"") {
        lines.pop();
    }
    lines
}

fn quoted_printable(lines: &[&str]) -> String {
    let mut out = String::new();
    for line in lines {
        let mut column = 0;
        let bytes = line.as_bytes();
        for (place, &byte) in bytes.iter().enumerate() {
            let last = place + 1 == bytes.len();
            // A lone dot or "From " at the start would be changed by old servers.
            let fragile = column == 0
                && (byte == b'.' || (byte == b'F' && bytes[place..].starts_with(b"From ")));
            let literal = match byte {
                b' ' | b'\t' => !last,
                b'=' => false,
                33..=126 => !fragile,
                _ => false,
            };
            let width = if literal { 1 } else { 3 };
            // One column stays free for the soft break's `=`.
            if column + width > LINE - 1 {
                out.push_str("=\r\n");
                column = 0;
            }
            if literal {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("={byte:02X}"));
            }
            column += width;
        }
        out.push_str("\r\n");
    }
    out
}

fn base64_lines(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(LINE / 4 * 3) {
        STANDARD.encode_string(chunk, &mut out);
        out.push_str("\r\n");
    }
    out
}

/// A header text as encoded words (RFC 2047), one a line of at most 76 characters, the first
/// with room for the header's name.
pub(super) fn encoded_words(text: &str) -> String {
    // `=?utf-8?b?` + base 64 of 33 bytes + `?=` are 56 characters.
    let mut words = Vec::new();
    let mut chunk = String::new();
    for c in text.chars() {
        if chunk.len() + c.len_utf8() > 33 {
            words.push(std::mem::take(&mut chunk));
        }
        chunk.push(c);
    }
    words.push(chunk);
    let words: Vec<String> = words
        .iter()
        .map(|word| {
            let quoted = q_word(word);
            if quoted.len() <= 56 {
                quoted
            } else {
                format!("=?utf-8?b?{}?=", STANDARD.encode(word))
            }
        })
        .collect();
    words.join("\r\n ")
}

/// The "Q" encoding, readable where most is ASCII; safe in display names, too (RFC 2047 §5).
fn q_word(text: &str) -> String {
    let mut out = String::from("=?utf-8?q?");
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('_'),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'*' | b'+' | b'-' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("={byte:02X}")),
        }
    }
    out + "?="
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_safe_encoding_is_taken() {
        let check = |text: &str, encoding: &str, lines: &str| {
            let encoded = body(text);
            assert_eq!(
                (encoded.encoding, encoded.lines.as_str()),
                (encoding, lines),
                "{text:?}"
            );
        };
        check("Hi Ada,\n\nbye", "7bit", "Hi Ada,\r\n\r\nbye\r\n");
        check("a\r\nb\rc\n", "7bit", "a\r\nb\r\nc\r\n");
        check("Grüße = 1", "quoted-printable", "Gr=C3=BC=C3=9Fe =3D 1\r\n");
        check("ends ", "quoted-printable", "ends=20\r\n");
        check("From me\n.", "quoted-printable", "=46rom me\r\n=2E\r\n");
        check("日本語", "base64", "5pel5pys6KqeDQo=\r\n");
        let long = "x".repeat(100);
        let expected = format!("{}=\r\n{}\r\n", &long[..75], &long[75..]);
        check(&long, "quoted-printable", &expected);
    }
}
