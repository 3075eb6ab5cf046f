//! `include` and `render`, from the set that was parsed with the template.

use crate::{
    Value,
    ast::{Partial, Slot},
};

use super::{
    Flow, Renderer, Result, Variable,
    budget::Trouble,
    loops::{Items, Loop},
    unknown,
};

impl<'a> Renderer<'a> {
    pub(super) fn partial(&mut self, tag: &'a Partial) -> Result<Flow> {
        let name = self.eval(&tag.name);
        let wanted = name.to_text();
        let units = &self.template.sources.units[1..];
        let Some(index) = units.iter().position(|(unit, _)| *unit == *wanted) else {
            let message = format!("there is no partial `{wanted}`");
            return Err(self.error(tag.span, Trouble::failed(message)));
        };
        let bound = tag
            .bound
            .as_ref()
            .map(|(expr, each)| (self.eval(expr), *each));
        let arguments: Vec<_> = tag
            .arguments
            .iter()
            .map(|(slot, expr)| (*slot, self.eval(expr)))
            .collect();
        if tag.isolated {
            self.render_partial(tag, index, bound, &arguments)
        } else {
            self.include(tag, index, bound, arguments)
        }
    }

    /// `include` sees and changes the caller's variables.
    fn include(
        &mut self,
        tag: &'a Partial,
        index: usize,
        bound: Option<(Value<'a>, bool)>,
        arguments: Vec<(Slot, Value<'a>)>,
    ) -> Result<Flow> {
        let mut before: Vec<_> = arguments
            .into_iter()
            .map(|(slot, value)| (slot, self.bind(slot, value)))
            .collect();
        let body = &self.template.partials[index];
        let mut flow = Flow::Next;
        match (bound, tag.alias) {
            (Some((value, each)), Some(slot)) => {
                let items = match value {
                    Value::List(_) => Items::of(value),
                    value if each => Items::of(value),
                    value => Some(Items::One(value)),
                };
                before.push((slot, self.variables[slot as usize].bound.take()));
                for n in 0..items.as_ref().map_or(0, Items::len) {
                    let item = items.as_ref().map_or(Value::Nil, |items| items.get(n));
                    self.variables[slot as usize].bound = Some(item);
                    if let Err(trouble) = self.budget.iteration() {
                        return Err(self.error(tag.span, trouble));
                    }
                    flow = self.body(body)?;
                    if flow != Flow::Next {
                        break;
                    }
                }
            }
            _ => flow = self.body(body)?,
        }
        for (slot, value) in before.into_iter().rev() {
            self.variables[slot as usize].bound = value;
        }
        Ok(flow)
    }

    /// `render` sees nothing but its arguments.
    fn render_partial(
        &mut self,
        tag: &'a Partial,
        index: usize,
        bound: Option<(Value<'a>, bool)>,
        arguments: &[(Slot, Value<'a>)],
    ) -> Result<Flow> {
        let (items, each) = match bound {
            Some((value, true)) => (Items::of(value), true),
            Some((value, false)) => (Some(Items::One(value)), false),
            None => (Some(Items::One(Value::Nil)), false),
        };
        let length = items.as_ref().map_or(0, Items::len);
        let fresh = unknown(self.variables.len());
        let outer = std::mem::replace(&mut self.variables, fresh);
        let counters = std::mem::take(&mut self.counters);
        let isolated = std::mem::replace(&mut self.isolated, true);
        let place = self.loops.len();
        for n in 0..length {
            if let Err(trouble) = self.budget.iteration() {
                return Err(self.error(tag.span, trouble));
            }
            for variable in &mut self.variables {
                *variable = Variable::default();
            }
            self.counters.clear();
            // Arguments are variables of the partial's own, which it may assign to.
            for (slot, value) in arguments {
                self.variables[*slot as usize].assigned = Some(value.clone());
            }
            if let (Some(slot), Some(items), true) = (tag.alias, &items, tag.bound.is_some()) {
                self.variables[slot as usize].bound = Some(items.get(n));
            }
            if each {
                self.loops.truncate(place);
                self.loops.push(Loop {
                    name: "",
                    length,
                    index: n,
                    parent: None,
                    columns: None,
                });
                self.variables[tag.helper as usize].bound = Some(Value::Loop(place));
            }
            self.body(&self.template.partials[index])?;
        }
        self.loops.truncate(place);
        self.variables = outer;
        self.counters = counters;
        self.isolated = isolated;
        Ok(Flow::Next)
    }

    /// Binds a variable; gives what was bound before.
    pub(super) fn bind(&mut self, slot: Slot, value: Value<'a>) -> Option<Value<'a>> {
        self.variables[slot as usize].bound.replace(value)
    }
}
