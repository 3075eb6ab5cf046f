//! What a well-behaved exchange looks like (API-8).

use std::sync::atomic::Ordering;

use overture_egress::{AddressPolicy, Error, Method, header};

use crate::kit::{Kit, OK, Sink, loopback, post};

// API-8
#[tokio::test]
async fn a_request_arrives_as_it_was_given() {
    let (kit, sink) = (Kit::start().await, Sink::start(OK).await);
    let mut request = post(&format!(
        "http://hooks.test:{}/a/b?c=d#e",
        sink.address.port()
    ));
    request
        .headers
        .insert("webhook-id", "evt_1".parse().unwrap());
    let response = kit.client(loopback()).send(request).await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(&response.body[..], b"ok");
    assert!(response.complete);
    let requests = sink.requests();
    let mut lines: Vec<&str> = requests[0].split("\r\n").collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "",
            "POST /a/b?c=d HTTP/1.1",
            "content-length: 25",
            &format!("host: hooks.test:{}", sink.address.port()),
            concat!("user-agent: Overture/", env!("CARGO_PKG_VERSION")),
            "webhook-id: evt_1",
            "{\"type\":\"reply.received\"}",
        ]
    );
}

#[tokio::test]
async fn connections_are_used_again() {
    let (kit, sink) = (Kit::start().await, Sink::start(OK).await);
    let client = kit.client(loopback());
    for _ in 0..5 {
        client.clone().send(post(&sink.url())).await.unwrap();
    }
    assert_eq!(sink.requests().len(), 5);
    assert_eq!(sink.connections.load(Ordering::SeqCst), 1);
}

// API-8: a redirect, also to the inside, is an answer and nothing more.
#[tokio::test]
async fn redirects_are_not_followed() {
    let kit = Kit::start().await;
    let inside = Sink::start(OK).await;
    let location = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        inside.url()
    );
    let sink = Sink::start(location.leak()).await;
    let response = kit
        .client(loopback())
        .send(post(&sink.url()))
        .await
        .unwrap();
    assert_eq!(response.status, 307);
    assert_eq!(response.headers[header::LOCATION], inside.url());
    assert_eq!(inside.connections.load(Ordering::SeqCst), 0);
}

// API-10
#[tokio::test]
async fn the_kind_of_url_is_checked() {
    let kit = Kit::start().await;
    let check = |policy: AddressPolicy, url: &str, wanted: Option<&str>| {
        let outcome = kit.client(policy).check_url(&url.parse().unwrap());
        let told = outcome.err().map(|error| {
            assert!(!error.may_have_been_sent());
            error.to_string()
        });
        assert_eq!(told.as_deref(), wanted, "{url}");
    };
    let strict = || AddressPolicy::http(Vec::new(), false);
    check(strict(), "https://hooks.example.com/a", None);
    check(loopback(), "http://hooks.example.com/a", None);
    check(
        strict(),
        "http://hooks.example.com/a",
        Some("the URL can't be used: use https: (the instance doesn't allow http:)"),
    );
    for url in [
        "ftp://hooks.example.com",
        "file:///etc/passwd",
        "data:,x",
        "gopher://x/",
    ] {
        check(
            loopback(),
            url,
            Some("the URL can't be used: it starts neither with https: nor with http:"),
        );
    }
    check(
        strict(),
        "https://ada:secret@hooks.example.com",
        Some("the URL can't be used: give user name and password in a header, not in the URL"),
    );
}

// PLG-2: headers by which a guest could smuggle a second request.
#[tokio::test]
async fn the_connections_own_headers_can_not_be_given() {
    let (kit, sink) = (Kit::start().await, Sink::start(OK).await);
    for name in [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Upgrade",
    ] {
        let mut request = post(&sink.url());
        request.headers.insert(
            name.parse::<overture_egress::HeaderName>().unwrap(),
            "chunked".parse().unwrap(),
        );
        let error = kit.client(loopback()).send(request).await.unwrap_err();
        assert!(matches!(error, Error::Header(_)), "{name}");
    }
    assert_eq!(sink.connections.load(Ordering::SeqCst), 0);
}

// PLG-2: no proxy from the environment. The variable is set for a process of its own.
#[tokio::test]
async fn the_environment_names_no_proxy() {
    const INNER: &str = "EGRESS_TEST_SINK";
    if let Ok(url) = std::env::var(INNER) {
        let kit = Kit::start().await;
        let response = kit.client(loopback()).send(post(&url)).await.unwrap();
        assert_eq!(response.status, 200);
        return;
    }
    let (sink, proxy) = (Sink::start(OK).await, Sink::start(OK).await);
    let proxy_url = format!("http://{}", proxy.address);
    let ran = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "deliveries::the_environment_names_no_proxy"])
        .env(INNER, sink.url())
        .envs(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].map(|name| (name, &proxy_url)))
        .output()
        .await
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stdout)
    );
    assert_eq!(sink.requests().len(), 1);
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_get_without_a_body_has_no_length() {
    let (kit, sink) = (Kit::start().await, Sink::start(OK).await);
    let mut request = post(&sink.url());
    request.method = Method::GET;
    request.body = overture_egress::Bytes::new();
    kit.client(loopback()).send(request).await.unwrap();
    assert!(sink.requests()[0].starts_with("GET /hook HTTP/1.1\r\n"));
    assert!(!sink.requests()[0].contains("content-length"));
}
