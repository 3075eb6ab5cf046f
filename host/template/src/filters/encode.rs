//! Filters that encode, decode and clean markup.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{
    Escape, Value,
    render::{
        budget::{Outcome, Trouble},
        write::escape_html,
    },
};

use super::{Call, Filter};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

pub(super) fn apply<'a>(call: &mut Call<'_>, input: Value<'a>) -> Outcome<Value<'a>> {
    let filter = call.filter;
    let markup = matches!(input, Value::Html(_));
    let number = !matches!(input, Value::Text(_) | Value::Html(_) | Value::Nil);
    let text = input.into_text();
    // The most that an encoding makes of a byte is six.
    call.budget.bytes(text.len())?;
    let mut result = String::new();
    match filter {
        Filter::Raw => return Ok(Value::Html(text)),
        // Where output is escaped, escaped text is markup and isn't escaped again.
        Filter::Escape | Filter::EscapeOnce if call.escape == Escape::Html => {
            if markup {
                return Ok(Value::Html(text));
            }
            escape(filter, &mut result, &text);
            call.budget.bytes(result.len())?;
            return Ok(Value::Html(result.into()));
        }
        Filter::Escape | Filter::EscapeOnce => escape(filter, &mut result, &text),
        Filter::NewlineToBr => {
            let html = call.escape == Escape::Html;
            for (n, line) in text.split('\n').enumerate() {
                let line = if n > 0 {
                    result.push_str("<br />\n");
                    line
                } else {
                    line
                };
                let line = line.strip_suffix('\r').unwrap_or(line);
                if html && !markup {
                    escape_html(&mut result, line);
                } else {
                    result.push_str(line);
                }
            }
            call.budget.bytes(result.len())?;
            return Ok(match html {
                true => Value::Html(result.into()),
                false => result.into(),
            });
        }
        Filter::StripHtml => result = strip_html(&text),
        Filter::UrlEncode => url_encode(&mut result, &text),
        Filter::UrlDecode => result = url_decode(&text),
        Filter::Base64Encode => PLAIN.encode_string(&*text, &mut result),
        Filter::Base64UrlSafeEncode => URL.encode_string(&*text, &mut result),
        Filter::Base64Decode | Filter::Base64UrlSafeDecode => {
            let engine = if filter == Filter::Base64Decode {
                PLAIN
            } else {
                URL
            };
            let bytes = (!number)
                .then(|| engine.decode(text.trim()))
                .and_then(Result::ok);
            result = bytes
                .and_then(|b| String::from_utf8(b).ok())
                .ok_or_else(|| {
                    Trouble::failed(format!("`{}` takes text in base64", filter.name()))
                })?;
        }
        other => unreachable!("{} is no encoding filter", other.name()),
    }
    call.budget.bytes(result.len())?;
    Ok(result.into())
}

fn escape(filter: Filter, out: &mut String, text: &str) {
    if filter == Filter::Escape {
        return escape_html(out, text);
    }
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        escape_html(out, &rest[..at]);
        rest = &rest[at..];
        let length = entity(rest).unwrap_or(0);
        if length == 0 {
            out.push_str("&amp;");
            rest = &rest[1..];
        } else {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    escape_html(out, rest);
}

/// Length of the entity (`&amp;`, `&#39;`) at the front.
fn entity(text: &str) -> Option<usize> {
    let end = text.bytes().take(34).position(|b| b == b';')?;
    let name = &text[1..end];
    let named = name.bytes().all(|b| b.is_ascii_alphabetic());
    let numbered = name
        .strip_prefix('#')
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (!name.is_empty() && (named || numbered)).then_some(end + 1)
}

/// Drops scripts, styles and comments with what they hold, then all tags.
fn strip_html(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let block = [
            ("<script", "</script>"),
            ("<style", "</style>"),
            ("<!--", "-->"),
        ]
        .into_iter()
        .find(|(open, _)| starts_with(rest, open))
        .and_then(|(_, close)| find(rest, close).map(|at| at + close.len()));
        match block.or_else(|| rest.find('>').map(|n| n + 1)) {
            Some(end) => rest = &rest[end..],
            None => break,
        }
    }
    kept.push_str(rest);
    kept
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.as_bytes()
        .get(..prefix.len())
        .is_some_and(|front| front.eq_ignore_ascii_case(prefix.as_bytes()))
}

fn find(text: &str, what: &str) -> Option<usize> {
    text.as_bytes()
        .windows(what.len())
        .position(|part| part.eq_ignore_ascii_case(what.as_bytes()))
}

fn url_encode(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

fn url_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'+', ..) => {
                decoded.push(b' ');
                at += 1;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
