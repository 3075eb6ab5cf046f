//! What a template is written for: how values are escaped, whether braces spin, what is counted as
//! missing, how long the text may get.

use jiff::Zoned;
use serde::{Deserialize, Serialize};

use crate::Seed;

/// The part of a message that a template makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// A mail's subject: one line.
    Subject,
    /// A mail's plain-text body.
    Text,
    /// A mail's HTML body.
    Html,
    /// The note of a LinkedIn invitation, at most 300 characters (LI-4).
    LinkedinNote,
    /// A LinkedIn message.
    LinkedinMessage,
    /// The subject of an InMail: one line, at most 200 characters (LI-4).
    InmailSubject,
    /// The body of an InMail, at most 1,900 characters (LI-4).
    InmailBody,
    /// A post or comment, at most 3,000 characters.
    Post,
}

impl Context {
    /// How merged values are made safe (TPL-2).
    pub const fn escape(self) -> Escape {
        match self {
            Self::Html => Escape::Html,
            Self::Subject | Self::InmailSubject => Escape::Header,
            Self::Text
            | Self::LinkedinNote
            | Self::LinkedinMessage
            | Self::InmailBody
            | Self::Post => Escape::Off,
        }
    }

    /// The most characters (Unicode scalar values) that the text may have.
    pub const fn max_chars(self) -> Option<usize> {
        match self {
            Self::LinkedinNote => Some(300),
            Self::InmailSubject => Some(200),
            Self::InmailBody => Some(1_900),
            Self::Post => Some(3_000),
            Self::Subject | Self::Text | Self::Html | Self::LinkedinMessage => None,
        }
    }
}

/// How merged values are made safe for the place where they land (TPL-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Values are written as they are.
    Off,
    /// `& < > " '` in values become entities; `| raw` opts out.
    Html,
    /// The text becomes one line: line breaks and control characters become a space, whether they
    /// come from a value or from the template. `| raw` doesn't opt out of that.
    Header,
}

/// What separates the product from plain Liquid. Everything else is the same in all modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// How merged values are made safe.
    pub escape: Escape,
    /// Whether `{a|b}` is spintax, and the usual brace typos are errors (TPL-3, TPL-5).
    pub spintax: bool,
    /// Whether missing variables are reported in [`Rendered::missing`](crate::Rendered) (TPL-4).
    pub missing: bool,
    /// The most characters that a rendered text may have.
    pub max_chars: Option<usize>,
    /// Keeps the spintax choices of a subject and its body independent of each other.
    pub salt: u64,
}

impl Mode {
    /// Plain Liquid as Shopify has it: nothing escaped, nothing spun, nothing reported missing.
    pub const CONFORMANCE: Self = Self {
        escape: Escape::Off,
        spintax: false,
        missing: false,
        max_chars: None,
        salt: 0,
    };

    /// The mode in which the product parses, checks and renders.
    pub const fn product(context: Context) -> Self {
        Self {
            escape: context.escape(),
            spintax: true,
            missing: true,
            max_chars: context.max_chars(),
            salt: context as u64 + 1,
        }
    }
}

/// What one rendering may cost. Going over is a [`RenderError::Limit`](crate::RenderError), so
/// that a hostile template ends with an error and neither hangs nor eats the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text that the template and its filters may produce.
    pub bytes: usize,
    /// Passes through loop bodies.
    pub iterations: usize,
    /// Nodes visited and list items touched.
    pub steps: usize,
    /// Partials inside each other.
    pub nesting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            iterations: 10_000,
            steps: 200_000,
            nesting: 16,
        }
    }
}

/// What a rendering is given besides the data.
#[derive(Clone, Debug)]
pub struct RenderOptions {
    /// Decides the spintax choices (TPL-5).
    pub seed: Seed,
    /// The moment and zone that `today` and `"now" | date` mean.
    pub now: Zoned,
    /// What the rendering may cost.
    pub limits: Limits,
}

impl RenderOptions {
    /// Options with the default [`Limits`].
    pub fn new(seed: Seed, now: Zoned) -> Self {
        Self {
            seed,
            now,
            limits: Limits::default(),
        }
    }
}
