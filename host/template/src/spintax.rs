//! Spintax `{a|b|c}` (TPL-5): found among the nodes of a body, counted, enumerated.
//!
//! It is part of the parse: a merged value is never looked at, so it can't spin.

use crate::{
    ast::{Body, Node, Span, Spin},
    builtin_tag,
    parse::Problem,
};

/// One choice in every spintax group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant(pub(crate) Vec<u32>);

/// How many texts the groups of a body make for one reader, saturating.
pub(crate) fn combinations(body: &Body) -> u64 {
    body.iter().map(of_node).fold(1, u64::saturating_mul)
}

fn of_node(node: &Node) -> u64 {
    match node {
        Node::Spin(spin) => spin
            .options
            .iter()
            .map(combinations)
            .fold(0, u64::saturating_add),
        Node::If(tag) => tag
            .branches
            .iter()
            .map(|b| combinations(&b.body))
            .max()
            .unwrap_or(1),
        Node::Case(tag) => tag
            .arms
            .iter()
            .map(|(_, body)| combinations(body))
            .max()
            .unwrap_or(1),
        Node::For(tag) | Node::TableRow(tag) => {
            combinations(&tag.body).max(combinations(&tag.otherwise))
        }
        Node::Capture(_, body) | Node::IfChanged(body) | Node::Group(body) => combinations(body),
        _ => 1,
    }
}

/// The choices of variant number `n`.
pub(crate) fn variant(body: &Body, groups: u32, n: u64) -> Variant {
    let mut choices = vec![0; groups as usize];
    decode(body, n, &mut choices);
    Variant(choices)
}

/// Reads `n` as a number in mixed base, one digit a node.
fn decode(body: &Body, mut n: u64, choices: &mut [u32]) {
    for node in body {
        let base = of_node(node).max(1);
        let digit = n % base;
        n /= base;
        match node {
            Node::Spin(spin) => {
                let mut left = digit;
                for (option, body) in spin.options.iter().enumerate() {
                    let size = combinations(body);
                    if left < size {
                        choices[spin.index as usize] = option as u32;
                        decode(body, left, choices);
                        break;
                    }
                    left -= size;
                }
            }
            Node::If(tag) => tag
                .branches
                .iter()
                .for_each(|b| decode(&b.body, digit, choices)),
            Node::Case(tag) => tag.arms.iter().for_each(|(_, b)| decode(b, digit, choices)),
            Node::For(tag) | Node::TableRow(tag) => {
                decode(&tag.body, digit, choices);
                decode(&tag.otherwise, digit, choices);
            }
            Node::Capture(_, body) | Node::IfChanged(body) | Node::Group(body) => {
                decode(body, digit, choices);
            }
            _ => {}
        }
    }
}

/// How deep groups may stand inside each other.
const NESTING: usize = 32;

/// Finds the groups among the nodes of one body. Outputs and blocks count as one sign each, so a
/// group can hold them, but can't begin in one and end in another.
pub(crate) fn fold(
    source: &str,
    nodes: Body,
    groups: &mut u32,
    problems: &mut Vec<Problem>,
) -> Body {
    if !nodes
        .iter()
        .any(|n| matches!(n, Node::Text(s) if s.of(source).contains(['{', '}', '\\'])))
    {
        return nodes;
    }
    let mut folder = Folder {
        source,
        open: Vec::new(),
        body: Vec::new(),
        groups,
        problems,
    };
    for node in nodes {
        match node {
            Node::Text(span) => folder.text(span),
            node => folder.body.push(node),
        }
    }
    folder.finish()
}

/// An opened brace.
struct Open {
    at: u32,
    /// What stood before it.
    before: Body,
    /// The options before the last `|`, and where each `|` is.
    options: Vec<(Body, u32)>,
}

struct Folder<'f> {
    source: &'f str,
    open: Vec<Open>,
    /// The nodes since the last brace or `|`.
    body: Body,
    groups: &'f mut u32,
    problems: &'f mut Vec<Problem>,
}

