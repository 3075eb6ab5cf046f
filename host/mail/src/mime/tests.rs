use mail_parser::{MessageParser, MimeHeaders as _};
use proptest::prelude::*;

use super::*;

fn outgoing() -> Outgoing {
    Outgoing {
        message_id: "0190-a@sender.test".into(),
        date: Timestamp::from_secs(1_772_442_000),
        from: Mailbox {
            name: Some("Ada Example".into()),
            address: "ada@sender.test".into(),
        },
        to: Mailbox {
            name: None,
            address: "p1@d1.test".into(),
        },
        reply_to: None,
        subject: "Hello".into(),
        text: Some("Hi there\n".into()),
        html: None,
        in_reply_to: None,
        references: Vec::new(),
        unsubscribe: None,
        headers: Vec::new(),
        boundary: "=_0190a".into(),
    }
}

fn built(mail: &Outgoing) -> String {
    String::from_utf8(build(mail).unwrap()).unwrap()
}

fn head(mail: &Outgoing) -> String {
    built(mail).split_once("\r\n\r\n").unwrap().0.to_owned()
}

#[test]
fn a_plain_mail_reads_like_this() {
    let expected = "Message-ID: <0190-a@sender.test>\r\n\
        Date: Mon, 02 Mar 2026 09:00:00 +0000\r\n\
        From: Ada Example <ada@sender.test>\r\n\
        To: <p1@d1.test>\r\n\
        Subject: Hello\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: 7bit\r\n\
        \r\n\
        Hi there\r\n";
    assert_eq!(built(&outgoing()), expected);
}

