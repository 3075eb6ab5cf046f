//! Every code of MB-2, from a real server or the proxy: what a user sees when a mailbox is
//! connected, as one table.

use std::{fmt::Write as _, net::IpAddr};

use overture_domain::{
    accounts::{MailServer, TlsMode},
    people::Actor,
};
use overture_engine::mailboxes::{self, NewMailbox};
use overture_testkit::{
    dns::Answer,
    proxy::{
        self,
        At::{self, Greeting, Line},
        Certificate, Front,
        Harm::{self, Answer as Say, Close, Hang, Inject, LastWords},
        Proxy,
    },
};

use crate::office::{Office, server};

/// One case: what is entered, and the proxies that have to live meanwhile.
struct Row {
    title: &'static str,
    entered: NewMailbox,
    proxies: Vec<Proxy>,
}

/// The cases in the making.
struct Rows {
    office: Office,
    /// An account of this test's own.
    ada: String,
    rows: Vec<Row>,
}

impl Rows {
    /// Straight to the servers, `change`d.
    fn direct(&mut self, title: &'static str, change: impl FnOnce(&mut NewMailbox)) {
        let ports = &self.office.servers.ports;
        let mut entered = NewMailbox {
            smtp: Some(server("127.0.0.1", ports.submission, TlsMode::Starttls)),
            imap: Some(server("127.0.0.1", ports.imaps, TlsMode::Implicit)),
            ..self.office.entered(&self.ada)
        };
        change(&mut entered);
        self.add(title, entered, Vec::new());
    }

    fn add(&mut self, title: &'static str, entered: NewMailbox, proxies: Vec<Proxy>) {
        self.rows.push(Row {
            title,
            entered,
            proxies,
        });
    }

    async fn proxy(&self, front: Front) -> Proxy {
        Proxy::start(front, &self.office.servers.ca_file)
            .await
            .unwrap()
    }

    /// The SMTP leg goes through a proxy with STARTTLS that does harm.
    async fn smtp(&mut self, title: &'static str, at: At, harm: Harm) {
        let front = Front::starttls(self.office.servers.ports.submission);
        self.harmed(title, front, Leg::Smtp, Some((at, harm))).await;
    }

    /// The IMAP leg goes through a proxy with TLS from the start that does harm.
    async fn imap(&mut self, title: &'static str, at: At, harm: Harm) {
        let front = Front::implicit(self.office.servers.ports.imaps);
        self.harmed(title, front, Leg::Imap, Some((at, harm))).await;
    }

    async fn harmed(
        &mut self,
        title: &'static str,
        front: Front,
        leg: Leg,
        harm: Option<(At, Harm)>,
    ) {
        let proxy = self.proxy(front).await;
        if let Some((at, harm)) = harm {
            proxy.harm(at, harm);
        }
        let mode = if front.is_implicit() {
            TlsMode::Implicit
        } else {
            TlsMode::Starttls
        };
        let reached = server(proxy::HOST, proxy.port, mode);
        let mut entered = self.office.entered(&self.ada);
        match leg {
            Leg::Smtp => entered.smtp = Some(reached),
            Leg::Imap => entered.imap = Some(reached),
        }
        self.add(title, entered, vec![proxy]);
    }

    /// Both legs go through proxies that show this certificate.
    async fn shown(&mut self, title: &'static str, certificate: Certificate) {
        let ports = self.office.servers.ports;
        let smtp = Front::starttls(ports.submission).with(certificate);
        let smtp = self.proxy(smtp).await;
        let imap = Front::implicit(ports.imaps).with(certificate);
        let imap = self.proxy(imap).await;
        let entered = NewMailbox {
            smtp: Some(server(proxy::HOST, smtp.port, TlsMode::Starttls)),
            imap: Some(server(proxy::HOST, imap.port, TlsMode::Implicit)),
            ..self.office.entered(&self.ada)
        };
        self.add(title, entered, vec![smtp, imap]);
    }
}

#[derive(Clone, Copy)]
enum Leg {
    Smtp,
    Imap,
}

/// A port of loopback at which nobody listens.
fn deserted() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn smtp(entered: &mut NewMailbox) -> &mut MailServer {
    entered.smtp.as_mut().unwrap()
}

fn imap(entered: &mut NewMailbox) -> &mut MailServer {
    entered.imap.as_mut().unwrap()
}

