//! Real servers that change under a connected mailbox.

use overture_domain::{
    accounts::AccountStatus, enrollments::EnrollmentState, messages::Label, people::Actor,
};
use overture_engine::{Part, inbox, mailboxes};
use overture_store::accounts;
use overture_testkit::eventually;

use crate::real::{LIMIT, real, reply};

// MB-8: neither a new UIDVALIDITY nor renumbered UIDs bring anything twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_server_brings_nothing_twice() {
    let real = real().await;
    let world = &real.world;
    world.tick().await;
    let grace = world
        .sent_to("grace@example.net", EnrollmentState::Active)
        .await;
    let linus = world
        .sent_to("linus@example.net", EnrollmentState::Active)
        .await;
    real.receive(reply(&grace)).await;
    world.sync().await;
    assert_eq!(
        world.enrollment(&grace).await.state,
        EnrollmentState::Replied
    );
    assert_eq!(world.messages().await[0].label, Some(Label::Interested));

    let validity = u32::try_from(world.now().as_secs()).unwrap();
    real.servers
        .set_uid_validity(&real.account.address, "INBOX", validity)
        .unwrap();
    world.sync().await;
    real.servers.forget_uids(&real.account.address).unwrap();
    real.receive(reply(&linus)).await;
    world.sync().await;
    assert_eq!(world.messages().await.len(), 2);
    assert_eq!(world.kinds().await, ["reply.received", "reply.received"]);
    assert_eq!(
        world.enrollment(&linus).await.state,
        EnrollmentState::Replied
    );
}

// MB-3
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_disconnects_with_the_servers_words() {
    let real = real().await;
    let (env, ws, id) = (real.world.env(), real.world.ws, real.account.id);
    let binding = overture_vault::Binding::new("sending_accounts", id, ws);
    let wrong = env
        .vault
        .seal(&binding, &r#"{"kind":"password","password":"old"}"#.into());
    let mut tx = env.db.begin().await.unwrap();
    accounts::update(&mut tx, &real.account, Some(&wrong))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    real.world.sync().await;
    let row = real.row().await;
    assert_eq!(row.status, AccountStatus::Disconnected);
    let error = row.sync_error.unwrap();
    assert_eq!((&*error.stage, &*error.code), ("auth", "auth_invalid"));
    assert!(error.reply.unwrap().contains("Authentication failed"));
}

// MB-8: the host holds IDLE, and a change makes the sync due.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_mail_wakes_its_mailbox() {
    let real = real().await;
    let (env, world) = (real.world.env(), &real.world);
    world.tick().await;
    let mut watches = inbox::watch::Watches::default();
    assert_eq!(watches.refresh(env).await.unwrap(), 1);
    assert_eq!(watches.refresh(env).await.unwrap(), 1, "it goes on");
    let due = async || real.row().await.sync_due_at <= world.now();
    // The watch asks for one look when it begins.
    soon("the sync is due", due).await;
    world.tick().await;
    assert!(!due().await);

    let grace = world
        .sent_to("grace@example.net", EnrollmentState::Active)
        .await;
    let wakes = env.wakes.count(Part::Inboxes);
    real.receive(reply(&grace)).await;
    soon("the sync is due", due).await;
    let woken = async || env.wakes.count(Part::Inboxes) > wakes;
    soon("the part is woken", woken).await;
    world.tick().await;
    assert_eq!(
        world.enrollment(&grace).await.state,
        EnrollmentState::Replied
    );

    // A paused mailbox is not watched.
    mailboxes::status::pause(env, world.ws, real.account.id, &Actor::Cli)
        .await
        .unwrap();
    assert_eq!(watches.refresh(env).await.unwrap(), 0);
}

async fn soon(what: &str, done: impl AsyncFn() -> bool) {
    eventually(what, LIMIT, async || done().await.then_some(())).await;
}
