//! The two campaigns that share two mailboxes: one in office hours that is tracked, one in the
//! evenings that isn't. Limits, pace and delays are the defaults of CAP-1, SCH-4 and SEQ-2.

use jiff::civil::{Time, Weekday, time};
use overture_testkit::{App, servers::MailServers};
use serde_json::{Value, json};

use super::people::{People, Person};

/// Steps of both.
pub(super) const STEPS: usize = 3;

/// Days after the step before.
pub(super) const DELAYS: [i64; STEPS] = [0, 1, 2];

/// Links of every mail.
pub(super) const LINKS: [&str; 2] = [
    "https://example.com/offer?a=1&b=2",
    "https://example.com/about",
];

/// Where the instance says that it can be reached.
pub(super) const PUBLIC_URL: &str = "https://outreach.test";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Monday to Friday, 9 to 17, tracked.
    Office,
    /// Every day, 18 to 20 and 22 to 1, not tracked.
    Evenings,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Office, Self::Evenings];

    pub(super) const fn subject(self) -> &'static str {
        match self {
            Self::Office => "A question about your office",
            Self::Evenings => "A question about your evenings",
        }
    }

    /// SCH-1: by the clock on the wall of who is written to.
    pub(super) fn may_send_at(self, weekday: Weekday, clock: Time) -> bool {
        let within = |from, to| (from..to).contains(&clock);
        match self {
            Self::Office => {
                let weekend = [Weekday::Saturday, Weekday::Sunday].contains(&weekday);
                !weekend && within(time(9, 0, 0, 0), time(17, 0, 0, 0))
            }
            Self::Evenings => {
                within(time(18, 0, 0, 0), time(20, 0, 0, 0))
                    || clock >= time(22, 0, 0, 0)
                    || clock < time(1, 0, 0, 0)
            }
        }
    }

    fn settings(self) -> Value {
        match self {
            Self::Office => json!({ "trackOpens": true, "trackClicks": true }),
            Self::Evenings => json!({ "windows": [
                { "days": [0, 1, 2, 3, 4, 5, 6], "start": "18:00", "end": "20:00" },
                { "days": [0, 1, 2, 3, 4, 5, 6], "start": "22:00", "end": "01:00" },
            ] }),
        }
    }
}

/// The text by which a step's mail is known.
pub(super) fn mark(step: usize) -> String {
    format!("This is mail {} of {STEPS}.", step + 1)
}

fn step(index: usize, subject: &str) -> Value {
    let links = LINKS.map(|link| link.replace('&', "&amp;"));
    let body = format!(
        "<p>Hello {{{{ firstName }}}},</p><p>{}</p><p>See <a href=\"{}\">our offer</a> and <a href=\"{}\">who we are</a>.</p>",
        mark(index),
        links[0],
        links[1]
    );
    let subject = if index == 0 { subject } else { "" };
    json!({ "stepIndex": index, "subject": subject, "bodyHtml": body, "delayDays": DELAYS[index] })
}

/// A mailbox whose server files a copy of what it sends. Its id.
pub(super) async fn connect(app: &App, servers: &MailServers, address: &str, zone: &str) -> String {
    let more = json!({
        "senderName": "Ada Example", "timezone": zone, "filesSent": true, "sentWithinMinutes": 2,
    });
    app.connect_mailbox(servers, address, more).await
}

/// A running campaign with everybody of its kind in it. Its id.
pub(super) async fn start(app: &App, kind: Kind, mailboxes: &[String], people: &People) -> String {
    let steps: Vec<Value> = (0..STEPS)
        .map(|index| step(index, kind.subject()))
        .collect();
    let mut campaign =
        json!({ "name": format!("{kind:?}"), "steps": steps, "mailboxIds": mailboxes });
    for (name, value) in kind.settings().as_object().expect("an object") {
        campaign[name] = value.clone();
    }
    let campaign = app.api.post("/campaigns", &campaign).await;
    let id = campaign["id"].as_str().expect("an id").to_owned();
    let emails: Vec<&str> = people
        .of(kind)
        .map(|person: &Person| &*person.email)
        .collect();
    let enrolled = app
        .api
        .post(
            &format!("/campaigns/{id}/enrollments"),
            &json!({ "emails": emails }),
        )
        .await;
    assert_eq!(enrolled["enrolled"], emails.len());
    app.api
        .post(&format!("/campaigns/{id}/start"), &json!({}))
        .await;
    id
}
