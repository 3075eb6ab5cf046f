//! Prospects from a CSV file or an .xlsx workbook (PR-2).
//!
//! First the file is looked through: one that can't be imported is refused whole, with nothing
//! written. Then its rows go in by batches, each with its counts and its rejected rows in one
//! transaction; a rejected row keeps its line, its reason and its content, and so does one of which a
//! value was left out. Neither the file nor its rows are held in memory, but where each row stands:
//! those of a large file come in the order of their addresses. An import whose process dies says so
//! ([`fail_of_dead`]), and can be done again: who is there already counts as a duplicate.

mod columns;
mod export;
mod order;
mod recognise;
mod rows;
mod sheet;
mod text;
mod write;

use std::{
    collections::BTreeMap,
    io::{Read, Seek},
    sync::Arc,
};

use overture_domain::{
    ListId, Timestamp, WorkspaceId,
    prospects::{Import, ImportState, List},
};
use overture_store::{Tx, imports as store, lists, prospects};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet, spawn_blocking},
};

pub use columns::{Columns, Field};
pub use export::{problems_csv, problems_header};

use crate::{Env, Error, Part, Result};
use rows::File;

/// Rows that go in with one transaction: those of others wait some tens of milliseconds for it.
const BATCH: usize = 2_000;

/// Transactions of an import that PostgreSQL runs at the same time, each on a core of its own.
const AT_ONCE: usize = 2;

/// Why an import failed whose process is gone.
const STOPPED: &str = "the server stopped while it imported: import the file again, who is there already counts as a duplicate then";

/// What to do with a file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub file_name: String,
    /// The list that its people come to.
    pub list_id: Option<ListId>,
    /// Or a list of this name, made when there is none.
    pub list_name: Option<String>,
    /// People who are there already get the file's values, where it has some, and their address where
    /// they had none.
    pub update_existing: bool,
    /// Header of the file → field (`firstName`, `custom:plan`), before all guessing.
    pub mapping: BTreeMap<String, String>,
}

/// An import whose file was looked through and which has begun, but for its rows.
pub struct Begun {
    import: Import,
    file: File,
    update_existing: bool,
}

/// Looks through a file and begins its import. [`run`](Begun::run) brings its rows in.
///
/// # Errors
/// [`Error::Invalid`] with the field `file` when it can't be read as CSV with addresses,
/// [`Error::TooLarge`] past `import_max_rows`, [`Error::NotFound`] for an unknown list; nothing is
/// written then.
pub async fn begin<F: Read + Seek + Send + 'static>(
    env: &Env,
    ws: WorkspaceId,
    options: &Options,
    file: F,
) -> Result<Begun> {
    let (mapping, most) = (options.mapping.clone(), env.config.import_max_rows);
    let file = spawn_blocking(move || File::check(Box::new(file), &mapping, most))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    let mut tx = env.db.begin().await?;
    let import = Import {
        id: env.id(),
        workspace_id: ws,
        file_name: options.file_name.clone(),
        list_id: list(&mut tx, env, ws, options).await?,
        state: ImportState::Running,
        failure: String::new(),
        header: file.header.iter().map(str::to_owned).collect(),
        total_rows: i64::try_from(file.rows).unwrap_or(i64::MAX),
        created_rows: 0,
        updated_rows: 0,
        duplicate_rows: 0,
        suppressed_rows: 0,
        invalid_rows: 0,
        incomplete_rows: 0,
        created_at: env.now(),
        finished_at: None,
    };
    store::insert(&mut tx, &import, env.host).await?;
    tx.commit().await?;
    Ok(Begun {
        import,
        file,
        update_existing: options.update_existing,
    })
}

impl Begun {
    /// The import as it begins.
    pub fn import(&self) -> &Import {
        &self.import
    }

