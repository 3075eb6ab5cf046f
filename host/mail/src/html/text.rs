//! Plain text from HTML: our own for the text part of a mail, strangers' for judging a reply.
//!
//! Streaming, without a tree, so that hostile depth costs neither stack nor time.

use std::{cell::RefCell, rc::Rc};

use lol_html::{
    Settings, doc_text, element, end_tag,
    html_content::{Element, TextType},
    rewrite_str,
};

/// The text that a reader of `html` sees: a line a paragraph, links as `text (URL)`, images by
/// their alternative text; no styles, no scripts.
pub fn to_text(html: &str) -> String {
    let out = Rc::new(RefCell::new(Out::default()));
    let elements = {
        let out = Rc::clone(&out);
        element!("*", move |element| {
            begin(element, &out);
            Ok(())
        })
    };
    let texts = {
        let out = Rc::clone(&out);
        doc_text!(move |chunk| {
            // Styles, scripts and titles are other types of text.
            if chunk.text_type() == TextType::Data {
                out.borrow_mut().raw.push_str(chunk.as_str());
            }
            Ok(())
        })
    };
    let settings = Settings::new()
        .append_element_content_handler(elements)
        .append_document_content_handler(texts)
        .with_strict(false);
    // What was read until an error is the text; there is no error without a memory limit.
    drop(rewrite_str(html, settings));
    out.take().finish()
}

/// What separates the next word from the last one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    Paragraph,
}

#[derive(Default)]
struct Out {
    text: String,
    gap: Gap,
    /// Text as it stands in the HTML, not yet taken.
    raw: String,
    /// For each open list the number of the next item; `None` where there are no numbers.
    lists: Vec<Option<usize>>,
    preformatted: usize,
}

impl Out {
    /// Takes the text up to here: entities decoded, white space collapsed.
    fn flush(&mut self) {
        let raw = std::mem::take(&mut self.raw);
        for c in decoded(&raw).chars() {
            match c {
                '\n' if self.preformatted > 0 => self.line(),
                ' ' | '\t' | '\n' | '\r' | '\x0c' if self.preformatted == 0 => {
                    self.gap = self.gap.max(Gap::Space);
                }
                _ => {
                    self.fill_gap();
                    self.text.push(if c == '\u{a0}' { ' ' } else { c });
                }
            }
        }
    }

