//! Configuration, plugins, certificate authorities: what lies in files.

use std::{collections::BTreeMap, path::Path};

use overture_plugin_host::Report;
use overture_store::{Database, plugins as store};

use super::Findings;
use crate::{
    config::{Config, path_if_set},
    embedded,
};

pub(super) fn configuration(config: &Config, findings: &mut Findings) {
    let url = &config.public_url;
    let host = url::Url::parse(url)
        .ok()
        .and_then(|url| url.host().map(|it| it.to_owned()));
    let local = match &host {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if host.is_none() {
        findings.error(
            "configuration.public_url",
            format!("public_url `{url}` names no host"),
            "write it as https://outreach.example.com",
        );
    } else if local {
        findings.warning(
            "configuration.public_url_local",
            format!(
                "public_url is {url}: links to unsubscribe lead nowhere for those who get mails"
            ),
            "set public_url to the address under which this instance is reached from outside",
        );
    } else if url.starts_with("http://") {
        findings.warning(
            "configuration.public_url_without_tls",
            format!("public_url is {url}: mail programs offer one-click unsubscription over https alone (RFC 8058)"),
            "let a reverse proxy speak TLS, and write public_url with https://",
        );
    } else {
        findings.ok("configuration", format!("read; public_url is {url}"));
    }
}

pub(super) async fn plugins(config: &Config, db: Option<&Database>, findings: &mut Findings) {
    let noted: BTreeMap<String, String> = match db {
        Some(db) => store::list(&mut db.reader())
            .await
            .unwrap_or_default()
            .into_iter()
            .map(|plugin| (plugin.id, plugin.digest))
            .collect(),
        None => BTreeMap::new(),
    };
    match embedded::plugins() {
        Ok(plugins) => {
            let names: Vec<String> = plugins.iter().map(|(name, _)| name.clone()).collect();
            let mut broken = 0;
            for (name, bytes) in plugins {
                if let Some(problem) = checked(bytes).await.problem() {
                    broken += 1;
                    findings.error(
                        "plugin.unusable",
                        format!("the built-in plugin {name}: {problem}"),
                        "install this version of overture again",
                    );
                }
            }
            if broken == 0 {
                findings.ok("plugins", format!("built in: {}", names.join(", ")));
            }
        }
        Err(error) => findings.error("plugins.missing", format!("{error:#}"), ""),
    }
    let Some(folder) = path_if_set(&config.plugins.folder).filter(|folder| folder.is_dir()) else {
        return;
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.path();
        if file.extension().is_some_and(|ending| ending == "wasm") {
            of_folder(&file, &noted, findings).await;
        }
    }
}

async fn of_folder(file: &Path, noted: &BTreeMap<String, String>, findings: &mut Findings) {
    let name = file.display();
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            return findings.error(
                "plugin.unreadable",
                format!("{name}: {error}"),
                "let the user who runs overture read it",
            );
        }
    };
    let checked = checked(bytes).await;
    if let Some(problem) = checked.problem() {
        return findings.error(
            "plugin.unusable",
            format!("{name}: {problem}"),
            "replace the file, or take it out of the folder",
        );
    }
    let Some((manifest, digest)) = checked
        .0
        .ok()
        .and_then(|it| Some((it.manifest?, it.digest)))
    else {
        return;
    };
    let what = format!("{name}: {} {}", manifest.id, manifest.version);
    match noted.get(&manifest.id) {
        Some(known) if *known != digest => findings.warning(
            "plugin.changed",
            format!("{what} is another file than at the last start"),
            "nothing, if you have replaced it: the next start takes it. Otherwise find out who did",
        ),
        _ => findings.ok("plugin", what),
    }
}

/// What a host thinks of a plugin file.
struct Checked(Result<Report, String>);

impl Checked {
    fn problem(&self) -> Option<String> {
        match &self.0 {
            Ok(report) => report.problem.as_ref().map(ToString::to_string),
            Err(error) => Some(error.clone()),
        }
    }
}

/// Compiling takes its time.
async fn checked(bytes: Vec<u8>) -> Checked {
    let check = move || overture_plugin_host::check(&bytes).map_err(|error| error.to_string());
    let checked = tokio::task::spawn_blocking(check).await;
    Checked(checked.unwrap_or_else(|_| Err("checking it has panicked".to_owned())))
}

pub(super) fn authorities(config: &Config, findings: &mut Findings) {
    for (key, file) in [
        ("mail.extra_ca_file", &config.mail.extra_ca_file),
        ("http.extra_ca_file", &config.http.extra_ca_file),
    ] {
        let Some(file) = path_if_set(file) else {
            continue;
        };
        match overture_egress::root_store(Some(file)) {
            Ok(_) => findings.ok(key, file.display().to_string()),
            Err(error) => findings.error(
                &format!("{key}.unusable"),
                error.to_string(),
                "name a PEM file with certificates of authorities, or leave it empty",
            ),
        }
    }
}
