//! What every mail must look like, read from the recipient's mailbox.

use mail_parser::{Address, MessageParser};
use overture_domain::Timestamp;
use serde_json::Value;

use super::people::Person;

/// A header as it stands in the mail: its lines joined, nothing decoded.
pub(crate) fn headers(mail: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(mail).expect("a mail of ours is ASCII");
    let end = text
        .find("\n\n")
        .or_else(|| text.find("\r\n\r\n"))
        .expect("a header ends");
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in text[..end].lines() {
        match (line.starts_with([' ', '\t']), headers.last_mut()) {
            (true, Some((_, value))) => value.push_str(line),
            _ => {
                let (name, value) = line
                    .split_once(':')
                    .unwrap_or_else(|| panic!("no header: {line}"));
                headers.push((name.to_lowercase(), value.trim().to_owned()));
            }
        }
    }
    headers
}

/// The only header of a name.
pub(crate) fn header(mail: &[u8], name: &str) -> String {
    let mut found = headers(mail);
    found.retain(|(known, _)| known == name);
    assert_eq!(found.len(), 1, "{name} stands once");
    found.remove(0).1
}

/// The https URI of List-Unsubscribe.
pub(crate) fn unsubscribe_url(mail: &[u8]) -> String {
    let list = header(mail, "list-unsubscribe");
    let uris = list
        .split(',')
        .map(|uri| uri.trim().trim_start_matches('<').trim_end_matches('>'));
    let mut https = uris.filter(|uri| uri.starts_with("https://"));
    https.next().expect("an https URI").to_owned()
}

/// Checks a mail against what was sent (`email.sent`'s data).
pub(super) fn check(mail: &[u8], person: &Person, sender: &str, sent: &Value) {
    let raw = std::str::from_utf8(mail).expect("headers and bodies are encoded as ASCII");
    assert!(raw.is_ascii(), "{raw}");
    let longest = raw.lines().map(str::len).max();
    assert!(longest <= Some(998), "RFC 5322 §2.1.1: {longest:?}");
    let parsed = MessageParser::default().parse(mail).expect("a mail");

    let message_id = header(mail, "message-id");
    assert_eq!(
        message_id,
        format!("<{}>", sent["messageId"].as_str().expect("an id"))
    );
    let (_, domain) = sender.split_once('@').expect("an address");
    assert!(
        message_id.ends_with(&format!("@{domain}>")),
        "SEQ-4: {message_id}"
    );

    header(mail, "date");
    let sent_at: Timestamp = sent["sentAt"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("a time");
    let date = parsed.date().expect("a date").to_timestamp();
    assert!(
        (date - sent_at.as_secs()).abs() <= 1,
        "{date} is not {sent_at}"
    );

    header(mail, "from");
    assert_eq!(
        mailbox(parsed.from()),
        ("Ada Größe".to_owned(), sender.to_owned())
    );
    header(mail, "to");
    let name = format!("{} {}", person.first_name, person.last_name);
    assert_eq!(mailbox(parsed.to()), (name, person.email.clone()));

    assert!(header(mail, "subject").contains("=?"), "RFC 2047");
    let subject = parsed.subject().expect("a subject");
    let rest = format!(" Frage zu {}, {}", person.company, person.first_name);
    assert!(
        ["Kurze", "Kleine"]
            .iter()
            .any(|first| subject == format!("{first}{rest}")),
        "{subject}"
    );
    assert_eq!(header(mail, "mime-version"), "1.0");
    assert!(
        headers(mail)
            .iter()
            .all(|(name, _)| name != "x-auto-response-suppress")
    );

    check_unsubscribe(mail, sender);
    let text = parsed.body_text(0).expect("a text part").into_owned();
    let html = parsed.body_html(0).expect("an HTML part").into_owned();
    assert_eq!((parsed.text_body.len(), parsed.html_body.len()), (1, 1));
    assert_ne!(
        parsed.text_body, parsed.html_body,
        "both parts are in the mail"
    );
    check_body(&text, person, str::to_owned);
    check_body(&html, person, escaped);
    let link = unsubscribe_url(mail);
    assert!(
        text.contains(&link) && html.contains(&link),
        "TRK-4: a visible link"
    );
}

/// RFC 8058, TRK-4
fn check_unsubscribe(mail: &[u8], sender: &str) {
    let link = unsubscribe_url(mail);
    let token = link
        .strip_prefix("https://outreach.test/u/")
        .expect("public_url");
    let mailto = format!("<mailto:{sender}?subject=unsubscribe%20{token}>");
    let list = header(mail, "list-unsubscribe");
    let uris: Vec<_> = list.split(',').map(str::trim).collect();
    assert_eq!(uris, [format!("<{link}>"), mailto]);
    assert_eq!(
        header(mail, "list-unsubscribe-post"),
        "List-Unsubscribe=One-Click"
    );
}

fn check_body(body: &str, person: &Person, written: impl Fn(&str) -> String) {
    for value in [
        person.first_name,
        person.company.as_str(),
        person.plan,
        "Ada Größe",
    ] {
        assert!(
            body.contains(&written(value)),
            "{value} is missing in {body}"
        );
    }
    for trace in [
        "{{",
        "}}",
        "{%",
        "%}",
        "{Viele",
        "|Beste",
        "custom.",
        "firstName",
    ] {
        assert!(!body.contains(trace), "{trace} is left in {body}");
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn mailbox(address: Option<&Address<'_>>) -> (String, String) {
    let address = address.and_then(Address::first).expect("one address");
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    (text(address.name()), text(address.address()))
}
