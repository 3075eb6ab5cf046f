//! The host: which plugins are loaded, and the way to call them.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use overture_domain::WorkspaceId;
use overture_plugin_pack::{Capabilities, Kind, Manifest, UrlPattern};
use url::Url;

use crate::{
    breaker::{Breaker, Quarantine},
    cache::CodeCache,
    call::Guest,
    capabilities::Services,
    classifier::Classifier,
    compiler::Compiler,
    error::{CallError, LoadError},
    formatter::Formatter,
    grants::Grants,
    inspect::{digest, inspect},
    limits::Limits,
    mail_provider::MailProvider,
    network_provider::NetworkProvider,
    plugin::{Origin, Plugin, PluginInfo},
    runtime::Runtimes,
    state::Policy,
    stats::Counters,
};

/// How a host is set up.
#[derive(Clone, Default)]
pub struct HostConfig {
    /// Calls at a time in each class of guest: as many slots has its pool. 0 is
    /// [`HostConfig::DEFAULT_PLACES`].
    pub places: u32,
    /// Where compiled plugins are kept; none compiles at every start.
    pub cache: Option<CodeCache>,
    /// Compiles what the cache doesn't have; none, or without a cache, this process does.
    pub compiler: Option<Compiler>,
}

impl HostConfig {
    /// 200 slots reserve 800 GB of addresses in each class, and hardly any memory.
    pub const DEFAULT_PLACES: u32 = 200;
}

/// All loaded plugins. Cloning it is cheap and gives the same host.
#[derive(Clone)]
pub struct PluginHost {
    runtimes: Arc<Runtimes>,
    services: Arc<Services>,
    cache: Option<CodeCache>,
    compiler: Option<Compiler>,
    plugins: Arc<RwLock<BTreeMap<String, Arc<Plugin>>>>,
}

impl PluginHost {
    /// A host without plugins.
    ///
    /// # Errors
    /// [`LoadError::Host`] when wasmtime can't be set up on this machine.
    pub fn new(config: HostConfig, services: Services) -> Result<Self, LoadError> {
        let places = match config.places {
            0 => HostConfig::DEFAULT_PLACES,
            places => places,
        };
        Ok(Self {
            runtimes: Arc::new(Runtimes::new(places)?),
            services: Arc::new(services),
            cache: config.cache,
            compiler: config.compiler,
            plugins: Arc::default(),
        })
    }

    /// Checks a plugin file and loads it, in place of one with the same id; calls under way
    /// finish on the old one. `chosen` is what the admin grants; none grants all that the
    /// manifest asks for. Compiles unless the cache has it, so call it where blocking is fine.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with the file; then nothing has changed.
    pub fn load(
        &self,
        bytes: &[u8],
        origin: Origin,
        chosen: Option<&Capabilities>,
    ) -> Result<PluginInfo, LoadError> {
        let checked = inspect(
            &self.runtimes,
            self.cache.as_ref(),
            self.compiler.as_ref(),
            bytes,
        )?;
        let manifest = checked.manifest;
        let policy = Policy {
            grants: grants(&manifest, chosen),
            limits: Limits::of(&manifest.kinds, &manifest.limits),
        };
        let plugin = Arc::new(Plugin {
            id: manifest.id.as_str().into(),
            digest: digest(bytes),
            origin,
            class: checked.class,
            code: checked.code,
            exports: checked.exports,
            policy: RwLock::new(Arc::new(policy)),
            breaker: Breaker::default(),
            stats: Counters::default(),
            manifest,
        });
        let info = self.info(&plugin);
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        plugins.insert(plugin.manifest.id.clone(), plugin);
        Ok(info)
    }

