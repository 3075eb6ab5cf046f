//! Hints about a message before it is sent (TPL-6, TPL-10): what filters and readers dislike. They
//! are rules of thumb, never a reason to refuse.

use serde::Serialize;

/// A rendered message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Content<'a> {
    /// The subject.
    pub subject: &'a str,
    /// The HTML part, if there is one.
    pub html: Option<&'a str>,
    /// The plain-text part.
    pub text: &'a str,
    /// The link that the message must show to unsubscribe.
    pub unsubscribe_link: Option<&'a str>,
    /// The workspace's postal address, when it is set.
    pub postal_address: Option<&'a str>,
}

/// One hint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hint {
    /// Stable name of the kind of hint, such as `link.insecure`.
    pub code: &'static str,
    /// What is meant and what to do, in a sentence.
    pub message: String,
}

/// Words and phrases that many filters count against a mail, in lower case.
const SPAM_WORDS: &[&str] = &[
    "100% free",
    "act now",
    "amazing deal",
    "apply now",
    "as seen on",
    "bargain",
    "best price",
    "bonus",
    "buy now",
    "cash bonus",
    "cheap",
    "click below",
    "click here",
    "congratulations",
    "credit card",
    "dear friend",
    "discount",
    "don't delete",
    "double your",
    "earn extra",
    "earn money",
    "exclusive deal",
    "expires today",
    "extra income",
    "fast cash",
    "for free",
    "free access",
    "free gift",
    "free trial",
    "get paid",
    "guaranteed",
    "increase sales",
    "incredible deal",
    "instant",
    "limited time",
    "lowest price",
    "make money",
    "money back",
    "no catch",
    "no cost",
    "no obligation",
    "no strings attached",
    "offer expires",
    "once in a",
    "order now",
    "prize",
    "promise you",
    "risk-free",
    "satisfaction guaranteed",
    "save big",
    "special promotion",
    "this is not spam",
    "urgent",
    "winner",
    "work from home",
    "you have been",
];

/// Hosts of link shorteners, which hide where a link leads.
const SHORTENERS: &[&str] = &[
    "bit.ly",
    "buff.ly",
    "cutt.ly",
    "goo.gl",
    "is.gd",
    "ow.ly",
    "rb.gy",
    "rebrand.ly",
    "shorturl.at",
    "t.co",
    "t.ly",
    "tiny.cc",
    "tinyurl.com",
];

/// The longest subject that phones show.
const SUBJECT: usize = 60;
/// More links than this look like an advertisement.
const LINKS: usize = 3;
/// Characters of text that an image should be balanced by.
const TEXT_PER_IMAGE: usize = 200;

/// All hints about a message, in a fixed order.
pub fn hints(content: &Content<'_>) -> Vec<Hint> {
    let mut hints = Vec::new();
    let mut hint = |code, message: String| hints.push(Hint { code, message });
    subject(content.subject, &mut hint);
    if content.text.trim().is_empty() {
        hint(
            "text.empty",
            "the message has no text: some readers see nothing".into(),
        );
    }
    let said = format!(" {} {} ", content.subject, content.text).to_lowercase();
    for word in SPAM_WORDS.iter().filter(|word| has_word(&said, word)) {
        hint(
            "word.spam",
            format!("“{word}” is counted against a mail by many filters"),
        );
    }
    let tags = content.html.map(tags).unwrap_or_default();
    let found = match content.html {
        Some(_) => tags
            .iter()
            .filter(|tag| tag.name == "a")
            .filter_map(|tag| tag.attribute("href"))
            .collect(),
        None => bare_links(content.text),
    };
    links(&found, content.unsubscribe_link, &mut hint);
    images(&tags, content.text, &mut hint);
    let shown = content.html.unwrap_or(content.text);
    let shows =
        |wanted: &str| shown.contains(wanted) || shown.contains(&wanted.replace('&', "&amp;"));
    if !content.unsubscribe_link.is_some_and(shows) {
        let message = "the message shows no link to unsubscribe: add `{{ unsubscribe_link }}`";
        hint("unsubscribe.missing", message.into());
    }
    if !content
        .postal_address
        .is_some_and(|address| contains_lines(content.text, address))
    {
        let message = "the message shows no postal address, which several countries ask for";
        hint("address.missing", message.into());
    }
    hints
}

