//! What the host does to the HTML of a mail before it goes out, and plain text from HTML.

use std::{cell::Cell, rc::Rc};

use html2text::{config, render::TextDecorator};
use lol_html::{Settings, element, end_tag, html_content::ContentType, rewrite_str};

use crate::{Cause, Result, Stage};

/// What stands under a campaign mail when its template does not show it itself (TRK-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// The unsubscribe page of this recipient.
    pub unsubscribe_url: String,
    /// The text of the link, "Unsubscribe".
    pub label: String,
    /// The sender's postal address, lines separated by `\n`; left out when `None`.
    pub postal_address: Option<String>,
}

/// `html` with the unsubscribe link, unless a link to that URL stands in it, and with the postal
/// address when there is one and its text is missing. Everything else stays as it is, byte for
/// byte.
///
/// # Errors
/// At stage `build`, when the HTML needs more memory than a mail can have.
pub fn with_footer(html: &str, footer: &Footer) -> Result<String> {
    let address = footer
        .postal_address
        .as_deref()
        .filter(|address| !shows(html, address))
        .map(|address| {
            let lines: Vec<String> = address.lines().map(escaped).collect();
            format!("<p style=\"{STYLE}\">{}</p>", lines.join("<br>"))
        });
    let link = format!(
        "<p style=\"{STYLE}\"><a href=\"{}\" style=\"color:inherit\">{}</a></p>",
        escaped(&footer.unsubscribe_url),
        escaped(&footer.label)
    );
    let linked = Rc::new(Cell::new(false));
    let done = Rc::new(Cell::new(false));
    // What to add at the end of the body, or of the document when no body ends in it.
    let missing: Rc<dyn Fn() -> String> = {
        let (linked, done) = (Rc::clone(&linked), Rc::clone(&done));
        Rc::new(move || {
            if done.replace(true) {
                return String::new();
            }
            let address = address.as_deref().unwrap_or_default();
            if linked.get() {
                address.to_owned()
            } else {
                format!("{address}{link}")
            }
        })
    };
    let see_links = element!("a[href]", |a| {
        let href = a.get_attribute("href").unwrap_or_default();
        if href.replace("&amp;", "&") == footer.unsubscribe_url {
            linked.set(true);
        }
        Ok(())
    });
    let at_body_end = element!("body", |body| {
        let missing = Rc::clone(&missing);
        // Without an end tag the end of the document does.
        drop(body.on_end_tag(end_tag!(move |end| {
            end.before(&missing(), ContentType::Html);
            Ok(())
        })));
        Ok(())
    });
    let at_end = lol_html::end!(|end| {
        end.append(&missing(), ContentType::Html);
        Ok(())
    });
    let settings = Settings::new()
        .append_element_content_handler(see_links)
        .append_element_content_handler(at_body_end)
        .append_document_content_handler(at_end)
        .with_strict(false);
    rewrite_str(html, settings)
        .map_err(|error| Cause::Input(format!("the HTML cannot be read: {error}")).at(Stage::Build))
}

/// The same for plain text.
pub fn text_with_footer(text: &str, footer: &Footer) -> String {
    let mut out = text.trim_end().to_owned();
    let address = footer
        .postal_address
        .as_deref()
        .filter(|address| !shows(text, address));
    let link = (!text.contains(&footer.unsubscribe_url))
        .then(|| format!("{}: {}", footer.label, footer.unsubscribe_url));
    for block in [address, link.as_deref()].into_iter().flatten() {
        out.push_str("\n\n");
        out.push_str(block.trim());
    }
    out.push('\n');
    out
}

const STYLE: &str = "margin:16px 0 0;font-size:12px;color:#777";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Whether every line of `address` can be read in `text`.
fn shows(text: &str, address: &str) -> bool {
    address
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .all(|line| text.contains(line) || text.contains(&escaped(line)))
}

