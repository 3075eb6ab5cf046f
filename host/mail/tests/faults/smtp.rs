//! SAFE-3: whatever breaks is told apart, before the body and after it.

use overture_mail::{
    Cause, Code, Credentials, Error, Fate, Security, Stage, check,
    smtp::{Envelope, ReplyClass, Session},
};

use crate::fake::{Server, dialer, endpoint, password, script};

const MAIL: &[u8] = b"Subject: x\r\n\r\nHi\r\n.hidden\r\n";

fn envelope() -> Envelope {
    Envelope {
        from: "ada@sender.test".into(),
        to: "p1@d1.test".into(),
    }
}

async fn greet(server: &mut Server) {
    server.say("220 server.test ESMTP\r\n").await;
    server
        .turn("EHLO ", "250-server.test\r\n250 SIZE 1000000\r\n")
        .await;
}

async fn up_to_354(server: &mut Server) {
    greet(server).await;
    server
        .turn("MAIL FROM:<ada@sender.test>", "250 2.1.0 Ok\r\n")
        .await;
    server
        .turn("RCPT TO:<p1@d1.test>", "250 2.1.5 Ok\r\n")
        .await;
    server
        .turn("DATA", "354 End data with <CR><LF>.<CR><LF>\r\n")
        .await;
}

/// Sends one mail to a scripted server.
async fn send<F>(run: impl FnOnce(Server) -> F + Send + 'static) -> Result<String, Error>
where
    F: Future<Output = ()> + Send + 'static,
{
    let dialer = dialer(vec![script(run)]);
    let mut session = Session::connect(&dialer, &endpoint(Security::Plain), None).await?;
    session.begin(&envelope()).await?;
    session.body(MAIL).await.map(|reply| reply.to_string())
}

fn check_error(error: &Error, stage: Stage, fate: Fate, code: Code) {
    assert_eq!(
        (error.stage, error.fate(), error.code()),
        (stage, fate, code),
        "{error}"
    );
}

#[tokio::test]
async fn a_mail_goes_out_and_the_session_takes_the_next() {
    let dialer = dialer(vec![script(|mut server| async move {
        up_to_354(&mut server).await;
        let body = server.hear_body().await;
        assert_eq!(body, ["Subject: x", "", "Hi", "..hidden"]);
        server.say("250 2.0.0 Ok: queued as 1\r\n").await;
        server.turn("MAIL", "250 Ok\r\n").await;
        server.turn("RCPT", "550 5.1.1 no such user\r\n").await;
        server.turn("RSET", "250 Ok\r\n").await;
        server.turn("MAIL", "250 Ok\r\n").await;
        server.turn("RCPT", "250 Ok\r\n").await;
        server.turn("DATA", "354 go\r\n").await;
        server.hear_body().await;
        server.say("250 Ok: queued as 2\r\n").await;
        server.turn("QUIT", "221 Bye\r\n").await;
    })]);
    let mut session = Session::connect(&dialer, &endpoint(Security::Plain), None)
        .await
        .unwrap();
    assert_eq!(session.offers().size, Some(1_000_000));
    session.begin(&envelope()).await.unwrap();
    assert!(
        session
            .body(MAIL)
            .await
            .unwrap()
            .text()
            .contains("queued as 1")
    );
    let refused = session.begin(&envelope()).await.unwrap_err();
    check_error(&refused, Stage::Rcpt, Fate::NotSent, Code::MailboxNotFound);
    assert_eq!(refused.class(), Some(ReplyClass::Hard));
    assert!(session.is_usable());
    session.begin(&envelope()).await.unwrap();
    assert!(
        session
            .body(MAIL)
            .await
            .unwrap()
            .text()
            .contains("queued as 2")
    );
    session.quit().await;
}

// RFC 2920: one round trip for both, and each answer is told apart (SAFE-3).
#[tokio::test]
async fn an_envelope_goes_at_once_where_the_server_offers_it() {
    let dialer = dialer(vec![script(|mut server| async move {
        server.say("220 server.test ESMTP\r\n").await;
        let offers = "250-server.test\r\n250 PIPELINING\r\n";
        server.turn("EHLO ", offers).await;
        for (mail, rcpt) in [
            ("250 Ok", "250 Ok"),
            ("250 Ok", "550 5.1.1 no such user"),
            ("550 5.7.1 not you", "503 5.5.1 need MAIL"),
            ("421 4.3.2 closing", ""),
        ] {
            assert!(server.hear().await.starts_with("MAIL"));
            assert!(server.hear().await.starts_with("RCPT"));
            server.say(&format!("{mail}\r\n")).await;
            if !rcpt.is_empty() {
                server.say(&format!("{rcpt}\r\n")).await;
                server.turn("RSET", "250 Ok\r\n").await;
            }
        }
    })]);
    let mut session = Session::connect(&dialer, &endpoint(Security::Plain), None)
        .await
        .unwrap();
    session.envelope(&envelope()).await.unwrap();
    let error = session.envelope(&envelope()).await.unwrap_err();
    check_error(&error, Stage::Rcpt, Fate::NotSent, Code::MailboxNotFound);
    let error = session.envelope(&envelope()).await.unwrap_err();
    assert_eq!((error.stage, error.fate()), (Stage::Mail, Fate::NotSent));
    assert!(session.is_usable());
    let error = session.envelope(&envelope()).await.unwrap_err();
    assert_eq!((error.stage, error.fate()), (Stage::Mail, Fate::NotSent));
    assert!(!session.is_usable());
}

// RFC 2920: one round trip up to the 354. A server that waits for the body of a mail that it has
// refused waits in vain (SAFE-3).
#[tokio::test]
async fn a_mail_begins_at_once_where_the_server_offers_it() {
    let check = async |replies: [&'static str; 3], stage: Option<Stage>, usable: bool| {
        let dialer = dialer(vec![script(move |mut server| async move {
            server.say("220 server.test ESMTP\r\n").await;
            let offers = "250-server.test\r\n250 PIPELINING\r\n";
            server.turn("EHLO ", offers).await;
            for command in ["MAIL", "RCPT", "DATA"] {
                assert!(server.hear().await.starts_with(command));
            }
            server.say(&replies.concat()).await;
            server.hang().await;
        })]);
        let mut session = Session::connect(&dialer, &endpoint(Security::Plain), None)
            .await
            .unwrap();
        let begun = session.begin(&envelope()).await;
        let failed = begun.as_ref().err().map(|error| error.stage);
        assert_eq!(failed, stage, "{replies:?}");
        let fates = begun.err().map(|error| error.fate());
        assert!(fates.is_none_or(|fate| fate == Fate::NotSent));
        assert_eq!(session.is_usable(), usable, "{replies:?}");
    };
    let ok = "250 Ok\r\n";
    // Now it waits for the body, and for nothing else.
    check([ok, ok, "354 go\r\n"], None, false).await;
    check([ok, ok, "451 4.3.0 later\r\n"], Some(Stage::Data), true).await;
    check([ok, ok, "421 4.3.2 closing\r\n"], Some(Stage::Data), false).await;
    let unknown = "550 5.1.1 no such user\r\n";
    let nobody = "554 5.5.1 no valid recipients\r\n";
    check([ok, unknown, nobody], Some(Stage::Rcpt), true).await;
    check([ok, unknown, "354 go\r\n"], Some(Stage::Rcpt), false).await;
    let refused = "550 5.7.1 not you\r\n";
    check([refused, nobody, nobody], Some(Stage::Mail), true).await;
    // An answer too many came first, and so each belongs to the question before.
    let late = "250 2.1.5 Ok\r\n354 go\r\n";
    check([ok, ok, late], Some(Stage::Data), false).await;
}

// SAFE-3: before the body, nothing was sent
#[tokio::test]
async fn what_breaks_before_the_body_is_not_sent() {
    let error = send(Server::hang).await.unwrap_err();
    check_error(&error, Stage::Greeting, Fate::NotSent, Code::Timeout);

    let error = send(|server| async move { drop(server) })
        .await
        .unwrap_err();
    check_error(&error, Stage::Greeting, Fate::NotSent, Code::ConnectionLost);

    let error = send(|mut server| async move {
        server
            .say("421 4.7.0 too many connections from you\r\n")
            .await;
    });
    check_error(
        &error.await.unwrap_err(),
        Stage::Greeting,
        Fate::NotSent,
        Code::RateLimited,
    );

    let error = send(|mut server| async move { server.say("SSH-2.0-x\r\n").await });
    check_error(
        &error.await.unwrap_err(),
        Stage::Greeting,
        Fate::NotSent,
        Code::ProtocolError,
    );

    let error = send(|mut server| async move {
        for _ in 0..200 {
            server.say(&"x".repeat(1000)).await;
        }
    });
    check_error(
        &error.await.unwrap_err(),
        Stage::Greeting,
        Fate::NotSent,
        Code::ProtocolError,
    );

    let error = send(|mut server| async move {
        server.say("220 x\r\n").await;
        server.hear().await;
        for _ in 0..10_000 {
            server.say("250-more\r\n").await;
        }
    });
    check_error(
        &error.await.unwrap_err(),
        Stage::Capability,
        Fate::NotSent,
        Code::ProtocolError,
    );

    for (stage, steps) in [(Stage::Mail, 0), (Stage::Rcpt, 1), (Stage::Data, 2)] {
        let error = send(move |mut server| async move {
            greet(&mut server).await;
            for _ in 0..steps {
                server.hear().await;
                server.say("250 Ok\r\n").await;
            }
            server.hear().await;
            server.hang().await;
        });
        check_error(
            &error.await.unwrap_err(),
            stage,
            Fate::NotSent,
            Code::Timeout,
        );

        let error = send(move |mut server| async move {
            greet(&mut server).await;
            for _ in 0..steps {
                server.hear().await;
                server.say("250 Ok\r\n").await;
            }
            server.hear().await;
        });
        check_error(
            &error.await.unwrap_err(),
            stage,
            Fate::NotSent,
            Code::ConnectionLost,
        );
    }
}

// SAFE-3: an answer is an answer
#[tokio::test]
async fn a_refused_body_is_not_sent() {
    let error = send(|mut server| async move {
        up_to_354(&mut server).await;
        server.hear_body().await;
        server.say("554 5.7.1 looks like spam\r\n").await;
        server.hang().await;
    })
    .await
    .unwrap_err();
    check_error(&error, Stage::Body, Fate::NotSent, Code::ServerRefused);
    assert_eq!(error.class(), Some(ReplyClass::Policy));
    assert_eq!(error.words().as_deref(), Some("554 5.7.1 looks like spam"));

    let error = send(|mut server| async move {
        up_to_354(&mut server).await;
        server.hear_body().await;
        server.say("421 4.3.0 shutting down\r\n").await;
    });
    check_error(
        &error.await.unwrap_err(),
        Stage::Body,
        Fate::NotSent,
        Code::ServerUnavailable,
    );
}

// SAFE-3: after the body without an answer, nobody knows
#[tokio::test]
async fn a_body_without_an_answer_is_ambiguous() {
    let error = send(|mut server| async move {
        up_to_354(&mut server).await;
        server.hear_body().await;
        server.hang().await;
    });
    check_error(
        &error.await.unwrap_err(),
        Stage::Body,
        Fate::Ambiguous,
        Code::Timeout,
    );

    let error = send(|mut server| async move {
        up_to_354(&mut server).await;
        server.hear_body().await;
    });
    check_error(
        &error.await.unwrap_err(),
        Stage::Body,
        Fate::Ambiguous,
        Code::ConnectionLost,
    );

    // Hangs up in the middle of DATA
    let error = send(|mut server| async move {
        up_to_354(&mut server).await;
        server.hear().await;
    });
    check_error(
        &error.await.unwrap_err(),
        Stage::Body,
        Fate::Ambiguous,
        Code::ConnectionLost,
    );

    for answer in ["250", "250-half\r\n", "hello?\r\n", "354 go on\r\n", "\r\n"] {
        let error = send(move |mut server| async move {
            up_to_354(&mut server).await;
            server.hear_body().await;
            server.say(answer).await;
        });
        let error = error.await.unwrap_err();
        assert_eq!(
            (error.stage, error.fate()),
            (Stage::Body, Fate::Ambiguous),
            "{answer:?}"
        );
    }
}

// SAFE-3: an answer that came before the question says nothing about the body
#[tokio::test]
async fn an_answer_in_advance_is_not_believed() {
    let dialer = dialer(vec![script(|mut server| async move {
        greet(&mut server).await;
        server.turn("MAIL", "250 Ok\r\n").await;
        server.turn("RCPT", "250 Ok\r\n").await;
        server
            .turn("DATA", "354 go\r\n250 queued already\r\n")
            .await;
        server.hang().await;
    })]);
    let mut session = Session::connect(&dialer, &endpoint(Security::Plain), None)
        .await
        .unwrap();
    session.begin(&envelope()).await.unwrap();
    let error = session.body(MAIL).await.unwrap_err();
    check_error(&error, Stage::Data, Fate::NotSent, Code::ProtocolError);
    assert!(!session.is_usable());
}

// SAFE-3: who drops the future half-way cannot go on with the session
#[tokio::test]
async fn a_dropped_step_ends_the_session() {
    let dialer = dialer(vec![script(|mut server| async move {
        greet(&mut server).await;
        server.hang().await;
    })]);
    let mut session = Session::connect(&dialer, &endpoint(Security::Plain), None)
        .await
        .unwrap();
    let envelope = envelope();
    let step = session.begin(&envelope);
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(20), step)
            .await
            .is_err()
    );
    assert!(!session.is_usable());
    let error = session.begin(&envelope).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Closed), "{error}");
}

