//! Runs the conformance cases of a golden-liquid file:
//! `cargo run -p overture-template --example golden -- golden_liquid.json`
//!
//! It prints each failure by name with its reason, and last `passed N of M`. With `product` as a
//! second argument the cases run in the product's mode for plain text, which shows what that mode
//! changes.
#![expect(clippy::print_stdout, reason = "the report is what it is for")]

use std::{collections::BTreeMap, error::Error};

use overture_template::{Context, Mode, RenderOptions, Seed, Template};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct File {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    template: String,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    templates: BTreeMap<String, String>,
    result: Option<String>,
    results: Option<Vec<String>>,
    #[serde(default)]
    invalid: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: golden FILE [product]")?;
    let mode = match args.next().as_deref() {
        Some("product") => Mode::product(Context::Text),
        _ => Mode::CONFORMANCE,
    };
    let file: File = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut passed = 0;
    for case in &file.tests {
        match judge(case, mode) {
            Ok(()) => passed += 1,
            Err(reason) => println!("{}: {reason}", case.name),
        }
    }
    println!("passed {passed} of {}", file.tests.len());
    Ok(())
}

fn judge(case: &Case, mode: Mode) -> Result<(), String> {
    match (render(case, mode), case.invalid) {
        (Err(_), true) => Ok(()),
        (Ok(text), true) => Err(format!("should fail, gave {text:?}")),
        (Err(error), false) => Err(error),
        (Ok(text), false) => {
            let wanted: Vec<&String> = case
                .result
                .iter()
                .chain(case.results.iter().flatten())
                .collect();
            if wanted.contains(&&text) {
                return Ok(());
            }
            Err(format!("gave {text:?}, wanted {wanted:?}"))
        }
    }
}

fn render(case: &Case, mode: Mode) -> Result<String, String> {
    let partials: Vec<_> = case
        .templates
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let template =
        Template::parse_with_partials(&case.template, mode, &partials).map_err(|errors| {
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        })?;
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let options = RenderOptions::new(Seed::default(), now);
    let rendered = template
        .render(&case.data, &options)
        .map_err(|error| error.to_string())?;
    Ok(rendered.text)
}
