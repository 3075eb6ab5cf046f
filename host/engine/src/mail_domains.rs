//! Which domains take mail: each is asked of the DNS once, not once a person (PR-7).
//!
//! A domain without a mail server (neither MX nor address, or a null MX) makes its prospects
//! invalid with the reason `no_mx`, and parks their enrollments as `invalid_prospect`. It is looked
//! at again every week: once it takes mail, the prospects are active and the enrollments go on. A
//! DNS that gives no answer says nothing about anybody.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, stream};
use overture_domain::{
    ProspectId, WorkspaceId,
    enrollments::EnrollmentState,
    events::{Event, EventKind},
    prospects::{NO_MX, ProspectStatus, no_mx_words},
};
use overture_store::{
    enrollments, events,
    mail_domains::{self as store, Checked, News, Route},
    people,
};
use serde_json::json;

use crate::{Due, Env, Part, Result, prospects, sends};

/// Domains that one tick asks for.
const BATCH: i64 = 256;
/// Domains that are asked for at a time. The resolver gives up on one within seconds.
const AT_ONCE: usize = 16;
/// Longer than a tick takes: then the domains of a host that died are due again.
const TAKEN: Duration = Duration::from_secs(10 * 60);
/// Domains whose news are brought to their prospects together, and prospects a transaction.
const SETTLED: i64 = 1_000;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Until a domain that takes mail is looked at again.
const FOUND: Duration = DAY.saturating_mul(30);
/// And one that takes none: somebody may mend it.
const MISSING: Duration = DAY.saturating_mul(7);

/// Asks for the domains that are due, and brings what is new to their prospects.
///
/// # Errors
/// Only the store's.
pub(crate) async fn tick(env: &Env) -> Result<Due> {
    if !env.config.check_routing {
        return Ok(Due::WhenWoken);
    }
    let now = env.now();
    let mut tx = env.db.begin().await?;
    let due = store::claim(&mut tx, now, now + TAKEN, BATCH).await?;
    tx.commit().await?;
    let more = due.len() as i64 == BATCH;
    if !due.is_empty() {
        let checked: Vec<Checked> = stream::iter(due)
            .map(|(domain, failures)| check(env, domain, failures))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut tx = env.db.begin().await?;
        store::record(&mut tx, &checked, now).await?;
        tx.commit().await?;
    }
    let unsettled = settle(env).await?;
    if more || unsettled {
        return Ok(Due::Now);
    }
    Ok(Due::at(store::next_check_at(&mut env.db.reader()).await?))
}

async fn check(env: &Env, domain: String, failures: i64) -> Checked {
    let (route, wait) = match env.resolver.takes_mail(&domain).await {
        Ok(true) => (Some(Route::Found), FOUND),
        Ok(false) => (Some(Route::Missing), MISSING),
        Err(error) => {
            tracing::debug!(%error, "a domain's mail routing could not be found out");
            let doubled = u32::try_from(failures.clamp(0, 5)).unwrap_or(5);
            (None, (HOUR * 2_u32.pow(doubled)).min(DAY))
        }
    };
    Checked {
        domain,
        route,
        next_check_at: env.now() + wait,
    }
}

/// Brings news to prospects; true when more is left.
async fn settle(env: &Env) -> Result<bool> {
    let on = &mut env.db.reader();
    let news = store::news(on, SETTLED).await?;
    if news.is_empty() {
        return Ok(false);
    }
    let found = store::unsettled(on, &news, SETTLED).await?;
    let mut by_workspace: BTreeMap<WorkspaceId, Vec<(ProspectId, &News)>> = BTreeMap::new();
    for (ws, id, domain) in &found {
        if let Some(of) = news.iter().find(|one| one.domain == *domain) {
            by_workspace.entry(*ws).or_default().push((*id, of));
        }
    }
    for (ws, people) in by_workspace {
        for route in [Route::Missing, Route::Found] {
            let some: BTreeMap<ProspectId, &str> = people
                .iter()
                .filter(|(_, of)| of.route == route)
                .map(|(id, of)| (*id, of.domain.as_str()))
                .collect();
            bring(env, ws, &some, route).await?;
        }
    }
    if found.len() as i64 == SETTLED {
        return Ok(true);
    }
    let mut tx = env.db.begin().await?;
    store::settled(&mut tx, &news).await?;
    tx.commit().await?;
    Ok(news.len() as i64 == SETTLED)
}

/// Brings what is known of domains to prospects there, and to their enrollments.
async fn bring(
    env: &Env,
    ws: WorkspaceId,
    people: &BTreeMap<ProspectId, &str>,
    route: Route,
) -> Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let now = env.now();
    let ids: Vec<ProspectId> = people.keys().copied().collect();
    let mut tx = env.db.begin().await?;
    // Who is being handed out goes first, or finds the status.
    people::lock_workspace(&mut tx, ws).await?;
    let changed = store::set_route(&mut tx, ws, &ids, route, now).await?;
    let mut told: Vec<Event> = (changed.iter())
        .map(|id| match route {
            Route::Missing => {
                let why = (NO_MX, no_mx_words(people[id]));
                prospects::status_changed(env, ws, *id, ProspectStatus::Invalid, Some(why))
            }
            Route::Found => prospects::status_changed(env, ws, *id, ProspectStatus::Active, None),
        })
        .collect();
    match route {
        Route::Missing => {
            let enrolled = enrollments::list_by_prospects(&mut tx, ws, &changed).await?;
            let parked: Vec<_> = (enrolled.iter())
                .filter(|enrollment| enrollment.state.is_open())
                .map(|enrollment| {
                    let why = no_mx_words(people[&enrollment.prospect_id]);
                    (enrollment, EnrollmentState::InvalidProspect, why)
                })
                .collect();
            told.extend(parked.iter().map(|(enrollment, state, why)| {
                let more = json!({"state": state, "reason": why});
                sends::enrollment_event(env, enrollment, EventKind::EnrollmentParked, more)
            }));
            let parked: Vec<_> = parked
                .into_iter()
                .map(|(enrollment, state, why)| (enrollment.id, state, why))
                .collect();
            enrollments::park(&mut tx, ws, &parked, now).await?;
        }
        Route::Found => {
            let from = EnrollmentState::InvalidProspect;
            let resumed = enrollments::resume_prospects(&mut tx, ws, &changed, from, now).await?;
            told.extend(sends::resumed_events(env, &resumed, now));
        }
    }
    events::insert(&mut tx, &told).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Sends);
    env.wakes.wake(Part::Dispatch);
    Ok(())
}
