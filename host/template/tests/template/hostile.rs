//! Data never becomes syntax (TPL-2, TPL-5): hostile values from a grammar of Liquid, spintax,
//! HTML, header and encoding fragments, in six contexts through twelve filters. The output is
//! judged by parsing it, not by searching it.
//!
//! A share runs always; `HOSTILE_VALUES=1000000` runs as many as it says.

use std::cell::RefCell;

use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use overture_template::{Context, MergeTags, Mode, RenderOptions, Seed, Template};

use crate::options;

const FRAGMENTS: &[&str] = &[
    "{{ email }}",
    "{{",
    "}}",
    "{%",
    "%}",
    "{% if 1 %}",
    "{% raw %}",
    "{% endraw %}",
    "{% assign x = 1 %}",
    "| raw",
    "{a|b}",
    "{",
    "|",
    "}",
    "\\{",
    "\\",
    "<script>alert(1)</script>",
    "<b>",
    "</p>",
    "</a>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<",
    ">",
    "\"",
    "'",
    "&",
    "&lt;",
    "&#60;",
    "&#x3c",
    "&amp;lt;",
    "\" onclick=\"x",
    "' style='",
    "<img src=x onerror=y>",
    "</style>",
    "</title>",
    "<plaintext>",
    "\r\n",
    "\n",
    "\r",
    "\u{85}",
    "\u{2028}",
    "\0",
    "\r\nBcc: all@example.com",
    "\r\n\r\nbody",
    "\t",
    "=?utf-8?q?=0D=0ABcc:?=",
    "%3Cscript%3E",
    "%0d%0aBcc:",
    "+",
    "PHNjcmlwdD4=",
    "\u{202e}",
    "\u{feff}",
    "é",
    "🙂",
    "javascript:",
    "a",
    "Ada",
    " ",
    "  ",
    "0",
    "-1",
    "1e9",
    "nil",
    "today",
    "%Y",
    "%d",
];

const FILTERS: [&str; 12] = [
    "",
    "| upcase",
    "| capitalize",
    "| strip",
    "| truncate: 20",
    "| replace: 'a', '<'",
    "| append: '\">'",
    "| url_decode",
    "| newline_to_br",
    "| strip_html",
    "| slice: 1, 9",
    "| default: 'x' | escape",
];

const CONTEXTS: [Context; 6] = [
    Context::Html,
    Context::Text,
    Context::Subject,
    Context::InmailSubject,
    Context::LinkedinMessage,
    Context::Post,
];

/// What stands around the value. Two places in HTML: text and an attribute.
const FRAME: &str = "<p>{{ company FILTER }}</p><a href=\"{{ company FILTER }}\">x</a>";

struct Templates {
    context: Context,
    filter: &'static str,
    /// The frame in the product's mode.
    product: Template,
    /// The value alone, unescaped: what the frame must hold.
    value: Template,
}

