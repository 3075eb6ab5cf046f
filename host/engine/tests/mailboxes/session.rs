//! Sessions, connecting and watching with real servers: Postfix and Dovecot.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use overture_domain::{
    WorkspaceId,
    accounts::{Account, AccountStatus, MailServer, TlsMode},
    enrollments::EnrollmentState,
    messages::Label,
    people::Actor,
};
use overture_egress::{AddressPolicy, Resolver};
use overture_engine::{
    BeforeBody, Error, MailProviders, Part, ProviderPreset, inbox,
    mailboxes::{self, MailboxChange, NewMailbox, Session, file_sent_copy},
};
use overture_mail::{Dialer, NetConnector, tls::Tls};
use overture_plugin_host::{
    AuthKind, CallError, Incoming, Leg, LegProblem, Preset, Problem, SendOutcome, SyncPage,
    capabilities::mailbox::{
        Envelope, Failure, MailRef, MailSession, Outgoing, SpecialUse, Stage, SubmissionRecord,
    },
};
use overture_store::{accounts, dialect::Dialect, testing::TestDatabase};
use overture_testkit::servers::{self, MailServers, wait_until};
use tokio::sync::Notify;

use crate::world::{Sent, World};

const LIMIT: Duration = Duration::from_secs(30);

/// What provider-smtp does, as far as these tests need it, without a sandbox around it.
struct Native;

fn leg(name: &str, outcome: Result<(), Failure>) -> Leg {
    let problem = outcome.err().map(|failure| LegProblem {
        stage: format!("{:?}", failure.stage).to_lowercase(),
        code: failure.code,
        reply: failure.reply.map(|reply| reply.text),
        fix: failure.detail,
    });
    Leg {
        name: name.into(),
        problem,
    }
}

#[async_trait]
impl MailProviders for Native {
    async fn presets(&self, _: WorkspaceId) -> Vec<ProviderPreset> {
        vec![ProviderPreset {
            provider: "provider-native".into(),
            preset: Preset {
                key: "custom".into(),
                name: "Custom".into(),
                smtp: None,
                imap: None,
                auth: vec![AuthKind::Password],
                password_hint: "The password of the mailbox.".into(),
                domains: Vec::new(),
                files_sent: false,
                sent_within_minutes: None,
                recipients_per_day: None,
                mails_per_minute: None,
            },
        }]
    }

    fn has_own_transport(&self, _: &str) -> Result<bool, CallError> {
        Ok(false)
    }

    async fn check(
        &self,
        _: WorkspaceId,
        _: &str,
        session: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        let reading = session.select("INBOX").await.map(drop);
        Ok(vec![
            leg("smtp", session.check_submission().await),
            leg("imap", reading),
        ])
    }

    async fn send(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: Arc<dyn MailSession>,
        _: Outgoing,
    ) -> SendOutcome {
        SendOutcome {
            submission: SubmissionRecord::NotTried,
            answer: Err(CallError::UnknownPlugin(provider.to_owned())),
        }
    }

    async fn sync(
        &self,
        _: WorkspaceId,
        _: &str,
        session: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError> {
        let page = async {
            let state = session.select("INBOX").await?;
            let (validity, next) = cursor
                .and_then(|cursor| cursor.split_once(' '))
                .map_or((state.uid_validity, state.uid_next), |(validity, next)| {
                    (validity.parse().unwrap(), next.parse().unwrap())
                });
            let from = if validity == state.uid_validity {
                next
            } else {
                1
            };
            let listed = session.list_from("INBOX", from, 100).await?;
            let next = listed.iter().map(|mail| mail.uid + 1).fold(from, u32::max);
            let mails = listed.iter().map(|mail| {
                Incoming::Stored(MailRef {
                    folder: "INBOX".into(),
                    uid_validity: state.uid_validity,
                    uid: mail.uid,
                })
            });
            Ok(SyncPage {
                cursor: format!("{} {next}", state.uid_validity),
                mails: mails.collect(),
                signals: Vec::new(),
                more: false,
                watch: vec!["INBOX".into()],
                check_again_at: None,
            })
        };
        Ok(page.await.map_err(|failure: Failure| match failure.stage {
            Stage::Auth => Problem::Auth(failure),
            _ => Problem::Temporary("can't be read".into()),
        }))
    }
}

/// What the session awaits before the body: counted, and held back where the test wants it.
#[derive(Default)]
pub(crate) struct Hook {
    pub(crate) calls: AtomicUsize,
    pub(crate) fails: bool,
    pub(crate) go: Option<Arc<Notify>>,
    pub(crate) reached: Notify,
}

#[async_trait]
impl BeforeBody for Hook {
    async fn commit_attempt(&self) -> Result<(), String> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.reached.notify_one();
        if let Some(go) = &self.go {
            go.notified().await;
        }
        if self.fails {
            return Err("the disk is full".into());
        }
        Ok(())
    }
}

