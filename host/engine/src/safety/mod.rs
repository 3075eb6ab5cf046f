//! Sending that does harm stops by itself, and what was forgotten goes on.
//!
//! | module | what it does |
//! | --- | --- |
//! | `cooldown` | campaigns that rest, mailboxes that are paused alone (SAF-1) |
//! | `replies` | campaigns below their floor of replies (SAF-1) |
//! | `shield` | the Bounce Shield of a workspace (SAF-2) |
//! | `sweep` | steps that are due and that nobody looks at (SCH-11) |

mod cooldown;
mod replies;
mod shield;
mod sweep;

use overture_domain::alerts::AlertCode;
use overture_store::safety as store;

use crate::{
    Due, Env, Result,
    alerts::{self, Cause},
};

pub use shield::{ShieldPatch, set_shield, shield};
pub use sweep::Sweep;

/// Looks at what mails have led to, and for what is forgotten.
///
/// # Errors
/// Only the store's; what was done before stays done.
pub async fn tick(env: &Env) -> Result<Due> {
    let (stopped, resting) = cooldown::tick(env).await?;
    let silent = replies::tick(env).await?;
    let tripped = shield::tick(env).await?;
    let (swept, next) = sweep::tick(env).await?;
    // A look that finds nothing writes nothing, but at times for what people have done meanwhile.
    if stopped || silent || tripped || swept {
        tell(env).await?;
    }
    Ok(resting.or(next))
}

/// Tells the admins what stands still.
async fn tell(env: &Env) -> Result<()> {
    let on = &mut env.db.reader();
    let resting: Vec<_> = (store::list_resting(on).await?.into_iter())
        .map(|(ws, campaign, _, why)| Cause {
            message: format!("the campaign rests: {why}"),
            ..Cause::of(ws, &campaign)
        })
        .collect();
    let paused: Vec<_> = (store::list_paused_mailboxes(on).await?.into_iter())
        .map(|(ws, mailbox, address, why)| Cause {
            message: format!("{address} is paused: {why}"),
            ..Cause::of(ws, &mailbox)
        })
        .collect();
    let silent = replies::below(on).await?;
    let held = shield::held(on).await?;
    alerts::tell(env, AlertCode::CampaignCooldown, &resting).await?;
    alerts::tell(env, AlertCode::MailboxUnhealthy, &paused).await?;
    alerts::tell(env, AlertCode::FewReplies, &silent).await?;
    alerts::tell(env, AlertCode::BounceShield, &held).await
}
