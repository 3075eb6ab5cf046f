//! The filters of Shopify Liquid, and `raw`.

mod date;
mod encode;
mod lists;
mod math;
mod text;

use jiff::Zoned;

use crate::{
    Escape, Value,
    compare::is_empty,
    number::strict_int,
    render::budget::{Budget, Outcome, Trouble},
};

macro_rules! filters {
    ($($variant:ident $name:literal $min:literal..=$max:literal;)*) => {
        /// A filter, known by its number from the parse on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Filter { $($variant),* }

        impl Filter {
            /// All names, for "did you mean".
            pub(crate) const NAMES: &'static [&'static str] = &[$($name),*];

            pub(crate) fn find(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    "h" => Some(Self::Escape),
                    _ => None,
                }
            }

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// How many arguments it takes: at least and at most.
            pub(crate) fn arity(self) -> (usize, usize) {
                match self { $(Self::$variant => ($min, $max)),* }
            }
        }
    };
}

filters! {
    Abs "abs" 0..=0;
    Append "append" 1..=1;
    AtLeast "at_least" 1..=1;
    AtMost "at_most" 1..=1;
    Base64Decode "base64_decode" 0..=0;
    Base64Encode "base64_encode" 0..=0;
    Base64UrlSafeDecode "base64_url_safe_decode" 0..=0;
    Base64UrlSafeEncode "base64_url_safe_encode" 0..=0;
    Capitalize "capitalize" 0..=0;
    Ceil "ceil" 0..=0;
    Compact "compact" 0..=1;
    Concat "concat" 1..=1;
    Date "date" 1..=1;
    Default "default" 0..=1;
    DividedBy "divided_by" 1..=1;
    Downcase "downcase" 0..=0;
    Escape "escape" 0..=0;
    EscapeOnce "escape_once" 0..=0;
    Find "find" 1..=2;
    FindIndex "find_index" 1..=2;
    First "first" 0..=0;
    Floor "floor" 0..=0;
    Has "has" 1..=2;
    Join "join" 0..=1;
    Last "last" 0..=0;
    Lstrip "lstrip" 0..=0;
    Map "map" 1..=1;
    Minus "minus" 1..=1;
    Modulo "modulo" 1..=1;
    NewlineToBr "newline_to_br" 0..=0;
    Plus "plus" 1..=1;
    Prepend "prepend" 1..=1;
    Raw "raw" 0..=0;
    Reject "reject" 1..=2;
    Remove "remove" 1..=1;
    RemoveFirst "remove_first" 1..=1;
    RemoveLast "remove_last" 1..=1;
    Replace "replace" 1..=2;
    ReplaceFirst "replace_first" 1..=2;
    ReplaceLast "replace_last" 2..=2;
    Reverse "reverse" 0..=0;
    Round "round" 0..=1;
    Rstrip "rstrip" 0..=0;
    Size "size" 0..=0;
    Slice "slice" 1..=2;
    Sort "sort" 0..=1;
    SortNatural "sort_natural" 0..=1;
    Split "split" 1..=1;
    Strip "strip" 0..=0;
    StripHtml "strip_html" 0..=0;
    StripNewlines "strip_newlines" 0..=0;
    Sum "sum" 0..=1;
    Times "times" 1..=1;
    Truncate "truncate" 0..=2;
    Truncatewords "truncatewords" 0..=2;
    Uniq "uniq" 0..=1;
    Upcase "upcase" 0..=0;
    UrlDecode "url_decode" 0..=0;
    UrlEncode "url_encode" 0..=0;
    Where "where" 1..=2;
}

/// What a filter works with besides its input.
pub(crate) struct Call<'c> {
    pub(crate) filter: Filter,
    /// How many arguments are given.
    pub(crate) count: usize,
    pub(crate) escape: Escape,
    pub(crate) now: &'c Zoned,
    pub(crate) budget: &'c mut Budget,
}