/// A world whose mailbox is at real servers.
pub(crate) struct Real {
    pub(crate) world: World,
    servers: &'static MailServers,
    pub(crate) account: Account,
}

fn server(port: u16, tls: TlsMode) -> MailServer {
    MailServer {
        host: "127.0.0.1".into(),
        port,
        tls,
    }
}

fn mailbox(servers: &MailServers, address: &str, password: &str) -> NewMailbox {
    NewMailbox {
        address: address.into(),
        preset: Some("custom".into()),
        password: Some(password.into()),
        smtp: Some(server(servers.ports.submission, TlsMode::Starttls)),
        imap: Some(server(servers.ports.imaps, TlsMode::Implicit)),
        ..NewMailbox::default()
    }
}

pub(crate) async fn real() -> Real {
    let servers = servers::mail().unwrap_or_else(|error| panic!("{error}"));
    let mut world = World::new(TestDatabase::new(Dialect::Sqlite).await).await;
    let connector = NetConnector {
        resolver: Resolver::new(&[]).unwrap(),
        policy: AddressPolicy::mail(
            vec!["127.0.0.0/8".parse().unwrap()],
            &[
                servers.ports.submission,
                servers.ports.submissions,
                servers.ports.imaps,
            ],
        ),
    };
    let tls = Tls::new(Some(&servers.ca_file)).unwrap();
    world.kit.env.dialer = Dialer::new(Arc::new(connector), tls);
    world.kit.env.providers = Arc::new(Native);
    let address = format!("carol@{}", servers.own_domain().unwrap());
    servers
        .add_accounts(&[servers::Account::new(&address, "secret")])
        .unwrap();
    let account = mailboxes::connect(
        world.env(),
        world.ws,
        mailbox(servers, &address, "secret"),
        &Actor::Cli,
    )
    .await
    .unwrap_or_else(|error| panic!("{error}: {:?}", error.details()))
    .account;
    // Only this one is read.
    world
        .kit
        .database
        .execute_raw("UPDATE sending_accounts SET sync_due_at = 9223372036854775807 WHERE provider = 'provider-script'")
        .await
        .unwrap();
    world.mailbox = account.clone();
    Real {
        world,
        servers,
        account,
    }
}

impl Real {
    pub(crate) async fn session(&self) -> Session {
        Session::open(self.world.env(), &self.account)
            .await
            .unwrap()
    }

    pub(crate) fn mail_to(&self, recipient: &str, subject: &str) -> Outgoing {
        let sender = self.account.address.clone();
        let message_id = format!("{subject}@sender.test");
        let bytes = format!(
            "From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\nMessage-ID: <{message_id}>\r\n\r\nhello\r\n"
        );
        Outgoing {
            envelope: Envelope {
                sender,
                recipient: recipient.into(),
            },
            message_id,
            bytes: bytes.into_bytes().into(),
        }
    }

    /// How often a subject lies in a folder, once it is there at all or the time is over.
    pub(crate) fn arrived(&self, address: &str, folder: &str, subject: &str) -> usize {
        let mut n = 0;
        wait_until(LIMIT, || {
            n = self.count(address, folder, subject);
            n > 0
        });
        n
    }

    pub(crate) fn count(&self, address: &str, folder: &str, subject: &str) -> usize {
        let mails = self.servers.mails(address, folder).unwrap();
        let wanted = format!("Subject: {subject}");
        let has = |mail: &&Vec<u8>| String::from_utf8_lossy(mail).contains(&wanted);
        mails.iter().filter(has).count()
    }

    /// A mail lies in our mailbox: sent by ourselves, as all here may send.
    async fn receive(&self, bytes: String) {
        let before = self.inbox_size();
        let outgoing = Outgoing {
            bytes: bytes.replace('\n', "\r\n").into_bytes().into(),
            ..self.mail_to(&self.account.address, "ignored")
        };
        let session = self.session().await.before_body(Arc::new(Hook::default()));
        session.submit(&outgoing).await.unwrap();
        assert!(wait_until(LIMIT, || self.inbox_size() > before));
    }

    fn inbox_size(&self) -> usize {
        self.servers
            .mails(&self.account.address, "INBOX")
            .unwrap()
            .len()
    }

    async fn row(&self) -> Account {
        mailboxes::get(self.world.env(), self.world.ws, self.account.id)
            .await
            .unwrap()
    }
}

fn reply(sent: &Sent) -> String {
    format!(
        "From: {}\nSubject: Re: Hello\nMessage-ID: <answer-{}>\nIn-Reply-To: <{}>\n\ntell me more\n",
        sent.email, sent.message_id, sent.message_id
    )
}

