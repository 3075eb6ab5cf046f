//! Slack's own markup: what must be escaped, links, quotations, dates.

use std::borrow::Cow;

use event_cards::{Fact, find};
use overture_plugin::{Timestamp, time::rfc3339};

/// `&`, `<` and `>` are all that Slack gives a meaning; escaped, nobody's text can mention anybody.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    push_escaped(text, &mut out);
    out
}

fn push_escaped(mut text: &str, out: &mut String) {
    while let Some(at) = find(text.as_bytes(), *b"&<>", 0) {
        out.push_str(&text[..at]);
        out.push_str(match text.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            _ => "&gt;",
        });
        text = &text[at + 1..];
    }
    out.push_str(text);
}

/// A line with its link.
pub(crate) fn push_line(fact: &Fact<'_>, out: &mut String) {
    if let Some(name) = fact.name {
        out.push_str(name);
        out.push_str(": ");
    }
    let words = one_line(&fact.words);
    match &fact.url {
        None => push_escaped(&words, out),
        Some(url) => {
            out.push('<');
            push_url(url, out);
            out.push('|');
            push_escaped(&without_bars(&words), out);
            out.push('>');
        }
    }
    if let Some(more) = &fact.more {
        out.push_str(" (");
        push_escaped(&one_line(more), out);
        out.push(')');
    }
}

/// A URL between angle brackets: what would end it, or begin the label, is encoded.
fn push_url(url: &str, out: &mut String) {
    if url.is_ascii() && find(url.as_bytes(), *b"&<>|\x7F", b'!').is_none() {
        out.push_str(url);
        return;
    }
    for c in url.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '|' => out.push_str("%7C"),
            c if c.is_whitespace() || c.is_control() => out.push_str("%20"),
            c => out.push(c),
        }
    }
}

/// Each line behind a bar; empty lines fall together.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        out.push_str(if out.is_empty() { ">" } else { "\n>" });
        push_escaped(line, &mut out);
    }
    out
}

/// Slack shows it in the reader's own time zone.
pub(crate) fn date(at: Timestamp) -> String {
    let plain = rfc3339(at);
    let (day, time) = (&plain[..10], &plain[11..16]);
    let seconds = (at / 1_000).to_string();
    [
        "<!date^",
        &seconds,
        "^{date_short_pretty} at {time}|",
        day,
        " ",
        time,
        " UTC>",
    ]
    .concat()
}

fn one_line(text: &str) -> Cow<'_, str> {
    match find(text.as_bytes(), *b"\r\n", 0) {
        Some(_) => text.replace(['\r', '\n'], " ").into(),
        None => text.into(),
    }
}

/// A bar would end the URL's part of a link.
fn without_bars(text: &str) -> Cow<'_, str> {
    match find(text.as_bytes(), *b"|", 0) {
        Some(_) => text.replace('|', "¦").into(),
        None => text.into(),
    }
}
