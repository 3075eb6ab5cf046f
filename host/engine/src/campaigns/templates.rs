//! The texts of a campaign's steps: checked when they are saved (TPL-3), and what they ask of the
//! prospects (SEQ-6).

use std::collections::BTreeSet;

use overture_domain::{campaigns::Step, variants::Text};
use overture_template::{self as template, Context, Mode, Severity, Template};

use crate::FieldError;

use super::{StepIn, input};

/// The parts of a text with the field and the way in which each is rendered.
fn parts(text: Text<'_>) -> impl Iterator<Item = (&'static str, &str, Context)> {
    [
        Some(("subject", text.subject, Context::Subject)),
        Some(("bodyHtml", text.body_html, Context::Html)),
        text.body_text.map(|text| ("bodyText", text, Context::Text)),
    ]
    .into_iter()
    .flatten()
}

/// The errors in the texts of steps, each with line, column, excerpt and, where there is one, the
/// fix.
pub(super) fn check(steps: &[StepIn]) -> Vec<FieldError> {
    let texts = steps
        .iter()
        .enumerate()
        .flat_map(|(place, step)| step.texts(place));
    texts
        .flat_map(|(place, text)| check_text(&place, text))
        .collect()
}

/// The same for steps that are saved.
pub(super) fn check_saved(steps: &[Step]) -> Vec<FieldError> {
    let texts = steps.iter().enumerate().flat_map(|(place, step)| {
        let many = !step.variants.is_empty();
        step.texts()
            .enumerate()
            .map(move |(n, text)| (input::place(place, many.then_some(n)), text))
    });
    texts
        .flat_map(|(place, text)| check_text(&place, text))
        .collect()
}

fn check_text(place: &str, text: Text<'_>) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    for (field, source, context) in parts(text) {
        let report = template::check(source, Mode::product(context));
        let errors = report
            .diagnostics
            .iter()
            .filter(|found| found.severity == Severity::Error);
        wrong.extend(errors.map(|found| {
            FieldError::new(format!("{place}.{field}"), found.code, found.to_string())
        }));
    }
    wrong
}

/// Custom fields that the texts write without a default: a prospect without one of them is parked
/// (TPL-4), and where nobody has it the campaign can't start (SEQ-6).
pub(super) fn needed_custom_fields(steps: &[Step]) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for step in steps {
        for (_, source, context) in step.texts().flat_map(parts) {
            let Ok(template) = Template::parse(source, Mode::product(context)) else {
                continue;
            };
            let open = template.variables().without_default;
            needed.extend(
                open.iter()
                    .filter_map(|name| name.strip_prefix("custom."))
                    .map(str::to_owned),
            );
        }
    }
    needed
}