// SAFE-3
#[tokio::test(flavor = "multi_thread")]
async fn the_attempt_is_committed_between_354_and_body() {
    let real = real().await;
    let recipient = servers::prospect_address(150);

    let hook = Arc::new(Hook::default());
    let session = real.session().await.before_body(hook.clone());
    assert_eq!(session.settle().await, SubmissionRecord::NotTried);
    let mail = real.mail_to(&recipient, "taken");
    let taken = session.submit(&mail).await.unwrap();
    assert_eq!(taken.reply.code, Some(250));
    assert_eq!(session.settle().await, SubmissionRecord::Accepted(taken));
    assert_eq!(hook.calls.load(Ordering::SeqCst), 1);
    assert_eq!(real.arrived(&recipient, "INBOX", "taken"), 1);
    // One mail a session.
    session.submit(&mail).await.unwrap_err();
    assert_eq!(hook.calls.load(Ordering::SeqCst), 1);

    // Refused before the body: no attempt.
    let hook = Arc::new(Hook::default());
    let session = real.session().await.before_body(hook.clone());
    let failure = session
        .submit(&real.mail_to("refused@d1.test", "refused"))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.stage, failure.reply.as_ref().unwrap().code),
        (Stage::Recipient, Some(550))
    );
    assert_eq!(failure.reply.unwrap().enhanced.as_deref(), Some("5.1.1"));
    assert_eq!(hook.calls.load(Ordering::SeqCst), 0);

    // The attempt can't be recorded: the body stays here.
    let hook = Arc::new(Hook {
        fails: true,
        ..Hook::default()
    });
    let session = real.session().await.before_body(hook);
    let failure = session
        .submit(&real.mail_to(&recipient, "unrecorded"))
        .await
        .unwrap_err();
    assert_eq!(failure.stage, Stage::Data);
    assert!(failure.detail.contains("the disk is full"), "{failure:?}");
    // Without a hook nothing goes out at all.
    let bare = real.session().await;
    bare.submit(&real.mail_to(&recipient, "bare"))
        .await
        .unwrap_err();

    let session = real.session().await.before_body(Arc::new(Hook::default()));
    session
        .submit(&real.mail_to(&recipient, "last"))
        .await
        .unwrap();
    assert_eq!(real.arrived(&recipient, "INBOX", "last"), 1);
    for never in ["unrecorded", "bare"] {
        assert_eq!(real.count(&recipient, "INBOX", never), 0, "{never}");
    }
}

// SAFE-3: a guest that is cut short leaves no doubt.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cut_short_still_settles() {
    let real = real().await;
    let recipient = servers::prospect_address(151);
    let go = Arc::new(Notify::new());
    let hook = Arc::new(Hook {
        go: Some(go.clone()),
        ..Hook::default()
    });
    let session = Arc::new(real.session().await.before_body(hook.clone()));
    let mail = real.mail_to(&recipient, "cut");
    let call = tokio::spawn({
        let session = session.clone();
        async move { session.submit(&mail).await }
    });
    hook.reached.notified().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    go.notify_one();
    assert!(matches!(
        session.settle().await,
        SubmissionRecord::Accepted(_)
    ));
    assert_eq!(real.arrived(&recipient, "INBOX", "cut"), 1);
}

