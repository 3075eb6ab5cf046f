//! Cuts a source into literal text, outputs `{{ … }}` and tags `{% … %}`. Comments are gone and
//! white space is trimmed when the parser gets to see it.

use crate::ast::Span;

use super::errors::Problem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Text(Span),
    /// The inside of a `raw` block.
    Raw(Span),
    Output {
        whole: Span,
        markup: Span,
    },
    Tag(Tag),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) whole: Span,
    pub(super) name: Span,
    pub(super) markup: Span,
}

/// Cuts the part of `source` from `start` to `end`. What can't be cut is reported and skipped, so
/// that the rest is still looked at.
pub(super) fn tokens(source: &str, unit: Span, problems: &mut Vec<Problem>) -> Vec<Token> {
    let mut scanner = Scanner {
        source,
        end: unit.end as usize,
        at: unit.start as usize,
        text: unit.start as usize,
        tokens: Vec::new(),
        trim: false,
        problems,
    };
    scanner.run();
    scanner.tokens
}

/// Cuts the markup of `{% liquid %}`: one tag a line.
pub(super) fn lines(source: &str, markup: Span, problems: &mut Vec<Problem>) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut lines = Vec::new();
    let mut at = markup.start as usize;
    for line in markup.of(source).split('\n') {
        lines.push((at, line));
        at += line.len() + 1;
    }
    let mut n = 0;
    while n < lines.len() {
        let (at, line) = lines[n];
        n += 1;
        let start = at + (line.len() - line.trim_start().len());
        let line = line.trim();
        let end = start + line.len();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let tag = tag(source, span(start, end), start, end);
        match tag.name.of(source) {
            "" => problems.push(Problem::error(
                "tag.no_name",
                tag.whole,
                format!("`{line}` is no tag: a line of `liquid` starts with a tag's name"),
            )),
            opener @ ("comment" | "doc") => {
                let closer = if opener == "doc" {
                    "enddoc"
                } else {
                    "endcomment"
                };
                let mut depth = 1;
                while depth > 0 && n < lines.len() {
                    let word = lines[n].1.split_whitespace().next().unwrap_or("");
                    n += 1;
                    depth += i32::from(word == opener) - i32::from(word == closer);
                }
                if depth > 0 {
                    problems.push(unclosed(tag.whole, opener));
                }
            }
            _ => tokens.push(Token::Tag(tag)),
        }
    }
    tokens
}

struct Scanner<'s, 'p> {
    source: &'s str,
    end: usize,
    at: usize,
    /// Where the literal text before `at` began.
    text: usize,
    tokens: Vec<Token>,
    /// Whether the text that follows loses its leading white space.
    trim: bool,
    problems: &'p mut Vec<Problem>,
}

