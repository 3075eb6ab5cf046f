//! Expressions, filter chains and conditions.

use crate::{
    ast::{
        Comparison, Condition, Expr, FilterCall, Filtered, Join, Operator, Path, Root, Segment,
        Span,
    },
    filters::Filter,
};

use super::{
    Names,
    errors::{Problem, closest},
    lexer::{Lexeme, Lexer},
};

type Result<T> = std::result::Result<T, Problem>;

/// How deep brackets and ranges may stand inside each other.
const NESTING: usize = 16;

/// An expression with its filters, up to the end of the markup.
pub(super) fn filtered(lexer: &mut Lexer<'_>, names: &mut Names) -> Result<Filtered> {
    let start = lexer.position();
    let expr = expression(lexer, names)?;
    let mut filters = Vec::new();
    while lexer.take(Lexeme::Pipe)? {
        filters.push(filter(lexer, names)?);
    }
    let span = lexer.since(start);
    end(lexer, &expr)?;
    Ok(Filtered {
        span,
        expr,
        filters,
    })
}

/// Nothing may follow.
fn end(lexer: &mut Lexer<'_>, expr: &Expr) -> Result<()> {
    let (found, span) = lexer.next()?;
    if found == Lexeme::End {
        return Ok(());
    }
    let mut problem = lexer.unexpected(
        found,
        span,
        "an output is one value and its filters, as in `{{ company | default: \"you\" }}`",
    );
    if found == Lexeme::Word
        && let Expr::Path(path) = expr
        && let word = span.of(lexer.source)
        && Filter::find(word).is_none()
    {
        // `{{ first name }}`
        let joined = format!("{} {word}", path.span.of(lexer.source));
        if let Some(tag) = closest(&joined, crate::BUILTIN_TAGS.iter().copied()) {
            let whole = Span {
                start: path.span.start,
                end: span.end,
            };
            problem = Problem::error(
                "syntax.unexpected",
                whole,
                format!("a variable is one word: did you mean `{tag}`?"),
            )
            .with_fix(whole, tag);
        }
    } else if found == Lexeme::Word && Filter::find(span.of(lexer.source)).is_some() {
        let before = Span {
            start: span.start,
            end: span.start,
        };
        problem = problem.with_fix(before, "| ");
    }
    Err(problem)
}

fn filter(lexer: &mut Lexer<'_>, names: &mut Names) -> Result<FilterCall> {
    let span = lexer.expect(Lexeme::Word, "after `|` comes the name of a filter")?;
    let name = span.of(lexer.source);
    let Some(filter) = Filter::find(name) else {
        let mut problem = Problem::error(
            "filter.unknown",
            span,
            format!("there is no filter `{name}`"),
        );
        if let Some(near) = closest(name, Filter::NAMES.iter().copied()) {
            problem = Problem::error(
                "filter.unknown",
                span,
                format!("there is no filter `{name}`: did you mean `{near}`?"),
            )
            .with_fix(span, near);
        }
        return Err(problem);
    };
    let mut args = Vec::new();
    let mut allow_false = None;
    if lexer.take(Lexeme::Colon)? {
        loop {
            let mut ahead = lexer.clone();
            let keyword = ahead.next()?;
            if keyword.0 == Lexeme::Word && ahead.take(Lexeme::Colon)? {
                let word = keyword.1.of(lexer.source);
                if filter != Filter::Default || word != "allow_false" {
                    return Err(Problem::error(
                        "filter.argument",
                        keyword.1,
                        format!("`{name}` has no argument named `{word}`"),
                    ));
                }
                *lexer = ahead;
                allow_false = Some(expression(lexer, names)?);
            } else {
                args.push(expression(lexer, names)?);
            }
            if !lexer.take(Lexeme::Comma)? {
                break;
            }
        }
    }
    let whole = lexer.since(span.start as usize);
    let (least, most) = filter.arity();
    if args.len() < least || args.len() > most {
        let takes = match (least, most) {
            (0, 0) => "no argument".into(),
            (1, 1) => "one argument".into(),
            (a, b) if a == b => format!("{a} arguments"),
            (a, b) => format!("{a} to {b} arguments"),
        };
        return Err(Problem::error(
            "filter.arguments",
            whole,
            format!("`{name}` takes {takes}, here are {}", args.len()),
        ));
    }
    Ok(FilterCall {
        span: whole,
        filter,
        args,
        allow_false,
    })
}

/// One value: a literal, a variable, or a range.
pub(super) fn expression(lexer: &mut Lexer<'_>, names: &mut Names) -> Result<Expr> {
    nested(lexer, names, 0)
}