    fn fill_gap(&mut self) {
        let gap = std::mem::take(&mut self.gap);
        if self.text.is_empty() {
            return;
        }
        let ends = self
            .text
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'\n')
            .count();
        match gap {
            Gap::None => {}
            Gap::Space if ends > 0 || self.text.ends_with(' ') => {}
            Gap::Space => self.text.push(' '),
            Gap::Line if ends == 0 => self.text.push('\n'),
            Gap::Line => {}
            Gap::Paragraph => self.text.push_str(["\n\n", "\n", ""][ends.min(2)]),
        }
    }

    /// A line break that stands even when nothing is on the line.
    fn line(&mut self) {
        self.fill_gap();
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    fn finish(mut self) -> String {
        self.flush();
        let mut text = String::with_capacity(self.text.len() + 1);
        for line in self.text.trim_end().lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn begin(element: &mut Element<'_, '_>, out: &Rc<RefCell<Out>>) {
    let name = element.tag_name();
    let mut now = out.borrow_mut();
    now.flush();
    match name.as_str() {
        "br" => now.line(),
        "img" => {
            let alt = element.get_attribute("alt").unwrap_or_default();
            now.raw.push_str(&alt);
            now.flush();
        }
        "td" | "th" => now.gap = now.gap.max(Gap::Space),
        "a" => {
            let href = decoded(&element.get_attribute("href").unwrap_or_default());
            let start = now.text.len();
            drop(now);
            at_end(element, out, move |out| out.link(&href, start));
        }
        "ul" | "ol" => {
            now.gap = now.gap.max(if now.lists.is_empty() {
                Gap::Paragraph
            } else {
                Gap::Line
            });
            now.lists.push((name == "ol").then_some(1));
            drop(now);
            at_end(element, out, |out| {
                out.lists.pop();
                out.gap = out.gap.max(if out.lists.is_empty() {
                    Gap::Paragraph
                } else {
                    Gap::Line
                });
            });
        }
        "li" => {
            now.gap = now.gap.max(Gap::Line);
            now.fill_gap();
            let mark = match now.lists.last_mut() {
                Some(Some(number)) => {
                    *number += 1;
                    format!("{}. ", *number - 1)
                }
                _ => "- ".to_owned(),
            };
            now.text.push_str(&mark);
            drop(now);
            at_end(element, out, |out| out.gap = out.gap.max(Gap::Line));
        }
        "pre" => {
            now.gap = Gap::Paragraph;
            now.preformatted += 1;
            drop(now);
            at_end(element, out, |out| {
                out.preformatted = out.preformatted.saturating_sub(1);
                out.gap = Gap::Paragraph;
            });
        }
        _ => {
            let gap = gap_around(&name);
            if gap > Gap::None {
                now.gap = now.gap.max(gap);
                drop(now);
                at_end(element, out, move |out| out.gap = out.gap.max(gap));
            }
        }
    }
}

impl Out {
    /// The URL after a link's text, unless the text shows it.
    fn link(&mut self, href: &str, start: usize) {
        let shown = self.text.get(start..).unwrap_or_default().trim();
        if !href.starts_with("http") || shown.is_empty() || shown == href {
            return;
        }
        if href
            .trim_end_matches('/')
            .ends_with(shown.trim_end_matches('/'))
        {
            // `example.com` for `https://example.com/`: the whole URL takes its place.
            let begin = self.text.len() - self.text[start..].trim_start().len();
            self.text.truncate(begin);
            self.text.push_str(href);
        } else {
            self.text.push_str(&format!(" ({href})"));
        }
    }
}

/// Elements that are never on a line with others.
fn gap_around(name: &str) -> Gap {
    match name {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "table" | "dl" => {
            Gap::Paragraph
        }
        "div" | "tr" | "section" | "article" | "header" | "footer" | "main" | "nav" | "aside"
        | "address" | "form" | "fieldset" | "figure" | "figcaption" | "dt" | "dd" | "center"
        | "caption" | "body" | "hr" => Gap::Line,
        _ => Gap::None,
    }
}

/// Runs `then` at the element's end tag, if it has one.
fn at_end(
    element: &mut Element<'_, '_>,
    out: &Rc<RefCell<Out>>,
    then: impl FnOnce(&mut Out) + 'static,
) {
    let out = Rc::clone(out);
    let mut then = Some(then);
    drop(element.on_end_tag(end_tag!(move |_| {
        let mut out = out.borrow_mut();
        out.flush();
        if let Some(then) = then.take() {
            then(&mut out);
        }
        Ok(())
    })));
}

/// `raw` with its character references decoded.
pub(super) fn decoded(raw: &str) -> String {
    /// No name of a character is longer (HTML has 31 letters).
    const LONGEST: usize = 40;
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest
            .bytes()
            .take(LONGEST)
            .position(|byte| byte == b';')
            .map_or(1, |end| end + 1);
        mail_parser::decoders::html::add_html_token(&mut text, &rest.as_bytes()[..end], false);
        rest = &rest[end..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
        check(
            "<a href=\"https://example.com/\"> example.com</a>",
            "https://example.com/\n",
        );
        check(
            "<ol><li>one<li>two</ol>x &lt;&eacute;&#8364;&bogus; &",
            "1. one\n2. two\n\nx <é€&bogus; &\n",
        );
        check(
            "<div>a</div><div>b</div><pre>c\n  d</pre>",
            "a\nb\n\nc\n  d\n",
        );
        check(
            "<title>t</title><table><tr><td>a</td><td>b</td></tr></table>",
            "a b\n",
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

    #[test]
    fn depth_costs_nothing() {
        for tag in [
            "<div>",
            "<b>",
            "<table><tr><td>",
            "<ul><li>",
            "<blockquote>",
            "<a href=x>",
        ] {
            let text = to_text(&format!("{}deep", tag.repeat(20_000)));
            assert!(text.ends_with("deep\n"), "{tag}");
        }
    }
}
