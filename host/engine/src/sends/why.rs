//! Why a mail has not gone out, when it may, and what would change that (SCH-9). The answers come
//! from the rules that hand mails out, asked without handing out.

use std::collections::HashSet;

use overture_domain::{
    AccountId, CampaignId, EnrollmentId, Timestamp, WorkspaceId,
    accounts::{Account, AccountStatus},
    campaigns::{Campaign, CampaignStatus, Pause},
    caps::Limit,
    enrollments::{Enrollment, EnrollmentState, Job, JobState},
    prospects::NO_ADDRESS,
    safety::REST,
};
use overture_store::{Read, accounts, audit, campaigns, caps, enrollments, jobs};

use crate::{Env, Error, Result};

use super::{
    limits::Presets,
    plan,
    slots::{Place, Slot, Slots, Why, Wish},
    world::World,
};

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Enrollment(EnrollmentId),
    Campaign(CampaignId),
    Mailbox(AccountId),
}

/// Why nothing goes out now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What binds: `window`, `pace`, `cap_mailbox_daily`, `campaign_paused`, a parked state…;
    /// `none` where a mail is under way or about to be.
    pub code: String,
    /// The same for people.
    pub reason: String,
    /// The next moment at which a mail may go; None: not before somebody does something.
    pub next_at: Option<Timestamp>,
    /// What would change it; None: time alone, or nothing.
    pub change: Option<String>,
    /// Whom the answer is about: of a campaign or a mailbox, whoever comes next.
    pub enrollment: Option<EnrollmentId>,
}

impl Answer {
    fn new(code: &str, reason: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            reason: reason.into(),
            next_at: None,
            change: None,
            enrollment: None,
        }
    }

    fn until(mut self, at: Timestamp) -> Self {
        self.next_at = Some(at);
        self
    }

    fn unless(mut self, change: impl Into<String>) -> Self {
        self.change = Some(change.into());
        self
    }
}

/// Of a campaign or a mailbox, so many who may act next are looked at: each waits for another room.
const HEADS: i64 = 50;

/// Answers for an enrollment, a campaign or a mailbox: of those, for whoever acts first.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn why(env: &Env, ws: WorkspaceId, about: About) -> Result<Answer> {
    let presets = Presets::of(env.providers.presets(ws).await);
    // Whoever asks keeps nobody from sending: SQLite has one writer.
    let on = &mut env.db.reader();
    let (next, nobody): (Vec<Enrollment>, _) = match about {
        About::Enrollment(id) => {
            let found = enrollments::find(on, ws, id).await?;
            (vec![found.ok_or(Error::NotFound("enrollment"))?], None)
        }
        About::Campaign(id) => {
            let campaign = campaigns::find(on, ws, id).await?;
            let campaign = campaign.ok_or(Error::NotFound("campaign"))?;
            if let Some(answer) = of_campaign(on, &campaign, env.now()).await? {
                return Ok(answer);
            }
            let nobody = of_nobody(&enrollments::count_by_state(on, ws, id).await?);
            (
                enrollments::list_next_of_campaign(on, ws, id, HEADS).await?,
                Some(nobody),
            )
        }
        About::Mailbox(id) => {
            let account = accounts::find(on, ws, id).await?;
            let account = account.ok_or(Error::NotFound("mailbox"))?;
            if let Some(answer) = of_account(&account) {
                return Ok(answer);
            }
            let nobody = Answer::new(
                "nobody_waits",
                "no running campaign has a mail that may leave from this mailbox",
            )
            .unless("add it to a campaign, start one, or enroll people");
            (
                enrollments::list_next_of_account(on, ws, id, HEADS).await?,
                Some(nobody),
            )
        }
    };
    let only = match about {
        About::Mailbox(id) => Some(id),
        About::Enrollment(_) | About::Campaign(_) => None,
    };
    let mut first: Option<Answer> = None;
    for enrollment in &next {
        // Nobody acts before what is planned and known of them.
        let at = first.as_ref().and_then(|answer| answer.next_at);
        if at.is_some() && at <= enrollment.next_action_at {
            break;
        }
        let mut answer = of_enrollment(on, env, enrollment, &presets, only).await?;
        answer.enrollment = Some(enrollment.id);
        let sooner = match (first.as_ref(), answer.next_at) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(first), Some(next)) => first.next_at.is_none_or(|at| next < at),
        };
        if sooner {
            first = Some(answer);
        }
    }
    first.or(nobody).ok_or(Error::NotFound("enrollment"))
}

