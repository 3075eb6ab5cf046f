//! Classifiers without a database: for looking at a mail on the command line.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use overture_domain::{Clock, Rng};
use overture_plugin_host::{
    HostConfig, Kind, PluginHost, Scope, Services,
    capabilities::{
        http::{HttpFailure, HttpOut, Request, Response},
        store::{KvError, KvStore},
    },
};

use super::{
    registry::{Registry, load_embedded, load_folder},
    services::Log,
    settings::Settings,
};
use crate::{Error, Result};

impl Registry {
    /// The classifiers of the binary, then those of the folder by name: without the database
    /// nobody knows the admin's order, nor what is disabled. Plugins of other kinds are left out.
    ///
    /// # Errors
    /// [`Error::Outside`] when the plugin host can't be set up, a plugin of the binary can't be
    /// loaded, or the folder can't be read.
    pub fn classifiers(
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        settings: &Settings,
        embedded: &[Vec<u8>],
    ) -> Result<Self> {
        let services = Services {
            clock,
            rng,
            log: Arc::new(Log),
            store: Arc::new(Nothing),
            http: Arc::new(Nothing),
        };
        let config = HostConfig {
            places: settings.places,
            cache: None,
            compiler: None,
        };
        let host =
            PluginHost::new(config, services).map_err(|error| Error::Outside(error.to_string()))?;
        let is_classifier = |bytes: &&Vec<u8>| {
            let manifest = overture_plugin_host::manifest(bytes);
            manifest.is_ok_and(|manifest| manifest.kinds.contains(&Kind::Classifier))
        };
        let embedded: Vec<_> = embedded.iter().filter(is_classifier).cloned().collect();
        let mut loaded = load_embedded(&host, &embedded)?;
        let refused = load_folder(&host, settings, &mut loaded)?;
        let order: Vec<_> = loaded
            .into_iter()
            .map(|loaded| loaded.info.manifest.id)
            .collect();
        Ok(Self {
            host,
            order: order.into(),
            disabled: Arc::new(BTreeSet::new()),
            refused: refused.into(),
        })
    }
}

/// What stands behind capabilities that no classifier can import.
struct Nothing;

const DETACHED: &str = "there is no database here";

#[async_trait]
impl KvStore for Nothing {
    async fn get(&self, _: &Scope, _: &str) -> Result<Option<Vec<u8>>, KvError> {
        Err(KvError::Unavailable(DETACHED.to_owned()))
    }

    async fn set(&self, _: &Scope, _: &str, _: &[u8], _: u64) -> Result<(), KvError> {
        Err(KvError::Unavailable(DETACHED.to_owned()))
    }

    async fn delete(&self, _: &Scope, _: &str) -> Result<(), KvError> {
        Err(KvError::Unavailable(DETACHED.to_owned()))
    }

    async fn keys(&self, _: &Scope, _: &str, _: usize) -> Result<Vec<String>, KvError> {
        Err(KvError::Unavailable(DETACHED.to_owned()))
    }
}

#[async_trait]
impl HttpOut for Nothing {
    async fn send(&self, _: &Scope, _: Request, _: u64) -> Result<Response, HttpFailure> {
        Err(HttpFailure::Unreachable(
            "there is no way out here".to_owned(),
        ))
    }

    async fn secret(&self, _: &Scope, _: &str) -> Option<String> {
        None
    }
}