#[test]
fn values_never_change_the_structure() {
    let count: u64 = std::env::var("HOSTILE_VALUES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(4_000);
    let templates: Vec<Templates> = CONTEXTS
        .iter()
        .flat_map(|context| FILTERS.iter().map(|filter| templates(*context, filter)))
        .collect();
    let mut options = options();
    for n in 0..count {
        options.seed = Seed::new(n, "stp");
        let value = hostile(n);
        let tags = MergeTags {
            company: Some(&value),
            email: Some("spy@example.com"),
            ..MergeTags::default()
        };
        judge(
            &templates[n as usize % templates.len()],
            &value,
            &tags,
            &options,
        );
    }
}

fn templates(context: Context, filter: &'static str) -> Templates {
    let frame = match context {
        Context::Html => FRAME.replace("FILTER", filter),
        _ => format!("[{{{{ company {filter} }}}}]"),
    };
    Templates {
        context,
        filter,
        product: crate::parse(&frame, Mode::product(context)),
        value: crate::parse(&format!("{{{{ company {filter} }}}}"), Mode::CONFORMANCE),
    }
}

/// One to six fragments; the number decides which.
fn hostile(n: u64) -> String {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let length = 1 + next(6);
    (0..length)
        .map(|_| FRAGMENTS[next(FRAGMENTS.len())])
        .collect()
}

fn judge(templates: &Templates, value: &str, tags: &MergeTags<'_>, options: &RenderOptions) {
    let about = || format!("{value:?} {} in {:?}", templates.filter, templates.context);
    let text = templates
        .product
        .render(tags, options)
        .unwrap_or_else(|e| panic!("{}: {e}", about()))
        .text;
    let alone = templates
        .value
        .render(tags, options)
        .unwrap_or_else(|e| panic!("{}: {e}", about()))
        .text;
    match templates.context {
        Context::Html => {
            let tokens = tokens(&text);
            // These two filters write markup of their own around the escaped value.
            if templates.filter.contains("newline_to_br") {
                let kinds: Vec<_> = tokens.iter().filter(|t| !t.starts_with('"')).collect();
                assert!(
                    kinds
                        .iter()
                        .all(|t| ["<p>", "<br>", "</p>", "</a>"].contains(&t.as_str())
                            || t.starts_with("<a href=")),
                    "{}: {tokens:?}",
                    about()
                );
                return;
            }
            let shown = match templates.filter {
                f if f.contains("escape") => value_after_default(value),
                _ => alone,
            };
            // NUL is dropped from text and replaced in attributes.
            let attribute = line_ends(&shown).replace('\0', "\u{fffd}");
            let shown = line_ends(&shown).replace('\0', "");
            let mut wanted = vec!["<p>".to_owned()];
            if !shown.is_empty() {
                wanted.push(format!("\"{shown}\""));
            }
            wanted.extend([
                "</p>".into(),
                format!("<a href=\"{attribute}\">"),
                "\"x\"".into(),
                "</a>".into(),
            ]);
            assert_eq!(tokens, wanted, "{}", about());
        }
        Context::Subject | Context::InmailSubject => {
            let mail = format!("From: a@example.com\r\nSubject: {text}\r\n\r\nbody");
            let parsed = mail_parser::MessageParser::default().parse(&mail).unwrap();
            let headers: Vec<_> = parsed
                .headers()
                .iter()
                .map(mail_parser::Header::name)
                .collect();
            assert_eq!(headers, ["From", "Subject"], "{}", about());
            assert_eq!(parsed.body_text(0).as_deref(), Some("body"), "{}", about());
            assert!(!text.contains(char::is_control), "{}: {text:?}", about());
        }
        _ => assert_eq!(text, format!("[{alone}]"), "{}", about()),
    }
}

fn value_after_default(value: &str) -> String {
    if value.trim().is_empty() {
        "x".into()
    } else {
        value.to_owned()
    }
}

/// Line ends are `\n` to HTML.
fn line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Tags as `<p>`, text as `"text"`, neighbouring text joined.
fn tokens(html: &str) -> Vec<String> {
    #[derive(Default)]
    struct Sink(RefCell<Vec<String>>);
    impl TokenSink for Sink {
        type Handle = ();
        fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
            let mut list = self.0.borrow_mut();
            match token {
                Token::TagToken(tag) => {
                    let attributes: String = tag
                        .attrs
                        .iter()
                        .map(|a| format!(" {}=\"{}\"", a.name.local, line_ends(&a.value)))
                        .collect();
                    let slash = if tag.kind == TagKind::EndTag { "/" } else { "" };
                    list.push(format!("<{slash}{}{attributes}>", tag.name));
                }
                Token::CharacterTokens(text) => match list.last_mut() {
                    Some(last) if last.starts_with('"') => {
                        last.pop();
                        last.push_str(&text);
                        last.push('"');
                    }
                    _ => list.push(format!("\"{text}\"")),
                },
                Token::CommentToken(text) => list.push(format!("<!--{text}-->")),
                Token::DoctypeToken(_) => list.push("<!doctype>".into()),
                Token::NullCharacterToken | Token::ParseError(_) | Token::EOFToken => {}
            }
            TokenSinkResult::Continue
        }
    }
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(html.into());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}
