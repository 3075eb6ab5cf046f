//! The one true story: prospects from a CSV file, a one-step campaign, each mail handed by a
//! sandboxed plugin to its provider; one replies, one is out of office, one bounces, one
//! unsubscribes; a Slack channel and a signed webhook hear of it. Through `overture serve` as its
//! own process, its API and command line, with default window, caps and pacing, on driven time.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `people` | the twenty, and their CSV file |
//! | `campaign` | what is done by hand, and what must have come of it in the end |
//! | `hooks` | the two receivers, and their signatures |
//! | `mails` | what every mail must look like |
//! | `outside` | what people do with their mail programs |

mod campaign;
pub(crate) mod hooks;
pub(crate) mod mails;
pub(crate) mod outside;
mod people;

use std::time::Duration;

use overture_domain::Timestamp;
use overture_testkit::{
    App,
    app::{Installation, driven_binary},
    eventually, on_both,
    servers::{Account, MailServers, mail},
};
use serde_json::json;

use campaign::Campaign;
use people::{People, Role};

/// 2026-03-05T15:30:00Z: an hour and a half of the default window are left.
const THURSDAY: Timestamp = Timestamp::from_secs(1_772_724_600);

/// 2026-03-06T15:30:00Z: then comes the weekend.
const FRIDAY: Timestamp = Timestamp::from_secs(1_772_811_000);

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Real mail servers take this long at most to deliver.
const DELIVERY: Duration = Duration::from_secs(30);

const CONFIG: &str = r#"
public_url = "https://outreach.test"

[egress]
allowed_networks = ["127.0.0.0/8"]
allow_http = true
"#;

on_both! {
    // SEQ-1, SCH-1, SCH-3, SCH-4, CAP-1, MB-2, MB-8, SAF-4, TRK-3, TRK-4, CLS-1, SUP-1, API-6, API-7
    async fn on_servers(test: TestDatabase) {
        let servers = mail().expect("mail servers");
        let sender = format!("ada@{}", servers.own_domain().expect("a domain"));
        let people = People::at(&servers.own_domain().expect("a domain"));
        let mailboxes = people.all().filter(|person| person.role != Role::Gone);
        let mailboxes = mailboxes.map(|person| Account::new(&person.email, "pw"));
        let accounts: Vec<_> = [Account::new(&sender, "secret")].into_iter().chain(mailboxes).collect();
        servers.add_accounts(&accounts).expect("accounts can be added");

        let app = App::start(Installation::new(driven_binary(), &on(servers), &test.url), THURSDAY).await;
        let smtp = format!("localhost:{}", servers.ports.submission);
        let imap = format!("localhost:{}", servers.ports.imaps);
        let added = app.cli(&[
            "mailbox", "add", &sender, "--name", "Ada Größe", "--password", "secret",
            "--smtp", &smtp, "--imap", &imap, "--imap-tls", "implicit",
        ]).await;
        let mailbox = first_word(added.success());
        let campaign = Campaign::start(&app, &mailbox, &people).await;

        campaign.settle_until_all_are_sent(&app).await;
        // SAF-4: the report about the unknown address is a real one.
        let delivered = eventually("every mail arrives", DELIVERY, async || {
            let mails = people.all().filter(|person| person.role != Role::Gone)
                .map(|person| Some((person, servers.mails(&person.email, "INBOX").ok()?.pop()?)))
                .collect::<Option<Vec<_>>>()?;
            let report = servers.mails(&sender, "INBOX").ok()?.pop()?;
            String::from_utf8_lossy(&report).contains("multipart/report").then_some(mails)
        }).await;
        let sent = campaign.sent(&app).await;
        for (person, mail) in &delivered {
            mails::check(mail, person, &sender, &sent[&person.email]);
        }

        let mail_of = |role| delivered.iter().find(|(person, _)| person.role == role)
            .map(|(person, mail)| (*person, mail.as_slice())).expect("everybody has a mail");
        outside::reply(servers, &sender, mail_of(Role::Replies)).await;
        outside::out_of_office(servers, &sender, mail_of(Role::Away)).await;
        outside::unsubscribe(&app, mail_of(Role::Unsubscribes).1).await;
        eventually("report, reply and notice arrive", DELIVERY, async || {
            (servers.mails(&sender, "INBOX").ok()?.len() == 3).then_some(())
        }).await;
        campaign.settle_until_all_is_told(&app, &people, &test).await;

        for (person, _) in &delivered {
            let mails = servers.mails(&person.email, "INBOX").expect("readable");
            assert_eq!(mails.len(), 1, "{} got one mail", person.email);
        }
        // MB-9
        assert_eq!(servers.mails(&sender, "Sent").expect("readable").len(), 20);
        tells_of_a_changed_password(&app, servers, &sender, &mailbox).await;
        app.stop().await;
    }

    // OPS-6: a provider without servers.
    async fn in_the_sandbox(test: TestDatabase) {
        let people = People::in_the_sandbox();
        let app = App::start(Installation::new(driven_binary(), CONFIG, &test.url), FRIDAY).await;
        let settings = json!({ "seed": 1 }).to_string();
        let added = app.cli(&[
            "mailbox", "add", "ada@example.com", "--name", "Ada Größe",
            "--provider", "provider-sandbox", "--settings", &settings,
        ]).await;
        let mailbox = first_word(added.success());
        let campaign = Campaign::start(&app, &mailbox, &people).await;
        campaign.settle_until_all_are_sent(&app).await;
        campaign.settle_until_all_is_told(&app, &people, &test).await;
        app.stop().await;
    }
}

/// The configuration of an instance whose mail servers are on this machine.
pub(crate) fn on(servers: &MailServers) -> String {
    let ports = servers.ports;
    format!(
        "{CONFIG}\n[mail]\nallowed_networks = [\"127.0.0.0/8\"]\nallowed_ports = [{}, {}]\nextra_ca_file = \"{}\"\n",
        ports.submission,
        ports.imaps,
        servers.ca_file.display()
    )
}

/// The id that a command prints first.
fn first_word(printed: &str) -> String {
    let word = printed.split_whitespace().next();
    word.expect("the command prints an id").to_owned()
}

// MB-3: no sync fails silently.
async fn tells_of_a_changed_password(
    app: &App,
    servers: &MailServers,
    address: &str,
    mailbox: &str,
) {
    servers
        .set_password(address, "changed")
        .expect("it can be changed");
    app.settle_until("the mailbox is disconnected", DAY, async || {
        app.cli(&["mailbox", "list"])
            .await
            .success()
            .contains("disconnected")
    })
    .await;
    let shown = app.cli(&["mailbox", "show", mailbox]).await;
    let shown = shown.success();
    for words in [
        address,
        "status        disconnected",
        "last read     20",
        "can't be read: auth_invalid (at auth)",
        "the server said: NO",
        "Check user name and password.",
    ] {
        assert!(shown.contains(words), "{words} is missing in:\n{shown}");
    }
}
