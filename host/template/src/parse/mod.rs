//! From text to syntax tree, with all errors at once.

mod errors;
mod expression;
mod lexer;
mod scan;
mod tags;

use std::collections::HashMap;

use crate::{
    Diagnostic, Mode, Severity, Template,
    ast::{Body, Node, Slot, Span},
    diagnostic::Sources,
    spintax,
};

pub(crate) use errors::{Problem, closest};
use lexer::{Lexeme, Lexer};
use scan::{Tag, Token};

/// How deep blocks may stand inside each other.
const NESTING: usize = 50;
/// The longest template, in bytes.
const SOURCE: usize = 512 * 1024;
/// More findings than anybody reads.
const FINDINGS: usize = 100;

pub(crate) fn template(
    source: &str,
    mode: Mode,
    partials: &[(&str, &str)],
) -> Result<Template, Vec<Diagnostic>> {
    let sources = Sources::new(source, partials);
    if sources.text.len() > SOURCE {
        let start = Span { start: 0, end: 0 };
        let message = format!("a template has at most {SOURCE} bytes");
        let problem = Problem::error("template.too_long", start, message);
        return Err(vec![problem.place(&sources)]);
    }
    let mut parser = Parser {
        source: &sources.text,
        mode,
        names: Names::default(),
        tokens: Vec::new(),
        next: 0,
        depth: 0,
        groups: 0,
        problems: Vec::new(),
    };
    let mut bodies: Vec<Body> = (0..sources.units.len())
        .map(|index| parser.unit(sources.unit(index)))
        .collect();
    let body = bodies.remove(0);
    let Parser {
        names,
        groups,
        problems,
        ..
    } = parser;
    let mut template = Template {
        mode,
        names: names.list,
        literal: literal(&body),
        body,
        partials: bodies,
        groups,
        warnings: Vec::new(),
        sources,
    };
    let broken = problems.iter().any(|p| p.severity == Severity::Error);
    let mut findings: Vec<_> = problems;
    if !broken {
        findings.extend(crate::check::lint(&template));
    }
    findings.sort_by_key(|p| p.span.start);
    let broken = findings.iter().any(|p| p.severity == Severity::Error);
    findings.truncate(FINDINGS);
    let findings: Vec<_> = findings
        .into_iter()
        .map(|p| p.place(&template.sources))
        .collect();
    if broken {
        return Err(findings);
    }
    template.warnings = findings;
    Ok(template)
}

/// Bytes of literal text, branches and all.
fn literal(body: &Body) -> usize {
    body.iter()
        .map(|node| match node {
            Node::Text(span) | Node::Raw(span) => (span.end - span.start) as usize,
            Node::If(tag) => tag.branches.iter().map(|b| literal(&b.body)).sum(),
            Node::For(tag) => 4 * literal(&tag.body),
            Node::Spin(spin) => spin.options.iter().map(literal).max().unwrap_or(0),
            _ => 24,
        })
        .sum()
}

/// Numbers for the names of variables.
#[derive(Default)]
pub(crate) struct Names {
    list: Vec<Box<str>>,
    index: HashMap<Box<str>, Slot>,
}

impl Names {
    fn slot(&mut self, name: &str) -> Slot {
        if let Some(slot) = self.index.get(name) {
            return *slot;
        }
        let slot = self.list.len() as Slot;
        self.list.push(name.into());
        self.index.insert(name.into(), slot);
        slot
    }
}

struct Parser<'s> {
    source: &'s str,
    mode: Mode,
    names: Names,
    tokens: Vec<Token>,
    /// The next token.
    next: usize,
    depth: usize,
    groups: u32,
    problems: Vec<Problem>,
}

/// The tag that ended a body.
type Closer<'s> = Option<(&'s str, Tag)>;

impl<'s> Parser<'s> {
    /// A template or a partial.
    fn unit(&mut self, (start, end): (u32, u32)) -> Body {
        let span = Span { start, end };
        self.tokens = scan::tokens(self.source, span, &mut self.problems);
        self.next = 0;
        self.body(&[]).0
    }

    /// The tags of `{% liquid %}`: a whole of its own, in which no outer block can end.
    fn lines(&mut self, markup: Span) -> Body {
        let inner = scan::lines(self.source, markup, &mut self.problems);
        let outer = std::mem::replace(&mut self.tokens, inner);
        let next = std::mem::replace(&mut self.next, 0);
        let body = self.body(&[]).0;
        self.tokens = outer;
        self.next = next;
        body
    }

    /// Nodes up to one of `closers`, or to the end.
    fn body(&mut self, closers: &[&str]) -> (Body, Closer<'s>) {
        let mut nodes = Vec::new();
        let mut closer = None;
        self.depth += 1;
        while let Some(token) = self.tokens.get(self.next).copied() {
            self.next += 1;
            match token {
                Token::Text(span) => nodes.push(Node::Text(span)),
                Token::Raw(span) => nodes.push(Node::Raw(span)),
                Token::Output { whole, markup } => nodes.push(self.output(whole, markup)),
                Token::Tag(tag) => {
                    let name = tag.name.of(self.source);
                    if closers.contains(&name) {
                        closer = Some((name, tag));
                        break;
                    }
                    if self.depth > NESTING {
                        let message = format!("blocks stand more than {NESTING} deep");
                        self.problem(Problem::error("tag.too_deep", tag.whole, message));
                        self.next = self.tokens.len();
                        break;
                    }
                    match self.tag(name, tag) {
                        Ok(node) => nodes.push(node),
                        Err(problem) => self.problem(problem),
                    }
                }
            }
        }
        self.depth -= 1;
        if self.mode.spintax {
            nodes = spintax::fold(self.source, nodes, &mut self.groups, &mut self.problems);
        }
        (nodes, closer)
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// `{{ … }}` and `echo`.
    fn output(&mut self, whole: Span, markup: Span) -> Node {
        let mut lexer = Lexer::new(self.source, markup);
        match lexer.peek() {
            Ok(Lexeme::End) => {
                let message = "nothing is written here: put a variable between the braces".into();
                self.problem(Problem::warning("output.empty", whole, message));
                Node::Group(Vec::new())
            }
            _ => match expression::filtered(&mut lexer, &mut self.names) {
                Ok(filtered) => Node::Output(Box::new(filtered)),
                Err(mut problem) => {
                    let text = markup.of(self.source);
                    if let Some(inner) = text.strip_prefix('{') {
                        let wide = Span {
                            end: whole.end
                                + u32::from(self.source[whole.end as usize..].starts_with('}')),
                            ..whole
                        };
                        problem = Problem::error(
                            "output.three_braces",
                            wide,
                            "an output has two braces; `| raw` writes a value unescaped".into(),
                        )
                        .with_fix(wide, format!("{{{{ {} | raw }}}}", inner.trim()));
                    }
                    self.problem(problem);
                    Node::Nothing
                }
            },
        }
    }
}
