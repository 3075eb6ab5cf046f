//! Servers that misbehave, scripted in process through the `Connector`.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod fake;
mod imap;
mod limits;
mod smtp;
mod tls;
