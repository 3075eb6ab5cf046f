//! IMAP servers that misbehave, and those without the newer extensions.

use std::time::Duration;

use overture_mail::{
    Code, Credentials, Error, Security, Stage,
    imap::{FetchLimits, Flag, Idle, Session},
};

use crate::fake::{Server, dialer, endpoint, password, script};

/// Greets over TLS, signs in by LOGIN with literals, offers `capabilities`.
async fn signed_in(server: Server, capabilities: &str) -> Server {
    let mut server = server
        .secure("good.pem")
        .await
        .expect("the client trusts the test CA");
    server.say("* OK ready\r\n").await;
    let offer = format!("* CAPABILITY IMAP4rev1 {capabilities}\r\n");
    server
        .turn("A1 CAPABILITY", &format!("{offer}A1 OK\r\n"))
        .await;
    server.turn("A2 LOGIN {15}", "+ go\r\n").await;
    assert_eq!(server.hear_bytes(15).await, b"ada@sender.test");
    server.turn(" {6}", "+ go\r\n").await;
    assert_eq!(server.hear_bytes(6).await, b"secret");
    server.turn("", "A2 OK Logged in\r\n").await;
    server
        .turn("A3 CAPABILITY", &format!("{offer}A3 OK\r\n"))
        .await;
    server
}

async fn connect<F>(run: impl FnOnce(Server) -> F + Send + 'static) -> Result<Session, Error>
where
    F: Future<Output = ()> + Send + 'static,
{
    let dialer = dialer(vec![script(run)]);
    Session::connect(&dialer, &endpoint(Security::Implicit), &password()).await
}

/// A session of which everything after sign-in is `run`.
async fn session<F>(
    capabilities: &'static str,
    run: impl FnOnce(Server) -> F + Send + 'static,
) -> Session
where
    F: Future<Output = ()> + Send + 'static,
{
    connect(move |server| async move {
        let server = signed_in(server, capabilities).await;
        run(server).await;
    })
    .await
    .unwrap()
}

// MB-2
#[tokio::test]
async fn refusals_of_sign_in_have_their_codes() {
    for (answer, code) in [
        (
            "NO [AUTHENTICATIONFAILED] Authentication failed.",
            Code::AuthInvalid,
        ),
        (
            "NO [ALERT] Application-specific password required",
            Code::AuthAppPasswordRequired,
        ),
        (
            "NO Your account is not enabled for IMAP use.",
            Code::ImapDisabled,
        ),
        (
            "NO [LIMIT] Too many simultaneous connections.",
            Code::RateLimited,
        ),
    ] {
        let error = connect(move |server| async move {
            let mut server = server.secure("good.pem").await.unwrap();
            server.say("* OK ready\r\n").await;
            server
                .turn("A1", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA1 OK\r\n")
                .await;
            server.turn("A2 AUTHENTICATE PLAIN", "+ \r\n").await;
            server
                .turn(
                    "AGFkYUBzZW5kZXIudGVzdABzZWNyZXQ=",
                    &format!("A2 {answer}\r\n"),
                )
                .await;
            server.hang().await;
        });
        let error = error.await.err().unwrap();
        assert_eq!((error.stage, error.code()), (Stage::Auth, code), "{error}");
        assert_eq!(error.words().as_deref(), Some(answer));
    }
}

#[tokio::test]
async fn a_refused_token_says_why() {
    let dialer = dialer(vec![script(|server| async move {
        let mut server = server.secure("good.pem").await.unwrap();
        server.say("* OK ready\r\n").await;
        server
            .turn("A1", "* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\nA1 OK\r\n")
            .await;
        server.turn("A2 AUTHENTICATE XOAUTH2", "+ \r\n").await;
        server
            .turn(
                "dXNlcj1hZGFAc2VuZGVyLnRlc3QBYXV0aD1CZWFyZXIgdG9rAQE=",
                "+ eyJ9\r\n",
            )
            .await;
        server
            .turn("", "A2 NO [AUTHENTICATIONFAILED] expired\r\n")
            .await;
        server.hang().await;
    })]);
    let token = Credentials::OAuth {
        user: "ada@sender.test".into(),
        token: "tok".into(),
    };
    let error = Session::connect(&dialer, &endpoint(Security::Implicit), &token)
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), Code::AuthInvalid, "{error}");
}

