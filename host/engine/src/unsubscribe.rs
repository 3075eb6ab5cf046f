//! Unsubscribing by the link or the header of a mail (TRK-4, RFC 8058).
//!
//! The link's token names the enrollment and the step, signed by the vault: nobody can make one
//! for somebody else. A GET only shows a page; the POST, by a person's click on its button or by
//! the mail program's one-click button, unsubscribes at once and in the whole workspace.

use overture_domain::{
    Timestamp,
    accounts::Channel,
    enrollments::{Enrollment, EnrollmentState},
    events::{Event, EventKind},
    messages::MailKey,
    planted::{Bug, planted},
    prospects::SuppressionSource,
};
use overture_store::{Tx, enrollments, events, prospects};
use serde_json::json;

use crate::{
    Env, Error, Part, Result, sends,
    suppressions::{Suppress, suppress_in},
    tokens,
};

/// What tokens of this feature are signed for.
const PURPOSE: &str = "unsubscribe";

/// Why somebody is unsubscribed who used the link or the header of a mail.
pub(crate) const BY_LINK: &str = "unsubscribed by the link in a mail";

/// The token for one mail. It never expires: an old mail's link must still work.
pub fn token(env: &Env, mail: MailKey) -> String {
    tokens::sign(env, PURPOSE, mail, &[], None)
}

/// The https link with this token, for the header and the text of the mail.
pub fn link(env: &Env, token: &str) -> String {
    format!("{}/u/{token}", env.config.public_url)
}

/// The mail that a token names.
///
/// # Errors
/// [`Error::NotFound`] for every token that this instance did not make.
pub fn read_token(env: &Env, token: &str, now: Timestamp) -> Result<MailKey> {
    let read = tokens::read(env, PURPOSE, token, now);
    read.map(|(mail, _)| mail)
        .ok_or(Error::NotFound("unsubscribe link"))
}

/// Whether this is the unsubscribe link of a mail.
pub(crate) fn is_link_of(env: &Env, url: &str, mail: MailKey) -> bool {
    let token = url.rsplit_once("/u/").map(|(_, token)| token);
    let named = token.and_then(|token| read_token(env, token, env.now()).ok());
    named == Some(mail)
}

/// Unsubscribes whoever the token was sent to. Asking twice is fine.
///
/// # Errors
/// [`Error::NotFound`] for a token that is not ours or whose person was erased.
pub async fn by_token(env: &Env, token: &str) -> Result<()> {
    let mail = read_token(env, token, env.now())?;
    let mut tx = env.db.begin().await?;
    let enrollment = enrollments::find(&mut tx, mail.workspace_id, mail.enrollment_id)
        .await?
        .ok_or(Error::NotFound("unsubscribe link"))?;
    sends::prove_step_in(&mut tx, env, mail).await?;
    unsubscribe_in(&mut tx, env, &enrollment, BY_LINK).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Dispatch);
    Ok(())
}

/// Unsubscribes the person of an enrollment in the caller's transaction: the suppression and all
/// that follows from it, and `email.unsubscribed` once per prospect and campaign (API-6).
pub async fn unsubscribe_in(
    tx: &mut Tx,
    env: &Env,
    enrollment: &Enrollment,
    reason: &str,
) -> Result<()> {
    let ws = enrollment.workspace_id;
    let prospect = prospects::find(tx, ws, enrollment.prospect_id)
        .await?
        .ok_or(Error::NotFound("prospect"))?;
    let now = env.now();
    // First of all their own enrollment: it counts as unsubscribed also after its last step.
    enrollments::finish(
        tx,
        ws,
        &[enrollment.id],
        EnrollmentState::Unsubscribed,
        reason,
        now,
    )
    .await?;
    let what = Suppress::email(&prospect.email, SuppressionSource::Unsubscribe, reason);
    if !planted(Bug::UnsubscribedHereOnly) {
        suppress_in(tx, env, ws, &what).await?;
    }
    let event = Event {
        id: env.id(),
        workspace_id: ws,
        kind: EventKind::EmailUnsubscribed,
        channel: Some(Channel::Mail),
        campaign_id: Some(enrollment.campaign_id),
        enrollment_id: Some(enrollment.id),
        prospect_id: Some(prospect.id),
        account_id: enrollment.account_id,
        occurred_at: now,
        dedup_key: Some(format!(
            "unsubscribed:{}:{}",
            enrollment.campaign_id, prospect.id
        )),
        data: json!({
            "prospectId": prospect.id,
            "prospectEmail": prospect.email,
            "campaignId": enrollment.campaign_id,
            "unsubscribedAt": now,
        }),
    };
    events::insert(tx, &[event]).await?;
    Ok(())
}
