//! Which variables a template names, and which it writes without a default.

use std::collections::BTreeSet;

use crate::{
    Template, Variables,
    ast::{
        Body, Comparison, Condition, Expr, Filtered, If, Join, Node, Offset, Operator, Path, Root,
        Segment, Slot,
    },
    builtin_tag,
    filters::Filter,
};

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Builtin(&'static str),
    Custom(String),
    Assigned(Slot),
    /// `forloop`, `custom` itself, computed names.
    Other,
}

impl Named {
    /// As [`Rendered::missing`](crate::Rendered::missing) has it.
    fn tag(&self) -> Option<String> {
        match self {
            Self::Builtin(tag) => Some((*tag).to_owned()),
            Self::Custom(name) => Some(format!("custom.{name}")),
            Self::Assigned(_) | Self::Other => None,
        }
    }
}

pub(crate) fn variables(template: &Template) -> Variables {
    let mut survey = Survey::new(template);
    survey.body(&template.body);
    survey.result()
}

pub(super) struct Survey<'t> {
    template: &'t Template,
    assigned: Vec<bool>,
    found: Vec<Named>,
    /// Tags that are known to have a value here.
    guarded: Vec<String>,
    without_default: BTreeSet<String>,
    /// Variables that take their value from a tag without a default, and that tag.
    sources: Vec<(Slot, String)>,
    /// Assigned variables that are written without a default.
    written: Vec<Slot>,
}

impl<'t> Survey<'t> {
    pub(super) fn new(template: &'t Template) -> Self {
        let mut assigned = vec![false; template.names.len()];
        mark_assigned(&template.body, &mut assigned);
        for body in &template.partials {
            mark_assigned(body, &mut assigned);
        }
        Self {
            template,
            assigned,
            found: Vec::new(),
            guarded: Vec::new(),
            without_default: BTreeSet::new(),
            sources: Vec::new(),
            written: Vec::new(),
        }
    }

    fn result(mut self) -> Variables {
        for (slot, tag) in &self.sources {
            if self.written.contains(slot) {
                self.without_default.insert(tag.clone());
            }
        }
        let names = |pick: fn(&Named) -> Option<String>| -> Vec<String> {
            self.found
                .iter()
                .filter_map(pick)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect()
        };
        let assigned = (0..self.assigned.len()).filter(|n| self.assigned[*n]);
        let assigned: BTreeSet<_> = assigned
            .map(|n| self.template.names[n].to_string())
            .collect();
        Variables {
            builtin: names(|n| match n {
                Named::Builtin(tag) => Some((*tag).to_owned()),
                _ => None,
            }),
            custom: names(|n| match n {
                Named::Custom(name) => Some(name.clone()),
                _ => None,
            }),
            assigned: assigned.into_iter().collect(),
            without_default: self.without_default.iter().cloned().collect(),
        }
    }

    /// What `path` names, by the names that the template assigns to.
    pub(super) fn named(&self, path: &Path) -> Named {
        let Root::Slot(slot) = &path.root else {
            return Named::Other;
        };
        if self.assigned[*slot as usize] {
            return Named::Assigned(*slot);
        }
        let source = &self.template.sources.text;
        match &*self.template.names[*slot as usize] {
            "forloop" | "tablerowloop" => Named::Other,
            "custom" => match path.segments.first() {
                Some(Segment::Key(key) | Segment::Bracket(Expr::Text(key))) => {
                    Named::Custom(key.of(source).to_owned())
                }
                _ => Named::Other,
            },
            name => match builtin_tag(name) {
                Some(tag) => Named::Builtin(tag),
                None => Named::Custom(name.to_owned()),
            },
        }
    }

