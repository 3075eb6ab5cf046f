//! Folders by their names, and copies in Sent (MB-8, MB-9).

use std::time::Duration;

use overture_domain::{
    accounts::{Account, TlsMode},
    enrollments::EnrollmentState,
    people::Actor,
};
use overture_engine::mailboxes::{self, NewMailbox};
use overture_mail::tls::Tls;
use overture_plugin_host::capabilities::mailbox::{MailSession as _, SpecialUse};
use overture_testkit::{
    proxy::{At, Harm},
    servers::{self, MailOptions, MailServers},
};

use crate::office::{Office, server};

const HOUR: Duration = Duration::from_secs(3_600);

impl Office {
    /// Writes to `prospect`, whose enrollment is through then.
    async fn write_to(&self, mailbox: &Account, prospect: &str) {
        let world = &self.world;
        let people = world.write_prospects(&[world.prospect(prospect)]).await;
        let campaign = world.running(&[mailbox], &people).await;
        world.run_for(HOUR * 2).await;
        let enrollment = world.enrollments(campaign).await.remove(0);
        assert_eq!(
            enrollment.state,
            EnrollmentState::Completed,
            "{}",
            enrollment.reason
        );
    }

    fn copies(&self, address: &str) -> usize {
        self.servers.mails(address, "Sent").unwrap().len()
    }
}

// MB-9: where the server files none, the host does; a copy that fails changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_sent_mail_has_one_copy() {
    let office = Office::new().await;
    let [ada, prospect, other] = office.accounts(["ada", "prospect", "other"]);
    let mailbox = office.mailbox(&ada).await;
    office.write_to(&mailbox, &prospect).await;
    assert_eq!(office.copies(&ada), 1);

    office.imap.harm(At::Line("APPEND"), Harm::Close);
    office.write_to(&mailbox, &other).await;
    assert_eq!((office.imap.struck(), office.copies(&ada)), (1, 1));
}

// MB-9: where the server files them, the host files none.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_files_copies_is_left_to_it() {
    let office = Office::new().await;
    let ada = format!(
        "ada@{}",
        office.servers.own_domain_with_sent_copies().unwrap()
    );
    office
        .servers
        .add_accounts(&[servers::Account::new(&ada, "secret")])
        .unwrap();
    let [prospect] = office.accounts(["prospect"]);
    let entered = NewMailbox {
        files_sent: Some(true),
        ..office.entered(&ada)
    };
    let (env, ws) = (office.world.env(), office.world.ws);
    let connected = mailboxes::connect(env, ws, entered, &Actor::Cli)
        .await
        .unwrap();
    let before = office.imap.connections();
    office.write_to(&connected.account, &prospect).await;
    assert_eq!(office.imap.connections(), before);
    assert!(servers::wait_until(HOUR / 60, || office.copies(&ada) > 0));
    assert_eq!(office.copies(&ada), 1);
}

/// A mailbox at servers of its own.
async fn at(office: &Office, servers: &MailServers, address: &str) -> Account {
    let entered = NewMailbox {
        smtp: Some(server(
            "127.0.0.1",
            servers.ports.submission,
            TlsMode::Starttls,
        )),
        imap: Some(server("127.0.0.1", servers.ports.imaps, TlsMode::Implicit)),
        password: Some("secret-ada".into()),
        ..office.entered(address)
    };
    let (env, ws) = (office.world.env(), office.world.ws);
    let connected = mailboxes::connect(env, ws, entered, &Actor::Cli).await;
    connected
        .unwrap_or_else(|error| panic!("{:?}", error.details()))
        .account
}

// MB-8: a server that marks no folders, whose owner speaks German.
#[tokio::test(flavor = "multi_thread")]
async fn folders_are_known_by_their_names() {
    let options = MailOptions {
        special_use: false,
        prospects: 1,
        ..MailOptions::default()
    };
    let servers = servers::start_mail(&options).unwrap_or_else(|error| panic!("{error}"));
    let mut office = Office::new().await;
    office.world.kit.env.dialer.tls = Tls::new(Some(&servers.ca_file)).unwrap();
    let ada = "ada@sender.test";
    for folder in ["Gesendet", "Unerwünschte E-Mails", "Entwürfe", "Möbel & Co"] {
        servers.create_folder(ada, folder).unwrap();
    }
    let mailbox = at(&office, &servers, ada).await;
    let session = mailboxes::Session::open(office.world.env(), &mailbox)
        .await
        .unwrap();
    let folders = session.folders().await.unwrap();
    let mut found: Vec<_> = folders
        .iter()
        .map(|folder| (folder.name.as_str(), folder.special_use))
        .collect();
    found.sort_by_key(|(name, _)| name.to_owned());
    assert_eq!(
        found,
        [
            ("Entwürfe", Some(SpecialUse::Drafts)),
            ("Gesendet", Some(SpecialUse::Sent)),
            ("INBOX", Some(SpecialUse::Inbox)),
            ("Möbel & Co", None),
            ("Unerwünschte E-Mails", Some(SpecialUse::Junk)),
        ]
    );
    // What lies among the junk is read, and the copy goes where its owner looks for it.
    office.read().await;
    let cursor = office.world.account(mailbox.id).await.sync_cursor.unwrap();
    assert!(cursor.contains("Unerwünschte E-Mails"), "{cursor}");
    let copy = b"Subject: copy\r\nMessage-ID: <copy@x>\r\n\r\nx\r\n";
    assert!(
        mailboxes::file_sent_copy(&session, &mailbox, copy)
            .await
            .unwrap()
    );
    assert_eq!(session.find("Gesendet", "copy@x").await.unwrap().len(), 1);
    session.close().await;
}