/// Addresses and ports.
async fn reaching(rows: &mut Rows) {
    let inside: IpAddr = "10.1.2.3".parse().unwrap();
    rows.office
        .dns
        .set("inside.test", Answer::Addresses(vec![inside]));
    rows.office.dns.set("broken.test", Answer::Failure);
    rows.office.dns.set("silent.test", Answer::Silence);
    rows.direct("no such host name", |new| {
        smtp(new).host = "smtp.gmial.example".into();
    });
    rows.direct("the name server fails", |new| {
        smtp(new).host = "broken.test".into();
    });
    rows.direct("the name server says nothing", |new| {
        smtp(new).host = "silent.test".into();
    });
    rows.direct("a host name that resolves to a private address", |new| {
        smtp(new).host = "inside.test".into();
    });
    rows.direct("a private address", |new| {
        imap(new).host = "192.168.1.9".into();
    });
    rows.direct("no mail port", |new| imap(new).port = 80);
    let port = deserted();
    rows.direct("nobody listens", |new| smtp(new).port = port);
    rows.smtp("a server that says nothing", Greeting, Hang)
        .await;
    rows.imap(
        "an IMAP server that says nothing",
        Line("AUTHENTICATE"),
        Hang,
    )
    .await;
    rows.smtp("a server that hangs up", Line("AUTH"), Close)
        .await;
    rows.smtp("a server that hangs up at once", Greeting, Close)
        .await;
    rows.smtp(
        "a web server",
        Greeting,
        Say("HTTP/1.1 400 Bad Request\r\n"),
    )
    .await;
    let busy = LastWords("421 4.7.0 too many connections from your address\r\n");
    rows.smtp("too many connections", Greeting, busy).await;
    let down = LastWords("421 4.3.2 service not available\r\n");
    rows.smtp("down for repairs", Greeting, down).await;
}

/// TLS and certificates.
async fn securing(rows: &mut Rows) {
    let ports = rows.office.servers.ports;
    rows.direct("implicit TLS where STARTTLS is spoken", |new| {
        smtp(new).tls = TlsMode::Implicit;
    });
    rows.direct("STARTTLS where TLS is spoken from the start", |new| {
        *smtp(new) = server("127.0.0.1", ports.submissions, TlsMode::Starttls);
        imap(new).tls = TlsMode::Starttls;
    });
    rows.direct("a host name that the certificate does not have", |new| {
        imap(new).host = "mail.test".into();
    });
    rows.shown("a certificate for another name", Certificate::OtherName)
        .await;
    rows.shown("an expired certificate", Certificate::Expired)
        .await;
    rows.shown("a self-signed certificate", Certificate::SelfSigned)
        .await;
    rows.shown(
        "a certificate by an unknown issuer",
        Certificate::UnknownIssuer,
    )
    .await;
    let stripped = Say("250-server.test\r\n250 AUTH PLAIN LOGIN\r\n");
    rows.smtp("no STARTTLS", Line("EHLO"), stripped).await;
    let not_now = Say("454 4.7.0 TLS not available due to local problem\r\n");
    rows.smtp(
        "STARTTLS is offered and then refused",
        Line("STARTTLS"),
        not_now,
    )
    .await;
    let cut = LastWords("220 2.0.0 Ready to start TLS\r\n");
    rows.smtp(
        "STARTTLS is agreed to and then there is none",
        Line("STARTTLS"),
        cut,
    )
    .await;
    let injected = Inject("250-server.test\r\n250 AUTH PLAIN\r\n");
    rows.smtp("text after the 220 of STARTTLS", Line("STARTTLS"), injected)
        .await;
}

