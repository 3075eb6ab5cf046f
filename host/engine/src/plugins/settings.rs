//! The settings of plugins, as they stand in the configuration file.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use overture_plugin_host::{Capabilities, Compiler, Manifest};
use overture_vault::Secret;
use serde::Deserialize;

/// Where plugins come from, and what each may do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A folder whose `*.wasm` files are loaded at the start.
    pub folder: Option<PathBuf>,
    /// Where compiled plugins are kept; without it each is compiled at every start.
    pub cache_folder: Option<PathBuf>,
    /// What compiles them; none: this process.
    #[serde(skip)]
    pub compiler: Option<Compiler>,
    /// Calls at a time in each class of guest; 0 is the plugin host's own number.
    pub places: u32,
    /// What plugins of the folder may do, by their id.
    pub grants: BTreeMap<String, PluginGrants>,
    /// Secrets for the slots of plugins: by id, then by slot. The guest never sees them (PLG-2).
    pub secrets: BTreeMap<String, BTreeMap<String, Secret>>,
}

/// What a plugin may do, of what it asks for (PLG-2).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginGrants {
    /// Hosts that it may reach, as its manifest writes them.
    pub http_hosts: BTreeSet<String>,
    /// Slots whose secret it may use, toward those of the slot's hosts that it may reach.
    pub secrets: BTreeSet<String>,
    /// Bytes that it may keep in each workspace.
    pub store_quota_bytes: u64,
    /// Whether it may read the mails that it sends.
    pub raw_mail: bool,
}

impl PluginGrants {
    /// The part of what a plugin asks for that is granted.
    pub(super) fn of(&self, manifest: &Manifest) -> Capabilities {
        let asked = &manifest.capabilities;
        let reached = |hosts: &[String]| {
            let granted = hosts.iter().filter(|host| self.http_hosts.contains(*host));
            granted.cloned().collect::<Vec<_>>()
        };
        let mut secrets = asked.secrets.clone();
        secrets.retain(|slot| self.secrets.contains(&slot.name));
        for slot in &mut secrets {
            slot.hosts = reached(&slot.hosts);
        }
        Capabilities {
            http_hosts: reached(&asked.http_hosts),
            secrets,
            store_quota_bytes: asked.store_quota_bytes.min(self.store_quota_bytes),
            raw_mail: asked.raw_mail && self.raw_mail,
        }
    }
}