    /// Brings the rows in; the import as it ended.
    ///
    /// # Errors
    /// The store's, or when the file can't be read any more. The import has failed then, and says
    /// so; rows of finished batches stay, and are in its counts.
    pub async fn run(self, env: &Env) -> Result<Import> {
        let (ws, id) = (self.import.workspace_id, self.import.id);
        let ended = self.rows(env).await;
        let failure = match &ended {
            Ok(()) => String::new(),
            Err(error) => {
                tracing::error!(import.id = %id, %error, "an import failed");
                "the import broke off: import the file again, who is there already counts as a duplicate then".to_owned()
            }
        };
        let mut tx = env.db.begin().await?;
        store::finish(&mut tx, ws, id, &failure, env.now()).await?;
        let import = store::find(&mut tx, ws, id).await?;
        tx.commit().await?;
        env.wakes.wake(Part::Sends);
        env.wakes.wake(Part::MailDomains);
        ended?;
        import.ok_or(Error::NotFound("import"))
    }

    /// One thread reads the next batches while those before are written.
    async fn rows(self, env: &Env) -> Result<()> {
        let (sender, mut batches) = mpsc::channel(1);
        let (import, file, reader) = (Arc::new(self.import), self.file, env.clone());
        let ws = import.workspace_id;
        let reading = spawn_blocking(move || {
            file.batches(&reader, ws, BATCH, |batch| {
                sender.blocking_send(batch).is_ok()
            })
        });
        let at_once = if env.db.has_one_writer() { 1 } else { AT_ONCE };
        let (mut writing, mut taken) = (JoinSet::new(), 0_usize);
        loop {
            while writing.len() >= at_once
                && let Some(task) = writing.join_next().await
            {
                ended(task)?;
            }
            let Some(batch) = batches.recv().await else {
                break;
            };
            while !batch.beside
                && let Some(task) = writing.join_next().await
            {
                ended(task)?;
            }
            taken += 1;
            if taken.is_power_of_two() {
                prospects::count_again(&env.db).await?;
            }
            let (env, import) = (env.clone(), Arc::clone(&import));
            writing.spawn(async move {
                let mut tx = env.db.begin().await?;
                write::write(&mut tx, &env, &import, self.update_existing, batch).await?;
                Ok(tx.commit().await?)
            });
        }
        while let Some(task) = writing.join_next().await {
            ended(task)?;
        }
        ended(reading.await)
    }
}

/// What a task said; a panic goes on here.
fn ended(task: std::result::Result<Result<()>, JoinError>) -> Result<()> {
    task.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Imports a file: [`begin`] and [`Begun::run`].
///
/// # Errors
/// Theirs.
pub async fn create<F: Read + Seek + Send + 'static>(
    env: &Env,
    ws: WorkspaceId,
    options: &Options,
    file: F,
) -> Result<Import> {
    begin(env, ws, options, file).await?.run(env).await
}

/// Fails imports whose processes have given no heartbeat since `alive_since`: the file was theirs
/// alone. How many.
///
/// # Errors
/// Only the store's.
pub(crate) async fn fail_of_dead(tx: &mut Tx, env: &Env, alive_since: Timestamp) -> Result<u64> {
    Ok(store::fail_dead(tx, env.host, alive_since, STOPPED, env.now()).await?)
}

/// Fails what this process imports, as it stops.
///
/// # Errors
/// Only the store's.
pub(crate) async fn fail_own(tx: &mut Tx, env: &Env) -> Result<u64> {
    Ok(store::fail_own(tx, env.host, STOPPED, env.now()).await?)
}

async fn list(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    options: &Options,
) -> Result<Option<ListId>> {
    if let Some(id) = options.list_id {
        lists::find(tx, ws, id)
            .await?
            .ok_or(Error::NotFound("list"))?;
        return Ok(Some(id));
    }
    let Some(name) = options
        .list_name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty())
    else {
        return Ok(None);
    };
    if let Some(list) = lists::find_by_name(tx, ws, name).await? {
        return Ok(Some(list.id));
    }
    let list = List {
        id: env.id(),
        workspace_id: ws,
        name: name.to_owned(),
        color: String::new(),
        prospect_count: 0,
        created_at: env.now(),
    };
    lists::insert(tx, &list).await?;
    Ok(Some(list.id))
}