impl<'s> Scanner<'s, '_> {
    fn run(&mut self) {
        while let Some(open) = self.find_open() {
            match self.source.as_bytes()[open + 1] {
                b'{' => self.output(open),
                _ => self.tag(open),
            }
        }
        self.flush(self.end, false);
    }

    /// The next `{{` or `{%`.
    fn find_open(&self) -> Option<usize> {
        let bytes = &self.source.as_bytes()[..self.end];
        let mut at = self.at;
        loop {
            at += bytes.get(at..)?.iter().position(|&b| b == b'{')?;
            if matches!(bytes.get(at + 1), Some(b'{' | b'%')) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// The first place of `what` at or behind `from`.
    fn find(&self, what: &str, from: usize) -> Option<usize> {
        self.source[from..self.end].find(what).map(|n| n + from)
    }

    /// Ends the literal text at `end`.
    fn flush(&mut self, end: usize, trim_end: bool) {
        let mut text = &self.source[self.text..end];
        let mut start = self.text;
        if self.trim {
            let kept = text.trim_start();
            start += text.len() - kept.len();
            text = kept;
        }
        if trim_end {
            text = text.trim_end();
        }
        if !text.is_empty() {
            self.tokens
                .push(Token::Text(span(start, start + text.len())));
        }
        self.trim = false;
    }

    /// Goes on with literal text at `at`.
    fn resume(&mut self, at: usize, trim: bool) {
        self.at = at;
        self.text = at;
        self.trim = trim;
    }

    fn output(&mut self, open: usize) {
        let close = self.find("}}", open + 2);
        let inside = &self.source[open + 2..close.unwrap_or(self.end)];
        let stray = stray(inside);
        let Some(close) = close.filter(|_| stray.is_none()) else {
            return self.unclosed(open, stray.map(|n| open + 2 + n), "output.unclosed", "}}");
        };
        let inner = Inner::new(self.source, open + 2, close);
        self.flush(open, inner.trim_before);
        self.tokens.push(Token::Output {
            whole: span(open, close + 2),
            markup: inner.markup,
        });
        self.resume(close + 2, inner.trim_after);
    }

    fn tag(&mut self, open: usize) {
        let close = self.find("%}", open + 2);
        let inside = &self.source[open + 2..close.unwrap_or(self.end)];
        let comment = inside.trim_start_matches('-').trim_start().starts_with('#');
        let stray = if comment { None } else { stray(inside) };
        let Some(close) = close.filter(|_| stray.is_none()) else {
            return self.unclosed(open, stray.map(|n| open + 2 + n), "tag.unclosed", "%}");
        };
        let inner = Inner::new(self.source, open + 2, close);
        let whole = span(open, close + 2);
        self.flush(open, inner.trim_before);
        self.resume(close + 2, inner.trim_after);
        let (start, end) = (inner.markup.start as usize, inner.markup.end as usize);
        let tag = tag(self.source, whole, start, end);
        match tag.name.of(self.source) {
            "" if comment => self.inline_comment(inner.markup),
            "" => self.problems.push(Problem::error(
                "tag.no_name",
                whole,
                "a tag starts with its name, as in `{% if company %}`".into(),
            )),
            "raw" => self.raw(tag),
            "comment" => self.comment(tag),
            "doc" => self.doc(tag),
            _ => self.tokens.push(Token::Tag(tag)),
        }
    }

    /// Reports an opening without an end and goes on behind it.
    fn unclosed(&mut self, open: usize, stray: Option<usize>, code: &'static str, close: &str) {
        let line_end = self.find("\n", open).unwrap_or(self.end);
        let until = stray.unwrap_or(line_end).min(self.end);
        let bytes = self.source.as_bytes();
        let lone = bytes.get(until) == Some(&b'}') || bytes.get(until) == Some(&b'%');
        let opening = &self.source[open..open + 2];
        let mut problem = Problem::error(
            code,
            span(open, until.max(open + 2)),
            format!("`{opening}` has no `{close}`: end it with `{close}`"),
        );
        if stray.is_some() {
            problem = problem.with_fix(span(until, until + usize::from(lone)), close);
        }
        self.problems.push(problem);
        self.flush(open, false);
        if stray.is_some() && code == "tag.unclosed" {
            // It is read as if it were closed, so that the block that it opens is known.
            let inner = Inner::new(self.source, open + 2, until);
            let (start, end) = (inner.markup.start as usize, inner.markup.end as usize);
            let tag = tag(self.source, span(open, until), start, end);
            if !matches!(tag.name.of(self.source), "" | "raw" | "comment" | "doc") {
                self.tokens.push(Token::Tag(tag));
            }
        }
        self.resume((until + usize::from(lone)).clamp(open + 2, self.end), false);
    }

    fn inline_comment(&mut self, markup: Span) {
        let wrong = markup
            .of(self.source)
            .lines()
            .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        if wrong.is_some() {
            self.problems.push(Problem::error(
                "comment.no_hash",
                markup,
                "every line of an inline comment starts with `#`".into(),
            ));
        }
    }

    fn raw(&mut self, tag: Tag) {
        let trim_start = self.trim;
        let Some((start, end, inner)) = self.find_end("endraw", self.at) else {
            return self.give_up(tag, "raw");
        };
        let mut content = span(self.at, start);
        if trim_start {
            let text = content.of(self.source);
            content.start += (text.len() - text.trim_start().len()) as u32;
        }
        if inner.trim_before {
            let kept = content.of(self.source).trim_end().len() as u32;
            content.end = content.start + kept;
        }
        if content.start < content.end {
            self.tokens.push(Token::Raw(content));
        }
        self.resume(end, inner.trim_after);
    }

    fn comment(&mut self, tag: Tag) {
        let mut depth = 1;
        let mut at = self.at;
        while let Some(open) = self.find("{%", at) {
            let Some(close) = self.find("%}", open + 2) else {
                break;
            };
            let inner = Inner::new(self.source, open + 2, close);
            at = close + 2;
            let text = inner.markup.of(self.source).trim_start();
            match text
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
            {
                Some("comment") => depth += 1,
                Some("endcomment") => depth -= 1,
                Some("raw") => match self.find_end("endraw", at) {
                    Some((_, end, _)) => at = end,
                    None => break,
                },
                _ => {}
            }
            if depth == 0 {
                return self.resume(at, inner.trim_after);
            }
        }
        self.give_up(tag, "comment");
    }

    fn doc(&mut self, tag: Tag) {
        if !tag.markup.of(self.source).trim().is_empty() {
            self.problems.push(Problem::error(
                "doc.arguments",
                tag.markup,
                "`doc` takes no arguments".into(),
            ));
        }
        match self.find_end("enddoc", self.at) {
            Some((start, end, inner)) => {
                if let Some((nested, nested_end, _)) = self.find_end("doc", self.at)
                    && nested < start
                {
                    self.problems.push(Problem::error(
                        "doc.nested",
                        span(nested, nested_end),
                        "`doc` can't stand inside `doc`".into(),
                    ));
                }
                self.resume(end, inner.trim_after);
            }
            None => self.give_up(tag, "doc"),
        }
    }

    /// The next `{% name %}`: where it begins and ends.
    fn find_end(&self, name: &str, from: usize) -> Option<(usize, usize, Inner)> {
        let mut at = from;
        loop {
            let open = self.find("{%", at)?;
            let rest = self.source[open + 2..self.end]
                .trim_start_matches('-')
                .trim_start();
            if let Some(rest) = rest.strip_prefix(name)
                && let Some(tail) = rest.trim_start().trim_start_matches('-').strip_prefix("%}")
            {
                let end = self.end - tail.len();
                return Some((open, end, Inner::new(self.source, open + 2, end - 2)));
            }
            at = open + 2;
        }
    }

    /// Reports a block without an end; its inside is skipped.
    fn give_up(&mut self, tag: Tag, name: &str) {
        self.problems.push(unclosed(tag.whole, name));
        self.resume(self.end, false);
    }
}

fn unclosed(whole: Span, name: &str) -> Problem {
    Problem::error(
        "tag.not_ended",
        whole,
        format!("`{name}` is never ended: add `{{% end{name} %}}`"),
    )
}

/// What stands between the braces, without the dashes that trim.
struct Inner {
    markup: Span,
    trim_before: bool,
    trim_after: bool,
}

impl Inner {
    fn new(source: &str, mut start: usize, mut end: usize) -> Self {
        let trim_before = source[start..end].starts_with('-');
        start += usize::from(trim_before);
        let trim_after = source[start..end].ends_with('-');
        end -= usize::from(trim_after);
        Self {
            markup: span(start, end),
            trim_before,
            trim_after,
        }
    }
}

/// Splits a tag's markup into name and rest.
fn tag(source: &str, whole: Span, start: usize, end: usize) -> Tag {
    let text = &source[start..end];
    let name_start = start + (text.len() - text.trim_start().len());
    let name_end = name_start
        + source[name_start..end]
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(end - name_start);
    Tag {
        whole,
        name: span(name_start, name_end),
        markup: span(name_end, end),
    }
}

/// The first brace, outside quotes, that can't be part of the markup: a second opening or a lone
/// `}`.
fn stray(inside: &str) -> Option<usize> {
    let bytes = inside.as_bytes();
    let mut quote = None;
    for (n, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (Some(q), _) if byte == q => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = bytes[n + 1..].contains(&byte).then_some(byte),
            (None, b'}') => return Some(n),
            (None, b'{') if matches!(bytes.get(n + 1), Some(b'{' | b'%')) => return Some(n),
            (None, _) => {}
        }
    }
    None
}

fn span(start: usize, end: usize) -> Span {
    Span {
        start: start as u32,
        end: end as u32,
    }
}
