//! Who made the hits of a mail, and the events of what people did (TRK-2).

use std::time::Duration;

use overture_domain::{
    HitId,
    accounts::Channel,
    events::{Event, EventKind},
    messages::MailKey,
    tracking::{self, Hit, HitClass, HitKind, SETTLES},
};
use overture_store::{
    Tx, events,
    tracking::{self as store, KeptHit, TrackedMail},
};
use serde_json::json;

use crate::{Due, Env, Part, Result, sends};

/// Mails that are judged at a time.
const BATCH: i64 = 200;

/// How long raw hits are kept (OPS-8).
const KEPT: Duration = Duration::from_secs(365 * 86_400);

const EVERY_DAY: Duration = Duration::from_secs(86_400);

/// Hits that are forgotten in one transaction.
const FORGOTTEN: i64 = 5_000;

/// Judges the hits whose burst is over.
///
/// # Errors
/// Only the store's.
pub async fn tick(env: &Env) -> Result<Due> {
    let mails = store::to_judge(&mut env.db.reader(), env.now() - SETTLES, BATCH).await?;
    for mail in &mails {
        let mut tx = env.db.begin().await?;
        judge(&mut tx, env, *mail).await?;
        tx.commit().await?;
    }
    if !mails.is_empty() {
        env.wakes.wake(Part::Dispatch);
    }
    if mails.len() as i64 == BATCH {
        return Ok(Due::Now);
    }
    let oldest = store::oldest_to_judge(&mut env.db.reader()).await?;
    Ok(Due::at(oldest.map(|at| at + SETTLES)).or(forget(env).await?))
}

/// Forgets raw hits after a year (OPS-8); what they said of people are events.
async fn forget(env: &Env) -> Result<Due> {
    let Some(oldest) = store::oldest(&mut env.db.reader()).await? else {
        return Ok(Due::WhenWoken);
    };
    if oldest + KEPT > env.now() {
        return Ok(Due::At(oldest + KEPT));
    }
    let mut tx = env.db.begin().await?;
    let before = env.now() - KEPT + Duration::from_millis(1);
    let forgotten = store::forget(&mut tx, before, FORGOTTEN).await?;
    tx.commit().await?;
    Ok(match forgotten {
        0 => Due::At(env.now() + EVERY_DAY),
        _ => Due::Now,
    })
}

/// All hits of a mail are judged together, those before too: a burst shows by its end. What was
/// told stays told; only hits that are new as a person's are told now.
async fn judge(tx: &mut Tx, env: &Env, key: MailKey) -> Result<()> {
    let kept = store::of_mail(tx, key).await?;
    let Some(mail) = store::find_mail(tx, key).await? else {
        // Erased with its person: what is left says nothing about anybody.
        let gone: Vec<_> = kept
            .iter()
            .map(|kept| (kept.id, HitClass::Unknown, "mail_gone"))
            .collect();
        return Ok(store::set_classes(tx, &gone).await?);
    };
    let hits: Vec<Hit> = kept.iter().map(|kept| kept.hit.clone()).collect();
    let judged: Vec<(HitId, HitClass, &str)> = kept
        .iter()
        .map(|KeptHit { id, hit, .. }| {
            let (class, reason) = tracking::judge(hit, &hits, mail.links.len(), mail.sent_at);
            (*id, class, reason)
        })
        .collect();
    store::set_classes(tx, &judged).await?;
    // Whoever it was, a person or a machine: the mail lay before them (SAFE-3).
    sends::prove_step_in(tx, env, key).await?;
    let told: Vec<Event> = kept
        .iter()
        .zip(&judged)
        .filter(|(kept, (_, class, _))| kept.class.is_none() && *class == HitClass::Human)
        .map(|(kept, _)| event(env, key, &mail, &kept.hit))
        .collect();
    events::insert(tx, &told).await?;
    Ok(())
}

/// Once a mail: a second opening, or a second click, is no second event (API-6).
fn event(env: &Env, key: MailKey, mail: &TrackedMail, hit: &Hit) -> Event {
    let (kind, when) = match hit.kind {
        HitKind::Open => (EventKind::EmailOpened, "openedAt"),
        HitKind::Click => (EventKind::EmailClicked, "clickedAt"),
    };
    let mut data = json!({
        "prospectId": mail.prospect_id,
        "prospectEmail": mail.prospect_email,
        "campaignId": mail.campaign_id,
        "enrollmentId": key.enrollment_id,
        "mailboxId": mail.account_id,
        "stepIndex": key.step_index,
        "messageId": mail.message_id,
        when: hit.at,
    });
    let link = hit.link.and_then(|link| usize::try_from(link).ok());
    if let Some(url) = link.and_then(|link| mail.links.get(link)) {
        data["url"] = json!(url);
    }
    Event {
        id: env.id(),
        workspace_id: key.workspace_id,
        kind,
        channel: Some(Channel::Mail),
        campaign_id: Some(mail.campaign_id),
        enrollment_id: Some(key.enrollment_id),
        prospect_id: Some(mail.prospect_id),
        account_id: Some(mail.account_id),
        occurred_at: hit.at,
        dedup_key: Some(format!(
            "{}:{}:{}",
            hit.kind, key.enrollment_id, key.step_index
        )),
        data,
    }
}
