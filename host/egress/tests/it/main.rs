//! Egress against real local servers: DNS, TCP, HTTP and TLS on loopback, some of them hostile.

#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

// The kit's DNS server, taken as a file: a dependency on the kit would build the whole house first.
#[expect(unreachable_pub, reason = "a file of another crate")]
#[path = "../../../testkit/src/dns.rs"]
mod dns;
mod kit;

mod addresses;
mod connecting;
mod deliveries;
mod hostile;
mod resolving;
mod tls;
