//! Who writes to whom: campaigns of two steps, each to people of its own, from mailboxes whose
//! server files copies and from those whose doesn't.

use std::{collections::BTreeMap, fmt::Write as _};

use overture_testkit::{
    App,
    servers::{Account, MailServers},
};
use serde_json::{Value, json};

/// Mailboxes of each kind.
const SENDERS: usize = 4;

/// People of one campaign, spread over domains so that no domain's cap is reached.
const PEOPLE: usize = 64;
const DOMAINS: usize = 4;

/// So few on their way: time for another campaign.
const FEW: i64 = 12;

/// What the subjects of the steps begin with.
pub(super) const STEPS: [&str; 2] = ["First", "Second"];

/// The mailboxes that mails go out from.
pub(super) struct Senders {
    ids: Vec<String>,
    /// Of those whose server files a copy of what they send.
    domain_with_copies: String,
}

impl Senders {
    pub(super) async fn connect(app: &App, servers: &MailServers) -> Self {
        let domain_with_copies = servers.own_domain_with_sent_copies().expect("a domain");
        let domain = servers.own_domain().expect("a domain");
        let mut ids = Vec::new();
        for n in 1..=SENDERS {
            for (domain, files_sent) in [(&domain_with_copies, true), (&domain, false)] {
                let address = format!("s{n}@{domain}");
                let account = Account::new(&address, "secret");
                servers
                    .add_accounts(&[account])
                    .expect("accounts can be added");
                let more = json!({
                    "dailyLimit": 500, "filesSent": files_sent,
                    "sentWithinMinutes": files_sent.then_some(2),
                });
                ids.push(app.connect_mailbox(servers, &address, more).await);
            }
        }
        Self {
            ids,
            domain_with_copies,
        }
    }

    /// Whether a sender's server files copies.
    pub(super) fn file_copies(&self, sender: &str) -> bool {
        sender.ends_with(&format!("@{}", self.domain_with_copies))
    }
}

/// Everything that was begun.
pub(super) struct Campaigns {
    pub(super) senders: Senders,
    ids: Vec<String>,
    people: Vec<String>,
}

impl Campaigns {
    pub(super) fn new(senders: Senders) -> Self {
        Self {
            senders,
            ids: Vec::new(),
            people: Vec::new(),
        }
    }

    /// Everybody who is to get every step once.
    pub(super) fn people(&self) -> &[String] {
        &self.people
    }

    /// How many mails that will be.
    pub(super) fn mails(&self) -> usize {
        self.people.len() * STEPS.len()
    }

    /// Whether the next campaign should begin, as long as there is something to do.
    pub(super) fn want_more(&self, numbers: &Numbers, more_kills: bool) -> bool {
        (more_kills || self.mails() < super::MAILS) && numbers.on_their_way() < FEW
    }

    /// Another campaign, running.
    pub(super) async fn add(&mut self, app: &App, servers: &MailServers) {
        let domain = |_| servers.own_domain().expect("a domain");
        let domains: Vec<_> = (0..DOMAINS).map(domain).collect();
        let address = |n: usize| format!("p{n}@{}", domains[n % DOMAINS]);
        let people: Vec<_> = (0..PEOPLE).map(address).collect();
        let accounts: Vec<_> = people
            .iter()
            .map(|address| Account::new(address, "pw"))
            .collect();
        servers
            .add_accounts(&accounts)
            .expect("accounts can be added");
        let mut csv = "email\n".to_owned();
        for address in &people {
            writeln!(csv, "{address}").expect("memory suffices");
        }
        let file = app.installation.write("people.csv", csv);
        app.cli(&["import", &file.display().to_string()])
            .await
            .success();
        let step = |(index, name): (usize, &&str)| json!({ "stepIndex": index, "subject": format!("{name} mail"), "bodyHtml": "<p>Hello</p>", "delayHours": index });
        let steps: Vec<Value> = STEPS.iter().enumerate().map(step).collect();
        let campaign = json!({
            "name": domains[0], "steps": steps, "mailboxIds": self.senders.ids,
            "dailySendLimit": 10_000, "maxSendsPerMailboxPerDay": 500, "minutesBetweenSends": 0,
            "sendingWindowStart": "00:00", "sendingWindowEnd": "00:00", "scheduleDays": [0, 1, 2, 3, 4, 5, 6],
        });
        let campaign = app.api.post("/campaigns", &campaign).await;
        let id = campaign["id"].as_str().expect("an id").to_owned();
        app.api
            .post(
                &format!("/campaigns/{id}/enrollments"),
                &json!({ "emails": people }),
            )
            .await;
        app.api
            .post(&format!("/campaigns/{id}/start"), &json!({}))
            .await;
        self.ids.push(id);
        self.people.extend(people);
    }

    /// How many enrollments stand in each state, and how many mails went out.
    pub(super) async fn numbers(&self, app: &App) -> Numbers {
        let mut numbers = Numbers::default();
        for id in &self.ids {
            let stats = app.api.get(&format!("/campaigns/{id}/stats")).await;
            numbers.sent += stats["sent"].as_i64().expect("a number");
            for (state, n) in stats["byState"].as_object().expect("an object") {
                let in_state = numbers.states.entry(state.clone()).or_default();
                *in_state += n.as_i64().expect("a number");
            }
        }
        numbers
    }

    /// Whether somebody still has a mail to come by itself, or evidence is still looked for.
    pub(super) async fn are_open(&self, app: &App) -> bool {
        if self.numbers(app).await.on_their_way() > 0 {
            return true;
        }
        let sends = app.api.all("/sends/ambiguous").await;
        sends.iter().any(|send| !send["nextLookAt"].is_null())
    }
}

/// How far all campaigns are.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) states: BTreeMap<String, i64>,
    pub(super) sent: i64,
}

impl Numbers {
    pub(super) fn in_state(&self, state: &str) -> i64 {
        self.states.get(state).copied().unwrap_or(0)
    }

    fn on_their_way(&self) -> i64 {
        let open = ["queued", "active", "waiting"];
        open.into_iter().map(|state| self.in_state(state)).sum()
    }
}
