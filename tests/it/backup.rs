//! A backup goes into an empty folder on another day, and the program goes on where it was: nobody is
//! lost, and nobody gets a mail twice, although mails went out after the backup was taken.

use std::{collections::BTreeMap, fs, time::Duration};

use mail_parser::MessageParser;
use overture_domain::Timestamp;
use overture_engine::Failpoint;
use overture_testkit::{
    App, Dialect, MONDAY, TestDatabase,
    app::{Installation, driven_binary},
    eventually, on_both,
    servers::{Account, MailServers, mail},
};
use serde_json::{Value, json};

const PEOPLE: usize = 4;
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Real mail servers take this long at most to deliver.
const DELIVERY: Duration = Duration::from_secs(30);

on_both! {
    // OPS-1, OPS-4, SAFE-1, SAFE-2, SAFE-3, SAFE-4
    async fn a_restored_backup_goes_on_and_sends_nothing_twice(test: TestDatabase) {
        let servers = mail().expect("mail servers");
        let world = World::new(servers);
        let config = format!("{}[engine]\nhost_dead_after_seconds = 1\n", crate::story::on(servers));
        let installation = Installation::new(driven_binary(), &config, &test.url);
        let mut app = App::start(installation, MONDAY).await;
        let campaign = world.begin(&app).await;

        // Two have their mail, the third's is in hands when the backup is taken.
        let path = format!("/campaigns/{campaign}");
        let sent = async |app: &App| app.api.get(&format!("{path}/stats")).await["sent"].clone();
        advance_until(&app, async || sent(&app).await == 2).await;
        app.clock.hold(Failpoint::Reserved).await;
        advance_until(&app, async || !app.idle_or_held().await.held.is_empty()).await;
        let file = app.installation.path("monday.backup").display().to_string();
        let taken = app.installation.run(&["backup", &file]).await;
        assert!(taken.success().contains("master key"), "{taken:?}");
        let again = app.installation.run(&["backup", &file]).await;
        assert!(again.failure().contains("is never overwritten"), "{again:?}");

        // The program lives on: the third gets the mail, and the backup does not know. Then the machine
        // is lost.
        app.kill().await;
        if test.db.dialect() == Dialect::Postgres {
            // On SQLite the only process takes everything back as it starts.
            eventually("the lease of the dead process ends", DELIVERY, async || {
                app.log().contains("leases were given back").then_some(())
            }).await;
        }
        advance_until(&app, async || sent(&app).await == 3).await;
        eventually("three mails are there", DELIVERY, async || (world.arrived() == 3).then_some(())).await;
        let (key, old) = (app.key.clone(), app.installation.clone());
        app.stop().await;

        // Another day, another folder, an empty database.
        let fresh = TestDatabase::new(test.db.dialect()).await;
        let new = Installation::new(driven_binary(), &config, &fresh.url);
        let missing = new.run(&["restore", &file]).await;
        assert!(missing.failure().contains("master.key"), "{missing:?}");
        let master_key = new.write("data/master.key", fs::read(old.path("data/master.key")).expect("it was made"));
        private(&master_key);
        let claimed = new.run(&["restore", &file, "--nothing-sent-since"]).await;
        assert!(claimed.failure().contains("a server worked while"), "{claimed:?}");
        let restored = new.run(&["restore", &file]).await;
        assert!(restored.success().contains("campaigns paused with the reason `restored`: 1."), "{restored:?}");
        assert!(restored.success().contains("steps that were under way: 1."), "{restored:?}");
        let twice = new.run(&["restore", &file]).await;
        assert!(twice.failure().contains("--force"), "{twice:?}");

        // Under a new master key its mailbox still signs in.
        let rotated = new.run(&["master-key", "rotate"]).await;
        assert!(rotated.success().starts_with("1 mailboxes"), "{rotated:?}");

        // Nothing goes out before a person says so.
        let app = App::serve(new, key, MONDAY).await;
        let paused = app.api.get(&path).await;
        assert_eq!((&paused["status"], &paused["pausedReason"]), (&json!("paused"), &json!("restored")));
        let restored_at: Timestamp = paused["pausedAt"].as_str().expect("a time").parse().expect("a time");
        app.clock.set(restored_at + DAY * 2).await;
        app.idle().await;
        assert_eq!(world.arrived(), 3);
        app.api.post(&format!("{path}/resume"), &json!({})).await;
        app.settle_until("everybody is through", DAY * 7, async || {
            app.api.get(&path).await["status"] == "completed"
        }).await;
        eventually("the last mail is there", DELIVERY, async || (world.arrived() == PEOPLE).then_some(())).await;
        world.check_each_got_one();
        let states: Vec<Value> = app.api.all(&format!("{path}/enrollments")).await;
        assert!(states.iter().all(|one| one["state"] == "completed"), "{states:?}");
        app.stop().await;
    }
}