#[tokio::test]
async fn bad_greetings_are_errors() {
    for (greeting, code) in [
        ("* BYE Too many connections\r\n", Code::RateLimited),
        ("220 this is SMTP\r\n", Code::ProtocolError),
        ("* PREAUTH already in\r\n", Code::ProtocolError),
        ("", Code::ConnectionLost),
    ] {
        let error = connect(move |server| async move {
            let mut server = server.secure("good.pem").await.unwrap();
            server.say(greeting).await;
        });
        let error = error.await.err().unwrap();
        assert_eq!(
            (error.stage, error.code()),
            (Stage::Greeting, code),
            "{greeting:?}: {error}"
        );
    }
    let error =
        connect(|server| async move { server.secure("good.pem").await.unwrap().hang().await });
    assert_eq!(error.await.err().unwrap().code(), Code::Timeout);
}

// RFC 9051 §11.1
#[tokio::test]
async fn starttls_cannot_be_tricked() {
    for (greeting, answer, code) in [
        ("* PREAUTH already in\r\n", "", Code::StarttlsInjected),
        (
            "* OK x\r\n",
            "A1 OK go\r\n* CAPABILITY IMAP4rev1\r\n",
            Code::StarttlsInjected,
        ),
        (
            "* OK x\r\n",
            "A1 BAD unknown command\r\n",
            Code::StarttlsUnsupported,
        ),
    ] {
        let dialer = dialer(vec![script(move |mut server| async move {
            server.say(greeting).await;
            if !answer.is_empty() {
                server.turn("A1 STARTTLS", answer).await;
            }
            assert_eq!(server.hear().await, "", "no password may follow");
        })]);
        let error = Session::connect(&dialer, &endpoint(Security::Starttls), &password())
            .await
            .err()
            .unwrap();
        assert_eq!(error.code(), code, "{greeting} {answer}: {error}");
    }
}

