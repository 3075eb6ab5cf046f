//! What stands behind the capabilities of plugins: the database for their values, egress for
//! their requests, the product's clock and chance, and the log.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use overture_domain::{Clock, Rng};
use overture_egress::{
    self as egress, Answer, Bytes, HeaderMap, HeaderName, HeaderValue, Method, Stage,
};
use overture_plugin_host::{
    Header, Scope, Services,
    capabilities::{
        http::{HttpFailure, HttpOut, Request, Response},
        log::{GuestLog, Level},
        store::{KvError, KvStore},
    },
};
use overture_store::{Database, plugins as store};
use overture_vault::{Secret, Vault};

/// The services that plugins stand on; the same ones that [`Env`](crate::Env) holds.
#[derive(Clone)]
pub struct Backing {
    pub db: Database,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub vault: Arc<Vault>,
    pub http: egress::Client,
}

/// By plugin, then by slot.
pub(super) type Secrets = BTreeMap<String, BTreeMap<String, Secret>>;

pub(super) fn services(backing: &Backing, secrets: Secrets) -> Services {
    Services {
        clock: Arc::clone(&backing.clock),
        rng: Arc::clone(&backing.rng),
        log: Arc::new(Log),
        store: Arc::new(Values(backing.db.clone())),
        http: Arc::new(Web {
            client: backing.http.clone(),
            secrets,
        }),
    }
}

/// Lines of plugins under the target `plugin`, so that they are filtered apart from the host's.
pub(super) struct Log;

impl GuestLog for Log {
    fn line(&self, scope: &Scope, level: Level, text: &str) {
        let (plugin, workspace) = (&scope.plugin, scope.workspace);
        macro_rules! line {
            ($level:ident) => {
                tracing::event!(
                    target: "plugin",
                    tracing::Level::$level,
                    plugin.id = %plugin,
                    workspace.id = %workspace,
                    "{text}"
                )
            };
        }
        match level {
            Level::Debug => line!(DEBUG),
            Level::Info => line!(INFO),
            Level::Warn => line!(WARN),
            Level::Error => line!(ERROR),
        }
    }
}

/// Values in the database, by plugin and workspace.
struct Values(Database);

fn unavailable(error: &overture_store::Error) -> KvError {
    KvError::Unavailable(error.to_string())
}

#[async_trait]
impl KvStore for Values {
    async fn get(&self, scope: &Scope, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        let found = store::value(&mut self.0.reader(), scope.workspace, &scope.plugin, key).await;
        found.map_err(|error| unavailable(&error))
    }

    async fn set(
        &self,
        scope: &Scope,
        key: &str,
        value: &[u8],
        quota_bytes: u64,
    ) -> Result<(), KvError> {
        let quota = i64::try_from(quota_bytes).unwrap_or(i64::MAX);
        let mut tx = self.0.begin().await.map_err(|error| unavailable(&error))?;
        let set =
            store::set_value(&mut tx, scope.workspace, &scope.plugin, key, value, quota).await;
        if !set.map_err(|error| unavailable(&error))? {
            return Err(KvError::OverQuota);
        }
        tx.commit().await.map_err(|error| unavailable(&error))
    }

    async fn delete(&self, scope: &Scope, key: &str) -> Result<(), KvError> {
        let mut tx = self.0.begin().await.map_err(|error| unavailable(&error))?;
        let deleted = store::delete_value(&mut tx, scope.workspace, &scope.plugin, key).await;
        deleted.map_err(|error| unavailable(&error))?;
        tx.commit().await.map_err(|error| unavailable(&error))
    }

    async fn keys(
        &self,
        scope: &Scope,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<String>, KvError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut on = self.0.reader();
        let found = store::list_keys(&mut on, scope.workspace, &scope.plugin, prefix, limit).await;
        let mut keys = found.map_err(|error| unavailable(&error))?;
        // PostgreSQL sorts by its locale.
        keys.sort_unstable();
        Ok(keys)
    }
}

/// Requests of plugins, over egress with its address policy.
struct Web {
    client: egress::Client,
    secrets: Secrets,
}

/// From DNS to the last byte of the answer; the guest's own time may end before.
const TIMEOUT: Duration = Duration::from_secs(30);

#[async_trait]
impl HttpOut for Web {
    async fn send(
        &self,
        _: &Scope,
        request: Request,
        max_body: u64,
    ) -> Result<Response, HttpFailure> {
        let invalid = |what: &str| HttpFailure::Denied(format!("{what} can't be sent"));
        let mut headers = HeaderMap::new();
        for Header { name, value } in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(name))?;
            let value = HeaderValue::from_str(value).map_err(|_| invalid(name.as_str()))?;
            headers.append(name, value);
        }
        let request = egress::Request {
            method: Method::from_bytes(request.method.as_bytes())
                .map_err(|_| invalid(&request.method))?,
            url: request.url,
            headers,
            body: Bytes::from(request.body),
            timeout: TIMEOUT,
            max_response_bytes: usize::try_from(max_body).unwrap_or(usize::MAX),
            answer: Answer::Whole,
        };
        let answer = self.client.send(request).await.map_err(failure)?;
        let header = |(name, value): (&HeaderName, &HeaderValue)| Header {
            name: name.as_str().to_owned(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        Ok(Response {
            status: answer.status.as_u16(),
            headers: answer.headers.iter().map(header).collect(),
            body: answer.body.to_vec(),
        })
    }

    async fn secret(&self, scope: &Scope, slot: &str) -> Option<String> {
        let secret = self.secrets.get(&*scope.plugin)?.get(slot)?;
        Some(secret.expose().to_owned())
    }
}

fn failure(error: egress::Error) -> HttpFailure {
    match error {
        egress::Error::Timeout { .. } => HttpFailure::Timeout,
        egress::Error::TooLarge { .. } => HttpFailure::TooLarge,
        error if error.stage() == Stage::Policy => HttpFailure::Denied(error.to_string()),
        error => HttpFailure::Unreachable(error.to_string()),
    }
}
