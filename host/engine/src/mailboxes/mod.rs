//! Mailboxes: connecting, testing, changing, pausing, deleting them (MB-1 to MB-5, MB-11).

mod session;

pub use session::Session;
