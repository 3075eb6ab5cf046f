//! Servers that misbehave at each step of the dialogue: every one ends with its code, within its
//! time, and says what became of the mail (SAFE-3, MB-2).

use std::{future::Future, time::Duration};

use overture_mail::{
    Code::{self, *},
    Credentials, Dialer, Endpoint, Error,
    Fate::{self, Ambiguous, NotSent},
    Security, Stage, imap, smtp,
};
use overture_testkit::{
    proxy::{
        self,
        At::{self, Greeting, Line},
        Front,
        Harm::{self, *},
        Proxy,
    },
    servers,
};

use crate::office::{Office, TIMEOUTS};

const GARBAGE: &str = "\u{1}\u{fffd} HTTP/1.1 400 Bad Request\r\n";

/// Where a dialogue is harmed and how, at which stage the client finds out, as what, and what
/// became of the mail.
type Case = (At, Harm, Stage, Code, Fate);

#[rustfmt::skip]
const SMTP: &[Case] = &[
    (Greeting, Hang, Stage::Greeting, Timeout, NotSent),
    (Greeting, Close, Stage::Greeting, ConnectionLost, NotSent),
    (Greeting, LastWords("421 4.7.0 too many connections\r\n"), Stage::Greeting, RateLimited, NotSent),
    (Greeting, LastWords("554 5.3.2 no service here\r\n"), Stage::Greeting, ServerRefused, NotSent),
    (Greeting, Answer(GARBAGE), Stage::Greeting, ProtocolError, NotSent),
    (Line("EHLO"), Hang, Stage::Capability, Timeout, NotSent),
    (Line("EHLO"), Close, Stage::Capability, ConnectionLost, NotSent),
    (Line("EHLO"), Answer(GARBAGE), Stage::Capability, ProtocolError, NotSent),
    (Line("EHLO"), Answer("250 server.test\r\n"), Stage::Starttls, StarttlsUnsupported, NotSent),
    (Line("STARTTLS"), Hang, Stage::Starttls, Timeout, NotSent),
    (Line("STARTTLS"), Close, Stage::Starttls, ConnectionLost, NotSent),
    (Line("STARTTLS"), Answer("454 4.7.0 TLS not available\r\n"), Stage::Starttls, StarttlsUnsupported, NotSent),
    // Go ahead, and then no TLS.
    (Line("STARTTLS"), FallSilent("220 2.0.0 go\r\n"), Stage::Tls, Timeout, NotSent),
    (Line("STARTTLS"), LastWords("220 2.0.0 go\r\n"), Stage::Tls, ConnectionLost, NotSent),
    // RFC 3207 §6
    (Line("STARTTLS"), Inject("250-server.test\r\n250 AUTH PLAIN\r\n"), Stage::Starttls, StarttlsInjected, NotSent),
    (Line("AUTH"), Hang, Stage::Auth, Timeout, NotSent),
    (Line("AUTH"), Close, Stage::Auth, ConnectionLost, NotSent),
    (Line("AUTH"), Answer(GARBAGE), Stage::Auth, ProtocolError, NotSent),
    (Line("MAIL"), Hang, Stage::Mail, Timeout, NotSent),
    (Line("MAIL"), Close, Stage::Mail, ConnectionLost, NotSent),
    (Line("MAIL"), Answer(GARBAGE), Stage::Mail, ProtocolError, NotSent),
    (Line("RCPT"), Hang, Stage::Rcpt, Timeout, NotSent),
    (Line("RCPT"), Close, Stage::Rcpt, ConnectionLost, NotSent),
    (Line("RCPT"), Answer(GARBAGE), Stage::Rcpt, ProtocolError, NotSent),
    (Line("DATA"), Hang, Stage::Data, Timeout, NotSent),
    (Line("DATA"), Close, Stage::Data, ConnectionLost, NotSent),
    (Line("DATA"), Answer(GARBAGE), Stage::Data, ProtocolError, NotSent),
    // An answer before the question is none.
    (Line("DATA"), Inject("250 2.0.0 queued already\r\n"), Stage::Data, ProtocolError, NotSent),
    // In the middle of the body.
    (Line("Subject:"), Hang, Stage::Body, Timeout, Ambiguous),
    (Line("Subject:"), Close, Stage::Body, ConnectionLost, Ambiguous),
    (Line("Subject:"), LastWords("554 5.7.1 looks like spam\r\n"), Stage::Body, ServerRefused, NotSent),
    // After it.
    (Line("."), Hang, Stage::Body, Timeout, Ambiguous),
    (Line("."), Close, Stage::Body, ConnectionLost, Ambiguous),
    (Line("."), Lose, Stage::Body, ConnectionLost, Ambiguous),
    (Line("."), Answer(GARBAGE), Stage::Body, ProtocolError, Ambiguous),
    (Line("."), LastWords("250-2.0.0 half an\r\n"), Stage::Body, ConnectionLost, Ambiguous),
];

