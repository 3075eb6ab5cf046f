use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use overture_plugin_host::Report;

use super::say;
use crate::{config::Config, services};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the plugins of this instance
    List,
    /// Make a plugin file of a core module and its plugin.toml
    Pack {
        /// What `cargo build --release --target wasm32-unknown-unknown` wrote (*.wasm)
        module: PathBuf,
        /// The plugin.toml beside its source
        manifest: PathBuf,
        /// The plugin file to write
        out: PathBuf,
    },
    /// Say what the host thinks of a plugin file
    Check {
        /// A packed plugin (*.wasm)
        file: PathBuf,
    },
}

/// `overture plugin …`
pub async fn run(config: &Config, command: Command) -> Result<()> {
    match command {
        Command::List => list(config).await,
        Command::Pack {
            module,
            manifest,
            out,
        } => pack(&module, &manifest, &out),
        Command::Check { file } => check(&file),
    }
}

fn pack(module: &Path, manifest: &Path, out: &Path) -> Result<()> {
    let unread = |path: &Path| format!("{} can't be read", path.display());
    let core = std::fs::read(module).with_context(|| unread(module))?;
    let text = std::fs::read_to_string(manifest).with_context(|| unread(manifest))?;
    let plugin = overture_plugin_pack::pack(&core, &text)?;
    std::fs::write(out, plugin).with_context(|| format!("{} can't be written", out.display()))?;
    say(format_args!("{} is packed", out.display()));
    Ok(())
}

async fn list(config: &Config) -> Result<()> {
    let services = services::Services::open(config, services::Clocks::System).await?;
    for plugin in services.plugins.list() {
        let manifest = &plugin.info.manifest;
        let kinds: Vec<_> = manifest.kinds.iter().map(ToString::to_string).collect();
        let state = if plugin.enabled {
            "enabled"
        } else {
            "disabled"
        };
        say(format_args!(
            "{:<20} {:<8} {:<14} {state}",
            manifest.id,
            manifest.version,
            kinds.join(", ")
        ));
    }
    let refused = services.plugins.refused();
    for one in refused {
        say(format_args!(
            "not loaded: {}: {}",
            one.file.display(),
            one.reason
        ));
    }
    Ok(())
}

fn check(file: &Path) -> Result<()> {
    let report = report(file)?;
    say(format_args!("file:    {}", file.display()));
    say(format_args!(
        "digest:  sha256:{}",
        report.digest.trim_start_matches("sha256:")
    ));
    say(format_args!("size:    {} bytes", report.size));
    if let Some(manifest) = &report.manifest {
        let kinds: Vec<_> = manifest.kinds.iter().map(ToString::to_string).collect();
        say(format_args!(
            "plugin:  {} {} ({})",
            manifest.id, manifest.version, manifest.name
        ));
        say(format_args!("kinds:   {}", kinds.join(", ")));
        let asked = &manifest.capabilities;
        let secrets: Vec<_> = asked
            .secrets
            .iter()
            .map(|slot| slot.name.as_str())
            .collect();
        say(format_args!(
            "asks:    hosts: {}",
            or_none(&asked.http_hosts.join(", "))
        ));
        say(format_args!(
            "         secrets: {}",
            or_none(&secrets.join(", "))
        ));
        say(format_args!(
            "         store: {} bytes a workspace",
            asked.store_quota_bytes
        ));
        say(format_args!(
            "         raw mail: {}",
            if asked.raw_mail { "yes" } else { "no" }
        ));
    }
    if let Some(limits) = &report.limits {
        say(format_args!(
            "limits:  {} KiB of memory, {:?} of computing in {:?}, {} calls of the host, {} HTTP requests",
            limits.memory_bytes / 1024,
            limits.cpu,
            limits.wall,
            limits.host_calls,
            limits.http_calls
        ));
    }
    match report.problem {
        None => {
            say("the host would load it");
            Ok(())
        }
        Some(problem) => bail!("the host would not load it: {problem}"),
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn report(file: &Path) -> Result<Report> {
    let bytes = std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
    Ok(overture_plugin_host::check(&bytes)?)
}
