//! What a provider reports without a mail: opened, clicked, unsubscribed, complained. It runs
//! through the same handlers as the host's own tracking (DESIGN §3): what names a pixel or a link of
//! ours counts as if it had been fetched here, and is judged as every hit is (TRK-2).

use overture_domain::{
    accounts::{Account, Channel},
    events::{Event, EventKind},
    messages::MailKey,
};
use overture_plugin_host::{Signal, SignalKind};
use overture_store::{Tx, enrollments, events, messages as store, messages::Origin};
use serde_json::json;

use crate::{
    Env, Result, sends, tracking,
    unsubscribe::{self, unsubscribe_in},
};

use super::effects;

/// A signal and the step that it is about.
pub(super) type Found = (Signal, Origin);

/// Finds what signals are about. Those about mails that this workspace did not send are left out.
pub(super) async fn find(env: &Env, account: &Account, signals: Vec<Signal>) -> Result<Vec<Found>> {
    if signals.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = signals
        .iter()
        .map(|signal| bare(&signal.message_id))
        .collect();
    let origins = store::origins(&mut env.db.reader(), account.workspace_id, &ids).await?;
    let origin = |signal: &Signal| {
        let id = bare(&signal.message_id);
        origins
            .iter()
            .find(|origin| origin.external_id == id)
            .cloned()
    };
    Ok(signals
        .into_iter()
        .filter_map(|signal| origin(&signal).map(|origin| (signal, origin)))
        .collect())
}

/// A Message-ID without its angle brackets.
fn bare(id: &str) -> &str {
    id.trim().trim_start_matches('<').trim_end_matches('>')
}

/// Does what signals call for.
pub(super) async fn apply(
    tx: &mut Tx,
    env: &Env,
    account: &Account,
    signals: Vec<Found>,
) -> Result<()> {
    for (signal, origin) in signals {
        sends::prove_in(tx, env, account.workspace_id, &[&origin.external_id]).await?;
        let url = signal.url.as_deref().unwrap_or_default();
        let mail = origin.step_index.map(|step_index| MailKey {
            workspace_id: account.workspace_id,
            enrollment_id: origin.enrollment_id,
            step_index,
        });
        match signal.kind {
            SignalKind::Complained => effects::complaint(tx, env, account, &origin).await?,
            SignalKind::Unsubscribed => {
                let ws = account.workspace_id;
                if let Some(enrollment) = enrollments::find(tx, ws, origin.enrollment_id).await? {
                    let by_link = mail.is_some_and(|mail| unsubscribe::is_link_of(env, url, mail));
                    let reason = if by_link {
                        unsubscribe::BY_LINK
                    } else {
                        "unsubscribed at their mail service"
                    };
                    unsubscribe_in(tx, env, &enrollment, reason).await?;
                }
            }
            SignalKind::Opened | SignalKind::Clicked => {
                if let Some(mail) = mail
                    && tracking::reported_in(tx, env, mail, url, signal.at).await?
                {
                    continue;
                }
                events::insert(tx, &[tracked(env, account, &signal, &origin)]).await?;
            }
        }
    }
    Ok(())
}

/// The first open of a prospect and campaign, a click per URL and day (API-6).
fn tracked(env: &Env, account: &Account, signal: &Signal, origin: &Origin) -> Event {
    let (campaign, prospect) = (origin.campaign_id, origin.prospect_id);
    let url = signal.url.as_deref().unwrap_or_default();
    let (kind, at, key) = match signal.kind {
        SignalKind::Clicked => {
            let day = signal.at.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
            (
                EventKind::EmailClicked,
                "clickedAt",
                format!("clicked:{prospect}:{day}:{url}"),
            )
        }
        _ => (
            EventKind::EmailOpened,
            "openedAt",
            format!("opened:{campaign}:{prospect}"),
        ),
    };
    let mut data = json!({
        "prospectId": prospect,
        "prospectEmail": origin.prospect_email,
        "campaignId": campaign,
        "enrollmentId": origin.enrollment_id,
        "mailboxId": account.id,
        "stepIndex": origin.step_index,
    });
    data[at] = json!(signal.at);
    if kind == EventKind::EmailClicked {
        data["url"] = json!(url);
    }
    Event {
        id: env.id(),
        workspace_id: account.workspace_id,
        kind,
        channel: Some(Channel::Mail),
        campaign_id: Some(campaign),
        enrollment_id: Some(origin.enrollment_id),
        prospect_id: Some(prospect),
        account_id: Some(account.id),
        occurred_at: env.now(),
        dedup_key: Some(key),
        data,
    }
}