#[rustfmt::skip]
const IMAP: &[Case] = &[
    (Greeting, Hang, Stage::Greeting, Timeout, NotSent),
    (Greeting, Close, Stage::Greeting, ConnectionLost, NotSent),
    (Greeting, Answer(GARBAGE), Stage::Greeting, ProtocolError, NotSent),
    (Greeting, LastWords("* BYE [UNAVAILABLE] down for repairs\r\n"), Stage::Greeting, ServerUnavailable, NotSent),
    (Greeting, Answer("* PREAUTH welcome\r\n"), Stage::Greeting, StarttlsInjected, NotSent),
    (Line("STARTTLS"), Hang, Stage::Starttls, Timeout, NotSent),
    (Line("STARTTLS"), Answer("{tag} BAD unknown command\r\n"), Stage::Starttls, StarttlsUnsupported, NotSent),
    (Line("STARTTLS"), FallSilent("{tag} OK go\r\n"), Stage::Tls, Timeout, NotSent),
    (Line("STARTTLS"), Inject("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"), Stage::Starttls, StarttlsInjected, NotSent),
    (Line("CAPABILITY"), Hang, Stage::Capability, Timeout, NotSent),
    (Line("AUTHENTICATE"), Hang, Stage::Auth, Timeout, NotSent),
    (Line("AUTHENTICATE"), Close, Stage::Auth, ConnectionLost, NotSent),
    (Line("AUTHENTICATE"), Answer(GARBAGE), Stage::Auth, ProtocolError, NotSent),
    (Line("LIST"), Hang, Stage::List, Timeout, NotSent),
    (Line("LIST"), Answer("* LIST (\\HasNoChildren \"/\" INBOX\r\n"), Stage::List, ProtocolError, NotSent),
    (Line("SELECT"), Hang, Stage::Select, Timeout, NotSent),
    (Line("SELECT"), Close, Stage::Select, ConnectionLost, NotSent),
    (Line("UID"), Hang, Stage::Fetch, Timeout, NotSent),
    (Line("UID"), Close, Stage::Fetch, ConnectionLost, NotSent),
    (Line("UID"), Answer("* 1 FETCH (UID 1 BODY[] {99999999}\r\n"), Stage::Fetch, Timeout, NotSent),
    (Line("UID"), LastWords("* BYE Server shutting down.\r\n"), Stage::Fetch, ServerRefused, NotSent),
    (Line("IDLE"), Hang, Stage::Idle, Timeout, NotSent),
    (Line("IDLE"), Close, Stage::Idle, ConnectionLost, NotSent),
    (Line("IDLE"), Answer("{tag} BAD not today\r\n"), Stage::Idle, ServerRefused, NotSent),
    (Line("APPEND"), Hang, Stage::Append, Timeout, NotSent),
    (Line("APPEND"), Answer("{tag} NO [OVERQUOTA] full\r\n"), Stage::Append, RateLimited, NotSent),
];

/// All that a dialogue may take: a few steps, each within its limit.
const WITHIN: Duration = TIMEOUTS.transfer.saturating_mul(3);

/// Runs `dialogue` with each harm, all at the same time, each behind a proxy of its own.
async fn check<F>(cases: &[Case], front: Front, dialogue: impl Fn(Dialer, Endpoint) -> F)
where
    F: Future<Output = Result<(), Error>>,
{
    let office = Office::new().await;
    let one = async |&(at, harm, stage, code, fate): &Case| {
        let proxy = Proxy::start(front, &office.servers.ca_file).await.unwrap();
        proxy.harm(at, harm);
        let endpoint = Endpoint {
            host: proxy::HOST.into(),
            port: proxy.port,
            security: Security::Starttls,
            pinned: None,
        };
        let dialogue = dialogue(office.dialer(&["127.0.0.0/8"]), endpoint);
        let error = match tokio::time::timeout(WITHIN, dialogue).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => panic!("{at:?} {harm:?} does no harm"),
            Err(_) => panic!("{at:?} {harm:?} takes longer than {WITHIN:?}"),
        };
        // MAIL, RCPT and DATA come together (RFC 2920): harm at one may overtake the answers to those
        // before it.
        let before = match at {
            Line("RCPT") => &[Stage::Mail][..],
            Line("DATA") => &[Stage::Mail, Stage::Rcpt],
            _ => &[],
        };
        let together = before.contains(&error.stage);
        let found_at = if together { stage } else { error.stage };
        let found = (found_at, error.code(), error.fate());
        assert_eq!(found, (stage, code, fate), "{at:?} {harm:?}: {error}");
        assert_eq!(proxy.struck(), 1, "{at:?} {harm:?}");
    };
    futures::future::join_all(cases.iter().map(one)).await;
}

fn secret(user: &str) -> Credentials {
    Credentials::Password {
        user: user.to_owned(),
        password: "secret".into(),
    }
}

// SAFE-3, MB-2: each step of sending.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_smtp_server_is_found_out_at_each_step() {
    let servers = servers::mail().unwrap();
    let office = Office::new().await;
    let [ada] = office.accounts(["ada"]);
    let front = Front::starttls(servers.ports.submission);
    check(SMTP, front, async |dialer, endpoint| {
        let login = secret(&ada);
        let mut session = smtp::Session::connect(&dialer, &endpoint, Some(&login)).await?;
        let envelope = smtp::Envelope {
            from: ada.clone(),
            to: ada.clone(),
        };
        session.begin(&envelope).await?;
        session
            .body(b"From: a@b.test\r\nSubject: x\r\n\r\nhi\r\n")
            .await?;
        Ok(())
    })
    .await;
    // Of all these only the one whose answer was lost lies there: that is why it is ambiguous.
    assert!(servers::wait_until(TIMEOUTS.transfer * 4, || {
        office.count(&ada, "INBOX", "x") == 1
    }));
}

// MB-2, MB-3: each step of reading.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_imap_server_is_found_out_at_each_step() {
    let servers = servers::mail().unwrap();
    let office = Office::new().await;
    let [ada] = office.accounts(["ada"]);
    let front = Front::starttls(servers.ports.imap);
    check(IMAP, front, async |dialer, endpoint| {
        let login = secret(&ada);
        let mut session = imap::Session::connect(&dialer, &endpoint, &login).await?;
        session.folders().await?;
        session.select("INBOX").await?;
        session.list_from(1, 10).await?;
        session.idle(Duration::from_millis(50)).await?;
        session
            .append("Sent", b"Subject: x\r\n\r\nhi\r\n", &[])
            .await
    })
    .await;
}
