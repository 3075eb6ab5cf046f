//! Which addresses and ports may be reached.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The ports of MB-12: SMTP, submission and IMAP.
const MAIL_PORTS: [u16; 6] = [25, 465, 587, 2525, 143, 993];

/// What may be reached: public addresses, and the networks that the instance allows. It is applied
/// at every connect, to the address that is connected to.
#[derive(Clone, Debug)]
pub struct AddressPolicy {
    allowed_networks: Vec<IpNet>,
    ports: Option<BTreeSet<u16>>,
    allow_http: bool,
    networks_setting: &'static str,
    ports_setting: &'static str,
}

/// Why an address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{kind}; only public addresses are reached, unless the instance lists the network in `{setting}`"
)]
pub struct Refusal {
    /// The address. Not part of the message, which may reach somebody who should not learn what
    /// the instance's DNS knows.
    pub address: IpAddr,
    /// What the address is, as a phrase: `a private address`.
    pub kind: &'static str,
    /// The setting that would allow it.
    pub setting: &'static str,
}

impl AddressPolicy {
    /// For HTTP: any port; `http:` only where `allow_http` (`egress.allowed_networks`,
    /// `egress.allow_http`).
    pub fn http(allowed_networks: Vec<IpNet>, allow_http: bool) -> Self {
        Self {
            allowed_networks,
            ports: None,
            allow_http,
            networks_setting: "egress.allowed_networks",
            ports_setting: "",
        }
    }

    /// For mail: ports 25, 465, 587, 2525, 143, 993 and `allowed_ports` (MB-12:
    /// `mail.allowed_networks`, `mail.allowed_ports`).
    pub fn mail(allowed_networks: Vec<IpNet>, allowed_ports: &[u16]) -> Self {
        Self {
            allowed_networks,
            ports: Some(MAIL_PORTS.iter().chain(allowed_ports).copied().collect()),
            allow_http: false,
            networks_setting: "mail.allowed_networks",
            ports_setting: "mail.allowed_ports",
        }
    }

    /// Whether plain `http:` may be spoken.
    pub fn allows_http(&self) -> bool {
        self.allow_http
    }

    /// Whether the port may be reached.
    pub fn allows_port(&self, port: u16) -> bool {
        port != 0
            && self
                .ports
                .as_ref()
                .is_none_or(|ports| ports.contains(&port))
    }

    /// The allowed ports as a phrase, with the setting that adds to them.
    pub(crate) fn ports_hint(&self) -> String {
        match &self.ports {
            None => "1 to 65535".to_owned(),
            Some(ports) => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                format!(
                    "{}; others are listed in `{}`",
                    ports.join(", "),
                    self.ports_setting
                )
            }
        }
    }

    /// Whether the address may be reached.
    ///
    /// # Errors
    /// [`Refusal`], with what the address is.
    pub fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        // ::ffff:10.0.0.1 reaches 10.0.0.1, and is judged as that.
        let canonical = address.to_canonical();
        if self
            .allowed_networks
            .iter()
            .any(|net| net.contains(&canonical))
        {
            return Ok(());
        }
        match special(canonical) {
            None => Ok(()),
            Some(kind) => Err(Refusal {
                address,
                kind,
                setting: self.networks_setting,
            }),
        }
    }
}

/// What a special address is; `None` for a public one.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

/// IANA's special-purpose registry for IPv4 (RFC 6890), multicast, and one cloud's metadata service
/// in public space. The first match names the address.
const SPECIAL_V4: [(Ipv4Net, &str); 18] = [
    (v4(0, 0, 0, 0, 8), "an unspecified address"),
    (v4(10, 0, 0, 0, 8), "a private address"),
    (
        v4(100, 64, 0, 0, 10),
        "an address of a carrier's shared network",
    ),
    (v4(127, 0, 0, 0, 8), "a loopback address"),
    (v4(169, 254, 169, 254, 32), "a cloud's metadata service"),
    (v4(169, 254, 0, 0, 16), "a link-local address"),
    (v4(172, 16, 0, 0, 12), "a private address"),
    (v4(192, 0, 0, 0, 24), "a reserved address"),
    (v4(192, 0, 2, 0, 24), "a documentation address"),
    (v4(192, 88, 99, 0, 24), "a 6to4 relay address"),
    (v4(192, 168, 0, 0, 16), "a private address"),
    (v4(198, 18, 0, 0, 15), "a benchmarking address"),
    (v4(198, 51, 100, 0, 24), "a documentation address"),
    (v4(203, 0, 113, 0, 24), "a documentation address"),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v4(255, 255, 255, 255, 32), "the broadcast address"),
    (v4(240, 0, 0, 0, 4), "a reserved address"),
    (v4(168, 63, 129, 16, 32), "a cloud's metadata service"),
];

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let found = SPECIAL_V4.iter().find(|(net, _)| net.contains(&address));
    found.map(|(_, kind)| *kind)
}

/// Where an IPv4 address hides in the last four bytes (RFC 6052 §2.1).
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
/// All that is routed on the internet (RFC 4291 §2.4; IANA hands out nothing else).
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

/// IANA's special-purpose registry for IPv6, as far as it lies in global unicast, and names for what
/// lies outside.
const SPECIAL_V6: [(Ipv6Net, &str); 11] = [
    (v6(0x2001, 0, 0, 32), "a Teredo address"),
    (v6(0x2001, 0, 0, 23), "a reserved address"),
    (v6(0x2001, 0xdb8, 0, 32), "a documentation address"),
    (v6(0x2002, 0, 0, 16), "a 6to4 address"),
    (v6(0x3fff, 0, 0, 20), "a documentation address"),
    (v6(0x64, 0xff9b, 1, 48), "an address of a local translator"),
    (v6(0xfc00, 0, 0, 7), "a private address"),
    (v6(0xfe80, 0, 0, 10), "a link-local address"),
    (v6(0xfec0, 0, 0, 10), "a site-local address"),
    (v6(0xff00, 0, 0, 8), "a multicast address"),
    (v6(0x100, 0, 0, 64), "a discard address"),
];

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    if NAT64.contains(&address) {
        let [.., a, b, c, d] = address.octets();
        return special_v4(Ipv4Addr::new(a, b, c, d));
    }
    if address.is_loopback() {
        return Some("a loopback address");
    }
    if address.is_unspecified() {
        return Some("an unspecified address");
    }
    let found = SPECIAL_V6.iter().find(|(net, _)| net.contains(&address));
    match found {
        Some((_, kind)) => Some(kind),
        None if GLOBAL_UNICAST.contains(&address) => None,
        None => Some("a reserved address"),
    }
}
