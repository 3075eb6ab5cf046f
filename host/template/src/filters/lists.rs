//! Filters on lists.

use std::cmp::Ordering;

use crate::{
    Value, compare,
    number::Number,
    render::budget::{Outcome, Trouble},
};

use super::{Call, Filter};

pub(super) fn apply<'a>(
    call: &mut Call<'_>,
    input: Value<'a>,
    args: [Value<'a>; 2],
) -> Outcome<Value<'a>> {
    let mut items = Vec::new();
    if !matches!(input, Value::Nil | Value::Blank | Value::Empty) {
        flatten(call, input, &mut items)?;
    }
    let [property, target] = args;
    let key = (call.count > 0 && !matches!(property, Value::Nil)).then_some(&property);
    match call.filter {
        Filter::Join => {
            let glue = if call.count > 0 {
                property.to_text()
            } else {
                " ".into()
            };
            let mut text = String::new();
            for (n, item) in items.iter().enumerate() {
                let item = item.to_text();
                call.budget.bytes(item.len() + glue.len())?;
                if n > 0 {
                    text.push_str(&glue);
                }
                text.push_str(&item);
            }
            return Ok(text.into());
        }
        Filter::Concat => match property {
            other @ (Value::List(_) | Value::Range(..)) => flatten(call, other, &mut items)?,
            _ => return Err(Trouble::failed("`concat` takes a list")),
        },
        Filter::Reverse => items.reverse(),
        Filter::Compact => {
            let values = keyed(&items, key)?;
            let mut values = values.iter();
            items.retain(|_| !matches!(values.next(), Some(Value::Nil)));
        }
        Filter::Uniq => {
            let values = keyed(&items, key)?;
            let mut kept: Vec<usize> = Vec::new();
            for n in 0..items.len() {
                call.budget.steps(kept.len())?;
                if !kept.iter().any(|&k| compare::equal(&values[k], &values[n])) {
                    kept.push(n);
                }
            }
            items = kept.into_iter().map(|n| items[n].clone()).collect();
        }
        Filter::Map => {
            items = items
                .iter()
                .map(|item| match item {
                    Value::Object(_) => Ok(member(item, &property).unwrap_or_default()),
                    Value::Nil => Ok(Value::Nil),
                    _ => Err(no_property(&property)),
                })
                .collect::<Outcome<_>>()?;
        }
        Filter::Sum => {
            let values = keyed(&items, key)?;
            let total = values
                .iter()
                .fold(Number::Int(0), |sum, v| sum.add(Number::of(v)));
            return Ok(total.into());
        }
        Filter::Sort | Filter::SortNatural => sort(call, &mut items, key)?,
        Filter::Where | Filter::Reject | Filter::Find | Filter::FindIndex | Filter::Has => {
            return select(call.filter, items, &property, &target);
        }
        other => unreachable!("{} is no filter on lists", other.name()),
    }
    Ok(Value::list(items))
}

/// The items of a list and of the lists in it; other values are a list of themselves.
fn flatten<'a>(call: &mut Call<'_>, value: Value<'a>, items: &mut Vec<Value<'a>>) -> Outcome<()> {
    call.budget.steps(1)?;
    match value {
        Value::List(list) => list.iter().try_for_each(|item| flatten(call, item, items)),
        Value::Range(low, high) => {
            let length = super::size(&Value::Range(low, high)).unwrap_or(usize::MAX);
            call.budget.steps(length)?;
            items.extend((low..=high).map(Value::Int));
            Ok(())
        }
        other => {
            items.push(other);
            Ok(())
        }
    }
}

/// What `compact`, `sum`, `uniq` and the sorts look at: the items, or their property `key`.
fn keyed<'a>(items: &[Value<'a>], key: Option<&Value<'a>>) -> Outcome<Vec<Value<'a>>> {
    let Some(key) = key else {
        return Ok(items.to_vec());
    };
    items
        .iter()
        .map(|item| match item {
            Value::Object(_) => Ok(member(item, key).unwrap_or_default()),
            Value::Nil => Ok(Value::Nil),
            _ => Err(no_property(key)),
        })
        .collect()
}

/// The member `key` of an object.
fn member<'a>(item: &Value<'a>, key: &Value<'a>) -> Option<Value<'a>> {
    match item {
        Value::Object(map) => map.get(key.as_text()?).map(Value::from),
        _ => None,
    }
}

#[cold]
fn no_property(key: &Value<'_>) -> Trouble {
    Trouble::failed(format!(
        "the list has items without properties, so without `{}`",
        key.to_text()
    ))
}

