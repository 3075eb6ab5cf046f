//! The turn of a workspace: what is seen, decided and written.
//!
//! SQLite has one writer, and sends wait for it. There all is seen and decided before the
//! transaction, and again within it where somebody has written meanwhile.

use std::collections::HashSet;

use overture_domain::{
    AccountId, WorkspaceId,
    caps::Usage,
    enrollments::{Job, Lane},
};
use overture_store::{Concerns, Read, Tx, accounts, caps, lanes::Look, people};

use crate::{Env, Error, Part, Result};

use super::{
    super::{
        limits::Presets,
        world::World,
        writes::{Mail, Writes},
    },
    Batch,
};

/// Decides about claimed jobs of a workspace: `lanes` are those whose heads they are. The mails
/// that go now, at most `hands`; everything else waits for room, is put off, parked or ended with
/// its reason.
pub(in crate::sends) async fn hand_out(
    env: &Env,
    ws: WorkspaceId,
    lanes: Vec<Lane>,
    claimed: Vec<Job>,
    hands: usize,
) -> Result<Vec<Mail>> {
    // A plugin may be asked: not within the transaction.
    let presets = Presets::of(env.providers.presets(ws).await);
    let task = Task {
        env,
        ws,
        lanes,
        claimed,
        presets,
        hands,
    };
    let mut tx;
    if let Some(revision) = env.db.revision(ws) {
        let mut snapshot = env.db.snapshot().await?;
        let seen = task.see(&mut snapshot).await?;
        let decided = task.decide(&mut snapshot, &seen).await?;
        drop(snapshot);
        tx = task.lock().await?;
        if env.db.revision(ws) == Some(revision) {
            return decided.write(tx, env, ws).await;
        }
    } else {
        tx = task.lock().await?;
    }
    let seen = task.see(&mut tx).await?;
    let decided = task.decide(&mut tx, &seen).await?;
    decided.write(tx, env, ws).await
}

/// What is to be decided.
pub(super) struct Task<'a> {
    pub env: &'a Env,
    ws: WorkspaceId,
    lanes: Vec<Lane>,
    pub claimed: Vec<Job>,
    presets: Presets,
    pub hands: usize,
}

/// What the decisions are made on.
struct Seen {
    world: World,
    usage: Usage,
    /// A cap seems to be reached by a counter alone.
    doubts: bool,
}

impl Task<'_> {
    /// The transaction that writes, with the workspace's lock.
    async fn lock(&self) -> Result<Tx> {
        let mut tx = self.env.db.begin().await?;
        if !people::lock_workspace(&mut tx, self.ws).await? {
            return Err(Error::NotFound("workspace"));
        }
        tx.concerns(Concerns::Workspace(self.ws));
        Ok(tx)
    }

    async fn see(&self, on: &mut impl Read) -> Result<Seen> {
        let presets = self.presets.clone();
        let world = World::load(on, self.env, self.ws, &self.claimed, presets).await?;
        let limits = world.limits();
        let mut usage = caps::usage(on, self.ws, &limits, world.now).await?;
        let doubts = world
            .look_at_full(on, self.env, &limits, &mut usage)
            .await?;
        Ok(Seen {
            world,
            usage,
            doubts,
        })
    }

    async fn decide<'a>(&'a self, on: &mut impl Read, seen: &'a Seen) -> Result<Decided<'a>> {
        let Seen { world, usage, .. } = seen;
        let (mut usage, mut known) = (usage.clone(), HashSet::new());
        let mut batch = loop {
            let batch = Batch::of(self, world, (&usage, &known));
            let assumed = batch.assumed();
            let read = caps::usage(on, self.ws, &assumed, world.now).await?;
            if batch.stands(&assumed, &read) {
                break batch;
            }
            known.extend(assumed.into_iter().map(|limit| limit.subject));
            usage.extend(read);
        };
        let looks = batch.looks(&self.lanes);
        let mut writes = batch.writes;
        let accounts: Vec<AccountId> = writes.mails.iter().map(|mail| mail.account.id).collect();
        let sealed = accounts::list_credentials(on, self.ws, &accounts).await?;
        for mail in &mut writes.mails {
            mail.sealed = sealed.get(&mail.account.id).cloned();
        }
        Ok(Decided {
            looks,
            writes,
            doubts: seen.doubts,
        })
    }
}

/// What became of the jobs, to be written.
struct Decided<'a> {
    looks: Vec<Look>,
    writes: Writes<'a>,
    doubts: bool,
}

impl Decided<'_> {
    async fn write(self, mut tx: Tx, env: &Env, ws: WorkspaceId) -> Result<Vec<Mail>> {
        let unclear = self.writes.has_unclear();
        let mails = self.writes.write(&mut tx, ws, &self.looks).await?;
        tx.commit().await?;
        if unclear {
            // What woke this part before the commit found nothing to look for.
            env.wakes.wake(Part::Evidence);
        }
        if self.doubts {
            tracing::warn!(workspace.id = %ws, "a cap seems to be reached by a counter alone; it is checked");
            env.wakes.wake(Part::Counters);
        }
        Ok(mails)
    }
}
