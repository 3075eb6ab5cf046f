//! The newest text of a mail that is HTML only.

use lol_html::{Settings, element, rewrite_str};

use crate::html::to_text;

/// The text of `html` without what well-known mail programs mark as quoted.
pub(super) fn without_quotes(html: &str) -> String {
    const QUOTES: &str = "blockquote, .gmail_quote, .gmail_extra, .gmail_signature, .yahoo_quoted, \
                          .moz-cite-prefix, .moz-signature, .protonmail_quote, \
                          .tutanota_quote, .zmail_extra, #reply-intro, div[id^=yahoo_quoted]";
    let remove = element!(QUOTES, |quote| {
        quote.remove();
        Ok(())
    });
    let settings = Settings::new()
        .append_element_content_handler(remove)
        .with_strict(false);
    match rewrite_str(html, settings) {
        Ok(own) if !to_text(&own).trim().is_empty() => to_text(&own),
        // All of it looked quoted, or it is too odd: better too much than nothing.
        _ => to_text(html),
    }
}
