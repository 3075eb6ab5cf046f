//! What people do to campaigns, mailboxes and each other, and what a wrong counter is.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, CampaignId, ProspectId, WorkspaceId,
    accounts::Channel,
    campaigns::CampaignStatus,
    caps::{Cap, Span, ZoneOf},
    people::Actor,
    prospects::{Prospect, SuppressionSource},
    windows,
};
use overture_engine::{
    Env, Error,
    campaigns::{self, CampaignPatch, Enroll, StepIn},
    mailboxes,
    prospects::{self, Fields},
    suppressions,
};
use overture_store::{
    Slice, accounts, campaigns as stored_campaigns, caps, people, prospects as stored,
};

use super::{
    coverage,
    outside::{self, Shared},
    scenario::Fault,
};

/// What a falsified counter says at least, beyond what it should.
pub const FAR_TOO_MUCH: i64 = 10_000;

/// What a text begins with that can't be rendered.
const BROKEN: &str = "{{ 1 | divided_by: 0 }}";

/// A campaign and a mailbox of one workspace.
#[derive(Clone, Debug)]
pub struct Whose {
    pub ws: WorkspaceId,
    pub campaign: CampaignId,
    pub mailbox: AccountId,
    pub address: String,
}

/// A person of a campaign.
#[derive(Clone, Debug)]
pub enum Whom {
    /// Some number of them.
    Nth(u64),
    /// The one with that address, if it is in the campaign.
    At(String),
}

/// What somebody does.
#[derive(Clone, Debug)]
pub enum Deed {
    Pause(Whose),
    Resume(Whose),
    Limit(Whose, i64),
    BreakText(Whose),
    MendText(Whose),
    PauseMailbox(Whose),
    ResumeMailbox(Whose),
    DeleteMailbox(Whose),
    ReturnMailbox(Whose),
    ChangePassword(Whose),
    MendPassword(Whose),
    Add(Whose, u32),
    /// Somebody who must not be written to is enrolled.
    AddSuppressed(Whose, u32),
    TakeOut(Whose, Whom),
    Suppress(Whose, Whom),
    /// Companies are given to those who have none.
    MendData(Whose),
    /// Usage that never was.
    Falsify(Whose, Cap),
    LoseJobs,
}

