//! Settings: the built-in `default.toml`, the operator's file over it, the environment over both.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use serde::{Deserialize, Deserializer, de::Error as _};

/// The documentation and the defaults in one.
pub const DEFAULT: &str = include_str!("../default.toml");
/// The operator's file where `--config` names none.
const FILE: &str = "overture.toml";
/// `OVERTURE__MAIL__ALLOWED_PORTS` sets `mail.allowed_ports`.
const PREFIX: &str = "OVERTURE__";

/// All settings; `default.toml` says what each means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub public_url: String,
    pub server: Server,
    pub database: Database,
    pub vault: Vault,
    pub engine: Engine,
    pub mail: Mail,
    pub egress: Egress,
    pub http: Http,
    pub dns: Dns,
    pub plugins: Plugins,
    pub metrics: Metrics,
    pub log: Log,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    pub requests_per_minute: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    pub master_key_file: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    pub import_max_rows: usize,
    pub concurrent_sends: usize,
    pub concurrent_syncs: usize,
    pub concurrent_deliveries: usize,
    pub host_dead_after_seconds: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub allowed_networks: Vec<ipnet::IpNet>,
    pub allowed_ports: Vec<u16>,
    pub extra_ca_file: PathBuf,
    pub check_routing: bool,
    pub connections: overture_engine::mailboxes::ConnectionLimits,
    pub timeouts: overture_mail::Timeouts,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    pub allowed_networks: Vec<ipnet::IpNet>,
    pub allow_http: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub extra_ca_file: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    pub servers: Vec<SocketAddr>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    pub folder: PathBuf,
    pub cache_folder: PathBuf,
    /// By the plugin's id.
    pub grants: BTreeMap<String, overture_engine::plugins::PluginGrants>,
    /// By the plugin's id, then by slot.
    pub secrets: BTreeMap<String, BTreeMap<String, overture_vault::Secret>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    pub token: overture_vault::Secret,
    #[serde(deserialize_with = "address_if_set")]
    pub listen: Option<SocketAddr>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// The built-in settings alone.
    ///
    /// # Errors
    /// Never: a test reads them.
    pub fn defaults() -> Result<Self> {
        Self::read(&Figment::from(Toml::string(DEFAULT)))
    }

    /// The built-in settings, with everything that is kept in one folder.
    ///
    /// # Errors
    /// As [`defaults`](Self::defaults).
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let mut config = Self::defaults()?;
        config.database.url = format!("sqlite:{}", folder.join("overture.db").display());
        config.vault.master_key_file = folder.join("master.key");
        config.plugins.folder = folder.join("plugins");
        config.plugins.cache_folder = folder.join("plugin-cache");
        Ok(config)
    }

    /// Reads the settings. `file` must exist; without it, `overture.toml` is read where there is
    /// one.
    ///
    /// # Errors
    /// A file that can't be read, a value of the wrong kind, a key that does not exist: each with
    /// its place.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let mut figment = Figment::from(Toml::string(DEFAULT));
        match file {
            Some(file) if !file.exists() => {
                bail!("there is no configuration file {}", file.display())
            }
            Some(file) => figment = figment.merge(Toml::file_exact(file)),
            None if Path::new(FILE).exists() => figment = figment.merge(Toml::file_exact(FILE)),
            None => {}
        }
        Self::read(&figment.merge(Env::prefixed(PREFIX).split("__")))
    }

    fn read(figment: &Figment) -> Result<Self> {
        let mut config: Self = figment
            .extract()
            .map_err(|errors| anyhow::anyhow!("{}", describe(errors)))
            .context("the configuration can't be used")?;
        while config.public_url.ends_with('/') {
            config.public_url.pop();
        }
        if !config.public_url.starts_with("http://") && !config.public_url.starts_with("https://") {
            bail!(
                "public_url must start with http:// or https://, it is `{}`",
                config.public_url
            );
        }
        if !(1..=3_600).contains(&config.engine.host_dead_after_seconds) {
            bail!(
                "engine.host_dead_after_seconds is 1 to 3600, it is {}",
                config.engine.host_dead_after_seconds
            );
        }
        Ok(config)
    }

    /// The settings that the engine reads.
    pub fn engine(&self) -> overture_engine::Config {
        overture_engine::Config {
            public_url: self.public_url.clone(),
            import_max_rows: self.engine.import_max_rows,
            concurrent_sends: self.engine.concurrent_sends,
            connections: self.mail.connections,
            check_routing: self.mail.check_routing,
            concurrent_syncs: self.engine.concurrent_syncs,
            concurrent_deliveries: self.engine.concurrent_deliveries,
            host_dead_after: Duration::from_secs(self.engine.host_dead_after_seconds),
        }
    }
}

/// A path that may be left empty.
pub fn path_if_set(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

fn address_if_set<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            D::Error::custom(format!(
                "`{text}` is no address with a port, such as 127.0.0.1:9464"
            ))
        }),
    }
}

fn describe(errors: figment::Error) -> String {
    let lines: Vec<_> = errors
        .into_iter()
        .map(|error| {
            let key = error.path.join(".");
            let place = error
                .metadata
                .as_ref()
                .and_then(|metadata| metadata.source.as_ref());
            let place = place.map_or_else(
                || {
                    error
                        .metadata
                        .as_ref()
                        .map(|metadata| metadata.name.to_string())
                        .unwrap_or_default()
                },
                ToString::to_string,
            );
            match key.as_str() {
                "" => format!("{place}: {}", error.kind.to_string().trim_end()),
                key => format!("`{key}`: {} (in {place})", error.kind),
            }
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(Some(file.path()))
    }

    #[test]
    fn the_defaults_are_complete() {
        let config = load("").unwrap();
        assert_eq!(config.server.listen.port(), 8080);
        assert_eq!(path_if_set(&config.mail.extra_ca_file), None);
        assert_eq!(config.mail.timeouts, overture_mail::Timeouts::default());
        assert_eq!(
            config.mail.connections,
            overture_engine::mailboxes::ConnectionLimits::default()
        );
    }

    #[test]
    fn a_file_overrides_what_it_names() {
        let config = load(
            "public_url = \"https://outreach.example.com/\"\n[mail]\nallowed_ports = [1025]\n",
        )
        .unwrap();
        assert_eq!(config.public_url, "https://outreach.example.com");
        assert_eq!(config.mail.allowed_ports, [1025]);
        assert!(config.mail.allowed_networks.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, says) in [
            ("[mial]\n", "unknown field: found `mial`"),
            (
                "[mail]\nalowed_ports = []\n",
                "unknown field: found `alowed_ports`",
            ),
            (
                "[mail]\nallowed_ports = [\"x\"]\n",
                "`mail.allowed_ports.0`",
            ),
            ("[server]\nlisten = \"8080\"\n", "`server.listen`"),
            ("public_url = \"example.com\"\n", "must start with http"),
            (
                "[engine]\nhost_dead_after_seconds = 0\n",
                "host_dead_after_seconds is 1 to 3600",
            ),
            (
                "[mail.timeouts]\ncommand = 0\n",
                "a limit in seconds is at least 1",
            ),
        ] {
            let error = format!("{:#}", load(text).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }
}
