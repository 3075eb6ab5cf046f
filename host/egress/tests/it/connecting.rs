//! Connections as mail makes them: checked, in turn, in time.

use std::{io::ErrorKind, time::Duration};

use overture_egress::{AddressPolicy, ConnectError, Stage, connect};
use tokio::net::TcpListener;

use crate::{
    dns::Answer,
    kit::{Kit, addresses},
};

const LIMIT: Duration = Duration::from_secs(5);

fn mail(allowed: &str, port: u16) -> AddressPolicy {
    AddressPolicy::mail(vec![allowed.parse().unwrap()], &[port])
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

// MB-12
#[tokio::test]
async fn the_connection_goes_to_the_allowed_network_and_does_not_wait() {
    let kit = Kit::start().await;
    let (_listener, port) = listener().await;
    let policy = mail("127.0.0.0/8", port);
    let stream = connect(&kit.resolver, &policy, "smtp.test", port, LIMIT)
        .await
        .unwrap();
    assert!(stream.nodelay().unwrap());
    assert_eq!(stream.peer_addr().unwrap().port(), port);
}

// MB-12: a public name with a private address.
#[tokio::test]
async fn a_name_that_leads_inside_is_refused() {
    let kit = Kit::start().await;
    let (_listener, port) = listener().await;
    for inside in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1"] {
        let name = format!("a{}.test", inside.replace([':', '.'], "-"));
        kit.name(&name, &[inside]);
        let policy = AddressPolicy::mail(Vec::new(), &[port]);
        let error = connect(&kit.resolver, &policy, &name, port, LIMIT)
            .await
            .unwrap_err();
        let ConnectError::Refused { refusal, .. } = &error else {
            panic!("{inside}: {error}");
        };
        assert_eq!(refusal.address.to_string(), inside);
        assert_eq!(error.stage(), Stage::Policy);
        let text = error.to_string();
        assert!(text.contains("`mail.allowed_networks`"), "{text}");
        assert!(
            !text.contains(inside),
            "the message keeps the address to itself: {text}"
        );
    }
}

// MB-12: only the addresses that passed are tried.
#[tokio::test]
async fn of_mixed_addresses_the_refused_ones_are_left_out() {
    let kit = Kit::start().await;
    let (_listener, port) = listener().await;
    kit.name("mixed.test", &["10.0.0.1", "127.0.0.1"]);
    let policy = mail("127.0.0.0/8", port);
    let stream = connect(&kit.resolver, &policy, "mixed.test", port, LIMIT)
        .await
        .unwrap();
    assert_eq!(stream.peer_addr().unwrap().ip().to_string(), "127.0.0.1");
}

// MB-12: rebinding. Each connect asks once, and uses the answer that it checked.
#[tokio::test]
async fn a_name_that_changes_its_answer_gains_nothing() {
    let kit = Kit::start().await;
    let (_listener, port) = listener().await;
    let (allowed, inside) = (addresses(&["127.0.0.1"]), addresses(&["127.66.0.1"]));
    kit.dns
        .set("rebind.test", Answer::InTurn(vec![allowed, inside]));
    let policy = mail("127.0.0.1/32", port);
    let go = || connect(&kit.resolver, &policy, "rebind.test", port, LIMIT);
    let stream = go().await.unwrap();
    assert_eq!(stream.peer_addr().unwrap().ip().to_string(), "127.0.0.1");
    assert_eq!(kit.dns.asked("rebind.test"), 1);
    assert!(matches!(go().await, Err(ConnectError::Refused { .. })));
    assert_eq!(kit.dns.asked("rebind.test"), 2);
}

// MB-12
#[tokio::test]
async fn other_ports_are_refused_before_anything_is_asked() {
    let kit = Kit::start().await;
    let policy = AddressPolicy::mail(vec!["127.0.0.0/8".parse().unwrap()], &[]);
    let error = connect(&kit.resolver, &policy, "smtp.test", 22, LIMIT)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "port 22 may not be reached; allowed are 25, 143, 465, 587, 993, 2525; others are listed \
         in `mail.allowed_ports`"
    );
    assert_eq!(kit.dns.asked("smtp.test"), 0);
}

// MB-2: connection_refused
#[tokio::test]
async fn a_closed_port_is_told_as_refused() {
    let kit = Kit::start().await;
    let (closed, port) = listener().await;
    drop(closed);
    let policy = mail("127.0.0.0/8", port);
    let error = connect(&kit.resolver, &policy, "smtp.test", port, LIMIT)
        .await
        .unwrap_err();
    assert_eq!(error.stage(), Stage::Tcp);
    let ConnectError::Tcp { source, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(source.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_is_closed() {
    let kit = Kit::start().await;
    let (_listener, port) = listener().await;
    kit.name("two.test", &["127.0.0.9", "127.0.0.1"]);
    let policy = mail("127.0.0.0/8", port);
    let stream = connect(&kit.resolver, &policy, "two.test", port, LIMIT)
        .await
        .unwrap();
    assert_eq!(stream.peer_addr().unwrap().ip().to_string(), "127.0.0.1");
}

// MB-2: timeout, with the stage.
#[tokio::test]
async fn a_slow_dns_is_a_timeout_of_the_dns() {
    let kit = Kit::start().await;
    kit.dns.set("silent.test", Answer::Silence);
    let policy = mail("127.0.0.0/8", 25);
    let limit = Duration::from_millis(100);
    let error = connect(&kit.resolver, &policy, "silent.test", 25, limit)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { .. }));
    assert_eq!(error.stage(), Stage::Dns);
    assert_eq!(
        error.to_string(),
        "`silent.test` port 25 did not answer within 0.1 s"
    );
}
