//! What the forecast of campaigns is worked out from (ROT-2).

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, CampaignId, Timestamp, WorkspaceId,
    accounts::{Account, AccountStatus, Channel},
    campaigns::{Campaign, CampaignStatus, PoolAccount, Step, StepKind},
    caps::{Cap, Limit, Usage},
    forecast::{self, Ahead, Forecast, Mailbox, Share, Standing},
    windows,
};
use overture_store::{Slice, accounts, campaigns, caps, enrollments, people};

use super::limits::{self, Presets};
use crate::{Env, Error, Result};

/// The calendar of a campaign, beside the running ones that share its mailboxes. One that doesn't
/// run is looked at as if it began now, or at its start date.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::InvalidStatus`] for a campaign with steps on a network, or one
/// that is over.
pub async fn forecast(env: &Env, ws: WorkspaceId, id: CampaignId) -> Result<Forecast> {
    let presets = Presets::of(env.providers.presets(ws).await);
    let now = env.now();
    let on = &mut env.db.reader();
    let own = campaigns::find(on, ws, id)
        .await?
        .ok_or(Error::NotFound("campaign"))?;
    let running = campaigns::Filter {
        status: Some(CampaignStatus::Running),
        ..campaigns::Filter::default()
    };
    let mut all = campaigns::list(on, ws, &running, &Slice::first(i64::MAX)).await?;
    all.retain(|campaign| campaign.id != id);
    all.insert(0, own);
    let ids: Vec<_> = all.iter().map(|campaign| campaign.id).collect();

    let mut steps: HashMap<CampaignId, Vec<Step>> = HashMap::new();
    for step in campaigns::list_steps(on, ws, &ids).await? {
        steps.entry(step.campaign_id).or_default().push(step);
    }
    check(&all[0], steps.get(&id).map_or(&[], Vec::as_slice))?;
    let mut pools: HashMap<CampaignId, Vec<PoolAccount>> = HashMap::new();
    for (campaign, account) in campaigns::list_pools(on, ws, &ids).await? {
        pools.entry(campaign).or_default().push(account);
    }
    let mut people: HashMap<CampaignId, Vec<Standing>> = HashMap::new();
    for row in enrollments::standing(on, ws, &ids).await? {
        let standing = Standing {
            step: usize::try_from(row.step_index).unwrap_or(0),
            from: row.from.map_or(now, |from| from.max(now)),
            people: row.people,
        };
        people.entry(row.campaign_id).or_default().push(standing);
    }
    let of_pools: Vec<_> = pools.values().flatten().map(|a| a.account_id).collect();
    let mut accounts = accounts::find_all(on, ws, &of_pools).await?;
    accounts.retain(|account| {
        account.status == AccountStatus::Connected && account.channel == Channel::Mail
    });
    let workspace = people::find_workspace(on, ws)
        .await?
        .ok_or(Error::NotFound("workspace"))?;
    let zone = windows::zone(&workspace.time_zone).unwrap_or(TimeZone::UTC);

    let limits_of = |campaign: &Campaign, account: &Account| {
        let first_mail = (StepKind::Email, true);
        limits::of_room(account, campaign, first_mail, &zone, &presets)
    };
    let mut carried = Carried::new(&accounts);
    let mut rooms = Vec::new();
    for campaign in &all {
        for member in pools.get(&campaign.id).into_iter().flatten() {
            let account = carried.places.get(&member.account_id);
            if let Some(place) = account.copied().filter(|_| member.active) {
                rooms.push((campaign, place, limits_of(campaign, &accounts[place])));
            }
        }
    }
    // Mailboxes share limits; each is read once.
    let mut seen = HashSet::new();
    let counted: Vec<Limit> = (rooms.iter().flat_map(|(.., room)| room))
        .filter(|limit| seen.insert((limit.cap, limit.subject.as_str())))
        .cloned()
        .collect();
    let usage = caps::usage(on, ws, &counted, now).await?;
    let mut shares: HashMap<CampaignId, Shares> = HashMap::new();
    for (campaign, place, room) in &rooms {
        let of_campaign = shares.entry(campaign.id).or_default();
        carried.add(campaign, *place, room, &usage, now, of_campaign);
    }
    let ahead: Vec<_> = all
        .iter()
        .map(|campaign| {
            let delays = steps.get(&campaign.id).into_iter().flatten();
            let shares = shares.remove(&campaign.id).unwrap_or_default();
            Ahead {
                zone: windows::zone(&campaign.time_zone).unwrap_or(TimeZone::UTC),
                windows: campaign.windows.clone(),
                daily_limit: campaign.daily_send_limit,
                used_today: shares.used_today,
                new_per_day: campaign.new_prospects_per_day,
                began_today: shares.began_today,
                follow_ups_first: campaign.follow_ups_first,
                delays: delays.map(|step| step.delay_minutes).collect(),
                start_at: campaign.start_at,
                end_at: campaign.end_at,
                pool: shares.pool,
                people: people.remove(&campaign.id).unwrap_or_default(),
            }
        })
        .collect();
    let mut found = forecast::forecast(now, &carried.mailboxes, &ahead);
    Ok(found.swap_remove(0))
}

fn check(campaign: &Campaign, steps: &[Step]) -> Result<()> {
    let over = [CampaignStatus::Completed, CampaignStatus::Archived];
    let message = if over.contains(&campaign.status) {
        format!(
            "the campaign is {}: nothing of it lies ahead",
            campaign.status
        )
    } else if steps.iter().any(|step| step.channel != Channel::Mail) {
        "only campaigns of mails have a forecast".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::InvalidStatus {
        message,
        details: Vec::new(),
    })
}

/// What a campaign has of its mailboxes.
#[derive(Default)]
struct Shares {
    pool: Vec<Share>,
    used_today: i64,
    began_today: i64,
}

/// The mailboxes, and what they carry.
struct Carried {
    places: HashMap<AccountId, usize>,
    mailboxes: Vec<Mailbox>,
}

impl Carried {
    fn new(accounts: &[Account]) -> Self {
        let places = accounts.iter().map(|account| account.id).zip(0..);
        let unlimited = Mailbox {
            limit: i64::MAX,
            used_today: 0,
            minutes_between_sends: 0,
        };
        Self {
            places: places.collect(),
            mailboxes: vec![unlimited; accounts.len()],
        }
    }

    /// Takes in what binds a campaign and one of its mailboxes by day. Rates by minute and hour are
    /// wider than any pace over a day.
    fn add(
        &mut self,
        campaign: &Campaign,
        place: usize,
        room: &[Limit],
        usage: &Usage,
        now: Timestamp,
        shares: &mut Shares,
    ) {
        let mailbox = &mut self.mailboxes[place];
        let pace = campaign.minutes_between_sends;
        mailbox.minutes_between_sends = mailbox.minutes_between_sends.max(pace);
        let mut share = Share {
            mailbox: place,
            limit: i64::MAX,
            used_today: 0,
        };
        for limit in room.iter().filter(|limit| limit.cap.is_daily()) {
            let used = usage.used(limit, now);
            match limit.cap {
                Cap::CampaignDaily => shares.used_today = used,
                Cap::CampaignNewDaily => shares.began_today = used,
                Cap::CampaignMailboxDaily => {
                    (share.limit, share.used_today) = (limit.limit, used);
                }
                // The one with the least room tomorrow; what is left of it today.
                _ if limit.limit < mailbox.limit => {
                    (mailbox.limit, mailbox.used_today) = (limit.limit, used);
                }
                _ => {}
            }
        }
        shares.pool.push(share);
    }
}
