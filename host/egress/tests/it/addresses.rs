//! The address policy by table and by property (API-8, MB-12, PLG-2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use overture_egress::{AddressPolicy, Url};
use proptest::prelude::*;

fn strict() -> AddressPolicy {
    AddressPolicy::http(Vec::new(), false)
}

/// What the policy says about the host of a URL, spelled as given.
fn judge(host: &str) -> Option<&'static str> {
    let url = Url::parse(&format!("https://{host}/")).unwrap();
    let address: IpAddr = match url.host().unwrap() {
        url::Host::Ipv4(address) => address.into(),
        url::Host::Ipv6(address) => address.into(),
        url::Host::Domain(name) => panic!("{name} is a name"),
    };
    strict().check(address).err().map(|refusal| refusal.kind)
}

// API-8
#[test]
fn special_addresses_in_every_spelling() {
    for (host, kind) in [
        ("0.0.0.0", "an unspecified address"),
        ("0", "an unspecified address"),
        ("0.1.2.3", "an unspecified address"),
        ("10.0.0.0", "a private address"),
        ("10.255.255.255", "a private address"),
        ("0x0a.0.0.1", "a private address"),
        ("012.1", "a private address"),
        ("167772161", "a private address"),
        ("100.64.0.1", "an address of a carrier's shared network"),
        (
            "100.100.100.200",
            "an address of a carrier's shared network",
        ),
        (
            "100.127.255.255",
            "an address of a carrier's shared network",
        ),
        ("127.0.0.1", "a loopback address"),
        ("127.1", "a loopback address"),
        ("127.255.255.254", "a loopback address"),
        ("2130706433", "a loopback address"),
        ("0x7f000001", "a loopback address"),
        ("0x7F.1", "a loopback address"),
        ("0177.0.0.01", "a loopback address"),
        ("017700000001", "a loopback address"),
        ("%31%32%37.0.0.1", "a loopback address"),
        ("①②⑦.⓪.⓪.①", "a loopback address"),
        ("127。0。0。1", "a loopback address"),
        ("169.254.169.254", "a cloud's metadata service"),
        ("2852039166", "a cloud's metadata service"),
        ("0xa9fea9fe", "a cloud's metadata service"),
        ("169.254.1.1", "a link-local address"),
        ("172.16.0.1", "a private address"),
        ("172.31.255.255", "a private address"),
        ("192.0.0.192", "a reserved address"),
        ("192.0.2.1", "a documentation address"),
        ("192.88.99.1", "a 6to4 relay address"),
        ("192.168.0.1", "a private address"),
        ("192.168.257", "a private address"),
        ("198.18.0.1", "a benchmarking address"),
        ("198.19.255.255", "a benchmarking address"),
        ("198.51.100.1", "a documentation address"),
        ("203.0.113.1", "a documentation address"),
        ("224.0.0.1", "a multicast address"),
        ("239.255.255.255", "a multicast address"),
        ("240.0.0.1", "a reserved address"),
        ("255.255.255.255", "the broadcast address"),
        ("168.63.129.16", "a cloud's metadata service"),
        ("[::]", "an unspecified address"),
        ("[::1]", "a loopback address"),
        ("[0:0:0:0:0:0:0:1]", "a loopback address"),
        ("[::127.0.0.1]", "a reserved address"),
        ("[::ffff:127.0.0.1]", "a loopback address"),
        ("[::ffff:7f00:1]", "a loopback address"),
        ("[::ffff:a9fe:a9fe]", "a cloud's metadata service"),
        ("[::ffff:10.0.0.1]", "a private address"),
        ("[::ffff:0:127.0.0.1]", "a reserved address"),
        ("[64:ff9b::127.0.0.1]", "a loopback address"),
        ("[64:ff9b::a00:1]", "a private address"),
        ("[64:ff9b:1::1]", "an address of a local translator"),
        ("[100::1]", "a discard address"),
        ("[2001::1]", "a Teredo address"),
        ("[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "a Teredo address"),
        ("[2001:2::1]", "a reserved address"),
        ("[2001:10::1]", "a reserved address"),
        ("[2001:db8::1]", "a documentation address"),
        ("[2002:7f00:1::]", "a 6to4 address"),
        ("[2002:a9fe:a9fe::1]", "a 6to4 address"),
        ("[3fff::1]", "a documentation address"),
        ("[4000::1]", "a reserved address"),
        ("[5f00::1]", "a reserved address"),
        ("[fc00::1]", "a private address"),
        ("[fd00:ec2::254]", "a private address"),
        ("[fe80::1]", "a link-local address"),
        ("[febf::1]", "a link-local address"),
        ("[fec0::1]", "a site-local address"),
        ("[ff02::1]", "a multicast address"),
    ] {
        assert_eq!(judge(host), Some(kind), "{host}");
    }
}

// API-8
#[test]
fn public_addresses_pass() {
    for host in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "134744072",
        "[2606:4700::1111]",
        "[2a01:4f8::1]",
        "[2001:4860::8888]",
        "[2001:200::1]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::8.8.8.8]",
    ] {
        assert_eq!(judge(host), None, "{host}");
    }
}

