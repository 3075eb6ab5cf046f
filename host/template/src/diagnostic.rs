//! Findings about a template, in the form that API, command line and page show alike (TPL-3).

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The template can't be saved.
    Error,
    /// The template works, but probably not as meant.
    Warning,
}

/// One finding and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether a save is refused.
    pub severity: Severity,
    /// Stable name of the kind of finding, such as `output.unclosed`.
    pub code: &'static str,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
    /// The partial in which it stands; `None` for the template itself.
    pub partial: Option<String>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// First byte in the source.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// The line with carets under the place.
    pub excerpt: String,
    /// A change that would mend it.
    pub fix: Option<Fix>,
}

/// A change that mends a finding: put `replacement` in place of the bytes from `start` to `end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// First byte in the source.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
    /// The new text.
    pub replacement: String,
}

/// `3:14: error[output.unclosed]: …` and the excerpt.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(partial) = &self.partial {
            write!(f, "{partial}:")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(
            f,
            "{}:{}: {severity}[{}]: {}\n{}",
            self.line, self.column, self.code, self.message, self.excerpt
        )?;
        match &self.fix {
            Some(fix) => write!(f, "\nfix: {}", fix.replacement),
            None => Ok(()),
        }
    }
}

/// The text of a template and of its partials, one behind the other, so that a place is one
/// number everywhere.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) text: Box<str>,
    /// Name and first byte; the template itself comes first and has no name.
    pub(crate) units: Vec<(String, u32)>,
}

impl Sources {
    pub(crate) fn new(template: &str, partials: &[(&str, &str)]) -> Self {
        let mut text = String::from(template);
        let mut units = vec![(String::new(), 0)];
        for (name, source) in partials {
            units.push(((*name).to_owned(), text.len() as u32));
            text.push_str(source);
        }
        Self {
            text: text.into(),
            units,
        }
    }

    /// Where unit number `index` begins and ends.
    pub(crate) fn unit(&self, index: usize) -> (u32, u32) {
        let end = self
            .units
            .get(index + 1)
            .map_or(self.text.len() as u32, |(_, start)| *start);
        (self.units[index].1, end)
    }

    /// The finding about the bytes from `start` to `end`.
    pub(crate) fn finding(
        &self,
        severity: Severity,
        code: &'static str,
        (start, end): (u32, u32),
        message: String,
        fix: Option<Fix>,
    ) -> Diagnostic {
        let index = self
            .units
            .iter()
            .rposition(|(_, at)| *at <= start)
            .unwrap_or(0);
        let (base, limit) = self.unit(index);
        let source = &self.text[base as usize..limit as usize];
        let start = floor_boundary(source, (start - base) as usize);
        let end = floor_boundary(source, (end.min(limit) - base) as usize).max(start);
        let line_start = source[..start].rfind('\n').map_or(0, |n| n + 1);
        let line = source[line_start..].lines().next().unwrap_or("");
        let before = source[line_start..start].chars().count();
        let width = source[start..end.min(line_start + line.len()).max(start)]
            .chars()
            .count();
        Diagnostic {
            severity,
            code,
            message,
            partial: (index > 0).then(|| self.units[index].0.clone()),
            line: source[..start].matches('\n').count() + 1,
            column: before + 1,
            start,
            end,
            excerpt: excerpt(line, before, width.max(1)),
            fix: fix.map(|fix| Fix {
                start: fix.start - base as usize,
                end: fix.end - base as usize,
                ..fix
            }),
        }
    }
}

/// The line and, below it, carets from character `before` on; long lines are cut around the
/// place.
fn excerpt(line: &str, before: usize, width: usize) -> String {
    const AROUND: usize = 60;
    let skip = before.saturating_sub(AROUND);
    let total = line.chars().count();
    let shown = (before - skip) + width.min(AROUND) + AROUND;
    let mut text = String::new();
    let mut lead = before - skip;
    if skip > 0 {
        text.push('…');
        lead += 1;
    }
    text.extend(
        line.chars()
            .skip(skip)
            .take(shown)
            .map(|c| if c.is_control() { ' ' } else { c }),
    );
    if skip + shown < total {
        text.push('…');
    }
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', lead));
    text.extend(std::iter::repeat_n('^', width.min(AROUND)));
    text
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    // TPL-3: line, column, range, excerpt with a caret.
    #[test]
    fn a_finding_names_its_place() {
        let sources = Sources::new("Hé\nüber {{ x", &[]);
        let d = sources.finding(Severity::Error, "c", (10, 14), "m".into(), None);
        assert_eq!((d.line, d.column, d.start, d.end), (2, 6, 10, 14));
        assert_eq!(d.excerpt, "über {{ x\n     ^^^^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}X{}", "a".repeat(300), "b".repeat(300));
        let sources = Sources::new(&line, &[]);
        let d = sources.finding(Severity::Error, "c", (300, 301), "m".into(), None);
        let (shown, carets) = d.excerpt.split_once('\n').unwrap();
        assert_eq!(shown.chars().nth(carets.chars().count() - 1), Some('X'));
        assert!(shown.chars().count() < 130);
    }
}
