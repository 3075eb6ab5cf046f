//! What the counters of daily caps say, looked at while life goes on (SAFE-5).

use std::time::Duration;

use anyhow::Result;
use overture_domain::{Timestamp, caps::Cap};
use overture_engine::Env;
use overture_store::{caps::heal, people};

use super::outside::{self, Shared};

/// Counters are looked at so often.
const EVERY: Duration = Duration::from_secs(3 * 3_600);

/// No day of any zone is longer.
const LONGEST_DAY: Duration = Duration::from_secs(26 * 3_600);

/// A counter of a mailbox's day or a campaign's, as it was seen.
#[derive(Clone, Debug)]
pub struct Counter {
    pub at: Timestamp,
    pub cap: Cap,
    /// Of the mailbox or the campaign.
    pub subject: String,
    /// In days since 1970.
    pub day: i64,
    pub used: i64,
    /// Of all mails that were tried, how many were so until then.
    pub tried: usize,
    /// Mails that were handed out and not tried.
    pub untried: usize,
}

/// Looks at the counters, where it is time to.
///
/// # Errors
/// Only the store's.
pub async fn look(env: &Env, log: &Shared) -> Result<()> {
    let now = env.now();
    {
        let mut log = outside::lock(log);
        if now < log.looked_at + EVERY {
            return Ok(());
        }
        log.looked_at = now;
    }
    let on = &mut env.db.reader();
    for workspace in people::list_workspaces(on).await? {
        let caps = [Cap::MailboxDaily, Cap::CampaignDaily];
        let counters = heal::list(on, workspace.id, &caps).await?;
        let handed_out = heal::handed_out_since(on, workspace.id, now - LONGEST_DAY).await?;
        let mut log = outside::lock(log);
        let waits = |mail: &&heal::Mail| !log.was_tried(&mail.external_id, mail.at);
        let untried: Vec<_> = handed_out.iter().filter(waits).collect();
        let seen = counters.into_iter().map(|counter| {
            let of = |mail: &&&heal::Mail| match counter.cap {
                Cap::MailboxDaily => mail.account_id.to_string() == counter.subject,
                _ => mail.campaign_id.to_string() == counter.subject,
            };
            Counter {
                at: now,
                cap: counter.cap,
                day: counter.bucket,
                used: counter.used,
                tried: log.tried.len(),
                untried: untried.iter().filter(of).count(),
                subject: counter.subject,
            }
        });
        let seen: Vec<_> = seen.collect();
        log.counters.extend(seen);
    }
    Ok(())
}
