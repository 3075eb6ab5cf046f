//! What the engine would put behind the capabilities, in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use overture_domain::{Timestamp, rng::SeededRng, time::ManualClock};
use overture_plugin_host::{
    Scope, Services,
    capabilities::{
        http::{HttpFailure, HttpOut, Request, Response},
        log::{GuestLog, Level},
        store::{KvError, KvStore},
    },
};

/// Everything that a test may look at or set.
#[derive(Clone)]
pub(crate) struct Fakes {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Arc<Lines>,
    pub(crate) store: Arc<Values>,
    pub(crate) http: Arc<Web>,
}

impl Default for Fakes {
    fn default() -> Self {
        Self {
            clock: Arc::new(ManualClock::new(Timestamp::from_secs(1_772_442_000))),
            log: Arc::default(),
            store: Arc::default(),
            http: Arc::default(),
        }
    }
}

impl Fakes {
    pub(crate) fn services(&self) -> Services {
        Services {
            clock: self.clock.clone(),
            rng: Arc::new(SeededRng::new(1)),
            log: self.log.clone(),
            store: self.store.clone(),
            http: self.http.clone(),
        }
    }
}

/// Log lines of guests.
#[derive(Default)]
pub(crate) struct Lines {
    pub(crate) lines: Mutex<Vec<(Level, String)>>,
    pub(crate) dropped: Mutex<u32>,
}

impl GuestLog for Lines {
    fn line(&self, _: &Scope, level: Level, text: &str) {
        self.lines.lock().unwrap().push((level, text.to_owned()));
    }

    fn dropped(&self, _: &Scope, lines: u32) {
        *self.dropped.lock().unwrap() += lines;
    }
}

/// Keys and values of each scope.
#[derive(Default)]
pub(crate) struct Values(Mutex<BTreeMap<(String, String), Vec<u8>>>);

fn place(scope: &Scope, key: &str) -> (String, String) {
    (
        format!("{}/{}", scope.plugin, scope.workspace),
        key.to_owned(),
    )
}

#[async_trait]
impl KvStore for Values {
    async fn get(&self, scope: &Scope, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        Ok(self.0.lock().unwrap().get(&place(scope, key)).cloned())
    }

    async fn set(
        &self,
        scope: &Scope,
        key: &str,
        value: &[u8],
        quota_bytes: u64,
    ) -> Result<(), KvError> {
        let mut values = self.0.lock().unwrap();
        let at = place(scope, key);
        let others = values.iter().filter(|((s, k), _)| *s == at.0 && k != key);
        let used: usize = others.map(|((_, k), v)| k.len() + v.len()).sum();
        if (used + key.len() + value.len()) as u64 > quota_bytes {
            return Err(KvError::OverQuota);
        }
        values.insert(at, value.to_vec());
        Ok(())
    }

    async fn delete(&self, scope: &Scope, key: &str) -> Result<(), KvError> {
        self.0.lock().unwrap().remove(&place(scope, key));
        Ok(())
    }

    async fn keys(
        &self,
        scope: &Scope,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<String>, KvError> {
        let values = self.0.lock().unwrap();
        let (ours, _) = place(scope, "");
        let keys = values
            .keys()
            .filter(|(s, k)| *s == ours && k.starts_with(prefix));
        Ok(keys.take(limit).map(|(_, key)| key.clone()).collect())
    }
}

/// The secret that the admin filled in.
pub(crate) const SECRET: &str = "sk-0123456789abcdef";

/// A web server that answers what it was asked, headers and all, and never ends if told so.
#[derive(Default)]
pub(crate) struct Web {
    pub(crate) seen: Mutex<Vec<Request>>,
    pub(crate) hangs: Mutex<bool>,
}

#[async_trait]
impl HttpOut for Web {
    async fn send(&self, _: &Scope, request: Request, _: u64) -> Result<Response, HttpFailure> {
        let hangs = *self.hangs.lock().unwrap();
        if hangs {
            std::future::pending::<()>().await;
        }
        let said: Vec<String> = request.headers.iter().map(|h| h.value.clone()).collect();
        let body = format!(
            "{} {} with {}",
            request.method,
            request.url,
            said.join(", ")
        );
        self.seen.lock().unwrap().push(request);
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: body.into_bytes(),
        })
    }

    async fn secret(&self, _: &Scope, slot: &str) -> Option<String> {
        (slot == "api-key").then(|| SECRET.to_owned())
    }
}
