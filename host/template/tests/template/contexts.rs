//! TPL-2: what makes a value safe, and how long a text may get.

use overture_template::{Context, MergeTags, Mode, RenderError, Signature, check};

use crate::{errors, json, render, try_render};

#[test]
fn html_escapes_values_and_only_those() {
    let html = Mode::product(Context::Html);
    let data = json(r#"{"company":"A <b> & 'B' \"C\"","custom":{"l":["<i>",1]}}"#);
    let cases = [
        (
            "<b>{{ company }}</b>",
            "<b>A &lt;b&gt; &amp; &#39;B&#39; &quot;C&quot;</b>",
        ),
        (
            "{{ company | upcase }}",
            "A &lt;B&gt; &amp; &#39;B&#39; &quot;C&quot;",
        ),
        ("{{ company | raw }}", "A <b> & 'B' \"C\""),
        (
            "{{ company | raw | append: '<' }}",
            "A &lt;b&gt; &amp; &#39;B&#39; &quot;C&quot;&lt;",
        ),
        // Escaped once, whoever asks for it.
        (
            "{{ '<' | escape }}{{ '&lt;<' | escape_once }}",
            "&lt;&lt;&lt;",
        ),
        (
            "{% capture c %}<u>{{ custom.l }}</u>{% endcapture %}{{ c }}",
            "<u>&lt;i&gt;1</u>",
        ),
        ("{% assign a = company | slice: 2, 3 %}{{ a }}", "&lt;b&gt;"),
        ("{% for x in custom.l %}{{ x }}{% endfor %}", "&lt;i&gt;1"),
        (
            "{% cycle company %}",
            "A &lt;b&gt; &amp; &#39;B&#39; &quot;C&quot;",
        ),
        ("{{ custom.l }}", "&lt;i&gt;1"),
        ("{{ 'a\n<b' | newline_to_br }}", "a<br />\n&lt;b"),
        ("{{ '%3Cb%3E' | url_decode }}", "&lt;b&gt;"),
        ("{{ 'PGI+' | base64_decode }}", "&lt;b&gt;"),
    ];
    for (source, wanted) in cases {
        assert_eq!(render(source, html, &data).text, wanted, "{source}");
    }
}

#[test]
fn text_and_subject_are_not_escaped() {
    let data = json(r#"{"company":"A & <B>"}"#);
    for context in [
        Context::Text,
        Context::Subject,
        Context::LinkedinNote,
        Context::Post,
    ] {
        assert_eq!(
            render("{{ company }}", Mode::product(context), &data).text,
            "A & <B>"
        );
    }
}

#[test]
fn a_subject_is_one_line() {
    let subject = Mode::product(Context::Subject);
    let data = json(r#"{"company":"Acme\r\nBcc: all@example.com\u0000\u2028x"}"#);
    for source in ["Hi {{ company }}", "Hi\n{{ company | raw }}\n"] {
        assert_eq!(
            render(source, subject, &data).text,
            "Hi Acme Bcc: all@example.com x",
            "{source}"
        );
    }
}

// MB-6
#[test]
fn a_signature_is_markup_already() {
    let source = "{{ signature }}";
    let html = MergeTags {
        signature: Some(Signature::Html("<b>Jo</b>")),
        ..MergeTags::default()
    };
    assert_eq!(
        render(source, Mode::product(Context::Html), &html).text,
        "<b>Jo</b>"
    );
    let text = MergeTags {
        signature: Some(Signature::Text("Jo & Co")),
        ..MergeTags::default()
    };
    assert_eq!(
        render(source, Mode::product(Context::Text), &text).text,
        "Jo & Co"
    );
}

// LI-4
#[test]
fn a_network_text_has_a_length() {
    let contexts = [
        (Context::LinkedinNote, 300),
        (Context::InmailSubject, 200),
        (Context::InmailBody, 1_900),
        (Context::Post, 3_000),
    ];
    for (context, max) in contexts {
        let mode = Mode::product(context);
        let fits = json(&format!(r#"{{"company":"{}"}}"#, "ü".repeat(max)));
        assert_eq!(
            render("{{ company }}", mode, &fits).text.chars().count(),
            max
        );
        assert_eq!(
            try_render("{{ company }}!", mode, &fits),
            Err(RenderError::TooLong {
                length: max + 1,
                max
            })
        );
        // A text that is always too long isn't saved.
        let long = "x".repeat(max + 1);
        assert_eq!(errors(&long, mode)[0].code, "template.too_long");
        assert!(check(&format!("{{% if company %}}{long}{{% endif %}}"), mode).valid);
    }
}
