//! What is done by hand, and what must have come of it in the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use overture_domain::Timestamp;
use overture_testkit::{App, TestDatabase};
use serde_json::{Value, json};

use super::{
    DAY, first_word,
    hooks::Hooks,
    people::{People, Role},
};

/// Spintax, merge tags, a custom field, a default; one long line, so that folding is needed.
const SUBJECT: &str = "{Kurze|Kleine} Frage zu {{company}}, {{firstName}}";

fn body() -> String {
    let long = "Ein langer Satz mit Umlauten wie in Größe und Übung. ".repeat(40);
    format!(
        "<p>Hallo {{{{ firstName | default: 'zusammen' }}}},</p>\
         <p>passt der Plan {{{{ custom.preferred_plan }}}} zu {{{{ company }}}}?</p>\
         <p>{long}</p><p>{{Viele|Beste}} Grüße<br>{{{{ sender_name }}}}</p>"
    )
}

/// Events that webhooks may hear of (API-6), of those that mail brings.
const PUBLIC: [&str; 10] = [
    "reply.received",
    "email.sent",
    "email.bounced",
    "email.unsubscribed",
    "email.opened",
    "email.clicked",
    "email.complained",
    "prospect.suppressed",
    "limit.hit",
    "campaign.status_changed",
];

/// A running campaign and those who hear of it.
pub(super) struct Campaign {
    id: String,
    hooks: Hooks,
}

impl Campaign {
    /// Webhooks by the API; import, campaign and start by the command line.
    pub(super) async fn start(app: &App, mailbox: &str, people: &People) -> Self {
        let hooks = Hooks::connect(app).await;
        let csv = app.installation.write("people.csv", people.csv());
        let imported = app
            .cli(&["import", &csv.display().to_string(), "--list", "Messe"])
            .await;
        let said = imported.success();
        assert!(
            said.contains("20 created, 0 updated, 0 duplicate, 0 suppressed, 0 invalid"),
            "{said}"
        );

        let body = app.installation.write("body.html", body());
        let created = app
            .cli(&[
                "campaign",
                "create",
                "Frühling",
                "--mailbox",
                mailbox,
                "--subject",
                SUBJECT,
                "--body-file",
                &body.display().to_string(),
                "--list",
                "Messe",
            ])
            .await;
        let id = first_word(created.success());
        let started = app.cli(&["campaign", "start", &id]).await;
        assert!(started.success().contains("running"), "{}", started.stdout);
        Self { id, hooks }
    }

    async fn stats(&self, app: &App) -> Value {
        app.api.get(&format!("/campaigns/{}/stats", self.id)).await
    }

    async fn events(&self, app: &App, kind: &str) -> Vec<Value> {
        app.api.all(&format!("/events?type={kind}")).await
    }

    /// Lets time pass until all mails are out, and checks when they went.
    pub(super) async fn settle_until_all_are_sent(&self, app: &App) {
        app.settle_until("twenty mails are sent", DAY * 4, async || {
            self.stats(app).await["sent"] == 20
        })
        .await;
        let events = self.events(app, "email.sent").await;
        let moments: Vec<_> = events
            .iter()
            .map(|event| at(&event["data"]["sentAt"]))
            .collect();
        for (one, next) in moments.iter().zip(&moments[1..]) {
            // SCH-4: five minutes and up to one more; the event follows within seconds of its turn.
            assert!(next.since(*one).as_secs() >= 300, "{one} then {next}");
        }
        for moment in &moments {
            assert!(
                in_default_window(*moment),
                "{moment} is outside of the window"
            ); // SCH-1
        }
        let days: BTreeSet<_> = moments
            .iter()
            .map(|moment| moment.as_secs() / 86_400)
            .collect();
        assert_eq!(days.len(), 2, "the window closed between them: {moments:?}");
    }

    /// The events of the mails that went out, by recipient.
    pub(super) async fn sent(&self, app: &App) -> HashMap<String, Value> {
        let events = self.events(app, "email.sent").await;
        let by_recipient = |mut event: Value| {
            let email = event["data"]["prospectEmail"].as_str().map(str::to_owned);
            (email.expect("an address"), event["data"].take())
        };
        events.into_iter().map(by_recipient).collect()
    }

    /// Lets time pass until everything that people did is known and told, and checks it from all
    /// sides.
    pub(super) async fn settle_until_all_is_told(
        &self,
        app: &App,
        people: &People,
        database: &TestDatabase,
    ) {
        let end = json!({ "bounced": 1, "completed": 17, "replied": 1, "unsubscribed": 1 });
        app.settle_until("everybody's way ends", DAY * 3, async || {
            let stats = self.stats(app).await;
            stats["byState"] == end && stats["outOfOffice"] == 1
        })
        .await;
        app.settle_until("every event is delivered", DAY, async || {
            database.events_settled().await;
            self.hooks.delivered().len() == self.public_events(app).await.len()
        })
        .await;
        self.check_numbers(app).await;
        self.check_people(app, people).await;
        self.check_events(app, people).await;
    }

