//! The only way out: every connection that Overture opens is resolved, checked and made here.
//!
//! - [`AddressPolicy`] says which addresses and ports may be reached. Private, loopback,
//!   link-local, metadata and other special addresses are refused unless the instance allows their
//!   network (API-8, MB-12, PLG-2).
//! - [`Resolver`] turns a host into addresses, by the configured DNS servers or the system's.
//! - [`connect`] resolves, checks, and connects to the very addresses that it checked, so that a
//!   name which changes its answer in between gains nothing (DNS rebinding). Mail uses it as it is;
//! - [`Client`] sends HTTP requests over it: one bounded answer a request, no redirects, no proxy
//!   from the environment, TLS 1.2 or newer (OPS-8).
//! - [`retry_after`] reads a server's wish to be left alone.
//!
//! What it must not know: the database, campaigns, plugins, secrets' slots, and the clock (all
//! deadlines here are of sockets and run on real time).

mod client;
mod connect;
mod policy;
mod resolver;
mod retry_after;
mod tls;

pub use bytes::Bytes;
pub use client::{Answer, Client, Error, Request, Response};
pub use connect::{ConnectError, Stage, connect};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use policy::{AddressPolicy, Refusal};
pub use resolver::{DnsError, Resolver};
pub use retry_after::retry_after;
pub use tls::{TlsError, client_config, root_store};
pub use url::Url;