/// Applies a filter.
///
/// # Errors
/// When the input or an argument doesn't fit, or the result would cost more than is left.
pub(crate) fn apply<'a>(
    mut call: Call<'_>,
    input: Value<'a>,
    args: [Value<'a>; 2],
) -> Outcome<Value<'a>> {
    use Filter as F;
    match call.filter {
        F::Abs
        | F::AtLeast
        | F::AtMost
        | F::Ceil
        | F::DividedBy
        | F::Floor
        | F::Minus
        | F::Modulo
        | F::Plus
        | F::Round
        | F::Times => math::apply(call.filter, &input, &args[0]),
        F::Compact
        | F::Concat
        | F::Find
        | F::FindIndex
        | F::Has
        | F::Join
        | F::Map
        | F::Reject
        | F::Reverse
        | F::Sort
        | F::SortNatural
        | F::Sum
        | F::Uniq
        | F::Where => lists::apply(&mut call, input, args),
        F::First => Ok(first(&input)),
        F::Last => Ok(last(&input)),
        F::Size => Ok(Value::Int(size(&input).unwrap_or(0) as i64)),
        F::Slice => slice(&mut call, &input, &args),
        F::Split => lists::split(&mut call, &input, &args[0]),
        F::Date => date::apply(&mut call, input, &args[0]),
        // Handled where it is known which variable is missing.
        F::Default => Ok(input),
        F::Base64Decode
        | F::Base64Encode
        | F::Base64UrlSafeDecode
        | F::Base64UrlSafeEncode
        | F::Escape
        | F::EscapeOnce
        | F::NewlineToBr
        | F::Raw
        | F::StripHtml
        | F::UrlDecode
        | F::UrlEncode => encode::apply(&mut call, input),
        _ => text::apply(&mut call, input, &args),
    }
}

/// Whether `default` steps in: for nil, false, and what is empty. Where missing variables are
/// tracked, text of nothing but space is missing too (TPL-4).
pub(crate) fn needs_default(value: &Value<'_>, allow_false: bool, track: bool) -> bool {
    match value {
        Value::Bool(false) => !allow_false,
        Value::Nil | Value::Empty => true,
        _ => is_empty(value) || (track && value.is_missing()),
    }
}

/// The first item, member or character.
pub(crate) fn first<'a>(value: &Value<'a>) -> Value<'a> {
    match value {
        Value::List(list) => list.get(0).unwrap_or_default(),
        Value::Range(low, high) if low <= high => Value::Int(*low),
        Value::Object(map) => match map.iter().next() {
            Some((key, value)) => Value::list(vec![Value::from(key.as_str()), value.into()]),
            None => Value::Nil,
        },
        Value::Text(text) => text
            .chars()
            .next()
            .map_or(Value::Nil, |c| c.to_string().into()),
        _ => Value::Nil,
    }
}

/// The last item or character.
pub(crate) fn last<'a>(value: &Value<'a>) -> Value<'a> {
    match value {
        Value::List(list) => list
            .len()
            .checked_sub(1)
            .and_then(|n| list.get(n))
            .unwrap_or_default(),
        Value::Range(low, high) if low <= high => Value::Int(*high),
        Value::Text(text) => text
            .chars()
            .last()
            .map_or(Value::Nil, |c| c.to_string().into()),
        _ => Value::Nil,
    }
}

/// How many characters, items or members; `None` for what has no size.
pub(crate) fn size(value: &Value<'_>) -> Option<usize> {
    match value {
        Value::Text(text) | Value::Html(text) => Some(text.chars().count()),
        Value::List(list) => Some(list.len()),
        Value::Object(map) => Some(map.len()),
        Value::Range(low, high) => {
            usize::try_from((i128::from(*high) - i128::from(*low) + 1).max(0)).ok()
        }
        _ => None,
    }
}

/// A part of a text or list.
fn slice<'a>(call: &mut Call<'_>, input: &Value<'a>, args: &[Value<'a>; 2]) -> Outcome<Value<'a>> {
    let whole = |value: &Value<'_>| {
        strict_int(value).ok_or_else(|| Trouble::failed("`slice` takes whole numbers"))
    };
    let start = whole(&args[0])?;
    let length = match &args[1] {
        Value::Nil => 1,
        value => whole(value)?,
    };
    let part = |size: usize| {
        let from = if start < 0 {
            start + size as i64
        } else {
            start
        };
        let from = usize::try_from(from).ok().filter(|n| *n <= size)?;
        let length = usize::try_from(length).ok()?;
        Some((from, length.min(size - from)))
    };
    if let Value::List(list) = input {
        call.budget.steps(list.len())?;
        let (from, length) = part(list.len()).unwrap_or((0, 0));
        return Ok(Value::list(list.iter().skip(from).take(length).collect()));
    }
    let text = input.to_text();
    call.budget.bytes(text.len())?;
    let (from, length) = part(text.chars().count()).unwrap_or((0, 0));
    Ok(text
        .chars()
        .skip(from)
        .take(length)
        .collect::<String>()
        .into())
}