    async fn check_numbers(&self, app: &App) {
        let stats = self.stats(app).await;
        // The people of the sandbox open mails though nothing in them tells.
        let opened = self.events(app, "email.opened").await.len();
        let clicked = self.events(app, "email.clicked").await.len();
        let expected = json!({
            "opened": opened, "clicked": clicked, "prospects": 20,
            "byState": { "bounced": 1, "completed": 17, "replied": 1, "unsubscribed": 1 },
            "sent": 20, "contacted": 20, "replied": 1, "bounced": 1, "unsubscribed": 1, "outOfOffice": 1,
        });
        assert_eq!(stats, expected);
        let shown = app.cli(&["campaign", "show", &self.id]).await;
        let shown = shown.success();
        assert!(
            shown.contains("completed") && shown.contains("outOfOffice: 1"),
            "{shown}"
        );
        // SAFE-5: the numbers are the events.
        for (kind, count) in [
            ("email.sent", 20),
            ("reply.received", 1),
            ("email.bounced", 1),
            ("email.unsubscribed", 1),
            ("out_of_office.received", 1),
            ("prospect.suppressed", 2),
        ] {
            assert_eq!(self.events(app, kind).await.len(), count, "{kind}");
        }
        let campaign = app.api.get(&format!("/campaigns/{}", self.id)).await;
        assert_eq!(campaign["status"], "completed"); // SEQ-11
    }

    async fn check_people(&self, app: &App, people: &People) {
        let enrollments = app
            .api
            .all(&format!("/campaigns/{}/enrollments", self.id))
            .await;
        let states: BTreeMap<_, _> = enrollments
            .iter()
            .map(|row| (row["prospectEmail"].as_str().unwrap_or_default(), row))
            .collect();
        let prospects = app.api.all("/prospects").await;
        let prospects: BTreeMap<_, _> = prospects
            .iter()
            .map(|row| (row["email"].as_str().unwrap_or_default(), row))
            .collect();
        assert_eq!((states.len(), prospects.len()), (20, 20));
        for person in people.all() {
            let (state, status) = match person.role {
                Role::Silent | Role::Away => ("completed", "active"),
                Role::Replies => ("replied", "active"),
                Role::Gone => ("bounced", "invalid"),
                Role::Unsubscribes => ("unsubscribed", "unsubscribed"),
            };
            let prospect = prospects[person.email.as_str()];
            assert_eq!(states[person.email.as_str()]["state"], state, "{person:?}");
            assert_eq!(prospect["status"], status, "{person:?}");
            assert_eq!(prospect["firstName"], person.first_name);
            assert_eq!(prospect["lastName"], person.last_name);
            assert_eq!(
                prospect["customFields"],
                json!({ "preferred_plan": person.plan })
            );
        }
        let away = &people.who(Role::Away).email;
        assert_eq!(states[away.as_str()]["label"], "out_of_office"); // CLS-1
        // SUP-1
        let suppressed = app.api.all("/suppressions").await;
        let suppressed: BTreeSet<_> = suppressed
            .iter()
            .map(|row| {
                (
                    row["value"].as_str().unwrap_or_default(),
                    row["source"].as_str().unwrap_or_default(),
                )
            })
            .collect();
        let expected = [
            (people.who(Role::Gone).email.as_str(), "bounce"),
            (people.who(Role::Unsubscribes).email.as_str(), "unsubscribe"),
        ];
        assert_eq!(suppressed, BTreeSet::from(expected));
    }

    async fn check_events(&self, app: &App, people: &People) {
        let public = self.public_events(app).await;
        self.hooks.check(&public, people.who(Role::Replies));
        for (kind, role) in [
            ("reply.received", Role::Replies),
            ("out_of_office.received", Role::Away),
            ("email.bounced", Role::Gone),
            ("email.unsubscribed", Role::Unsubscribes),
        ] {
            let events = self.events(app, kind).await;
            assert_eq!(
                events[0]["data"]["prospectEmail"],
                people.who(role).email,
                "{kind}"
            );
        }
        let listed = app.cli(&["events", "--json"]).await;
        let listed = listed.success().lines().count();
        assert_eq!(listed, app.api.all("/events").await.len());
    }

    async fn public_events(&self, app: &App) -> Vec<Value> {
        let mut events = app.api.all("/events").await;
        events.retain(|event| PUBLIC.contains(&event["type"].as_str().unwrap_or_default()));
        events
    }
}

fn at(value: &Value) -> Timestamp {
    let text = value.as_str().expect("a time");
    text.parse().expect("a time in RFC 3339")
}

/// Monday to Friday, 9 to 17, in UTC.
fn in_default_window(moment: Timestamp) -> bool {
    // 1970-01-01 was a Thursday.
    let weekday = (moment.as_secs() / 86_400 + 3) % 7;
    weekday < 5 && (9 * 3_600..17 * 3_600).contains(&(moment.as_secs() % 86_400))
}
