//! Any text as a template, any text as a value: no panic, no hang, and the same twice.
//! `cargo +nightly fuzz run render` in `host/template`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use overture_template::{Context, Mode, RenderOptions, Seed, Template};

fuzz_target!(|input: (&str, &str)| {
    let (source, value) = input;
    let data = serde_json::json!({"a": value, "l": [value, 1, null, {"k": value}], "n": 3});
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let options = RenderOptions::new(Seed::default(), now);
    for mode in [
        Mode::CONFORMANCE,
        Mode::product(Context::Html),
        Mode::product(Context::Subject),
    ] {
        if let Ok(template) = Template::parse(source, mode) {
            assert_eq!(
                template.render(&data, &options),
                template.render(&data, &options)
            );
        }
    }
});