#[tokio::test]
async fn addresses_cannot_add_commands() {
    let dialer = dialer(vec![script(|mut server| async move {
        greet(&mut server).await;
        server.hang().await;
    })]);
    let mut session = Session::connect(&dialer, &endpoint(Security::Plain), None)
        .await
        .unwrap();
    for to in [
        "x@y.test>\r\nRCPT TO:<z@y.test",
        "x y@z.test",
        "zoë@d1.test",
    ] {
        let envelope = Envelope {
            to: to.into(),
            ..envelope()
        };
        let error = session.begin(&envelope).await.unwrap_err();
        check_error(&error, Stage::Mail, Fate::NotSent, Code::InvalidInput);
    }
    assert!(session.is_usable());
}

// OPS-8, MB-2
#[tokio::test]
async fn a_password_never_leaves_without_tls() {
    let plain = dialer(vec![]);
    let error = Session::connect(&plain, &endpoint(Security::Plain), Some(&password()))
        .await
        .err()
        .unwrap();
    check_error(&error, Stage::Auth, Fate::NotSent, Code::InvalidInput);

    let stripped = dialer(vec![script(|mut server| async move {
        greet(&mut server).await;
        assert_eq!(server.hear().await, "", "nothing more may come");
    })]);
    let error = Session::connect(&stripped, &endpoint(Security::Starttls), Some(&password()))
        .await
        .err()
        .unwrap();
    check_error(
        &error,
        Stage::Starttls,
        Fate::NotSent,
        Code::StarttlsUnsupported,
    );
}

