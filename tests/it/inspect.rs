//! `overture mail inspect`: what is said of a mail, without a server and without a database.

use overture_testkit::app::{Installation, binary};
use serde_json::{Value, json};

async fn inspect(mails: &[&str]) -> Vec<Value> {
    let installation = Installation::bare(binary());
    let files: Vec<String> = mails
        .iter()
        .enumerate()
        .map(|(n, mail)| {
            let file = installation.write(&format!("{n}.eml"), mail.replace('\n', "\r\n"));
            file.to_string_lossy().into_owned()
        })
        .collect();
    let mut arguments = vec!["mail", "inspect", "--json"];
    arguments.extend(files.iter().map(String::as_str));
    let ran = installation.run(&arguments).await;
    let lines = ran.success().lines();
    lines
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .collect()
}

const BOUNCE: &str = "From: MAILER-DAEMON@mx.example.net
To: ada@sender.test
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

I'm sorry to have to inform you

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; grace@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user here
--b--
";

// SAF-4
#[tokio::test]
async fn a_bounce_is_told_per_recipient() {
    let delay = BOUNCE
        .replace("Action: failed", "Action: delayed")
        .replace("5.1.1", "4.4.1");
    let found = inspect(&[BOUNCE, &delay]).await;
    let diagnostic = "550 5.1.1 no such user here";
    let expected = json!({
        "kind": "bounce",
        "bounce": {
            "class": "hard",
            "recipients": [{
                "address": "grace@example.net",
                "class": "hard",
                "status": "5.1.1",
                "diagnostic": diagnostic,
            }],
        },
        "outOfOffice": null,
        "labels": [{
            "label": "bounce_hard",
            "confidence": 1.0,
            "classifier": "host",
            "evidence": [format!("5.1.1 {diagnostic}")],
        }],
        "language": null,
        "newestText": "I'm sorry to have to inform you",
    });
    assert_eq!(found[0], expected);
    assert_eq!(found[1]["kind"], "delay");
    assert_eq!(found[1]["bounce"]["class"], "soft");
}

// RFC 5965
#[tokio::test]
async fn a_complaint_is_told() {
    let mail = "From: abuse@example.net
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1
Original-Rcpt-To: <grace@example.net>
--b--
";
    let found = inspect(&[mail]).await;
    assert_eq!(found[0]["kind"], "complaint");
    assert_eq!(found[0]["labels"][0]["label"], "complaint");
    assert_eq!(found[0]["bounce"], Value::Null);
}

// CLS-1, CLS-2: in the mail's own time, not in ours.
#[tokio::test]
async fn an_absence_is_told_with_the_day_of_return() {
    let english = "From: grace@example.net
Date: Mon, 2 Mar 2026 10:00:00 +0100
Auto-Submitted: auto-replied
Subject: Out of office: Hello

I am out of the office and will return on Thursday, 12 March.
";
    let german = "From: grace@example.net
Date: Mon, 2 Mar 2026 10:00:00 +0100
Auto-Submitted: auto-replied
Subject: Abwesenheitsnotiz

Ich bin ab dem 16. März wieder im Büro.
";
    let found = inspect(&[english, german]).await;
    let told: Vec<_> = found
        .iter()
        .map(|one| (&one["kind"], &one["outOfOffice"], &one["language"]))
        .collect();
    let away = json!("out_of_office");
    assert_eq!(
        told,
        [
            (&away, &json!({"until": "2026-03-12"}), &json!("en")),
            (&away, &json!({"until": "2026-03-16"}), &json!("de")),
        ]
    );
    let labels = &found[0]["labels"][0];
    assert_eq!(labels["classifier"], "classifier-rules");
    assert!(
        labels["evidence"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    );
}

// CLS-3
#[tokio::test]
async fn of_a_reply_the_newest_text_is_judged() {
    let reply = "From: grace@example.net
In-Reply-To: <1@sender.test>
Subject: Re: Hello

Not interested, thank you.

On Mon, 2 Mar 2026, Ada <ada@sender.test> wrote:
> Shall we talk? Click here to unsubscribe.
";
    let receipt = "From: support@example.net
Auto-Submitted: auto-generated
Subject: [#4711] We have received your request

Your ticket number is 4711.
";
    let note = "From: news@example.net\nList-Id: news\n\nThis week in the world of pumps\n";
    let found = inspect(&[reply, receipt, note]).await;
    let kinds: Vec<_> = found.iter().map(|one| one["kind"].clone()).collect();
    assert_eq!(kinds, ["reply", "auto_reply", "other"]);
    assert_eq!(found[0]["newestText"], "Not interested, thank you.");
    assert_eq!(found[0]["labels"][0]["label"], "not_interested");
}

#[tokio::test]
async fn it_says_the_same_to_a_person() {
    let installation = Installation::bare(binary());
    installation.write("bounce.eml", BOUNCE.replace('\n', "\r\n"));
    let ran = installation.run(&["mail", "inspect", "bounce.eml"]).await;
    let said = ran.success();
    for words in [
        "kind:      bounce",
        "grace@example.net: hard (5.1.1 550 5.1.1 no such user here)",
    ] {
        assert!(said.contains(words), "{said}");
    }
    // No database came of it.
    assert_eq!(
        std::fs::read_dir(installation.path(".")).unwrap().count(),
        1
    );

    installation.write("empty.eml", "");
    for (file, words) in [
        ("empty.eml", "empty.eml is empty: there is no mail in it"),
        ("none.eml", "none.eml can't be read: No such file"),
    ] {
        let ran = installation.run(&["mail", "inspect", file]).await;
        assert!(ran.failure().contains(words), "{}", ran.failure());
    }
}
