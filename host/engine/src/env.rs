//! The one bag of services.

use std::sync::Arc;

use overture_domain::{Clock, HostId, Id, Rng, Timestamp, id::Kind};
use overture_store::Database;
use overture_vault::Vault;

use crate::{
    Classifiers, Config, DatabaseClock, Formatters, MailProviders, NetworkProviders, PluginHealth,
    counters::Looked, mailboxes::Connections, parts::Wakes, safety::Sweep, sends::Journal,
    under_way::UnderWay, webhooks::Couriers,
};

/// Everything that operations and parts work with; cheap to clone.
#[derive(Clone)]
pub struct Env {
    pub db: Database,
    pub clock: Arc<dyn Clock>,
    /// Real time even where `clock` is driven: heartbeats, lease ages, the timestamps of
    /// signatures (DESIGN §4). Everywhere else it is the same clock.
    pub real: Arc<dyn Clock>,
    /// What `clock` and `real` are where hosts may share the database (SCH-7). None on SQLite, which has
    /// one process, and where the time is not the system's.
    pub database_clock: Option<Arc<DatabaseClock>>,
    pub rng: Arc<dyn Rng>,
    pub vault: Arc<Vault>,
    /// HTTP to webhooks and plugin hosts.
    pub http: overture_egress::Client,
    /// Asked which domains take mail (PR-7).
    pub resolver: overture_egress::Resolver,
    /// Connections to mail servers.
    pub dialer: overture_mail::Dialer,
    /// The mail providers, by the id in an account's row.
    pub providers: Arc<dyn MailProviders>,
    /// The network providers, by the same id.
    pub networks: Arc<dyn NetworkProviders>,
    /// The reply classifiers, in the admin's order.
    pub classifiers: Arc<dyn Classifiers>,
    /// The formatters of webhooks, by the id in a webhook's row.
    pub formatters: Arc<dyn Formatters>,
    pub config: Arc<Config>,
    /// Which plugins keep failing.
    pub health: Arc<dyn PluginHealth>,
    /// This process among those that share the database (SCH-5).
    pub host: HostId,
    pub wakes: Arc<Wakes>,
    pub under_way: Arc<UnderWay>,
    /// SMTP connections between mails; begins as its default.
    pub connections: Arc<Connections>,
    /// Commits attempts and outcomes of sends in groups; begins as its default.
    pub journal: Arc<Journal>,
    /// What the reconciler has looked at; begins as its default.
    pub counters: Arc<Looked>,
    /// Since when this process looks for what is forgotten; begins as its default.
    pub sweep: Arc<Sweep>,
    /// Deliveries of webhooks on their way; begins as its default.
    pub couriers: Arc<Couriers>,
}

impl Env {
    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new id of this moment.
    pub fn id<K: Kind>(&self) -> Id<K> {
        Id::new(self.clock.now(), &*self.rng)
    }
}
