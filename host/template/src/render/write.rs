//! Writes values so that they stay values in the place where they land (TPL-2).

use crate::{Escape, Value};

use super::budget::{Budget, Outcome};

/// Writes a merged value.
pub(crate) fn value(
    out: &mut String,
    budget: &mut Budget,
    escape: Escape,
    value: &Value<'_>,
) -> Outcome<()> {
    let before = out.len();
    match value {
        Value::Text(text) if escape == Escape::Html => escape_html(out, text),
        Value::List(list) => {
            return list.iter().try_for_each(|item| {
                budget.steps(1)?;
                self::value(out, budget, escape, &item)
            });
        }
        Value::Object(_) if escape == Escape::Html => escape_html(out, &value.to_text()),
        // Writing to a String can't fail.
        other => {
            let _ = other.write(out);
        }
    }
    budget.bytes(out.len() - before)
}

/// Writes text with `& < > " '` as entities.
pub(crate) fn escape_html(out: &mut String, text: &str) {
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        let entity = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => continue,
        };
        out.push_str(&text[start..at]);
        out.push_str(entity);
        start = at + 1;
    }
    out.push_str(&text[start..]);
}

/// Makes the text one line: every run of line breaks and control characters, with the space
/// around it, becomes one space.
pub(crate) fn one_line(text: String) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(breaks) {
        return text;
    }
    let mut line = String::with_capacity(text.len());
    for part in text
        .split(breaks)
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(part);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    // TPL-2
    #[test]
    fn html_is_escaped() {
        let mut out = String::new();
        escape_html(&mut out, "a<b> & \"c\" 'ü'");
        assert_eq!(out, "a&lt;b&gt; &amp; &quot;c&quot; &#39;ü&#39;");
    }

    #[test]
    fn a_header_is_one_line() {
        assert_eq!(
            one_line("Hi\r\nBcc: x@example.com\u{85}y".into()),
            "Hi Bcc: x@example.com y"
        );
        assert_eq!(one_line("a  b ".into()), "a  b ");
    }
}
