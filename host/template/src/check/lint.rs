//! What parses but is probably not as meant.

use crate::{
    BUILTIN_TAGS, Escape, Template,
    ast::{Body, Comparison, Expr, Filtered, Node, Root, Span},
    parse::{Problem, closest},
};

use super::survey::{Named, Survey};

/// The findings about a template that parses. The only error among them is a text that is always
/// too long.
pub(crate) fn lint(template: &Template) -> Vec<Problem> {
    let mut lint = Lint {
        template,
        source: &template.sources.text,
        survey: Survey::new(template),
        problems: Vec::new(),
    };
    lint.body(&template.body);
    if let Some(max) = template.mode.max_chars {
        let least = shortest(&template.body, lint.source);
        if least > max {
            let (start, end) = template.sources.unit(0);
            let message =
                format!("the text has at least {least} characters, {max} are allowed: shorten it");
            let span = Span { start, end };
            lint.problems
                .push(Problem::error("template.too_long", span, message));
        }
    }
    lint.problems
}

struct Lint<'t> {
    template: &'t Template,
    source: &'t str,
    survey: Survey<'t>,
    problems: Vec<Problem>,
}

impl Lint<'_> {
    fn body(&mut self, body: &Body) {
        for node in body {
            match node {
                Node::Output(filtered) => self.output(filtered),
                Node::Assign(assign) => self.chain(&assign.value),
                Node::If(tag) => {
                    for condition in tag.branches.iter().filter_map(|b| b.condition.as_ref()) {
                        self.comparison(&condition.first);
                        condition.rest.iter().for_each(|(_, c)| self.comparison(c));
                    }
                }
                Node::Case(tag) => self.expr(&tag.subject),
                Node::For(tag) | Node::TableRow(tag) => self.expr(&tag.list),
                _ => {}
            }
            node.bodies(|body| self.body(body));
        }
    }

    fn output(&mut self, filtered: &Filtered) {
        self.chain(filtered);
        if self.template.mode.escape == Escape::Html && self.is_unquoted(filtered.span.start) {
            self.problems.push(Problem::warning(
                "html.unquoted",
                filtered.span,
                "put quotes around this attribute: a value with a space would end it".into(),
            ));
        }
    }

    /// Whether the output that holds byte `at` is an attribute's value without quotes.
    fn is_unquoted(&self, at: u32) -> bool {
        let before = &self.source[..at as usize];
        let Some(text) = before
            .trim_end_matches('-')
            .rfind("{{")
            .map(|n| &before[..n])
        else {
            return false;
        };
        let inside_tag = text.rfind('<') > text.rfind('>');
        inside_tag && text.ends_with('=')
    }

    fn chain(&mut self, filtered: &Filtered) {
        self.expr(&filtered.expr);
        filtered
            .filters
            .iter()
            .flat_map(|f| &f.args)
            .for_each(|arg| self.expr(arg));
    }

    fn comparison(&mut self, comparison: &Comparison) {
        self.expr(&comparison.left);
        let mut constant = is_literal(&comparison.left);
        if let Some((_, right)) = &comparison.right {
            self.expr(right);
            constant &= is_literal(right);
        }
        if constant {
            let message = "this condition is always the same: it asks for no variable".into();
            let problem = Problem::warning("condition.constant", comparison.span, message);
            self.problems.push(problem);
        }
    }

    /// `firstname`: a built-in tag was probably meant.
    fn expr(&mut self, expr: &Expr) {
        let Expr::Path(path) = expr else {
            return;
        };
        let (Root::Slot(slot), Named::Custom(name)) = (&path.root, self.survey.named(path)) else {
            return;
        };
        if *self.template.names[*slot as usize] != *name {
            return;
        }
        if let Some(tag) = closest(&name, BUILTIN_TAGS.iter().copied()) {
            let span = Span {
                end: path.span.start + name.len() as u32,
                ..path.span
            };
            let message = format!(
                "`{name}` is no built-in tag: did you mean `{tag}`? A custom field of that name \
                 is `custom.{name}`"
            );
            self.problems
                .push(Problem::warning("variable.unknown", span, message).with_fix(span, tag));
        }
    }
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Path(_) => false,
        Expr::Range(ends) => is_literal(&ends.0) && is_literal(&ends.1),
        _ => true,
    }
}

/// The fewest characters that a body can write.
fn shortest(body: &Body, source: &str) -> usize {
    body.iter()
        .take_while(|node| !matches!(node, Node::Break | Node::Continue))
        .map(|node| match node {
            Node::Text(span) | Node::Raw(span) => span.of(source).chars().count(),
            Node::Spin(spin) => spin
                .options
                .iter()
                .map(|option| shortest(option, source))
                .min()
                .unwrap_or(0),
            Node::If(tag) if tag.branches.last().is_some_and(|b| b.condition.is_none()) => tag
                .branches
                .iter()
                .map(|b| shortest(&b.body, source))
                .min()
                .unwrap_or(0),
            Node::Group(body) => shortest(body, source),
            // A loop or a condition can write nothing.
            _ => 0,
        })
        .sum()
}
