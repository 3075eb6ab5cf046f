//! Values as templates see them: borrowed from the data or the template where possible.

use std::{borrow::Cow, fmt, ops::Deref, rc::Rc};

use serde_json::{Map, Value as Json};

use crate::number::write_float;

/// Text that is borrowed, owned, or shared between variables.
#[derive(Clone, Debug)]
pub enum Text<'a> {
    /// From the data or the template.
    Ref(&'a str),
    /// Made by a filter.
    Owned(String),
    /// Kept in a variable.
    Shared(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        match self {
            Self::Ref(text) => text,
            Self::Owned(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Ref(text)
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

/// A list, borrowed from JSON or made by a filter.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// From the data.
    Json(&'a [Json]),
    /// Made by a filter; cheap to clone.
    Shared(Rc<[Value<'a>]>),
}

impl<'a> List<'a> {
    /// How many items it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Json(items) => items.len(),
            Self::Shared(items) => items.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Item number `index`, from 0.
    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Json(items) => items.get(index).map(Value::from),
            Self::Shared(items) => items.get(index).cloned(),
        }
    }

    /// The items in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Value<'a>> + '_ {
        (0..self.len()).map(|n| self.get(n).unwrap_or(Value::Nil))
    }
}

/// What a variable can hold.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Nothing: `nil`, JSON's `null`, a variable that doesn't exist.
    #[default]
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text; escaped where it is written.
    Text(Text<'a>),
    /// Text that is markup already and is written as it is: a mailbox's signature, a captured
    /// block, the result of `| raw`.
    Html(Text<'a>),
    /// A list.
    List(List<'a>),
    /// An object of JSON.
    Object(&'a Map<String, Json>),
    /// `(1..5)`, both ends included.
    Range(i64, i64),
    /// The word `blank`.
    Blank,
    /// The word `empty`.
    Empty,
    /// `forloop` or `tablerowloop`: a place in the renderer's stack of loops.
    #[doc(hidden)]
    Loop(usize),
}

impl<'a> Value<'a> {
    /// Text that is markup already, to be written unescaped in HTML.
    pub fn html(text: &'a str) -> Self {
        Self::Html(Text::Ref(text))
    }

    /// Whether a reader would see nothing: nil, or text of nothing but space.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::Text(text) | Self::Html(text) => {
                let visible = text.as_bytes().first().is_some_and(u8::is_ascii_graphic);
                !visible && text.trim().is_empty()
            }
            _ => false,
        }
    }

    /// All but nil and false.
    pub(crate) fn is_truthy(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// The text, when the value is text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Html(text) => Some(text),
            _ => None,
        }
    }

    /// The same value, made cheap to clone for a variable.
    pub(crate) fn share(self) -> Self {
        match self {
            Self::Text(Text::Owned(text)) => Self::Text(Text::Shared(text.into())),
            Self::Html(Text::Owned(text)) => Self::Html(Text::Shared(text.into())),
            other => other,
        }
    }

    /// The value as text: what writing it gives, unescaped. Lists are joined without a sign.
    pub(crate) fn to_text(&self) -> Cow<'_, str> {
        if let Some(text) = self.as_text() {
            return Cow::Borrowed(text);
        }
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = self.write(&mut text);
        Cow::Owned(text)
    }

    /// The value as text that lives as long as the data, without a copy where it is text.
    pub(crate) fn into_text(self) -> Text<'a> {
        match self {
            Self::Text(text) | Self::Html(text) => text,
            other => Text::Owned(other.to_text().into_owned()),
        }
    }

    /// Writes the value unescaped.
    pub(crate) fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Nil | Self::Blank | Self::Empty | Self::Loop(_) => Ok(()),
            Self::Bool(b) => write!(out, "{b}"),
            Self::Int(n) => write!(out, "{n}"),
            Self::Float(n) => write_float(out, *n),
            Self::Text(text) | Self::Html(text) => out.write_str(text),
            Self::List(list) => list.iter().try_for_each(|item| item.write(out)),
            Self::Object(map) => write_object(out, map),
            Self::Range(low, high) => write!(out, "{low}..{high}"),
        }
    }

    pub(crate) fn list(items: Vec<Value<'a>>) -> Self {
        Self::List(List::Shared(items.into()))
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(n) => match n.as_i64() {
                Some(n) => Self::Int(n),
                None => Self::Float(n.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(Text::Ref(text)),
            Json::Array(items) => Self::List(List::Json(items)),
            Json::Object(map) => Self::Object(map),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Text::Ref(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Text::Owned(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<f64> for Value<'_> {
    fn from(n: f64) -> Self {
        Self::Float(n)
    }
}

impl From<bool> for Value<'_> {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

/// The member `key`. Small objects, as a prospect's fields are, are faster searched than hashed.
pub(crate) fn member<'a>(map: &'a Map<String, Json>, key: &str) -> Option<&'a Json> {
    if map.len() <= 16 {
        return map
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value);
    }
    map.get(key)
}

/// `{"a"=>1, "b"=>"x"}`, as Ruby shows it.
fn write_object(out: &mut impl fmt::Write, map: &Map<String, Json>) -> fmt::Result {
    out.write_char('{')?;
    for (n, (key, value)) in map.iter().enumerate() {
        if n > 0 {
            out.write_str(", ")?;
        }
        write!(out, "{}=>", Json::from(key.as_str()))?;
        match value {
            Json::Null => out.write_str("nil")?,
            Json::Object(map) => write_object(out, map)?,
            other => write!(out, "{other}")?,
        }
    }
    out.write_char('}')
}
