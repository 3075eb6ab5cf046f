//! The engine's bag of services for a test: a fresh database, a clock that stands still, seeded
//! chance, loopback alone to reach, and no plugins until the test puts some in.

use std::sync::Arc;

use async_trait::async_trait;
use overture_domain::{
    HostId, Id, Timestamp, WorkspaceId, people::Workspace, rng::SeededRng, time::ManualClock,
};
use overture_egress::{AddressPolicy, Client, Resolver};
use overture_engine::{
    ClassifierEntry, Classifiers, Config, Env, FormatterEntry, Formatters, MailProviders,
    NetworkAnswer, NetworkProviders, PluginHealth, ProviderPreset,
};
use overture_mail::{Dialer, NetConnector, tls::Tls};
use overture_plugin_host::{
    AccountState, CallError, ClassifyContext, Done, Event, FormatContext, Formatted, Invited, Leg,
    Message, NetworkAccount, NetworkPage, Problem, Profile, SendOutcome, SyncPage, Verdict,
    capabilities::mailbox::{MailSession, Outgoing, SubmissionRecord},
};
use overture_store::{Database, hosts, people, testing::TestDatabase};
use overture_vault::Vault;

/// Monday, 9 o'clock in UTC: where the clock of every test stands at first.
pub const MONDAY: Timestamp = Timestamp::from_secs(1_772_442_000);

/// Services on a database of the test's own. Change the fields of `env` before its first use.
#[derive(Clone)]
pub struct TestEnv {
    pub env: Env,
    /// `env.clock`, to be moved.
    pub clock: Arc<ManualClock>,
    /// The database goes away with it.
    pub database: Arc<TestDatabase>,
}

impl TestEnv {
    /// Services on `database`, with this process noted as a host.
    ///
    /// # Panics
    /// When something of it can't be had.
    pub async fn new(database: TestDatabase) -> Self {
        let clock = Arc::new(ManualClock::new(MONDAY));
        let env = services(database.db.clone(), clock.clone());
        let mut tx = env.db.begin().await.expect("the database is there");
        hosts::heartbeat(&mut tx, env.host, "test", MONDAY)
            .await
            .expect("a host can be noted");
        tx.commit().await.expect("a host can be noted");
        Self {
            env,
            clock,
            database: Arc::new(database),
        }
    }

    /// A new workspace, in UTC.
    ///
    /// # Panics
    /// When it can't be written.
    pub async fn workspace(&self, name: &str) -> WorkspaceId {
        workspace(&self.env, name).await
    }
}

/// A workspace in UTC.
///
/// # Panics
/// When it can't be written.
pub async fn workspace(env: &Env, name: &str) -> WorkspaceId {
    let workspace = Workspace {
        id: env.id(),
        name: name.to_owned(),
        postal_address: String::new(),
        time_zone: "UTC".to_owned(),
        created_at: env.now(),
    };
    let mut tx = env.db.begin().await.expect("the database is there");
    people::insert_workspace(&mut tx, &workspace)
        .await
        .expect("a workspace can be written");
    tx.commit().await.expect("a workspace can be written");
    workspace.id
}

