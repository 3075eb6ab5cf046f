//! What a template is made of after parsing. Names are numbers (slots) and text is a span of the
//! source, so that rendering hashes nothing and copies only what it writes.

use crate::filters::Filter;

/// Bytes of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn of(self, source: &str) -> &str {
        &source[self.start as usize..self.end as usize]
    }
}

/// The number of a variable's name.
pub(crate) type Slot = u32;

pub(crate) type Body = Vec<Node>;

#[derive(Debug)]
pub(crate) enum Node {
    /// Literal text in which braces may spin.
    Text(Span),
    /// Literal text of a `raw` block or behind a backslash; never spun.
    Raw(Span),
    Output(Box<Filtered>),
    Assign(Box<Assign>),
    Capture(Slot, Body),
    If(Box<If>),
    Case(Box<Case>),
    For(Box<For>),
    TableRow(Box<For>),
    Cycle(Box<Cycle>),
    Increment(Slot),
    Decrement(Slot),
    Break,
    Continue,
    IfChanged(Body),
    Partial(Box<Partial>),
    Spin(Box<Spin>),
    /// What `{% liquid %}` holds.
    Group(Body),
    /// A comment or another thing that writes nothing.
    Nothing,
}

impl Node {
    /// Calls `visit` with each body that stands inside.
    pub(crate) fn bodies(&self, mut visit: impl FnMut(&Body)) {
        match self {
            Self::If(tag) => tag.branches.iter().for_each(|branch| visit(&branch.body)),
            Self::Case(tag) => tag.arms.iter().for_each(|(_, body)| visit(body)),
            Self::For(tag) | Self::TableRow(tag) => {
                visit(&tag.body);
                visit(&tag.otherwise);
            }
            Self::Capture(_, body) | Self::IfChanged(body) | Self::Group(body) => visit(body),
            Self::Spin(spin) => spin.options.iter().for_each(visit),
            Self::Text(_)
            | Self::Raw(_)
            | Self::Output(_)
            | Self::Assign(_)
            | Self::Cycle(_)
            | Self::Increment(_)
            | Self::Decrement(_)
            | Self::Break
            | Self::Continue
            | Self::Partial(_)
            | Self::Nothing => {}
        }
    }
}

/// An expression and the filters it goes through.
#[derive(Debug)]
pub(crate) struct Filtered {
    pub(crate) span: Span,
    pub(crate) expr: Expr,
    pub(crate) filters: Vec<FilterCall>,
}

#[derive(Debug)]
pub(crate) struct FilterCall {
    pub(crate) span: Span,
    pub(crate) filter: Filter,
    pub(crate) args: Vec<Expr>,
    pub(crate) allow_false: Option<Expr>,
}

#[derive(Debug)]
pub(crate) enum Expr {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Text between quotes, without them.
    Text(Span),
    Blank,
    Empty,
    Path(Box<Path>),
    Range(Box<(Expr, Expr)>),
}

/// `a.b[c]`
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) span: Span,
    pub(crate) root: Root,
    pub(crate) segments: Vec<Segment>,
}

#[derive(Debug)]
pub(crate) enum Root {
    Slot(Slot),
    /// `['some name']` or `[name]` with nothing before it.
    Bracket(Expr),
}

#[derive(Debug)]
pub(crate) enum Segment {
    Key(Span),
    Bracket(Expr),
}

#[derive(Debug)]
pub(crate) struct Assign {
    pub(crate) slot: Slot,
    pub(crate) value: Filtered,
}

#[derive(Debug)]
pub(crate) struct If {
    pub(crate) branches: Vec<Branch>,
}

/// No condition means `else`.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) condition: Option<Condition>,
    pub(crate) body: Body,
}

/// Comparisons, joined from the right as Liquid does: `a and b or c` is `a and (b or c)`.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) span: Span,
    /// `unless`.
    pub(crate) negated: bool,
    pub(crate) first: Comparison,
    pub(crate) rest: Vec<(Join, Comparison)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    And,
    Or,
}

#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) span: Span,
    pub(crate) left: Expr,
    pub(crate) right: Option<(Operator, Expr)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) subject: Expr,
    /// No values means `else`.
    pub(crate) arms: Vec<(Option<Vec<Expr>>, Body)>,
}

#[derive(Debug)]
pub(crate) struct For {
    pub(crate) span: Span,
    pub(crate) variable: Slot,
    /// The slot of `forloop` or `tablerowloop`.
    pub(crate) helper: Slot,
    /// `item-list`: what `forloop.name` says and `offset: continue` goes by.
    pub(crate) name: Box<str>,
    pub(crate) list: Expr,
    pub(crate) limit: Option<Expr>,
    pub(crate) offset: Option<Offset>,
    pub(crate) columns: Option<Expr>,
    pub(crate) reversed: bool,
    pub(crate) body: Body,
    pub(crate) otherwise: Body,
}

#[derive(Debug)]
pub(crate) enum Offset {
    Continue,
    At(Expr),
}

#[derive(Debug)]
pub(crate) struct Cycle {
    pub(crate) name: Option<Expr>,
    /// What stands for the name when there is none.
    pub(crate) key: Box<str>,
    pub(crate) values: Vec<Expr>,
}

/// `include` and `render`.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) span: Span,
    pub(crate) name: Expr,
    /// `render`: sees nothing of the caller's variables.
    pub(crate) isolated: bool,
    /// `with x` or `for x`.
    pub(crate) bound: Option<(Expr, bool)>,
    pub(crate) alias: Option<Slot>,
    pub(crate) arguments: Vec<(Slot, Expr)>,
    /// The slot of `forloop`.
    pub(crate) helper: Slot,
}

/// A spintax group (TPL-5).
#[derive(Debug)]
pub(crate) struct Spin {
    pub(crate) span: Span,
    /// Counted through the template; the choice goes by it.
    pub(crate) index: u32,
    pub(crate) options: Vec<Body>,
}
