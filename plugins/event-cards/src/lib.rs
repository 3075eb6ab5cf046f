//! Events in words (API-6), for the formatters that write to people and not to programs (API-9):
//! what happened, to whom, what was said, and where to go from there. How it looks is theirs.
//!
//! What every reply passes is put together with `concat`: `format!` costs a guest a third of a
//! card's time.

mod data;
mod words;

use std::borrow::Cow;

use data::Data;
use overture_plugin::formatter::{Context, Event, FormatError};

/// An event as a person wants to read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// `New reply`
    pub title: Cow<'static, str>,
    /// Whom it is about, where it is about a person.
    pub who: Option<String>,
    /// The event in one plain line, for notifications.
    pub summary: String,
    /// Who and what, a line each.
    pub facts: Vec<Vec<Span>>,
    /// What somebody wrote, at most [`QUOTE`] characters.
    pub quote: Option<String>,
    /// Where to go.
    pub buttons: Vec<Button>,
    /// What sort of news it is.
    pub mood: Mood,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Span {
    /// Words as they are: whoever writes them down must escape them.
    Text(String),
    /// Words that lead somewhere. The URL is one of http or https.
    Link {
        /// The words.
        label: String,
        /// Where to.
        url: String,
    },
}

/// Something to press.
#[derive(Clone, Debug, PartialEq)]
pub struct Button {
    /// The same for the same kind of place.
    pub id: &'static str,
    /// The words on it.
    pub label: &'static str,
    /// Where it leads.
    pub url: String,
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

impl Card {
    /// The card of an event.
    ///
    /// # Errors
    /// [`FormatError::InvalidEvent`], when the event's data is not what API-6 promises.
    pub fn of(event: &Event, context: &Context) -> Result<Self, FormatError> {
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
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let end = text.char_indices().nth(most - 1).map_or(0, |(at, _)| at);
            [text[..end].trim_end(), "…"].concat()
        }
    }
}

/// The pages of the workspace; without an address of its own an instance has none.
pub(crate) struct Pages<'a> {
    base: &'a str,
}

impl Pages<'_> {
    /// `/campaigns/cmp_…`
    pub(crate) fn at(&self, feature: &str, id: Option<&str>) -> Option<String> {
        is_web(self.base).then(|| match id {
            Some(id) => [self.base, "/", feature, "/", id].concat(),
            None => [self.base, "/", feature].concat(),
        })
    }
}

/// Whether a link may lead there: no `javascript:`, no `mailto:`, nothing too long for a receiver.
pub(crate) fn is_web(url: &str) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    web && url.len() <= 2_000
}