async fn of_enrollment(
    on: &mut impl Read,
    env: &Env,
    enrollment: &Enrollment,
    presets: &Presets,
    only: Option<AccountId>,
) -> Result<Answer> {
    if !enrollment.state.is_open() {
        return Ok(of_state(enrollment));
    }
    let (ws, now) = (enrollment.workspace_id, env.now());
    let campaign = campaigns::find(on, ws, enrollment.campaign_id).await?;
    let campaign = campaign.ok_or(Error::NotFound("campaign"))?;
    if let Some(answer) = of_campaign(on, &campaign, now).await? {
        return Ok(answer);
    }
    let Some(job) = jobs::find_live(on, ws, enrollment.id).await? else {
        return Ok(Answer::new("none", "its next step is being planned").until(now));
    };
    if enrollment.state == EnrollmentState::Waiting {
        let answer = Answer::new(enrollment.state.name(), enrollment.reason.clone());
        return Ok(answer.until(job.run_at));
    }
    if job.state == JobState::Processing {
        return Ok(Answer::new("none", "it is on its way").until(now));
    }
    let world = World::load(on, env, ws, std::slice::from_ref(&job), presets.clone()).await?;
    if world.lacks_address(enrollment) {
        let answer = Answer::new(EnrollmentState::InvalidProspect.name(), NO_ADDRESS);
        return Ok(answer.unless(GIVE_ADDRESS));
    }
    if let Some(slot) = place(on, env, &world, enrollment, only).await? {
        return of_place(on, &world, enrollment, &job, &slot).await;
    }
    let addresses: Vec<_> = world
        .accounts
        .values()
        .map(|account| format!("{} is {}", account.address, account.status))
        .collect();
    let all = if addresses.is_empty() {
        "the campaign has none".to_owned()
    } else {
        addresses.join(", ")
    };
    let answer = Answer::new("no_usable_mailbox", format!("no mailbox can send: {all}"));
    Ok(answer.unless("connect a mailbox of the campaign, or add one"))
}

/// The first place for the next mail of an enrollment, as it is given out.
async fn place(
    on: &mut impl Read,
    env: &Env,
    world: &World,
    enrollment: &Enrollment,
    only: Option<AccountId>,
) -> Result<Option<Slot>> {
    let campaign = world.campaigns.get(&enrollment.campaign_id);
    let prospect = world.prospects.get(&enrollment.prospect_id);
    let Some((campaign, prospect)) = campaign.zip(prospect) else {
        return Ok(None);
    };
    let sticky = world.sticky(enrollment).map(|account| account.id);
    let places = world.places(enrollment, sticky);
    let places: Vec<Place<'_>> = places
        .filter(|place| only.is_none_or(|only| place.account == only))
        .collect();
    let limits: Vec<Vec<Limit>> = places
        .iter()
        .filter_map(|place| world.limits_at((place.account, place.limits), enrollment, prospect))
        .collect();
    // What several mailboxes share is counted once.
    let mut counted = limits.concat();
    let mut seen = HashSet::new();
    counted.retain(|limit| seen.insert((limit.cap, limit.subject.clone())));
    let usage = caps::usage(on, enrollment.workspace_id, &counted, world.now).await?;
    let mut slots = Slots::new(world.now, usage);
    for account in world.accounts.values() {
        let pace = world.paces.get(&account.id).copied().unwrap_or_default();
        slots.add(account, pace, &*env.rng);
    }
    let candidates: Vec<Place<'_>> = places
        .iter()
        .zip(&limits)
        .map(|(place, limits)| Place::new(place.account, place.weight, limits))
        .collect();
    Ok(slots.first(&Wish {
        campaign,
        zone: &plan::zone_of(campaign, &prospect.time_zone),
        candidates: &candidates,
        other_campaign_at: world.other_campaign_at(enrollment),
    }))
}

