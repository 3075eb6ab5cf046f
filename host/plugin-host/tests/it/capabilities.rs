//! What a guest gets by what it asked and what the admin granted (PLG-2).

use std::time::Duration;

use overture_plugin_host::{Capabilities, Kind, Leg, Limits, Problem};

use crate::{
    guests::{host_with, id, workspace},
    mailboxes::{FakeMailbox, mail},
    services::{Fakes, SECRET},
};

const GUEST: &str = "asks-all";

/// What the guest says came of each capability, when the admin granted this.
async fn tries(
    url: &str,
    chosen: Option<&Capabilities>,
    fakes: Option<Fakes>,
) -> (Vec<String>, Fakes) {
    let (host, new) = host_with(GUEST);
    let fakes = fakes.unwrap_or(new);
    host.set_policy(&id(GUEST), chosen, None).unwrap();
    let provider = host.mail_provider(&id(GUEST)).unwrap();
    let legs = provider
        .check(workspace(1), FakeMailbox::with(url))
        .await
        .unwrap();
    let said = |leg: Leg| format!("{}: {}", leg.name, leg.problem.unwrap().fix);
    (legs.into_iter().map(said).collect(), fakes)
}

// PLG-2
#[tokio::test]
async fn what_is_granted_works() {
    let (said, fakes) = tries("https://api.example.com/v1", None, None).await;
    assert_eq!(
        said,
        [
            "clock: ok: 1772442000000",
            "random: ok: 3",
            "set: ok: ()",
            "get: ok: Some([104, 101, 108, 108, 111])",
            "fill: error: StoreError::OverQuota(4096)",
            "keys: ok: [\"greeting\"]",
            "delete: ok: ()",
            "http: ok: \"POST https://api.example.com/v1 with Bearer {api-key}\"",
        ]
    );
    // The server saw the secret, the guest saw it neither before nor in the echo.
    let seen = fakes.http.seen.lock().unwrap();
    assert_eq!(seen[0].headers[0].value, format!("Bearer {SECRET}"));
}

// PLG-2: a refusal is a value, the call goes on.
#[tokio::test]
async fn what_is_not_granted_answers_denied() {
    let none = Capabilities::default();
    let (said, fakes) = tries("https://api.example.com/v1", Some(&none), None).await;
    assert_eq!(
        said[2..],
        [
            "set: error: StoreError::Denied",
            "get: error: StoreError::Denied",
            "fill: error: StoreError::Denied",
            "keys: error: StoreError::Denied",
            "delete: error: StoreError::Denied",
            "http: error: HttpError::Denied(\"the host api.example.com is not granted to this plugin\")",
        ]
    );
    assert!(fakes.http.seen.lock().unwrap().is_empty());
}

// PLG-2: hosts beyond the manifest's are refused, whatever their spelling.
#[tokio::test]
async fn other_hosts_are_refused() {
    for url in [
        "https://other.example.com/",
        "https://api.example.com.evil.test/",
        "https://api.example.com@evil.test/",
        "https://evil.test/?https://api.example.com/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://0x7f000001/",
        "file:///etc/passwd",
        "",
    ] {
        let (said, fakes) = tries(url, None, None).await;
        assert!(said[7].starts_with("http: error: "), "{url}: {}", said[7]);
        assert!(fakes.http.seen.lock().unwrap().is_empty(), "{url}");
    }
}

// PLG-2: the admin can only take away.
#[tokio::test]
async fn granting_more_than_is_asked_grants_nothing_more() {
    let more = Capabilities {
        http_hosts: vec!["other.example.com".into()],
        store_quota_bytes: 1 << 30,
        ..Capabilities::default()
    };
    let (said, _) = tries("https://other.example.com/", Some(&more), None).await;
    assert_eq!(said[4], "fill: error: StoreError::OverQuota(4096)");
    assert!(
        said[7].starts_with("http: error: HttpError::Denied"),
        "{}",
        said[7]
    );
}

// PLG-2
#[tokio::test]
async fn a_grant_lets_a_provider_read_the_bytes() {
    let (host, _) = host_with(GUEST);
    let provider = host.mail_provider(&id(GUEST)).unwrap();
    assert!(provider.has_own_transport());
    let outcome = provider
        .send(workspace(1), FakeMailbox::with(""), mail())
        .await;
    assert_eq!(
        outcome.answer,
        Ok(Err(Problem::Temporary("read 25 bytes".into())))
    );

    host.set_policy(&id(GUEST), Some(&Capabilities::default()), None)
        .unwrap();
    let outcome = provider
        .send(workspace(1), FakeMailbox::with(""), mail())
        .await;
    assert!(
        matches!(outcome.answer, Ok(Err(Problem::Denied(_)))),
        "{:?}",
        outcome.answer
    );
    assert!(!provider.has_own_transport());
}

// PLG-3: HTTP calls are counted, and past the limit they answer so.
#[tokio::test]
async fn http_calls_end_at_their_limit() {
    let (host, fakes) = host_with(GUEST);
    let provider = host.mail_provider(&id(GUEST)).unwrap();
    let mailbox = FakeMailbox::with("");
    let page = provider.sync(workspace(1), mailbox, None).await;
    assert_eq!(
        page,
        Ok(Err(Problem::Temporary("10 over the limit".into())))
    );
    assert_eq!(fakes.http.seen.lock().unwrap().len(), 50);
}

// PLG-3: a guest that waits is stopped by the clock on the wall.
#[tokio::test]
async fn waiting_ends_at_the_time_limit() {
    let (host, fakes) = host_with(GUEST);
    *fakes.http.hangs.lock().unwrap() = true;
    let wall = Duration::from_millis(100);
    let quick = Limits {
        wall,
        ..Limits::default_for(Kind::MailProvider)
    };
    host.set_policy(&id(GUEST), None, Some(quick)).unwrap();
    let mailbox = FakeMailbox::with("https://api.example.com/");
    let provider = host.mail_provider(&id(GUEST)).unwrap();
    let error = provider.check(workspace(1), mailbox).await.unwrap_err();
    assert_eq!(error.to_string(), "the plugin did not answer within 100 ms");
    let stats = host.find(&id(GUEST)).unwrap().stats;
    assert!(
        stats.cpu < Duration::from_millis(50),
        "waiting is not computing: {:?}",
        stats.cpu
    );
}

// WS-1: values of one workspace are not those of another.
#[tokio::test]
async fn values_belong_to_a_workspace() {
    use overture_plugin_host::{Scope, capabilities::store::KvStore};
    let (_, fakes) = tries("https://api.example.com/", None, None).await;
    let scope = |seed| Scope {
        plugin: id(GUEST).into(),
        workspace: workspace(seed),
    };
    fakes.store.set(&scope(1), "k", b"v", 100).await.unwrap();
    assert_eq!(fakes.store.get(&scope(2), "k").await.unwrap(), None);
}
