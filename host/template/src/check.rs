//! The one check behind save, Validate and the command line (TPL-3).

use serde::Serialize;

use crate::{Diagnostic, Mode, Template, Variables};

/// All that is known about a template without data.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether it can be saved: no finding is an error.
    pub valid: bool,
    /// Errors and warnings in the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// The variables that it names; empty when it isn't valid.
    pub variables: Variables,
    /// How many texts its spintax can make; 0 when it isn't valid.
    pub combinations: u64,
}

/// Checks a template's text for `mode`.
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

pub(crate) fn variables(_template: &Template) -> Variables {
    Variables::default()
}

pub(crate) fn lint(_template: &Template) -> Vec<crate::parse::Problem> {
    Vec::new()
}
