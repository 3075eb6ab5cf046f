//! Against real Postfix and Dovecot.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::{sync::Arc, time::Duration};

use overture_egress::{AddressPolicy, Resolver};
use overture_mail::{
    Cause, Code, Credentials, Dialer, Endpoint, Error, NetConnector, Security, Stage, check,
    imap::{self, FetchLimits, Flag, Idle, Mail, Role},
    inbound::{self, Action, Inbound, Report},
    mime::{self, Mailbox, Outgoing, Unsubscribe},
    smtp::{self, Envelope, ReplyClass},
    tls::Tls,
};
use overture_server_kit::{Account, MailPorts, MailServers};

/// Two mailboxes of the test's own on the shared servers.
struct Kit {
    servers: &'static MailServers,
    /// Who sends.
    ada: String,
    /// Who receives.
    prospect: String,
}

impl Kit {
    fn new() -> Self {
        let servers = overture_server_kit::mail().unwrap();
        Self::at(servers, &servers.own_domain().unwrap())
    }

    /// The server files what is sent into Sent.
    fn with_sent_copies() -> Self {
        let servers = overture_server_kit::mail().unwrap();
        Self::at(servers, &servers.own_domain_with_sent_copies().unwrap())
    }

    fn at(servers: &'static MailServers, domain: &str) -> Self {
        let (ada, prospect) = (format!("ada@{domain}"), format!("prospect@{domain}"));
        servers
            .add_accounts(&[Account::new(&ada, "pw"), Account::new(&prospect, "pw")])
            .unwrap();
        Self {
            servers,
            ada,
            prospect,
        }
    }

    fn endpoint(security: Security, starttls: u16, implicit: u16) -> Endpoint {
        let port = if security == Security::Implicit {
            implicit
        } else {
            starttls
        };
        Endpoint {
            host: "localhost".into(),
            port,
            security,
            pinned: None,
        }
    }

    fn smtp(&self, security: Security) -> Endpoint {
        let ports = &self.servers.ports;
        Self::endpoint(security, ports.submission, ports.submissions)
    }

    fn imap(&self, security: Security) -> Endpoint {
        let ports = &self.servers.ports;
        Self::endpoint(security, ports.imap, ports.imaps)
    }

    fn connector(&self, networks: &[&str], further_port: u16) -> NetConnector {
        let networks = networks
            .iter()
            .map(|network| network.parse().unwrap())
            .collect();
        let MailPorts {
            submission,
            submissions,
            imap,
            imaps,
            ..
        } = self.servers.ports;
        let ports = [submission, submissions, imap, imaps, further_port];
        NetConnector {
            resolver: Resolver::new(&[]).unwrap(),
            policy: AddressPolicy::mail(networks, &ports),
        }
    }

    fn dialer(&self) -> Dialer {
        let connector = self.connector(&["127.0.0.0/8"], 25);
        Dialer::new(
            Arc::new(connector),
            Tls::new(Some(&self.servers.ca_file)).unwrap(),
        )
    }

    async fn sender(&self) -> smtp::Session {
        let endpoint = self.smtp(Security::Starttls);
        smtp::Session::connect(&self.dialer(), &endpoint, Some(&password(&self.ada)))
            .await
            .unwrap()
    }

    async fn reader(&self, address: &str) -> imap::Session {
        let endpoint = self.imap(Security::Implicit);
        imap::Session::connect(&self.dialer(), &endpoint, &password(address))
            .await
            .unwrap()
    }
}

fn password(user: &str) -> Credentials {
    Credentials::Password {
        user: user.into(),
        password: "pw".into(),
    }
}

/// A mail with an id of its own, so that tests don't see each other's.
fn outgoing(id: &str, from: &str, to: &str) -> Outgoing {
    Outgoing {
        message_id: format!("{id}@sender.test"),
        date: "2026-03-02T09:00:00Z".parse().unwrap(),
        from: Mailbox {
            name: Some("Ada Łukasz".into()),
            address: from.into(),
        },
        to: Mailbox {
            name: Some("Zoë, Example".into()),
            address: to.into(),
        },
        reply_to: None,
        subject: "Größe 日本 – hello".into(),
        text: None,
        html: Some(format!(
            "<p>Grüße!</p><p>.</p><p>{}</p>",
            "long ".repeat(400)
        )),
        in_reply_to: Some("first@sender.test".into()),
        references: vec!["zero@sender.test".into(), "first@sender.test".into()],
        unsubscribe: Some(Unsubscribe {
            url: Some("https://out.example.com/u/tok".into()),
            mailto: "mailto:ada@sender.test?subject=unsubscribe%20tok".into(),
        }),
        headers: Vec::new(),
        boundary: format!("=_{id}"),
    }
}

