//! Cuts the markup inside a tag into words, numbers and signs.

use crate::ast::{Operator, Span};

use super::errors::Problem;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Lexeme {
    Word,
    Int(i64),
    Float(f64),
    /// The span is what stands between the quotes.
    Text(Span),
    Dot,
    Dots,
    OpenBracket,
    CloseBracket,
    OpenParen,
    CloseParen,
    Colon,
    Comma,
    Pipe,
    Assign,
    Operator(Operator),
    End,
}

/// A place in the markup.
#[derive(Clone)]
pub(super) struct Lexer<'s> {
    pub(super) source: &'s str,
    at: usize,
    end: usize,
}

type Result<T> = std::result::Result<T, Problem>;

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str, markup: Span) -> Self {
        Self {
            source,
            at: markup.start as usize,
            end: markup.end as usize,
        }
    }

    /// What comes next, left in place.
    pub(super) fn peek(&self) -> Result<Lexeme> {
        self.clone().next().map(|(lexeme, _)| lexeme)
    }

    /// The word that comes next, left in place.
    pub(super) fn peek_word(&self) -> Option<&'s str> {
        match self.clone().next() {
            Ok((Lexeme::Word, span)) => Some(span.of(self.source)),
            _ => None,
        }
    }

    /// Takes `wanted` if it comes next.
    pub(super) fn take(&mut self, wanted: Lexeme) -> Result<bool> {
        let mut ahead = self.clone();
        let found = ahead.next()?.0 == wanted;
        if found {
            *self = ahead;
        }
        Ok(found)
    }

    /// Takes the word `wanted` if it comes next.
    pub(super) fn take_word(&mut self, wanted: &str) -> bool {
        let found = self.peek_word() == Some(wanted);
        if found {
            let _ = self.next();
        }
        found
    }

    pub(super) fn expect(&mut self, wanted: Lexeme, what: &str) -> Result<Span> {
        let (found, span) = self.next()?;
        if found == wanted {
            return Ok(span);
        }
        Err(self.unexpected(found, span, what))
    }

    /// Where the next lexeme starts.
    pub(super) fn position(&self) -> usize {
        let rest = &self.source[self.at..self.end];
        self.at + (rest.len() - rest.trim_start().len())
    }

    /// From `start` to the end of the last lexeme.
    pub(super) fn since(&self, start: usize) -> Span {
        Span {
            start: start as u32,
            end: self.at.max(start) as u32,
        }
    }

    /// The error of finding `found` where `what` belongs.
    pub(super) fn unexpected(&self, found: Lexeme, span: Span, what: &str) -> Problem {
        match found {
            Lexeme::End => Problem::error(
                "syntax.incomplete",
                span,
                format!("something is missing here: {what}"),
            ),
            _ => Problem::error(
                "syntax.unexpected",
                span,
                format!("`{}` can't stand here: {what}", span.of(self.source)),
            ),
        }
    }

    /// Takes the next lexeme.
    pub(super) fn next(&mut self) -> Result<(Lexeme, Span)> {
        self.at = self.position();
        let rest = &self.source[self.at..self.end];
        let Some(first) = rest.chars().next() else {
            let end = self.end as u32;
            let start = end.saturating_sub(1);
            let start = if self.source.is_char_boundary(start as usize) {
                start
            } else {
                end
            };
            return Ok((Lexeme::End, Span { start, end }));
        };
        let second = rest[first.len_utf8()..].chars().next();
        let (lexeme, length) = match (first, second) {
            ('"' | '\'', _) => return self.quoted(first),
            ('0'..='9', _) | ('-', Some('0'..='9')) => return self.number(),
            _ if first.is_alphabetic() || first == '_' => (Lexeme::Word, word(rest)),
            ('.', Some('.')) => (Lexeme::Dots, 2),
            ('.', _) => (Lexeme::Dot, 1),
            ('[', _) => (Lexeme::OpenBracket, 1),
            (']', _) => (Lexeme::CloseBracket, 1),
            ('(', _) => (Lexeme::OpenParen, 1),
            (')', _) => (Lexeme::CloseParen, 1),
            (':', _) => (Lexeme::Colon, 1),
            (',', _) => (Lexeme::Comma, 1),
            ('=', Some('=')) => (Lexeme::Operator(Operator::Equal), 2),
            ('!', Some('=')) | ('<', Some('>')) => (Lexeme::Operator(Operator::NotEqual), 2),
            ('<', Some('=')) => (Lexeme::Operator(Operator::LessOrEqual), 2),
            ('>', Some('=')) => (Lexeme::Operator(Operator::GreaterOrEqual), 2),
            ('<', _) => (Lexeme::Operator(Operator::Less), 1),
            ('>', _) => (Lexeme::Operator(Operator::Greater), 1),
            ('|', Some('|')) => return Err(self.sign("||", "or")),
            ('&', Some('&')) => return Err(self.sign("&&", "and")),
            ('|', _) => (Lexeme::Pipe, 1),
            ('=', _) => (Lexeme::Assign, 1),
            ('“' | '”' | '„' | '‘' | '’', _) => {
                let span = self.span(first.len_utf8());
                let plain = if matches!(first, '‘' | '’') {
                    "'"
                } else {
                    "\""
                };
                return Err(Problem::error(
                    "syntax.curly_quote",
                    span,
                    format!("`{first}` is no quotation mark to Liquid: use `{plain}`"),
                )
                .with_fix(span, plain));
            }
            _ => {
                return Err(Problem::error(
                    "syntax.character",
                    self.span(first.len_utf8()),
                    format!("`{first}` has no meaning here"),
                ));
            }
        };
        let span = self.span(length);
        self.at += length;
        Ok((lexeme, span))
    }

    fn span(&self, length: usize) -> Span {
        Span {
            start: self.at as u32,
            end: (self.at + length) as u32,
        }
    }

    fn sign(&self, sign: &str, word: &str) -> Problem {
        let span = self.span(2);
        Problem::error(
            "syntax.operator",
            span,
            format!("`{sign}` is written `{word}`"),
        )
        .with_fix(span, word)
    }

    fn quoted(&mut self, quote: char) -> Result<(Lexeme, Span)> {
        let start = self.at;
        let Some(length) = self.source[start + 1..self.end].find(quote) else {
            return Err(Problem::error(
                "syntax.quote",
                Span {
                    start: start as u32,
                    end: self.end as u32,
                },
                format!("the text that starts with {quote} doesn't end"),
            ));
        };
        self.at = start + 1 + length + 1;
        let inner = Span {
            start: start as u32 + 1,
            end: self.at as u32 - 1,
        };
        Ok((Lexeme::Text(inner), self.since(start)))
    }

    fn number(&mut self) -> Result<(Lexeme, Span)> {
        let start = self.at;
        let bytes = &self.source.as_bytes()[..self.end];
        let digits = |from: usize| {
            from + bytes[from..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        let mut end = digits(start + usize::from(bytes[start] == b'-'));
        let fraction =
            bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        if fraction {
            end = digits(end + 1);
        }
        let text = &self.source[start..end];
        self.at = end;
        let lexeme = match text.parse() {
            Ok(n) if !fraction => Lexeme::Int(n),
            _ => Lexeme::Float(text.parse().unwrap_or(f64::NAN)),
        };
        Ok((lexeme, self.since(start)))
    }
}

/// Length of the word at the front: letters, digits, `_`, `-`, and one `?` at its end.
fn word(text: &str) -> usize {
    let length = text
        .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
        .unwrap_or(text.len());
    length + usize::from(text[length..].starts_with('?'))
}
