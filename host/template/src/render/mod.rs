//! From syntax tree and data to text.

pub(crate) mod budget;
mod evaluate;
mod loops;
mod partials;
pub(crate) mod write;

use crate::{
    Data, Diagnostic, Escape, Mode, RenderOptions, Severity, Template, Value, Variant,
    ast::{Body, Branch, Case, Cycle, Filtered, Node, Slot, Span, Spin},
    compare,
};

use budget::{Budget, Trouble};
use loops::Loop;

/// A rendered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Variables that were written without having a value or a default, each once: a built-in by
    /// its canonical name, a custom field as `custom.NAME` (TPL-4). Empty when the mode doesn't
    /// ask.
    pub missing: Vec<String>,
    /// The spintax choices that were taken, in the order in which they were made.
    pub choices: Vec<Choice>,
}

/// A spintax choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Choice {
    /// Number of the group, counted from 0 through the template's closing braces.
    pub group: u32,
    /// Number of the option, from 0.
    pub option: u32,
}

/// Why a template could not be rendered (TPL-4: the enrollment waits for the template to be
/// fixed).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A filter, comparison or tag got something that it can't work with.
    #[error("{0}")]
    Failed(Box<Diagnostic>),
    /// A limit of [`Limits`](crate::Limits) was passed.
    #[error("{0}")]
    Limit(Box<Diagnostic>),
    /// The text is longer than the mode allows.
    #[error("the text has {length} characters, {max} are allowed: shorten it")]
    TooLong {
        /// Characters of the text.
        length: usize,
        /// Characters allowed.
        max: usize,
    },
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

type Result<T> = std::result::Result<T, RenderError>;

/// What is known of a variable.
#[derive(Debug, Default)]
struct Variable<'a> {
    /// Bound by a loop or a partial, for as long as that lasts.
    bound: Option<Value<'a>>,
    /// Set by `assign` or `capture`.
    assigned: Option<Value<'a>>,
    /// From the data, once it was asked.
    data: Option<Value<'a>>,
}

