//! The copy of our mail that stands below a bounce.

use super::mentions::address_in;

/// A bounce, parted from the copy of our mail in it.
pub(super) struct Copied<'a> {
    /// What stands above the copy: the server's own words.
    pub report: &'a str,
    /// All that stands below.
    pub below: &'a str,
    /// The copy from its header on, where it is not indented or quoted.
    pub header: Option<&'a str>,
}

pub(super) fn split_copy(text: &str) -> Copied<'_> {
    let copied = |at: usize, header| Copied {
        report: &text[..at],
        below: &text[at..],
        header,
    };
    const HEADERS: &[&str] = &[
        "received:",
        "return-path:",
        "message-id:",
        "date:",
        "from:",
        "mime-version:",
        "x-",
    ];
    const MARKS: &[&str] = &[
        "below this line is a copy",
        "this is a copy of",
        "unsent message",
        "returned message",
        "returned mail -",
        "old message:",
        "message header",
        "headers of the message",
        "header of the message",
        "the first lines of",
        "text of the message",
        "message follows",
        "message contents follow",
        "original message -",
        "original message:",
        "original message follows",
        "original message headers",
        "original message details",
        "original message as received",
        "original mail -",
    ];
    let mut start = 0;
    let mut mark = None;
    for line in text.split_inclusive('\n') {
        let folded = line.trim().to_lowercase();
        let is_header = HEADERS.iter().any(|name| folded.starts_with(name))
            && !line.starts_with([' ', '\t', '>']);
        if is_header
            && (mark.is_some()
                || folded.starts_with("received:")
                || folded.starts_with("return-path:"))
        {
            return copied(mark.unwrap_or(start), Some(&text[start..]));
        }
        if mark.is_none() && MARKS.iter().any(|phrase| folded.contains(phrase)) && folded.len() < 90
        {
            mark = Some(start);
        }
        start += line.len();
    }
    copied(mark.unwrap_or(text.len()), None)
}

/// Whom our mail was for, by the header of its copy, also where that is quoted; in lower case.
pub(super) fn mailed_to(below: &str) -> Vec<String> {
    let mut addresses = Vec::new();
    for line in below.lines().take(200) {
        let folded = line.trim_start_matches(['>', ' ', '\t']).to_lowercase();
        let named = match folded.strip_prefix("to:") {
            Some(to) => to,
            // `Received: … by mx.example.com … for <ada@example.com>; …`
            None => match folded.split_once(" for <") {
                Some((_, to)) => to.split('>').next().unwrap_or_default(),
                None => continue,
            },
        };
        addresses.extend(named.split([',', ' ']).filter_map(address_in));
    }
    addresses
}
