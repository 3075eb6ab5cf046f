//! TPL-1: the product's merge tags.

use overture_template::{BUILTIN_TAGS, Context, JsonTags, MergeTags, Mode, Signature, builtin_tag};

use crate::{json, parse, render};

const TEXT: Mode = Mode::product(Context::Text);

#[test]
fn every_built_in_has_a_value() {
    let custom = serde_json::Map::new();
    let tags = MergeTags {
        first_name: Some("first_name"),
        last_name: Some("last_name"),
        full_name: Some("full_name"),
        email: Some("email"),
        company: Some("company"),
        role: Some("role"),
        phone: Some("phone"),
        website: Some("website"),
        linkedin_url: Some("linkedin_url"),
        city: Some("city"),
        country: Some("country"),
        industry: Some("industry"),
        headline: Some("headline"),
        location: Some("location"),
        connection_degree: Some("connection_degree"),
        sender_name: Some("sender_name"),
        sender_first_name: Some("sender_first_name"),
        sender_email: Some("sender_email"),
        unsubscribe_link: Some("unsubscribe_link"),
        campaign_name: Some("campaign_name"),
        signature: Some(Signature::Text("signature")),
        custom: Some(&custom),
    };
    for name in BUILTIN_TAGS {
        let snake: String = name
            .chars()
            .flat_map(|c| {
                let lower = c.to_ascii_lowercase();
                [c.is_ascii_uppercase().then_some('_'), Some(lower)]
            })
            .flatten()
            .collect();
        let wanted = if *name == "today" {
            "2026-03-02"
        } else {
            &snake
        };
        for spelling in [*name, &snake] {
            assert_eq!(builtin_tag(spelling), Some(*name));
            let rendered = render(&format!("{{{{ {spelling} }}}}"), TEXT, &tags);
            assert_eq!(
                (rendered.text.as_str(), rendered.missing.len()),
                (wanted, 0)
            );
        }
    }
}

#[test]
fn custom_fields_have_two_names() {
    let custom = json(r#"{"team":"sales","company":"not this"}"#);
    let tags = MergeTags {
        company: Some("Acme"),
        custom: custom.as_object(),
        ..MergeTags::default()
    };
    let source = "{{ custom.team }} {{ team }} {{ company }} {{ custom.company }}";
    assert_eq!(
        render(source, TEXT, &tags).text,
        "sales sales Acme not this"
    );
    let data = json(
        r#"{"first_name":"Ada","company":"Acme","custom":{"team":"sales","company":"not this"}}"#,
    );
    let tags = JsonTags(&data);
    assert_eq!(
        render(source, TEXT, &tags).text,
        "sales sales Acme not this"
    );
    assert_eq!(
        render("{{ firstName }}{{ first_name }}", TEXT, &tags).text,
        "AdaAda"
    );
}

#[test]
fn variables_are_told() {
    let found = parse(
        "{% assign greeting = 'Hi' %}{{ greeting }} {{ first_name | default: 'you' }} {{ company }}\
         {% if city %}{{ city }}{% endif %}{% if role == blank %}-{% else %}{{ role }}{% endif %}\
         {{ custom.team }} {{ budget }}{% for p in custom['points'] %}{{ p }}{% endfor %}",
        TEXT,
    )
    .variables();
    assert_eq!(found.builtin, ["city", "company", "firstName", "role"]);
    assert_eq!(found.custom, ["budget", "points", "team"]);
    assert_eq!(found.assigned, ["greeting", "p"]);
    assert_eq!(
        found.without_default,
        ["company", "custom.budget", "custom.team"]
    );
}

#[test]
fn guards_are_understood() {
    let cases: [(&str, &[&str]); 7] = [
        (
            "{% if city and company %}{{ city }}{{ company }}{% endif %}",
            &[],
        ),
        ("{% if city or company %}{{ city }}{% endif %}", &["city"]),
        (
            "{% unless city %}{{ city }}{% else %}{{ city }}{% endunless %}",
            &["city"],
        ),
        ("{% if city != blank %}{{ city }}{% endif %}", &[]),
        (
            "{% if city == '' %}{% elsif company %}{{ city }}{{ company }}{% endif %}",
            &[],
        ),
        ("{% assign c = city %}{{ c }}", &["city"]),
        ("{% assign c = city %}{{ c | default: 'x' }}", &[]),
    ];
    for (source, wanted) in cases {
        assert_eq!(
            parse(source, TEXT).variables().without_default,
            wanted,
            "{source}"
        );
    }
}
