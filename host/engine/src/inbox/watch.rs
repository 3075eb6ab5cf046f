//! Holding IDLE (RFC 2177): a change in a watched folder makes its mailbox's sync due at once
//! (MB-8). No guest is alive meanwhile. A mailbox whose server has no IDLE, or whose connection
//! breaks, is polled as its provider asked.

use std::{collections::HashMap, sync::Arc, time::Duration};

use overture_domain::{AccountId, Timestamp, accounts::Account};
use overture_mail::{
    Code,
    imap::{self, Idle},
};
use overture_store::accounts::{self as store, Watched};
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{Env, Part, Result, mailboxes::Session};

/// Folders that one process watches at most; the others are polled.
const MAX_FOLDERS: usize = 5_000;

/// Folders of one mailbox: services count connections (facts: Gmail 15 for all programs).
const MAX_FOLDERS_EACH: usize = 2;

/// One wait; then the mailbox's row is read again.
const WAIT: Duration = Duration::from_secs(25 * 60);

/// Connections opened at a time: thousands at once would miss their time-outs, and a service
/// counts those that come together.
const OPENING: usize = 32;

/// After a connection that stood; where it can't be opened, twice as long each time.
const AGAIN: Duration = Duration::from_secs(5);

/// At most so long until the next try, and for a server without IDLE. Polling goes on meanwhile.
const REST: Duration = Duration::from_secs(5 * 60);

/// Between two looks for mailboxes that are new, changed or gone.
const REFRESH: Duration = Duration::from_secs(15);

/// Watches the mailboxes of the instance until it is dropped; then all connections close. It runs
/// beside the parts, on real time.
pub async fn run(env: Env) {
    let mut watches = Watches::default();
    loop {
        if let Err(error) = watches.refresh(&env).await {
            tracing::warn!(%error, "the mailboxes to watch could not be listed; they are polled");
        }
        pause(REFRESH).await;
    }
}

/// The watches of this process. Dropping it closes all connections.
pub struct Watches {
    running: HashMap<(AccountId, String), Watch>,
    opening: Arc<Semaphore>,
}

impl Default for Watches {
    fn default() -> Self {
        Self {
            running: HashMap::new(),
            opening: Arc::new(Semaphore::new(OPENING)),
        }
    }
}

struct Watch {
    /// Of the mailbox's row: with new settings or credentials the watch begins anew.
    updated_at: Timestamp,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watches {
    /// Begins watches for mailboxes that have none, and ends those of mailboxes that are not
    /// connected any more, were changed, or whose provider asks for other folders. How many run.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn refresh(&mut self, env: &Env) -> Result<usize> {
        let wanted = store::list_watched(&mut env.db.reader()).await?;
        let wanted: HashMap<(AccountId, String), &Watched> = wanted
            .iter()
            .flat_map(|watched| {
                let folders = watched.folders.iter().take(MAX_FOLDERS_EACH);
                folders.map(move |folder| ((watched.id, folder.clone()), watched))
            })
            .take(MAX_FOLDERS)
            .collect();
        self.running.retain(|key, watch| {
            let same = wanted
                .get(key)
                .is_some_and(|w| w.updated_at == watch.updated_at);
            same && !watch.task.is_finished()
        });
        for (key, watched) in wanted {
            let folder = key.1.clone();
            let opening = &self.opening;
            self.running.entry(key).or_insert_with(|| {
                let task = watch(env.clone(), watched.clone(), folder, Arc::clone(opening));
                Watch {
                    updated_at: watched.updated_at,
                    task: tokio::spawn(task),
                }
            });
        }
        Ok(self.running.len())
    }
}

/// Watches one folder until the mailbox is gone or was changed. There are thousands of these, and
/// they wait nearly all the time: what they do between two waits lies in boxes of its own, so that
/// it takes no memory meanwhile.
async fn watch(env: Env, watched: Watched, folder: String, opening: Arc<Semaphore>) {
    let mut rest = AGAIN;
    while Box::pin(same(&env, &watched)).await {
        rest = match Box::pin(open(&env, &watched, &folder, &opening)).await {
            None => (rest * 2).min(REST),
            Some(connection) if !connection.can_idle() => REST,
            Some(connection) => match hold(&env, &watched, connection).await {
                Held::Stood => AGAIN,
                Held::Fell => (rest * 2).min(REST),
            },
        };
        pause(rest).await;
    }
}

/// Whether the mailbox is still the one that the watch began with.
async fn same(env: &Env, watched: &Watched) -> bool {
    find(env, watched).await.is_some()
}

async fn find(env: &Env, watched: &Watched) -> Option<Account> {
    let found = store::find(&mut env.db.reader(), watched.workspace_id, watched.id).await;
    found
        .ok()?
        .filter(|account| account.updated_at == watched.updated_at)
}

/// How a connection was held.
enum Held {
    /// It told of something, or stood for a whole wait.
    Stood,
    /// It broke before.
    Fell,
}

/// Holds IDLE as long as the connection stands. Why it ended is told by the next sync, which
/// polls.
async fn hold(env: &Env, watched: &Watched, mut connection: imap::Session) -> Held {
    // What came before the server began to tell is found by a look afterwards.
    Box::pin(ask(env, watched)).await;
    let mut held = Held::Fell;
    loop {
        match connection.idle(WAIT).await {
            Ok(Idle::Changed) => Box::pin(ask(env, watched)).await,
            Ok(Idle::Quiet) => {}
            Err(_) => return held,
        }
        held = Held::Stood;
    }
}

/// A connection with the folder selected.
async fn open(
    env: &Env,
    watched: &Watched,
    folder: &str,
    opening: &Semaphore,
) -> Option<imap::Session> {
    let _turn = opening.acquire().await.ok()?;
    let account = find(env, watched).await?;
    let session = Session::open(env, &account).await.ok()?;
    match session.into_folder(folder).await {
        Ok(connection) => Some(connection),
        Err(failure) => {
            // The next look finds the same, says so, and nobody tries this password again (MB-3).
            if failure
                .code
                .parse()
                .is_ok_and(Code::is_definite_auth_failure)
            {
                ask(env, watched).await;
            }
            None
        }
    }
}

/// Makes the mailbox's sync due now.
async fn ask(env: &Env, watched: &Watched) {
    let asked = async {
        let mut tx = env.db.begin().await?;
        store::request_sync(&mut tx, watched.workspace_id, watched.id, env.now()).await?;
        tx.commit().await
    };
    match asked.await {
        Ok(()) => env.wakes.wake(Part::Inboxes),
        Err(error) => {
            tracing::warn!(account.id = %watched.id, %error, "a change in a mailbox could not be noted; it is polled");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "connections are held on real time, beside the parts (DESIGN §4)"
)]
async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the future that a function makes.
    fn size<A, B, C, D, F>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    // DESIGN §6: 2,000 of them and the whole process in 140 MB.
    #[test]
    fn a_watch_is_small() {
        let bytes = size(watch);
        assert!(bytes <= 4 * 1024, "{bytes} bytes");
    }
}
