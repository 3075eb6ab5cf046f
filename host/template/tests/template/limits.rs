//! A hostile template ends with an error, neither hangs nor eats the memory.

use overture_template::{Limits, Mode, RenderError, RenderOptions, Template};

use crate::{json, options};

#[track_caller]
fn check(source: &str, data: &str) {
    let template = Template::parse(source, Mode::CONFORMANCE).unwrap();
    let result = template.render(&json(data), &options());
    assert!(
        matches!(result, Err(RenderError::Limit(_))),
        "{source}: {result:?}"
    );
}

#[test]
fn hostile_templates_end() {
    check("{% for i in (1..999999999) %}x{% endfor %}", "{}");
    check(
        "{% for i in (1..999) %}{% for j in (1..999) %}{% endfor %}{% endfor %}",
        "{}",
    );
    check("{% tablerow i in (1..999999999) %}{% endtablerow %}", "{}");
    check(
        "{% assign s = 'xxxxxxxx' %}{% for i in (1..99) %}{% assign s = s | append: s %}{% endfor %}",
        "{}",
    );
    check(
        "{% assign s = 'xxxxxxxx' %}{% for i in (1..99) %}{% assign s = s | replace: 'x', s %}{% endfor %}",
        "{}",
    );
    check(
        "{% assign s = 'xxxxxxxx' %}{% for i in (1..99) %}{% capture s %}{{ s }}{{ s }}{% endcapture %}{% endfor %}",
        "{}",
    );
    check("{{ (1..999999999) | join: 'x' }}", "{}");
    check(
        "{{ (-9223372036854775807..9223372036854775807) | reverse }}",
        "{}",
    );
    check(
        "{% assign l = (1..1000) | reverse %}{% for i in (1..99) %}{% assign l = l | concat: l %}{% endfor %}",
        "{}",
    );
    check("{% assign l = (1..20000) | reverse | uniq %}", "{}");
    check(
        "{% for i in (1..9999) %}{{ big }}{% endfor %}",
        &format!(r#"{{"big":"{}"}}"#, "x".repeat(999)),
    );
}

#[test]
fn limits_are_settable_and_say_where() {
    let template = Template::parse("ab\n{{ x }}", Mode::CONFORMANCE).unwrap();
    let limits = Limits {
        bytes: 5,
        ..Limits::default()
    };
    let options = RenderOptions {
        limits,
        ..options()
    };
    let error = template
        .render(&json(r#"{"x":"12345"}"#), &options)
        .unwrap_err();
    let RenderError::Limit(place) = error else {
        panic!("{error}")
    };
    assert_eq!(
        (place.line, place.column, place.code),
        (2, 4, "render.limit")
    );
    assert!(template.render(&json(r#"{"x":"12"}"#), &options).is_ok());
}

#[test]
fn deep_templates_are_refused() {
    let nested = |n: usize| format!("{}x{}", "{% if a %}".repeat(n), "{% endif %}".repeat(n));
    assert!(Template::parse(&nested(40), Mode::CONFORMANCE).is_ok());
    for source in [
        nested(10_000),
        "{% if a %}".repeat(10_000),
        format!("{{{{ {}a{} }}}}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{{{{ {} }}}}", "(1..".repeat(10_000)),
        "x".repeat(600 * 1024),
    ] {
        assert!(Template::parse(&source, Mode::CONFORMANCE).is_err());
    }
    let product = Mode::product(overture_template::Context::Text);
    assert!(Template::parse(&"{a|".repeat(10_000), product).is_err());
    assert!(Template::parse(&"{".repeat(10_000), product).is_err());
}

#[test]
fn failures_say_where() {
    let template = Template::parse("a\nb {{ 1 | divided_by: x }}", Mode::CONFORMANCE).unwrap();
    let error = template
        .render(&json(r#"{"x":0}"#), &options())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "2:10: error[render.failed]: `divided_by` by zero\n\
         b {{ 1 | divided_by: x }}\n         ^^^^^^^^^^^^^"
    );
}
