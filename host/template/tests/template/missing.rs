//! TPL-4: which missing values park an enrollment.

use overture_template::{Context, Data, MergeTags, Mode};

use crate::{json, render};

#[track_caller]
fn check(source: &str, data: &str, wanted: &[&str]) {
    let rendered = render(source, Mode::product(Context::Text), &json(data));
    assert_eq!(rendered.missing, wanted, "{source}");
    assert!(
        render(source, Mode::CONFORMANCE, &json(data))
            .missing
            .is_empty()
    );
}

#[test]
fn what_is_written_without_value_or_default_is_missing() {
    check("Hi {{ firstName }}", "{}", &["firstName"]);
    check("Hi {{ first_name }}", "{}", &["firstName"]);
    check(
        "Hi {{ firstName }}",
        r#"{"firstName":null}"#,
        &["firstName"],
    );
    check(
        "Hi {{ firstName }}",
        r#"{"firstName":"  "}"#,
        &["firstName"],
    );
    check("Hi {{ firstName }}", r#"{"firstName":"Ada"}"#, &[]);
    check(
        "{{ custom.team }}{{ team }}{{ custom['team'] }}",
        "{}",
        &["custom.team", "custom['team']"],
    );
    check(
        "{{ firstName | upcase }}{{ firstName }}",
        "{}",
        &["firstName"],
    );
    check("{{ 'Hi ' | append: firstName }}", "{}", &["firstName"]);
    check("{% echo company %}", "{}", &["company"]);
}

#[test]
fn a_default_settles_it() {
    check("{{ firstName | default: 'there' }}", "{}", &[]);
    check(
        "{{ firstName | default: 'there' }}",
        r#"{"firstName":" "}"#,
        &[],
    );
    check("{{ firstName | default: '' }}", "{}", &[]);
    check("{{ firstName | default: company }}", "{}", &["company"]);
    check(
        "{{ firstName | default: company | default: 'x' }}",
        "{}",
        &[],
    );
    check("{{ firstName | upcase | default: 'x' }}", "{}", &[]);
}

#[test]
fn what_is_not_written_is_not_missing() {
    check("{% if company %}at {{ company }}{% endif %}", "{}", &[]);
    check("{% for p in points %}{{ p }}{% endfor %}", "{}", &[]);
    check("{% case city %}{% when 'Oslo' %}x{% endcase %}", "{}", &[]);
    check("{% assign n = firstName %}", "{}", &[]);
}

#[test]
fn a_variable_of_the_template_names_its_source() {
    check(
        "{% assign n = firstName | upcase %}{{ n }}",
        "{}",
        &["firstName"],
    );
    check(
        "{% assign n = firstName %}{% assign n = 'x' %}{{ n }}",
        "{}",
        &[],
    );
    check(
        "{% assign n = firstName | default: 'x' %}{{ n }}",
        "{}",
        &[],
    );
    check(
        "{% for p in points %}{{ p.title }}{% endfor %}",
        r#"{"points":[{}]}"#,
        &["p.title"],
    );
}

#[test]
fn an_option_that_is_not_taken_misses_nothing() {
    let template = crate::parse("{Hi {{ firstName }}|Hello}", Mode::product(Context::Text));
    let missing: Vec<_> = template
        .variants()
        .map(|v| {
            template
                .render_variant(&v, &(), &crate::options())
                .unwrap()
                .missing
                .len()
        })
        .collect();
    assert_eq!(missing, [1, 0]);
}

#[test]
fn blank_fields_of_a_prospect_are_missing() {
    let tags = MergeTags {
        first_name: Some(" "),
        company: Some(""),
        ..MergeTags::default()
    };
    assert!(tags.get("firstName").is_none() && tags.get("company").is_none());
    let rendered = render(
        "{{ firstName }}{{ company }}",
        Mode::product(Context::Text),
        &tags,
    );
    assert_eq!(rendered.missing, ["firstName", "company"]);
}
