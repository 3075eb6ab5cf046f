//! The settings that operations and parts read; `overture` fills them from `default.toml`, the
//! operator's file, the environment and flags.

use std::time::Duration;

use serde::Deserialize;

use crate::mailboxes::ConnectionLimits;

/// Settings of the engine, as they stand in the configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where tracking, unsubscribe and page links point, without a slash at the end.
    pub public_url: String,
    /// Rows that one import may hold (PR-2).
    pub import_max_rows: usize,
    /// Sends under way at a time in this process, over all mailboxes.
    pub concurrent_sends: usize,
    /// SMTP connections between mails.
    pub connections: ConnectionLimits,
    /// Whether the DNS is asked which domains take mail (PR-7).
    pub check_routing: bool,
    /// Mailboxes that this process reads at a time.
    pub concurrent_syncs: usize,
    /// Deliveries of webhooks under way at a time in this process; one endpoint has at most a
    /// sixteenth of them (API-8).
    pub concurrent_deliveries: usize,
    /// A host whose last heartbeat is older has died (SCH-5).
    pub host_dead_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            import_max_rows: 10_000,
            concurrent_sends: 32,
            connections: ConnectionLimits::default(),
            check_routing: true,
            concurrent_syncs: 32,
            concurrent_deliveries: 256,
            host_dead_after: Duration::from_secs(30),
        }
    }
}
