use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use overture_domain::Clock as _;
use overture_store::{Database, dialect::Dialect};

use super::say;
use crate::{
    backups::{Manifest, archive, postgres},
    clock::SystemClock,
    config::Config,
    services,
};

#[derive(Debug, Args)]
pub struct Options {
    /// The file to write; it must not be there yet
    file: PathBuf,
}

/// `overture backup FILE`, also while a server works.
pub async fn run(config: &Config, options: Options) -> Result<()> {
    let file = &options.file;
    let manifest = take(config, file).await?;
    let bytes = std::fs::metadata(file)?.len();
    say(format_args!(
        "{}: the {} database as of {}, schema {}, {bytes} bytes",
        file.display(),
        manifest.database,
        manifest.taken_at,
        manifest.schema
    ));
    say(format_args!(
        "Not in it, and needed beside it: the master key ({}), the configuration, and plugins of {}",
        config.vault.master_key_file.display(),
        config.plugins.folder.display()
    ));
    Ok(())
}

/// Takes a backup.
///
/// # Errors
/// Why it could not be taken; then the file is not there.
pub async fn take(config: &Config, file: &Path) -> Result<Manifest> {
    if file.exists() {
        bail!(
            "{} is there already, and a backup is never overwritten: give another name",
            file.display()
        );
    }
    let db = services::open_present(config).await?;
    let now = SystemClock.now();
    let serving = services::is_serving(config, &db).await?;
    // In the folder of the backup: there must be room for it, and only this user may read it.
    let folder = archive::folder_of(file);
    let copy = tempfile::Builder::new()
        .prefix(".overture-backup-")
        .tempdir_in(folder)
        .with_context(|| format!("{} can't be written to", folder.display()))?;
    let written = async {
        let (name, copy) = match db.dialect() {
            Dialect::Sqlite => {
                let copy = copy.path().join(archive::SQLITE);
                db.copy_to(&copy).await?;
                whole(&copy).await?;
                (archive::SQLITE, copy)
            }
            Dialect::Postgres => {
                let copy = copy.path().join(archive::POSTGRES);
                let (url, out) = (config.database.url.clone(), copy.clone());
                tokio::task::spawn_blocking(move || postgres::dump(&url, &out)).await??;
                (archive::POSTGRES, copy)
            }
        };
        let payload = archive::payload(name, &copy)?;
        let manifest = Manifest::of(&db, now, serving, payload).await?;
        archive::write(file, &manifest, &copy)?;
        Ok::<_, anyhow::Error>(manifest)
    };
    let taken = written.await;
    db.close().await;
    taken.with_context(|| format!("no backup was written to {}", file.display()))
}

/// A backup of a broken database would be found to be none when it is needed.
async fn whole(copy: &Path) -> Result<()> {
    let db = Database::open(&format!("sqlite:{}", copy.display())).await?;
    let damages = db.damages(false).await;
    db.close().await;
    let damages = damages?;
    if !damages.is_empty() {
        bail!(
            "the database is damaged: {}. Put back an earlier backup",
            damages.join("; ")
        );
    }
    Ok(())
}