/// Passwords, mechanisms, mailboxes.
async fn signing_in(rows: &mut Rows) {
    rows.direct("a wrong password", |new| {
        new.password = Some("guess".into());
    });
    rows.direct("a wrong user name", |new| {
        new.user_name = Some("nobody@d1.test".into());
    });
    let front = Front::implicit(rows.office.servers.ports.submissions);
    let kerberos = Say("250-server.test\r\n250 AUTH GSSAPI\r\n");
    let title = "no mechanism that we speak";
    rows.harmed(title, front, Leg::Smtp, Some((Line("EHLO"), kerberos)))
        .await;
    let disabled = Say("* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK done\r\n");
    rows.imap(
        "an IMAP server without a sign-in",
        Line("CAPABILITY"),
        disabled,
    )
    .await;
    for (title, answer) in [
        (
            "an app password is wanted",
            "534-5.7.9 Application-specific password required. For more information, go to\r\n534 5.7.9  https://support.example.com/?p=InvalidSecondFactor\r\n",
        ),
        (
            "a sign-in by the browser is wanted",
            "534-5.7.14 <https://accounts.example.com/signin/continue?plt=AKgnsb>\r\n534 5.7.14 Please log in via your web browser and then try again.\r\n",
        ),
        (
            "SMTP AUTH is switched off",
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.\r\n",
        ),
        (
            "wrong password at another service",
            "535 5.7.3 Authentication unsuccessful\r\n",
        ),
        (
            "too many sign-ins",
            "454 4.7.0 Too many login attempts, please try again later.\r\n",
        ),
        (
            "the sign-in fails for now",
            "454 4.7.0 Temporary authentication failure\r\n",
        ),
        (
            "a mechanism that is offered and not known",
            "504 5.7.4 Unrecognized authentication type\r\n",
        ),
    ] {
        rows.smtp(title, Line("AUTH"), Say(answer)).await;
    }
    for (title, answer) in [
        (
            "IMAP is switched off",
            "{tag} NO [ALERT] Your account is not enabled for IMAP use. Please visit your account settings\r\n",
        ),
        (
            "IMAP wants an app password",
            "{tag} NO [ALERT] Application-specific password required: https://support.example.com/\r\n",
        ),
        (
            "IMAP: too many connections",
            "{tag} NO [LIMIT] Maximum number of connections from user+IP exceeded\r\n",
        ),
        (
            "IMAP is not available for now",
            "{tag} NO [UNAVAILABLE] Temporary authentication failure.\r\n",
        ),
    ] {
        rows.imap(title, Line("AUTHENTICATE"), Say(answer)).await;
    }
    let gone =
        Say("{tag} NO [NONEXISTENT] Unknown Mailbox: INBOX (now in authenticated state)\r\n");
    rows.imap("no inbox", Line("SELECT"), gone).await;
}

// MB-2, MB-12
#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_its_code_the_servers_words_and_the_fix() {
    let office = Office::new().await;
    let [ada] = office.accounts(["ada"]);
    let mut rows = Rows {
        office,
        ada,
        rows: Vec::new(),
    };
    reaching(&mut rows).await;
    securing(&mut rows).await;
    signing_in(&mut rows).await;

    let (env, ws) = (rows.office.world.env(), rows.office.world.ws);
    let connected = rows.rows.iter().map(async |row| {
        let ended = mailboxes::connect(env, ws, row.entered.clone(), &Actor::Cli).await;
        let error = ended.expect_err(row.title);
        let mut shown = format!("{}\n", row.title);
        for detail in error.details() {
            // The servers' own certificate is made anew for each run.
            let message = match detail.message.split_once("SHA-256 ") {
                Some((message, _)) => format!("{message}SHA-256 ..."),
                None => detail.message.clone(),
            };
            writeln!(shown, "  {} {}\n    {message}", detail.field, detail.code).unwrap();
        }
        assert!(
            row.proxies.iter().all(|proxy| proxy.connections() > 0),
            "{shown}"
        );
        shown
    });
    let table = futures::future::join_all(connected).await.join("\n");
    insta::assert_snapshot!("mb_2", table);
}

// MB-2: a mailbox may accept one certificate that nobody vouches for.
#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_certificate_is_accepted() {
    let office = Office::new().await;
    let [ada] = office.accounts(["ada"]);
    let mut rows = Rows {
        office,
        ada,
        rows: Vec::new(),
    };
    rows.shown("", Certificate::SelfSigned).await;
    let (env, ws) = (rows.office.world.env(), rows.office.world.ws);
    let entered = rows.rows[0].entered.clone();
    let ended = mailboxes::connect(env, ws, entered.clone(), &Actor::Cli).await;
    let error = ended.unwrap_err();
    let message = error.details()[0].message.clone();
    let (_, pin) = message.rsplit_once("SHA-256 ").unwrap();
    let pinned = |pin: &str| NewMailbox {
        pinned_certificate: Some(pin.to_owned()),
        ..entered.clone()
    };
    let other = "00".repeat(32);
    mailboxes::connect(env, ws, pinned(&other), &Actor::Cli)
        .await
        .expect_err("another one");
    mailboxes::connect(env, ws, pinned(pin), &Actor::Cli)
        .await
        .unwrap();
}