// MB-8, MB-9
#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_read_and_put_in_order() {
    let real = real().await;
    real.receive("From: a@example.com\nSubject: one\nMessage-ID: <one@x>\n\n1\n".into())
        .await;
    real.receive("From: a@example.com\nSubject: two\nMessage-ID: <two@x>\n\n2\n".into())
        .await;
    let session = real.session().await;
    let folders = session.folders().await.unwrap();
    let role = |role| {
        folders
            .iter()
            .find(|f| f.special_use == Some(role))
            .map(|f| &*f.name)
    };
    assert_eq!(
        (
            role(SpecialUse::Inbox),
            role(SpecialUse::Sent),
            role(SpecialUse::Junk)
        ),
        (Some("INBOX"), Some("Sent"), Some("Junk"))
    );
    let state = session.select("INBOX").await.unwrap();
    assert_eq!((state.messages, state.uid_next), (2, 3));
    let listed = session.list_from("INBOX", 1, 10).await.unwrap();
    assert_eq!(listed[1].message_id.as_deref(), Some("two@x"));
    assert_eq!(session.find("INBOX", "two@x").await.unwrap(), [2]);
    assert_eq!(session.listed_size("INBOX", 2).await, Some(listed[1].size));

    let fetched = session
        .fetch("INBOX", state.uid_validity, &[2], 1 << 20)
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&fetched[0].bytes).contains("Subject: two"));
    let cut = session
        .fetch("INBOX", state.uid_validity, &[2], 10)
        .await
        .unwrap();
    assert_eq!(cut[0].bytes.len(), 10);
    // Under another UIDVALIDITY the UID means another mail.
    let old = session
        .fetch("INBOX", state.uid_validity + 1, &[2], 10)
        .await
        .unwrap();
    assert!(old.is_empty());

    let mail = MailRef {
        folder: "INBOX".into(),
        uid_validity: state.uid_validity,
        uid: 1,
    };
    session.set_seen(&mail, true).await.unwrap();
    session.move_to(&mail, "Junk").await.unwrap();
    assert_eq!(session.find("Junk", "one@x").await.unwrap().len(), 1);
    let stale = MailRef {
        uid_validity: state.uid_validity + 1,
        ..mail
    };
    assert_eq!(
        session.set_seen(&stale, true).await.unwrap_err().code,
        "mailbox_changed"
    );
    assert_eq!(
        session.select("Nowhere").await.unwrap_err().stage,
        Stage::Select
    );
    // That broke nothing.
    session.select("INBOX").await.unwrap();

    let copy = b"Subject: copy\r\n\r\nx\r\n";
    assert!(file_sent_copy(&session, &real.account, copy).await.unwrap());
    assert_eq!(real.arrived(&real.account.address, "Sent", "copy"), 1);
    let mut files_itself = real.account.clone();
    files_itself.settings["filesSent"] = true.into();
    assert!(!file_sent_copy(&session, &files_itself, copy).await.unwrap());
    session.close().await;
}

// MB-2, MB-11
#[tokio::test(flavor = "multi_thread")]
async fn a_test_tells_what_is_wrong_at_the_servers() {
    let real = real().await;
    let (env, ws) = (real.world.env(), real.world.ws);
    let codes = |error: Error| {
        let details = error.details().to_vec();
        details
            .into_iter()
            .map(|d| (d.field, d.code, d.message))
            .collect::<Vec<_>>()
    };
    let check = async |change: fn(&mut NewMailbox, &MailServers), expected: &[(&str, &str)]| {
        let mut new = mailbox(real.servers, "bob@sender.test", "secret-bob");
        change(&mut new, real.servers);
        let error = mailboxes::connect(env, ws, new, &Actor::Cli)
            .await
            .unwrap_err();
        let found = codes(error);
        let short: Vec<_> = found.iter().map(|(f, c, _)| (&**f, &**c)).collect();
        assert_eq!(short, expected, "{found:?}");
        found
    };
    let wrong_password = check(
        |new, _| new.password = Some("guess".into()),
        &[("smtp", "auth_invalid"), ("imap", "auth_invalid")],
    )
    .await;
    assert!(
        wrong_password[0].2.contains("authentication failed"),
        "{wrong_password:?}"
    );
    check(
        |new, servers| new.smtp = Some(server(servers.ports.submission, TlsMode::Implicit)),
        &[("smtp", "tls_wrong_mode")],
    )
    .await;
    check(
        |new, _| new.imap = Some(server(1, TlsMode::Implicit)),
        &[("imap", "port_not_allowed")],
    )
    .await;

    // A new password is tested before it replaces the old one.
    let wrong = MailboxChange {
        password: Some("guess".into()),
        ..MailboxChange::default()
    };
    let error = mailboxes::update(env, ws, real.account.id, wrong, &Actor::Cli)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "validation_error");
    let legs = mailboxes::test(env, ws, real.account.id, &Actor::Cli)
        .await
        .unwrap();
    assert!(legs.iter().all(|leg| leg.problem.is_none()), "{legs:?}");
    let right = MailboxChange {
        password: Some("secret".into()),
        smtp: Some(server(real.servers.ports.submissions, TlsMode::Implicit)),
        ..MailboxChange::default()
    };
    let changed = mailboxes::update(env, ws, real.account.id, right, &Actor::Cli)
        .await
        .unwrap();
    assert_eq!(
        changed.settings["smtp"]["port"],
        real.servers.ports.submissions
    );
    assert_eq!(changed.status, AccountStatus::Connected);
}

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
    eventually(due).await;
    world.tick().await;
    assert!(!due().await);

    let grace = world
        .sent_to("grace@example.net", EnrollmentState::Active)
        .await;
    let wakes = env.wakes.count(Part::Inboxes);
    real.receive(reply(&grace)).await;
    eventually(due).await;
    assert!(env.wakes.count(Part::Inboxes) > wakes);
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

#[expect(
    clippy::disallowed_methods,
    reason = "waits for a real server, which lives on real time"
)]
async fn eventually(done: impl AsyncFn() -> bool) {
    let start = std::time::Instant::now();
    while !done().await {
        assert!(start.elapsed() < LIMIT, "it did not happen in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
