//! Values of expressions, filter chains and conditions.

use crate::{
    Value,
    ast::{Comparison, Condition, Expr, Filtered, Join, Path, Root, Segment, Slot},
    builtin_tag, compare,
    filters::{self, Call, Filter},
    number::lax_int,
    value,
};

use super::{Renderer, Result};

impl<'a> Renderer<'a> {
    pub(super) fn eval(&mut self, expr: &'a Expr) -> Value<'a> {
        match expr {
            Expr::Nil => Value::Nil,
            Expr::Bool(b) => Value::Bool(*b),
            Expr::Int(n) => Value::Int(*n),
            Expr::Float(n) => Value::Float(*n),
            Expr::Text(span) => Value::from(span.of(self.source)),
            Expr::Blank => Value::Blank,
            Expr::Empty => Value::Empty,
            Expr::Path(path) => self.path(path),
            Expr::Range(ends) => {
                let (low, high) = (self.eval(&ends.0), self.eval(&ends.1));
                Value::Range(lax_int(&low), lax_int(&high))
            }
        }
    }

    fn path(&mut self, path: &'a Path) -> Value<'a> {
        let mut value = match &path.root {
            Root::Slot(slot) => self.variable(*slot),
            Root::Bracket(name) => {
                let name = self.eval(name);
                self.named(&name)
            }
        };
        for segment in &path.segments {
            value = match segment {
                Segment::Key(span) => self.member(&value, span.of(self.source)),
                Segment::Bracket(key) => {
                    let key = self.eval(key);
                    index(&value, &key)
                }
            };
        }
        value
    }

    /// The variable of a slot: bound, assigned, counted, or from the data.
    pub(super) fn variable(&mut self, slot: Slot) -> Value<'a> {
        let variable = &self.variables[slot as usize];
        if let Some(value) = variable.bound.as_ref().or(variable.assigned.as_ref()) {
            return value.clone();
        }
        if let Some((_, n)) = self.counters.iter().find(|(of, _)| *of == slot) {
            return Value::Int(*n);
        }
        if let Some(value) = &variable.data {
            return value.clone();
        }
        let value = self.given(&self.template.names[slot as usize]);
        self.variables[slot as usize].data = Some(value.clone());
        value
    }

    /// `[name]`: a variable whose name is computed. The variable of a name that the template
    /// itself doesn't mention can only be in the data; a name that is computed can't be borrowed,
    /// so it is looked up only when the data or the template has that text.
    fn named(&mut self, name: &Value<'a>) -> Value<'a> {
        let Some(name) = name.as_text() else {
            return Value::Nil;
        };
        match self.template.names.iter().position(|n| **n == *name) {
            Some(slot) => self.variable(slot as Slot),
            None => self.given(name),
        }
    }

    fn given(&self, name: &str) -> Value<'a> {
        if self.isolated {
            return Value::Nil;
        }
        match self.data.get(name) {
            Some(value) => value.share(),
            None if name == "today" => self.options.now.date().to_string().into(),
            None => Value::Nil,
        }
    }

    /// Adds to a counter, which starts at the number that the data has; gives what it was.
    pub(super) fn count_by(&mut self, slot: Slot, step: i64) -> i64 {
        let before = match self.counters.iter().position(|(of, _)| *of == slot) {
            Some(place) => self.counters.swap_remove(place).1,
            None => match self.given(&self.template.names[slot as usize]) {
                Value::Int(n) => n,
                _ => 0,
            },
        };
        self.counters.push((slot, before.saturating_add(step)));
        before
    }

    /// `value.key`
    fn member(&self, value: &Value<'a>, key: &str) -> Value<'a> {
        match value {
            Value::Object(map) => match value::member(map, key) {
                Some(found) => found.into(),
                None => match key {
                    "size" => Value::Int(map.len() as i64),
                    "first" => filters::first(value),
                    _ => Value::Nil,
                },
            },
            Value::Loop(place) => self.loops.get(*place).map_or(Value::Nil, |l| l.member(key)),
            _ => match key {
                "size" => filters::size(value).map_or(Value::Nil, |n| Value::Int(n as i64)),
                "first" => filters::first(value),
                "last" => filters::last(value),
                _ => Value::Nil,
            },
        }
    }

    /// The value of an expression before its filters.
    pub(super) fn start(&mut self, filtered: &'a Filtered, track: bool) -> Value<'a> {
        let value = self.eval(&filtered.expr);
        self.absent.clear();
        if track {
            self.note_absent(&filtered.expr, &value);
        }
        value
    }

    /// Puts a value through its filters, in place, which saves moving it about. With `track`,
    /// `self.absent` then holds the variables that went into it without having a value or a
    /// default (TPL-4).
    pub(super) fn filter(
        &mut self,
        filtered: &'a Filtered,
        track: bool,
        value: &mut Value<'a>,
    ) -> Result<()> {
        for call in &filtered.filters {
            let mut args = [Value::Nil, Value::Nil];
            for (arg, expr) in args.iter_mut().zip(&call.args) {
                *arg = self.eval(expr);
                if track && call.filter != Filter::Default {
                    self.note_absent(expr, arg);
                }
            }
            if call.filter == Filter::Default {
                let allow_false = match &call.allow_false {
                    Some(expr) => self.eval(expr).is_truthy(),
                    None => false,
                };
                if !filters::needs_default(value, allow_false, track) {
                    continue;
                }
                let [fallback, _] = args;
                if track {
                    self.absent.clear();
                    if let Some(expr) = call.args.first() {
                        self.note_absent(expr, &fallback);
                    }
                }
                *value = fallback;
                continue;
            }
            *value = filters::apply(
                Call {
                    filter: call.filter,
                    count: call.args.len(),
                    escape: self.mode.escape,
                    now: &self.options.now,
                    budget: &mut self.budget,
                },
                std::mem::take(value),
                args,
            )
            .map_err(|trouble| self.error(call.span, trouble))?;
        }
        Ok(())
    }

    /// Notes a variable without a value.
    fn note_absent(&mut self, expr: &'a Expr, value: &Value<'a>) {
        if let Expr::Path(path) = expr
            && value.is_missing()
        {
            let name = self.tag_name(path);
            self.absent.push(name);
        }
    }

    /// What a variable without a value is called towards the user.
    #[cold]
    fn tag_name(&self, path: &Path) -> String {
        let text = path.span.of(self.source);
        let Root::Slot(slot) = &path.root else {
            return text.to_owned();
        };
        let variable = &self.variables[*slot as usize];
        if let Some((_, origin)) = self.origins.iter().find(|(of, _)| of == slot) {
            return origin.clone();
        }
        let root = &*self.template.names[*slot as usize];
        if variable.bound.is_some() || variable.assigned.is_some() || root == "custom" {
            return text.to_owned();
        }
        match builtin_tag(root) {
            Some(tag) => tag.to_owned(),
            None => format!("custom.{text}"),
        }
    }

    /// After an assignment: remembers which missing variable the new one stems from.
    pub(super) fn settle_origin(&mut self, slot: Slot, value: &Value<'a>) {
        if !self.origins.is_empty() {
            self.origins.retain(|(of, _)| *of != slot);
        }
        if value.is_missing()
            && let Some(name) = self.absent.pop()
        {
            self.origins.push((slot, name));
        }
    }

    /// What was written had these variables missing.
    pub(super) fn report_missing(&mut self) {
        while let Some(name) = self.absent.pop() {
            if !self.missing.contains(&name) {
                self.missing.push(name);
            }
        }
    }

    pub(super) fn condition(&mut self, condition: &'a Condition) -> Result<bool> {
        let mut holds = self.comparison(&condition.first)?;
        for (join, comparison) in &condition.rest {
            // From the right: `a and (b or c)`.
            match (join, holds) {
                (Join::And, false) | (Join::Or, true) => break,
                (Join::And, true) | (Join::Or, false) => holds = self.comparison(comparison)?,
            }
        }
        Ok(holds != condition.negated)
    }

    fn comparison(&mut self, comparison: &'a Comparison) -> Result<bool> {
        let left = self.eval(&comparison.left);
        let Some((operator, right)) = &comparison.right else {
            return Ok(left.is_truthy());
        };
        let right = self.eval(right);
        compare::compare(&left, *operator, &right)
            .map_err(|message| self.error(comparison.span, super::Trouble::failed(message)))
    }
}

/// `value[key]`
fn index<'a>(value: &Value<'a>, key: &Value<'a>) -> Value<'a> {
    match (value, key) {
        (Value::List(list), Value::Int(n)) => {
            let n = if *n < 0 { *n + list.len() as i64 } else { *n };
            usize::try_from(n)
                .ok()
                .and_then(|n| list.get(n))
                .unwrap_or_default()
        }
        (Value::Object(map), key) => match key {
            Value::Text(text) | Value::Html(text) => {
                map.get(&**text).map_or(Value::Nil, Value::from)
            }
            Value::Int(n) => map.get(&n.to_string()).map_or(Value::Nil, Value::from),
            _ => Value::Nil,
        },
        _ => Value::Nil,
    }
}