fn nested(lexer: &mut Lexer<'_>, names: &mut Names, depth: usize) -> Result<Expr> {
    let start = lexer.position();
    let (lexeme, span) = lexer.next()?;
    if depth > NESTING {
        return Err(Problem::error(
            "syntax.too_deep",
            span,
            format!("brackets stand more than {NESTING} deep"),
        ));
    }
    match lexeme {
        Lexeme::Int(n) => Ok(Expr::Int(n)),
        Lexeme::Float(n) => Ok(Expr::Float(n)),
        Lexeme::Text(span) => Ok(Expr::Text(span)),
        Lexeme::OpenParen => {
            let low = nested(lexer, names, depth + 1)?;
            lexer.expect(Lexeme::Dots, "a range is written `(1..5)`")?;
            let high = nested(lexer, names, depth + 1)?;
            lexer.expect(Lexeme::CloseParen, "a range ends with `)`")?;
            Ok(Expr::Range(Box::new((low, high))))
        }
        Lexeme::OpenBracket => {
            let name = nested(lexer, names, depth + 1)?;
            lexer.expect(Lexeme::CloseBracket, "`[` ends with `]`")?;
            path(lexer, names, start, Root::Bracket(name), depth)
        }
        Lexeme::Word => {
            let word = span.of(lexer.source);
            let follows = matches!(lexer.peek(), Ok(Lexeme::Dot | Lexeme::OpenBracket));
            match word {
                "nil" | "null" if !follows => Ok(Expr::Nil),
                "true" if !follows => Ok(Expr::Bool(true)),
                "false" if !follows => Ok(Expr::Bool(false)),
                "blank" if !follows => Ok(Expr::Blank),
                "empty" if !follows => Ok(Expr::Empty),
                _ => {
                    let slot = names.slot(word);
                    path(lexer, names, start, Root::Slot(slot), depth)
                }
            }
        }
        other => Err(lexer.unexpected(other, span, "a variable, text in quotes or a number")),
    }
}

fn path(
    lexer: &mut Lexer<'_>,
    names: &mut Names,
    start: usize,
    root: Root,
    depth: usize,
) -> Result<Expr> {
    let mut segments = Vec::new();
    loop {
        // What can't be read here is reported by whoever reads on.
        match lexer.peek() {
            Ok(Lexeme::Dot) => {
                lexer.next()?;
                let key = lexer.expect(Lexeme::Word, "after `.` comes a name")?;
                segments.push(Segment::Key(key));
            }
            Ok(Lexeme::OpenBracket) => {
                lexer.next()?;
                let key = nested(lexer, names, depth + 1)?;
                lexer.expect(Lexeme::CloseBracket, "`[` ends with `]`")?;
                segments.push(Segment::Bracket(key));
            }
            _ => break,
        }
    }
    Ok(Expr::Path(Box::new(Path {
        span: lexer.since(start),
        root,
        segments,
    })))
}

/// Comparisons joined by `and` and `or`, up to the end of the markup.
pub(super) fn condition(
    lexer: &mut Lexer<'_>,
    names: &mut Names,
    negated: bool,
) -> Result<Condition> {
    let start = lexer.position();
    let first = comparison(lexer, names)?;
    let mut rest = Vec::new();
    loop {
        let join = if lexer.take_word("and") {
            Join::And
        } else if lexer.take_word("or") {
            Join::Or
        } else {
            break;
        };
        rest.push((join, comparison(lexer, names)?));
    }
    let span = lexer.since(start);
    match lexer.next()? {
        (Lexeme::End, _) => Ok(Condition {
            span,
            negated,
            first,
            rest,
        }),
        (Lexeme::Pipe, at) => Err(Problem::error(
            "condition.filter",
            at,
            "a condition takes no filters: `{% assign x = … | … %}` first, then ask for `x`".into(),
        )),
        (Lexeme::Assign, at) => Err(Problem::error(
            "condition.assign",
            at,
            "`=` assigns; a comparison is written `==`".into(),
        )
        .with_fix(at, "==")),
        (found, at) => Err(lexer.unexpected(
            found,
            at,
            "conditions are joined by `and` or `or` and compared by == != < > <= >= contains",
        )),
    }
}

fn comparison(lexer: &mut Lexer<'_>, names: &mut Names) -> Result<Comparison> {
    let start = lexer.position();
    if lexer.peek_word() == Some("not") {
        return Err(Problem::error(
            "condition.not",
            lexer.next()?.1,
            "Liquid has no `not`: use `unless`, or compare with `!=` or `== blank`".into(),
        ));
    }
    let left = expression(lexer, names)?;
    let operator = match lexer.peek()? {
        Lexeme::Operator(operator) => {
            lexer.next()?;
            Some(operator)
        }
        Lexeme::Word if lexer.take_word("contains") => Some(Operator::Contains),
        _ => None,
    };
    let right = match operator {
        Some(operator) => Some((operator, expression(lexer, names)?)),
        None => None,
    };
    Ok(Comparison {
        span: lexer.since(start),
        left,
        right,
    })
}
