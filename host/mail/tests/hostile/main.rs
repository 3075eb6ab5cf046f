//! Mails that want to do harm, or were broken on the way: read within bounds, and what can be read
//! of them is kept (DESIGN §5). One binary of its own, because it looks at the memory of the whole
//! process.
#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

mod broken;

use overture_mail::inbound::{Inbound, parse};

/// As much as the inbox reads of a mail.
const MIB: usize = 1024 * 1024;

/// Texts of a mail are cut at this length.
const TEXT_LIMIT: usize = 256 * 1024;

/// No mail makes reading it take more memory than this.
const MEMORY_LIMIT: usize = 48 * MIB;

/// What must hold of every mail.
fn within_bounds(mail: &Inbound) {
    let texts = [&mail.text, &mail.newest_text, &mail.subject];
    for text in texts.into_iter().chain(&mail.html) {
        assert!(text.len() <= TEXT_LIMIT, "{} bytes of text", text.len());
    }
    assert!(mail.headers.len() <= 200);
    let header = mail.headers.iter().map(|(_, value)| value.len()).max();
    // An undecodable byte becomes three.
    assert!(header.unwrap_or(0) <= 3 * 4096, "{header:?} bytes");
    assert!(mail.references.len() <= 100 && mail.in_reply_to.len() <= 100);
    assert!(mail.to.len() <= 100 && mail.attachments.len() <= 100);
}

/// `unit` over and over, as much as the inbox reads.
fn filled(head: &str, unit: &str) -> String {
    let mut mail = head.to_owned();
    while mail.len() + unit.len() < MIB {
        mail.push_str(unit);
    }
    mail
}

/// A message in a message in a message, each in base64.
fn nested_base64(depth: usize) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut mail = filled("Subject: inner\r\n\r\n", "deep\r\n");
    mail.truncate(MIB / 8);
    for _ in 0..depth {
        let inner = STANDARD.encode(&mail);
        mail = format!(
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{inner}"
        );
        mail.truncate(MIB);
    }
    mail
}

fn hostile() -> Vec<(&'static str, String)> {
    let numbered: String = (0..8_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"))
        .collect();
    let multipart = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    let html = "Content-Type: text/html\r\n\r\n";
    let report = "From: mailer-daemon@x.test\r\nSubject: failure notice\r\n\r\n";
    let status = "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\
                  Content-Type: message/delivery-status\r\n\r\n";
    let attached = "--b\r\nContent-Disposition: attachment; filename=a\r\n\r\n\r\n";
    vec![
        ("headers", filled("", "X-Filler: aaaaaaaaaaaaaaaa\r\n")),
        ("one header", filled("Subject: ", "endless ")),
        ("folded header", filled("Subject: x\r\n", " folded\r\n")),
        ("references", filled("References: ", "<a@b.test> ")),
        ("recipients", filled("To: ", "a@b.test, ")),
        ("groups", filled("To: ", "g: a@b.test, ")),
        ("comments", filled("To: ", "(")),
        ("quotes", filled("To: ", "\"a\\\"")),
        ("encoded words", filled("Subject: ", "=?utf-8?q?=41?= ")),
        ("broken encoded words", filled("Subject: ", "=?utf-8?q?")),
        (
            "parameters",
            filled("Content-Type: text/plain", "; a*0*=utf-8''%41"),
        ),
        ("boundaries", filled(multipart, "--b\r\n")),
        (
            "one boundary",
            filled("Content-Type: multipart/mixed; boundary=", "b"),
        ),
        ("empty parts", filled(multipart, "--b\r\n\r\n")),
        ("attachments", filled(multipart, attached)),
        ("nested parts", numbered),
        (
            "same nested parts",
            multipart
                .replace("\r\n\r\n", "\r\n\r\n--b\r\n")
                .repeat(9_000),
        ),
        (
            "nested messages",
            "Content-Type: message/rfc822\r\n\r\n".repeat(30_000),
        ),
        ("nested base64", nested_base64(8)),
        (
            "base64",
            filled("Content-Transfer-Encoding: base64\r\n\r\n", "QUFB"),
        ),
        (
            "quoted-printable",
            filled(
                "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
                "=41=\r\n",
            ),
        ),
        (
            "utf-7",
            filled("Content-Type: text/plain; charset=utf-7\r\n\r\n", "+AGE-"),
        ),
        ("divs", filled(html, "<div>")),
        ("quotes in HTML", filled(html, "<blockquote>")),
        ("open tags", filled(html, "<a href=")),
        ("entities", filled(html, "&nbsp;")),
        (
            "quoted lines",
            filled("Subject: x\r\n\r\n", "> > > > >\r\n"),
        ),
        (
            "openings of quotes",
            filled("Subject: x\r\n\r\n", "On 1 a\r\n"),
        ),
        ("no line end", filled("Subject: x\r\n\r\n", "x")),
        ("addresses of a bounce", filled(report, "<a@b.test>:\r\n")),
        (
            "words of a bounce",
            filled(report, "undelivered a@b.test c@d.test\r\n"),
        ),
        (
            "copies in a bounce",
            filled(report, "To: a@b.test\r\nReceived: for <c@d.test>\r\n"),
        ),
        (
            "recipients of a report",
            filled(status, "Final-Recipient: rfc822; a@b.test\r\n\r\n"),
        ),
        ("fields of a report", filled(status, "Action: failed\r\n")),
    ]
}

// Work that grew with the square of a mail's size would take hours here.
#[test]
fn hostile_mails_are_read_within_bounds() {
    let mails = hostile();
    let before = peak();
    for (name, mail) in mails {
        let read = parse(mail.as_bytes());
        within_bounds(&read);
        let grown = peak() - before;
        assert!(grown < MEMORY_LIMIT, "{name}: {} MiB", grown / MIB);
    }
}

/// The most memory that this process has had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<usize>().unwrap() * 1024
}
