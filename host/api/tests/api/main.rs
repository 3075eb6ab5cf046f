//! The API from outside: requests at [`overture_api::router`], on both databases, modules by URL.
//! Every answer that any of these tests gets is also held against the OpenAPI description.
#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

#[macro_use]
mod kit;

mod alerts;
mod bulk;
mod campaigns;
mod contract;
mod docs;
mod errors;
mod events;
mod filters;
mod health;
mod imports;
mod isolation;
mod lists;
mod mailboxes;
mod me;
mod messages;
mod openapi;
mod operations;
mod prospects;
mod sends;
mod shield;
mod slices;
mod suppressions;
mod tracking;
mod twice;
mod unsubscribe;
mod webhooks;
