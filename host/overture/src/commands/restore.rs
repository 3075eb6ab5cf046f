use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use overture_domain::{Clock as _, Timestamp};
use overture_engine::restored::{self, HeldBack};
use overture_store::{Database, dialect::Dialect, people, schema};

use super::{backup, note, say};
use crate::{
    backups::{Manifest, archive, postgres},
    clock::SystemClock,
    config::Config,
    services,
};

#[derive(Debug, Args)]
pub struct Options {
    /// What `overture backup` wrote
    #[arg(required_unless_present = "in_place")]
    file: Option<PathBuf>,
    /// Put it in the place of a database that holds something; that one is kept aside
    #[arg(long)]
    force: bool,
    /// Nothing was sent after the backup was taken: campaigns go on at once. Say so only when the
    /// server was stopped before the backup and has not run since
    #[arg(long)]
    nothing_sent_since: bool,
    /// The database was put back by other means, as of this moment: only hold back what might go out
    /// twice
    #[arg(long, value_name = "TAKEN_AT", conflicts_with_all = ["file", "force", "nothing_sent_since"])]
    in_place: Option<Timestamp>,
}

/// `overture restore FILE`
pub async fn run(config: &Config, options: Options) -> Result<()> {
    let Some(file) = &options.file else {
        let _lock = services::lock(config)?;
        let taken_at = options
            .in_place
            .context("the command line has one of both")?;
        let db = services::open_present(config).await?;
        services::refuse_while_serving(config, &db).await?;
        db.close().await;
        report(Some(hold_back(config, taken_at).await?));
        return Ok(());
    };
    let manifest = archive::manifest(file)?;
    let kind = match services::sqlite_path(&config.database.url) {
        Some(_) => Dialect::Sqlite,
        None => Dialect::Postgres,
    };
    manifest
        .check(kind, Database::known_schema())
        .with_context(|| format!("{} can't be restored", file.display()))?;
    if options.nothing_sent_since && manifest.while_serving {
        bail!(
            "a server worked while {} was taken, so mails may have gone out after it: leave --nothing-sent-since away, and resume the campaigns by hand",
            file.display()
        );
    }
    // Without it nothing could be held back afterwards.
    if let Some(stored) = &manifest.master_key {
        services::check_key(config, stored)?;
    }
    let _lock = services::lock(config)?;
    let held = match services::sqlite_path(&config.database.url) {
        Some(target) => into_sqlite(config, &options, file, &manifest, &target).await?,
        None => into_postgres(config, &options, file, &manifest).await?,
    };
    say(format_args!(
        "Restored the database as of {} (schema {})",
        manifest.taken_at, manifest.schema
    ));
    report(held);
    Ok(())
}

/// Says what does not go on by itself.
fn report(held: Option<HeldBack>) {
    match held {
        None => say("Campaigns go on where they were."),
        Some(held) => say(format_args!(
            "Mails may have gone out after it, and it does not know of them. So:\n\
             - campaigns paused with the reason `{reason}`: {}. Resume each when you know that nobody gets a mail twice\n\
             - steps that were under way: {}. Each is looked for by its Message-ID once its campaign runs; `overture send resolve` lists those that only you can decide\n\
             - mailboxes that send nothing before their next day begins: {}. Today's limits may be used up",
            held.campaigns,
            held.sends,
            held.mailboxes,
            reason = restored::REASON,
        )),
    }
}

/// Everything is done to a file beside the database; a rename puts it in its place.
async fn into_sqlite(
    config: &Config,
    options: &Options,
    file: &Path,
    manifest: &Manifest,
    target: &Path,
) -> Result<Option<HeldBack>> {
    let there = target.exists();
    if there && !options.force && holds_something(config).await {
        bail!(
            "{} holds a database with workspaces: name another place in database.url, or say --force (it is kept aside then)",
            target.display()
        );
    }
    let beside = with_ending(target, ".restoring");
    let room = || format!("{} can't be written", beside.display());
    remove_database(&beside).with_context(room)?;
    let done = async {
        let out = fs::File::create(&beside).with_context(room)?;
        archive::extract(file, &out)?;
        out.sync_all().with_context(room)?;
        let mut new = config.clone();
        new.database.url = format!("sqlite:{}", beside.display());
        finish(&new, options, manifest).await
    };
    let held = match done.await {
        Ok(held) => held,
        Err(error) => {
            // What is there stays as it was.
            remove_database(&beside)?;
            return Err(error);
        }
    };
    let kept = if there {
        Some(keep_aside(config, target).await?)
    } else {
        None
    };
    fs::rename(&beside, target).with_context(room)?;
    archive::sync_folder(archive::folder_of(target))?;
    if let Some(kept) = kept {
        say(format_args!("What was there is kept in {}", kept.display()));
    }
    Ok(held)
}