async fn send(session: &mut smtp::Session, id: &str, from: &str, to: &str) -> Result<(), Error> {
    session
        .begin(&Envelope {
            from: from.into(),
            to: to.into(),
        })
        .await?;
    session
        .body(&mime::build(&outgoing(id, from, to))?)
        .await
        .map(drop)
}

/// Waits by IDLE for a mail in `folder` that `wanted` picks.
async fn arrived(
    session: &mut imap::Session,
    folder: &str,
    wanted: impl Fn(&Inbound) -> bool,
) -> (Mail, Inbound) {
    let waiting = async {
        session.select(folder).await.unwrap();
        let mut after = 0;
        loop {
            let page = session
                .fetch_since(after, &FetchLimits::default())
                .await
                .unwrap();
            after = page.last_uid;
            for mail in page.mails {
                let inbound = inbound::parse(&mail.bytes);
                if wanted(&inbound) {
                    return (mail, inbound);
                }
            }
            if !page.more {
                session.idle(Duration::from_secs(2)).await.unwrap();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .expect("the mail within 30 s")
}

// TRK-4, SEQ-4, issue 3 item 6
#[tokio::test]
async fn a_mail_arrives_as_it_was_meant() {
    let kit = Kit::new();
    for (id, security) in [
        ("arrives-1", Security::Starttls),
        ("arrives-2", Security::Implicit),
    ] {
        let (dialer, login) = (kit.dialer(), password(&kit.ada));
        let endpoint = kit.smtp(security);
        let mut smtp = smtp::Session::connect(&dialer, &endpoint, Some(&login))
            .await
            .unwrap();
        send(&mut smtp, id, &kit.ada, &kit.prospect).await.unwrap();
        smtp.quit().await;

        let (endpoint, login) = (kit.imap(security), password(&kit.prospect));
        let mut imap = imap::Session::connect(&dialer, &endpoint, &login)
            .await
            .unwrap();
        let message_id = format!("{id}@sender.test");
        let is_it = |mail: &Inbound| mail.message_id.as_deref() == Some(&message_id);
        let (mail, inbound) = arrived(&mut imap, "INBOX", is_it).await;
        assert_eq!(inbound.subject, "Größe 日本 – hello");
        assert_eq!(inbound.from.unwrap().name.as_deref(), Some("Ada Łukasz"));
        assert_eq!(inbound.to[0].name.as_deref(), Some("Zoë, Example"));
        assert_eq!(inbound.in_reply_to, ["first@sender.test"]);
        assert_eq!(
            inbound.references,
            ["zero@sender.test", "first@sender.test"]
        );
        assert!(
            inbound.text.starts_with("Grüße!\n\n.\n\nlong long"),
            "{}",
            inbound.text
        );
        assert!(inbound.html.unwrap().starts_with("<p>Grüße!</p><p>.</p>"));
        let text = String::from_utf8(mail.bytes).unwrap();
        assert!(
            text.contains("\r\nList-Unsubscribe: <https://out.example.com/u/tok>,\r\n <mailto:")
        );
        assert!(text.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
        assert!(!text.contains("X-Auto-Response-Suppress"));
        assert!(text.lines().all(|line| line.len() <= 998));
        imap.logout().await;
    }
}

// SAF-4, CAP-3: each refusal with its class, and the session goes on
#[tokio::test]
async fn refusals_are_told_apart() {
    let kit = Kit::new();
    let mut smtp = kit.sender().await;
    for (to, class, words) in [
        ("refused@d1.test", ReplyClass::Hard, "550 5.1.1"),
        ("greylisted@d1.test", ReplyClass::Soft, "450 4.7.1"),
        ("quota@d1.test", ReplyClass::SenderLimit, "550 5.4.5"),
        ("spam@d1.test", ReplyClass::Policy, "554 5.7.1"),
    ] {
        let error = send(&mut smtp, "refused", &kit.ada, to).await.unwrap_err();
        assert_eq!(
            (error.stage, error.class()),
            (Stage::Rcpt, Some(class)),
            "{error}"
        );
        assert!(error.words().unwrap().starts_with(words), "{error}");
        assert!(smtp.is_usable());
    }
    send(&mut smtp, "after-refusals-1", &kit.ada, &kit.prospect)
        .await
        .unwrap();
    send(&mut smtp, "after-refusals-2", &kit.ada, &kit.prospect)
        .await
        .unwrap();
}

// SAF-4, TRK-3: real bounces
#[tokio::test]
async fn bounces_come_back_and_are_read() {
    let kit = Kit::new();
    let mut smtp = kit.sender().await;
    let mut imap = kit.reader(&kit.ada).await;
    for (id, to, class, status) in [
        ("bounce-hard", "nobody@d1.test", ReplyClass::Hard, "5.1.1"),
        ("bounce-full", "full@d1.test", ReplyClass::Soft, "5.2.2"),
        ("bounce-soft", "p1@soft.test", ReplyClass::Soft, "4.4.1"),
    ] {
        send(&mut smtp, id, &kit.ada, to).await.unwrap();
        let message_id = format!("{id}@sender.test");
        let is_it = |mail: &Inbound| {
            matches!(&mail.report, Some(Report::Delivery(report))
                if report.original_message_id.as_deref() == Some(&message_id))
        };
        let (_, inbound) = arrived(&mut imap, "INBOX", is_it).await;
        let Some(Report::Delivery(report)) = inbound.report else {
            unreachable!()
        };
        let [recipient] = report.recipients.as_slice() else {
            panic!("{report:?}")
        };
        assert_eq!(
            (recipient.address.as_str(), recipient.action),
            (to, Action::Failed)
        );
        assert_eq!(
            (recipient.class, recipient.status.as_deref()),
            (class, Some(status))
        );
        assert!(inbound.automatic.is_some());
    }
}

// SAFE-3: evidence in Sent
#[tokio::test]
async fn a_sent_copy_is_found_by_its_id() {
    let kit = Kit::with_sent_copies();
    let mut smtp = kit.sender().await;
    send(&mut smtp, "copy", &kit.ada, &kit.prospect)
        .await
        .unwrap();
    let mut imap = kit.reader(&kit.ada).await;
    let is_it = |mail: &Inbound| mail.message_id.as_deref() == Some("copy@sender.test");
    arrived(&mut imap, "Sent", is_it).await;
    let found = imap.search_message_id("<copy@sender.test>").await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(
        imap.search_message_id("never-sent@sender.test")
            .await
            .unwrap()
            .is_empty()
    );
}

// MB-9: a copy where the server files none
#[tokio::test]
async fn a_sent_copy_is_filed() {
    let kit = Kit::new();
    let mut imap = kit.reader(&kit.ada).await;
    let folders = imap.folders().await.unwrap();
    let sent = folders
        .iter()
        .find(|folder| folder.role == Some(Role::Sent))
        .unwrap();
    let mail = mime::build(&outgoing("filed", &kit.ada, &kit.prospect)).unwrap();
    imap.append(&sent.name, &mail, &[Flag::Seen]).await.unwrap();
    imap.select(&sent.name).await.unwrap();
    let found = imap.search_message_id("filed@sender.test").await.unwrap();
    assert_eq!(found.len(), 1);
    let listed = imap.list_from(found[0], 10).await.unwrap();
    assert_eq!(listed[0].message_id.as_deref(), Some("filed@sender.test"));
    assert!(listed[0].flags.contains(&"\\Seen".to_owned()), "{listed:?}");
    let fetched = imap.fetch(&listed[..1], 1_000_000).await.unwrap();
    assert_eq!(fetched[0].bytes, mail);
    let cut = imap.fetch(&listed[..1], 100).await.unwrap();
    assert_eq!(
        (cut[0].bytes.as_slice(), cut[0].is_cut()),
        (&mail[..100], true)
    );
}

// MB-8
#[tokio::test]
async fn folders_mails_and_flags() {
    let kit = Kit::new();
    let mut imap = kit.reader(&kit.prospect).await;
    assert!(imap.can_idle());
    let folders = imap.folders().await.unwrap();
    let roles: Vec<_> = folders.iter().filter_map(|folder| folder.role).collect();
    for role in [Role::Inbox, Role::Sent, Role::Junk, Role::Trash] {
        assert!(roles.contains(&role), "{folders:?}");
    }
    for n in 0..3 {
        let mail = format!("Message-ID: <f{n}@d4.test>\r\nSubject: {n}\r\n\r\nbody {n}\r\n");
        imap.append("INBOX", mail.as_bytes(), &[]).await.unwrap();
    }
    let selected = imap.select("INBOX").await.unwrap();
    assert_eq!((selected.exists, selected.uid_next), (3, 4));
    let limits = FetchLimits {
        mails: 2,
        ..FetchLimits::default()
    };
    let first = imap.fetch_since(0, &limits).await.unwrap();
    assert_eq!(
        (first.mails.len(), first.last_uid, first.more),
        (2, 2, true)
    );
    let second = imap.fetch_since(first.last_uid, &limits).await.unwrap();
    assert_eq!(
        (second.mails.len(), second.last_uid, second.more),
        (1, 3, false)
    );
    assert!(second.mails[0].bytes.ends_with(b"body 2\r\n"));
    let none = imap.fetch_since(3, &limits).await.unwrap();
    assert_eq!((none.mails.len(), none.last_uid, none.more), (0, 3, false));

    imap.set_flags(&[1, 2], &[Flag::Seen, Flag::Flagged], true)
        .await
        .unwrap();
    imap.set_flags(&[2], &[Flag::Seen], false).await.unwrap();
    let listed = imap.list_from(1, 10).await.unwrap();
    let seen: Vec<bool> = listed
        .iter()
        .map(|mail| mail.flags.contains(&"\\Seen".to_owned()))
        .collect();
    assert_eq!(seen, [true, false, false]);

    imap.move_to(&[2], "Junk").await.unwrap();
    assert_eq!(imap.list_from(1, 10).await.unwrap().len(), 2);
    imap.select("Junk").await.unwrap();
    assert_eq!(imap.search_message_id("f1@d4.test").await.unwrap().len(), 1);
    let error = imap.select("Nowhere").await.unwrap_err();
    assert_eq!(
        (error.stage, error.code()),
        (Stage::Select, Code::MailboxNotFound),
        "{error}"
    );
    assert!(imap.is_usable());

    // A renewed UIDVALIDITY is seen (MB-8).
    imap.logout().await;
    let validity = selected.uid_validity + 7;
    kit.servers
        .set_uid_validity(&kit.prospect, "INBOX", validity)
        .unwrap();
    let mut imap = kit.reader(&kit.prospect).await;
    assert_eq!(imap.select("INBOX").await.unwrap().uid_validity, validity);
}

// MB-8
#[tokio::test]
async fn idle_tells_of_a_new_mail() {
    let kit = Kit::new();
    let mut imap = kit.reader(&kit.prospect).await;
    imap.select("INBOX").await.unwrap();
    assert_eq!(
        imap.idle(Duration::from_millis(100)).await.unwrap(),
        Idle::Quiet
    );
    let mut smtp = kit.sender().await;
    let (waited, sent) = tokio::join!(
        imap.idle(Duration::from_secs(20)),
        send(&mut smtp, "idle", &kit.ada, &kit.prospect)
    );
    sent.unwrap();
    assert_eq!(waited.unwrap(), Idle::Changed);
    assert_eq!(imap.list_from(1, 10).await.unwrap().len(), 1);
}

// MB-2
#[tokio::test]
async fn a_connection_test_tells_what_is_wrong() {
    let kit = Kit::new();
    let good = kit.dialer();
    let ada = password(&kit.ada);
    let (smtp, imap) = (kit.smtp(Security::Starttls), kit.imap(Security::Implicit));
    let outcome = check::run(&good, &smtp, &imap, &ada, &kit.ada).await;
    assert!(outcome.is_good(), "{outcome:?}");

    // code, and the stage in SMTP and in IMAP
    let both = async |dialer: &Dialer, smtp: &Endpoint, imap: &Endpoint, login: &Credentials| {
        let outcome = check::run(dialer, smtp, imap, login, &kit.ada).await;
        let (smtp, imap) = (outcome.smtp.unwrap(), outcome.imap.unwrap());
        assert_eq!(smtp.code, imap.code, "{smtp:?} {imap:?}");
        (smtp.code, smtp.stage, imap.stage, smtp.words, imap.words)
    };
    let wrong = Credentials::Password {
        user: kit.ada.clone(),
        password: "wrong".into(),
    };
    let (code, at_smtp, at_imap, smtp_words, imap_words) = both(&good, &smtp, &imap, &wrong).await;
    assert_eq!(
        (code, at_smtp, at_imap),
        (Code::AuthInvalid, Stage::Auth, Stage::Auth)
    );
    assert!(smtp_words.unwrap().starts_with("535 5.7.8"));
    assert!(imap_words.unwrap().contains("AUTHENTICATIONFAILED"));

    let implicit = |endpoint: &Endpoint| Endpoint {
        security: Security::Implicit,
        ..endpoint.clone()
    };
    let (submission, plain_imap) = (implicit(&smtp), implicit(&kit.imap(Security::Starttls)));
    let found = both(&good, &submission, &plain_imap, &ada).await;
    assert_eq!(
        (found.0, found.1, found.2),
        (Code::TlsWrongMode, Stage::Tls, Stage::Tls)
    );

    let strict = Dialer {
        tls: Tls::new(None).unwrap(),
        ..good.clone()
    };
    let found = both(&strict, &smtp, &imap, &ada).await;
    assert_eq!(
        (found.0, found.1, found.2),
        (Code::TlsUntrustedIssuer, Stage::Tls, Stage::Tls)
    );

    let renamed = |endpoint: &Endpoint| Endpoint {
        host: "mail.localhost".into(),
        ..endpoint.clone()
    };
    let found = both(&good, &renamed(&smtp), &renamed(&imap), &ada).await;
    assert_eq!((found.0, found.1), (Code::TlsHostnameMismatch, Stage::Tls));

    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let at = |endpoint: &Endpoint, port| Endpoint {
        port,
        ..endpoint.clone()
    };
    let allowing = |networks: &[&str]| {
        let connector = kit.connector(networks, closed);
        Dialer {
            connector: Arc::new(connector),
            ..good.clone()
        }
    };
    let loopback = allowing(&["127.0.0.0/8", "::1/128"]);
    let found = both(&loopback, &at(&smtp, closed), &at(&imap, closed), &ada).await;
    assert_eq!((found.0, found.1), (Code::ConnectionRefused, Stage::Tcp));

    // MB-12
    let found = both(&allowing(&[]), &smtp, &imap, &ada).await;
    assert_eq!((found.0, found.1), (Code::AddressNotAllowed, Stage::Dns));
    let found = both(&good, &at(&smtp, 22), &at(&imap, 22), &ada).await;
    assert_eq!((found.0, found.1), (Code::PortNotAllowed, Stage::Dns));

    let unknown = Endpoint {
        host: "not a host".into(),
        ..smtp.clone()
    };
    let error = smtp::Session::connect(&good, &unknown, None)
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), Code::DnsNotFound, "{error}");
}

// A user whose certificate is pinned needs no known issuer (MB-2).
#[tokio::test]
async fn a_pinned_certificate_serves() {
    let kit = Kit::new();
    let strict = Dialer {
        tls: Tls::new(None).unwrap(),
        ..kit.dialer()
    };
    let ada = password(&kit.ada);
    let endpoint = kit.imap(Security::Implicit);
    let error = imap::Session::connect(&strict, &endpoint, &ada)
        .await
        .err()
        .unwrap();
    let Cause::Certificate { fingerprint, .. } = error.cause else {
        panic!("{error}")
    };
    let pinned = Endpoint {
        pinned: Some(fingerprint),
        ..endpoint
    };
    imap::Session::connect(&strict, &pinned, &ada)
        .await
        .unwrap();
}