async fn of_place(
    on: &mut impl Read,
    world: &World,
    enrollment: &Enrollment,
    job: &Job,
    slot: &Slot,
) -> Result<Answer> {
    let now = world.now;
    // Its own time comes after that of the room: the delay of its step, a return, a retry.
    if job.run_at > now && job.run_at >= slot.at {
        let number = enrollment.step_index + 1;
        let answer = match enrollment.reason.as_str() {
            plan::AWAY => Answer::new("out_of_office", "the person is out of office")
                .unless("give the message another label"),
            "" => Answer::new("delay", format!("step {number} keeps its delay"))
                .unless(format!("shorten the delay of step {number}")),
            plan::OUTSIDE => Answer::new("window", plan::OUTSIDE).unless(WIDEN),
            why => Answer::new("planned", why),
        };
        return Ok(answer.until(job.run_at));
    }
    let at = slot.at.max(job.run_at);
    if let Some(why) = slot.why.as_ref().filter(|_| slot.at > now) {
        return Ok(of_why(why).until(at));
    }
    let before = jobs::count_before(on, job).await?;
    if before == 0 {
        return Ok(Answer::new("none", "it goes out now").until(now));
    }
    let mails = if before == 1 {
        "1 mail goes".to_owned()
    } else {
        format!("{before} mails go")
    };
    let answer = Answer::new(
        "queue",
        format!("{mails} before it, at the pace of the mailboxes"),
    );
    Ok(answer
        .until(now)
        .unless("add a mailbox to the campaign, or lower its minutesBetweenSends"))
}

const WIDEN: &str = "widen the campaign's sending window";
const GIVE_ADDRESS: &str = "give the prospect an address: PATCH /prospects/{id} with email, or overture prospect set ID email=…";

fn of_why(why: &Why) -> Answer {
    let words = why.words();
    match why {
        Why::Window => Answer::new("window", words).unless(WIDEN),
        Why::Pace(_) => Answer::new("pace", words).unless(
            "add a mailbox to the campaign, or lower the minutesBetweenSends of those that share it",
        ),
        Why::Backoff(_) => Answer::new("backoff", words),
        Why::Spacing => Answer::new("spacing", words),
        Why::Cap(binding) => {
            Answer::new(&format!("cap_{}", binding.cap), words).unless(binding.cap.remedy())
        }
    }
}

/// None: it runs.
async fn of_campaign(
    on: &mut impl Read,
    campaign: &Campaign,
    now: Timestamp,
) -> Result<Option<Answer>> {
    let answer = of_status(campaign, now);
    if campaign.status != CampaignStatus::Cooldown {
        return Ok(answer);
    }
    // SAF-1: since when and why is told by its last change.
    let (ws, id) = (campaign.workspace_id, campaign.id.to_string());
    let last = audit::list(on, ws, &id).await?.pop();
    Ok(answer.map(|mut answer| {
        if let Some(last) = last {
            answer.reason = format!("the campaign rests: {}", last.reason);
            answer = answer.until(last.at + REST);
        }
        answer
    }))
}

