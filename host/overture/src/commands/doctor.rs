use std::path::Path;

use anyhow::{Result, anyhow, bail};
use overture_store::alerts;

use super::say;
use crate::{
    config::{Config, path_if_set},
    embedded, services,
};

/// `overture doctor`: looks at everything that `serve` needs, changes nothing, says the fix.
pub async fn run(config: &Config) -> Result<()> {
    let mut findings = Findings::default();
    findings.note(
        "configuration",
        Ok(format!("read; public_url is {}", config.public_url)),
    );
    database(config, &mut findings).await;
    alerts(config, &mut findings).await;
    master_key(config, &mut findings);
    plugins(config, &mut findings);
    ca_files(config, &mut findings);
    match findings.wrong {
        0 => Ok(()),
        n => bail!("{n} of the above need you"),
    }
}

#[derive(Default)]
struct Findings {
    wrong: usize,
}

impl Findings {
    fn note(&mut self, what: &str, found: Result<String>) {
        match found {
            Ok(text) => say(format_args!("ok    {what}: {text}")),
            Err(error) => {
                self.wrong += 1;
                say(format_args!("WRONG {what}: {error:#}"));
            }
        }
    }
}

async fn database(config: &Config, findings: &mut Findings) {
    let missing = services::sqlite_path(&config.database.url).is_some_and(|path| !path.exists());
    if missing {
        return findings.note(
            "database",
            Ok("not there yet; `overture serve` makes it".to_owned()),
        );
    }
    let look = async {
        let db = services::open_database(config).await?;
        db.check_schema().await?;
        let key = services::open_vault(config, &db)
            .await
            .map(|_| "the master key is its own");
        Ok(format!(
            "{}, schema {}, {}",
            db.dialect().name(),
            db.migrations().await?.found,
            key?
        ))
    };
    findings.note("database", look.await);
}

/// What the running program has found (OPS-7).
async fn alerts(config: &Config, findings: &mut Findings) {
    let missing = services::sqlite_path(&config.database.url).is_some_and(|path| !path.exists());
    if missing {
        return;
    }
    let open = async {
        let db = services::open_database(config).await?;
        db.check_schema().await?;
        Ok(alerts::list_open(&mut db.reader()).await?)
    };
    match open.await {
        // Said already, of the database.
        Err(_) => {}
        Ok::<_, anyhow::Error>(open) if open.is_empty() => {
            findings.note("alerts", Ok("none is open".to_owned()));
        }
        Ok(open) => {
            for alert in open {
                let since = alert.first_seen_at;
                let found = format!("{}, since {since}; {}", alert.message, alert.fix);
                findings.note(&format!("alert {}", alert.code), Err(anyhow!(found)));
            }
        }
    }
}

fn master_key(config: &Config, findings: &mut Findings) {
    let file = &config.vault.master_key_file;
    let found = match std::env::var_os("OVERTURE_MASTER_KEY") {
        Some(_) => Ok("from OVERTURE_MASTER_KEY".to_owned()),
        None if file.exists() => Ok(format!("{}; keep a copy of it elsewhere", file.display())),
        None => Ok("not there yet; it is made beside an empty database".to_owned()),
    };
    findings.note("master key", found);
}

fn plugins(config: &Config, findings: &mut Findings) {
    findings.note(
        "plugins built in",
        embedded::plugins().map(|plugins| {
            plugins
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
                .join(", ")
        }),
    );
    if let Some(folder) = path_if_set(&config.plugins.folder).filter(|folder| folder.is_dir()) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let file = entry.path();
            if file
                .extension()
                .is_some_and(|extension| extension == "wasm")
            {
                let name = file.display().to_string();
                findings.note(&name, super::plugin::summary(&file));
            }
        }
    }
}

fn ca_files(config: &Config, findings: &mut Findings) {
    for (key, file) in [
        ("mail.extra_ca_file", &config.mail.extra_ca_file),
        ("http.extra_ca_file", &config.http.extra_ca_file),
    ] {
        if let Some(file) = path_if_set(file) {
            findings.note(key, read_ca(file));
        }
    }
}

fn read_ca(file: &Path) -> Result<String> {
    overture_egress::root_store(Some(file))?;
    Ok(file.display().to_string())
}
