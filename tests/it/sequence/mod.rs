//! A sequence lives and ends: two hundred people in eight domains and three time zones, two
//! campaigns of three steps from two mailboxes, over as many days as the defaults of CAP-1 and SCH-4
//! take. People reply, are away, bounce, click, open and unsubscribe at real servers; what came of
//! it is read from their mailboxes, and what should have come is computed from what they did.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `people` | who they are, what they do, and what must come of it |
//! | `campaigns` | the two campaigns and their mailboxes |
//! | `run` | how time goes on |
//! | `outside` | what people and their machines do with a mail |
//! | `truth` | what the mailboxes must say in the end |
//! | `counters` | that the numbers are the events, and both what happened |

#![expect(
    clippy::print_stdout,
    reason = "a run says how many mails and days it took"
)]

mod campaigns;
mod counters;
mod outside;
mod people;
mod run;
mod truth;

use overture_domain::Timestamp;
use overture_testkit::{
    App,
    app::{Installation, driven_binary},
    on_both,
    servers::{Account, MailOptions, start_mail},
};

use campaigns::Kind;
use people::People;
use run::Run;

/// 2026-03-05T08:00:00Z. On the Sunday that follows, America's clocks go forward; on the 29th
/// Europe's.
const THURSDAY: Timestamp = Timestamp::from_secs(1_772_697_600);

/// Each mailbox has a calendar of its own (CAP-2).
const ZONES_OF_SENDERS: [&str; 2] = ["Europe/Berlin", "America/New_York"];

on_both! {
    // SEQ-2, SEQ-3, SEQ-4, SCH-1, SCH-3, SCH-4, CAP-1, CAP-2, ROT-1, SAF-4, TRK-1, TRK-2, TRK-3,
    // TRK-4, CLS-2, CLS-5, SAFE-3, SAFE-5
    async fn lives_and_ends(test: TestDatabase) {
        let servers = start_mail(&MailOptions { prospects: 0, ..MailOptions::default() }).expect("mail servers");
        let people = People::new();
        servers.add_accounts(&people.accounts()).expect("accounts can be added");
        let domain = servers.own_domain_with_sent_copies().expect("a domain");
        let senders = ["ada", "bob"].map(|name| format!("{name}@{domain}"));
        servers.add_accounts(&senders.each_ref().map(|one| Account::new(one, "secret"))).expect("accounts can be added");

        let app = App::start(Installation::new(driven_binary(), &crate::story::on(&servers), &test.url), THURSDAY).await;
        let file = app.installation.write("people.csv", people.csv());
        app.cli(&["import", &file.display().to_string()]).await.success();
        let mut mailboxes = Vec::new();
        for (sender, zone) in senders.iter().zip(ZONES_OF_SENDERS) {
            mailboxes.push(campaigns::connect(&app, &servers, sender, zone).await);
        }
        let mut ids = Vec::new();
        for kind in Kind::ALL {
            ids.push(campaigns::start(&app, kind, &mailboxes, &people).await);
        }

        let mails = people.all().iter().map(|person| person.role.taken()).sum();
        let mut run = Run::new(app, &servers, people, senders);
        run.until_all_went_out(mails, &ids).await;
        counters::check(&run, &ids, &test).await;
        run.check_mailboxes();
        let days = run.app.idle().await.now.since(THURSDAY).as_secs() / 86_400;
        println!("{:?}: {} mails in {days} days", test.db.dialect(), run.sent.len());
        run.app.stop().await;
    }
}
