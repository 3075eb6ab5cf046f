//! The capability `store`: keys and values of one plugin in one workspace, with a quota.

use async_trait::async_trait;

use crate::{
    bindings::overture::plugin::store::{self as wit, StoreError},
    capabilities::Scope,
    state::GuestState,
};

/// Keys that one listing answers at most.
const MAX_KEYS: usize = 1_000;

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 256;

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvError {
    /// Keys and values together would pass the quota.
    OverQuota,
    /// It is out of reach for now; the reason is for the host's log.
    Unavailable(String),
}

/// Where plugins keep values. Every function sees the keys of its scope and no others (WS-1).
#[async_trait]
pub trait KvStore: Send + Sync {
    /// The value of a key.
    async fn get(&self, scope: &Scope, key: &str) -> Result<Option<Vec<u8>>, KvError>;
    /// Sets a value, unless all keys and values of the scope would then hold more than
    /// `quota_bytes`. Check and write are one step.
    async fn set(
        &self,
        scope: &Scope,
        key: &str,
        value: &[u8],
        quota_bytes: u64,
    ) -> Result<(), KvError>;
    /// Forgets a key; one that isn't there is no error.
    async fn delete(&self, scope: &Scope, key: &str) -> Result<(), KvError>;
    /// Keys that start with `prefix`, sorted, at most `limit`.
    async fn keys(&self, scope: &Scope, prefix: &str, limit: usize)
    -> Result<Vec<String>, KvError>;
}

impl GuestState {
    fn quota(&self) -> Result<u64, StoreError> {
        match self.policy.grants.store_quota_bytes() {
            0 => Err(StoreError::Denied),
            quota => Ok(quota),
        }
    }

    fn store_error(&self, error: KvError) -> StoreError {
        match error {
            KvError::OverQuota => StoreError::OverQuota(self.policy.grants.store_quota_bytes()),
            KvError::Unavailable(reason) => {
                tracing::warn!(plugin.id = %self.scope.plugin, "store of plugins is out of reach: {reason}");
                StoreError::Unavailable
            }
        }
    }
}

impl wit::Host for GuestState {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, StoreError>> {
        self.host_calls.count()?;
        if let Err(denied) = self.quota() {
            return Ok(Err(denied));
        }
        let found = self.services.store.get(&self.scope, &key).await;
        Ok(found.map_err(|e| self.store_error(e)))
    }

    async fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), StoreError>> {
        self.host_calls.count()?;
        let quota = match self.quota() {
            Ok(quota) => quota,
            Err(denied) => return Ok(Err(denied)),
        };
        if key.len() > MAX_KEY_BYTES || (key.len() + value.len()) as u64 > quota {
            return Ok(Err(StoreError::OverQuota(quota)));
        }
        let set = self
            .services
            .store
            .set(&self.scope, &key, &value, quota)
            .await;
        Ok(set.map_err(|e| self.store_error(e)))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), StoreError>> {
        self.host_calls.count()?;
        if let Err(denied) = self.quota() {
            return Ok(Err(denied));
        }
        let deleted = self.services.store.delete(&self.scope, &key).await;
        Ok(deleted.map_err(|e| self.store_error(e)))
    }

    async fn keys(&mut self, prefix: String) -> wasmtime::Result<Result<Vec<String>, StoreError>> {
        self.host_calls.count()?;
        if let Err(denied) = self.quota() {
            return Ok(Err(denied));
        }
        let keys = self
            .services
            .store
            .keys(&self.scope, &prefix, MAX_KEYS)
            .await;
        Ok(keys.map_err(|e| self.store_error(e)))
    }
}
