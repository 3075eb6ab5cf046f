//! The tags of Shopify Liquid.

use crate::ast::{
    Assign, Body, Branch, Case, Comparison, Condition, Cycle, Expr, For, If, Node, Offset, Partial,
    Slot, Span,
};

use super::{
    Closer, Parser,
    errors::{Problem, closest},
    expression::{condition, expression, filtered},
    lexer::{Lexeme, Lexer},
    scan::Tag,
};

type Result<T> = std::result::Result<T, Problem>;

/// All tags, for "did you mean".
const TAGS: &[&str] = &[
    "assign",
    "break",
    "capture",
    "case",
    "comment",
    "continue",
    "cycle",
    "decrement",
    "doc",
    "echo",
    "else",
    "elsif",
    "endcapture",
    "endcase",
    "endcomment",
    "endfor",
    "endif",
    "endifchanged",
    "endraw",
    "endtablerow",
    "endunless",
    "for",
    "if",
    "ifchanged",
    "include",
    "increment",
    "liquid",
    "raw",
    "render",
    "tablerow",
    "unless",
    "when",
];

impl<'s> Parser<'s> {
    pub(super) fn tag(&mut self, name: &'s str, tag: Tag) -> Result<Node> {
        let mut lexer = Lexer::new(self.source, tag.markup);
        match name {
            "echo" => Ok(self.output(tag.whole, tag.markup)),
            "assign" => self.assign(lexer),
            "capture" => {
                let slot = self.target(&mut lexer);
                let (body, closer) = self.body(&["endcapture"]);
                self.ended(closer, tag, name);
                Ok(Node::Capture(slot?, body))
            }
            "if" | "unless" => self.if_block(name, tag, lexer),
            "case" => self.case(tag, lexer),
            "for" | "tablerow" => self.for_block(name, tag, lexer),
            "ifchanged" => {
                let (body, closer) = self.body(&["endifchanged"]);
                self.ended(closer, tag, name);
                Ok(Node::IfChanged(body))
            }
            "cycle" => self.cycle(tag, lexer),
            "increment" => Ok(Node::Increment(self.target(&mut lexer)?)),
            "decrement" => Ok(Node::Decrement(self.target(&mut lexer)?)),
            "break" => Ok(Node::Break),
            "continue" => Ok(Node::Continue),
            "liquid" => Ok(Node::Group(self.lines(tag.markup))),
            "include" | "render" => self.partial(name, tag, lexer),
            _ => Err(unknown(name, tag)),
        }
    }

    /// The variable that a tag writes to: `name`, `some-name`, also `'name'` and `123`.
    fn target(&mut self, lexer: &mut Lexer<'s>) -> Result<Slot> {
        let (found, span) = lexer.next()?;
        let name = match found {
            Lexeme::Word | Lexeme::Int(0..) => span.of(self.source),
            Lexeme::Text(inner) => inner.of(self.source),
            _ => return Err(lexer.unexpected(found, span, "the name of the variable to write to")),
        };
        if name.ends_with('?') {
            let message = format!("`{name}` can't be written to: leave the `?` out");
            return Err(Problem::error("assign.name", span, message));
        }
        Ok(self.names.slot(name))
    }

    fn assign(&mut self, mut lexer: Lexer<'s>) -> Result<Node> {
        let slot = self.target(&mut lexer)?;
        lexer.expect(
            Lexeme::Assign,
            "assign is written `{% assign name = value %}`",
        )?;
        let value = filtered(&mut lexer, &mut self.names)?;
        Ok(Node::Assign(Box::new(Assign { slot, value })))
    }

    /// A wrong condition is reported, and the body is parsed all the same.
    fn branch(&mut self, mut lexer: Lexer<'s>, negated: bool) -> Option<Condition> {
        match condition(&mut lexer, &mut self.names, negated) {
            Ok(condition) => Some(condition),
            Err(problem) => {
                self.problem(problem);
                let span = Span { start: 0, end: 0 };
                Some(Condition {
                    span,
                    negated,
                    first: Comparison {
                        span,
                        left: Expr::Nil,
                        right: None,
                    },
                    rest: Vec::new(),
                })
            }
        }
    }

    fn if_block(&mut self, name: &'s str, tag: Tag, lexer: Lexer<'s>) -> Result<Node> {
        let end = if name == "if" { "endif" } else { "endunless" };
        let mut branches: Vec<Branch> = Vec::new();
        let mut condition = self.branch(lexer, name == "unless");
        let closer = loop {
            let (body, closer) = self.body(&["elsif", "else", end]);
            // Liquid ignores what comes after the first `else`.
            if branches.last().is_none_or(|last| last.condition.is_some()) {
                branches.push(Branch { condition, body });
            }
            match closer {
                Some(("elsif", next)) => {
                    condition = self.branch(Lexer::new(self.source, next.markup), false);
                }
                Some(("else", next)) => {
                    self.bare_else(next);
                    condition = None;
                }
                _ => break closer,
            }
        };
        self.ended(closer, tag, name);
        strip_blank(self.source, branches.iter_mut().map(|b| &mut b.body));
        Ok(Node::If(Box::new(If { branches })))
    }

