//! A workspace whose mailbox is at real servers, behind proxies.

use std::{fs, path::Path, sync::Arc, time::Duration};

use overture_domain::{
    accounts::{Account, MailServer, TlsMode},
    people::Actor,
};
use overture_egress::{AddressPolicy, Resolver};
use overture_engine::{
    inbox,
    mailboxes::{self, NewMailbox},
    plugins::{Backing, Registry, Settings},
};
use overture_mail::{
    Credentials, Dialer, Endpoint, NetConnector, Security, Timeouts, smtp, tls::Tls,
};
use overture_testkit::{
    Dialect, Outreach, TestDatabase,
    dns::DnsServer,
    proxy::{self, Front, Proxy},
    servers::{self, MailServers, wait_until},
};
use tempfile::TempDir;

/// Every step has to end within these, and what follows within a few of them.
pub(crate) const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(6),
    greeting: Duration::from_secs(6),
    command: Duration::from_secs(6),
    data: Duration::from_secs(6),
    block: Duration::from_secs(8),
    transfer: Duration::from_secs(8),
};

/// A workspace that knows no mailbox yet.
pub(crate) struct Office {
    pub(crate) world: Outreach,
    pub(crate) servers: &'static MailServers,
    /// In front of Postfix, with STARTTLS.
    pub(crate) smtp: Proxy,
    /// In front of Dovecot, TLS from the start.
    pub(crate) imap: Proxy,
    pub(crate) dns: DnsServer,
    folder: TempDir,
}

impl Office {
    pub(crate) async fn new() -> Self {
        let servers = servers::mail().unwrap_or_else(|error| panic!("{error}"));
        let ports = &servers.ports;
        let front = Front::starttls(ports.submission);
        let smtp = Proxy::start(front, &servers.ca_file).await.unwrap();
        let front = Front::implicit(ports.imaps);
        let imap = Proxy::start(front, &servers.ca_file).await.unwrap();
        let mut office = Self {
            world: Outreach::new(TestDatabase::new(Dialect::Sqlite).await).await,
            servers,
            smtp,
            imap,
            dns: DnsServer::start().await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        let env = &office.world.kit.env;
        let backing = Backing {
            db: env.db.clone(),
            clock: env.clock.clone(),
            rng: env.rng.clone(),
            vault: env.vault.clone(),
            http: env.http.clone(),
        };
        let plugin =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/provider-smtp.wasm");
        let plugin = fs::read(&plugin)
            .unwrap_or_else(|e| panic!("{}: {e}; run `cargo xtask plugins`", plugin.display()));
        let registry = Registry::open(backing, Settings::default(), vec![plugin]).await;
        let dialer = office.dialer(&["127.0.0.0/8"]);
        office.world.kit.env.providers = Arc::new(registry.unwrap());
        office.world.kit.env.dialer = dialer;
        office
    }

    /// A dialer that knows the kit's names and may reach these networks, at any port that is in
    /// use here.
    pub(crate) fn dialer(&self, networks: &[&str]) -> Dialer {
        let networks = networks.iter().map(|n| n.parse().unwrap()).collect();
        let ports: Vec<u16> = (1024..=u16::MAX).collect();
        let connector = NetConnector {
            resolver: Resolver::new(&[self.dns.address()]).unwrap(),
            policy: AddressPolicy::mail(networks, &ports),
        };
        let bundle = self.folder.path().join("ca.pem");
        proxy::ca_bundle(&self.servers.ca_file, &bundle).unwrap();
        Dialer {
            timeouts: TIMEOUTS,
            ..Dialer::new(Arc::new(connector), Tls::new(Some(&bundle)).unwrap())
        }
    }

    /// New accounts at Dovecot, all at one domain of this test's own, with the password `secret`.
    pub(crate) fn accounts<const N: usize>(&self, names: [&str; N]) -> [String; N] {
        let domain = self.servers.own_domain().unwrap();
        let addresses = names.map(|name| format!("{name}@{domain}"));
        let new: Vec<_> = addresses
            .iter()
            .map(|address| servers::Account::new(address, "secret"))
            .collect();
        self.servers.add_accounts(&new).unwrap();
        addresses
    }

    /// What a person enters for a mailbox behind the proxies.
    pub(crate) fn entered(&self, address: &str) -> NewMailbox {
        NewMailbox {
            address: address.to_owned(),
            preset: Some("custom".into()),
            password: Some("secret".into()),
            smtp: Some(server(proxy::HOST, self.smtp.port, TlsMode::Starttls)),
            imap: Some(server(proxy::HOST, self.imap.port, TlsMode::Implicit)),
            daily_limit: Some(50),
            ..NewMailbox::default()
        }
    }

    /// A connected mailbox behind the proxies.
    pub(crate) async fn mailbox(&self, address: &str) -> Account {
        // Nothing hangs yet: a busy machine has its time.
        let mut env = self.world.env().clone();
        env.dialer.timeouts = Timeouts::default();
        mailboxes::connect(&env, self.world.ws, self.entered(address), &Actor::Cli)
            .await
            .unwrap_or_else(|error| panic!("{error}: {:?}", error.details()))
            .account
    }

    /// Reads the mailboxes that are due.
    pub(crate) async fn read(&self) {
        inbox::tick(self.world.env()).await.unwrap();
        self.world.env().under_way.settled().await;
    }

    /// A mail comes in: `bytes` with the line ends of Unix, as Postfix takes it from `sender`.
    pub(crate) async fn deliver(&self, sender: &str, to: &str, bytes: &str) {
        let before = self.servers.mails(to, "INBOX").unwrap().len();
        let endpoint = Endpoint {
            host: "localhost".into(),
            port: self.servers.ports.submissions,
            security: Security::Implicit,
            pinned: None,
        };
        let login = Credentials::Password {
            user: sender.to_owned(),
            password: "secret".into(),
        };
        let dialer = Dialer {
            timeouts: Timeouts::default(),
            connector: Arc::new(NetConnector {
                resolver: Resolver::new(&[]).unwrap(),
                policy: AddressPolicy::mail(vec!["127.0.0.0/8".parse().unwrap()], &[endpoint.port]),
            }),
            ..self.dialer(&[])
        };
        let mut session = smtp::Session::connect(&dialer, &endpoint, Some(&login))
            .await
            .unwrap();
        let envelope = smtp::Envelope {
            from: sender.to_owned(),
            to: to.to_owned(),
        };
        session.begin(&envelope).await.unwrap();
        session.body(bytes.as_bytes()).await.unwrap();
        session.quit().await;
        let arrived = || self.servers.mails(to, "INBOX").unwrap().len() > before;
        assert!(
            wait_until(Duration::from_secs(60), arrived),
            "the mail does not arrive"
        );
    }

    /// How many mails of this subject lie in a folder.
    pub(crate) fn count(&self, address: &str, folder: &str, subject: &str) -> usize {
        let mails = self.servers.mails(address, folder).unwrap();
        let wanted = format!("Subject: {subject}");
        let has = |mail: &&Vec<u8>| String::from_utf8_lossy(mail).contains(&wanted);
        mails.iter().filter(has).count()
    }
}

pub(crate) fn server(host: &str, port: u16, tls: TlsMode) -> MailServer {
    MailServer {
        host: host.to_owned(),
        port,
        tls,
    }
}
