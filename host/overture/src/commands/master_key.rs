use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use overture_engine::master_key;
use overture_vault::{OsRng, Vault};

use super::{note, say};
use crate::{config::Config, services};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new master key and seal every credential with it; the server must be stopped
    Rotate,
}

/// `overture master-key …`
pub async fn run(config: &Config, command: Command) -> Result<()> {
    match command {
        Command::Rotate => rotate(config).await,
    }
}

async fn rotate(config: &Config) -> Result<()> {
    let _lock = services::lock(config)?;
    let db = services::open_present(config).await?;
    db.check_schema().await?;
    services::refuse_while_serving(config, &db).await?;
    // Before anything: the key at hand is the right one.
    let vault = services::open_vault(config, &db).await?;
    let file = &config.vault.master_key_file;
    let vault = match services::master_key_in_environment() {
        None => Vault::rotate_file(file, Arc::new(OsRng))?,
        // The operator has put a new one before it.
        Some(_) => vault,
    };
    let resealed = master_key::reseal(&db, &vault)
        .await
        .context("the credentials stay sealed with the earlier key, which is still at hand")?;
    db.close().await;
    if services::master_key_in_environment().is_some() {
        note(format_args!(
            "{0} gives the key: a new one before the earlier one, `{0}=\"NEW OLD\"`, is what credentials are sealed with from then on. `overture master-key rotate` with such a value seals what is there.",
            services::MASTER_KEY
        ));
    }
    say(format_args!(
        "{} mailboxes, {} webhooks and {} kept answers are sealed with the current key",
        resealed.mailboxes, resealed.webhooks, resealed.answers
    ));
    say(
        "The earlier keys stay beside it: they sign links in mails that are out, and open earlier backups. Copy the master key again.",
    );
    Ok(())
}
