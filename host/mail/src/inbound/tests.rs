use proptest::prelude::*;

use super::*;
use crate::smtp::ReplyClass;

const DSN: &str = "Return-Path: <>\r\n\
From: MAILER-DAEMON@mx.sender.test (Mail Delivery System)\r\n\
Subject: Undelivered Mail Returned to Sender\r\n\
To: ada@sender.test\r\n\
Auto-Submitted: auto-replied\r\n\
MIME-Version: 1.0\r\n\
Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"b1\"\r\n\
Message-Id: <dsn1@mx.sender.test>\r\n\
\r\n\
--b1\r\n\
Content-Description: Notification\r\n\
Content-Type: text/plain; charset=us-ascii\r\n\
\r\n\
This is the mail system at host mx.sender.test.\r\n\
\r\n\
--b1\r\n\
Content-Description: Delivery report\r\n\
Content-Type: message/delivery-status\r\n\
\r\n\
Reporting-MTA: dns; mx.sender.test\r\n\
X-Postfix-Queue-ID: 4ABC\r\n\
Arrival-Date: Mon,  2 Mar 2026 09:00:00 +0000 (UTC)\r\n\
\r\n\
Final-Recipient: rfc822; nobody@d1.test\r\n\
Original-Recipient: rfc822;nobody@d1.test\r\n\
Action: failed\r\n\
Status: 5.1.1\r\n\
Remote-MTA: dns; 127.0.0.1\r\n\
Diagnostic-Code: smtp; 550 5.1.1 <nobody@d1.test> User doesn't exist:\r\n    nobody@d1.test\r\n\
\r\n\
Final-Recipient: rfc822; full@d1.test\r\n\
Action: failed\r\n\
Status: 5.2.2\r\n\
Diagnostic-Code: smtp; 552 5.2.2 <full@d1.test> Quota exceeded (mailbox for user is full)\r\n\
\r\n\
--b1\r\n\
Content-Description: Undelivered Message\r\n\
Content-Type: message/rfc822\r\n\
\r\n\
Message-ID: <0190-a@sender.test>\r\n\
From: Ada <ada@sender.test>\r\n\
To: <nobody@d1.test>\r\n\
Subject: Hello\r\n\
\r\n\
Hi\r\n\
\r\n\
--b1--\r\n";

// SAF-4, TRK-3
#[test]
fn a_bounce_is_read_per_recipient() {
    let inbound = parse(DSN.as_bytes());
    let Some(Report::Delivery(report)) = inbound.report else {
        panic!("a report: {inbound:?}")
    };
    assert_eq!(
        report.original_message_id.as_deref(),
        Some("0190-a@sender.test")
    );
    assert_eq!(report.reporting_mta.as_deref(), Some("mx.sender.test"));
    let [nobody, full] = report.recipients.as_slice() else {
        panic!("two")
    };
    assert_eq!(nobody.address, "nobody@d1.test");
    assert_eq!(nobody.action, Action::Failed);
    assert_eq!(nobody.status.as_deref(), Some("5.1.1"));
    assert_eq!(nobody.class, ReplyClass::Hard);
    assert!(
        nobody
            .diagnostic
            .as_deref()
            .unwrap()
            .starts_with("550 5.1.1 <nobody@d1.test>")
    );
    assert!(
        nobody
            .diagnostic
            .as_deref()
            .unwrap()
            .ends_with("nobody@d1.test")
    );
    assert_eq!(
        (full.address.as_str(), full.class),
        ("full@d1.test", ReplyClass::Soft)
    );
    assert_eq!(inbound.automatic.unwrap().kind, AutomaticKind::Reply);
}

fn one_recipient(fields: &str) -> Recipient {
    let mail = format!(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n{fields}\r\n--b--\r\n"
    );
    match parse(mail.as_bytes()).report {
        Some(Report::Delivery(mut report)) => report.recipients.remove(0),
        other => panic!("{other:?}: {fields}"),
    }
}

// SAF-4: delayed is no bounce; generic codes give way to the remote server's
#[test]
fn bounces_are_told_apart() {
    let check = |fields: &str, action: Action, class: ReplyClass| {
        let recipient = one_recipient(fields);
        assert_eq!(
            (recipient.action, recipient.class),
            (action, class),
            "{fields}"
        );
        assert_eq!(recipient.address, "a@b.test");
    };
    let to = "Final-Recipient: rfc822; a@b.test\r\n";
    check(
        &format!("{to}Action: delayed\r\nStatus: 4.4.1\r\n"),
        Action::Delayed,
        ReplyClass::Soft,
    );
    check(
        &format!("{to}Action: failed\r\nStatus: 4.4.1\r\n"),
        Action::Failed,
        ReplyClass::Soft,
    );
    check(
        &format!(
            "{to}Action: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 550 5.1.1 gone\r\n"
        ),
        Action::Failed,
        ReplyClass::Hard,
    );
    check(
        &format!(
            "{to}Action: failed\r\nStatus: 5.7.1\r\nDiagnostic-Code: smtp; 554 5.7.1 spam\r\n"
        ),
        Action::Failed,
        ReplyClass::Policy,
    );
    check(
        &format!("{to}Action: failed (bounced)\r\nStatus: 5.4.5 (quota)\r\n"),
        Action::Failed,
        ReplyClass::SenderLimit,
    );
    check(
        &format!("{to}Action: delivered\r\nStatus: 2.0.0\r\n"),
        Action::Delivered,
        ReplyClass::Unknown,
    );
    check(
        &format!("{to}Status: 5.1.1\r\n"),
        Action::Failed,
        ReplyClass::Hard,
    );
    check(
        "Original-Recipient: rfc822; <a@b.test>\r\nAction: FAILED\r\nStatus: 5.1.2\r\n",
        Action::Failed,
        ReplyClass::Hard,
    );
}

