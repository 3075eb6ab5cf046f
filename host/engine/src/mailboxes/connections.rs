//! SMTP connections that stay open for the next mail of the same mailbox: greeted, secured and
//! signed in once. A connection belongs to a sign-in (server, user, secret), which is one
//! mailbox's own, or shared by addresses that send through one relay login.
//!
//! A sender first takes a [`Place`]: it holds one of the mailbox's and one of the host's
//! connections, and waits while all are in use. Hosts that can't be reached give none (SAF-3).

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use overture_domain::{AccountId, Timestamp};
use overture_mail::{self as mail, Credentials, Dialer, Endpoint, smtp};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Env;

use super::breaker::Breaker;

/// How long a mail waits for a connection to become free, on the real clock; then it gives its
/// place under way to others.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// After such a wait.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// How many SMTP connections are open, and for how long. `default.toml` says what each means.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionLimits {
    /// Connections of one mailbox, at least 1.
    pub per_mailbox: usize,
    /// Connections to one mail host, at least 1, over all mailboxes of this process.
    pub per_host: usize,
    /// Mails after which a connection is closed.
    pub mails: u32,
    /// Seconds without a mail after which a connection is closed.
    pub idle_seconds: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            per_mailbox: 2,
            per_host: 16,
            mails: 100,
            idle_seconds: 30,
        }
    }
}

/// The connections of a process; begins as its default.
#[derive(Default)]
pub struct Connections(Mutex<State>);

#[derive(Default)]
struct State {
    hosts: HashMap<HostKey, Host>,
    sign_ins: HashMap<SignIn, Arc<Semaphore>>,
    /// Oldest first.
    idle: Vec<Idle>,
    held: Vec<(AccountId, Weak<AtomicBool>)>,
    closed: bool,
}

/// Name, in lower case, and port.
type HostKey = (String, u16);

/// Who signs in where.
type SignIn = (Endpoint, String);

struct Host {
    places: Arc<Semaphore>,
    breaker: Breaker,
}

struct Idle {
    /// Who used it last.
    account: AccountId,
    endpoint: Endpoint,
    credentials: Credentials,
    connection: Connection,
    /// Real time.
    since: Timestamp,
}

/// An open connection.
pub(super) struct Connection {
    pub session: smtp::Session,
    /// Mails that it was used for before.
    pub mails: u32,
}

/// No connection now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlace {
    /// When to try again.
    pub until: Timestamp,
    /// Why, for people.
    pub why: String,
}

/// The right to one connection. Dropped, it is free for others.
pub(super) struct Place {
    env: Env,
    account: AccountId,
    endpoint: Endpoint,
    credentials: Credentials,
    /// The mailbox was changed or disconnected meanwhile: its connection is not kept.
    retired: Arc<AtomicBool>,
    _of_mailbox: OwnedSemaphorePermit,
    _of_host: OwnedSemaphorePermit,
}

fn host_key(endpoint: &Endpoint) -> HostKey {
    (endpoint.host.to_lowercase(), endpoint.port)
}

fn sign_in(endpoint: &Endpoint, credentials: &Credentials) -> SignIn {
    let (Credentials::Password { user, .. } | Credentials::OAuth { user, .. }) = credentials;
    (endpoint.clone(), user.clone())
}

impl NoPlace {
    /// The host is left alone (SAF-3).
    pub(super) fn resting(endpoint: &Endpoint, until: Timestamp) -> Self {
        let why = format!(
            "{} can't be reached: several connections in a row failed, it is tried again in some minutes",
            endpoint.host
        );
        Self { until, why }
    }
}

/// Says goodbye without anybody waiting for it.
fn quit(idle: impl IntoIterator<Item = smtp::Session>) {
    for session in idle {
        tokio::spawn(session.quit());
    }
}