#[tokio::test]
async fn garbage_ends_the_session() {
    for garbage in [
        "* 1 FETCH (UID\r\n",
        "HTTP/1.1 200 OK\r\n",
        "A9 OK of another command\r\n",
        "+ go\r\n",
    ] {
        let mut session = session("", move |mut server| async move {
            server.hear().await;
            server.say(garbage).await;
            server.hang().await;
        })
        .await;
        let error = session.list_from(1, 10).await.unwrap_err();
        assert_eq!(
            (error.stage, error.code()),
            (Stage::Fetch, Code::ProtocolError),
            "{garbage}"
        );
        assert!(!session.is_usable());
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let mut session = session("", |mut server| async move {
        server.hear().await;
        server.say("* SEARCH").await;
        for _ in 0..3000 {
            server.say(&" 12345678".repeat(100)).await;
        }
    })
    .await;
    let error = session.search_message_id("a@b.test").await.unwrap_err();
    assert_eq!(error.code(), Code::ProtocolError, "{error}");
}

#[tokio::test]
async fn a_hanging_server_runs_into_the_limit() {
    let mut session = session("", |mut server| async move {
        server.hear().await;
        server.say("* 3 EXISTS\r\n").await;
        server.hang().await;
    })
    .await;
    let error = session.select("INBOX").await.unwrap_err();
    assert_eq!(
        (error.stage, error.code()),
        (Stage::Select, Code::Timeout),
        "{error}"
    );
    assert!(!session.is_usable());
}

#[tokio::test]
async fn a_refusal_leaves_the_session_usable() {
    let mut session = session("", |mut server| async move {
        server
            .turn(
                "A4 SELECT \"Nowhere\"",
                "A4 NO [NONEXISTENT] Unknown Mailbox\r\n",
            )
            .await;
        server
            .turn(
                "A5 SELECT \"INBOX\"",
                "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nA5 OK\r\n",
            )
            .await;
        server.hang().await;
    })
    .await;
    let error = session.select("Nowhere").await.unwrap_err();
    assert_eq!(error.code(), Code::MailboxNotFound);
    assert!(session.is_usable());
    // Old servers don't say UIDNEXT.
    let selected = session.select("INBOX").await.unwrap();
    assert_eq!((selected.uid_validity, selected.uid_next), (7, 1));
}

// MB-8: pages are bounded; news in between and vanished mails do no harm
#[tokio::test]
async fn a_page_is_bounded() {
    let mut session = session("", |mut server| async move {
        let head = "BODY[HEADER.FIELDS (MESSAGE-ID)] {2}\r\n\r\n";
        let listed: String = [(5, 10), (6, 10), (7, 5000), (8, 10), (9, 10)]
            .iter()
            .map(|(uid, size)| {
                format!("* {uid} FETCH (UID {uid} RFC822.SIZE {size} FLAGS (\\Seen) {head})\r\n")
            })
            .collect();
        server
            .turn(
                "A4 UID FETCH 5:*",
                &format!("* 9 EXISTS\r\n* 1 FETCH (FLAGS ())\r\n{listed}A4 OK\r\n"),
            )
            .await;
        server
            .turn(
                "A5 UID FETCH 5,6 (UID INTERNALDATE BODY.PEEK[])",
                "* 5 FETCH (UID 5 BODY[] {10}\r\n0123456789)\r\n* 1 EXPUNGE\r\nA5 OK\r\n",
            )
            .await;
        let cut = "x".repeat(100);
        server
            .turn(
                "A6 UID FETCH 7 (UID INTERNALDATE BODY.PEEK[]<0.100>)",
                &format!("* 6 FETCH (BODY[]<0> {{100}}\r\n{cut} UID 7)\r\nA6 OK\r\n"),
            )
            .await;
        server.hang().await;
    })
    .await;
    let limits = FetchLimits {
        mails: 3,
        bytes_each: 100,
        bytes_total: 1000,
    };
    let page = session.fetch_since(4, &limits).await.unwrap();
    let got: Vec<(u32, usize, bool)> = page
        .mails
        .iter()
        .map(|mail| (mail.uid, mail.bytes.len(), mail.is_cut()))
        .collect();
    assert_eq!(got, [(5, 10, false), (7, 100, true)]);
    assert_eq!((page.last_uid, page.more), (7, true));
}

#[tokio::test]
async fn a_mail_larger_than_announced_is_refused() {
    let mut session = session("", |mut server| async move {
        server
            .turn("A4", "* 1 FETCH (UID 1 RFC822.SIZE 10)\r\nA4 OK\r\n")
            .await;
        server.hear().await;
        server.say("* 1 FETCH (UID 1 BODY[] {4000000000}\r\n").await;
        for _ in 0..4000 {
            server.say(&"x".repeat(1024)).await;
        }
        server.hang().await;
    })
    .await;
    let limits = FetchLimits {
        mails: 3,
        bytes_each: 100,
        bytes_total: 1000,
    };
    let error = session.fetch_since(0, &limits).await.unwrap_err();
    assert_eq!(error.code(), Code::ProtocolError, "{error}");
}

#[tokio::test]
async fn moving_without_the_extension() {
    let mut session = session("UIDPLUS", |mut server| async move {
        server
            .turn("A4 UID COPY 3,4 \"Entw&APw-rfe\"", "A4 OK\r\n")
            .await;
        server
            .turn("A5 UID STORE 3,4 +FLAGS.SILENT (\\Deleted)", "A5 OK\r\n")
            .await;
        server
            .turn("A6 UID EXPUNGE 3,4", "* 3 EXPUNGE\r\nA6 OK\r\n")
            .await;
        server
            .turn(
                "A7 UID STORE 5 -FLAGS.SILENT (\\Seen \\Flagged)",
                "A7 OK\r\n",
            )
            .await;
        server.hang().await;
    })
    .await;
    session.move_to(&[3, 4], "Entwürfe").await.unwrap();
    session
        .set_flags(&[5], &[Flag::Seen, Flag::Flagged], false)
        .await
        .unwrap();
    session.move_to(&[], "x").await.unwrap();
}

#[tokio::test]
async fn names_cannot_add_commands() {
    let mut session = session("MOVE", |mut server| async move {
        assert_eq!(
            server.hear().await,
            "A4 UID SEARCH HEADER Message-ID \"<a\\\"b>\""
        );
        server.say("* SEARCH 9 2\r\nA4 OK\r\n").await;
        server.hang().await;
    })
    .await;
    let error = session
        .search_message_id("a\r\nA9 LOGOUT")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidInput);
    assert_eq!(session.search_message_id("<a\"b>").await.unwrap(), [2, 9]);
}

