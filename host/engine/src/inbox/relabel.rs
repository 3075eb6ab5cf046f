//! A person says what a message is (CLS-2, INB-1).

use overture_domain::{
    MessageId, WorkspaceId,
    campaigns::CampaignStatus,
    enrollments::EnrollmentState,
    events::EventKind,
    messages::{Direction, Label, Message, Verdict},
    people::Actor,
};
use overture_store::{Tx, accounts, campaigns, enrollments, events, messages as store};
use serde_json::json;

use crate::{Env, Error, Part, Result, campaigns as engine, sends};

use super::effects::{self, Taken};

/// What a person says about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relabel {
    pub label: Label,
    /// The first day back; with `out_of_office` only.
    pub until_day: Option<jiff::civil::Date>,
}

/// A message with every word on what it is, in the order in which they were given.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn message(env: &Env, ws: WorkspaceId, id: MessageId) -> Result<(Message, Vec<Verdict>)> {
    let mut on = env.db.reader();
    let found = store::find(&mut on, ws, id)
        .await?
        .ok_or(Error::NotFound("message"))?;
    let verdicts = store::list_verdicts(&mut on, ws, id).await?;
    Ok((found, verdicts))
}

/// Sets the label of a message that came in, and does what a classifier's would have done. Out of
/// office and automatic replies re-open an enrollment that had ended on this reply: its next step
/// is due at the next legal time, or after the return. A suppression stays: it is lifted by hand.
/// Every word on the message is kept (CLS-4).
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a message of our own, one that belongs to no
/// enrollment, and a return date that isn't after today or comes with another label.
pub async fn relabel(
    env: &Env,
    ws: WorkspaceId,
    id: MessageId,
    relabel: Relabel,
    actor: &Actor,
) -> Result<Message> {
    let mut tx = env.db.begin().await?;
    let message = store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("message"))?;
    check(env, &message, relabel)?;
    let (by, now) = (actor.to_string(), env.now());
    let said = Verdict {
        classifier: by.clone(),
        label: relabel.label,
        confidence: 1.0,
        language: None,
        evidence: Vec::new(),
        until_day: relabel.until_day.map(|day| day.to_string()),
    };
    store::add_verdict(&mut tx, ws, id, &said, now).await?;
    store::set_label(&mut tx, ws, id, relabel.label, &by).await?;

    let account = accounts::find(&mut tx, ws, message.account_id).await?;
    let origin = match message.enrollment_id {
        Some(enrollment) => store::origin_of(&mut tx, ws, enrollment).await?,
        None => None,
    };
    let Some((account, origin)) = account.zip(origin) else {
        let message = "the message belongs to nobody in a campaign: there is nothing to act on";
        return Err(Error::field("label", "no_enrollment", message));
    };
    if matches!(relabel.label, Label::OutOfOffice | Label::AutoReply) {
        reopen(&mut tx, env, &message, actor).await?;
    }
    let taken = Taken {
        message: &message,
        origin: &origin,
        label: relabel.label,
        until_day: relabel.until_day,
        report: None,
        by_hand: true,
    };
    effects::apply_by_hand(&mut tx, env, &account, taken).await?;
    let after = store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("message"))?;
    tx.commit().await?;
    for part in [Part::Campaigns, Part::Safety, Part::Sends, Part::Dispatch] {
        env.wakes.wake(part);
    }
    Ok(after)
}

fn check(env: &Env, message: &Message, relabel: Relabel) -> Result<()> {
    if message.direction == Direction::Out {
        let words = "only messages that came in have a label";
        return Err(Error::field("label", "not_received", words));
    }
    let Some(day) = relabel.until_day else {
        return Ok(());
    };
    let today = env.now().to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
    if relabel.label != Label::OutOfOffice {
        let words = "a return date goes with the label out_of_office only";
        return Err(Error::field("returnDate", "not_allowed", words));
    }
    // Somewhere on earth it is still yesterday.
    if day < today {
        let words = "the return date has passed: leave it out";
        return Err(Error::field("returnDate", "in_the_past", words));
    }
    Ok(())
}

/// Lets the enrollment of a message go on where it had ended on this reply and on no other.
async fn reopen(tx: &mut Tx, env: &Env, message: &Message, actor: &Actor) -> Result<()> {
    let (ws, now) = (message.workspace_id, env.now());
    let Some(id) = message.enrollment_id else {
        return Ok(());
    };
    let all = store::list_by_enrollment(tx, ws, id).await?;
    let mut replies = all.iter().rev().filter_map(|other| {
        let is_other = other.id != message.id && other.direction == Direction::In;
        other.label.filter(|label| is_other && label.is_reply())
    });
    if let Some(last) = replies.next() {
        enrollments::set_labels(tx, ws, &[(id, last)]).await?;
        return Ok(());
    }
    let Some(enrollment) = enrollments::reopen(tx, ws, id, EnrollmentState::Replied, now).await?
    else {
        return Ok(());
    };
    let told = sends::enrollment_event(
        env,
        &enrollment,
        EventKind::EnrollmentResumed,
        json!({"reason": "the reply was relabelled", "actor": actor.to_string()}),
    );
    events::insert(tx, &[told]).await?;
    // SEQ-11: nothing starts without a person.
    let campaign = campaigns::find(tx, ws, enrollment.campaign_id).await?;
    if let Some(campaign) = campaign.filter(|found| found.status == CampaignStatus::Completed) {
        let reason = "a reply was relabelled: its prospect can be written to again";
        engine::pause_in(tx, env, &campaign, engine::paused_by(actor), reason, actor).await?;
    }
    Ok(())
}