// SAF-4: a report that keeps its recipient to itself
#[test]
fn a_report_that_names_nobody_means_whom_we_wrote_to() {
    let bounce = |recipient: &str, copy: &str| {
        let mail = format!(
            "From: postmaster@x.test\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\
             Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n{recipient}\
             Action: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
             Message-ID: <1@s.test>\r\n{copy}Subject: Hello\r\n\r\nHi\r\n--b--\r\n"
        );
        match parse(mail.as_bytes()).report {
            Some(Report::Delivery(report)) => report
                .recipients
                .into_iter()
                .map(|recipient| (recipient.address, recipient.class))
                .collect(),
            _ => Vec::new(),
        }
    };
    let ada = vec![("ada@d1.test".to_owned(), ReplyClass::Hard)];
    let to = "To: ada@d1.test\r\n";
    assert_eq!(bounce("Final-Recipient: rfc822; ada@...\r\n", to), ada);
    assert_eq!(bounce("", to), ada);
    assert_eq!(bounce("", "To: ada@d1.test, bob@d1.test\r\n"), []);
    assert_eq!(bounce("", ""), []);
}

// SAF-4: a gateway forwards a report; a person who does the same has not bounced
#[test]
fn a_report_inside_a_gateways_mail_is_read() {
    let wrapped = |from: &str| {
        let mail = format!(
            "From: {from}\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n--b0\r\n\
             Content-Type: message/rfc822\r\n\r\n{DSN}\r\n--b0--\r\n"
        );
        parse(mail.as_bytes()).report
    };
    let Some(Report::Delivery(report)) = wrapped("postmaster@mx.test") else {
        panic!("a report")
    };
    assert_eq!(report.recipients[0].address, "nobody@d1.test");
    assert_eq!(wrapped("bob@d1.test"), None);
}

// RFC 5965
#[test]
fn a_complaint_is_read() {
    let mail = "From: <abuse@isp.test>\r\n\
        Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report\r\n\
        --b\r\nContent-Type: message/feedback-report\r\n\r\n\
        Feedback-Type: abuse\r\nUser-Agent: X/1\r\nVersion: 1\r\n\
        Original-Rcpt-To: <p1@d1.test>\r\n\r\n\
        --b\r\nContent-Type: text/rfc822-headers\r\n\r\n\
        Message-ID: <0190-a@sender.test>\r\nTo: redacted@d1.test\r\n\r\n--b--\r\n";
    let expected = Feedback {
        kind: "abuse".into(),
        recipients: vec!["p1@d1.test".into()],
        original_message_id: Some("0190-a@sender.test".into()),
    };
    assert_eq!(
        parse(mail.as_bytes()).report,
        Some(Report::Feedback(expected))
    );
}

// TRK-3
#[test]
fn a_reply_names_what_it_answers() {
    let mail = "Message-ID: <r1@d1.test>\r\nIn-Reply-To: <0190-b@sender.test>\r\n\
        References: <0190-a@sender.test>\r\n <0190-b@sender.test>\r\n\
        From: =?utf-8?q?Zo=C3=AB?= <p1@d1.test>\r\nTo: Ada <ada@sender.test>, b@c.test\r\n\
        Subject: Re: =?utf-8?b?R3LDvMOfZQ==?=\r\nDate: Mon, 2 Mar 2026 10:00:00 +0100\r\n\r\n\
        Yes, let's talk.\r\n\r\nOn Mon, 2 Mar 2026, Ada <ada@sender.test> wrote:\r\n> Hi\r\n> unsubscribe\r\n";
    let inbound = parse(mail.as_bytes());
    assert_eq!(inbound.message_id.as_deref(), Some("r1@d1.test"));
    assert_eq!(inbound.in_reply_to, ["0190-b@sender.test"]);
    assert_eq!(
        inbound.references,
        ["0190-a@sender.test", "0190-b@sender.test"]
    );
    let from = inbound.from.unwrap();
    assert_eq!(
        (from.name.as_deref(), from.address.as_str()),
        (Some("Zoë"), "p1@d1.test")
    );
    assert_eq!(inbound.to.len(), 2);
    assert_eq!(inbound.subject, "Re: Grüße");
    assert_eq!(inbound.date, Some("2026-03-02T09:00:00Z".parse().unwrap()));
    assert_eq!(inbound.newest_text, "Yes, let's talk.");
    assert!(inbound.text.contains("unsubscribe"));
    assert_eq!((inbound.automatic, inbound.report), (None, None));
    assert!(
        inbound
            .headers
            .contains(&("Subject".into(), "Re: Grüße".into()))
    );
    assert!(
        inbound
            .headers
            .contains(&("In-Reply-To".into(), "<0190-b@sender.test>".into()))
    );
}