fn subject(subject: &str, hint: &mut impl FnMut(&'static str, String)) {
    let length = subject.chars().count();
    if subject.trim().is_empty() {
        hint("subject.empty", "the subject is empty".into());
    }
    if length > SUBJECT {
        let message = format!("the subject has {length} characters; phones show about {SUBJECT}");
        hint("subject.long", message);
    }
    let letters = subject.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = subject.chars().filter(|c| c.is_uppercase()).count();
    if letters > 5 && capitals * 2 > letters {
        hint(
            "subject.capitals",
            "the subject shouts: most of its letters are capitals".into(),
        );
    }
    if subject.matches('!').count() > 1 || subject.contains("!?") {
        hint(
            "subject.exclamation",
            "one exclamation mark is enough".into(),
        );
    }
    let lower = subject.trim_start().to_lowercase();
    if lower.starts_with("re:") || lower.starts_with("fwd:") || lower.starts_with("fw:") {
        let message = "the subject claims to be a reply: readers and filters take that as a trick";
        hint("subject.fake_reply", message.into());
    }
}

fn links(links: &[&str], unsubscribe: Option<&str>, hint: &mut impl FnMut(&'static str, String)) {
    let escaped = unsubscribe.map(|link| link.replace('&', "&amp;"));
    let own: Vec<&str> = links
        .iter()
        .copied()
        .filter(|link| Some(*link) != unsubscribe && Some(*link) != escaped.as_deref())
        .filter(|link| {
            !["mailto:", "tel:", "sms:", "#"]
                .iter()
                .any(|s| link.starts_with(s))
        })
        .collect();
    if own.len() > LINKS {
        let message = format!(
            "{} links look like an advertisement: keep one or two",
            own.len()
        );
        hint("link.many", message);
    }
    for link in own {
        let lower = link.to_lowercase();
        if lower.starts_with("http://") {
            hint(
                "link.insecure",
                format!("{link} isn't encrypted: use https"),
            );
        }
        let Some(host) = host(&lower) else {
            hint("link.broken", format!("{link} is no address of a page"));
            continue;
        };
        if SHORTENERS.contains(&host) {
            hint(
                "link.shortener",
                format!("{link} hides where it leads: use the page's own address"),
            );
        }
        if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            hint(
                "link.number",
                format!("{link} has a number for a host: use its name"),
            );
        }
    }
}

fn images(tags: &[Tag<'_>], text: &str, hint: &mut impl FnMut(&'static str, String)) {
    let images: Vec<_> = tags.iter().filter(|tag| tag.name == "img").collect();
    let visible = text.chars().filter(|c| !c.is_whitespace()).count();
    if images.len() * TEXT_PER_IMAGE > visible {
        let message = format!(
            "{} image(s) beside {visible} characters of text: filters distrust mails of images",
            images.len()
        );
        hint("image.ratio", message);
    }
    let bare = images
        .iter()
        .filter(|tag| tag.attribute("alt").is_none())
        .count();
    if bare > 0 {
        let message = format!("{bare} image(s) without a text: many readers don't load images");
        hint("image.alt", message);
    }
}

/// The host of a web address in lower case.
fn host(link: &str) -> Option<&str> {
    let rest = link
        .strip_prefix("https://")
        .or_else(|| link.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    (!host.is_empty()).then_some(host)
}

/// Whether `word` stands in `text` as a whole word.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// Whether all words of `wanted` stand in `text` in their order, lines and spaces aside.
fn contains_lines(text: &str, wanted: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    words(text).contains(&words(wanted))
}

/// The web addresses in a plain text.
fn bare_links(text: &str) -> Vec<&str> {
    text.split_whitespace()
        .filter_map(|word| word.find("http").map(|at| &word[at..]))
        .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
        .map(|word| word.trim_end_matches(['.', ',', ')', '>', ']', ';', '!', '?']))
        .collect()
}

/// An opening tag.
struct Tag<'h> {
    name: String,
    attributes: &'h str,
}

impl<'h> Tag<'h> {
    /// The value of an attribute, entities left as they are.
    fn attribute(&self, wanted: &str) -> Option<&'h str> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            let end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '/');
            let (name, tail) = rest.split_at(end.unwrap_or(rest.len()));
            if name.is_empty() && tail.is_empty() {
                return None;
            }
            let tail = tail.trim_start();
            let value;
            (value, rest) = match tail.strip_prefix('=').map(str::trim_start) {
                Some(tail) => match tail.chars().next() {
                    Some(quote @ ('"' | '\'')) => {
                        tail[1..].split_once(quote).unwrap_or((&tail[1..], ""))
                    }
                    _ => tail.split_at(tail.find(char::is_whitespace).unwrap_or(tail.len())),
                },
                None => ("", tail),
            };
            if name.eq_ignore_ascii_case(wanted) {
                return Some(value);
            }
        }
    }
}

