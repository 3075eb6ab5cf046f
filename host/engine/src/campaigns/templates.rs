//! The texts of a campaign's steps: checked when they are saved (TPL-3), and what they ask of the
//! prospects (SEQ-6).

use std::collections::BTreeSet;

use overture_domain::campaigns::Step;
use overture_template::{Context, Mode, Severity, Template, check as check_text};

use crate::FieldError;

use super::StepIn;

/// The texts of a step with the field and the way in which each is rendered.
fn texts<'a>(
    subject: &'a str,
    html: &'a str,
    text: Option<&'a str>,
) -> impl Iterator<Item = (&'static str, &'a str, Context)> {
    [
        Some(("subject", subject, Context::Subject)),
        Some(("bodyHtml", html, Context::Html)),
        text.map(|text| ("bodyText", text, Context::Text)),
    ]
    .into_iter()
    .flatten()
}

/// The errors in the texts of steps, each with line, column, excerpt and, where there is one, the
/// fix.
pub(super) fn check(steps: &[StepIn]) -> Vec<FieldError> {
    let all = steps.iter().map(|step| {
        (
            step.subject.as_str(),
            step.body_html.as_str(),
            step.body_text.as_deref(),
        )
    });
    check_all(all)
}

/// The same for steps that are saved.
pub(super) fn check_saved(steps: &[Step]) -> Vec<FieldError> {
    let all = steps.iter().map(|step| {
        (
            step.subject.as_str(),
            step.body_html.as_str(),
            step.body_text.as_deref(),
        )
    });
    check_all(all)
}

fn check_all<'a>(
    steps: impl Iterator<Item = (&'a str, &'a str, Option<&'a str>)>,
) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    for (place, (subject, html, text)) in steps.enumerate() {
        for (field, source, context) in texts(subject, html, text) {
            let report = check_text(source, Mode::product(context));
            let errors = report
                .diagnostics
                .iter()
                .filter(|found| found.severity == Severity::Error);
            wrong.extend(errors.map(|found| {
                FieldError::new(
                    format!("steps[{place}].{field}"),
                    found.code,
                    found.to_string(),
                )
            }));
        }
    }
    wrong
}

/// Custom fields that the texts write without a default: a prospect without one of them is parked
/// (TPL-4), and where nobody has it the campaign can't start (SEQ-6).
pub(super) fn needed_custom_fields(steps: &[Step]) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for step in steps {
        for (_, source, context) in texts(&step.subject, &step.body_html, step.body_text.as_deref())
        {
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