fn sort<'a>(
    call: &mut Call<'_>,
    items: &mut Vec<Value<'a>>,
    key: Option<&Value<'a>>,
) -> Outcome<()> {
    let keys = keyed(items, key)?;
    call.budget.steps(items.len())?;
    let natural = call.filter == Filter::SortNatural;
    let mut order: Vec<usize> = (0..items.len())
        .filter(|&n| !matches!(keys[n], Value::Nil))
        .collect();
    if natural {
        let folded: Vec<String> = keys
            .iter()
            .map(|key| key.to_text().to_lowercase())
            .collect();
        order.sort_by(|&a, &b| folded[a].cmp(&folded[b]));
    } else {
        sort_by_order(&mut order, &keys)?;
    }
    // What has no value to sort by comes last.
    order.extend((0..items.len()).filter(|&n| matches!(keys[n], Value::Nil)));
    *items = order.into_iter().map(|n| items[n].clone()).collect();
    Ok(())
}

/// All numbers or all text; anything else has no order.
fn sort_by_order(order: &mut [usize], keys: &[Value<'_>]) -> Outcome<()> {
    let all = |fits: fn(&Value<'_>) -> bool| order.iter().all(|&n| fits(&keys[n]));
    if all(|v| matches!(v, Value::Int(_))) || all(|v| v.as_text().is_some()) {
        order.sort_by(|&a, &b| compare::order(&keys[a], &keys[b]).unwrap_or(Ordering::Equal));
        Ok(())
    } else if all(|v| matches!(v, Value::Int(_) | Value::Float(_))) {
        let number = |n: usize| Number::of(&keys[n]).as_f64();
        order.sort_by(|&a, &b| number(a).total_cmp(&number(b)));
        Ok(())
    } else {
        Err(Trouble::failed("only numbers or only text can be sorted"))
    }
}

/// `where`, `reject`, `find`, `find_index` and `has`: the items whose property is `target`, or
/// truthy when there is no target.
fn select<'a>(
    filter: Filter,
    items: Vec<Value<'a>>,
    key: &Value<'a>,
    target: &Value<'a>,
) -> Outcome<Value<'a>> {
    let mut kept = Vec::new();
    for (n, item) in items.into_iter().enumerate() {
        let Some(value) = property(&item, key)? else {
            return Ok(Value::Nil);
        };
        let fits = match target {
            Value::Nil => value.is_truthy(),
            target => compare::equal(&value, target),
        };
        match filter {
            Filter::Find if fits => return Ok(item),
            Filter::FindIndex if fits => return Ok(Value::Int(n as i64)),
            Filter::Has if fits => return Ok(Value::Bool(true)),
            Filter::Where if fits => kept.push(item),
            Filter::Reject if !fits => kept.push(item),
            _ => {}
        }
    }
    Ok(match filter {
        Filter::Find | Filter::FindIndex => Value::Nil,
        Filter::Has => Value::Bool(false),
        _ => Value::list(kept),
    })
}

/// `item[key]` as Ruby has it: a member, a part of a text, a bit of a number. `None` where the
/// whole filter gives nothing.
fn property<'a>(item: &Value<'a>, key: &Value<'a>) -> Outcome<Option<Value<'a>>> {
    match (item, key) {
        (Value::Object(_), _) => Ok(Some(member(item, key).unwrap_or_default())),
        (Value::Text(_) | Value::Html(_), Value::Nil) => Ok(None),
        (Value::Text(text) | Value::Html(text), _) => {
            let found = text.contains(&*key.to_text());
            Ok(Some(if found { key.clone() } else { Value::Nil }))
        }
        (Value::Int(n), Value::Int(bit)) => Ok(Some(Value::Int((n >> (*bit).clamp(0, 63)) & 1))),
        (Value::Int(_), _) => Err(no_property(key)),
        _ => Ok(None),
    }
}

/// The parts of a text. Empty parts at the end are dropped; a single space splits at any white
/// space.
pub(super) fn split<'a>(
    call: &mut Call<'_>,
    input: &Value<'a>,
    separator: &Value<'a>,
) -> Outcome<Value<'a>> {
    let text = input.to_text();
    let separator = separator.to_text();
    call.budget.bytes(text.len())?;
    let mut parts: Vec<&str> = match &*separator {
        "" => text.split("").filter(|part| !part.is_empty()).collect(),
        " " => text.split_whitespace().collect(),
        separator => text.split(separator).collect(),
    };
    call.budget.steps(parts.len())?;
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    let items = parts
        .iter()
        .map(|part| Value::from((*part).to_owned()).share());
    Ok(Value::list(items.collect()))
}