    fn body(&mut self, body: &Body) {
        body.iter().for_each(|node| self.node(node));
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Output(filtered) => {
                for named in self.filtered(filtered) {
                    match (&named, named.tag()) {
                        (Named::Assigned(slot), _) => self.written.push(*slot),
                        (_, Some(tag)) if !self.guarded.contains(&tag) => {
                            self.without_default.insert(tag);
                        }
                        _ => {}
                    }
                }
            }
            Node::Assign(assign) => {
                for named in self.filtered(&assign.value) {
                    if let Some(tag) = named.tag().filter(|tag| !self.guarded.contains(tag)) {
                        self.sources.push((assign.slot, tag));
                    }
                }
            }
            Node::If(tag) => self.if_block(tag),
            Node::Case(tag) => {
                self.expr(&tag.subject);
                for (values, body) in &tag.arms {
                    values.iter().flatten().for_each(|value| self.expr(value));
                    self.body(body);
                }
            }
            Node::For(tag) | Node::TableRow(tag) => {
                self.expr(&tag.list);
                if let Some(Offset::At(expr)) = &tag.offset {
                    self.expr(expr);
                }
                tag.limit
                    .iter()
                    .chain(&tag.columns)
                    .for_each(|expr| self.expr(expr));
                self.body(&tag.body);
                self.body(&tag.otherwise);
            }
            Node::Cycle(tag) => tag
                .name
                .iter()
                .chain(&tag.values)
                .for_each(|e| self.expr(e)),
            Node::Capture(_, body) | Node::IfChanged(body) | Node::Group(body) => self.body(body),
            Node::Spin(spin) => spin.options.iter().for_each(|option| self.body(option)),
            Node::Partial(tag) => {
                tag.bound.iter().for_each(|(expr, _)| self.expr(expr));
                tag.arguments.iter().for_each(|(_, expr)| self.expr(expr));
            }
            Node::Text(_)
            | Node::Raw(_)
            | Node::Increment(_)
            | Node::Decrement(_)
            | Node::Break
            | Node::Continue
            | Node::Nothing => {}
        }
    }

    fn if_block(&mut self, tag: &If) {
        let outer = self.guarded.len();
        for branch in &tag.branches {
            let before = self.guarded.len();
            let mut later = Vec::new();
            if let Some(condition) = &branch.condition {
                let (inside, outside) = self.guards(condition);
                self.guarded.extend(inside);
                later = outside;
            }
            self.body(&branch.body);
            self.guarded.truncate(before);
            self.guarded.extend(later);
        }
        self.guarded.truncate(outer);
    }

    /// The tags that have a value when the condition holds, and when it doesn't.
    fn guards(&mut self, condition: &Condition) -> (Vec<String>, Vec<String>) {
        let all = std::iter::once(&condition.first).chain(condition.rest.iter().map(|(_, c)| c));
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for comparison in all {
            self.comparison(comparison, &mut yes, &mut no);
        }
        if condition.rest.iter().any(|(join, _)| *join == Join::Or) {
            yes.clear();
        }
        if condition.rest.iter().any(|(join, _)| *join == Join::And) {
            no.clear();
        }
        if condition.negated {
            (no, yes)
        } else {
            (yes, no)
        }
    }

    fn comparison(&mut self, comparison: &Comparison, yes: &mut Vec<String>, no: &mut Vec<String>) {
        self.expr(&comparison.left);
        let Some((operator, right)) = &comparison.right else {
            yes.extend(self.tag(&comparison.left));
            return;
        };
        self.expr(right);
        let nothing = match right {
            Expr::Blank | Expr::Empty | Expr::Nil => true,
            Expr::Text(span) => span.start == span.end,
            _ => false,
        };
        match (operator, nothing) {
            (Operator::Equal, true) => no.extend(self.tag(&comparison.left)),
            (Operator::NotEqual, false) => {}
            _ => yes.extend(self.tag(&comparison.left)),
        }
    }

    fn tag(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Path(path) => self.named(path).tag(),
            _ => None,
        }
    }

    /// Notes all variables of a chain; gives those that have no default there.
    fn filtered(&mut self, filtered: &Filtered) -> Vec<Named> {
        let mut open = Vec::new();
        let note = |survey: &mut Self, expr: &Expr, open: &mut Vec<Named>| {
            survey.expr(expr);
            if let Expr::Path(path) = expr {
                open.push(survey.named(path));
            }
        };
        note(self, &filtered.expr, &mut open);
        for call in &filtered.filters {
            if call.filter == Filter::Default {
                open.clear();
            }
            for arg in &call.args {
                note(self, arg, &mut open);
            }
        }
        open
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Path(path) => {
                let named = self.named(path);
                self.found.push(named);
                if let Root::Bracket(name) = &path.root {
                    self.expr(name);
                }
                for segment in &path.segments {
                    if let Segment::Bracket(key) = segment {
                        self.expr(key);
                    }
                }
            }
            Expr::Range(ends) => {
                self.expr(&ends.0);
                self.expr(&ends.1);
            }
            _ => {}
        }
    }
}

/// Marks the names that the template gives values to.
fn mark_assigned(body: &Body, assigned: &mut [bool]) {
    for node in body {
        match node {
            Node::Assign(assign) => assigned[assign.slot as usize] = true,
            Node::Increment(slot) | Node::Decrement(slot) => assigned[*slot as usize] = true,
            Node::Capture(slot, _) => assigned[*slot as usize] = true,
            Node::For(tag) | Node::TableRow(tag) => assigned[tag.variable as usize] = true,
            Node::Partial(tag) => {
                let bound = tag.arguments.iter().map(|(slot, _)| slot);
                let alias = tag.alias.iter().filter(|_| tag.bound.is_some());
                bound
                    .chain(alias)
                    .for_each(|slot| assigned[*slot as usize] = true);
            }
            _ => {}
        }
        node.bodies(|body| mark_assigned(body, assigned));
    }
}
