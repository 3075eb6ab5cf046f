//! MB-2: each kind of bad certificate has its code, and a pinned one is accepted.

use overture_mail::{Cause, Code, Endpoint, Security, smtp::Session};

use crate::fake::{Server, dialer, endpoint, script};

async fn serve(server: Server, certificate: &'static str) {
    let Some(mut server) = server.secure(certificate).await else {
        return;
    };
    server.say("220 x\r\n").await;
    server.turn("EHLO", "250 x\r\n").await;
    server.hang().await;
}

#[tokio::test]
async fn bad_certificates_are_told_apart() {
    for (certificate, code) in [
        ("expired.pem", Code::TlsExpired),
        ("other-name.pem", Code::TlsHostnameMismatch),
        ("unknown-issuer.pem", Code::TlsUntrustedIssuer),
        ("self-signed.pem", Code::TlsSelfSigned),
    ] {
        let serve = move || script(move |server| serve(server, certificate));
        let dialer = dialer(vec![serve(), serve(), serve()]);
        let plain = endpoint(Security::Implicit);
        let error = Session::connect(&dialer, &plain, None).await.err().unwrap();
        assert_eq!(error.code(), code, "{certificate}: {error}");
        let Cause::Certificate { fingerprint, .. } = error.cause else {
            panic!("{error}")
        };

        let pinned = Endpoint {
            pinned: Some(fingerprint),
            ..plain.clone()
        };
        Session::connect(&dialer, &pinned, None).await.unwrap();

        let other = "00".repeat(32).parse().unwrap();
        let pinned = Endpoint {
            pinned: Some(other),
            ..plain
        };
        let error = Session::connect(&dialer, &pinned, None)
            .await
            .err()
            .unwrap();
        assert_eq!(error.code(), code, "another pin: {certificate}: {error}");
    }
}

#[tokio::test]
async fn the_extra_ca_is_trusted_and_the_name_checked() {
    let dialer = dialer(vec![script(|server| serve(server, "good.pem"))]);
    Session::connect(&dialer, &endpoint(Security::Implicit), None)
        .await
        .unwrap();
}

// MB-2: the mode is right, so nobody is told to change it.
#[tokio::test]
async fn a_server_that_agrees_to_tls_and_speaks_none_is_no_wrong_mode() {
    let dialer = dialer(vec![script(|mut server| async move {
        server.say("220 x\r\n").await;
        server.turn("EHLO", "250-x\r\n250 STARTTLS\r\n").await;
        server.turn("STARTTLS", "220 go\r\n").await;
        server.hear_bytes(20).await;
        server.say("500 5.5.2 what?\r\n").await;
        server.hang().await;
    })]);
    let ended = Session::connect(&dialer, &endpoint(Security::Starttls), None).await;
    let error = ended.err().unwrap();
    assert_eq!(error.code(), Code::TlsFailed, "{error}");
}
