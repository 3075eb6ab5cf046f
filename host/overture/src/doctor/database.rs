//! The database, its master key, and the alerts that stand in it.

use overture_domain::alerts::Severity;
use overture_engine::master_key::KEY_CHECK;
use overture_store::{Database, Error, alerts as store, people};
use overture_vault::KeyState;

use super::{Findings, Wishes};
use crate::{config::Config, services};

/// The database, where it is there and at this program's schema.
pub(super) async fn look(
    config: &Config,
    wishes: Wishes,
    findings: &mut Findings,
) -> Option<Database> {
    let missing = services::sqlite_path(&config.database.url).filter(|path| !path.exists());
    if let Some(path) = missing {
        findings.ok(
            "database",
            format!(
                "{} is not there yet; `overture serve` makes it",
                path.display()
            ),
        );
        key(config, None, findings);
        return None;
    }
    let db = match Database::open(&config.database.url).await {
        Ok(db) => db,
        Err(error) => {
            findings.error(
                "database.unreachable",
                error.to_string(),
                "check database.url, whether its server runs, and whether this user may read and write it",
            );
            return None;
        }
    };
    match db.check_schema().await {
        Ok(()) => {}
        Err(error @ Error::Older { found: 0, .. }) => {
            let _ = error;
            findings.ok("database", "it is empty; `overture serve` makes its tables");
            key(config, None, findings);
            return None;
        }
        Err(error) => {
            let code = match error {
                Error::Older { .. } => "database.older",
                Error::Newer { .. } => "database.newer",
                _ => "database.unreadable",
            };
            // Its words say what to do.
            findings.error(code, error.to_string(), "");
            return None;
        }
    }
    state(&db, wishes, findings).await;
    let stored = people::instance_value(&mut db.reader(), KEY_CHECK).await;
    key(config, stored.ok().flatten().as_deref(), findings);
    Some(db)
}

async fn state(db: &Database, wishes: Wishes, findings: &mut Findings) {
    match db.damages(wishes.thorough).await {
        Ok(damages) if damages.is_empty() => {}
        Ok(damages) => findings.error(
            "database.damaged",
            damages.join("; "),
            "stop the server, keep a copy of the file, and put a backup back: `overture restore FILE --force`",
        ),
        Err(error) => findings.error("database.unreadable", error.to_string(), ""),
    }
    match db.try_writing().await {
        Ok(()) => {}
        Err(error) => findings.error(
            "database.read_only",
            format!("nothing can be written to it: {error}"),
            "give this user the right to write the file and its folder, or the tables; check the disk",
        ),
    }
    let schema = Database::known_schema();
    findings.ok(
        "database",
        format!("{}, schema {schema}", db.dialect().name()),
    );
}

fn key(config: &Config, stored: Option<&str>, findings: &mut Findings) {
    let vault = match services::read_key(config) {
        Ok(Some(vault)) => vault,
        Ok(None) if stored.is_none() => {
            findings.ok(
                "master_key",
                "not there yet; it is made beside an empty database",
            );
            return;
        }
        Ok(None) => {
            let file = config.vault.master_key_file.display();
            findings.error(
                "master_key.missing",
                format!("there is none at {file}, and the database has credentials sealed with it"),
                format!("put its copy back, or set {}", services::MASTER_KEY),
            );
            return;
        }
        Err(error) => {
            findings.error("master_key.unusable", error.to_string(), "");
            return;
        }
    };
    let from = match services::master_key_in_environment() {
        Some(_) => services::MASTER_KEY.to_owned(),
        None => config.vault.master_key_file.display().to_string(),
    };
    match stored.map(|stored| vault.check(stored)) {
        None => findings.ok("master_key", from),
        Some(Ok(KeyState::Current)) => {
            findings.ok("master_key", format!("{from}; keep a copy of it elsewhere"));
        }
        Some(Ok(KeyState::Earlier)) => findings.warning(
            "master_key.rotation_begun",
            format!("{from} has a newer key than the database"),
            "stop the server and run `overture master-key rotate`",
        ),
        Some(Err(error)) => findings.error("master_key.wrong", error.to_string(), ""),
    }
}

/// What the running program has found (OPS-7).
pub(super) async fn alerts(db: &Database, findings: &mut Findings) {
    match store::list_open(&mut db.reader()).await {
        Ok(open) if open.is_empty() => findings.ok("alerts", "none is open"),
        Ok(open) => {
            for alert in open {
                let code = format!("alert.{}", alert.code);
                let message = format!("{}, since {}", alert.message, alert.first_seen_at);
                match alert.severity {
                    Severity::Warning => findings.warning(&code, message, alert.fix),
                    Severity::Critical => findings.error(&code, message, alert.fix),
                }
            }
        }
        Err(error) => findings.error("alerts.unreadable", error.to_string(), ""),
    }
}
