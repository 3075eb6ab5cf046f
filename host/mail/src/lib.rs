//! Mail: the dialogues with SMTP and IMAP servers, the bytes of a mail, and what an incoming one
//! says.
//!
//! | module | holds |
//! | --- | --- |
//! | [`smtp`] | a session that sends step by step, replies and what they mean |
//! | [`imap`] | a session that lists, fetches, searches, files, and waits for changes |
//! | [`check`] | "Test connection" (MB-2) |
//! | [`mime`] | from parts to RFC 5322 bytes |
//! | [`html`] | unsubscribe footer, plain text from HTML |
//! | [`inbound`] | from bytes to what attribution, bounces and classifiers need |
//!
//! Sessions get their streams from a [`Connector`] through a [`Dialer`] (DESIGN §4), so that a
//! simulator can break a dialogue anywhere. Every step has a time limit, every answer a size
//! limit, and every failure is an [`Error`] that says the stage, the cause, the server's words,
//! a stable [`Code`] (MB-2) and the mail's [`Fate`] (SAFE-3).
//!
//! This crate knows neither the database nor campaigns: what to send and what to make of a reply
//! is decided by its callers.

mod code;
mod connect;
mod error;
mod sasl;
mod wire;

pub mod check;
pub mod html;
pub mod imap;
pub mod inbound;
pub mod mime;
pub mod smtp;
pub mod tls;

pub use code::{Code, UnknownCode};
pub use connect::{
    BoxedStream, Connector, Credentials, Dialer, Endpoint, NetConnector, Security, Stream, Timeouts,
};
pub use error::{Cause, Error, Fate, Result, Stage};
