//! The one check behind save, Validate and the command line (TPL-3).

mod lint;
mod survey;

use serde::Serialize;

use crate::{Diagnostic, Mode, Template, Variables};

pub(crate) use lint::lint;
pub(crate) use survey::variables;

/// All that is known about a template without data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether it can be saved: no finding is an error.
    pub valid: bool,
    /// Errors and warnings in the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// The variables that it names; empty when it isn't valid.
    pub variables: Variables,
    /// How many texts its spintax can make for one reader; 0 when it isn't valid.
    pub combinations: u64,
}

/// Checks a template's text for `mode`.
///
/// ```
/// use overture_template::{Context, Mode, check};
///
/// let report = check("Hi {{ firstName }, how are you?", Mode::product(Context::Text));
/// assert!(!report.valid);
/// assert_eq!(
///     report.diagnostics[0].to_string(),
///     "1:4: error[output.unclosed]: `{{` has no `}}`: end it with `}}`\n\
///      Hi {{ firstName }, how are you?\n   \
///         ^^^^^^^^^^^^^\n\
///      fix: }}",
/// );
/// ```
pub fn check(source: &str, mode: Mode) -> Report {
    match Template::parse(source, mode) {
        Ok(template) => Report {
            valid: true,
            variables: template.variables(),
            combinations: template.combinations(),
            diagnostics: template.warnings,
        },
        Err(diagnostics) => Report {
            valid: false,
            diagnostics,
            variables: Variables::default(),
            combinations: 0,
        },
    }
}