// CLS-3
#[test]
fn an_html_only_reply_loses_its_history_too() {
    let mail = "From: a@b.test\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
        <div dir=ltr>Not <b>interested</b>, sorry.</div><div class=\"gmail_quote\">\
        <div class=gmail_attr>On Mon, Ada wrote:</div><blockquote>Click to unsubscribe</blockquote></div>";
    let inbound = parse(mail.as_bytes());
    assert_eq!(inbound.newest_text, "Not interested, sorry.");
    assert!(inbound.text.contains("unsubscribe") && inbound.html.is_some());
}

#[test]
fn attachments_are_listed() {
    let mail = "From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n\
        --b\r\nContent-Type: Application/PDF\r\nContent-Transfer-Encoding: base64\r\n\
        Content-Disposition: attachment; filename=\"a.pdf\"\r\n\r\nQUJDRA==\r\n--b--\r\n";
    let expected = Attachment {
        name: Some("a.pdf".into()),
        content_type: "application/pdf".into(),
        size: 4,
    };
    assert_eq!(parse(mail.as_bytes()).attachments, [expected]);
}

#[test]
fn broken_mails_are_read_as_far_as_they_go() {
    let text = |mail: &[u8]| parse(mail).text.trim().to_owned();
    assert_eq!(text(b""), "");
    assert_eq!(text(b"\r\n\r\nonly a body"), "only a body");
    assert!(
        text(b"no header at all").contains("no header") || text(b"no header at all").is_empty()
    );
    assert_eq!(text(b"Subject: x\r\n\r\nhi"), "hi");
    // A boundary that never comes, a body that ends in the middle, an unknown charset
    text(b"Content-Type: multipart/mixed; boundary=b\r\n\r\nno such boundary");
    text(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi");
    text(b"Content-Type: text/plain; charset=x-nothing\r\n\r\n\xff\xfe");
    text(b"Content-Transfer-Encoding: base64\r\n\r\n!!!!");
    let inbound = parse(b"From: \r\nTo: ,,,\r\nDate: yesterday\r\nMessage-ID: \r\n\r\n");
    assert_eq!((inbound.from, inbound.message_id), (None, None));
}

#[test]
fn hostile_mails_cost_no_more_than_large_ones() {
    let many = format!(
        "{}\r\nbody",
        "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(10_000)
    );
    let inbound = parse(many.as_bytes());
    assert_eq!(
        (inbound.headers.len(), inbound.text.trim()),
        (HEADERS_LIMIT, "body")
    );

    let references = format!(
        "References: {}\r\n\r\nx",
        "<a@b.test> <c@d.test>\r\n ".repeat(10_000)
    );
    assert_eq!(parse(references.as_bytes()).references.len(), 2);

    let large = format!(
        "Subject: x\r\n\r\n{}",
        "0123456789abcdef\r\n".repeat(3_000_000)
    );
    assert!(large.len() > 50_000_000);
    assert_eq!(
        parse(large.as_bytes()).text.len(),
        cut(&large, TEXT_LIMIT).len() - TEXT_LIMIT / 18
    );
}

#[test]
fn depth_costs_no_stack() {
    let check = |mail: String| drop(parse(mail.as_bytes()));
    check("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".repeat(20_000));
    check(
        (0..5_000)
            .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"))
            .collect(),
    );
    check(format!(
        "Content-Type: text/html\r\n\r\n{}",
        "<div>".repeat(50_000)
    ));
    check(format!(
        "Content-Type: text/html\r\n\r\n{}",
        "<blockquote>".repeat(20_000)
    ));
    check(format!("Subject: x\r\n\r\n{}", "On 1 a\r\n".repeat(30_000)));
    check("Content-Type: message/rfc822\r\n\r\n".repeat(20_000));
    check("Content-Type: message/global; x=y\r\n\r\n".repeat(20_000));
    check("Content-Type: (x) Message (y) / RFC822\r\n\r\n".repeat(20_000));
    check(format!(
        "Content-Type: multipart/digest; boundary=b\r\n\r\n{}",
        "--b\r\n\r\n".repeat(20_000)
    ));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        parse(&bytes);
    }

    #[test]
    fn no_damage_to_a_report_makes_it_panic(at in 0..DSN.len(), byte: u8, end in 0..DSN.len()) {
        let mut bytes = DSN.as_bytes().to_vec();
        bytes[at] = byte;
        parse(&bytes);
        bytes.truncate(end);
        parse(&bytes);
    }
}
