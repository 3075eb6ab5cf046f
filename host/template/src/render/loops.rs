//! `for` and `tablerow`.

use crate::{
    List, Value,
    ast::{Expr, For, Offset, Span},
    number::{lax_int, strict_int},
};

use super::{Flow, Renderer, Result, budget::Trouble};

/// A loop that runs: what `forloop` and `tablerowloop` tell.
pub(super) struct Loop<'a> {
    pub(super) name: &'a str,
    pub(super) length: usize,
    /// From 0.
    pub(super) index: usize,
    /// The loop around it.
    pub(super) parent: Option<usize>,
    /// Columns of a `tablerow`.
    pub(super) columns: Option<usize>,
}

impl<'a> Loop<'a> {
    pub(super) fn member(&self, key: &str) -> Value<'a> {
        let int = |n: usize| Value::Int(n as i64);
        let columns = self.columns.unwrap_or(1).max(1);
        let column = self.index % columns;
        match (key, self.columns) {
            ("index", _) => int(self.index + 1),
            ("index0", _) => int(self.index),
            ("rindex", _) => int(self.length - self.index),
            ("rindex0", _) => int(self.length - self.index - 1),
            ("first", _) => Value::Bool(self.index == 0),
            ("last", _) => Value::Bool(self.index + 1 == self.length),
            ("length", _) => int(self.length),
            ("name", None) => Value::from(self.name),
            ("parentloop", None) => self.parent.map_or(Value::Nil, Value::Loop),
            ("row", Some(_)) => int(self.index / columns + 1),
            ("col", Some(_)) => int(column + 1),
            ("col0", Some(_)) => int(column),
            ("col_first", Some(_)) => Value::Bool(column == 0),
            ("col_last", Some(_)) => Value::Bool(column + 1 == columns),
            _ => Value::Nil,
        }
    }
}

/// What a loop goes through.
pub(super) enum Items<'a> {
    Range(i64, usize),
    List(List<'a>),
    One(Value<'a>),
}

impl<'a> Items<'a> {
    /// `None` for what can't be gone through.
    pub(super) fn of(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Range(low, high) => {
                let length = (i128::from(high) - i128::from(low) + 1).max(0);
                Some(Self::Range(
                    low,
                    usize::try_from(length).unwrap_or(usize::MAX),
                ))
            }
            Value::List(list) => Some(Self::List(list)),
            Value::Object(map) => {
                let pairs = map
                    .iter()
                    .map(|(key, value)| Value::list(vec![Value::from(key.as_str()), value.into()]));
                Some(Self::List(List::Shared(pairs.collect())))
            }
            Value::Text(ref text) | Value::Html(ref text) if !text.is_empty() => {
                Some(Self::One(value))
            }
            _ => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Range(_, length) => *length,
            Self::List(list) => list.len(),
            Self::One(_) => 1,
        }
    }

    pub(super) fn get(&self, index: usize) -> Value<'a> {
        match self {
            Self::Range(low, _) => Value::Int(low.saturating_add_unsigned(index as u64)),
            Self::List(list) => list.get(index).unwrap_or_default(),
            Self::One(value) => value.clone(),
        }
    }
}

impl<'a> Renderer<'a> {
    pub(super) fn for_loop(&mut self, tag: &'a For) -> Result<Flow> {
        let list = self.eval(&tag.list);
        let items = Items::of(list);
        let (from, to) = self.part(tag, items.as_ref().map_or(0, Items::len))?;
        self.remember(&tag.name, to);
        let Some(items) = items.filter(|_| from < to) else {
            return self.body(&tag.otherwise);
        };
        let parent = match self.variables[tag.helper as usize].bound {
            // The loop of `render … for` has no name and is nobody's parent.
            Some(Value::Loop(place)) if !self.loops[place].name.is_empty() => Some(place),
            _ => None,
        };
        let place = self.loops.len();
        self.loops.push(Loop {
            name: &tag.name,
            length: to - from,
            index: 0,
            parent,
            columns: None,
        });
        let helper = self.bind(tag.helper, Value::Loop(place));
        let outer = self.variables[tag.variable as usize].bound.take();
        for n in 0..to - from {
            self.pass(tag.span)?;
            let at = if tag.reversed { to - 1 - n } else { from + n };
            self.loops[place].index = n;
            self.variables[tag.variable as usize].bound = Some(items.get(at));
            if self.body(&tag.body)? == Flow::Break {
                break;
            }
        }
        self.variables[tag.variable as usize].bound = outer;
        self.variables[tag.helper as usize].bound = helper;
        self.loops.pop();
        Ok(Flow::Next)
    }

