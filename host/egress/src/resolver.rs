//! From a host to its addresses.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{
        ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
        ResolverOpts,
    },
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, RecordType},
};
use url::Host;

/// Why a host has no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// Not a host name and not an address.
    #[error("`{host}` is not a host name; give a name such as `mail.example.com`")]
    BadHost {
        /// What was given.
        host: String,
    },
    /// The name doesn't exist, or has no address.
    #[error("the host `{host}` was not found; check the spelling")]
    NotFound {
        /// The name.
        host: String,
    },
    /// The DNS servers gave no answer. It may be different later.
    #[error("the DNS gave no answer for `{host}` ({reason}); it is tried again later")]
    Unanswered {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
}

/// A host's name or its address, in any of the spellings that the WHATWG URL standard knows
/// (`0x7f.1` and `2130706433` are 127.0.0.1), and IPv6 without brackets too.
pub(crate) fn parse_host(host: &str) -> Result<Host, DnsError> {
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return Ok(Host::Ipv6(address));
    }
    Host::parse(host).map_err(|_| DnsError::BadHost {
        host: host.chars().take(253).collect(),
    })
}

/// Finds addresses. Cheap to clone; clones share one cache.
#[derive(Clone)]
pub struct Resolver {
    dns: TokioResolver,
}

impl Resolver {
    /// A resolver that asks these DNS servers (`dns.servers`) and nothing else; with none given,
    /// those that the system is configured for, after its hosts file.
    ///
    /// # Errors
    /// [`DnsError::Unanswered`] when the system's configuration can't be read.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, DnsError> {
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().map_err(no_configuration)?
        } else {
            let servers = servers.iter().map(|server| {
                let at_port = |mut connection: ConnectionConfig| {
                    connection.port = server.port();
                    connection
                };
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(at_port);
                NameServerConfig::new(server.ip(), true, connections.into())
            });
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        adjust(builder.options_mut(), servers.is_empty());
        let dns = builder.build().map_err(no_configuration)?;
        Ok(Self { dns })
    }

    /// The addresses of a host, IPv4 first; one at least. Nothing is asked for an address literal
    /// and for `localhost` (RFC 6761 §6.3).
    ///
    /// # Errors
    /// [`DnsError`].
    pub async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let name = match parse_host(host)? {
            Host::Ipv4(address) => return Ok(vec![address.into()]),
            Host::Ipv6(address) => return Ok(vec![address.into()]),
            Host::Domain(name) => name,
        };
        if is_localhost(&name) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        match self.dns.lookup_ip(name.as_str()).await {
            Ok(found) => {
                let mut addresses: Vec<IpAddr> = found.iter().collect();
                addresses.sort_by_key(IpAddr::is_ipv6);
                addresses.dedup();
                if addresses.is_empty() {
                    return Err(DnsError::NotFound { host: name });
                }
                Ok(addresses)
            }
            Err(error) if error.is_nx_domain() || error.is_no_records_found() => {
                Err(DnsError::NotFound { host: name })
            }
            Err(NetError::Proto(_)) => Err(DnsError::BadHost { host: name }),
            Err(error) => Err(DnsError::Unanswered {
                host: name,
                reason: error.to_string(),
            }),
        }
    }
}

impl Resolver {
    /// Whether the DNS knows where mails to a domain go: to its mail servers, or where it names
    /// none, to its own address (RFC 5321 §5.1). A null MX says that it takes none (RFC 7505).
    ///
    /// # Errors
    /// [`DnsError::Unanswered`] when nothing can be said now.
    pub async fn takes_mail(&self, domain: &str) -> Result<bool, DnsError> {
        // What is no name stands in no DNS, and a mail to a bare address is written otherwise.
        let Ok(Host::Domain(name)) = parse_host(domain) else {
            return Ok(false);
        };
        // With the root's dot nothing is looked for in the domains of the system.
        let name = format!("{}.", name.trim_end_matches('.'));
        let unanswered = |error: NetError| DnsError::Unanswered {
            host: domain.to_owned(),
            reason: error.to_string(),
        };
        match self.dns.lookup(name.as_str(), RecordType::MX).await {
            Ok(found) => {
                let mut servers = found
                    .answers()
                    .iter()
                    .filter_map(|record| match &record.data {
                        RData::MX(mx) => Some(&mx.exchange),
                        _ => None,
                    });
                let first = servers.next();
                if first.is_some() {
                    return Ok(first
                        .into_iter()
                        .chain(servers)
                        .any(|server| !server.is_root()));
                }
            }
            Err(error) if error.is_nx_domain() => return Ok(false),
            Err(error) if error.is_no_records_found() => {}
            Err(error) => return Err(unanswered(error)),
        }
        match self.dns.lookup_ip(name.as_str()).await {
            Ok(found) => Ok(found.iter().next().is_some()),
            Err(error) if error.is_nx_domain() || error.is_no_records_found() => Ok(false),
            Err(error) => Err(unanswered(error)),
        }
    }
}

fn adjust(options: &mut ResolverOpts, system: bool) {
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = if system {
        ResolveHosts::Always
    } else {
        ResolveHosts::Never
    };
    // A delivery has five seconds in all (API-8).
    options.timeout = Duration::from_secs(2);
    options.attempts = 2;
    options.max_active_requests = 1024;
    // Somebody who mends a record wants to see it work.
    options.negative_max_ttl = Some(Duration::from_secs(30));
}

fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
fn no_configuration(error: NetError) -> DnsError {
    DnsError::Unanswered {
        host: "any host".to_owned(),
        reason: format!("the system's DNS configuration can't be read: {error}; set `dns.servers`"),
    }
}
