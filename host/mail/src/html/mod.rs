//! What the host does to the HTML of a mail before it goes out, and plain text from HTML.

mod text;

use std::{borrow::Cow, cell::Cell, rc::Rc};

use lol_html::{
    ElementContentHandlers, Selector, Settings, element, end_tag, html_content::ContentType,
    rewrite_str,
};

use crate::{Cause, Result, Stage};

pub use text::to_text;

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
    let see_links = {
        let linked = Rc::clone(&linked);
        let url = footer.unsubscribe_url.clone();
        element!("a[href]", move |a| {
            let href = a.get_attribute("href").unwrap_or_default();
            if href.replace("&amp;", "&") == url {
                linked.set(true);
            }
            Ok(())
        })
    };
    rewritten(html, see_links, move || {
        let address = address.as_deref().unwrap_or_default();
        if linked.get() {
            address.to_owned()
        } else {
            format!("{address}{link}")
        }
    })
}

/// What is written into a mail to see whether it is opened and what is clicked (TRK-1).
#[derive(Clone, Copy)]
pub struct Tracking<'a> {
    /// The address of the pixel; none without it.
    pub pixel: Option<&'a str>,
    /// The address that leads to the link of this number; none to leave links as they are.
    pub click: Option<&'a dyn Fn(usize) -> String>,
    /// Links that begin so are left as they are: those to unsubscribe.
    pub except: &'a str,
}

/// `html` with the pixel and with links that lead where `tracking` says, and where they led before,
/// by their number. Only links of http and https are wrapped; the same address has one number.
///
/// # Errors
/// As [`with_footer`].
pub fn tracked(html: &str, tracking: Tracking<'_>) -> Result<(String, Vec<String>)> {
    let pixel = tracking.pixel.map_or_else(String::new, |url| {
        format!(
            "<img src=\"{}\" width=\"1\" height=\"1\" alt=\"\" style=\"border:0\">",
            escaped(url)
        )
    });
    let mut links: Vec<String> = Vec::new();
    let wrap = element!("a[href], area[href]", |a| {
        let href = a.get_attribute("href").unwrap_or_default();
        let url = text::decoded(href.trim());
        let is_web = ["http://", "https://"].iter().any(|scheme| {
            url.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        let (true, Some(click)) = (is_web && !url.starts_with(tracking.except), tracking.click)
        else {
            return Ok(());
        };
        let number = links.iter().position(|known| *known == url);
        let number = number.unwrap_or_else(|| {
            links.push(url);
            links.len() - 1
        });
        a.set_attribute("href", &escaped(&click(number)))?;
        Ok(())
    });
    let html = rewritten(html, wrap, move || pixel.clone())?;
    Ok((html, links))
}

/// `html` after a handler has seen its elements, with `last` at the end of the body, or of the
/// document when no body ends in it. Everything else stays as it is, byte for byte.
fn rewritten<'h>(
    html: &str,
    handler: (Cow<'h, Selector>, ElementContentHandlers<'h>),
    last: impl Fn() -> String + 'static,
) -> Result<String> {
    let done = Rc::new(Cell::new(false));
    let last: Rc<dyn Fn() -> String> = Rc::new(move || match done.replace(true) {
        true => String::new(),
        false => last(),
    });
    let in_body = Rc::clone(&last);
    let at_body_end = element!("body", move |body| {
        let last = Rc::clone(&in_body);
        // Without an end tag the end of the document does.
        drop(body.on_end_tag(end_tag!(move |end| {
            end.before(&last(), ContentType::Html);
            Ok(())
        })));
        Ok(())
    });
    let at_end = lol_html::end!(move |end| {
        end.append(&last(), ContentType::Html);
        Ok(())
    });
    let settings = Settings::new()
        .append_element_content_handler(handler)
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

    // TRK-1
    #[test]
    fn links_lead_through_the_instance_and_a_pixel_is_last() {
        let html = "<body><a href=\"https://example.com/a?x=1&amp;y=2\">a</a> <a href='HTTP://example.com/b'>b</a> \
            <a href=\"https://example.com/a?x=1&#38;y=2\">a again</a> <a href=\"mailto:a@example.com\">m</a> \
            <a href=\"tel:+49\">t</a> <a href=\"https://out.example.com/u/t1\">stop</a> <a href=\"#top\">up</a></body>";
        let click = |number: usize| format!("https://out.example.com/c/{number}&");
        let tracking = Tracking {
            pixel: Some("https://out.example.com/o/t1"),
            click: Some(&click),
            except: "https://out.example.com/u/",
        };
        let (tracked_html, links) = tracked(html, tracking).unwrap();
        assert_eq!(
            links,
            ["https://example.com/a?x=1&y=2", "HTTP://example.com/b"]
        );
        assert_eq!(
            tracked_html,
            "<body><a href=\"https://out.example.com/c/0&amp;\">a</a> <a href=\"https://out.example.com/c/1&amp;\">b</a> \
             <a href=\"https://out.example.com/c/0&amp;\">a again</a> <a href=\"mailto:a@example.com\">m</a> \
             <a href=\"tel:+49\">t</a> <a href=\"https://out.example.com/u/t1\">stop</a> <a href=\"#top\">up</a>\
             <img src=\"https://out.example.com/o/t1\" width=\"1\" height=\"1\" alt=\"\" style=\"border:0\"></body>"
        );
        // Off means untouched.
        let off = Tracking {
            pixel: None,
            click: None,
            ..tracking
        };
        assert_eq!(tracked(html, off).unwrap(), (html.to_owned(), Vec::new()));
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
    fn depth_costs_no_stack() {
        for tag in [
            "<div>",
            "<b>",
            "<table><tr><td>",
            "<ul><li>",
            "<blockquote>",
            "<a href=x>",
        ] {
            let html = format!("{}deep", tag.repeat(20_000));
            assert!(
                with_footer(&html, &footer())
                    .unwrap()
                    .contains("Unsubscribe"),
                "{tag}"
            );
        }
    }
}