/// The text that a reader of `html` sees: a line a paragraph, links as `text (URL)`, no styles,
/// no scripts, images by their alternative text.
pub fn to_text(html: &str) -> String {
    // One very long line a paragraph: the transfer encoding breaks lines where needed.
    let rendered = config::with_decorator(Plain::default())
        .raw_mode(true)
        .no_table_borders()
        .string_from_read(html.as_bytes(), 20_000)
        .unwrap_or_else(|_| without_tags(html));
    let mut out = String::new();
    let mut blank = 0;
    for line in rendered.lines() {
        let line = line.trim_end().replace('\u{a0}', " ");
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank < 2 && !(out.is_empty() && line.is_empty()) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    let end = out.trim_end().len();
    out.truncate(end);
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// For HTML that is too odd for the renderer.
fn without_tags(html: &str) -> String {
    let mut inside = false;
    html.chars()
        .filter(|&c| {
            match c {
                '<' => inside = true,
                '>' if inside => {
                    inside = false;
                    return false;
                }
                _ => {}
            }
            !inside
        })
        .collect()
}

/// Renders without any marks but the URL of a link.
#[derive(Clone, Debug, Default)]
struct Plain {
    links: Vec<String>,
}

impl TextDecorator for Plain {
    type Annotation = ();

    fn decorate_link_start(&mut self, url: &str) -> (String, ()) {
        self.links.push(url.to_owned());
        (String::new(), ())
    }

    fn decorate_link_end(&mut self) -> String {
        match self.links.pop() {
            Some(url) if url.starts_with("http") => format!(" ({url})"),
            _ => String::new(),
        }
    }

    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_em_end(&self) -> String {
        String::new()
    }

    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_strong_end(&self) -> String {
        String::new()
    }

    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }

    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_code_end(&self) -> String {
        String::new()
    }

    fn decorate_preformat_first(&self) {}

    fn decorate_preformat_cont(&self) {}

    fn decorate_image(&mut self, _src: &str, title: &str) -> (String, ()) {
        (title.to_owned(), ())
    }

    fn header_prefix(&self, _level: usize) -> String {
        String::new()
    }

    fn quote_prefix(&self) -> String {
        "> ".into()
    }

    fn unordered_item_prefix(&self) -> String {
        "- ".into()
    }

    fn ordered_item_prefix(&self, i: i64) -> String {
        format!("{i}. ")
    }

    fn make_subblock_decorator(&self) -> Self {
        Self::default()
    }

    fn decorate_superscript_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_superscript_end(&self) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer() -> Footer {
        Footer {
            unsubscribe_url: "https://out.example.com/u/t1?a=1&b=2".into(),
            label: "Unsubscribe".into(),
            postal_address: Some("Example Ltd\n1 Main Street & Co".into()),
        }
    }

    const LINK: &str = "href=\"https://out.example.com/u/t1?a=1&amp;b=2\"";

    // TRK-4
    #[test]
    fn a_missing_link_is_added_before_the_body_ends() {
        let html = with_footer("<html><body><p>Hi</p></body></html>", &footer()).unwrap();
        assert!(html.starts_with("<html><body><p>Hi</p><p "), "{html}");
        assert!(html.ends_with("</p></body></html>"), "{html}");
        assert!(
            html.contains(LINK) && html.contains("1 Main Street &amp; Co"),
            "{html}"
        );
        assert_eq!(html.matches("Unsubscribe").count(), 1);
    }

    // TRK-4
    #[test]
    fn a_fragment_gets_it_at_its_end() {
        for html in ["<p>Hi</p>", "Hi", "<body>Hi", "", "<p>Hi</body></body>"] {
            let html = with_footer(html, &footer()).unwrap();
            assert_eq!(html.matches(LINK).count(), 1, "{html}");
        }
    }

    // TRK-4
    #[test]
    fn a_link_that_is_there_is_not_doubled() {
        let own = format!("<p>Hi</p><a {LINK}>stop</a> Example Ltd, 1 Main Street &amp; Co");
        assert_eq!(with_footer(&own, &footer()).unwrap(), own);
        let raw = "<a href='https://out.example.com/u/t1?a=1&b=2'>x</a>";
        let html = with_footer(raw, &footer()).unwrap();
        assert!(
            !html.contains("Unsubscribe") && html.contains("Example Ltd"),
            "{html}"
        );
    }

    #[test]
    fn plain_text_gets_the_same() {
        let text = text_with_footer("Hi\n", &footer());
        assert_eq!(
            text,
            "Hi\n\nExample Ltd\n1 Main Street & Co\n\nUnsubscribe: \
             https://out.example.com/u/t1?a=1&b=2\n"
        );
        assert_eq!(text_with_footer(&text, &footer()), text);
    }

    #[test]
    fn text_reads_like_the_html() {
        let check = |html: &str, expected: &str| assert_eq!(to_text(html), expected, "{html}");
        check(
            "<p>Hi Ada,</p><p>how are <b>you</b>?</p>",
            "Hi Ada,\n\nhow are you?\n",
        );
        check("a<br>b", "a\nb\n");
        check(
            "<p>See <a href=\"https://example.com/x?a=1&amp;b=2\">our page</a>.</p>",
            "See our page (https://example.com/x?a=1&b=2).\n",
        );
        check(
            "<a href=\"mailto:a@example.com\">a@example.com</a>",
            "a@example.com\n",
        );
        check("<ul><li>one</li><li>two</li></ul>", "- one\n- two\n");
        check(
            "<style>p{}</style><script>x()</script><p>Hi&nbsp;there</p>",
            "Hi there\n",
        );
        check(
            "<img src=\"https://example.com/p.gif\" width=1><p>x</p>",
            "x\n",
        );
        check("<p>a</p><hr><p>b</p>", "a\n\nb\n");
        check("", "");
        let long = format!("<p>{}</p>", "word ".repeat(300));
        assert_eq!(to_text(&long).lines().count(), 1);
    }
}
