//! What real servers, and servers that misbehave, do to a mailbox: Postfix and Dovecot, a proxy in
//! front of them, and the plugin `provider-smtp` as it travels in the binary.
#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

mod arrivals;
mod attempts;
mod copies;
mod office;
mod password;
mod steps;
mod syncs;
mod table;
