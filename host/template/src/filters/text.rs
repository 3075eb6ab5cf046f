//! Filters on text.

use std::borrow::Cow;

use crate::{
    Value,
    number::strict_int,
    render::budget::{Outcome, Trouble},
    value::Text,
};

use super::{Call, Filter};

pub(super) fn apply<'a>(
    call: &mut Call<'_>,
    input: Value<'a>,
    args: &[Value<'a>; 2],
) -> Outcome<Value<'a>> {
    let text = input.into_text();
    // Twice covers what changing case and the default ending can add.
    call.budget.bytes(2 * text.len())?;
    let result: String = match call.filter {
        Filter::Append => {
            let tail = args[0].to_text();
            call.budget.bytes(tail.len())?;
            let mut text = owned(text, tail.len());
            text.push_str(&tail);
            text
        }
        Filter::Prepend => {
            let head = args[0].to_text();
            call.budget.bytes(head.len())?;
            let mut joined = String::with_capacity(head.len() + text.len());
            joined.push_str(&head);
            joined.push_str(&text);
            joined
        }
        Filter::Capitalize => capitalize(&text),
        Filter::Downcase => text.to_lowercase(),
        Filter::Upcase => text.to_uppercase(),
        Filter::Strip => return Ok(trimmed(text, |t| t.trim_matches(is_space))),
        Filter::Lstrip => return Ok(trimmed(text, |t| t.trim_start_matches(is_space))),
        Filter::Rstrip => return Ok(trimmed(text, |t| t.trim_end_matches(is_space))),
        Filter::StripNewlines => text.replace("\r\n", "").replace('\n', ""),
        Filter::Remove => replace(call, &text, &args[0].to_text(), "")?,
        Filter::Replace => replace(call, &text, &args[0].to_text(), &args[1].to_text())?,
        Filter::RemoveFirst | Filter::ReplaceFirst => {
            let from = args[0].to_text();
            replace_one(call, &text, text.find(&*from), &from, &args[1].to_text())?
        }
        Filter::RemoveLast | Filter::ReplaceLast => {
            let from = args[0].to_text();
            replace_one(call, &text, text.rfind(&*from), &from, &args[1].to_text())?
        }
        Filter::Truncate => truncate(call, &text, args)?,
        Filter::Truncatewords => truncatewords(call, &text, args)?,
        other => unreachable!("{} is no filter on text", other.name()),
    };
    Ok(result.into())
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\0'
}

/// The text as a String with room for `more`.
fn owned(text: Text<'_>, more: usize) -> String {
    match text {
        Text::Owned(text) => text,
        text => {
            let mut copy = String::with_capacity(text.len() + more);
            copy.push_str(&text);
            copy
        }
    }
}

/// A part of a text; without a copy where it is borrowed.
fn trimmed<'a>(text: Text<'a>, trim: impl for<'t> Fn(&'t str) -> &'t str) -> Value<'a> {
    match text {
        Text::Ref(text) => Value::from(trim(text)),
        text => trim(&text).to_owned().into(),
    }
}

fn capitalize(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut chars = text.chars();
    if let Some(first) = chars.next() {
        result.extend(first.to_uppercase());
    }
    let rest = chars.as_str();
    if rest.is_ascii() {
        result.push_str(rest);
        let start = result.len() - rest.len();
        if let Some(tail) = result.get_mut(start..) {
            tail.make_ascii_lowercase();
        }
    } else {
        result.push_str(&rest.to_lowercase());
    }
    result
}

fn replace(call: &mut Call<'_>, text: &str, from: &str, to: &str) -> Outcome<String> {
    let count = text.matches(from).count();
    call.budget.bytes(count.saturating_mul(to.len()))?;
    Ok(text.replace(from, to))
}

fn replace_one(
    call: &mut Call<'_>,
    text: &str,
    at: Option<usize>,
    from: &str,
    to: &str,
) -> Outcome<String> {
    call.budget.bytes(to.len())?;
    Ok(match at {
        Some(at) => [&text[..at], to, &text[at + from.len()..]].concat(),
        None => text.to_owned(),
    })
}

/// Length and ending of `truncate` and `truncatewords`.
fn cut<'v>(
    call: &Call<'_>,
    args: &'v [Value<'_>; 2],
    default: usize,
) -> Outcome<(usize, Cow<'v, str>)> {
    let length = match call.count {
        0 => default,
        _ => strict_int(&args[0])
            .map(|n| usize::try_from(n).unwrap_or(0))
            .ok_or_else(|| {
                Trouble::failed(format!("`{}` takes a whole number", call.filter.name()))
            })?,
    };
    let ending = if call.count < 2 {
        Cow::Borrowed("...")
    } else {
        args[1].to_text()
    };
    Ok((length, ending))
}

fn truncate(call: &mut Call<'_>, text: &str, args: &[Value<'_>; 2]) -> Outcome<String> {
    let (length, ending) = cut(call, args, 50)?;
    if text.chars().count() <= length {
        return Ok(text.to_owned());
    }
    call.budget.bytes(ending.len())?;
    let kept = length.saturating_sub(ending.chars().count());
    let mut result: String = text.chars().take(kept).collect();
    result.push_str(&ending);
    Ok(result)
}

fn truncatewords(call: &mut Call<'_>, text: &str, args: &[Value<'_>; 2]) -> Outcome<String> {
    let (length, ending) = cut(call, args, 15)?;
    let length = length.max(1);
    let mut words = text.split_whitespace();
    let mut result = String::new();
    for word in words.by_ref().take(length) {
        if !result.is_empty() {
            result.push(' ');
        }
        result.push_str(word);
    }
    if words.next().is_none() {
        return Ok(text.to_owned());
    }
    call.budget.bytes(ending.len())?;
    result.push_str(&ending);
    Ok(result)
}
