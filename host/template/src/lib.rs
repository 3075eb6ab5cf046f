//! Liquid and spintax: parse, check, render.
//!
//! A template is parsed once, with all of its errors reported at once, and rendered many times.
//! Merge tags and spintax are nodes of one syntax tree, so a merged value can never become
//! syntax: it is neither parsed, nor spun, and in HTML it is escaped (TPL-1 to TPL-5).
//!
//! ```
//! use overture_template::{Context, MergeTags, Mode, RenderOptions, Seed, Template};
//!
//! let template = Template::parse(
//!     "{Hi|Hello} {{ firstName | default: 'there' }}, how is {{ company }}?",
//!     Mode::product(Context::Html),
//! )
//! .unwrap();
//! assert_eq!(template.combinations(), 2);
//! assert_eq!(template.variables().without_default, ["company"]);
//!
//! let tags = MergeTags { company: Some("Acme <1>"), ..MergeTags::default() };
//! let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
//! let rendered = template
//!     .render(&tags, &RenderOptions::new(Seed::new("enr_1", "stp_1"), now))
//!     .unwrap();
//! assert!(rendered.text.ends_with(" there, how is Acme &lt;1&gt;?"));
//! assert!(rendered.missing.is_empty());
//! ```
//!
//! The crate is pure: no IO, no clock, no chance. `today` and the spintax [`Seed`] come in with
//! the [`RenderOptions`]. [`check()`] is the one check behind save, Validate and the command line.

mod ast;
mod check;
mod compare;
mod data;
mod diagnostic;
mod filters;
mod hints;
mod mode;
mod number;
mod parse;
mod render;
mod seed;
mod spintax;
mod template;
mod value;

pub use check::{Report, check};
pub use data::{BUILTIN_TAGS, Data, JsonTags, MergeTags, Signature, builtin_tag};
pub use diagnostic::{Diagnostic, Fix, Severity};
pub use hints::{Content, Hint, hints};
pub use mode::{Context, Escape, Limits, Mode, RenderOptions};
pub use render::{Choice, RenderError, Rendered};
pub use seed::Seed;
pub use spintax::Variant;
pub use template::{Template, Variables};
pub use value::{List, Text, Value};

/// The examples of the README run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