impl Connections {
    /// Waits until a connection may be used.
    pub(super) async fn place(
        env: &Env,
        account: AccountId,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Result<Place, NoPlace> {
        let (of_mailbox, of_host) = {
            let limits = env.config.connections;
            let mut state = env.connections.lock();
            let mailbox = Arc::clone(
                state
                    .sign_ins
                    .entry(sign_in(endpoint, credentials))
                    .or_insert_with(|| Arc::new(Semaphore::new(limits.per_mailbox.max(1)))),
            );
            (mailbox, Arc::clone(&state.host(env, endpoint).places))
        };
        // The mailbox's own first: who waits for it takes nothing from others at the host.
        let both = async {
            (
                of_mailbox.acquire_owned().await,
                of_host.acquire_owned().await,
            )
        };
        let Ok((Ok(of_mailbox), Ok(of_host))) = tokio::time::timeout(LONGEST_WAIT, both).await
        else {
            let why = format!("all connections to {} are in use", endpoint.host);
            let until = env.now() + TRY_AGAIN;
            return Err(NoPlace { until, why });
        };
        env.connections
            .admit(env, endpoint)
            .map_err(|until| NoPlace::resting(endpoint, until))?;
        let retired = Arc::<AtomicBool>::default();
        let mut state = env.connections.lock();
        state.held.retain(|(_, held)| held.strong_count() > 0);
        state.held.push((account, Arc::downgrade(&retired)));
        Ok(Place {
            env: env.clone(),
            account,
            endpoint: endpoint.clone(),
            credentials: credentials.clone(),
            retired,
            _of_mailbox: of_mailbox,
            _of_host: of_host,
        })
    }

    /// Whether a host may be dialled now (SAF-3); else from when on.
    pub(super) fn admit(&self, env: &Env, endpoint: &Endpoint) -> Result<(), Timestamp> {
        self.lock().host(env, endpoint).breaker.admit(env.now())
    }

    /// What became of dialling a host (SAF-3).
    pub(super) fn dialled<T>(&self, env: &Env, endpoint: &Endpoint, result: &mail::Result<T>) {
        let mut state = self.lock();
        let breaker = &mut state.host(env, endpoint).breaker;
        match result {
            Err(error) if error.is_connection_failure() => {
                if breaker.failed(env.now()) {
                    tracing::warn!(host = %endpoint.host, port = endpoint.port, %error, "a mail host can't be reached and is left alone for a while");
                }
            }
            // Who answers is there, whatever he says.
            _ => breaker.succeeded(),
        }
    }

    /// Hosts that are left alone since they could not be reached (SAF-3): name, port, and how often
    /// in a row.
    pub fn left_alone(&self) -> Vec<(String, u16, u32)> {
        let state = self.lock();
        let hosts = state.hosts.iter();
        let open = hosts.filter_map(|((name, port), host)| {
            Some((name.clone(), *port, host.breaker.open_after()?))
        });
        open.collect()
    }

    /// A mailbox was changed, disconnected or deleted: none of its connections stays.
    pub fn forget(&self, account: AccountId) {
        let mut state = self.lock();
        for (held, retired) in &state.held {
            if let Some(retired) = retired.upgrade().filter(|_| *held == account) {
                retired.store(true, Ordering::SeqCst);
            }
        }
        quit(state.take_idle(|idle| idle.account == account));
    }

    /// Closes what nobody has used for long, and forgets hosts that nothing is known of. `now`:
    /// real time.
    pub fn close_idle(&self, limits: ConnectionLimits, now: Timestamp) {
        let mut state = self.lock();
        quit(state.take_idle(|idle| idle.is_old(limits, now)));
        // No map holds on to a semaphore whose places somebody has or waits for.
        state
            .sign_ins
            .retain(|_, places| Arc::strong_count(places) > 1);
        state.hosts.retain(|_, host| {
            Arc::strong_count(&host.places) > 1 || host.breaker != Breaker::default()
        });
    }

    /// Says goodbye on all connections, as the process stops; those in use follow when they are
    /// through.
    pub async fn close(&self) {
        let idle: Vec<_> = {
            let mut state = self.lock();
            state.closed = true;
            state.take_idle(|_| true).collect()
        };
        futures::future::join_all(idle.into_iter().map(smtp::Session::quit)).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn host(&mut self, env: &Env, endpoint: &Endpoint) -> &mut Host {
        let places = env.config.connections.per_host.max(1);
        self.hosts
            .entry(host_key(endpoint))
            .or_insert_with(|| Host {
                places: Arc::new(Semaphore::new(places)),
                breaker: Breaker::default(),
            })
    }

    fn take_idle(&mut self, which: impl Fn(&Idle) -> bool) -> impl Iterator<Item = smtp::Session> {
        let taken: Vec<Idle> = self.idle.extract_if(.., |idle| which(idle)).collect();
        taken.into_iter().map(|idle| idle.connection.session)
    }
}

impl Idle {
    fn is_old(&self, limits: ConnectionLimits, now: Timestamp) -> bool {
        self.since + Duration::from_secs(limits.idle_seconds.into()) <= now
    }
}

impl Place {
    /// A connection that is open already.
    pub(super) fn kept(&self) -> Option<Connection> {
        let (limits, now) = (self.env.config.connections, self.env.real.now());
        let mut state = self.env.connections.lock();
        quit(state.take_idle(|idle| idle.is_old(limits, now)));
        let place = state.idle.iter().rposition(|idle| {
            idle.endpoint == self.endpoint && idle.credentials == self.credentials
        })?;
        Some(state.idle.remove(place).connection)
    }

    /// A new connection, signed in. Where the server has no room for it, one that nobody uses is
    /// closed.
    ///
    /// # Errors
    /// As [`smtp::Session::connect`].
    pub(super) async fn dial(&self, dialer: &Dialer) -> mail::Result<Connection> {
        let surplus = self.surplus();
        futures::future::join_all(surplus.into_iter().map(smtp::Session::quit)).await;
        let (endpoint, credentials) = (&self.endpoint, Some(&self.credentials));
        let result = smtp::Session::connect(dialer, endpoint, credentials).await;
        self.env.connections.dialled(&self.env, endpoint, &result);
        let session = result?;
        Ok(Connection { session, mails: 0 })
    }

    /// Idle connections in excess of the limits, the places in use counted.
    fn surplus(&self) -> Vec<smtp::Session> {
        let limits = self.env.config.connections;
        let mut state = self.env.connections.lock();
        let host = host_key(&self.endpoint);
        let sign_in = sign_in(&self.endpoint, &self.credentials);
        let used = |places: Option<usize>, limit: usize| limit.max(1) - places.unwrap_or(0);
        let of_host = used(
            state
                .hosts
                .get(&host)
                .map(|host| host.places.available_permits()),
            limits.per_host,
        );
        let of_mailbox = used(
            state
                .sign_ins
                .get(&sign_in)
                .map(|places| places.available_permits()),
            limits.per_mailbox,
        );
        let mut sessions = Vec::new();
        for (limit, used, here) in [
            (
                limits.per_mailbox.max(1),
                of_mailbox,
                &(|idle: &Idle| self::sign_in(&idle.endpoint, &idle.credentials) == sign_in)
                    as &dyn Fn(&Idle) -> bool,
            ),
            (limits.per_host.max(1), of_host, &|idle: &Idle| {
                host_key(&idle.endpoint) == host
            }),
        ] {
            let idle = state.idle.iter().filter(|idle| here(idle)).count();
            let mut excess = (idle + used).saturating_sub(limit);
            let oldest = state.idle.extract_if(.., |idle| {
                let closes = excess > 0 && here(idle);
                excess -= usize::from(closes);
                closes
            });
            sessions.extend(oldest.map(|idle| idle.connection.session));
        }
        sessions
    }

    /// Keeps a connection for the next mail, where it is of use for one.
    pub(super) fn give_back(self, mut connection: Connection) {
        if !connection.session.is_usable() {
            return;
        }
        connection.mails += 1;
        let limits = self.env.config.connections;
        let mut state = self.env.connections.lock();
        // A server that has just answered is there.
        state.host(&self.env, &self.endpoint).breaker.succeeded();
        let over = state.closed
            || self.retired.load(Ordering::SeqCst)
            || connection.mails >= limits.mails
            || limits.idle_seconds == 0;
        if over {
            quit([connection.session]);
            return;
        }
        state.idle.push(Idle {
            account: self.account,
            endpoint: self.endpoint.clone(),
            credentials: self.credentials.clone(),
            connection,
            since: self.env.real.now(),
        });
    }
}
