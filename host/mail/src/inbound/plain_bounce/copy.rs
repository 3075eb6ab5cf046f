//! The copy of our mail that stands below a bounce.

/// What stands above the copy of our mail, and the copy from its headers on.
pub(super) fn split_copy(text: &str) -> (&str, Option<&str>) {
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
            return (&text[..mark.unwrap_or(start)], Some(&text[start..]));
        }
        if mark.is_none() && MARKS.iter().any(|phrase| folded.contains(phrase)) && folded.len() < 90
        {
            mark = Some(start);
        }
        start += line.len();
    }
    (mark.map_or(text, |mark| &text[..mark]), None)
}