// MB-12
#[test]
fn an_allowed_network_opens_itself_and_nothing_else() {
    let networks = vec![
        "10.1.0.0/16".parse().unwrap(),
        "fd00:1::/32".parse().unwrap(),
    ];
    let policy = AddressPolicy::mail(networks, &[]);
    let check = |text: &str| policy.check(text.parse().unwrap()).is_ok();
    assert!(check("10.1.2.3"));
    assert!(check("::ffff:10.1.2.3"));
    assert!(check("fd00:1::5"));
    assert!(check("8.8.8.8"));
    for closed in [
        "10.2.0.1",
        "127.0.0.1",
        "fd00:2::1",
        "64:ff9b::10.1.2.3",
        "2002:a01:203::1",
    ] {
        assert!(!check(closed), "{closed}");
    }
    let refusal = policy.check("10.2.0.1".parse().unwrap()).unwrap_err();
    assert_eq!(refusal.setting, "mail.allowed_networks");
}

// MB-12
#[test]
fn mail_ports() {
    let policy = AddressPolicy::mail(Vec::new(), &[10025]);
    for port in [25, 465, 587, 2525, 143, 993, 10025] {
        assert!(policy.allows_port(port), "{port}");
    }
    for port in [0, 22, 80, 110, 443, 3306, 10026] {
        assert!(!policy.allows_port(port), "{port}");
    }
    assert!(strict().allows_port(8443));
    assert!(!strict().allows_port(0));
}

proptest! {
    // API-8: every way to carry an IPv4 address in IPv6 is judged like the address, or refused.
    #[test]
    fn an_embedded_address_is_no_way_around(bits in any::<u32>()) {
        let inner = Ipv4Addr::from_bits(bits);
        let plain = strict().check(inner.into()).is_ok();
        prop_assert_eq!(strict().check(inner.to_ipv6_mapped().into()).is_ok(), plain);
        let [a, b, c, d] = inner.octets().map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low);
        prop_assert_eq!(strict().check(nat64.into()).is_ok(), plain);
        for closed in [
            Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !high, !low),
            Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
        ] {
            prop_assert!(strict().check(closed.into()).is_err(), "{}", closed);
        }
    }

    // API-8: the standard library's own idea of special addresses is a part of ours.
    #[test]
    fn what_the_standard_library_calls_special_is_refused(bits in any::<u32>()) {
        let address = Ipv4Addr::from_bits(bits);
        if address.is_private() || address.is_loopback() || address.is_link_local()
            || address.is_multicast() || address.is_broadcast() || address.is_documentation()
            || address.is_unspecified()
        {
            prop_assert!(strict().check(address.into()).is_err());
        }
    }

    // Nothing outside of global unicast is reached, but translated public IPv4.
    #[test]
    fn ipv6_outside_global_unicast_is_refused(bits in any::<u128>()) {
        let address = Ipv6Addr::from_bits(bits);
        let global = address.segments()[0] & 0xe000 == 0x2000;
        prop_assert!(global || strict().check(address.into()).is_err());
    }
}