/// Services on a database: HTTP and mail reach loopback and nothing else special.
///
/// # Panics
/// When something of it can't be had.
pub fn services(db: Database, clock: Arc<ManualClock>) -> Env {
    let loopback = || vec!["127.0.0.0/8".parse().expect("a network")];
    let roots = overture_egress::root_store(None).expect("the built-in roots are read");
    let resolver = Resolver::new(&[]).expect("the system's resolver can be had");
    let rng = Arc::new(SeededRng::new(1));
    let connector = NetConnector {
        resolver: resolver.clone(),
        policy: AddressPolicy::mail(loopback(), &[]),
    };
    Env {
        db,
        real: clock.clone(),
        host: HostId::new(MONDAY, &*rng),
        clock,
        database_clock: None,
        vault: Arc::new(Vault::ephemeral(rng.clone())),
        rng,
        resolver: resolver.clone(),
        http: Client::new(
            resolver,
            AddressPolicy::http(loopback(), true),
            overture_egress::client_config(roots),
        ),
        dialer: Dialer::new(
            Arc::new(connector),
            Tls::new(None).expect("the built-in roots are read"),
        ),
        providers: Arc::new(NoPlugins),
        networks: Arc::new(NoPlugins),
        classifiers: Arc::new(NoPlugins),
        formatters: Arc::new(NoPlugins),
        health: Arc::new(NoPlugins),
        config: Arc::new(Config::default()),
        wakes: Arc::default(),
        under_way: Arc::default(),
        connections: Arc::default(),
        journal: Arc::default(),
        couriers: Arc::default(),
        counters: Arc::default(),
        sweep: Arc::default(),
    }
}

/// An id that no row has.
pub fn stranger<K: overture_domain::id::Kind>() -> Id<K> {
    Id::new(MONDAY, &SeededRng::new(u64::MAX))
}

/// No plugin of any kind.
#[derive(Clone, Copy, Debug)]
pub struct NoPlugins;

fn unknown<T>(id: &str) -> Result<T, CallError> {
    Err(CallError::UnknownPlugin(id.to_owned()))
}

impl PluginHealth for NoPlugins {
    fn failing(&self) -> Vec<overture_plugin_host::Quarantine> {
        Vec::new()
    }
}

#[async_trait]
impl Formatters for NoPlugins {
    fn list(&self) -> Vec<FormatterEntry> {
        Vec::new()
    }

    fn for_url(&self, _: &str) -> Option<String> {
        None
    }

    async fn format(
        &self,
        _: WorkspaceId,
        formatter: &str,
        _: &Event,
        _: &FormatContext,
    ) -> Result<Formatted, CallError> {
        unknown(formatter)
    }
}

#[async_trait]
impl Classifiers for NoPlugins {
    async fn list(&self, _: WorkspaceId) -> Vec<ClassifierEntry> {
        Vec::new()
    }

    async fn classify(
        &self,
        _: WorkspaceId,
        classifier: &str,
        _: &Message,
        _: &ClassifyContext,
    ) -> Result<Vec<Verdict>, CallError> {
        unknown(classifier)
    }
}

#[async_trait]
impl MailProviders for NoPlugins {
    async fn presets(&self, _: WorkspaceId) -> Vec<ProviderPreset> {
        Vec::new()
    }

    fn has_own_transport(&self, provider: &str) -> Result<bool, CallError> {
        unknown(provider)
    }

    async fn check(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        unknown(provider)
    }

    async fn send(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: Arc<dyn MailSession>,
        _: Outgoing,
    ) -> SendOutcome {
        SendOutcome {
            submission: SubmissionRecord::NotTried,
            answer: unknown(provider),
        }
    }

    async fn sync(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: Arc<dyn MailSession>,
        _: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError> {
        unknown(provider)
    }
}

#[async_trait]
impl NetworkProviders for NoPlugins {
    async fn check_status(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: &NetworkAccount,
    ) -> NetworkAnswer<AccountState> {
        unknown(provider)
    }

    async fn find_profile(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: &NetworkAccount,
        _: &str,
    ) -> NetworkAnswer<Profile> {
        unknown(provider)
    }

    async fn invite(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: &NetworkAccount,
        _: &str,
        _: Option<&str>,
    ) -> NetworkAnswer<Invited> {
        unknown(provider)
    }

    async fn send_message(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: &NetworkAccount,
        _: &str,
        _: &str,
    ) -> NetworkAnswer<Done> {
        unknown(provider)
    }

    async fn sync(
        &self,
        _: WorkspaceId,
        provider: &str,
        _: &NetworkAccount,
        _: Option<&str>,
    ) -> NetworkAnswer<NetworkPage> {
        unknown(provider)
    }
}
