//! What `overture doctor` looks at: everything that `serve` needs, and what the running program has
//! found. It changes nothing.

mod database;
mod machine;
mod network;
mod parts;

use anyhow::Result;
use serde::Serialize;

use crate::config::Config;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// It works; something is less well than it should be.
    Warning,
    /// Something does not work until somebody acts.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// What was looked at, and what was found: `database.older`. Stable.
    pub code: String,
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Everything that was found, in the order of looking.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    pub(crate) fn ok(&mut self, check: &str, message: impl Into<String>) {
        self.add(Severity::Ok, format!("{check}.ok"), message.into(), None);
    }

    pub(crate) fn warning(
        &mut self,
        code: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let fix = Some(fix.into());
        self.add(Severity::Warning, code.to_owned(), message.into(), fix);
    }

    pub(crate) fn error(&mut self, code: &str, message: impl Into<String>, fix: impl Into<String>) {
        let fix = Some(fix.into());
        self.add(Severity::Error, code.to_owned(), message.into(), fix);
    }

    fn add(&mut self, severity: Severity, code: String, message: String, fix: Option<String>) {
        self.0.push(Finding {
            severity,
            code,
            message,
            fix: fix.filter(|fix| !fix.is_empty()),
        });
    }

    /// How many need somebody.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many are less well than they should be.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> usize {
        let found = self.0.iter().filter(|found| found.severity == severity);
        found.count()
    }
}

/// What to look at beyond the usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Sign in to the mailboxes, as *Test connection* does.
    pub sign_in: bool,
    /// Look at nothing outside this machine.
    pub offline: bool,
    /// Compare every index of the database with its table.
    pub thorough: bool,
}

/// Looks at everything.
pub async fn examine(config: &Result<Config>, wishes: Wishes) -> Findings {
    let mut findings = Findings::default();
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            findings.error(
                "configuration.unusable",
                format!("{error:#}"),
                "correct the configuration; nothing else can be looked at before",
            );
            return findings;
        }
    };
    parts::configuration(config, &mut findings);
    machine::disk(config, &mut findings);
    let db = database::look(config, wishes, &mut findings).await;
    parts::plugins(config, db.as_ref(), &mut findings).await;
    parts::authorities(config, &mut findings);
    if !wishes.offline {
        network::look(config, db.as_ref(), wishes, &mut findings).await;
    }
    if let Some(db) = &db {
        machine::clock(db, &mut findings).await;
        database::alerts(db, &mut findings).await;
        db.close().await;
    }
    findings
}