async fn into_postgres(
    config: &Config,
    options: &Options,
    file: &Path,
    manifest: &Manifest,
) -> Result<Option<HeldBack>> {
    let db = services::open_database(config).await?;
    services::refuse_while_serving(config, &db).await?;
    let there = db.migrations().await?;
    let empty = schema::tables(&mut db.reader()).await?.is_empty();
    db.close().await;
    // All of it, before anything is touched.
    archive::extract(file, std::io::sink())?;
    if !empty {
        if holds_something(config).await && !options.force {
            bail!(
                "the database holds workspaces: make an empty one (createdb) and name it in database.url, or say --force (it is backed up first)"
            );
        }
        if there.found > manifest.schema {
            bail!(
                "the database has schema {}, the backup {}: an older one can't take its place. Make an empty database (createdb) and name it in database.url",
                there.found,
                manifest.schema
            );
        }
        let name = format!("before-restore-{}.backup", SystemClock.now().as_secs());
        let kept = archive::folder_of(file).join(name);
        backup::take(config, &kept).await?;
        say(format_args!("What was there is kept in {}", kept.display()));
    }
    note("Do not start a server before this has ended; if it is cut off, run it again.");
    let (url, from) = (config.database.url.clone(), file.to_owned());
    tokio::task::spawn_blocking(move || postgres::restore(&url, &from)).await??;
    finish(config, options, manifest).await
}

/// Brings a database that was put back to where a server may begin; what was held back.
async fn finish(
    config: &Config,
    options: &Options,
    manifest: &Manifest,
) -> Result<Option<HeldBack>> {
    let db = services::open_database(config).await?;
    let damages = db.damages(false).await?;
    if !damages.is_empty() {
        bail!("the backup's database is damaged: {}", damages.join("; "));
    }
    db.migrate().await?;
    db.close().await;
    if !options.nothing_sent_since {
        return hold_back(config, manifest.taken_at).await.map(Some);
    }
    Ok(None)
}

async fn hold_back(config: &Config, taken_at: Timestamp) -> Result<HeldBack> {
    let env = services::open_offline(config).await?;
    let held = restored::hold_back(&env, taken_at).await?;
    env.db.close().await;
    Ok(held)
}

/// What can't be read may hold something.
async fn holds_something(config: &Config) -> bool {
    let look = async {
        let db = services::open_database(config).await?;
        let there = match db.migrations().await?.found {
            0 => !schema::tables(&mut db.reader()).await?.is_empty(),
            _ => !people::list_workspaces(&mut db.reader()).await?.is_empty(),
        };
        db.close().await;
        Ok::<_, anyhow::Error>(there)
    };
    look.await.unwrap_or(true)
}

/// Gives the present database another name, with what stands in its log.
async fn keep_aside(config: &Config, target: &Path) -> Result<PathBuf> {
    // Closing it brings the log into the file. One that can't be opened keeps its log beside it.
    if let Ok(db) = services::open_database(config).await {
        db.close().await;
    }
    let ending = format!(".before-restore-{}", SystemClock.now().as_secs());
    let kept = with_ending(target, &ending);
    let context = || format!("{} can't be kept as {}", target.display(), kept.display());
    for log in ["-wal", "-shm"] {
        let from = with_ending(target, log);
        if from.exists() {
            fs::rename(&from, with_ending(&kept, log)).with_context(context)?;
        }
    }
    // A second name, and the rename that follows takes the first away: at no moment is there none.
    fs::hard_link(target, &kept).with_context(context)?;
    Ok(kept)
}

fn remove_database(file: &Path) -> std::io::Result<()> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        archive::remove(&with_ending(file, ending))?;
    }
    Ok(())
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
