//! Equality and order of values, as Liquid has them.

use std::cmp::Ordering;

use crate::{List, Value, ast::Operator, number::Number};

/// Whether two values are equal. Text never equals a number; `blank` equals all that is blank.
pub(crate) fn equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Blank, Value::Blank) | (Value::Empty, Value::Empty) => true,
        (Value::Blank | Value::Empty, Value::Blank | Value::Empty) => false,
        (Value::Blank, other) | (other, Value::Blank) => is_blank(other),
        (Value::Empty, other) | (other, Value::Empty) => is_empty(other),
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => *a as f64 == *b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Range(a, b), Value::Range(c, d)) => a == c && b == d,
        (Value::Loop(a), Value::Loop(b)) => a == b,
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| {
                    b.get(key)
                        .is_some_and(|other| equal(&value.into(), &other.into()))
                })
        }
        (Value::List(List::Json(a)), Value::List(List::Json(b))) if std::ptr::eq(*a, *b) => true,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(&a, &b))
        }
        _ => match (a.as_text(), b.as_text()) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
    }
}

/// nil, false, text of nothing but space, a list or object without members.
fn is_blank(value: &Value<'_>) -> bool {
    match value {
        Value::Nil | Value::Bool(false) => true,
        Value::Text(text) | Value::Html(text) => text.trim().is_empty(),
        _ => is_empty(value),
    }
}

/// Text, a list or an object without members.
pub(crate) fn is_empty(value: &Value<'_>) -> bool {
    match value {
        Value::Text(text) | Value::Html(text) => text.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// The order of two numbers or two texts; `None` for anything else.
pub(crate) fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            Some(Number::of(a).compare(Number::of(b)))
        }
        _ => Some(a.as_text()?.cmp(b.as_text()?)),
    }
}

/// What a comparison gives, or the reason why it can't be done: text and number have no order.
pub(crate) fn compare(a: &Value<'_>, operator: Operator, b: &Value<'_>) -> Result<bool, String> {
    let wanted: &[Ordering] = match operator {
        Operator::Equal => return Ok(equal(a, b)),
        Operator::NotEqual => return Ok(!equal(a, b)),
        Operator::Contains => return Ok(contains(a, b)),
        Operator::Less => &[Ordering::Less],
        Operator::LessOrEqual => &[Ordering::Less, Ordering::Equal],
        Operator::Greater => &[Ordering::Greater],
        Operator::GreaterOrEqual => &[Ordering::Greater, Ordering::Equal],
    };
    match (order(a, b), a, b) {
        (Some(order), ..) => Ok(wanted.contains(&order)),
        (
            None,
            Value::Text(_) | Value::Html(_) | Value::Int(_) | Value::Float(_),
            Value::Text(_) | Value::Html(_) | Value::Int(_) | Value::Float(_),
        ) => Err(
            "text and number can't be compared by size: make a number first, as in \
             `{% assign n = size | plus: 0 %}`"
                .into(),
        ),
        _ => Ok(false),
    }
}

/// Text in text, member in list, key in object. Nothing contains nil or false.
fn contains(a: &Value<'_>, b: &Value<'_>) -> bool {
    if !b.is_truthy() {
        return false;
    }
    match a {
        Value::Text(text) | Value::Html(text) => text.contains(&*b.to_text()),
        Value::List(list) => list.iter().any(|item| equal(&item, b)),
        Value::Object(map) => map.contains_key(&*b.to_text()),
        Value::Range(low, high) => matches!(b, Value::Int(n) if (low..=high).contains(&n)),
        _ => false,
    }
}
