//! Rules of templates, as input and expectation.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod checks;
mod contexts;
mod hostile;
mod limits;
mod liquid;
mod missing;
mod properties;
mod spintax;
mod tags;

use overture_template::{
    Context, Data, Diagnostic, Mode, RenderError, RenderOptions, Rendered, Seed, Template,
};
use serde_json::Value;

fn options() -> RenderOptions {
    let now = "2026-03-02T09:30:00[Europe/Oslo]".parse().unwrap();
    RenderOptions::new(Seed::new("enr_1", "stp_1"), now)
}

fn parse(source: &str, mode: Mode) -> Template {
    Template::parse(source, mode).unwrap_or_else(|errors| panic!("{source}: {}", errors[0]))
}

fn errors(source: &str, mode: Mode) -> Vec<Diagnostic> {
    Template::parse(source, mode).expect_err(source)
}

fn try_render(source: &str, mode: Mode, data: &dyn Data) -> Result<Rendered, RenderError> {
    parse(source, mode).render(data, &options())
}

fn render(source: &str, mode: Mode, data: &dyn Data) -> Rendered {
    try_render(source, mode, data).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Plain Liquid, and the same in the product's mode for plain text.
#[track_caller]
fn check(source: &str, data: &str, wanted: &str) {
    let data = json(data);
    assert_eq!(
        render(source, Mode::CONFORMANCE, &data).text,
        wanted,
        "{source}"
    );
    // What separates the product from plain Liquid is escaping, spintax and missing values.
    let product = Mode {
        spintax: false,
        ..Mode::product(Context::Text)
    };
    assert_eq!(
        render(source, product, &data).text,
        wanted,
        "{source}, in the product"
    );
}

/// Fails to parse or to render.
#[track_caller]
fn check_fails(source: &str, data: &str) {
    match Template::parse(source, Mode::CONFORMANCE) {
        Err(errors) => assert!(!errors.is_empty()),
        Ok(template) => {
            let result = template.render(&json(data), &options());
            assert!(
                result.is_err(),
                "{source} gave {:?}",
                result.map(|r| r.text)
            );
        }
    }
}