    /// `else` takes nothing; `else if` is the usual slip.
    fn bare_else(&mut self, tag: Tag) {
        let rest = tag.markup.of(self.source).trim();
        if rest.is_empty() {
            return;
        }
        let message = "what follows `else` is ignored: a second condition is `elsif`".into();
        let mut problem = Problem::warning("else.ignored", tag.whole, message);
        if let Some(condition) = rest.strip_prefix("if ") {
            problem = problem.with_fix(tag.whole, format!("{{% elsif {} %}}", condition.trim()));
        }
        self.problem(problem);
    }

    fn case(&mut self, tag: Tag, mut lexer: Lexer<'s>) -> Result<Node> {
        let subject = expression(&mut lexer, &mut self.names);
        let mut arms: Vec<(Option<Vec<Expr>>, Body)> = Vec::new();
        // What stands before the first `when` is never written.
        let (_, mut closer) = self.body(&["when", "else", "endcase"]);
        while let Some((word @ ("when" | "else"), next)) = closer {
            let values = if word == "when" {
                match self.when(Lexer::new(self.source, next.markup)) {
                    Ok(values) => Some(values),
                    Err(problem) => {
                        self.problem(problem);
                        Some(Vec::new())
                    }
                }
            } else {
                None
            };
            let (body, found) = self.body(&["when", "else", "endcase"]);
            arms.push((values, body));
            closer = found;
        }
        self.ended(closer, tag, "case");
        strip_blank(self.source, arms.iter_mut().map(|(_, body)| body));
        let subject = subject?;
        Ok(Node::Case(Box::new(Case { subject, arms })))
    }

    fn when(&mut self, mut lexer: Lexer<'s>) -> Result<Vec<Expr>> {
        let mut values = vec![expression(&mut lexer, &mut self.names)?];
        while lexer.take(Lexeme::Comma)? || lexer.take_word("or") {
            values.push(expression(&mut lexer, &mut self.names)?);
        }
        self.nothing_more(lexer, "the values of `when` are joined by `,` or `or`")?;
        Ok(values)
    }

    fn for_block(&mut self, name: &'s str, tag: Tag, lexer: Lexer<'s>) -> Result<Node> {
        let table = name == "tablerow";
        let head = self.for_head(tag.whole, lexer, table);
        let mut ends: &[&str] = if table {
            &["endtablerow"]
        } else {
            &["else", "endfor"]
        };
        let (mut body, mut closer) = self.body(ends);
        let mut otherwise = Vec::new();
        if let Some(("else", _)) = closer {
            ends = &ends[1..];
            (otherwise, closer) = self.body(ends);
        }
        self.ended(closer, tag, name);
        if !table {
            strip_blank(self.source, [&mut body, &mut otherwise].into_iter());
        }
        let block = Box::new(For {
            body,
            otherwise,
            ..head?
        });
        Ok(if table {
            Node::TableRow(block)
        } else {
            Node::For(block)
        })
    }

    fn for_head(&mut self, whole: Span, mut lexer: Lexer<'s>, table: bool) -> Result<For> {
        let span = lexer.expect(Lexeme::Word, "a loop is written `{% for item in list %}`")?;
        let item = span.of(self.source);
        let variable = self.names.slot(item);
        if !lexer.take_word("in") {
            let (found, at) = lexer.next()?;
            return Err(lexer.unexpected(found, at, "a loop is written `{% for item in list %}`"));
        }
        let start = lexer.position();
        let list = expression(&mut lexer, &mut self.names)?;
        let text = lexer.since(start).of(self.source);
        let mut head = For {
            span: whole,
            variable,
            helper: self
                .names
                .slot(if table { "tablerowloop" } else { "forloop" }),
            name: format!("{item}-{text}").into(),
            list,
            limit: None,
            offset: None,
            columns: None,
            reversed: false,
            body: Vec::new(),
            otherwise: Vec::new(),
        };
        loop {
            lexer.take(Lexeme::Comma)?;
            let (found, at) = lexer.next()?;
            match (found, at.of(self.source)) {
                (Lexeme::End, _) => return Ok(head),
                (Lexeme::Word, "reversed") => head.reversed = true,
                (Lexeme::Word, word @ ("limit" | "offset" | "cols")) => {
                    lexer.expect(Lexeme::Colon, "it is written `limit: 5`")?;
                    if word == "offset" && lexer.take_word("continue") {
                        head.offset = Some(Offset::Continue);
                        continue;
                    }
                    let value = expression(&mut lexer, &mut self.names)?;
                    match word {
                        "limit" => head.limit = Some(value),
                        "offset" => head.offset = Some(Offset::At(value)),
                        _ => head.columns = Some(value),
                    }
                }
                _ => {
                    return Err(lexer.unexpected(
                        found,
                        at,
                        "a loop takes limit, offset, reversed",
                    ));
                }
            }
        }
    }

