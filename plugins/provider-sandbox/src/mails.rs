//! The mails that come back: replies in the thread (RFC 5322 §3.6.4), notices of absence (RFC
//! 3834), delivery reports (RFC 3464), complaints (RFC 5965).

use overture_plugin::time::{Date, rfc5322};
use sandbox_personas::{Chance, What};

use crate::{future::Coming, texts};

const DAY: u64 = 86_400_000;

/// The bytes of a mail, its lines ended as the wire wants them.
pub(crate) fn build(coming: &Coming, what: What) -> Vec<u8> {
    let original = &coming.original;
    let language = coming.language;
    let re = |subject: &str| match subject.get(..3) {
        Some(start) if start.eq_ignore_ascii_case("re:") => subject.to_owned(),
        _ => format!("Re: {subject}"),
    };
    let mail = match what {
        What::Reply(nth) => {
            let said = texts::reply(coming.persona, language, nth);
            let quote = format!(
                "On {}, {} wrote:\r\n> To unsubscribe, use the link in this mail.",
                rfc5322(original.sent_at),
                original.sender
            );
            let subject = re(&original.subject);
            text_mail(coming, &subject, "", &format!("{said}\r\n\r\n{quote}\r\n"))
        }
        What::Absence { days } => {
            let back = Date::of(original.sent_at + u64::from(days) * DAY);
            let (subject, text) = texts::absence(language, back, &original.subject);
            let more = "Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n";
            text_mail(coming, &subject, more, &format!("{text}\r\n"))
        }
        What::Receipt => {
            let more = "Auto-Submitted: auto-replied\r\nPrecedence: auto_reply\r\n";
            let text = texts::receipt(language);
            text_mail(coming, &re(&original.subject), more, &format!("{text}\r\n"))
        }
        What::HardBounce => bounce(coming, "5.1.1", "550 5.1.1 no such user here"),
        What::SoftBounce => bounce(coming, "4.2.2", "452 4.2.2 mailbox full"),
        What::Block => bounce(coming, "5.7.1", "550 5.7.1 blocked by policy"),
        What::Complaint => complaint(coming),
        What::Open | What::Click | What::Unsubscribe => {
            unreachable!("{what:?} comes back as a signal")
        }
    };
    mail.into_bytes()
}

fn text_mail(coming: &Coming, subject: &str, more: &str, text: &str) -> String {
    let original = &coming.original;
    let parent = &original.message_id;
    let references = format!("{} {parent}", original.references);
    format!(
        "From: {}\r\nTo: {}\r\nSubject: {subject}\r\n{}In-Reply-To: {parent}\r\n\
         References: {}\r\n{more}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n{text}",
        original.to,
        original.from,
        date_and_id(coming),
        references.trim(),
    )
}

/// The Message-ID is a function of what it answers: a mail that is fetched twice is one mail.
fn date_and_id(coming: &Coming) -> String {
    let mut chance = Chance::of(coming.at, &[&coming.original.message_id]);
    format!(
        "Date: {}\r\nMessage-ID: <{:016x}.sandbox@{}>\r\n",
        rfc5322(coming.at),
        chance.number(),
        domain(&coming.original.recipient),
    )
}

fn bounce(coming: &Coming, status: &str, words: &str) -> String {
    let original = &coming.original;
    let recipient = &original.recipient;
    let host = format!("mx.{}", domain(recipient));
    let report = format!(
        "Reporting-MTA: dns; {host}\r\nArrival-Date: {}\r\n\r\n\
         Final-Recipient: rfc822; {recipient}\r\nOriginal-Recipient: rfc822;{recipient}\r\n\
         Action: failed\r\nStatus: {status}\r\nRemote-MTA: dns; {host}\r\n\
         Diagnostic-Code: smtp; {words}\r\n",
        rfc5322(original.sent_at),
    );
    let text = format!(
        "This is the mail system at host {host}.\r\n\r\nYour message could not be delivered.\r\n\r\n\
         <{recipient}>: {words}\r\n"
    );
    report_mail(
        coming,
        "MAILER-DAEMON",
        "Undelivered Mail Returned to Sender",
        &Report {
            kind: "delivery-status",
            text: &text,
            content_type: "message/delivery-status",
            report: &report,
        },
    )
}

fn complaint(coming: &Coming) -> String {
    let original = &coming.original;
    let report = format!(
        "Feedback-Type: abuse\r\nUser-Agent: Sandbox/1\r\nVersion: 1\r\n\
         Original-Mail-From: <{}>\r\nOriginal-Rcpt-To: <{}>\r\nArrival-Date: {}\r\n",
        original.sender,
        original.recipient,
        rfc5322(original.sent_at),
    );
    let text = "This is an email abuse report for a message that somebody marked as spam.\r\n";
    report_mail(
        coming,
        "abuse-reports",
        "Complaint about a message",
        &Report {
            kind: "feedback-report",
            text,
            content_type: "message/feedback-report",
            report: &report,
        },
    )
}

struct Report<'a> {
    kind: &'a str,
    text: &'a str,
    content_type: &'a str,
    report: &'a str,
}

/// Three parts: for people, for machines, and what it is about (RFC 6522).
fn report_mail(coming: &Coming, from: &str, subject: &str, report: &Report<'_>) -> String {
    let original = &coming.original;
    let mut chance = Chance::of(coming.at, &["boundary", &original.message_id]);
    let boundary = format!("sandbox-{:016x}", chance.number());
    let Report {
        kind,
        text,
        content_type,
        report,
    } = report;
    format!(
        "Return-Path: <>\r\nFrom: <{from}@{}>\r\nTo: {}\r\nSubject: {subject}\r\n{}\
         Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type={kind};\r\n boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n\
         --{boundary}\r\nContent-Type: {content_type}\r\n\r\n{report}\r\n\
         --{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         From: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: {}\r\n\r\n\
         --{boundary}--\r\n",
        domain(&original.recipient),
        original.sender,
        date_and_id(coming),
        original.from,
        original.to,
        original.subject,
        rfc5322(original.sent_at),
        original.message_id,
    )
}

fn domain(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or(address)
}