/// The opening tags of a page.
fn tags(html: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, tail)| tail);
            continue;
        }
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let mut quote = None;
        let end = rest.char_indices().find(|(_, c)| {
            match (quote, c) {
                (Some(q), c) if q == *c => quote = None,
                (None, '"' | '\'') => quote = Some(*c),
                (None, '>') => return true,
                _ => {}
            }
            false
        });
        let inside = &rest[..end.map_or(rest.len(), |(at, _)| at)];
        let name = inside
            .split(|c: char| c.is_whitespace() || c == '/')
            .next()
            .unwrap_or_default();
        tags.push(Tag {
            name: name.to_ascii_lowercase(),
            attributes: &inside[name.len()..],
        });
        rest = &rest[inside.len()..];
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://o.example.com/u?a=1&b=2";

    fn codes(content: Content<'_>) -> Vec<&'static str> {
        hints(&content).into_iter().map(|hint| hint.code).collect()
    }

    fn fine() -> Content<'static> {
        Content {
            subject: "Hiring in Oslo",
            html: Some(
                "<p>Hi Ada</p><p><A HREF='https://example.com/x'>x</a> \
                 <a href=\"https://o.example.com/u?a=1&amp;b=2\">Unsubscribe</a>\nMain St 1, Oslo</p>",
            ),
            text: "Hi Ada, I saw that you are hiring.\nMain St 1,\nOslo",
            unsubscribe_link: Some(LINK),
            postal_address: Some("Main St 1, Oslo"),
        }
    }

    // TPL-10
    #[test]
    fn a_plain_mail_has_no_hints() {
        assert_eq!(codes(fine()), [""; 0]);
        let text =
            "Hi Ada. See https://example.com/x.\nMain St 1, Oslo\nhttps://o.example.com/u?a=1&b=2";
        assert_eq!(
            codes(Content {
                html: None,
                text,
                ..fine()
            }),
            [""; 0]
        );
    }

    // TPL-10
    #[test]
    fn each_hint_has_its_cause() {
        let subjects = [
            ("", "subject.empty"),
            ("RE: your plans", "subject.fake_reply"),
            ("HIRING in OSLO", "subject.capitals"),
            ("Hiring! Now!", "subject.exclamation"),
            (&"long ".repeat(13), "subject.long"),
            ("A free trial for you", "word.spam"),
        ];
        for (subject, code) in subjects {
            assert_eq!(codes(Content { subject, ..fine() }), [code], "{subject}");
        }
        let links = [
            ("http://example.com", "link.insecure"),
            ("https://bit.ly/x", "link.shortener"),
            ("https://192.0.2.1/x", "link.number"),
            ("www.example.com", "link.broken"),
        ];
        for (link, code) in links {
            let html = format!("<a class=b href=\"{link}\">x</a>{LINK}");
            assert_eq!(
                codes(Content {
                    html: Some(&html),
                    ..fine()
                }),
                [code],
                "{link}"
            );
        }
        let html = format!("{}{LINK}", "<a href='https://example.com'>x</a>".repeat(4));
        assert_eq!(
            codes(Content {
                html: Some(&html),
                ..fine()
            }),
            ["link.many"]
        );
        let html = format!("<img src=\"x>y\">{LINK}");
        assert_eq!(
            codes(Content {
                html: Some(&html),
                ..fine()
            }),
            ["image.ratio", "image.alt"]
        );
        assert_eq!(
            codes(Content {
                unsubscribe_link: None,
                ..fine()
            }),
            ["unsubscribe.missing"]
        );
        assert_eq!(
            codes(Content {
                postal_address: None,
                ..fine()
            }),
            ["address.missing"]
        );
        assert!(
            codes(Content {
                text: " ",
                ..fine()
            })
            .contains(&"text.empty")
        );
    }

    #[test]
    fn words_are_whole_words() {
        assert!(has_word("act now!", "act now"));
        assert!(!has_word("a fact nowhere", "act now"));
    }
}
