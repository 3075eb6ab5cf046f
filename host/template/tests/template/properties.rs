//! Whatever is parsed and rendered: no panic, and the same twice.

use overture_template::{Context, Mode, Template, check};
use proptest::prelude::*;

use crate::{json, options};

/// Pieces of templates, right and wrong.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{",
    "}",
    "|",
    "\\",
    "-",
    " ",
    "\n",
    "a",
    "x.y",
    "[0]",
    "['k']",
    "'",
    "\"",
    "..",
    "(1..3)",
    ":",
    ",",
    "==",
    "<",
    "contains",
    "and",
    "or",
    "1",
    "-2.5",
    "nil",
    "blank",
    "{% if a %}",
    "{% elsif b %}",
    "{% else %}",
    "{% endif %}",
    "{% for i in l %}",
    "{% endfor %}",
    "{% break %}",
    "{% case a %}",
    "{% when 1 %}",
    "{% endcase %}",
    "{% raw %}",
    "{% endraw %}",
    "{% comment %}",
    "{% endcomment %}",
    "{% liquid",
    "{% assign a = ",
    "{% capture c %}",
    "{% endcapture %}",
    "{% cycle ",
    "{% increment n %}",
    "{% # ",
    "{% doc %}",
    "{% tablerow i in l cols: 2 %}",
    "{% endtablerow %}",
    "{% include 'p' %}",
    "{{ a | ",
    "{{ l | sort }}",
    "{{ l | join: ",
    "| upcase",
    "| slice: -1, 9",
    "| date: '%Q%9999d%'",
    "| truncate: 2",
    "| split: ''",
    "| where: 'k'",
    "| round: 400",
    "| divided_by: 0.0",
    "{a|b}",
    "é",
    "\u{2028}",
    "“",
    "\0",
    "🙂",
    "forloop.parentloop.index",
    "{ {x}}",
    "{x}}",
];

const DATA: &str =
    r#"{"a":"é🙂","b":false,"l":[1,"two",null,{"k":[3]}],"x":{"y":-0.5},"n":9223372036854775807}"#;

fn source() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        9 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(source in source()) {
        for mode in [Mode::CONFORMANCE, Mode::product(Context::Html), Mode::product(Context::Subject)] {
            let report = check(&source, mode);
            for finding in &report.diagnostics {
                prop_assert!(finding.start <= finding.end && finding.end <= source.len());
                prop_assert!(source.get(finding.start..finding.end).is_some());
                if let Some(fix) = &finding.fix {
                    prop_assert!(source.get(fix.start..fix.end).is_some(), "{finding:?}");
                }
            }
            let partials = [("p", "[{{ a }}{% include 'p' %}]")];
            let Ok(template) = Template::parse_with_partials(&source, mode, &partials) else {
                continue;
            };
            let data = json(DATA);
            let once = template.render(&data, &options());
            prop_assert_eq!(&once, &template.render(&data, &options()));
            if let Ok(rendered) = once {
                prop_assert!(rendered.text.len() <= options().limits.bytes);
            }
        }
    }

    // TPL-5: text without signs is written as it stands.
    #[test]
    fn plain_text_is_kept(text in "[^{}|\\\\\\p{Cc}]*") {
        let template = Template::parse(&text, Mode::product(Context::Html)).unwrap();
        prop_assert_eq!(template.render(&(), &options()).unwrap().text, text);
    }
}