/// Who writes to whom, over a server that files a copy of what it sends.
struct World<'a> {
    servers: &'a MailServers,
    sender: String,
    people: Vec<String>,
}

impl<'a> World<'a> {
    fn new(servers: &'a MailServers) -> Self {
        let domain = servers.own_domain_with_sent_copies().expect("a domain");
        let own = servers.own_domain().expect("a domain");
        let world = Self {
            servers,
            sender: format!("ada@{domain}"),
            people: (0..PEOPLE).map(|n| format!("p{n}@{own}")).collect(),
        };
        let mut accounts = vec![Account::new(&world.sender, "secret")];
        accounts.extend(world.people.iter().map(|person| Account::new(person, "pw")));
        servers
            .add_accounts(&accounts)
            .expect("accounts can be added");
        world
    }

    /// A running campaign of one mail; its id.
    async fn begin(&self, app: &App) -> String {
        let ports = self.servers.ports;
        let server = |port, tls| json!({ "host": "localhost", "port": port, "tls": tls });
        let mailbox = json!({
            "emailAddress": self.sender, "password": "secret", "filesSent": true, "sentWithinMinutes": 2,
            "smtp": server(ports.submission, "starttls"), "imap": server(ports.imaps, "implicit"),
        });
        let mailbox = app.api.post("/mailboxes", &mailbox).await["id"].clone();
        for email in &self.people {
            app.api.post("/prospects", &json!({ "email": email })).await;
        }
        let step = json!({ "stepIndex": 0, "subject": "Hello", "bodyHtml": "<p>Hello</p>" });
        let campaign = json!({ "name": "Spring", "steps": [step], "mailboxIds": [mailbox] });
        let made = app.api.post("/campaigns", &campaign).await;
        let id = made["id"].as_str().expect("an id").to_owned();
        let people = json!({ "emails": self.people });
        app.api
            .post(&format!("/campaigns/{id}/enrollments"), &people)
            .await;
        app.api
            .post(&format!("/campaigns/{id}/start"), &json!({}))
            .await;
        id
    }

    fn arrived(&self) -> usize {
        self.ids().values().map(Vec::len).sum()
    }

    /// The Message-IDs that each person got.
    fn ids(&self) -> BTreeMap<&String, Vec<String>> {
        let mut ids = BTreeMap::new();
        for person in &self.people {
            let mails = self.servers.mails(person, "INBOX").expect("readable");
            let id = |mail: &Vec<u8>| {
                let mail = MessageParser::default().parse(mail).expect("a mail");
                mail.message_id().expect("a Message-ID").to_owned()
            };
            ids.insert(person, mails.iter().map(id).collect());
        }
        ids
    }

    fn check_each_got_one(&self) {
        let ids = self.ids();
        assert!(ids.values().all(|ids| ids.len() == 1), "{ids:?}");
    }
}

/// Lets time pass in steps below the pace of a mailbox, until it is so.
async fn advance_until(app: &App, mut condition: impl AsyncFnMut() -> bool) {
    let end = app.idle_or_held().await.now + DAY;
    loop {
        let status = app.idle_or_held().await;
        if condition().await {
            return;
        }
        assert!(status.now < end, "not by {end}; the log:\n{}", app.log());
        let next = status.next.unwrap_or(end).max(status.now);
        app.clock.set(next).await;
    }
}

fn private(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("it is ours");
}
