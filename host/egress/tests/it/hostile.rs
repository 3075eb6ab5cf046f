//! Endpoints that mean harm, or are ill (API-8).

use std::time::Duration;

use overture_egress::{AddressPolicy, Answer, ConnectError, Error, Request, Stage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    dns,
    kit::{Kit, OK, Sink, addresses, loopback, post, read_request, serve},
};

fn hasty(url: &str) -> Request {
    Request {
        timeout: Duration::from_millis(300),
        ..post(url)
    }
}

async fn wait_for_the_end(mut stream: tokio::net::TcpStream) {
    let mut byte = [0];
    while stream.read(&mut byte).await.is_ok_and(|read| read > 0) {}
}

// API-8: every spelling of an inside address, and names that lead there.
#[tokio::test]
async fn targets_inside_are_refused() {
    let kit = Kit::start().await;
    kit.name("inside.test", &["127.0.0.1"]);
    let sink = Sink::start(OK).await;
    let client = kit.client(AddressPolicy::http(Vec::new(), true));
    let port = sink.address.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
        "LocalHost.",
        "x.localhost",
        "inside.test",
        "INSIDE.test.",
        "0.0.0.0",
        "0",
        "１２７.0.0.1",
        "127。0。0。1",
    ] {
        let url = format!("http://{host}:{port}/");
        let error = client.send(post(&url)).await.unwrap_err();
        assert!(
            matches!(&error, Error::Connect(ConnectError::Refused { .. })),
            "{host}: {error}"
        );
        assert_eq!(error.stage(), Stage::Policy);
        assert!(!error.may_have_been_sent());
    }
    assert!(sink.requests().is_empty());
}

// API-8: a name that is public at the first request and private at the next.
#[tokio::test]
async fn rebinding_between_requests_is_seen() {
    let (kit, sink) = (
        Kit::start().await,
        Sink::start("HTTP/1.0 200 OK\r\n\r\n").await,
    );
    let (first, then) = (addresses(&["127.0.0.1"]), addresses(&["127.66.0.1"]));
    kit.dns
        .set("rebind.test", dns::Answer::InTurn(vec![first, then]));
    let allowed = vec!["127.0.0.1/32".parse().unwrap()];
    let client = kit.client(AddressPolicy::http(allowed, true));
    let url = format!("http://rebind.test:{}/", sink.address.port());
    let closing = Request {
        answer: Answer::Head,
        ..hasty(&url)
    };
    assert_eq!(client.send(closing).await.unwrap().status, 200);
    let error = client.send(post(&url)).await.unwrap_err();
    assert!(
        matches!(error, Error::Connect(ConnectError::Refused { .. })),
        "{error}"
    );
}

// API-8
#[tokio::test]
async fn an_endpoint_that_never_answers_times_out_and_may_have_got_it() {
    let kit = Kit::start().await;
    let address = serve(|mut stream| async move {
        read_request(&mut stream).await;
        wait_for_the_end(stream).await;
    })
    .await;
    let error = kit
        .client(loopback())
        .send(hasty(&format!("http://{address}/")))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Timeout { sent: true, .. }),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "no answer within 0.3 s");
}

// SAFE-3: nothing was sent while the name was being looked up.
#[tokio::test]
async fn a_timeout_before_the_connection_is_not_sent() {
    let kit = Kit::start().await;
    kit.dns.set("silent.test", dns::Answer::Silence);
    let error = kit
        .client(loopback())
        .send(hasty("http://silent.test/"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Timeout { sent: false, .. }),
        "{error:?}"
    );
}

// SAFE-3: a TLS handshake that never ends.
#[tokio::test]
async fn a_timeout_in_the_handshake_is_not_sent() {
    let kit = Kit::start().await;
    let address = serve(wait_for_the_end).await;
    let error = kit
        .client(loopback())
        .send(hasty(&format!("https://{address}/")))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Timeout { sent: false, .. }),
        "{error:?}"
    );
}

async fn drip(mut stream: tokio::net::TcpStream) {
    read_request(&mut stream).await;
    let _ = stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nslow")
        .await;
    wait_for_the_end(stream).await;
}

// API-8: a 2xx is a success whatever follows; who needs the body gets an error.
#[tokio::test]
async fn a_slow_body_ends_with_the_time() {
    let kit = Kit::start().await;
    let url = format!("http://{}/", serve(drip).await);
    let error = kit.client(loopback()).send(hasty(&url)).await.unwrap_err();
    assert!(
        matches!(error, Error::Timeout { sent: true, .. }),
        "{error:?}"
    );
    let head = Request {
        answer: Answer::Head,
        ..hasty(&url)
    };
    let response = kit.client(loopback()).send(head).await.unwrap();
    assert_eq!(
        (response.status.as_u16(), &response.body[..]),
        (200, &b"slow"[..])
    );
    assert!(!response.complete);
}

async fn flood(mut stream: tokio::net::TcpStream) {
    read_request(&mut stream).await;
    let _ = stream
        .write_all(b"HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let chunk = [&b"1000\r\n"[..], &[b'x'; 0x1000], b"\r\n"].concat();
    while stream.write_all(&chunk).await.is_ok() {}
}

// API-8
#[tokio::test]
async fn an_endless_body_is_cut() {
    let kit = Kit::start().await;
    let url = format!("http://{}/", serve(flood).await);
    let small = |answer| Request {
        max_response_bytes: 10_000,
        answer,
        ..post(&url)
    };
    let error = kit
        .client(loopback())
        .send(small(Answer::Whole))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer (500 Internal Server Error) is longer than 10000 bytes"
    );
    let response = kit
        .client(loopback())
        .send(small(Answer::Head))
        .await
        .unwrap();
    assert_eq!(
        (response.status.as_u16(), response.body.len()),
        (500, 10_000)
    );
    assert!(!response.complete);
}

#[tokio::test]
async fn endless_headers_and_other_languages_break_off() {
    let kit = Kit::start().await;
    let headers = serve(|mut stream| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream
            .write_all(b"x-more: and more and more and more\r\n")
            .await
            .is_ok()
        {}
    })
    .await;
    let ssh = serve(|mut stream| async move {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
        wait_for_the_end(stream).await;
    })
    .await;
    let hangs_up = serve(|mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    for address in [headers, ssh, hangs_up] {
        let sent = kit
            .client(loopback())
            .send(post(&format!("http://{address}/")))
            .await;
        let error = sent.unwrap_err();
        assert!(matches!(error, Error::Broken { .. }), "{error:?}");
        assert_eq!(error.stage(), Stage::Http);
    }
}

// API-8: one slow endpoint never delays another.
#[tokio::test]
async fn a_slow_endpoint_delays_nobody() {
    let (kit, sink) = (Kit::start().await, Sink::start(OK).await);
    let client = kit.client(loopback());
    let slow = serve(|mut stream| async move {
        read_request(&mut stream).await;
        wait_for_the_end(stream).await;
    })
    .await;
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let (client, url) = (client.clone(), format!("http://{slow}/"));
            tokio::spawn(async move { client.send(post(&url)).await.unwrap_err() })
        })
        .collect();
    for _ in 0..200 {
        client.send(post(&sink.url())).await.unwrap();
    }
    assert!(
        waiting.iter().all(|task| !task.is_finished()),
        "all before the slow ones' 5 s"
    );
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}