    fn cycle(&mut self, tag: Tag, mut lexer: Lexer<'s>) -> Result<Node> {
        let key = tag.markup.of(self.source).trim().into();
        let first = expression(&mut lexer, &mut self.names)?;
        let (name, mut values) = if lexer.take(Lexeme::Colon)? {
            (Some(first), vec![expression(&mut lexer, &mut self.names)?])
        } else {
            (None, vec![first])
        };
        while lexer.take(Lexeme::Comma)? {
            if lexer.peek()? == Lexeme::End {
                break;
            }
            values.push(expression(&mut lexer, &mut self.names)?);
        }
        self.nothing_more(lexer, "the values of `cycle` are joined by `,`")?;
        Ok(Node::Cycle(Box::new(Cycle { name, key, values })))
    }

    fn partial(&mut self, tag_name: &str, tag: Tag, mut lexer: Lexer<'s>) -> Result<Node> {
        let isolated = tag_name == "render";
        let name = expression(&mut lexer, &mut self.names)?;
        if isolated && !matches!(name, Expr::Text(_)) {
            let message = "`render` takes the name of a partial in quotes".into();
            return Err(Problem::error("partial.name", tag.markup, message));
        }
        let bound = match lexer.peek_word() {
            Some(word @ ("with" | "for")) => {
                lexer.next()?;
                Some((expression(&mut lexer, &mut self.names)?, word == "for"))
            }
            _ => None,
        };
        let alias = match lexer.take_word("as") {
            true => Some(self.target(&mut lexer)?),
            false => None,
        };
        let mut arguments = Vec::new();
        loop {
            lexer.take(Lexeme::Comma)?;
            if lexer.peek()? == Lexeme::End {
                break;
            }
            let slot = self.target(&mut lexer)?;
            lexer.expect(Lexeme::Colon, "an argument is written `name: value`")?;
            arguments.push((slot, expression(&mut lexer, &mut self.names)?));
        }
        // Without an alias the partial's own name is bound.
        let alias = match (&name, alias) {
            (Expr::Text(span), None) => Some(self.names.slot(span.of(self.source))),
            (_, alias) => alias,
        };
        Ok(Node::Partial(Box::new(Partial {
            span: tag.whole,
            name,
            isolated,
            bound,
            alias,
            arguments,
            helper: self.names.slot("forloop"),
        })))
    }

    fn nothing_more(&mut self, mut lexer: Lexer<'s>, what: &str) -> Result<()> {
        match lexer.next()? {
            (Lexeme::End, _) => Ok(()),
            (found, at) => Err(lexer.unexpected(found, at, what)),
        }
    }

    /// Reports a block that isn't ended.
    fn ended(&mut self, closer: Closer<'s>, tag: Tag, name: &str) {
        if closer.is_none() {
            let message = format!("`{name}` is never ended: add `{{% end{name} %}}`");
            self.problem(Problem::error("tag.not_ended", tag.whole, message));
        }
    }
}

fn unknown(name: &str, tag: Tag) -> Problem {
    match name {
        "else" | "elsif" | "when" => Problem::error(
            "tag.misplaced",
            tag.whole,
            format!("`{name}` stands outside of the block that it belongs to"),
        ),
        _ if name.starts_with("end") && TAGS.contains(&name) => Problem::error(
            "tag.misplaced",
            tag.whole,
            format!("`{name}` ends nothing here: no `{}` is open", &name[3..]),
        ),
        "elseif" | "elif" | "elsewhen" => did_you_mean(name, tag, "elsif"),
        "set" | "let" => did_you_mean(name, tag, "assign"),
        _ => match closest(name, TAGS.iter().copied()) {
            Some(near) => did_you_mean(name, tag, near),
            None => {
                let mut message = format!("there is no tag `{name}`");
                if crate::builtin_tag(name).is_some() {
                    message = format!("`{name}` is a variable: write `{{{{ {name} }}}}`");
                }
                Problem::error("tag.unknown", tag.whole, message)
            }
        },
    }
}

fn did_you_mean(name: &str, tag: Tag, near: &str) -> Problem {
    let message = format!("there is no tag `{name}`: did you mean `{near}`?");
    Problem::error("tag.unknown", tag.name, message).with_fix(tag.name, near)
}

/// When a block can write nothing but white space, it writes nothing.
fn strip_blank<'b>(source: &str, bodies: impl Iterator<Item = &'b mut Body>) {
    let bodies: Vec<_> = bodies.collect();
    if bodies.iter().all(|body| is_blank(source, body)) {
        for body in bodies {
            body.retain(|node| !matches!(node, Node::Text(_)));
        }
    }
}

fn is_blank(source: &str, body: &Body) -> bool {
    body.iter().all(|node| match node {
        Node::Text(span) => span.of(source).trim().is_empty(),
        Node::Assign(_) | Node::Capture(..) | Node::Nothing => true,
        Node::If(tag) => tag.branches.iter().all(|b| is_blank(source, &b.body)),
        Node::Case(tag) => tag.arms.iter().all(|(_, body)| is_blank(source, body)),
        Node::For(tag) => is_blank(source, &tag.body) && is_blank(source, &tag.otherwise),
        Node::Group(body) => !body.is_empty() && is_blank(source, body),
        _ => false,
    })
}
