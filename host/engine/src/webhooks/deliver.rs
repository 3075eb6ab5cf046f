//! Due deliveries go out.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use overture_domain::webhooks::LOG_KEPT;
use overture_store::deliveries::{self, Claim, Lane, Parcel};

use super::{
    couriers::{self, Couriers, Place},
    request,
};
use crate::{Due, Env, Failpoint, Part, Result, failpoints};

/// Of all requests at a time, those to one endpoint: a sixteenth, at least two.
const ENDPOINTS_SHARE: usize = 16;

/// How often the log is cleared.
const SWEEP_EVERY: Duration = Duration::from_hours(6);

/// Deliveries that one transaction clears.
const SWEEP_PAGE: i64 = 1_000;

/// How soon to look again when another host was faster.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The part [`Part::Deliveries`]: leases due deliveries and sends each on a task of its own
/// ([`UnderWay`](crate::UnderWay)), which records how it went and wakes this part again.
///
/// One slow endpoint never delays another (API-8): an endpoint has at most a sixteenth of the
/// requests at a time, and the first delivery of each comes before the second of any. One whose
/// last answer was a failure gets one request at a time, and all of those together at most half,
/// so that any number of dead endpoints leaves room for those that live.
///
/// Every six hours it clears what is older than the log is kept (API-9).
///
/// # Errors
/// Of the database; it may be called again.
pub async fn deliver(env: &Env) -> Result<Due> {
    // Left over where the database could not take it.
    couriers::record(env).await?;
    sweep(env).await?;
    Ok(send_due(env).await?.or(Due::At(env.couriers.next_sweep())))
}

async fn send_due(env: &Env) -> Result<Due> {
    let all = env.config.concurrent_deliveries.max(1);
    let per_webhook = all.div_ceil(ENDPOINTS_SHARE).max(2) as i64;
    loop {
        let (out, struggling) = env.couriers.count();
        let room = all.saturating_sub(out);
        let struggling = all.div_ceil(2).saturating_sub(struggling).min(room);
        let lanes: &[Lane] = match (room, struggling) {
            // Whoever comes back wakes this part.
            (0, _) => return Ok(Due::WhenWoken),
            (_, 0) => &[Lane::Healthy],
            _ => &[Lane::Healthy, Lane::Struggling],
        };
        let now = env.now();
        let busy = env.couriers.by_webhook();
        let due = deliveries::next_due(&mut env.db.reader(), lanes, per_webhook, &busy).await?;
        if due.is_none_or(|due| due > now) {
            return Ok(Due::at(due));
        }
        let mut tx = env.db.begin().await?;
        let mut claimed = Vec::new();
        for &lane in lanes {
            let left = room - claimed.len();
            let claim = Claim {
                host: env.host,
                now,
                leased_at: env.real.now(),
                lane,
                per_webhook,
                under_way: &busy,
                limit: match lane {
                    Lane::Healthy => left,
                    Lane::Struggling => left.min(struggling),
                } as i64,
            };
            let parcels = deliveries::claim(&mut tx, &claim).await?;
            claimed.extend(parcels.into_iter().map(|parcel| (lane, parcel)));
        }
        tx.commit().await?;
        if claimed.is_empty() {
            return Ok(Due::At(now + LOOK_AGAIN));
        }
        for (lane, parcel) in claimed {
            let place = Couriers::leave(env, parcel.webhook.id, lane);
            env.under_way.spawn(
                &env.wakes,
                Part::Deliveries,
                carry(env.clone(), place, parcel),
            );
        }
    }
}

async fn carry(env: Env, place: Place, parcel: Parcel) {
    failpoints::reached(Failpoint::DeliveryLeased, &parcel.webhook.id).await;
    let outcome = AssertUnwindSafe(request::make(&env, &parcel))
        .catch_unwind()
        .await;
    let outcome = outcome.unwrap_or_else(|_| {
        let reason = "the host failed while it prepared the request; its log says more";
        request::held(&env, &parcel, reason.to_owned(), None)
    });
    failpoints::reached(Failpoint::DeliveryAnswered, &parcel.webhook.id).await;
    env.couriers.come_back(outcome);
    if let Err(error) = couriers::record(&env).await {
        tracing::error!(
            "deliveries could not be recorded, and will be when the database is back: {error}"
        );
    }
    failpoints::reached(Failpoint::DeliveryRecorded, &parcel.webhook.id).await;
    drop(place);
}

async fn sweep(env: &Env) -> Result<()> {
    let now = env.now();
    if !env.couriers.is_time_to_sweep(now, now + SWEEP_EVERY) {
        return Ok(());
    }
    loop {
        let mut tx = env.db.begin().await?;
        let cleared = deliveries::clear(&mut tx, now - LOG_KEPT, now, SWEEP_PAGE).await?;
        if cleared == 0 {
            couriers::disable_hopeless(env, &mut tx).await?;
        }
        tx.commit().await?;
        if cleared == 0 {
            return Ok(());
        }
    }
}