fn of_status(campaign: &Campaign, now: Timestamp) -> Option<Answer> {
    use CampaignStatus::{Archived, Completed, Cooldown, Draft, Error, Paused, Running, Scheduled};
    let code = format!("campaign_{}", campaign.status);
    let stands = |reason: &str| Answer::new(&code, reason);
    Some(match campaign.status {
        Running => match campaign.end_at.filter(|end| *end <= now) {
            None => return None,
            Some(_) => Answer::new("end_date", "the campaign's end date has passed")
                .unless("move the end date, or remove it"),
        },
        Draft => stands("the campaign has not been started").unless("start it"),
        Scheduled => {
            let answer = stands("the campaign's start date lies ahead")
                .unless("start it earlier: move its start date");
            match campaign.start_at {
                Some(at) => answer.until(at),
                None => answer,
            }
        }
        Paused => of_pauses(&campaign.pauses),
        Cooldown => stands("the campaign rests").unless(
            "it runs again by itself when its numbers are better: take addresses that don't exist out of it",
        ),
        Completed => stands("the campaign is completed")
            .unless("enroll more people or move its end date, then resume it"),
        Error => {
            stands("the campaign has a fault").unless("see to the fault, then pause and resume it")
        }
        Archived => stands("the campaign is archived").unless("take it out of the archive"),
    })
}

/// SEQ-10
fn of_pauses(pauses: &[Pause]) -> Answer {
    let list: Vec<_> = pauses.iter().map(Pause::words).collect();
    let reason = format!("the campaign is paused: {}", list.join("; "));
    let ends = pauses.iter().map(|pause| pause.reason.ends_when());
    let unless = match ends.collect::<Option<Vec<_>>>() {
        Some(ends) => format!("it resumes by itself when {}", ends.join(" and ")),
        None => "resume it".to_owned(),
    };
    Answer::new("campaign_paused", &reason).unless(&unless)
}

/// None: it may send.
fn of_account(account: &Account) -> Option<Answer> {
    if account.status == AccountStatus::Connected {
        return None;
    }
    let reason = match account.status_reason.as_str() {
        "" => format!("{} is {}", account.address, account.status),
        why => format!("{} is {}: {why}", account.address, account.status),
    };
    let change = match account.status {
        AccountStatus::Paused => "resume the mailbox",
        _ => "test the mailbox: the answer says what to mend",
    };
    Some(Answer::new(&format!("mailbox_{}", account.status), reason).unless(change))
}

/// One that can't act by itself.
fn of_state(enrollment: &Enrollment) -> Answer {
    use EnrollmentState::{
        Active, AmbiguousSend, Bounced, Completed, Failed, InvalidProspect, PausedAccount,
        PendingTemplateFix, PendingTemplateVariableResolution, Queued, Replied, Stopped,
        Suppressed, UnresolvedUrl, Unsubscribed, Waiting,
    };
    let reason = match enrollment.reason.as_str() {
        "" => format!("it is {}", enrollment.state),
        why => why.to_owned(),
    };
    let answer = Answer::new(enrollment.state.name(), reason);
    match enrollment.state {
        PendingTemplateFix => answer.unless("mend the text of the step and save it"),
        PendingTemplateVariableResolution => {
            answer.unless("fill in the field, or give it a default in the text")
        }
        PausedAccount => answer.unless("connect its mailbox again"),
        InvalidProspect if enrollment.reason == NO_ADDRESS => answer.unless(GIVE_ADDRESS),
        UnresolvedUrl | InvalidProspect => answer.unless("correct the prospect's data"),
        AmbiguousSend => answer.unless(
            "look into the folder Sent, then decide: overture send resolve, or POST /sends/resolve",
        ),
        Replied => answer.unless("if the reply was none, give the message another label"),
        Completed => answer.unless("add a step to the sequence"),
        Queued | Active | Waiting | Bounced | Unsubscribed | Stopped | Failed | Suppressed => {
            answer
        }
    }
}

/// A campaign in which nobody can act.
fn of_nobody(counts: &[(EnrollmentState, i64)]) -> Answer {
    let parked: Vec<_> = counts
        .iter()
        .filter(|(state, _)| state.is_parked())
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    if parked.is_empty() {
        return Answer::new(
            "nobody_waits",
            "nobody in the campaign is to be written to any more",
        )
        .unless("enroll more people");
    }
    let reason = format!("everybody who is left is held: {}", parked.join(", "));
    Answer::new("all_parked", reason).unless("ask for one of them: each says what holds it")
}