    pub(super) fn table_row(&mut self, tag: &'a For) -> Result<Flow> {
        let list = self.eval(&tag.list);
        let Some(items) = Items::of(list) else {
            return Ok(Flow::Next);
        };
        let (from, to) = self.part(tag, items.len())?;
        let columns = match &tag.columns {
            Some(columns) => usize::try_from(lax_int(&self.eval(columns))).unwrap_or(0),
            None => to - from,
        }
        .max(1);
        let place = self.loops.len();
        self.loops.push(Loop {
            name: &tag.name,
            length: to - from,
            index: 0,
            parent: None,
            columns: Some(columns),
        });
        let helper = self.bind(tag.helper, Value::Loop(place));
        let outer = self.variables[tag.variable as usize].bound.take();
        self.push("<tr class=\"row1\">\n", tag.span)?;
        for n in 0..to - from {
            self.pass(tag.span)?;
            self.loops[place].index = n;
            self.variables[tag.variable as usize].bound = Some(items.get(from + n));
            self.push(&format!("<td class=\"col{}\">", n % columns + 1), tag.span)?;
            let flow = self.body(&tag.body)?;
            self.push("</td>", tag.span)?;
            if flow == Flow::Break {
                break;
            }
            if n % columns + 1 == columns && n + 1 < to - from {
                let row = n / columns + 2;
                self.push(&format!("</tr>\n<tr class=\"row{row}\">"), tag.span)?;
            }
        }
        self.push("</tr>\n", tag.span)?;
        self.variables[tag.variable as usize].bound = outer;
        self.variables[tag.helper as usize].bound = helper;
        self.loops.pop();
        Ok(Flow::Next)
    }

    /// The items that `limit` and `offset` leave of `length`.
    fn part(&mut self, tag: &'a For, length: usize) -> Result<(usize, usize)> {
        let from = match &tag.offset {
            None => 0,
            Some(Offset::Continue) => {
                let name = &*tag.name;
                self.continues
                    .iter()
                    .find(|(n, _)| *n == name)
                    .map_or(0, |(_, at)| *at)
            }
            Some(Offset::At(expr)) => self.count(expr, tag.span, "offset")?.unwrap_or(0),
        };
        let limit = match &tag.limit {
            Some(expr) => self.count(expr, tag.span, "limit")?,
            None => None,
        };
        let from = from.min(length);
        Ok((
            from,
            limit.map_or(length, |n| from.saturating_add(n).min(length)),
        ))
    }

    /// A number of items; `None` for nil.
    fn count(&mut self, expr: &'a Expr, span: Span, what: &str) -> Result<Option<usize>> {
        let value = self.eval(expr);
        if matches!(value, Value::Nil) {
            return Ok(None);
        }
        match strict_int(&value) {
            Some(n) => Ok(Some(usize::try_from(n).unwrap_or(0))),
            None => {
                let message = format!("`{what}` takes a whole number");
                Err(self.error(span, Trouble::failed(message)))
            }
        }
    }

    /// The loop got as far as `to`.
    fn remember(&mut self, name: &'a str, to: usize) {
        match self.continues.iter_mut().find(|(n, _)| *n == name) {
            Some((_, at)) => *at = to,
            None => self.continues.push((name, to)),
        }
    }

    fn pass(&mut self, span: Span) -> Result<()> {
        self.budget
            .iteration()
            .map_err(|trouble| self.error(span, trouble))
    }
}
