use anyhow::Result;

use super::say;
use crate::{config::Config, services};

/// `overture migrate`
pub async fn run(config: &Config) -> Result<()> {
    let db = services::open_database(config).await?;
    let before = db.migrations().await?;
    let after = db.migrate().await?;
    match after.known - before.found {
        0 => say(format_args!(
            "the database is at schema {} already",
            after.known
        )),
        _ => say(format_args!(
            "migrated the database from schema {} to {}",
            before.found, after.known
        )),
    }
    Ok(())
}
