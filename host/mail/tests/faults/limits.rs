//! Every step has a limit of its own (RFC 5321 §4.5.3.2).

use std::time::Duration;

use overture_mail::{
    Cause, Dialer, Fate, Security, Stage, Timeouts,
    smtp::{Envelope, Session},
};

use crate::fake::{Server, dialer, endpoint, script};

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(50);

/// A server that falls silent instead of its answer number `silent`: 0 is the greeting.
async fn falls_silent(mut server: Server, silent: usize) {
    let answers = [
        "220 server.test\r\n",
        "250 server.test\r\n",
        "250 Ok\r\n",
        "250 Ok\r\n",
        "354 go on\r\n",
    ];
    for (n, answer) in answers.iter().enumerate() {
        if n > 0 {
            server.hear().await;
        }
        if n == silent {
            return server.hang().await;
        }
        server.say(answer).await;
    }
    // Reads nothing of the body when it is to stall there.
    if silent == 5 {
        return std::future::pending().await;
    }
    server.hear_body().await;
    server.hang().await;
}

async fn check(silent: usize, limits: Timeouts, stage: Stage, fate: Fate) {
    let dialer = Dialer {
        timeouts: limits,
        ..dialer(vec![script(move |server| falls_silent(server, silent))])
    };
    let envelope = Envelope {
        from: "ada@sender.test".into(),
        to: "p1@d1.test".into(),
    };
    // More than fits between the two, so that writing stalls.
    let mail = vec![b'x'; 128 * 1024];
    let dialogue = async {
        let mut session = Session::connect(&dialer, &endpoint(Security::Plain), None).await?;
        session.begin(&envelope).await?;
        session.body(&mail).await
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), dialogue).await;
    let error = ended
        .unwrap_or_else(|_| panic!("{stage} is not under the limit that was shortened"))
        .unwrap_err();
    assert_eq!((error.stage, error.fate()), (stage, fate), "{error}");
    assert!(matches!(error.cause, Cause::Timeout(SHORT)), "{error}");
}

// SAF-3, SAFE-3
#[tokio::test]
async fn each_step_has_its_own_limit() {
    let long = Timeouts {
        connect: LONG,
        greeting: LONG,
        command: LONG,
        data: LONG,
        block: LONG,
        transfer: LONG,
    };
    let greeting = Timeouts {
        greeting: SHORT,
        ..long
    };
    let command = Timeouts {
        command: SHORT,
        ..long
    };
    let data = Timeouts {
        data: SHORT,
        ..long
    };
    let block = Timeouts {
        block: SHORT,
        ..long
    };
    let transfer = Timeouts {
        transfer: SHORT,
        ..long
    };
    check(0, greeting, Stage::Greeting, Fate::NotSent).await;
    check(1, command, Stage::Capability, Fate::NotSent).await;
    check(2, command, Stage::Mail, Fate::NotSent).await;
    check(3, command, Stage::Rcpt, Fate::NotSent).await;
    check(4, data, Stage::Data, Fate::NotSent).await;
    check(5, block, Stage::Body, Fate::Ambiguous).await;
    check(6, transfer, Stage::Body, Fate::Ambiguous).await;
}