impl Folder<'_> {
    fn text(&mut self, span: Span) {
        let bytes = self.source.as_bytes();
        let mut start = span.start;
        let mut at = span.start;
        while at < span.end {
            match bytes[at as usize] {
                b'\\' if at + 1 < span.end && b"{|}".contains(&bytes[at as usize + 1]) => {
                    self.literal(start, at);
                    self.body.push(Node::Raw(Span {
                        start: at + 1,
                        end: at + 2,
                    }));
                    start = at + 2;
                    at += 1;
                }
                b'{' => {
                    self.literal(start, at);
                    self.open(at);
                    start = at + 1;
                }
                b'|' if !self.open.is_empty() => {
                    self.literal(start, at);
                    let option = std::mem::take(&mut self.body);
                    if let Some(open) = self.open.last_mut() {
                        open.options.push((option, at));
                    }
                    start = at + 1;
                }
                b'}' => {
                    self.literal(start, at);
                    match self.open.pop() {
                        Some(open) => self.close(open, at),
                        None => self.extra_brace(at),
                    }
                    start = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        self.literal(start, span.end);
    }

    /// Adds literal text, joined to the text before it.
    fn literal(&mut self, start: u32, end: u32) {
        match self.body.last_mut() {
            _ if start == end => {}
            Some(Node::Text(last)) if last.end == start => last.end = end,
            _ => self.body.push(Node::Text(Span { start, end })),
        }
    }

    /// Adds nodes that turned out to be literal.
    fn append(&mut self, nodes: Body) {
        for node in nodes {
            match node {
                Node::Text(span) => self.literal(span.start, span.end),
                node => self.body.push(node),
            }
        }
    }

    fn open(&mut self, at: u32) {
        if self.open.len() == NESTING {
            let message = format!("braces stand more than {NESTING} deep");
            let span = Span {
                start: at,
                end: at + 1,
            };
            self.problems
                .push(Problem::error("spintax.too_deep", span, message));
        }
        self.open.push(Open {
            at,
            before: std::mem::take(&mut self.body),
            options: Vec::new(),
        });
    }

    fn close(&mut self, open: Open, at: u32) {
        let last = std::mem::replace(&mut self.body, open.before);
        if open.options.is_empty() {
            self.single_braces(open.at, &last, at);
            self.literal(open.at, open.at + 1);
            self.append(last);
            self.literal(at, at + 1);
            return;
        }
        let mut options: Vec<Body> = open.options.into_iter().map(|(body, _)| body).collect();
        options.push(last);
        self.body.push(Node::Spin(Box::new(Spin {
            span: Span {
                start: open.at,
                end: at + 1,
            },
            index: *self.groups,
            options,
        })));
        *self.groups += 1;
    }

    /// `{firstName}` and `{ {firstName}}`: another tool's merge tag, or a slip (TPL-3).
    fn single_braces(&mut self, start: u32, inside: &Body, end: u32) {
        let [Node::Text(span)] = inside.as_slice() else {
            return;
        };
        let text = span.of(self.source).trim();
        let whole = Span {
            start,
            end: end + 1,
        };
        let inner = text
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'))
            .map(str::trim);
        let (name, code) = match inner {
            Some(inner) if is_path(inner) => (inner, "output.spaced_braces"),
            None if is_known(text) => (text, "output.single_braces"),
            _ => return,
        };
        self.problems
            .retain(|p| !(p.span.start > start && p.span.end <= whole.end));
        let message = format!(
            "a variable is written `{{{{ {name} }}}}`; braces meant as text are written `\\{{`"
        );
        self.problems
            .push(Problem::error(code, whole, message).with_fix(whole, format!("{{{{{name}}}}}")));
    }

    /// A `}` that closes nothing: `{firstName}}` (TPL-3).
    fn extra_brace(&mut self, at: u32) {
        if let Some(Node::Text(span)) = self.body.last()
            && span.end == at
            && let before = &self.source[..at as usize]
            && before.ends_with('}')
            && let Some(open) = before.rfind('{')
            && open >= span.start as usize
            && is_path(before[open + 1..before.len() - 1].trim())
        {
            let name = before[open + 1..before.len() - 1].trim();
            let whole = Span {
                start: open as u32,
                end: at + 1,
            };
            let message = format!("a brace is missing: write `{{{{ {name} }}}}`");
            self.problems
                .retain(|p| !(p.span.start >= whole.start && p.span.end <= whole.end));
            self.problems.push(
                Problem::error("output.brace_missing", whole, message)
                    .with_fix(whole, format!("{{{{{name}}}}}")),
            );
        }
        self.literal(at, at + 1);
    }

    /// Braces that were never closed are literal text.
    fn finish(mut self) -> Body {
        let last = std::mem::take(&mut self.body);
        for brace in std::mem::take(&mut self.open) {
            self.append(brace.before);
            if !brace.options.is_empty() {
                let span = Span {
                    start: brace.at,
                    end: brace.at + 1,
                };
                let message = "this group has no `}`, so it is written as it stands: close it, or \
                               write `\\{` for a brace"
                    .into();
                self.problems
                    .push(Problem::warning("spintax.not_closed", span, message));
            }
            self.literal(brace.at, brace.at + 1);
            for (option, bar) in brace.options {
                self.append(option);
                self.literal(bar, bar + 1);
            }
        }
        self.append(last);
        self.body
    }
}

/// Whether it reads like a variable.
fn is_path(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Whether it is a merge tag that the product knows.
fn is_known(text: &str) -> bool {
    builtin_tag(text).is_some() || (is_path(text) && text.starts_with("custom."))
}
