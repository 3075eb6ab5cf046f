//! Liquid as Shopify has it (TPL-1). The golden-liquid cases stay outside the project; these are
//! our own.

use crate::{check, check_fails};

#[test]
fn outputs_and_paths() {
    check(
        "{{ a.b[0].c }} {{ a['b'].size }}",
        r#"{"a":{"b":[{"c":7}]}}"#,
        "7 1",
    );
    check(
        "{{ list.first }}{{ list.last }}{{ list[-1] }}{{ list[9] }}",
        r#"{"list":[1,2]}"#,
        "122",
    );
    check(
        "{{ key }}{{ [key] }}",
        r#"{"key":"x","x":"found"}"#,
        "xfound",
    );
    check("{{ [a.b] }}", r#"{"a":{"b":"zz"},"zz":1}"#, "1");
    check("{{ größe }}", r#"{"größe":"XL"}"#, "XL");
    check(
        "{{ x }}|{{ 1.50 }}|{{ -3 }}|{{ true }}|{{ nil }}|{{ (1..3) }}",
        "{}",
        "|1.5|-3|true||1..3",
    );
    check(
        "{{ o }}",
        r#"{"o":{"a":1,"b":[null,"x"]}}"#,
        r#"{"a"=>1, "b"=>[null,"x"]}"#,
    );
    for wrong in [
        "{{ a b }}",
        "{{ a. }}",
        "{{ a..b }}",
        "{{ a.0 }}",
        "{{ 'x }}",
        "{{ 1 + 1 }}",
        "{{ @a }}",
    ] {
        check_fails(wrong, "{}");
    }
}

#[test]
fn white_space_control() {
    check("a \n{{- 1 -}}\n b", "{}", "a1b");
    check("a {%- if true -%} b {%- endif -%} c", "{}", "abc");
    check("a {%- comment -%} b {%- endcomment -%} c", "{}", "ac");
    check("a {%- raw -%} {{ x }} {%- endraw -%} c", "{}", "a{{ x }}c");
    check(
        "[{% if true %}  {% assign x = 1 %} {% endif %}]",
        "{}",
        "[]",
    );
}

#[test]
fn conditions() {
    let cases = [
        ("1 == 1.0", true),
        ("1 == '1'", false),
        ("'a' < 'b'", true),
        ("nil == x", true),
        ("x == blank", true),
        ("empty == blank", false),
        ("s == empty", false),
        ("'' == empty", true),
        ("s contains 'el'", true),
        ("l contains 2", true),
        ("o contains 'k'", true),
        ("x contains 'a'", false),
        ("0", true),
        ("''", true),
        ("false or true and false", false),
        ("true or false and false", true),
        ("x < 1", false),
        ("1 <> 2", true),
    ];
    for (condition, holds) in cases {
        check(
            &format!("{{% if {condition} %}}y{{% else %}}n{{% endif %}}"),
            r#"{"s":"hello","l":[1,2],"o":{"k":1}}"#,
            if holds { "y" } else { "n" },
        );
    }
    check(
        "{% unless a %}1{% elsif b %}2{% else %}3{% endunless %}",
        r#"{"a":1,"b":1}"#,
        "2",
    );
    check_fails("{% if '2' > 1 %}{% endif %}", "{}");
    check_fails("{% if a | size > 1 %}{% endif %}", "{}");
    check_fails("{% if not a %}{% endif %}", "{}");
}

#[test]
fn case_runs_each_arm_that_fits() {
    check(
        "{% case x %}{% when 1, 2 %}a{% when 2 or 3 %}b{% else %}c{% endcase %}",
        r#"{"x":2}"#,
        "ab",
    );
    check(
        "{% case x %} {% when 1 %}a{% else %}c{% endcase %}",
        r#"{"x":9}"#,
        "c",
    );
    check_fails("{% case x %}{% when %}{% endcase %}", "{}");
}

#[test]
fn loops() {
    check(
        "{% for i in (1..6) limit: 2 offset: 1 reversed %}{{ i }}{% endfor %}",
        "{}",
        "32",
    );
    check(
        "{% for i in l %}{{ i }}{% else %}none{% endfor %}",
        r#"{"l":[]}"#,
        "none",
    );
    check(
        "{% for p in o %}{{ p[0] }}={{ p[1] }};{% endfor %}",
        r#"{"o":{"a":1,"b":2}}"#,
        "a=1;b=2;",
    );
    check(
        "{% for i in (1..9) %}{% if i == 2 %}{% continue %}{% elsif i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
        "{}",
        "13",
    );
    check(
        "{% for a in l %}{% for b in l %}{{ forloop.parentloop.index }}{{ forloop.rindex0 }}{{ forloop.last }} {% endfor %}{% endfor %}",
        r#"{"l":[1,2]}"#,
        "11false 10true 21false 20true ",
    );
    check(
        "{% for i in l limit: 2 %}{{ i }}{% endfor %}-{% for i in l offset: continue %}{{ i }}{% endfor %}",
        r#"{"l":[1,2,3]}"#,
        "12-3",
    );
    check(
        "{% tablerow i in (1..3) cols: 2 %}{{ i }}{% endtablerow %}",
        "{}",
        "<tr class=\"row1\">\n<td class=\"col1\">1</td><td class=\"col2\">2</td></tr>\n<tr class=\"row2\"><td class=\"col1\">3</td></tr>\n",
    );
    check_fails("{% for i in l limit: 'x' %}{% endfor %}", r#"{"l":[1]}"#);
    check_fails("{% for i l %}{% endfor %}", "{}");
}

#[test]
fn variables_of_the_template() {
    check(
        "{% assign x = 'a' | upcase %}{{ x }}{% capture y %}[{{ x }}]{% endcapture %}{{ y }}",
        "{}",
        "A[A]",
    );
    check(
        "{% increment n %}{% increment n %}{{ n }}{% decrement m %}",
        "{}",
        "012-1",
    );
    check("{% increment n %}", r#"{"n":5}"#, "5");
    check(
        "{% for i in l %}{% assign i = 9 %}{{ i }}{% endfor %}{{ i }}",
        r#"{"l":[1]}"#,
        "19",
    );
    check(
        "{% for i in (1..3) %}{% cycle 'a', 'b' %}{% endfor %}",
        "{}",
        "aba",
    );
    check(
        "{% for i in l %}{% ifchanged %}{{ i }}{% endifchanged %}{% endfor %}",
        r#"{"l":[1,1,2]}"#,
        "12",
    );
}

#[test]
fn comments_raw_and_liquid() {
    check(
        "a{% comment %}{% if %}{% endcomment %}{% # note %}{% doc %}{{ {% enddoc %}b",
        "{}",
        "ab",
    );
    check(
        "{% raw %}{{ x }}{% if %}{% endraw %}",
        "{}",
        "{{ x }}{% if %}",
    );
    check(
        "{% liquid\n if x\n  echo x | upcase\n endif\n # done\n assign y = 2 %}{{ y }}",
        r#"{"x":"a"}"#,
        "A2",
    );
    check_fails("{% comment %}", "{}");
    check_fails("{% if x %}{% liquid endif %}", "{}");
}

#[test]
fn filters_on_text() {
    let cases = [
        ("'hELLO wORLD' | capitalize", "Hello world"),
        ("'éÉ' | capitalize", "Éé"),
        ("'a,b,,' | split: ',' | size", "2"),
        ("'a b' | append: '!' | prepend: '>'", ">a b!"),
        ("'aXbX' | replace: 'X', '-'", "a-b-"),
        (
            "'aXbX' | replace_first: 'X', '-' | replace_last: 'X', '+'",
            "a-b+",
        ),
        ("'aXbX' | remove_first: 'X' | remove_last: 'X'", "ab"),
        ("'über' | upcase | slice: 0, 2", "ÜB"),
        ("'abcdef' | truncate: 4", "a..."),
        ("'one two three' | truncatewords: 2, '…'", "one two…"),
        ("' a ' | strip | append: '|'", "a|"),
        ("'<b>x</b>' | escape", "&lt;b&gt;x&lt;/b&gt;"),
        ("'&lt;<' | escape_once", "&lt;&lt;"),
        ("'<style>a</style><p>x</p>' | strip_html", "x"),
        ("'a b&c' | url_encode", "a+b%26c"),
        ("'a+b%26%zz' | url_decode", "a b&%zz"),
        ("'a?>' | base64_encode | base64_decode", "a?>"),
        ("'x' | default: 'y'", "x"),
        ("false | default: 'y', allow_false: true", "false"),
        ("x | default: 'y'", "y"),
    ];
    for (chain, wanted) in cases {
        check(&format!("{{{{ {chain} }}}}"), "{}", wanted);
    }
    check_fails("{{ 'a' | base64_decode: 1 }}", "{}");
    check_fails("{{ '%' | base64_decode }}", "{}");
    check_fails("{{ 'a' | truncate: x }}", "{}");
    check_fails("{{ 'a' | nosuchfilter }}", "{}");
}

#[test]
fn filters_on_numbers() {
    let cases = [
        ("10.1 | minus: 2.2", "7.9"),
        ("7 | divided_by: 2", "3"),
        ("-7 | divided_by: 2", "-4"),
        ("7 | divided_by: 2.0", "3.5"),
        ("7 | modulo: 3", "1"),
        ("'3.6' | round", "4"),
        ("3.14159 | round: 2", "3.14"),
        ("-1.5 | abs | ceil", "2"),
        ("5 | at_least: 7 | at_most: 6", "6"),
        ("9223372036854775807 | plus: 1", "9.223372036854776e+18"),
        ("'12 days' | times: 2", "24"),
    ];
    for (chain, wanted) in cases {
        check(&format!("{{{{ {chain} }}}}"), "{}", wanted);
    }
    check_fails("{{ 1 | divided_by: 0 }}", "{}");
    check_fails("{{ 1 | modulo: x }}", "{}");
}

#[test]
fn filters_on_lists() {
    let data = r#"{"n":[3,1,2],"w":["b","A","a"],"o":[{"k":2,"on":true},{"k":1},{"k":null}]}"#;
    let cases = [
        ("n | sort | join: ','", "1,2,3"),
        ("w | sort_natural | join", "A a b"),
        ("o | sort: 'k' | map: 'k' | join: ','", "1,2,"),
        ("o | where: 'on' | size", "1"),
        ("o | reject: 'on' | size", "2"),
        ("o | find_index: 'k', 1", "1"),
        ("o | has: 'k', 9", "false"),
        ("o | compact: 'k' | size", "2"),
        ("n | sum", "6"),
        ("n | concat: n | uniq | reverse | join: ''", "213"),
        ("n | first", "3"),
        ("n | slice: -2, 2 | join: ','", "1,2"),
        ("(1..3) | join: '-'", "1-2-3"),
    ];
    for (chain, wanted) in cases {
        check(&format!("{{{{ {chain} }}}}"), data, wanted);
    }
    check_fails("{{ l | sort }}", r#"{"l":[1,"a"]}"#);
    check_fails("{{ n | concat: 1 }}", data);
    check_fails("{{ n | map: 'k' }}", data);
}

#[test]
fn dates() {
    let cases = [
        ("'2026-03-14' | date: '%B %-d, %Y'", "March 14, 2026"),
        ("'2026-03-14T08:05:00Z' | date: '%H:%M'", "09:05"),
        ("'14 March 2026' | date: '%F'", "2026-03-14"),
        ("'Sat, 14 Mar 2026 08:05:00 +0000' | date: '%A'", "Saturday"),
        ("1152098955 | date: '%Y'", "2006"),
        ("'now' | date: '%A %H:%M'", "Monday 09:30"),
        ("today", "2026-03-02"),
        ("today | date: '%b %e'", "Mar  2"),
        // Which is the month can't be known, so nothing is guessed.
        ("'03/04/2026' | date: '%F'", "03/04/2026"),
        ("'soon' | date: '%F'", "soon"),
    ];
    for (chain, wanted) in cases {
        check(&format!("{{{{ {chain} }}}}"), "{}", wanted);
    }
}

#[test]
fn partials_are_off_unless_given() {
    use crate::options;
    use overture_template::{Mode, Template};

    check_fails("{% include 'x' %}", "{}");
    let partials = [
        ("x", "[{{ y }}{% assign y = 2 %}]"),
        ("me", "{% render 'me' %}"),
    ];
    let render = |source: &str| {
        Template::parse_with_partials(source, Mode::CONFORMANCE, &partials)
            .unwrap()
            .render(&(), &options())
            .map(|r| r.text)
    };
    assert_eq!(
        render("{% assign y = 1 %}{% include 'x' %}{{ y }}").unwrap(),
        "[1]2"
    );
    assert_eq!(
        render("{% assign y = 1 %}{% render 'x' %}{{ y }}").unwrap(),
        "[]1"
    );
    assert_eq!(
        render("{% render 'x' for (1..2) as y %}").unwrap(),
        "[1][2]"
    );
    assert!(render("{% render 'me' %}").is_err());
    let errors = Template::parse_with_partials("", Mode::CONFORMANCE, &[("p", "a\n{{ x")]);
    let error = &errors.unwrap_err()[0];
    assert_eq!(
        (error.partial.as_deref(), error.line, error.column),
        (Some("p"), 2, 1)
    );
}
