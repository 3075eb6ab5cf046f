//! Whether somebody has written since one has read: so that decisions can be made before a
//! transaction, and hold within it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use overture_domain::WorkspaceId;

/// For whom a transaction may have changed what decisions are made on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Concerns {
    #[default]
    Everybody,
    Workspace(WorkspaceId),
    Nobody,
}

/// What was committed for a workspace so far: another after each transaction that concerns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision(u64, u64);

/// The revisions of all workspaces of a database.
#[derive(Debug, Default)]
pub(crate) struct Revisions(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Transactions that concerned everybody.
    everybody: u64,
    /// Those that concerned a workspace alone.
    one: HashMap<WorkspaceId, u64>,
    /// SQLite's number, which changes when another process has written.
    version: i64,
}

impl Revisions {
    pub(crate) fn of(&self, ws: WorkspaceId) -> Revision {
        let counts = self.lock();
        let one = counts.one.get(&ws).copied();
        Revision(counts.everybody, one.unwrap_or_default())
    }

    pub(crate) fn changed(&self, concerns: Concerns) {
        match concerns {
            Concerns::Everybody => self.lock().everybody += 1,
            Concerns::Workspace(ws) => *self.lock().one.entry(ws).or_default() += 1,
            Concerns::Nobody => {}
        }
    }

    /// Takes note of what `PRAGMA data_version` says: whom other processes have written for is not
    /// known.
    pub(crate) fn has_version(&self, version: i64) {
        let mut counts = self.lock();
        if counts.version != version {
            counts.version = version;
            counts.everybody += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