// RFC 3207 §6
#[tokio::test]
async fn text_injected_before_tls_is_refused() {
    let dialer = dialer(vec![script(|mut server| async move {
        server.say("220 x\r\n").await;
        server.turn("EHLO", "250-x\r\n250 STARTTLS\r\n").await;
        server
            .turn("STARTTLS", "220 go\r\n250-x\r\n250 AUTH PLAIN\r\n")
            .await;
        server.hang().await;
    })]);
    let error = Session::connect(&dialer, &endpoint(Security::Starttls), Some(&password()))
        .await
        .err()
        .unwrap();
    check_error(
        &error,
        Stage::Starttls,
        Fate::NotSent,
        Code::StarttlsInjected,
    );
}

async fn secured(server: Server, offer: &str) -> Server {
    let mut server = server
        .secure("good.pem")
        .await
        .expect("the client trusts the test CA");
    server.say("220 x\r\n").await;
    server
        .turn("EHLO", &format!("250-x\r\n250 AUTH {offer}\r\n"))
        .await;
    server
}

#[tokio::test]
async fn every_way_of_signing_in() {
    let plain = script(|server| async move {
        let mut server = secured(server, "PLAIN LOGIN XOAUTH2").await;
        server
            .turn(
                "AUTH PLAIN AGFkYUBzZW5kZXIudGVzdABzZWNyZXQ=",
                "235 2.7.0 Ok\r\n",
            )
            .await;
        server.hang().await;
    });
    let login = script(|server| async move {
        let mut server = secured(server, "LOGIN").await;
        server.turn("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n").await;
        server
            .turn("YWRhQHNlbmRlci50ZXN0", "334 UGFzc3dvcmQ6\r\n")
            .await;
        server.turn("c2VjcmV0", "235 2.7.0 Ok\r\n").await;
        server.hang().await;
    });
    let oauth = script(|server| async move {
        let mut server = secured(server, "PLAIN XOAUTH2").await;
        server
            .turn(
                "AUTH XOAUTH2 dXNlcj1hZGFAc2VuZGVyLnRlc3QBYXV0aD1CZWFyZXIgdG9rAQE=",
                "235 Ok\r\n",
            )
            .await;
        server.hang().await;
    });
    let refused = script(|server| async move {
        let mut server = secured(server, "XOAUTH2").await;
        server
            .turn("AUTH XOAUTH2 ", "334 eyJzdGF0dXMiOiI0MDEifQ==\r\n")
            .await;
        assert_eq!(server.hear().await, "");
        server
            .say("535 5.7.8 Username and Password not accepted\r\n")
            .await;
        server.hang().await;
    });
    let nothing = script(|server| async move {
        secured(server, "GSSAPI").await.hang().await;
    });
    let dialer = dialer(vec![plain, login, oauth, refused, nothing]);
    let token = Credentials::OAuth {
        user: "ada@sender.test".into(),
        token: "tok".into(),
    };
    let endpoint = endpoint(Security::Implicit);
    for credentials in [&password(), &password(), &token] {
        Session::connect(&dialer, &endpoint, Some(credentials))
            .await
            .unwrap();
    }
    let error = Session::connect(&dialer, &endpoint, Some(&token))
        .await
        .err()
        .unwrap();
    check_error(&error, Stage::Auth, Fate::NotSent, Code::AuthInvalid);
    assert!(
        error.words().unwrap().contains(r#"{"status":"401"}"#),
        "{error}"
    );
    let error = Session::connect(&dialer, &endpoint, Some(&password()))
        .await
        .err()
        .unwrap();
    check_error(&error, Stage::Auth, Fate::NotSent, Code::AuthUnsupported);
}

// MB-2: "465 is implicit TLS, 587 is STARTTLS", found out both ways
#[tokio::test]
async fn the_wrong_tls_mode_is_found_out() {
    let starttls_port = dialer(vec![script(|mut server| async move {
        server.say("220 x ESMTP\r\n").await;
        server.hang().await;
    })]);
    let problem = check::smtp(
        &starttls_port,
        &endpoint(Security::Implicit),
        &password(),
        "ada@sender.test",
    )
    .await
    .unwrap_err();
    assert_eq!(
        (problem.stage, problem.code),
        (Stage::Tls, Code::TlsWrongMode)
    );
    assert!(problem.fix.contains("587"), "{}", problem.fix);

    let tls_port = dialer(vec![
        script(Server::hang),
        script(|server| async move {
            server.secure("good.pem").await;
        }),
    ]);
    let problem = check::smtp(
        &tls_port,
        &endpoint(Security::Starttls),
        &password(),
        "ada@sender.test",
    )
    .await
    .unwrap_err();
    assert_eq!(
        (problem.stage, problem.code),
        (Stage::Greeting, Code::TlsWrongMode)
    );

    // A server that is only slow is not accused of it.
    let dead = dialer(vec![script(Server::hang), script(Server::hang)]);
    let limits = overture_mail::Timeouts {
        connect: std::time::Duration::from_millis(100),
        ..dead.timeouts
    };
    let dead = overture_mail::Dialer {
        timeouts: limits,
        ..dead
    };
    let problem = check::smtp(
        &dead,
        &endpoint(Security::Starttls),
        &password(),
        "ada@sender.test",
    )
    .await
    .unwrap_err();
    assert_eq!(problem.code, Code::Timeout);
}
