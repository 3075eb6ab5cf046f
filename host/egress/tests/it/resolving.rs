//! From hosts to addresses.

use overture_egress::{DnsError, Resolver};

use crate::{
    dns::Answer,
    kit::{Kit, addresses},
};

#[tokio::test]
async fn a_name_has_the_addresses_that_the_configured_servers_say() {
    let kit = Kit::start().await;
    kit.name(
        "mail.test",
        &["2a01:4f8::1", "198.51.100.7", "198.51.100.8"],
    );
    assert_eq!(
        kit.resolver.lookup("Mail.TEST").await.unwrap(),
        addresses(&["198.51.100.7", "198.51.100.8", "2a01:4f8::1"])
    );
    kit.name("six.test", &["2a01:4f8::1"]);
    assert_eq!(
        kit.resolver.lookup("six.test").await.unwrap(),
        addresses(&["2a01:4f8::1"])
    );
}

#[tokio::test]
async fn literals_and_localhost_need_no_server() {
    let kit = Kit::start().await;
    for (host, found) in [
        ("192.0.2.1", "192.0.2.1"),
        ("0x7f.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
    ] {
        assert_eq!(
            kit.resolver.lookup(host).await.unwrap(),
            addresses(&[found]),
            "{host}"
        );
    }
    for host in ["localhost", "LOCALHOST.", "db.localhost"] {
        assert_eq!(
            kit.resolver.lookup(host).await.unwrap(),
            addresses(&["127.0.0.1", "::1"]),
            "{host}"
        );
        assert_eq!(kit.dns.asked(host), 0);
    }
}

// MB-2: dns_not_found is another thing than a DNS that doesn't answer.
#[tokio::test]
async fn what_is_wrong_is_told_apart() {
    let kit = Kit::start().await;
    let not_found = |host: &str| DnsError::NotFound {
        host: host.to_owned(),
    };
    kit.dns.set("gone.test", Answer::NoSuchName);
    kit.name("empty.test", &[]);
    for host in ["gone.test", "empty.test", "nobody.example.com"] {
        assert_eq!(kit.resolver.lookup(host).await, Err(not_found(host)));
    }
    kit.dns.set("ill.test", Answer::Failure);
    let error = kit.resolver.lookup("ill.test").await.unwrap_err();
    assert!(matches!(error, DnsError::Unanswered { .. }), "{error}");
    for host in [
        "",
        " ",
        "a b.test",
        "a/b",
        "[::1",
        "1.2.3.4.5",
        "user@mail.test",
        "a..b",
    ] {
        let error = kit.resolver.lookup(host).await.unwrap_err();
        assert!(matches!(error, DnsError::BadHost { .. }), "{host}: {error}");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let kit = Kit::start().await;
    kit.dns.set("silent.test", Answer::Silence);
    let error = kit.resolver.lookup("silent.test").await.unwrap_err();
    assert!(matches!(error, DnsError::Unanswered { .. }), "{error}");
    assert!(kit.dns.asked("silent.test") >= 2, "it is asked again");
}

#[tokio::test]
async fn without_servers_the_system_is_asked() {
    let resolver = Resolver::new(&[]).unwrap();
    assert!(
        resolver
            .lookup("localhost")
            .await
            .unwrap()
            .contains(&"127.0.0.1".parse().unwrap())
    );
}

// PR-7: mail servers, else the domain's own address (RFC 5321 §5.1); a null MX is none (RFC 7505).
#[tokio::test]
async fn a_domain_takes_mail_or_none_or_nobody_knows() {
    let kit = Kit::start().await;
    let servers =
        |names: &[&str]| Answer::MailServers(names.iter().map(|name| (*name).to_owned()).collect());
    kit.dns.set(
        "served.test",
        servers(&["mx1.other.test.", "mx2.other.test."]),
    );
    kit.dns.set("null.test", servers(&["."]));
    kit.dns.set("bare.test", servers(&[]));
    kit.dns.set("gone.test", Answer::NoSuchName);
    kit.dns
        .set("xn--bcher-kva.test", servers(&["mx.other.test."]));
    kit.name("six.test", &["2a01:4f8::1"]);
    for (domain, takes) in [
        ("served.test", true),
        ("Served.TEST", true),
        ("b\u{fc}cher.test", true),
        ("plain.test", true),
        ("six.test", true),
        ("null.test", false),
        ("bare.test", false),
        ("gone.test", false),
        ("192.0.2.1", false),
        ("no name", false),
    ] {
        assert_eq!(kit.resolver.takes_mail(domain).await, Ok(takes), "{domain}");
    }
    let asked = (
        kit.dns.asked_for_mail("served.test"),
        kit.dns.asked("served.test"),
    );
    assert_eq!(asked, (1, 0), "its address is nobody's business");
    for (domain, answer) in [
        ("broken.test", Answer::Failure),
        ("silent.test", Answer::Silence),
    ] {
        kit.dns.set(domain, answer);
        let error = kit.resolver.takes_mail(domain).await.unwrap_err();
        assert!(matches!(error, DnsError::Unanswered { .. }), "{error}");
    }
}
