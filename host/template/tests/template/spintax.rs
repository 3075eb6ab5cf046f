//! TPL-5.

use std::collections::BTreeSet;

use overture_template::{Context, Mode, RenderOptions, Seed};

use crate::{json, options, parse, render};

const TEXT: Mode = Mode::product(Context::Text);

/// All texts that the template can make, and how many it says it can.
#[track_caller]
fn check(source: &str, wanted: &[&str]) {
    let template = parse(source, TEXT);
    assert_eq!(template.combinations(), wanted.len() as u64, "{source}");
    let made: Vec<String> = template
        .variants()
        .map(|v| {
            template
                .render_variant(&v, &json(r#"{"a":"{x|y}"}"#), &options())
                .unwrap()
                .text
        })
        .collect();
    assert_eq!(
        made.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        wanted.iter().copied().collect(),
        "{source}"
    );
}

#[test]
fn groups_and_what_is_none() {
    check("{Hi|Hello} you", &["Hi you", "Hello you"]);
    check("{a|b}{c|d}", &["ac", "ad", "bc", "bd"]);
    check("{a|{b|c} d}", &["a", "b d", "c d"]);
    check("x{ y|}", &["x y", "x"]);
    check("{|a}", &["", "a"]);
}

#[test]
fn other_braces_are_text() {
    for text in [
        "p { color: red }",
        "@media print { a { b: c } }",
        r#"{"json": {"a": [1, 2]}}"#,
        "a | b",
        "} {",
        "{",
        "a | } b",
        "{}",
        "{unclosed | group",
    ] {
        check(text, &[text]);
    }
    check(
        "p { color: {red|blue} }",
        &["p { color: red }", "p { color: blue }"],
    );
    check("{open {a|b}", &["{open a", "{open b"]);
}

#[test]
fn signs_can_be_escaped() {
    check(r"\{a|b\}", &["{a|b}"]);
    check(r"{a\|b|c}", &["a|b", "c"]);
    check(r"{a\}|b}", &["a}", "b"]);
    check(r"C:\dir\", &[r"C:\dir\"]);
}

#[test]
fn options_hold_liquid() {
    check("{Hi {{ a }}|Yo}", &["Hi {x|y}", "Yo"]);
    check(
        "{% if a %}{1|2}{% else %}{3|4|5}{% endif %}",
        &["1", "2", "2"],
    );
    check("{% raw %}{a|b}{% endraw %}", &["{a|b}"]);
    check("{{ '{a|b}' }}", &["{a|b}"]);
    check("{a{% if a %}|{% endif %}b}", &["{a|b}"]);
}

#[test]
fn values_never_spin() {
    let data = json(r#"{"firstName":"{a|b}","custom":{"c":"{{ email }}{% if %}"},"email":"x"}"#);
    assert_eq!(
        render("{Hi|Hi} {{ firstName }} {{ custom.c }}", TEXT, &data).text,
        "Hi {a|b} {{ email }}{% if %}"
    );
}

#[test]
fn a_retry_makes_the_same_choice() {
    let template = parse("{a|b|c|d|e|f|g|h}{1|2|3|4|5|6|7|8}", TEXT);
    let text = |enrollment: u32, step: &str| {
        let options = RenderOptions {
            seed: Seed::new(enrollment, step),
            ..options()
        };
        template.render(&(), &options).unwrap().text
    };
    let made: BTreeSet<String> = (0..500).map(|n| text(n, "stp_1")).collect();
    assert!(made.len() > 60, "{} of 64", made.len());
    assert!((0..50).all(|n| text(n, "stp_1") == text(n, "stp_1")));
    assert!((0..50).any(|n| text(n, "stp_1") != text(n, "stp_2")));
}

#[test]
fn choices_are_told() {
    let rendered = render("{a|b} {c|d|e}", TEXT, &());
    assert_eq!(rendered.choices.len(), 2);
    let [first, second] = [rendered.choices[0].option, rendered.choices[1].option];
    let words = [["a", "b"][first as usize], ["c", "d", "e"][second as usize]];
    assert_eq!(rendered.text, words.join(" "));
    // The same place in a loop is the same choice.
    let looped = render("{% for i in (1..9) %}{a|b}{% endfor %}", TEXT, &());
    assert_eq!(looped.choices.len(), 1);
}

#[test]
fn counting_saturates() {
    let template = parse(&"{a|b|c|d}".repeat(40), TEXT);
    assert_eq!(template.combinations(), u64::MAX);
    let last = template.variant(u64::MAX - 1);
    assert!(template.render_variant(&last, &(), &options()).is_ok());
}
