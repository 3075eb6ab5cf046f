//! The host against guests that misbehave, files that are none, and mailboxes that are fake.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is missing"
)]

mod cache;
mod capabilities;
mod first_party;
mod guests;
mod loading;
mod mailboxes;
mod misbehaving;
mod naked;
mod quarantine;
mod services;
