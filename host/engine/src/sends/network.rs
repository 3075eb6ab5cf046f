//! The steps of a network: what they are made of, how they are carried out, and what their answers
//! mean (LI-4). Nobody can watch a provider act, so the attempt is committed before each call that
//! acts, and its word is all there is (SAFE-3).

use overture_domain::{
    ActionId, Timestamp, WorkspaceId,
    accounts::AccountStatus,
    campaigns::StepKind,
    enrollments::{Action, ActionState, EnrollmentState},
    events::{Event, EventKind},
    pacing,
    prospects::Prospect,
};
use overture_plugin_host::{Invited, NetworkProblem};
use overture_store::{Tx, actions, campaigns, enrollments, events, profiles, prospects};
use overture_template::Context;
use serde_json::json;

use crate::{Env, Result, networks, providers::NetworkAnswer};

use super::{
    compose::{self, Held, Parts, Templates},
    deliver::Attempting,
    verdict::{NotSent, Verdict},
    writes::Mail,
};

/// One thing to do on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deed {
    /// Where the prospect's profile is.
    pub url: String,
    /// The note or the message; empty where there is none.
    pub text: String,
}

/// Renders the text of a step.
///
/// # Errors
/// [`Held`] as with mails; a prospect without a profile waits for one.
pub(super) fn draft(
    templates: &mut Templates,
    parts: &Parts<'_>,
) -> std::result::Result<Deed, Held> {
    let mut missing = Vec::new();
    let own = (parts.step, parts.variant);
    let source = parts.step.text(parts.variant).body_text.unwrap_or_default();
    let text = compose::render(templates, parts, own, source, Context::Text, &mut missing)?;
    let url = parts.prospect.linkedin_url.trim();
    if url.is_empty() {
        missing.push("linkedinUrl".to_owned());
    }
    compose::complete(parts, &missing)?;
    Ok(Deed {
        url: url.to_owned(),
        text: text.trim().to_owned(),
    })
}

/// Carries a step out. What fails before the attempt is committed has done nothing.
pub(super) async fn act(env: &Env, mail: &Mail, deed: &Deed, attempt: &Attempting) -> Verdict {
    let profile = match profile(env, mail, deed).await {
        Ok(profile) => profile,
        Err(verdict) => return verdict,
    };
    if let Err(verdict) = attempt.begin().await {
        return verdict;
    }
    let (ws, provider) = (mail.action.workspace_id, mail.account.provider.as_str());
    let account = networks::told(&mail.account);
    match mail.action.kind {
        StepKind::SendInvite => {
            let note = Some(deed.text.as_str()).filter(|note| !note.is_empty());
            let networks = &env.networks;
            let answer = networks
                .invite(ws, provider, &account, &profile, note)
                .await;
            if let Ok(Ok(Invited::AlreadyConnected)) = answer {
                let words = "the two are connected already";
                return Verdict::not_sent(NotSent::AlreadyConnected, words);
            }
            judge(env, answer)
        }
        StepKind::SendMessage => {
            let networks = &env.networks;
            let answer = networks
                .send_message(ws, provider, &account, &profile, &deed.text)
                .await;
            judge(env, answer)
        }
        kind @ (StepKind::Email | StepKind::WaitAccept) => {
            Verdict::not_sent(NotSent::Provider, format!("{kind} is nothing to carry out"))
        }
    }
}

/// What the network calls the prospect; asked once for each URL.
async fn profile(env: &Env, mail: &Mail, deed: &Deed) -> std::result::Result<String, Verdict> {
    let (ws, channel) = (mail.action.workspace_id, mail.action.channel);
    let unreachable =
        |error: overture_store::Error| Verdict::not_sent(NotSent::Unreachable, error.to_string());
    let prospect = mail.prospect.id;
    let on = &mut env.db.reader();
    let known = profiles::find(on, ws, channel, prospect, &deed.url).await;
    if let Some(known) = known.map_err(unreachable)? {
        return Ok(known);
    }
    let account = networks::told(&mail.account);
    let provider = mail.account.provider.as_str();
    let answer = env
        .networks
        .find_profile(ws, provider, &account, &deed.url)
        .await;
    let found = match answer {
        Ok(Ok(profile)) => profile.provider_id,
        Ok(Err(problem)) => return Err(by_problem(env, &problem)),
        Err(error) => return Err(Verdict::not_sent(NotSent::Provider, error.to_string())),
    };
    let save = async {
        let mut tx = env.db.begin().await?;
        let told = (found.as_str(), deed.url.as_str());
        profiles::save(&mut tx, ws, channel, prospect, told, env.now()).await?;
        tx.commit().await
    };
    save.await.map_err(unreachable)?;
    Ok(found)
}

