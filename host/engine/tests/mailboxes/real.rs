//! A world whose mailbox is at real servers: Postfix and Dovecot.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use overture_domain::{
    accounts::{Account, MailServer, TlsMode},
    people::Actor,
};
use overture_egress::{AddressPolicy, Resolver};
use overture_engine::{
    BeforeBody,
    mailboxes::{self, NewMailbox, Session},
};
use overture_mail::{Dialer, NetConnector, tls::Tls};
use overture_plugin_host::capabilities::mailbox::{Envelope, MailSession as _, Outgoing};
use overture_store::{dialect::Dialect, testing::TestDatabase};
use overture_testkit::servers::{self, MailServers, wait_until};
use tokio::sync::Notify;

use crate::{
    native::Native,
    world::{Sent, World},
};

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

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
    pub(crate) servers: &'static MailServers,
    pub(crate) account: Account,
}

pub(crate) fn server(port: u16, tls: TlsMode) -> MailServer {
    MailServer {
        host: "127.0.0.1".into(),
        port,
        tls,
    }
}

pub(crate) fn mailbox(servers: &MailServers, address: &str, password: &str) -> NewMailbox {
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
    pub(crate) async fn receive(&self, bytes: String) {
        let before = self.inbox_size();
        let outgoing = Outgoing {
            bytes: bytes.replace('\n', "\r\n").into_bytes().into(),
            ..self.mail_to(&self.account.address, "ignored")
        };
        let session = self.session().await.before_body(Arc::new(Hook::default()));
        session.submit(&outgoing).await.unwrap();
        assert!(wait_until(LIMIT, || self.inbox_size() > before));
    }

    pub(crate) fn inbox_size(&self) -> usize {
        self.servers
            .mails(&self.account.address, "INBOX")
            .unwrap()
            .len()
    }

    pub(crate) async fn row(&self) -> Account {
        mailboxes::get(self.world.env(), self.world.ws, self.account.id)
            .await
            .unwrap()
    }
}

pub(crate) fn reply(sent: &Sent) -> String {
    format!(
        "From: {}\nSubject: Re: Hello\nMessage-ID: <answer-{}>\nIn-Reply-To: <{}>\n\ntell me more\n",
        sent.email, sent.message_id, sent.message_id
    )
}