// TRK-4, RFC 8058 §3.1: one https URI, the Post header, and a mailto for those who know no POST
#[test]
fn both_ways_of_leaving_stand_in_the_head() {
    let unsubscribe = Unsubscribe {
        url: Some("https://out.example.com/u/tok".into()),
        mailto: "mailto:ada@sender.test?subject=unsubscribe%20tok".into(),
    };
    let head = head(&Outgoing {
        unsubscribe: Some(unsubscribe),
        ..outgoing()
    });
    assert!(
        head.contains(
            "List-Unsubscribe: <https://out.example.com/u/tok>,\r\n \
             <mailto:ada@sender.test?subject=unsubscribe%20tok>\r\n\
             List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        ),
        "{head}"
    );
    assert!(!head.contains("X-Auto-Response-Suppress"));
}

// RFC 8058 §3.1: one-click needs https
#[test]
fn without_https_only_the_mailto_stands_there() {
    let unsubscribe = Unsubscribe {
        url: None,
        mailto: "mailto:ada@sender.test?subject=unsubscribe%20tok".into(),
    };
    let head = head(&Outgoing {
        unsubscribe: Some(unsubscribe),
        ..outgoing()
    });
    let expected = "List-Unsubscribe: <mailto:ada@sender.test?subject=unsubscribe%20tok>\r\n";
    assert!(
        head.contains(expected) && !head.contains("List-Unsubscribe-Post"),
        "{head}"
    );
}

// SEQ-4
#[test]
fn a_follow_up_names_the_thread() {
    let head = head(&Outgoing {
        in_reply_to: Some("b@sender.test".into()),
        references: vec!["a@sender.test".into(), "<b@sender.test>".into()],
        ..outgoing()
    });
    assert!(head.contains("In-Reply-To: <b@sender.test>\r\n"), "{head}");
    assert!(
        head.contains("References: <a@sender.test>\r\n <b@sender.test>\r\n"),
        "{head}"
    );
}

#[test]
fn names_and_subjects_beyond_ascii_come_back() {
    let check = |name: &str, subject: &str| {
        let bytes = build(&Outgoing {
            from: Mailbox {
                name: Some(name.into()),
                address: "ada@sender.test".into(),
            },
            subject: subject.into(),
            ..outgoing()
        })
        .unwrap();
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let from = parsed.from().unwrap().first().unwrap();
        assert_eq!(
            from.name(),
            Some(name),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        assert_eq!(from.address(), Some("ada@sender.test"));
        assert_eq!(
            parsed.subject(),
            Some(subject),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        let longest = bytes.split(|&b| b == b'\n').map(<[u8]>::len).max();
        assert!(longest <= Some(77), "{}", String::from_utf8_lossy(&bytes));
    };
    check("Ada", "Hello");
    check(
        "Zoë Łukasz-O'Neil",
        "Größe für Sie – 20 % günstiger, jetzt prüfen und sofort bestellen?",
    );
    check(
        "Example, Ada (Sales) \"A\" \\ B",
        "a \"quoted\" subject, with: punctuation; <x>",
    );
    check(
        "日本語 太郎",
        "こんにちは、お元気ですか。ご連絡をお待ちしております。よろしくお願いします",
    );
    check("😀", "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀");
    check("A =?utf-8?q?x?= B", "=?utf-8?q?x?=");
    check("Ada", "word ".repeat(60).trim_end());
    check("Ada", &"x".repeat(300));
    check("Ada ".repeat(40).trim_end(), "Hello");
}

#[test]
fn html_brings_a_text_part() {
    let bytes = build(&Outgoing {
        text: None,
        html: Some("<p>Grüße, <a href=\"https://example.com/\">hier</a></p>".into()),
        ..outgoing()
    })
    .unwrap();
    let parsed = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(
        parsed.body_text(0).unwrap().trim(),
        "Grüße, hier (https://example.com/)"
    );
    assert!(parsed.body_html(0).unwrap().contains("<p>Grüße, <a href="));
    assert!(
        parsed
            .content_type()
            .is_some_and(|t| t.subtype() == Some("alternative"))
    );
}

#[test]
fn the_same_mail_gives_the_same_bytes() {
    let mail = Outgoing {
        html: Some("<p>ü</p>".into()),
        ..outgoing()
    };
    assert_eq!(build(&mail).unwrap(), build(&mail).unwrap());
}

#[test]
fn a_domain_beyond_ascii_becomes_ascii() {
    let to = Mailbox {
        name: None,
        address: "p1@bücher.example".into(),
    };
    assert!(head(&Outgoing { to, ..outgoing() }).contains("To: <p1@xn--bcher-kva.example>"));
}

#[test]
fn what_could_add_a_header_is_refused() {
    let refused = |mail: Outgoing, field: &str| {
        let error = build(&mail).unwrap_err();
        assert_eq!(error.stage, Stage::Build);
        assert!(error.to_string().contains(field), "{error}");
    };
    for address in [
        "a@b.test\r\nBcc: c@d.test",
        "a b@c.test",
        "a>@b.test",
        "a",
        "@b.test",
        "a@",
        "a@b c",
    ] {
        let to = Mailbox {
            name: None,
            address: address.into(),
        };
        refused(Outgoing { to, ..outgoing() }, "not an address");
    }
    refused(
        Outgoing {
            message_id: "a\r\nX: y".into(),
            ..outgoing()
        },
        "Message-ID",
    );
    refused(
        Outgoing {
            in_reply_to: Some("a> <b".into()),
            ..outgoing()
        },
        "In-Reply-To",
    );
    refused(
        Outgoing {
            references: vec!["ä@b".into()],
            ..outgoing()
        },
        "References",
    );
    refused(
        Outgoing {
            headers: vec![("X: y\r\nZ".into(), "v".into())],
            ..outgoing()
        },
        "header name",
    );
    for url in [
        "http://example.com/",
        "https://e.com/>, <x",
        "https://e.com/\r\nX: y",
        "javascript:x",
    ] {
        let unsubscribe = Unsubscribe {
            url: Some(url.into()),
            mailto: "mailto:a@b.test".into(),
        };
        refused(
            Outgoing {
                unsubscribe: Some(unsubscribe),
                ..outgoing()
            },
            "unsubscribe URL",
        );
    }
    let html = Some("<p>--=_0190a</p>".into());
    refused(Outgoing { html, ..outgoing() }, "boundary");
    let mail = Outgoing {
        boundary: "a\"\r\nX: y".into(),
        html: Some("x".into()),
        ..outgoing()
    };
    refused(mail, "boundary");
    refused(
        Outgoing {
            text: None,
            ..outgoing()
        },
        "neither text nor HTML",
    );
}

proptest! {
    // Whatever a template renders: no line breaks out, the texts come back.
    #[test]
    fn no_text_adds_a_line(
        name in ".{0,80}",
        subject in "(?s).{0,200}",
        text in "(?s).{0,600}",
        html in "(?s).{0,600}",
        header in "(?s).{0,100}",
    ) {
        let bytes = build(&Outgoing {
            from: Mailbox { name: Some(name), address: "ada@sender.test".into() },
            subject,
            text: Some(text),
            html: Some(html),
            headers: vec![("X-Note".into(), header)],
            ..outgoing()
        })
        .unwrap();
        prop_assert!(bytes.is_ascii());
        let text = String::from_utf8(bytes.clone()).unwrap();
        prop_assert_eq!(text.matches('\r').count(), text.matches("\r\n").count());
        prop_assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 998));
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let names: Vec<&str> = parsed.headers().iter().map(mail_parser::Header::name).collect();
        prop_assert_eq!(
            names,
            ["Message-ID", "Date", "From", "To", "Subject", "X-Note", "MIME-Version", "Content-Type"]
        );
        prop_assert_eq!(parsed.parts.len(), 3);
    }

    #[test]
    fn every_line_of_text_comes_back(lines in prop::collection::vec("[^\r\n]{0,300}", 1..8)) {
        let text = lines.join("\n");
        let bytes = build(&Outgoing { text: Some(text.clone()), ..outgoing() }).unwrap();
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let back = parsed.body_text(0).unwrap().replace("\r\n", "\n");
        prop_assert_eq!(back.trim_end_matches('\n'), text.trim_end_matches('\n'));
    }
}
