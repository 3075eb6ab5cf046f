//! *Test connection* at real servers.

use overture_domain::{
    accounts::{AccountStatus, TlsMode},
    people::Actor,
};
use overture_engine::{
    Error,
    mailboxes::{self, MailboxChange, NewMailbox},
};
use overture_testkit::servers::MailServers;

use crate::real::{mailbox, real, server};

// MB-2, MB-11
#[tokio::test(flavor = "multi_thread")]
async fn a_test_tells_what_is_wrong_at_the_servers() {
    let real = real().await;
    let (env, ws) = (real.world.env(), real.world.ws);
    let codes = |error: Error| {
        let details = error.details().to_vec();
        details
            .into_iter()
            .map(|d| (d.field, d.code, d.message))
            .collect::<Vec<_>>()
    };
    let check = async |change: fn(&mut NewMailbox, &MailServers), expected: &[(&str, &str)]| {
        let mut new = mailbox(real.servers, "bob@sender.test", "secret-bob");
        change(&mut new, real.servers);
        let error = mailboxes::connect(env, ws, new, &Actor::Cli)
            .await
            .unwrap_err();
        let found = codes(error);
        let short: Vec<_> = found.iter().map(|(f, c, _)| (&**f, &**c)).collect();
        assert_eq!(short, expected, "{found:?}");
        found
    };
    let wrong_password = check(
        |new, _| new.password = Some("guess".into()),
        &[("smtp", "auth_invalid"), ("imap", "auth_invalid")],
    )
    .await;
    assert!(
        wrong_password[0].2.contains("authentication failed"),
        "{wrong_password:?}"
    );
    check(
        |new, servers| new.smtp = Some(server(servers.ports.submission, TlsMode::Implicit)),
        &[("smtp", "tls_wrong_mode")],
    )
    .await;
    check(
        |new, _| new.imap = Some(server(1, TlsMode::Implicit)),
        &[("imap", "port_not_allowed")],
    )
    .await;

    // A new password is tested before it replaces the old one.
    let wrong = MailboxChange {
        password: Some("guess".into()),
        ..MailboxChange::default()
    };
    let error = mailboxes::update(env, ws, real.account.id, wrong, &Actor::Cli)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "validation_error");
    let legs = mailboxes::test(env, ws, real.account.id, &Actor::Cli)
        .await
        .unwrap();
    assert!(legs.iter().all(|leg| leg.problem.is_none()), "{legs:?}");
    let right = MailboxChange {
        password: Some("secret".into()),
        smtp: Some(server(real.servers.ports.submissions, TlsMode::Implicit)),
        ..MailboxChange::default()
    };
    let changed = mailboxes::update(env, ws, real.account.id, right, &Actor::Cli)
        .await
        .unwrap();
    assert_eq!(
        changed.settings["smtp"]["port"],
        real.servers.ports.submissions
    );
    assert_eq!(changed.status, AccountStatus::Connected);
}