pub(crate) struct Renderer<'a> {
    template: &'a Template,
    source: &'a str,
    mode: Mode,
    data: &'a dyn Data,
    options: &'a RenderOptions,
    variant: Option<&'a Variant>,
    budget: Budget,
    out: String,
    variables: Vec<Variable<'a>>,
    /// Set by `increment` and `decrement`.
    counters: Vec<(Slot, i64)>,
    /// Inside `render`: the data can't be seen.
    isolated: bool,
    loops: Vec<Loop<'a>>,
    cycles: Vec<(String, usize)>,
    /// Where `offset: continue` goes on.
    continues: Vec<(&'a str, usize)>,
    changed: String,
    /// Variables that were assigned from a missing one, and its name.
    origins: Vec<(Slot, String)>,
    /// Variables without a value in the output at hand.
    absent: Vec<String>,
    missing: Vec<String>,
    choices: Vec<Choice>,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(
        template: &'a Template,
        data: &'a dyn Data,
        options: &'a RenderOptions,
        variant: Option<&'a Variant>,
    ) -> Self {
        Self {
            template,
            source: &template.sources.text,
            mode: template.mode,
            data,
            options,
            variant,
            budget: Budget::new(options.limits),
            out: String::with_capacity((2 * template.literal + 64).min(options.limits.bytes)),
            variables: unknown(template.names.len()),
            counters: Vec::new(),
            isolated: false,
            loops: Vec::new(),
            cycles: Vec::new(),
            continues: Vec::new(),
            changed: String::new(),
            origins: Vec::new(),
            absent: Vec::new(),
            missing: Vec::new(),
            choices: Vec::new(),
        }
    }

    pub(crate) fn run(mut self) -> Result<Rendered> {
        self.body(&self.template.body)?;
        let text = match self.mode.escape {
            Escape::Header => write::one_line(self.out),
            Escape::Off | Escape::Html => self.out,
        };
        if let Some(max) = self.mode.max_chars
            && text.len() > max
        {
            let length = text.chars().count();
            if length > max {
                return Err(RenderError::TooLong { length, max });
            }
        }
        Ok(Rendered {
            text,
            missing: self.missing,
            choices: self.choices,
        })
    }

    fn body(&mut self, body: &'a Body) -> Result<Flow> {
        if let Err(trouble) = self.budget.enter() {
            return Err(self.error(first_span(body), trouble));
        }
        let mut flow = Flow::Next;
        for node in body {
            flow = self.node(node)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.budget.leave();
        Ok(flow)
    }

    fn node(&mut self, node: &'a Node) -> Result<Flow> {
        if let Err(trouble) = self.budget.steps(1) {
            return Err(self.error(node_span(node), trouble));
        }
        match node {
            Node::Text(span) | Node::Raw(span) => self.literal(*span)?,
            Node::Output(filtered) => self.output(filtered)?,
            Node::Assign(assign) => {
                let mut value = self.start(&assign.value, self.mode.missing);
                self.filter(&assign.value, self.mode.missing, &mut value)?;
                let value = value.share();
                self.settle_origin(assign.slot, &value);
                self.variables[assign.slot as usize].assigned = Some(value);
            }
            Node::Capture(slot, body) => {
                let (text, flow) = self.captured(body)?;
                // What it holds was escaped when it was written.
                let value = match self.mode.escape {
                    Escape::Html => Value::Html(text.into()),
                    Escape::Off | Escape::Header => Value::Text(text.into()),
                };
                self.variables[*slot as usize].assigned = Some(value.share());
                return Ok(flow);
            }
            Node::If(tag) => return self.first_true(&tag.branches),
            Node::Case(tag) => return self.case(tag),
            Node::For(tag) => return self.for_loop(tag),
            Node::TableRow(tag) => return self.table_row(tag),
            Node::Cycle(tag) => self.cycle(tag)?,
            Node::Increment(slot) => {
                let n = self.count_by(*slot, 1);
                self.number(n)?;
            }
            Node::Decrement(slot) => {
                let n = self.count_by(*slot, -1);
                self.number(n.saturating_sub(1))?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::IfChanged(body) => {
                let (text, flow) = self.captured(body)?;
                if text != self.changed {
                    self.push(&text, first_span(body))?;
                    self.changed = text;
                }
                return Ok(flow);
            }
            Node::Partial(tag) => return self.partial(tag),
            Node::Spin(spin) => return self.spin(spin),
            Node::Group(body) => return self.body(body),
            Node::Nothing => {}
        }
        Ok(Flow::Next)
    }

    fn literal(&mut self, span: Span) -> Result<()> {
        self.push(span.of(self.source), span)
    }

    fn push(&mut self, text: &str, span: Span) -> Result<()> {
        if let Err(trouble) = self.budget.bytes(text.len()) {
            return Err(self.error(span, trouble));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn number(&mut self, n: i64) -> Result<()> {
        self.push(&n.to_string(), Span { start: 0, end: 0 })
    }

    fn output(&mut self, filtered: &'a Filtered) -> Result<()> {
        let mut value = self.start(filtered, self.mode.missing);
        self.filter(filtered, self.mode.missing, &mut value)?;
        self.report_missing();
        self.write(&value, filtered.span)
    }

    fn write(&mut self, value: &Value<'_>, span: Span) -> Result<()> {
        write::value(&mut self.out, &mut self.budget, self.mode.escape, value)
            .map_err(|trouble| self.error(span, trouble))
    }

    /// Renders a body aside.
    fn captured(&mut self, body: &'a Body) -> Result<(String, Flow)> {
        let outer = std::mem::take(&mut self.out);
        let flow = self.body(body)?;
        Ok((std::mem::replace(&mut self.out, outer), flow))
    }

    fn first_true(&mut self, branches: &'a [Branch]) -> Result<Flow> {
        for branch in branches {
            let holds = match &branch.condition {
                Some(condition) => self.condition(condition)?,
                None => true,
            };
            if holds {
                return self.body(&branch.body);
            }
        }
        Ok(Flow::Next)
    }

    /// Every arm that fits is rendered, once for each value that does; `else` is when none has
    /// fitted so far.
    fn case(&mut self, tag: &'a Case) -> Result<Flow> {
        let subject = self.eval(&tag.subject);
        let mut fitted = false;
        for (values, body) in &tag.arms {
            let times = match values {
                Some(values) => values
                    .iter()
                    .filter(|value| compare::equal(&subject, &self.eval(value)))
                    .count(),
                None => usize::from(!fitted),
            };
            fitted |= values.is_some() && times > 0;
            for _ in 0..times {
                let flow = self.body(body)?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
        }
        Ok(Flow::Next)
    }

    fn cycle(&mut self, tag: &'a Cycle) -> Result<()> {
        let key = match &tag.name {
            Some(name) => format!("named {}", self.eval(name).to_text()),
            None => tag.key.to_string(),
        };
        let index = match self.cycles.iter().position(|(k, _)| *k == key) {
            Some(index) => index,
            None => {
                self.cycles.push((key, 0));
                self.cycles.len() - 1
            }
        };
        let turn = self.cycles[index].1;
        self.cycles[index].1 = if turn + 1 < tag.values.len() {
            turn + 1
        } else {
            0
        };
        match tag.values.get(turn) {
            Some(value) => {
                let value = self.eval(value);
                self.write(&value, Span { start: 0, end: 0 })
            }
            None => Ok(()),
        }
    }

    fn spin(&mut self, spin: &'a Spin) -> Result<Flow> {
        let option = match self.variant {
            Some(variant) => variant
                .0
                .get(spin.index as usize)
                .map_or(0, |n| *n as usize),
            None => self
                .options
                .seed
                .choose(self.mode.salt, spin.index, spin.options.len()),
        };
        let choice = Choice {
            group: spin.index,
            option: option as u32,
        };
        if !self.choices.contains(&choice) {
            self.choices.push(choice);
        }
        match spin.options.get(option) {
            Some(body) => self.body(body),
            None => Ok(Flow::Next),
        }
    }

    #[cold]
    fn error(&self, span: Span, trouble: Trouble) -> RenderError {
        let place = |code, message| {
            let span = (span.start, span.end);
            let sources = &self.template.sources;
            Box::new(sources.finding(Severity::Error, code, span, message, None))
        };
        match trouble {
            Trouble::Failed(message) => {
                RenderError::Failed(place("render.failed", message.into_owned()))
            }
            Trouble::Limit(message) => RenderError::Limit(place("render.limit", message)),
        }
    }
}

/// Variables of which nothing is known yet.
fn unknown<'a>(count: usize) -> Vec<Variable<'a>> {
    std::iter::repeat_with(Variable::default)
        .take(count)
        .collect()
}

/// Where a body stands, for errors.
fn first_span(body: &Body) -> Span {
    body.first().map_or(Span { start: 0, end: 0 }, node_span)
}

fn node_span(node: &Node) -> Span {
    match node {
        Node::Text(span) | Node::Raw(span) => *span,
        Node::Output(filtered) => filtered.span,
        Node::Assign(assign) => assign.value.span,
        Node::For(tag) | Node::TableRow(tag) => tag.span,
        Node::Spin(spin) => spin.span,
        Node::Partial(tag) => tag.span,
        Node::If(tag) => match tag.branches.first() {
            Some(Branch {
                condition: Some(condition),
                ..
            }) => condition.span,
            _ => Span { start: 0, end: 0 },
        },
        Node::Capture(_, body) | Node::IfChanged(body) | Node::Group(body) => first_span(body),
        _ => Span { start: 0, end: 0 },
    }
}
