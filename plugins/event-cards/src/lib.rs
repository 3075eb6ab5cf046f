//! Events in words (API-6), for the formatters that write to people and not to programs (API-9):
//! what happened, to whom, what was said, and where to go from there. How it looks is theirs.
//!
//! What every reply passes stays the event's own text where it can, and is put together with `concat`
//! where it can't: `format!` costs a guest a third of a card's time.

mod data;
mod scan;
mod words;

use std::borrow::Cow;

use data::Data;
use overture_plugin::formatter::{Context, Event, FormatError};
pub use scan::find;

/// An event as a person wants to read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Card<'a> {
    /// `New reply`
    pub title: Cow<'static, str>,
    /// Whom it is about, where it is about a person.
    pub who: Option<Cow<'a, str>>,
    /// The event in one plain line, for notifications.
    pub summary: String,
    /// Who and what, a line each.
    pub facts: Vec<Fact<'a>>,
    /// What somebody wrote, at most [`QUOTE`] characters.
    pub quote: Option<Cow<'a, str>>,
    /// Where to go.
    pub buttons: Vec<Button<'a>>,
    /// What sort of news it is.
    pub mood: Mood,
}

/// A line: `name: words (more)`. Whoever writes it down must escape its texts, all but the name.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact<'a> {
    /// What it says, where that isn't plain.
    pub name: Option<&'static str>,
    /// The words.
    pub words: Cow<'a, str>,
    /// Where they lead; a URL of http or https.
    pub url: Option<Cow<'a, str>>,
    /// What stands behind them in brackets.
    pub more: Option<Cow<'a, str>>,
}

/// Something to press.
#[derive(Clone, Debug, PartialEq)]
pub struct Button<'a> {
    /// The same for the same kind of place.
    pub id: &'static str,
    /// The words on it.
    pub label: &'static str,
    /// Where it leads.
    pub url: Cow<'a, str>,
}

/// What sort of news an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Somebody answered.
    Reply,
    /// Good news.
    Good,
    /// Somebody should look.
    Bad,
    /// For information.
    Plain,
}

/// The longest quotation, in characters (API-9).
pub const QUOTE: usize = 400;

impl<'a> Card<'a> {
    /// The card of an event.
    ///
    /// # Errors
    /// [`FormatError::InvalidEvent`], when the event's data is not what API-6 promises.
    pub fn of(event: &'a Event, context: &Context) -> Result<Self, FormatError> {
        let data: Data = serde_json::from_str(&event.data)
            .map_err(|e| FormatError::InvalidEvent(format!("{}: {e}", event.kind)))?;
        let pages = Pages {
            base: context.public_url.trim_end_matches('/'),
        };
        Ok(words::card(&event.kind, &data, &pages))
    }
}

/// The first so many characters, with a sign where something was left out.
#[must_use]
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most || place(text, most).is_none() {
        return text.into();
    }
    let end = place(text, most - 1).unwrap_or_default();
    [text[..end].trim_end(), "…"].concat().into()
}

/// Where a character begins, if there are so many before it.
fn place(text: &str, before: usize) -> Option<usize> {
    match text.as_bytes().get(..before) {
        Some(start) if start.is_ascii() => (text.len() > before).then_some(before),
        _ => text.char_indices().nth(before).map(|(at, _)| at),
    }
}

/// The pages of the workspace; without an address of its own an instance has none.
pub(crate) struct Pages<'a> {
    base: &'a str,
}

impl Pages<'_> {
    /// `/campaigns/cmp_…`
    pub(crate) fn at(&self, feature: &str, id: Option<&str>) -> Option<Cow<'static, str>> {
        is_web(self.base).then(|| match id {
            Some(id) => [self.base, "/", feature, "/", id].concat().into(),
            None => [self.base, "/", feature].concat().into(),
        })
    }
}

/// Whether a link may lead there: no `javascript:`, no `mailto:`, nothing too long for a receiver.
pub(crate) fn is_web(url: &str) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    web && url.len() <= 2_000
}
