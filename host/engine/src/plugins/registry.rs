//! Loading plugins, and knowing which there are.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use overture_domain::plugins::{Plugin, PluginSource};
use overture_plugin_host::{
    Capabilities, CodeCache, HostConfig, Kind, Manifest, Origin, PluginHost, PluginInfo,
};
use overture_store::plugins as store;
use serde_json::{Value, json};

use super::{
    services::{Backing, services},
    settings::{PluginGrants, Settings},
};
use crate::{Error, Result};

/// The plugins of this process. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    pub(super) host: PluginHost,
    /// Loaded ones in the admin's order (CLS-4).
    pub(super) order: Arc<[String]>,
    pub(super) disabled: Arc<BTreeSet<String>>,
    pub(super) refused: Arc<[Refused]>,
}

/// A plugin as `overture plugin list` shows it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub info: PluginInfo,
    /// A disabled one is loaded for nobody.
    pub enabled: bool,
}

/// A file of the folder that did not become a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub file: PathBuf,
    /// What is wrong with it and what to do.
    pub reason: String,
}

/// A plugin that was loaded, before it is noted.
pub(super) struct Loaded {
    pub(super) info: PluginInfo,
    source: PluginSource,
}

impl Registry {
    /// Loads the plugins of the binary and those of the folder, and notes them in the database.
    /// A file that can't be used is listed by [`refused`](Self::refused); the others start.
    ///
    /// # Errors
    /// [`Error::Outside`] when the plugin host can't be set up, a plugin of the binary can't be
    /// loaded, or the folder can't be read; [`Error::Store`].
    pub async fn open(
        backing: Backing,
        settings: Settings,
        embedded: Vec<Vec<u8>>,
    ) -> Result<Self> {
        let config = HostConfig {
            places: settings.places,
            cache: settings
                .cache_folder
                .as_ref()
                .map(|folder| CodeCache::new(folder, *backing.vault.derive_key("plugin-cache"))),
            compiler: settings.compiler.clone(),
        };
        let services = services(&backing, settings.secrets.clone());
        // Compiling takes its time.
        let loading = tokio::task::spawn_blocking(move || {
            let host = PluginHost::new(config, services)
                .map_err(|error| Error::Outside(error.to_string()))?;
            let mut loaded = load_embedded(&host, &embedded)?;
            let refused = load_folder(&host, &settings, &mut loaded)?;
            Ok::<_, Error>((host, loaded, refused))
        });
        let (host, loaded, refused) = loading.await.expect("loading plugins does not panic")?;
        for Refused { file, reason } in &refused {
            tracing::error!("plugin {} is not loaded: {reason}", file.display());
        }
        let noted = note(&backing, &loaded).await?;
        let (mut order, mut disabled) = (Vec::new(), BTreeSet::new());
        for plugin in noted {
            if host.find(&plugin.id).is_none() {
                continue;
            }
            if !plugin.enabled {
                disabled.insert(plugin.id.clone());
            }
            order.push(plugin.id);
        }
        Ok(Self {
            host,
            order: order.into(),
            disabled: Arc::new(disabled),
            refused: refused.into(),
        })
    }

    /// All plugins, in the admin's order (CLS-4).
    pub fn list(&self) -> Vec<Listed> {
        let infos = self.order.iter().filter_map(|id| self.host.find(id));
        infos
            .map(|info| Listed {
                enabled: self.is_enabled(&info.manifest.id),
                info,
            })
            .collect()
    }

    /// Files of the folder that did not become plugins, and why.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Ids of the enabled plugins of a kind, in the admin's order.
    pub(super) fn of_kind(&self, kind: Kind) -> Vec<PluginInfo> {
        let enabled = self.list().into_iter().filter(|listed| listed.enabled);
        enabled
            .map(|listed| listed.info)
            .filter(|info| info.manifest.kinds.contains(&kind))
            .collect()
    }

    pub(super) fn is_enabled(&self, id: &str) -> bool {
        !self.disabled.contains(id)
    }
}

pub(super) fn load_embedded(host: &PluginHost, embedded: &[Vec<u8>]) -> Result<Vec<Loaded>> {
    let load = |bytes: &Vec<u8>| {
        let info = host.load(bytes, Origin::Embedded, None).map_err(|error| {
            Error::Outside(format!(
                "a plugin inside this program can't be loaded: {error}"
            ))
        })?;
        Ok(Loaded {
            info,
            source: PluginSource::Embedded,
        })
    };
    embedded.iter().map(load).collect()
}

