//! The limits that one mail counts under (CAP-1).

use std::collections::HashMap;

use jiff::tz::TimeZone;
use overture_domain::{
    AccountId, CampaignId, ProspectId, Timestamp, WorkspaceId,
    accounts::{Account, Channel, MailSettings},
    campaigns::{Campaign, StepKind},
    caps::{Cap, Limit, Span, ZoneOf, recipient_domain_limit},
    prospects::{Prospect, email_domain},
    windows,
};

use overture_store::{
    Tx,
    caps::{self, heal::Sender},
};
use serde::Deserialize;

use crate::{ProviderPreset, Result};

use super::pair;

/// What the mail services allow one mailbox, by provider and preset.
#[derive(Clone, Debug, Default)]
pub(super) struct Presets(HashMap<(String, String), (Option<i64>, Option<i64>)>);

impl Presets {
    /// Whether the service behind a mailbox has a daily limit.
    pub(super) fn limit_days_of(&self, sender: &Sender) -> bool {
        let key = (sender.provider.clone(), sender.preset.clone());
        self.0
            .get(&key)
            .is_some_and(|(per_day, _)| per_day.is_some())
    }

    pub(super) fn of(presets: Vec<ProviderPreset>) -> Self {
        Self(
            presets
                .into_iter()
                .map(|p| {
                    let limits = (
                        p.preset.recipients_per_day.map(i64::from),
                        p.preset.mails_per_minute.map(i64::from),
                    );
                    ((p.provider, p.preset.key), limits)
                })
                .collect(),
        )
    }
}

/// What a step of a campaign from an account counts under, whomever it goes to. `first`: it is
/// the first step.
pub(super) fn of_room(
    account: &Account,
    campaign: &Campaign,
    (kind, first): (StepKind, bool),
    workspace_zone: &TimeZone,
    presets: &Presets,
) -> Vec<Limit> {
    let zones = |zone| match zone {
        ZoneOf::Mailbox => windows::zone(&account.time_zone).unwrap_or(TimeZone::UTC),
        ZoneOf::Campaign => windows::zone(&campaign.time_zone).unwrap_or(TimeZone::UTC),
        ZoneOf::Workspace => workspace_zone.clone(),
        ZoneOf::Utc => TimeZone::UTC,
    };
    let caps = match kind.channel() {
        Channel::Mail => of_mail(account, campaign, presets),
        Channel::Linkedin => of_network(account, campaign, kind),
    };
    caps.into_iter()
        .filter_map(|(cap, subject, limit)| {
            let zone = match cap.rule().0 {
                Span::Day(zone) => zones(zone),
                Span::Sliding(_) => TimeZone::UTC,
            };
            Some(Limit {
                cap,
                subject,
                limit: limit?,
                zone,
            })
        })
        .chain(of_first_step(campaign).filter(|_| first))
        .collect()
}

/// A cap, its subject and its limit; none: nothing limits it.
type Capped = (Cap, String, Option<i64>);

/// What an account of a network does counts by its kind: in the account (LI-5) and in the campaign
/// (LI-16).
fn of_network(account: &Account, campaign: &Campaign, kind: StepKind) -> Vec<Capped> {
    let limit = |cap: Cap| match cap {
        Cap::CampaignDaily => Some(campaign.daily_send_limit),
        Cap::CampaignMailboxDaily => Some(campaign.max_sends_per_mailbox_per_day),
        cap => cap.rule().1,
    };
    let per_minute = (Cap::ActionsPerMinute, account.id.to_string());
    let caps = network_subjects(account.id, campaign.id, kind).chain([per_minute]);
    caps.map(|(cap, subject)| (cap, subject, limit(cap)))
        .collect()
}