// MB-9
#[tokio::test]
async fn an_append_that_is_refused_leaves_the_session_usable() {
    let mut session = session("", |mut server| async move {
        server
            .turn(
                "A4 APPEND \"Sent\" (\\Seen) {9}",
                "A4 NO [OVERQUOTA] full\r\n",
            )
            .await;
        server.turn("A5 APPEND \"Sent\" () {9}", "+ go\r\n").await;
        assert_eq!(server.hear_bytes(9).await, b"X: y\r\n\r\nz");
        server.turn("", "A5 OK [APPENDUID 1 2] done\r\n").await;
        server.hang().await;
    })
    .await;
    let error = session
        .append("Sent", b"X: y\r\n\r\nz", &[Flag::Seen])
        .await
        .unwrap_err();
    assert_eq!(
        (error.stage, error.code()),
        (Stage::Append, Code::RateLimited)
    );
    session.append("Sent", b"X: y\r\n\r\nz", &[]).await.unwrap();
}

// MB-8
#[tokio::test]
async fn idle_tells_news_and_quiet() {
    let mut session = session("IDLE", |mut server| async move {
        server
            .turn("A4 IDLE", "+ idling\r\n* OK Still here\r\n* 4 EXISTS\r\n")
            .await;
        server.turn("DONE", "A4 OK\r\n").await;
        server.turn("A5 IDLE", "+ idling\r\n* 5 EX").await;
        // The rest comes only after the client's patience has ended.
        server.turn("DONE", "ISTS\r\nA5 OK\r\n").await;
        server.turn("A6 IDLE", "+ idling\r\n").await;
        server.turn("DONE", "A6 OK\r\n").await;
        server
            .turn("A7 IDLE", "+ idling\r\n* BYE shutting down\r\n")
            .await;
    })
    .await;
    assert_eq!(
        session.idle(Duration::from_secs(60)).await.unwrap(),
        Idle::Changed
    );
    assert_eq!(
        session.idle(Duration::from_millis(50)).await.unwrap(),
        Idle::Changed
    );
    assert_eq!(
        session.idle(Duration::from_millis(50)).await.unwrap(),
        Idle::Quiet
    );
    let error = session.idle(Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.stage, Stage::Idle);
    assert!(!session.is_usable());
}

#[tokio::test(start_paused = true)]
async fn idle_is_issued_again_in_time() {
    let mut session = session("IDLE", |mut server| async move {
        for tag in ["A4", "A5", "A6"] {
            server.turn(&format!("{tag} IDLE"), "+ idling\r\n").await;
            server.turn("DONE", &format!("{tag} OK\r\n")).await;
        }
        server.hang().await;
    })
    .await;
    // RFC 2177: before 29 minutes have passed
    assert_eq!(
        session.idle(Duration::from_secs(50 * 60)).await.unwrap(),
        Idle::Quiet
    );
}

#[tokio::test]
async fn without_idle_it_is_said() {
    let mut session = session("", Server::hang).await;
    assert!(!session.can_idle());
    assert_eq!(
        session
            .idle(Duration::from_secs(1))
            .await
            .unwrap_err()
            .stage,
        Stage::Idle
    );
    assert!(session.is_usable());
}
