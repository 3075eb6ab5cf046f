//! Findings while parsing, before they know their lines.

use crate::{
    ast::Span,
    diagnostic::{Diagnostic, Fix, Severity, Sources},
};

#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    code: &'static str,
    pub(crate) span: Span,
    message: String,
    fix: Option<Fix>,
}

impl Problem {
    pub(crate) fn error(code: &'static str, span: Span, message: String) -> Self {
        Self {
            severity: Severity::Error,
            code,
            span,
            message,
            fix: None,
        }
    }

    pub(crate) fn warning(code: &'static str, span: Span, message: String) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// The change that mends it: `replacement` in place of `span`.
    pub(crate) fn with_fix(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix {
            start: span.start as usize,
            end: span.end as usize,
            replacement: replacement.into(),
        });
        self
    }

    pub(crate) fn place(self, sources: &Sources) -> Diagnostic {
        let span = (self.span.start, self.span.end);
        sources.finding(self.severity, self.code, span, self.message, self.fix)
    }
}

/// The name closest to `wrong`, when it is close enough to be what was meant.
pub(crate) fn closest<'n>(
    wrong: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let folded = fold(wrong);
    let allowed = match folded.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    names
        .into_iter()
        .map(|name| (distance(&folded, &fold(name)), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `first-name`, `First_Name` and `firstname` are the same word.
fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| *c != '_' && *c != '-' && *c != ' ')
        .flat_map(char::to_lowercase)
        .collect()
}

/// Edits between two words, a swap of neighbours being one (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 || a.len() > 64 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (n, row) in rows.iter_mut().enumerate() {
        row[0] = n;
    }
    for (n, cell) in rows[0].iter_mut().enumerate() {
        *cell = n;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    // TPL-3
    #[test]
    fn near_words_are_found() {
        let names = ["capitalize", "upcase", "default", "firstName"];
        assert_eq!(closest("capitalise", names), Some("capitalize"));
        assert_eq!(closest("dafault", names), Some("default"));
        assert_eq!(closest("defualt", names), Some("default"));
        assert_eq!(closest("First_Name", names), Some("firstName"));
        assert_eq!(closest("budget", names), None);
    }
}
