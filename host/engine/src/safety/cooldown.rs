//! Campaigns whose mails come back too often, or are reported as spam (SAF-1).

use overture_domain::{
    AccountId, CampaignId, Timestamp, WorkspaceId,
    accounts::{Account, AccountStatus},
    campaigns::{Campaign, CampaignStatus},
    people::Actor,
    planted::{Bug, planted},
    safety::{LEAST_SENDS, LOOK_BACK, Measure, REST, Thresholds},
};
use overture_store::{Read, Tx, accounts, campaigns as stored, safety as store};

use crate::{
    Due, Env, Result,
    campaigns::{self, CampaignDetails},
    mailboxes,
};

const BY: Actor = Actor::Engine("SAF-1");

/// Lets campaigns in trouble rest, and those that have rested run again when they are out of it.
/// Whether anything changed, and when the next has rested.
///
/// # Errors
/// Only the store's; what was done before stays done.
pub(super) async fn tick(env: &Env) -> Result<(bool, Due)> {
    let now = env.now();
    let mut changed = false;
    if planted(Bug::NeverRests) {
        return Ok((changed, Due::WhenWoken));
    }
    let suspects = store::list_suspects(&mut env.db.reader(), now - LOOK_BACK).await?;
    for (ws, campaign, n, allowed) in suspects {
        if n < allowed.least() {
            continue;
        }
        while let Some(whole) = stop(env, ws, campaign).await? {
            changed = true;
            if whole {
                break;
            }
        }
    }
    let mut due = Due::WhenWoken;
    for (ws, campaign, at, _) in store::list_resting(&mut env.db.reader()).await? {
        let again = at + REST;
        if again <= now {
            read_again(env, ws, campaign).await?;
            changed = true;
            due = due.or(Due::At(now + REST));
        } else {
            due = due.or(Due::At(again));
        }
    }
    Ok((changed, due))
}

/// What a campaign's mailboxes have done of late that still send for it. What another has done
/// can't go on.
struct Health {
    allowed: Thresholds,
    mailboxes: Vec<(Account, Measure)>,
}

impl Health {
    async fn of(on: &mut impl Read, found: &CampaignDetails, now: Timestamp) -> Result<Self> {
        let (ws, id) = (found.campaign.workspace_id, found.campaign.id);
        let pool: Vec<AccountId> = found.pool.iter().map(|one| one.account_id).collect();
        let known = accounts::find_all(on, ws, &pool).await?;
        let measured = store::measure_campaign(on, ws, id, now - LOOK_BACK).await?;
        let of = |id: AccountId| {
            let found = measured.iter().find(|(account, _)| *account == id);
            found.map(|(_, measure)| *measure).unwrap_or_default()
        };
        let sending = known
            .into_iter()
            .filter(|account| account.status == AccountStatus::Connected);
        Ok(Self {
            allowed: found.campaign.safety.clone(),
            mailboxes: sending
                .map(|account| (account.clone(), of(account.id)))
                .collect(),
        })
    }

    fn all(&self) -> Measure {
        self.mailboxes.iter().map(|(_, measure)| *measure).sum()
    }

    fn trouble(&self) -> Option<String> {
        self.all().trouble(&self.allowed)
    }

    /// The mailbox that causes the trouble alone: without it the others are healthy, and have sent
    /// enough to tell.
    fn cause(&self) -> Option<(&Account, String)> {
        let all = self.all();
        self.mailboxes.iter().find_map(|(account, measure)| {
            let others = all.without(measure);
            let healthy = others.sends >= LEAST_SENDS && others.trouble(&self.allowed).is_none();
            measure
                .trouble(&self.allowed)
                .filter(|_| healthy)
                .map(|why| (account, why))
        })
    }
}

/// Stops a mailbox or the whole campaign, where it is in trouble. Whether it was all of it: after a
/// mailbox the others are looked at again.
async fn stop(env: &Env, ws: WorkspaceId, id: CampaignId) -> Result<Option<bool>> {
    let mut tx = env.db.begin().await?;
    let Some(found) = running(&mut tx, ws, id).await? else {
        return Ok(None);
    };
    let health = Health::of(&mut tx, &found, env.now()).await?;
    let Some(trouble) = health.trouble() else {
        return Ok(None);
    };
    let whole = match health.cause() {
        Some((mailbox, why)) => {
            let to = AccountStatus::Paused;
            mailboxes::status::set_in(&mut tx, env, mailbox, to, &why, &BY).await?;
            false
        }
        None => {
            let to = CampaignStatus::Cooldown;
            campaigns::set_in(&mut tx, env, &found.campaign, to, &trouble, &BY).await?;
            true
        }
    };
    tx.commit().await?;
    campaigns::wake(env);
    tracing::warn!(workspace.id = %ws, campaign.id = %id, trouble, "too many mails came back or were reported");
    Ok(Some(whole))
}

async fn running(tx: &mut Tx, ws: WorkspaceId, id: CampaignId) -> Result<Option<CampaignDetails>> {
    let status = stored::find(tx, ws, id).await?.map(|one| one.status);
    Ok(match status {
        Some(CampaignStatus::Running) => Some(campaigns::details(tx, ws, id).await?),
        _ => None,
    })
}

/// A campaign has rested: it runs again, or rests on.
async fn read_again(env: &Env, ws: WorkspaceId, id: CampaignId) -> Result<()> {
    let mut tx = env.db.begin().await?;
    let found = campaigns::details(&mut tx, ws, id).await?;
    let campaign: &Campaign = &found.campaign;
    if campaign.status != CampaignStatus::Cooldown {
        return Ok(());
    }
    match Health::of(&mut tx, &found, env.now()).await?.trouble() {
        Some(trouble) => campaigns::rest_on_in(&mut tx, env, campaign, &trouble, &BY).await?,
        None => {
            let reason = "its numbers are good again";
            let to = CampaignStatus::Running;
            campaigns::set_in(&mut tx, env, campaign, to, reason, &BY).await?;
        }
    }
    tx.commit().await?;
    campaigns::wake(env);
    Ok(())
}