/// The daily caps under which it counts there, with their subjects.
fn network_subjects(
    account: AccountId,
    campaign: CampaignId,
    kind: StepKind,
) -> impl Iterator<Item = (Cap, String)> {
    let of_kind = match kind {
        StepKind::SendInvite => Some(Cap::InvitesDaily),
        StepKind::SendMessage => Some(Cap::MessagesDaily),
        StepKind::Email | StepKind::WaitAccept => None,
    };
    let campaigns = [
        (Cap::CampaignDaily, by_kind(campaign.to_string(), kind)),
        (
            Cap::CampaignMailboxDaily,
            by_kind(pair(campaign, account), kind),
        ),
    ];
    let of_kind = of_kind.map(|cap| (cap, account.to_string()));
    campaigns.into_iter().chain(of_kind)
}

/// The subject of a campaign's cap: each kind of step beside the mails counts on its own (LI-16).
fn by_kind(subject: String, kind: StepKind) -> String {
    match kind {
        StepKind::Email => subject,
        kind => format!("{subject} {kind}"),
    }
}

/// The daily caps that follow a campaign's calendar.
pub(crate) fn of_campaign_calendar(campaign: CampaignId, pool: &[AccountId]) -> Vec<(Cap, String)> {
    let mut caps = vec![(Cap::CampaignNewDaily, campaign.to_string())];
    for kind in StepKind::ALL.iter().filter(|kind| !kind.waits()) {
        caps.push((Cap::CampaignDaily, by_kind(campaign.to_string(), *kind)));
        let pairs = pool.iter().map(|account| pair(campaign, *account));
        caps.extend(pairs.map(|pair| (Cap::CampaignMailboxDaily, by_kind(pair, *kind))));
    }
    caps
}

fn of_mail(account: &Account, campaign: &Campaign, presets: &Presets) -> Vec<Capped> {
    let mailbox = account.id.to_string();
    let service = service(&account.provider, &account.preset, &account.settings);
    let key = (account.provider.clone(), account.preset.clone());
    let (per_day, per_minute) = presets.0.get(&key).copied().unwrap_or_default();
    let default = |cap: Cap| cap.rule().1;
    vec![
        (
            Cap::MailboxDaily,
            mailbox.clone(),
            Some(account.daily_limit),
        ),
        (
            Cap::MailboxTotalDaily,
            mailbox.clone(),
            default(Cap::MailboxTotalDaily),
        ),
        (
            Cap::MailboxPerMinute,
            mailbox.clone(),
            default(Cap::MailboxPerMinute),
        ),
        (
            Cap::MailboxPerHour,
            mailbox.clone(),
            default(Cap::MailboxPerHour),
        ),
        (Cap::PresetDaily, mailbox.clone(), per_day),
        (Cap::PresetPerMinute, mailbox, per_minute),
        (
            Cap::CampaignDaily,
            campaign.id.to_string(),
            Some(campaign.daily_send_limit),
        ),
        (
            Cap::CampaignMailboxDaily,
            pair(campaign.id, account.id),
            Some(campaign.max_sends_per_mailbox_per_day),
        ),
        (
            Cap::ProviderPerMinute,
            service.clone(),
            default(Cap::ProviderPerMinute),
        ),
        (
            Cap::ProviderPerHour,
            service.clone(),
            default(Cap::ProviderPerHour),
        ),
        (Cap::ProviderDaily, service, default(Cap::ProviderDaily)),
    ]
}

/// What first steps of a campaign count under besides (CAP-5).
pub(super) fn of_first_step(campaign: &Campaign) -> Option<Limit> {
    Some(Limit {
        cap: Cap::CampaignNewDaily,
        subject: campaign.id.to_string(),
        limit: campaign.new_prospects_per_day?,
        zone: windows::zone(&campaign.time_zone).unwrap_or(TimeZone::UTC),
    })
}

/// What a mail counts under by its recipient, wherever it comes from.
pub(super) fn of_prospect(prospect: &Prospect, zone: &TimeZone) -> Limit {
    Limit {
        cap: Cap::ProspectDaily,
        subject: prospect.id.to_string(),
        limit: Cap::ProspectDaily.rule().1.unwrap_or(i64::MAX),
        zone: zone.clone(),
    }
}