/// The verdict on a call that acts: no word means that nobody knows.
fn judge<T>(env: &Env, answer: NetworkAnswer<T>) -> Verdict {
    match answer {
        Ok(Ok(_)) => Verdict::Sent {
            words: String::new(),
        },
        Ok(Err(NetworkProblem::Unclear(words))) => Verdict::Unknown { words },
        Ok(Err(problem)) => by_problem(env, &problem),
        Err(error) if error.was_called() => Verdict::Unknown {
            words: error.to_string(),
        },
        Err(error) => Verdict::not_sent(NotSent::Provider, error.to_string()),
    }
}

/// Nothing was done, says the provider.
fn by_problem(env: &Env, problem: &NetworkProblem) -> Verdict {
    let why = match problem {
        NetworkProblem::NotFound(_) => NotSent::NoProfile,
        NetworkProblem::NotConnected(_) => NotSent::NotConnected,
        NetworkProblem::Limited(until) => {
            let cooldown = || env.now() + pacing::jitter(pacing::COOLDOWN, &*env.rng);
            NotSent::Limited(until.unwrap_or_else(cooldown))
        }
        NetworkProblem::Restricted(_) => NotSent::AccountLost(AccountStatus::Restricted),
        NetworkProblem::Auth(_) => NotSent::AccountLost(AccountStatus::Disconnected),
        NetworkProblem::Temporary(_) | NetworkProblem::Unclear(_) => NotSent::Unreachable,
        NetworkProblem::Rejected(_) => NotSent::Held(EnrollmentState::InvalidProspect),
        NetworkProblem::Denied(_) => NotSent::Provider,
    };
    Verdict::not_sent(why, networks::words(problem))
}

/// An invitation was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    /// The step that sent it.
    pub invite: ActionId,
    /// By the network's clock (LI-19).
    pub at: Timestamp,
    /// How it is known.
    pub source: &'static str,
}

/// Stamps an acceptance once (LI-10): it is told, and whoever waits for it goes on. One that comes
/// after the wait's end is told alone (LI-17). The caller wakes [`Part::Sends`](crate::Part::Sends)
/// after the commit.
///
/// # Errors
/// Only the store's.
pub(crate) async fn accepted_in(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    accepted: &Accepted,
) -> Result<()> {
    let now = env.now();
    let Some(invite) = actions::find(tx, ws, accepted.invite).await? else {
        return Ok(());
    };
    let id = invite.enrollment_id;
    let Some(enrollment) = enrollments::find(tx, ws, id).await? else {
        return Ok(());
    };
    let prospect = prospects::find(tx, ws, enrollment.prospect_id).await?;
    let event = Event {
        id: env.id(),
        workspace_id: ws,
        kind: EventKind::LinkedinInviteAccepted,
        channel: Some(invite.channel),
        campaign_id: Some(invite.campaign_id),
        enrollment_id: Some(id),
        prospect_id: Some(enrollment.prospect_id),
        account_id: Some(invite.account_id),
        occurred_at: now,
        dedup_key: Some(format!("accepted:{id}")),
        data: json!({
            "prospectId": enrollment.prospect_id,
            "prospectName": prospect.as_ref().map(Prospect::full_name),
            "prospectLinkedinUrl": prospect.as_ref().map(|one| &one.linkedin_url),
            "campaignId": invite.campaign_id,
            "enrollmentId": id,
            "linkedinAccountId": invite.account_id,
            "invitedAt": invite.done_at,
            "acceptedAt": accepted.at,
            "source": accepted.source,
        }),
    };
    if !events::insert_new(tx, &event).await? || !enrollment.state.is_open() {
        return Ok(());
    }
    let steps = campaigns::list_steps(tx, ws, &[invite.campaign_id]).await?;
    let wait = steps
        .iter()
        .find(|step| step.kind == StepKind::WaitAccept && step.step_index > invite.step_index);
    if let Some(wait) = wait {
        let action_id: ActionId = env.id();
        let waited = Action {
            id: action_id,
            step_id: wait.id,
            step_index: wait.step_index,
            variant_id: None,
            kind: wait.kind,
            state: ActionState::HandedOut,
            external_id: format!("{}@{}", action_id.uuid(), invite.channel),
            handed_out_at: now,
            ..invite
        };
        actions::insert(tx, std::slice::from_ref(&waited)).await?;
        let ended = actions::Ended {
            action_id,
            state: ActionState::Done,
            deferrals: 0,
            error: None,
            attempt: None,
            detail: None,
        };
        actions::end(tx, &[ended], now).await?;
    }
    let at_wait = wait.is_some_and(|wait| wait.step_index == enrollment.step_index);
    if at_wait || enrollment.state == EnrollmentState::Waiting {
        enrollments::unplan(tx, ws, &[(id, String::new())], now).await?;
    }
    if at_wait {
        enrollments::advance(tx, ws, &[(id, enrollment.step_index)], now).await?;
    }
    Ok(())
}
