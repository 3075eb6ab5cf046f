//! A mailbox whose password changes at the server while it runs: it becomes disconnected with the
//! server's words, comes back when the password is entered, and nothing is lost (MB-3, MB-11).

use std::time::Duration;

use overture_domain::{
    accounts::{Account, AccountStatus},
    enrollments::EnrollmentState,
    people::Actor,
};
use overture_engine::{
    inbox,
    mailboxes::{self, MailboxChange},
};
use overture_testkit::{eventually, servers::wait_until};

use crate::office::{Office, TIMEOUTS};

const HOUR: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_secs(30);

impl Office {
    async fn enter(&self, mailbox: &Account, password: &str) -> Account {
        let change = MailboxChange {
            password: Some(password.into()),
            ..MailboxChange::default()
        };
        let (env, ws) = (self.world.env(), self.world.ws);
        mailboxes::update(env, ws, mailbox.id, change, &Actor::Cli)
            .await
            .unwrap()
    }
}

// MB-3: a sync finds out, also while the mailbox is watched by IDLE.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_is_found_out_by_reading() {
    let office = Office::new().await;
    let env = office.world.env();
    let [ada, bob] = office.accounts(["ada", "bob"]);
    let mailbox = office.mailbox(&ada).await;
    office.read().await;
    let mut watches = inbox::watch::Watches::default();
    assert_eq!(watches.refresh(env).await.unwrap(), 1);
    let due = async || {
        let account = office.world.account(mailbox.id).await;
        (account.sync_due_at <= env.now()).then_some(())
    };
    eventually("the first look of the watch", SOON, due).await;
    office.read().await;

    office.servers.set_password(&ada, "changed").unwrap();
    office.imap.cut();
    eventually("the watch finds the door locked", SOON, due).await;
    office.read().await;
    let account = office.world.account(mailbox.id).await;
    assert_eq!(account.status, AccountStatus::Disconnected);
    assert!(
        account.status_reason.contains("Authentication failed"),
        "{}",
        account.status_reason
    );
    let error = account.sync_error.unwrap();
    assert_eq!((&*error.stage, &*error.code), ("auth", "auth_invalid"));
    assert_eq!(watches.refresh(env).await.unwrap(), 0);

    // A mail that comes meanwhile is read once the password is right.
    let cursor = account.sync_cursor.clone();
    office
        .deliver(
            &bob,
            &ada,
            "From: bob@example.com\nSubject: meanwhile\nMessage-ID: <m@x>\n\nhi\n",
        )
        .await;
    let account = office.enter(&mailbox, "changed").await;
    assert_eq!(account.status, AccountStatus::Connected);
    office.read().await;
    let account = office.world.account(mailbox.id).await;
    assert_eq!((account.sync_error, account.auth_failures), (None, 0));
    assert_ne!(account.sync_cursor, cursor, "the mail was read");
}

// MB-3, MB-11: a send finds out. Its step waits, and goes out once by itself afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_is_found_out_by_sending() {
    let office = Office::new().await;
    let world = &office.world;
    let [ada, prospect] = office.accounts(["ada", "prospect"]);
    let mailbox = office.mailbox(&ada).await;
    let people = world.write_prospects(&[world.prospect(&prospect)]).await;
    let campaign = world.running(&[&mailbox], &people).await;
    office.servers.set_password(&ada, "changed").unwrap();
    world.run_for(HOUR * 2).await;
    let account = world.account(mailbox.id).await;
    assert_eq!(account.status, AccountStatus::Disconnected);
    assert!(
        account.status_reason.contains("535 5.7.8"),
        "{}",
        account.status_reason
    );
    let waiting = world.enrollments(campaign).await.remove(0);
    assert_eq!(waiting.state, EnrollmentState::PausedAccount);
    assert!(
        waiting.reason.contains("can't sign in"),
        "{}",
        waiting.reason
    );
    let tries = office.smtp.connections();
    world.run_for(HOUR).await;
    assert_eq!(
        office.smtp.connections(),
        tries,
        "a refused password is not tried again"
    );

    office.enter(&mailbox, "changed").await;
    world.run_for(HOUR * 2).await;
    let sent = world.enrollments(campaign).await.remove(0);
    assert_eq!(sent.state, EnrollmentState::Completed, "{}", sent.reason);
    let copies = || office.servers.mails(&prospect, "INBOX").unwrap().len();
    assert!(wait_until(TIMEOUTS.transfer * 4, || copies() > 0));
    assert_eq!(copies(), 1);
}