/// Does it; None where it can't be done now, as when the campaign is through.
///
/// # Errors
/// What the engine refuses that it should not.
pub async fn act(env: &Env, deed: &Deed, log: &Shared) -> Result<Option<Fault>> {
    match done(env, deed, log).await {
        Ok(fault) => Ok(fault),
        Err(error) if is_refusal(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the engine refuses something for the state in which things are.
const fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidStatus { .. }
            | Error::NotFound(_)
            | Error::Conflict(_)
            | Error::UnusableMailboxes { .. }
            | Error::EndDateExpired
            | Error::Invalid(_)
    )
}

async fn done(env: &Env, deed: &Deed, log: &Shared) -> Result<Option<Fault>, Error> {
    let by = &Actor::Cli;
    let fault = match deed {
        Deed::Pause(at) => {
            campaigns::pause(env, at.ws, at.campaign, by).await?;
            Fault::CampaignPaused
        }
        Deed::Resume(at) => {
            let found = campaigns::get(env, at.ws, at.campaign).await?.campaign;
            if found.status != CampaignStatus::Paused {
                return Ok(None);
            }
            campaigns::resume(env, at.ws, at.campaign, by).await?;
            Fault::CampaignResumed
        }
        Deed::Limit(at, limit) => {
            let patch = CampaignPatch {
                daily_send_limit: Some(*limit),
                ..CampaignPatch::default()
            };
            campaigns::update(env, at.ws, at.campaign, &patch, by).await?;
            let mut log = outside::lock(log);
            log.limits.push((env.now(), at.campaign, *limit));
            Fault::LimitEdited
        }
        Deed::BreakText(at) => {
            edit_texts(env, at, |text| format!("{BROKEN}{text}")).await?;
            Fault::TextBroken
        }
        Deed::MendText(at) => {
            edit_texts(env, at, |text| text.replace(BROKEN, "")).await?;
            outside::lock(log).mended.push((env.now(), at.campaign));
            Fault::TextMended
        }
        Deed::PauseMailbox(at) => {
            mailboxes::status::pause(env, at.ws, at.mailbox, by).await?;
            Fault::MailboxPaused
        }
        Deed::ResumeMailbox(at) => {
            mailboxes::status::resume(env, at.ws, at.mailbox, by).await?;
            Fault::MailboxResumed
        }
        Deed::DeleteMailbox(at) => {
            mailboxes::delete(env, at.ws, at.mailbox, by).await?;
            Fault::MailboxDeleted
        }
        Deed::ReturnMailbox(at) => return returned(env, at).await,
        Deed::ChangePassword(at) => {
            mailboxes::get(env, at.ws, at.mailbox).await?;
            outside::lock(log).locked.insert(at.address.clone());
            Fault::PasswordChanged
        }
        Deed::MendPassword(at) => {
            outside::lock(log).locked.remove(&at.address);
            mailboxes::test(env, at.ws, at.mailbox, by).await?;
            Fault::PasswordMended
        }
        Deed::Add(at, n) => {
            add(
                env,
                at,
                &format!("silent.late{n}.{}", env.now().as_micros()),
            )
            .await?;
            Fault::PeopleAdded
        }
        Deed::AddSuppressed(at, n) => {
            let local = format!("silent.never{n}.{}", env.now().as_micros());
            let (email, source) = (late(&local), SuppressionSource::Manual);
            let what = suppressions::Suppress::email(email, source, "is a customer");
            suppressions::create(env, at.ws, &what).await?;
            add(env, at, &local).await?;
            Fault::SuppressedAdded
        }
        Deed::TakeOut(at, whom) => {
            let who = somebody(env, at, whom).await?;
            campaigns::unenroll(env, at.ws, at.campaign, &[who.id], &[]).await?;
            Fault::PersonTakenOut
        }
        Deed::Suppress(at, whom) => {
            let who = somebody(env, at, whom).await?;
            let source = SuppressionSource::Manual;
            let what = suppressions::Suppress::email(who.email, source, "asked by telephone");
            suppressions::create(env, at.ws, &what).await?;
            Fault::PersonSuppressed
        }
        Deed::MendData(at) => return give_companies(env, at).await,
        Deed::Falsify(at, cap) => return falsify(env, at, *cap).await,
        Deed::LoseJobs => return Ok(coverage::lose_jobs(env).await?.then_some(Fault::JobsLost)),
    };
    Ok(Some(fault))
}

/// The address of somebody who comes late.
fn late(local: &str) -> String {
    format!("{local}@d1.example")
}

/// Somebody comes late, and is enrolled.
async fn add(env: &Env, at: &Whose, local: &str) -> Result<(), Error> {
    let email = late(local);
    let fields = Fields {
        email: Some(email.clone()),
        first_name: Some("Late".to_owned()),
        company: Some("Company".to_owned()),
        ..Fields::default()
    };
    prospects::create(env, at.ws, fields, None).await?;
    let who = Enroll {
        emails: vec![email],
        ..Enroll::default()
    };
    campaigns::enroll(env, at.ws, at.campaign, &who, &Actor::Cli).await?;
    Ok(())
}

async fn edit_texts(env: &Env, at: &Whose, edit: impl Fn(&str) -> String) -> Result<(), Error> {
    let found = campaigns::get(env, at.ws, at.campaign).await?;
    let steps = found.steps.into_iter().map(|step| StepIn {
        id: Some(step.id),
        subject: step.subject,
        body_html: edit(&step.body_html),
        delay_minutes: Some(step.delay_minutes),
        ..StepIn::default()
    });
    let patch = CampaignPatch {
        steps: Some(steps.collect()),
        ..CampaignPatch::default()
    };
    campaigns::update(env, at.ws, at.campaign, &patch, &Actor::Cli).await?;
    Ok(())
}

/// The same address is connected again and joins the campaigns that it left (MB-5), as far as they take
/// it. A process that dies meanwhile finds it connected.
async fn returned(env: &Env, at: &Whose) -> Result<Option<Fault>, Error> {
    let on = &mut env.db.reader();
    let former = accounts::find_deleted(on, at.ws, Channel::Mail, &at.address).await?;
    let new = mailboxes::NewMailbox {
        address: at.address.clone(),
        provider: Some("provider-sandbox".to_owned()),
        preset: Some("sandbox".to_owned()),
        // What it sent before counts under the same limit, by the same calendar.
        daily_limit: former.as_ref().map(|former| former.daily_limit),
        time_zone: former.map(|former| former.time_zone),
        ..mailboxes::NewMailbox::default()
    };
    match mailboxes::connect(env, at.ws, new, &Actor::Cli).await {
        Ok(_) | Err(Error::Conflict(_)) => {}
        Err(error) => return Err(error),
    }
    let mut fault = None;
    let (filter, all) = (stored_campaigns::Filter::default(), Slice::first(i64::MAX));
    for campaign in campaigns::list(env, at.ws, &filter, &all).await? {
        let found = campaigns::get(env, at.ws, campaign.id).await?;
        let pool = found.pool.iter().map(|account| account.account_id);
        let mut pool: Vec<AccountId> = pool.collect();
        if pool.contains(&at.mailbox) {
            continue;
        }
        pool.push(at.mailbox);
        let patch = CampaignPatch {
            mailbox_ids: Some(pool),
            ..CampaignPatch::default()
        };
        match campaigns::update(env, at.ws, campaign.id, &patch, &Actor::Cli).await {
            Ok(_) => fault = Some(Fault::MailboxReturned),
            Err(error) if is_refusal(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(fault)
}

async fn everybody(env: &Env, at: &Whose) -> Result<Vec<Prospect>, Error> {
    let filter = overture_store::enrollments::Filter::default();
    let all = Slice::first(i64::MAX);
    let enrolled = campaigns::list_enrollments(env, at.ws, at.campaign, &filter, &all).await?;
    let on = &mut env.db.reader();
    let (filter, all) = (stored::Filter::default(), Slice::first(i64::MAX));
    let known = stored::list(on, at.ws, &filter, &all).await?;
    let known: BTreeMap<ProspectId, Prospect> =
        known.into_iter().map(|one| (one.id, one)).collect();
    let people = enrolled
        .iter()
        .filter_map(|one| known.get(&one.prospect_id));
    Ok(people.cloned().collect())
}

async fn somebody(env: &Env, at: &Whose, whom: &Whom) -> Result<Prospect, Error> {
    let mut all = everybody(env, at).await?;
    let place = match whom {
        Whom::Nth(n) => (*n as usize).checked_rem(all.len()),
        Whom::At(address) => all.iter().position(|one| one.email == *address),
    };
    let place = place.ok_or(Error::NotFound("prospect"))?;
    Ok(all.swap_remove(place))
}

async fn give_companies(env: &Env, at: &Whose) -> Result<Option<Fault>, Error> {
    let mut given = None;
    for one in everybody(env, at).await? {
        if one.company.is_empty() {
            let fields = Fields {
                company: Some("Company".to_owned()),
                ..Fields::default()
            };
            prospects::update(env, at.ws, one.id, fields).await?;
            given = Some(Fault::DataMended);
        }
    }
    Ok(given)
}

/// Whether mails count under a cap.
pub const fn counts_mails(cap: Cap) -> bool {
    !matches!(
        cap,
        Cap::InvitesDaily | Cap::MessagesDaily | Cap::ActionsPerMinute
    )
}

/// Counts what never was under a cap: far more than any limit.
async fn falsify(env: &Env, at: &Whose, cap: Cap) -> Result<Option<Fault>, Error> {
    let workspaces = people::list_workspaces(&mut env.db.reader()).await?;
    let workspace = workspaces.into_iter().find(|one| one.id == at.ws);
    let mailbox = mailboxes::get(env, at.ws, at.mailbox).await?;
    let campaign = campaigns::get(env, at.ws, at.campaign).await?.campaign;
    let name = match cap.rule().0 {
        Span::Sliding(_) | Span::Day(ZoneOf::Utc) => String::new(),
        Span::Day(ZoneOf::Mailbox) => mailbox.time_zone,
        Span::Day(ZoneOf::Campaign) => campaign.time_zone,
        Span::Day(ZoneOf::Workspace) => workspace.map(|one| one.time_zone).unwrap_or_default(),
    };
    let zone = windows::zone(&name).unwrap_or(TimeZone::UTC);
    let domain = at.address.rsplit('@').next().unwrap_or_default();
    let subjects: Vec<String> = match cap {
        Cap::MailboxDaily
        | Cap::MailboxTotalDaily
        | Cap::MailboxPerMinute
        | Cap::MailboxPerHour
        | Cap::PresetDaily
        | Cap::PresetPerMinute => vec![at.mailbox.to_string()],
        Cap::CampaignDaily | Cap::CampaignNewDaily => vec![at.campaign.to_string()],
        Cap::CampaignMailboxDaily => vec![format!("{} {}", at.campaign, at.mailbox)],
        Cap::ProspectDaily => (everybody(env, at).await?.iter())
            .map(|one| one.id.to_string())
            .collect(),
        Cap::RecipientDomainDaily => (0..11).map(|n| format!("{domain} d{n}.example")).collect(),
        Cap::ProviderPerMinute | Cap::ProviderPerHour | Cap::ProviderDaily => {
            vec!["provider-sandbox sandbox".to_owned()]
        }
        Cap::InvitesDaily | Cap::MessagesDaily | Cap::ActionsPerMinute => return Ok(None),
    };
    let wrong: Vec<_> = subjects
        .into_iter()
        .map(|subject| caps::Use {
            cap,
            subject,
            bucket: cap.bucket(env.now(), &zone),
            n: FAR_TOO_MUCH,
        })
        .collect();
    let mut tx = env.db.begin().await?;
    caps::add(&mut tx, at.ws, &wrong).await?;
    tx.commit().await?;
    Ok(Some(Fault::CounterFalsified))
}
