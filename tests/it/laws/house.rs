//! A program that sends from a mailbox in the sandbox, to people who do nothing unless their
//! address says so.

use std::time::Duration;

use overture_domain::Timestamp;
use overture_testkit::{
    App, MONDAY, TestDatabase,
    app::{Installation, driven_binary},
};
use serde_json::{Value, json};

pub(super) const HOUR: Duration = Duration::from_secs(3_600);
/// Below the pace of a mailbox, so that a burst would be seen.
pub(super) const STEP: Duration = Duration::from_secs(120);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3_600);

pub(super) struct House {
    pub(super) app: App,
    pub(super) mailbox: String,
}

impl House {
    /// From Monday, 9 o'clock in UTC.
    pub(super) async fn open(test: &TestDatabase) -> Self {
        let app = App::start(Installation::new(driven_binary(), "", &test.url), MONDAY).await;
        let mailbox = json!({
            "emailAddress": "ada@example.com", "senderName": "Ada Example",
            "provider": "provider-sandbox", "settings": { "seed": 1 },
        });
        let made = app.api.post("/mailboxes", &mailbox).await;
        let mailbox = id(&made);
        Self { app, mailbox }
    }

    /// A running campaign of these steps, each an hour after the one before; its id.
    pub(super) async fn campaign(&self, people: &[String], steps: &[&str]) -> String {
        for email in people {
            self.app
                .api
                .post("/prospects", &json!({ "email": email }))
                .await;
        }
        let step = |(index, body): (usize, &&str)| {
            let subject = if index == 0 { "Hello" } else { "" };
            json!({ "stepIndex": index, "subject": subject, "bodyHtml": format!("<p>{body}</p>"), "delayHours": index.min(1) })
        };
        let steps: Vec<Value> = steps.iter().enumerate().map(step).collect();
        let campaign = json!({ "name": "Spring", "steps": steps, "mailboxIds": [self.mailbox] });
        let id = id(&self.app.api.post("/campaigns", &campaign).await);
        self.post(
            &format!("/campaigns/{id}/enrollments"),
            &json!({ "emails": people }),
        )
        .await;
        self.post(&format!("/campaigns/{id}/start"), &json!({}))
            .await;
        id
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        self.app.api.post(path, body).await
    }

    /// Everybody in a campaign.
    pub(super) async fn enrollments(&self, campaign: &str) -> Vec<Value> {
        self.app
            .api
            .all(&format!("/campaigns/{campaign}/enrollments"))
            .await
    }

    /// When mails went out, in order.
    pub(super) async fn sent(&self) -> Vec<Timestamp> {
        let events = self.app.api.all("/events?type=email.sent").await;
        let at = |event: &Value| {
            event["data"]["sentAt"]
                .as_str()
                .expect("a time")
                .parse()
                .expect("a time")
        };
        let mut sent: Vec<Timestamp> = events.iter().map(at).collect();
        sent.sort_unstable();
        sent
    }

    /// Lets time pass, doing whatever becomes due.
    pub(super) async fn run_until(&self, end: Timestamp) {
        while self.step(STEP, end).await < end {}
    }

    /// The same until something is so, within a limit; `step` is how far time goes on at least.
    pub(super) async fn run_while(
        &self,
        step: Duration,
        limit: Duration,
        mut goes_on: impl AsyncFnMut() -> bool,
    ) {
        let end = self.app.idle().await.now + limit;
        while goes_on().await {
            assert!(
                self.step(step, end).await < end,
                "not by {end}; the log:\n{}",
                self.app.log()
            );
        }
    }

    /// What the clock shows then.
    async fn step(&self, step: Duration, end: Timestamp) -> Timestamp {
        let status = self.app.idle().await;
        let next = status.next.unwrap_or(end).max(status.now + step).min(end);
        if next > status.now {
            self.app.clock.set(next).await;
            self.app.idle().await;
        }
        next
    }

    /// Time passes and nothing is done meanwhile, as when the machine was off.
    pub(super) async fn be_off_until(&mut self, end: Timestamp) {
        self.app.idle().await;
        self.app.kill_until(end).await;
        self.app.idle().await;
    }
}

fn id(made: &Value) -> String {
    made["id"].as_str().expect("an id").to_owned()
}

/// People who do nothing.
pub(super) fn silent(n: usize) -> Vec<String> {
    (0..n)
        .map(|n| format!("silent{n}@d{}.example.org", n % 4))
        .collect()
}