/// What a step from an account counts under besides, by its recipient.
pub(super) fn of_recipient(sender: &Account, prospect: &Prospect, zone: &TimeZone) -> Vec<Limit> {
    if sender.channel != Channel::Mail {
        return Vec::new();
    }
    let domains = Limit {
        cap: Cap::RecipientDomainDaily,
        subject: domains(&email_domain(&sender.address), &prospect.email),
        limit: recipient_domain_limit(&email_domain(&prospect.email)),
        zone: zone.clone(),
    };
    vec![of_prospect(prospect, zone), domains]
}

/// Whether mails from other mailboxes count under a cap of a lane's room as well.
pub(super) const fn is_shared(cap: Cap) -> bool {
    matches!(
        cap,
        Cap::CampaignDaily
            | Cap::CampaignNewDaily
            | Cap::ProviderPerMinute
            | Cap::ProviderPerHour
            | Cap::ProviderDaily
    )
}

/// The daily caps under which a mail counts, with their subjects: those of [`of_room`] and
/// [`of_recipient`], also where nothing limits them now.
pub(super) fn daily_subjects(
    sender: &Sender,
    campaign: CampaignId,
    kind: StepKind,
    prospect: ProspectId,
    email: &str,
) -> Vec<(Cap, String)> {
    if kind.channel() != Channel::Mail {
        return network_subjects(sender.id, campaign, kind).collect();
    }
    let mailbox = sender.id.to_string();
    let service = service(&sender.provider, &sender.preset, &sender.settings);
    vec![
        (Cap::MailboxDaily, mailbox.clone()),
        (Cap::MailboxTotalDaily, mailbox.clone()),
        (Cap::PresetDaily, mailbox),
        (Cap::CampaignDaily, campaign.to_string()),
        (Cap::CampaignMailboxDaily, pair(campaign, sender.id)),
        (Cap::ProviderDaily, service),
        (Cap::ProspectDaily, prospect.to_string()),
        (
            Cap::RecipientDomainDaily,
            domains(&email_domain(&sender.address), email),
        ),
    ]
}

/// The subject of [`Cap::RecipientDomainDaily`].
fn domains(sender: &str, recipient: &str) -> String {
    format!("{sender} {}", email_domain(recipient))
}

/// The campaign's daily limit, by which campaigns take turns (SCH-8).
pub(super) fn of_campaign(campaign: &Campaign) -> Limit {
    Limit {
        cap: Cap::CampaignDaily,
        subject: campaign.id.to_string(),
        limit: campaign.daily_send_limit,
        zone: windows::zone(&campaign.time_zone).unwrap_or(TimeZone::UTC),
    }
}

/// Carries daily caps of a subject over when its calendar moves to another zone (CAP-2).
pub(crate) async fn move_zone_in(
    tx: &mut Tx,
    ws: WorkspaceId,
    moved: &[(Cap, String)],
    (from, to): (&str, &str),
    now: Timestamp,
) -> Result<()> {
    if from == to {
        return Ok(());
    }
    let Some((from, to)) = windows::zone(from).zip(windows::zone(to)) else {
        return Ok(());
    };
    let (from, to) = (windows::civil_day(now, &from), windows::civil_day(now, &to));
    for (cap, subject) in moved {
        caps::move_zone(tx, ws, *cap, subject, from, to, now).await?;
    }
    Ok(())
}

/// The daily caps that follow a mailbox's calendar.
pub(crate) fn of_mailbox_calendar(account: AccountId) -> Vec<(Cap, String)> {
    [Cap::MailboxDaily, Cap::MailboxTotalDaily, Cap::PresetDaily]
        .map(|cap| (cap, account.to_string()))
        .to_vec()
}

/// The mail service behind a mailbox: its server, or its provider's preset where none is dialled.
fn service(provider: &str, preset: &str, settings: &serde_json::Value) -> String {
    match MailSettings::deserialize(settings) {
        Ok(settings) => settings.smtp.host.to_lowercase(),
        Err(_) => format!("{provider} {preset}"),
    }
}