pub(super) fn load_folder(
    host: &PluginHost,
    settings: &Settings,
    loaded: &mut Vec<Loaded>,
) -> Result<Vec<Refused>> {
    let Some(folder) = &settings.folder else {
        return Ok(Vec::new());
    };
    let mut refused = Vec::new();
    for file in files(folder)? {
        match load_file(host, settings, &file, loaded) {
            Ok(info) => loaded.push(Loaded {
                info,
                source: PluginSource::Folder,
            }),
            Err(reason) => refused.push(Refused { file, reason }),
        }
    }
    Ok(refused)
}

/// The plugin files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| {
        Error::Outside(format!(
            "plugins.folder {} can't be read: {error}",
            folder.display()
        ))
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn load_file(
    host: &PluginHost,
    settings: &Settings,
    file: &Path,
    loaded: &[Loaded],
) -> Result<PluginInfo, String> {
    let bytes = fs::read(file).map_err(|error| format!("it can't be read: {error}"))?;
    let manifest = overture_plugin_host::manifest(&bytes).map_err(|error| error.to_string())?;
    let id = &manifest.id;
    if let Some(other) = loaded.iter().find(|other| other.info.manifest.id == *id) {
        return Err(match &other.info.origin {
            Origin::Embedded => format!(
                "its id `{id}` is that of a built-in plugin; give it another id in its plugin.toml"
            ),
            Origin::File(other) => format!(
                "{} has the id `{id}` already; remove one of them",
                other.display()
            ),
        });
    }
    let nothing = PluginGrants::default();
    let granted = settings.grants.get(id).unwrap_or(&nothing).of(&manifest);
    if let Some(missing) = missing(&manifest, &granted) {
        tracing::warn!(
            plugin.id = %id,
            "plugin {id} asks for more than it is granted: {missing}; grant it under [plugins.grants.{id}], or leave it so",
        );
    }
    host.load(&bytes, Origin::File(file.to_owned()), Some(&granted))
        .map_err(|error| error.to_string())
}

/// What a plugin asks for and does not get, in words.
fn missing(manifest: &Manifest, granted: &Capabilities) -> Option<String> {
    let asked = &manifest.capabilities;
    let mut missing = Vec::new();
    let hosts = asked
        .http_hosts
        .iter()
        .filter(|host| !granted.http_hosts.contains(host));
    missing.extend(hosts.map(|host| format!("HTTP to {host}")));
    let slots = asked
        .secrets
        .iter()
        .filter(|slot| !granted.secrets.iter().any(|s| s.name == slot.name));
    missing.extend(slots.map(|slot| format!("the secret {}", slot.name)));
    if granted.store_quota_bytes < asked.store_quota_bytes {
        missing.push(format!("a store of {} bytes", asked.store_quota_bytes));
    }
    if asked.raw_mail && !granted.raw_mail {
        missing.push("the bytes of the mails that it sends".to_owned());
    }
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// Writes down what was loaded; all that was ever loaded, in the admin's order.
async fn note(backing: &Backing, loaded: &[Loaded]) -> Result<Vec<Plugin>> {
    let now = backing.clock.now();
    let mut tx = backing.db.begin().await?;
    let known = store::list(&mut tx).await?;
    let last = known.iter().map(|plugin| plugin.place).max().unwrap_or(-1);
    let plugins: Vec<_> = loaded
        .iter()
        .zip(last + 1..)
        .map(|(Loaded { info, source }, place)| Plugin {
            id: info.manifest.id.clone(),
            version: info.manifest.version.clone(),
            digest: info.digest.clone(),
            source: *source,
            manifest: manifest(&info.manifest),
            grants: grants(info),
            enabled: true,
            place,
            installed_at: now,
            updated_at: now,
        })
        .collect();
    store::upsert(&mut tx, &plugins).await?;
    let noted = store::list(&mut tx).await?;
    tx.commit().await?;
    Ok(noted)
}

fn manifest(manifest: &Manifest) -> Value {
    let kinds: Vec<_> = manifest.kinds.iter().map(|kind| kind.as_str()).collect();
    json!({
        "name": manifest.name,
        "description": manifest.description,
        "kinds": kinds,
        "license": manifest.license,
    })
}

fn grants(info: &PluginInfo) -> Value {
    let secrets: Vec<_> = info
        .grants
        .secrets()
        .iter()
        .map(|slot| &slot.name)
        .collect();
    json!({
        "httpHosts": info.grants.http_hosts(),
        "secrets": secrets,
        "storeQuotaBytes": info.grants.store_quota_bytes(),
        "rawMail": info.grants.raw_mail(),
    })
}
