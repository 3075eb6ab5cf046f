//! Filters on numbers.

use std::cmp::Ordering;

use crate::{
    Value,
    number::{Number, lax_int},
    render::budget::{Outcome, Trouble},
};

use super::Filter;

pub(super) fn apply<'a>(filter: Filter, input: &Value<'a>, arg: &Value<'a>) -> Outcome<Value<'a>> {
    let (a, b) = (Number::of(input), Number::of(arg));
    let by_zero = || Trouble::failed(format!("`{}` by zero", filter.name()));
    let result = match filter {
        Filter::Abs => a.abs(),
        Filter::Ceil => a.ceil(),
        Filter::Floor => a.floor(),
        Filter::Round => a.round(lax_int(arg)),
        Filter::AtLeast if a.compare(b) == Ordering::Less => b,
        Filter::AtMost if a.compare(b) == Ordering::Greater => b,
        Filter::AtLeast | Filter::AtMost => a,
        Filter::Plus => a.add(b),
        Filter::Minus => a.subtract(b),
        Filter::Times => a.multiply(b),
        Filter::DividedBy => a.divide(b).ok_or_else(by_zero)?,
        Filter::Modulo => a.remainder(b).ok_or_else(by_zero)?,
        other => unreachable!("{} is no filter on numbers", other.name()),
    };
    Ok(result.into())
}