    /// Forgets a plugin; calls under way finish. False if there was none.
    pub fn unload(&self, id: &str) -> bool {
        self.plugins
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id)
            .is_some()
    }

    /// All plugins, by id.
    pub fn list(&self) -> Vec<PluginInfo> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.values().map(|plugin| self.info(plugin)).collect()
    }

    /// Where plugins came into quarantine and have not worked since (PLG-3).
    pub fn failing(&self) -> Vec<Quarantine> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let failing = plugins.values();
        failing
            .flat_map(|plugin| plugin.breaker.failing(&plugin.id))
            .collect()
    }

    /// One plugin.
    pub fn find(&self, id: &str) -> Option<PluginInfo> {
        self.plugin(id).ok().map(|plugin| self.info(&plugin))
    }

    /// The formatter whose pattern fits this URL best, the longest one (API-9): its id.
    pub fn formatter_for_url(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let host = url.host_str()?;
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let fits = plugins.values().flat_map(|plugin| {
            let patterns = plugin
                .manifest
                .urls
                .iter()
                .filter(|p| p.matches(host, url.path()));
            patterns.map(|p| (specificity(p), plugin.manifest.id.clone()))
        });
        fits.max_by_key(|(length, _)| *length).map(|(_, id)| id)
    }

    /// Grants and limits from now on; a call under way keeps its own (PLG-2, PLG-3). What the
    /// manifest does not ask for is not granted. `None` is the manifest's wish.
    ///
    /// # Errors
    /// [`CallError::UnknownPlugin`].
    pub fn set_policy(
        &self,
        id: &str,
        chosen: Option<&Capabilities>,
        limits: Option<Limits>,
    ) -> Result<(), CallError> {
        let plugin = self.plugin(id)?;
        let manifest = &plugin.manifest;
        let wanted = || Limits::of(&manifest.kinds, &manifest.limits);
        plugin.set_policy(Policy {
            grants: grants(manifest, chosen),
            limits: limits.unwrap_or_else(wanted),
        });
        Ok(())
    }

    /// Ends a plugin's quarantine in a workspace at once.
    ///
    /// # Errors
    /// [`CallError::UnknownPlugin`].
    pub fn release(&self, id: &str, workspace: WorkspaceId) -> Result<(), CallError> {
        self.plugin(id)?.breaker.release(workspace);
        Ok(())
    }

    /// A formatter to call.
    ///
    /// # Errors
    /// [`CallError::UnknownPlugin`], [`CallError::WrongKind`].
    pub fn formatter(&self, id: &str) -> Result<Formatter, CallError> {
        self.guest(id, Kind::Formatter).map(Formatter)
    }

    /// A classifier to call.
    ///
    /// # Errors
    /// [`CallError::UnknownPlugin`], [`CallError::WrongKind`].
    pub fn classifier(&self, id: &str) -> Result<Classifier, CallError> {
        self.guest(id, Kind::Classifier).map(Classifier)
    }

    /// A mail provider to call.
    ///
    /// # Errors
    /// [`CallError::UnknownPlugin`], [`CallError::WrongKind`].
    pub fn mail_provider(&self, id: &str) -> Result<MailProvider, CallError> {
        self.guest(id, Kind::MailProvider).map(MailProvider)
    }

    /// A network provider to call.
    ///
    /// # Errors
    /// [`CallError::UnknownPlugin`], [`CallError::WrongKind`].
    pub fn network_provider(&self, id: &str) -> Result<NetworkProvider, CallError> {
        self.guest(id, Kind::NetworkProvider).map(NetworkProvider)
    }

    fn guest(&self, id: &str, kind: Kind) -> Result<Guest, CallError> {
        let plugin = self.plugin(id)?;
        if !plugin.manifest.kinds.contains(&kind) {
            return Err(CallError::WrongKind {
                plugin: id.to_owned(),
                kind,
            });
        }
        Ok(Guest {
            plugin,
            runtimes: self.runtimes.clone(),
            services: self.services.clone(),
        })
    }

    fn plugin(&self, id: &str) -> Result<Arc<Plugin>, CallError> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins
            .get(id)
            .cloned()
            .ok_or_else(|| CallError::UnknownPlugin(id.to_owned()))
    }

    fn info(&self, plugin: &Plugin) -> PluginInfo {
        let policy = plugin.policy();
        PluginInfo {
            manifest: plugin.manifest.clone(),
            digest: plugin.digest.clone(),
            origin: plugin.origin.clone(),
            grants: policy.grants.clone(),
            limits: policy.limits,
            stats: plugin.stats.read(),
            quarantines: plugin
                .breaker
                .resting(&plugin.id, self.services.clock.now()),
        }
    }
}

fn grants(manifest: &Manifest, chosen: Option<&Capabilities>) -> Grants {
    match chosen {
        Some(chosen) => Grants::chosen(manifest, chosen),
        None => Grants::all_asked(manifest),
    }
}

fn specificity(pattern: &UrlPattern) -> usize {
    pattern.to_string().len()
}
