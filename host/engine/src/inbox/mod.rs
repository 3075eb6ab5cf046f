//! What comes in: mailboxes are read, mails attributed, judged, and acted on (MB-8, TRK-3, CLS,
//! SAF-4).
//!
//! | module | what it does |
//! | --- | --- |
//! | `sync` | one mailbox: pages of its provider, failures with their stage (MB-3) |
//! | `arrivals` | fetching and reading the mails of a page |
//! | `attribution` | whose they are (TRK-3) |
//! | `judgement` | what the classifiers say (CLS-4) |
//! | `effects` | what follows, in one transaction with the events and the cursor |
//! | [`bounces`] | what a bounce does, told by a report or by a server at once (SAF-4) |
//! | `signals` | what a provider reports without a mail |
//! | `network` | the same way for accounts of a network |
//! | `inspect` | what all of this makes of one mail, for a person to look at |
//! | `relabel` | a person's word on a message (CLS-2) |
//! | [`watch`] | IDLE: mailboxes are read when something changes |

mod arrivals;
mod attribution;
pub mod bounces;
mod effects;
mod inspect;
mod judgement;
mod network;
mod relabel;
mod signals;
mod sync;
pub mod watch;

pub use inspect::{Bounced, FailedRecipient, Inspection, Kind, Labelled, OutOfOffice, inspect};
pub use relabel::{Relabel, message, relabel};

use std::time::Duration;

use overture_store::accounts as store;

use crate::{Due, Env, Part, Result};

/// Should this host die while it reads a mailbox, another one takes it after so long.
const LEASE: Duration = Duration::from_secs(10 * 60);

/// Begins the syncs that are due, as many as this process reads at a time. The part is woken when
/// one ends: then the time of its next stands.
///
/// # Errors
/// Only the store's: what fails in a mailbox is noted there.
pub async fn tick(env: &Env) -> Result<Due> {
    let now = env.now();
    let busy = env.under_way.count(Part::Inboxes);
    let free = env.config.concurrent_syncs.saturating_sub(busy);
    if free == 0 {
        return Ok(Due::WhenWoken);
    }
    let limit = i64::try_from(free).unwrap_or(i64::MAX);
    let mut tx = env.db.begin().await?;
    let claimed = store::claim_syncs(&mut tx, now, now + LEASE, limit).await?;
    tx.commit().await?;
    let full = claimed.len() == free;
    for account in claimed {
        env.under_way
            .spawn(&env.wakes, Part::Inboxes, sync::run(env.clone(), account));
    }
    if full {
        return Ok(Due::WhenWoken);
    }
    Ok(Due::at(store::next_sync_at(&mut env.db.reader()).await?))
}
