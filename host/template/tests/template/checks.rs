//! TPL-3: all errors at once, each with its place and, for the usual slips, a fix.

use overture_template::{Context, Mode, Severity, Template, check};

use crate::errors;

const TEXT: Mode = Mode::product(Context::Text);
const HTML: Mode = Mode::product(Context::Html);

/// The only finding, where it stands, and the source after its fix.
#[track_caller]
fn check_fix(source: &str, code: &str, column: usize, mended: &str) {
    let found = check(source, TEXT).diagnostics;
    assert_eq!(found.len(), 1, "{source}: {found:#?}");
    assert_eq!((found[0].code, found[0].column), (code, column), "{source}");
    let fix = found[0]
        .fix
        .clone()
        .unwrap_or_else(|| panic!("{source}: no fix"));
    let mut fixed = source.to_owned();
    fixed.replace_range(fix.start..fix.end, &fix.replacement);
    assert_eq!(fixed, mended, "{source}");
    assert!(Template::parse(&fixed, TEXT).is_ok(), "{fixed}");
}

#[test]
fn usual_slips_have_a_fix() {
    check_fix(
        "Hi {{firstName}, you",
        "output.unclosed",
        4,
        "Hi {{firstName}}, you",
    );
    check_fix(
        "Hi {firstName}}, you",
        "output.brace_missing",
        4,
        "Hi {{firstName}}, you",
    );
    check_fix(
        "Hi { {firstName}}, you",
        "output.spaced_braces",
        4,
        "Hi {{firstName}}, you",
    );
    check_fix(
        "Hi {{firstName} }, you",
        "output.unclosed",
        4,
        "Hi {{firstName}} }, you",
    );
    check_fix(
        "Hi {firstName}, you",
        "output.single_braces",
        4,
        "Hi {{firstName}}, you",
    );
    check_fix(
        "Hi {custom.team}",
        "output.single_braces",
        4,
        "Hi {{custom.team}}",
    );
    check_fix(
        "Hi {{{firstName}}}",
        "output.three_braces",
        4,
        "Hi {{ firstName | raw }}",
    );
    check_fix(
        "{{ city | capitalise }}",
        "filter.unknown",
        11,
        "{{ city | capitalize }}",
    );
    check_fix(
        "{{ city upcase }}",
        "syntax.unexpected",
        9,
        "{{ city | upcase }}",
    );
    check_fix(
        "{{ first name }}",
        "syntax.unexpected",
        4,
        "{{ firstName }}",
    );
    check_fix(
        "{{ city | default: “x” }}".replace('”', "\"").as_str(),
        "syntax.curly_quote",
        20,
        "{{ city | default: \"x\" }}",
    );
    check_fix(
        "{% if city = 'x' %}{% endif %}",
        "condition.assign",
        12,
        "{% if city == 'x' %}{% endif %}",
    );
    check_fix(
        "{% if city && role %}{% endif %}",
        "syntax.operator",
        12,
        "{% if city and role %}{% endif %}",
    );
    check_fix("{% asign x = 1 %}", "tag.unknown", 4, "{% assign x = 1 %}");
    check_fix("{{ firstname }}", "variable.unknown", 4, "{{ firstName }}");
    check_fix("{{ compnay }}", "variable.unknown", 4, "{{ company }}");
    check_fix(
        "{% if city %}a{% else if role %}b{% endif %}",
        "else.ignored",
        15,
        "{% if city %}a{% elsif role %}b{% endif %}",
    );
    check_fix(
        "{% if city }x{% endif %}",
        "tag.unclosed",
        1,
        "{% if city %}x{% endif %}",
    );
}

#[test]
fn all_errors_come_at_once() {
    let found = errors(
        "{{ a | nosuch }}\n{% if b == %}\n{{ c.. }}{% endif %}\n{% endfor %}\n{% wat %}{% for x in y %}",
        TEXT,
    );
    let places: Vec<_> = found.iter().map(|d| (d.line, d.column, d.code)).collect();
    assert_eq!(
        places,
        [
            (1, 8, "filter.unknown"),
            (2, 11, "syntax.incomplete"),
            (3, 5, "syntax.unexpected"),
            (4, 1, "tag.misplaced"),
            (5, 1, "tag.unknown"),
            (5, 10, "tag.not_ended"),
        ]
    );
    assert!(
        found
            .iter()
            .all(|d| d.severity == Severity::Error && !d.message.is_empty())
    );
}

#[test]
fn probable_slips_are_warnings() {
    let codes = |source: &str, mode| {
        let report = check(source, mode);
        assert!(report.valid, "{source}: {:?}", report.diagnostics);
        report
            .diagnostics
            .iter()
            .map(|d| d.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        codes("{% if true %}a{% endif %}", TEXT),
        ["condition.constant"]
    );
    assert_eq!(
        codes("{% if 1 > 2 and city %}a{% endif %}", TEXT),
        ["condition.constant"]
    );
    assert_eq!(codes("a {{ }}", TEXT), ["output.empty"]);
    assert_eq!(codes("Hi {a|b", TEXT), ["spintax.not_closed"]);
    assert_eq!(
        codes("<a href={{ website }}>x</a>", HTML),
        ["html.unquoted"]
    );
    assert_eq!(
        codes("<a href=\"{{ website }}\">x={{ city }}</a>", HTML),
        [""; 0]
    );
    assert_eq!(
        codes("Hi {{ firstName }}, {a|b} {{ custom.firstname }}", TEXT),
        [""; 0]
    );
}

#[test]
fn css_and_json_are_no_slips() {
    let source =
        "<style>@media (max-width: 1px){.a{color:red}.b{margin:0}}</style>{\"a\":{\"b\":1}}";
    assert!(check(source, HTML).diagnostics.is_empty());
    assert!(check(r"write \{firstName\}", TEXT).diagnostics.is_empty());
}

#[test]
fn a_report_is_json() {
    let report = serde_json::to_value(check("Hi {{ x", TEXT)).unwrap();
    assert_eq!(
        report,
        crate::json(
            r#"{"valid":false,"diagnostics":[{"severity":"error","code":"output.unclosed",
            "message":"`{{` has no `}}`: end it with `}}`","partial":null,"line":1,"column":4,
            "start":3,"end":7,"excerpt":"Hi {{ x\n   ^^^^","fix":null}],
            "variables":{"builtin":[],"custom":[],"assigned":[],"without_default":[]},
            "combinations":0}"#
        )
    );
}
