//! What people, their programs and their machines do with a mail.

use jiff::{ToSpan, civil::Date};
use mail_parser::MessageParser;
use overture_domain::Timestamp;
use overture_testkit::{App, servers::MailServers};
use reqwest::{Method, StatusCode, header::LOCATION, redirect::Policy};

use super::{
    campaigns::{LINKS, PUBLIC_URL},
    people::{Language, Person, Role},
};
use crate::story::{
    mails::{header, unsubscribe_url},
    outside::{deliver, unsubscribe},
};

/// Away for so many days, the day of the notice included.
const DAYS_AWAY: i64 = 6;

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";

/// Does what a person does with a mail. Of those who are away: the first moment of their first day
/// back.
pub(super) async fn act(
    app: &App,
    servers: &MailServers,
    person: &Person,
    mail: &[u8],
    now: Timestamp,
) -> Option<Timestamp> {
    match person.role {
        Role::Replies(_) => {
            let text = "That sounds interesting, please tell me more.\r\n\r\nOn Friday Ada wrote:\r\n> Hello\r\n";
            answer(servers, &person.email, mail, "", text).await;
        }
        Role::RepliesFromElsewhere(_) => {
            let from = format!("private-{}@elsewhere.test", person.number);
            answer(
                servers,
                &from,
                mail,
                "",
                "Could you send me your price list?\r\n",
            )
            .await;
        }
        Role::UnsubscribesByPost(_) => unsubscribe(app, mail).await,
        Role::UnsubscribesInWords(_, language) => {
            let text = match language {
                Language::German => "Bitte nehmen Sie mich aus Ihrem Verteiler.\r\n",
                Language::English => "Please remove me from your list.\r\n",
            };
            answer(servers, &person.email, mail, "", text).await;
        }
        Role::Away(_, language) => {
            let today = now.to_jiff().in_tz(person.zone).expect("a zone").date();
            let back = today.saturating_add(DAYS_AWAY.days());
            let marks = "Auto-Submitted: auto-replied\r\n";
            answer(servers, &person.email, mail, marks, &notice(language, back)).await;
            let back = back.in_tz(person.zone).expect("a zone").timestamp();
            return Some(back.into());
        }
        Role::FullAtFirst => {
            servers.set_quota(&person.email, None).expect("an account");
        }
        Role::Opens => assert_eq!(fetch(app, Method::GET, &pixel(mail), BROWSER).await.0, 200),
        Role::Clicks => {
            let answer = fetch(app, Method::GET, &wrapped(mail)[0], BROWSER).await;
            assert_eq!(answer, (StatusCode::FOUND, LINKS[0].to_owned())); // TRK-1
        }
        Role::Scanned => {
            for link in wrapped(mail) {
                assert_eq!(
                    fetch(app, Method::HEAD, &link, "").await.0,
                    StatusCode::FOUND
                );
            }
            fetch(app, Method::GET, &pixel(mail), "BarracudaCentral/1.0").await;
        }
        Role::Silent | Role::Gone | Role::Refused | Role::Full | Role::Greylisted => {}
    }
    None
}

fn notice(language: Language, back: Date) -> String {
    let (day, month) = (back.day(), usize::from(back.month().unsigned_abs()) - 1);
    match language {
        Language::German => {
            let names = ["Januar", "Februar", "März", "April"];
            format!(
                "Ich bin zurzeit nicht im Büro. Ab dem {day}. {} bin ich wieder für Sie da.\r\n",
                names[month]
            )
        }
        Language::English => {
            let names = ["January", "February", "March", "April"];
            format!(
                "I am out of the office and will be back on {} {day}.\r\n",
                names[month]
            )
        }
    }
}

/// Answers a mail in its thread.
async fn answer(servers: &MailServers, from: &str, mail: &[u8], marks: &str, text: &str) {
    let id = header(mail, "message-id");
    let sender = MessageParser::default().parse(mail).expect("a mail");
    let sender = sender
        .from()
        .and_then(|from| from.first()?.address())
        .expect("a sender");
    let data = format!(
        "From: <{from}>\r\nTo: <{sender}>\r\nSubject: Re: your mail\r\nMessage-ID: <re-{from}>\r\n\
         In-Reply-To: {id}\r\nReferences: {id}\r\n{marks}\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}"
    );
    deliver(servers, from, sender, &data).await;
}

/// The HTML of a mail.
pub(super) fn html(mail: &[u8]) -> String {
    let parsed = MessageParser::default().parse(mail).expect("a mail");
    parsed.body_html(0).expect("an HTML part").into_owned()
}

/// The addresses of a kind that stand in an attribute.
fn addresses(mail: &[u8], attribute: &str, kind: char) -> Vec<String> {
    let html = html(mail);
    let start = format!("{attribute}=\"{PUBLIC_URL}/{kind}/");
    let found = html.split(&start).skip(1);
    found
        .map(|rest| {
            format!(
                "{PUBLIC_URL}/{kind}/{}",
                rest.split('"').next().unwrap_or_default()
            )
        })
        .collect()
}

/// The mail's pixel.
pub(super) fn pixel(mail: &[u8]) -> String {
    let mut found = addresses(mail, "src", 'o');
    assert_eq!(found.len(), 1, "one pixel");
    found.remove(0)
}

/// The mail's links that lead through the instance.
pub(super) fn wrapped(mail: &[u8]) -> Vec<String> {
    addresses(mail, "href", 'c')
}

/// What the instance answers, and where that leads.
async fn fetch(app: &App, method: Method, url: &str, agent: &str) -> (StatusCode, String) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .build()
        .expect("an HTTP client");
    let here = url.replacen(PUBLIC_URL, &app.url, 1);
    let answer = http
        .request(method, here)
        .header("user-agent", agent)
        .send()
        .await
        .expect("the server answers");
    let location = answer
        .headers()
        .get(LOCATION)
        .and_then(|to| to.to_str().ok());
    (answer.status(), location.unwrap_or_default().to_owned())
}

/// TRK-1: where tracking is off nothing of it stands in the mail; where it is on, all of it does.
pub(super) fn check_tracking(mail: &[u8], is_tracked: bool) {
    let html = html(mail);
    let links = LINKS.map(|link| format!("href=\"{}\"", link.replace('&', "&amp;")));
    if is_tracked {
        pixel(mail);
        assert_eq!(wrapped(mail).len(), LINKS.len(), "{html}");
        assert!(!links.iter().any(|link| html.contains(link)), "{html}");
    } else {
        assert!(!html.contains("<img") && wrapped(mail).is_empty(), "{html}");
        assert!(links.iter().all(|link| html.contains(link)), "{html}");
    }
    assert!(html.contains(&unsubscribe_url(mail)), "TRK-4: {html}");
}
