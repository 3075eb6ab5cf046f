//! What follows from the mails of a page, in the transaction that also saves its cursor: messages
//! and verdicts are kept, enrollments end or wait, suppressions and events are written.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use overture_domain::{
    CampaignId, ProspectId, Timestamp, WorkspaceId,
    accounts::{Account, Channel},
    campaigns::Campaign,
    caps::is_free_mail,
    enrollments::EnrollmentState,
    events::{Event, EventKind},
    messages::{Attribution, Direction, Label, MailMessage, Message},
    pacing,
    planted::{Bug, planted},
    prospects::{NO_ADDRESS_DOMAIN, Prospect, SuppressionSource, email_domain, email_key},
    windows,
};
use overture_mail::{inbound::Report, smtp::ReplyClass};
use overture_store::{
    Tx, accounts, campaigns, enrollments, events, messages as store, messages::Origin, prospects,
};
use serde_json::{Value, json};

use crate::{
    Env, Result,
    sends::{self, Again, Returned, returned_in},
    suppressions::{Suppress, suppress_in},
    unsubscribe::unsubscribe_in,
};

use super::{
    bounces::{self, Bounce, Passing},
    judgement::{self, Judged},
};

/// An out-of-office notice that promises a later return than this is not believed.
const LONGEST_ABSENCE: Duration = Duration::from_secs(366 * 24 * 3600);

/// Longer texts are cut in events; the message itself is whole.
const EVENT_TEXT: usize = 10_000;

/// Keeps mails and does what they call for. One that the account has already does nothing again
/// (MB-8).
pub(super) async fn apply(
    tx: &mut Tx,
    env: &Env,
    account: &Account,
    mails: Vec<Judged>,
) -> Result<()> {
    if mails.is_empty() {
        return Ok(());
    }
    let now = env.now();
    let rows: Vec<_> = mails
        .iter()
        .map(|judged| row(account, judged, now))
        .collect();
    let written = store::insert_new(tx, &rows, now).await?;
    let new: Vec<_> = mails
        .iter()
        .zip(&rows)
        .filter(|(judged, _)| written.contains(&judged.id))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let ws = account.workspace_id;
    let verdicts: Vec<_> = new
        .iter()
        .map(|(judged, _)| (judged.id, &*judged.meaning.verdicts))
        .collect();
    store::insert_verdicts(tx, ws, &verdicts, now).await?;
    // SAFE-3: who answers a mail, or reports on it, has got it.
    let proven: Vec<_> = new
        .iter()
        .map(|(judged, _)| &judged.mail)
        .filter(|mail| !matches!(mail.by, Attribution::Address | Attribution::Token))
        .map(|mail| mail.origin.external_id.as_str())
        .collect();
    sends::prove_in(tx, env, ws, &proven).await?;
    let origins = new.iter().map(|(judged, _)| &judged.mail.origin);
    let mut apply = Apply::new(tx, env, account, origins).await?;
    let taken = new.into_iter().map(|(judged, (message, _))| Taken {
        message,
        origin: &judged.mail.origin,
        label: judged.meaning.label,
        until_day: judged.meaning.until_day,
        report: judged.mail.arrival.mail.report.as_ref(),
        by_hand: false,
    });
    for round in rounds(taken) {
        apply.all(tx, round).await?;
    }
    Ok(())
}

/// Messages in rounds, each with one of a person at most: what several people have written may be
/// seen to at once, what one has written is in its order.
fn rounds<'a>(taken: impl Iterator<Item = Taken<'a>>) -> Vec<Vec<Taken<'a>>> {
    let mut before: HashMap<ProspectId, usize> = HashMap::new();
    let mut rounds: Vec<Vec<Taken<'a>>> = Vec::new();
    for one in taken {
        let nth = before.entry(one.origin.prospect_id).or_default();
        if *nth == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*nth].push(one);
        *nth += 1;
    }
    rounds
}

/// Does what a label calls for that a person has given by hand: the same as if a classifier had
/// given it (CLS-2).
pub(super) async fn apply_by_hand(
    tx: &mut Tx,
    env: &Env,
    account: &Account,
    taken: Taken<'_>,
) -> Result<()> {
    let mut apply = Apply::new(tx, env, account, [taken.origin]).await?;
    apply.all(tx, vec![taken]).await
}

/// A message that came in and what it is taken for.
pub(super) struct Taken<'a> {
    pub message: &'a Message,
    pub origin: &'a Origin,
    pub label: Label,
    /// The first day back, for out of office.
    pub until_day: Option<jiff::civil::Date>,
    /// What a mail server says about a mail of ours.
    pub report: Option<&'a Report>,
    /// A person says so, which counts more than a report.
    pub by_hand: bool,
}

impl Taken<'_> {
    /// A person has answered, and not to hear no more. Only mail comes back, or is reported: whatever a plugin calls another
    /// message.
    fn is_reply(&self) -> bool {
        match self.label {
            Label::UnsubscribeRequest => false,
            label if self.message.channel == Channel::Mail => label.is_reply(),
            label => label.is_reply() || !label.is_about_a_person(),
        }
    }
}

fn row(account: &Account, judged: &Judged, now: Timestamp) -> (Message, Option<MailMessage>) {
    let (arrival, origin) = (&judged.mail.arrival, &judged.mail.origin);
    let message = Message {
        id: judged.id,
        workspace_id: account.workspace_id,
        channel: account.channel,
        direction: Direction::In,
        account_id: account.id,
        campaign_id: Some(origin.campaign_id),
        enrollment_id: Some(origin.enrollment_id),
        prospect_id: Some(origin.prospect_id),
        step_index: origin.step_index,
        external_id: arrival.external_id.clone(),
        sender: arrival.sender().to_owned(),
        recipient: account.address.clone(),
        subject: arrival.mail.subject.clone(),
        text: arrival.mail.text.clone(),
        newest_text: arrival.mail.newest_text.clone(),
        html: arrival.mail.html.clone(),
        attribution: Some(judged.mail.by),
        label: Some(judged.meaning.label),
        label_by: Some(judged.meaning.label_by.clone()),
        at: now,
    };
    let place = arrival.place.as_ref();
    let mail = || MailMessage {
        in_reply_to: arrival.mail.in_reply_to.clone(),
        references: arrival.mail.references.clone(),
        folder: place.map(|place| place.folder.clone()).unwrap_or_default(),
        uid_validity: place.map(|place| place.uid_validity.into()),
        uid: place.map(|place| place.uid.into()),
        ..MailMessage::default()
    };
    let mail = (account.channel == Channel::Mail).then(mail);
    (message, mail)
}

struct Apply<'a> {
    env: &'a Env,
    account: &'a Account,
    now: Timestamp,
    campaigns: HashMap<CampaignId, Option<Campaign>>,
    people: HashMap<ProspectId, Prospect>,
    /// Told at the end of a round.
    events: Vec<Event>,
}

impl<'a> Apply<'a> {
    async fn new(
        tx: &mut Tx,
        env: &'a Env,
        account: &'a Account,
        origins: impl IntoIterator<Item = &Origin>,
    ) -> Result<Self> {
        let ids: Vec<_> = origins.into_iter().map(|it| it.prospect_id).collect();
        let people = prospects::list_by_ids(tx, account.workspace_id, &ids).await?;
        Ok(Self {
            env,
            account,
            now: env.now(),
            campaigns: HashMap::new(),
            people: people.into_iter().map(|one| (one.id, one)).collect(),
            events: Vec::new(),
        })
    }

    /// Does what messages of different people call for.
    async fn all(&mut self, tx: &mut Tx, taken: Vec<Taken<'_>>) -> Result<()> {
        let (replies, others): (Vec<_>, Vec<_>) = taken.into_iter().partition(Taken::is_reply);
        self.replies(tx, &replies).await?;
        for other in &others {
            self.one(tx, other).await?;
        }
        events::insert(tx, &std::mem::take(&mut self.events)).await?;
        Ok(())
    }

    /// What is no reply.
    async fn one(&mut self, tx: &mut Tx, taken: &Taken<'_>) -> Result<()> {
        match taken.label {
            Label::BounceHard | Label::BounceSoft => self.bounce(tx, taken).await,
            Label::Complaint => complaint(tx, self.env, self.account, taken.origin).await,
            Label::OutOfOffice => self.out_of_office(tx, taken).await,
            Label::AutoReply => self.auto_reply(tx, taken).await,
            _ => self.unsubscribe(tx, taken).await,
        }
    }

    fn ws(&self) -> WorkspaceId {
        self.account.workspace_id
    }

    async fn campaign(&mut self, tx: &mut Tx, id: CampaignId) -> Result<Option<&Campaign>> {
        if !self.campaigns.contains_key(&id) {
            let found = campaigns::find(tx, self.ws(), id).await?;
            self.campaigns.insert(id, found);
        }
        Ok(self.campaigns[&id].as_ref())
    }

    /// People have answered: their sequences end where the campaign says so (SEQ-3), also after the
    /// last step (DESIGN §4).
    async fn replies(&mut self, tx: &mut Tx, replies: &[Taken<'_>]) -> Result<()> {
        if replies.is_empty() {
            return Ok(());
        }
        let (ws, now) = (self.ws(), self.now);
        let origins = || replies.iter().map(|taken| taken.origin);
        let ids: Vec<_> = origins().map(|origin| origin.enrollment_id).collect();
        let known = enrollments::list_by_ids(tx, ws, &ids).await?;
        let completed: HashSet<_> = known
            .iter()
            .filter(|one| one.state == EnrollmentState::Completed)
            .map(|one| one.id)
            .collect();
        let (mut over, mut at_a_company) = (Vec::new(), Vec::new());
        for origin in origins() {
            let campaign = self.campaign(tx, origin.campaign_id).await?;
            let stop = campaign.is_none_or(|c| c.stop_on_reply) && !planted(Bug::GoesOnAfterAReply);
            if stop || completed.contains(&origin.enrollment_id) {
                over.push(origin.enrollment_id);
            }
            if stop && campaign.is_some_and(|c| c.stop_on_company_reply) {
                at_a_company.push(origin);
            }
        }
        enrollments::finish(tx, ws, &over, EnrollmentState::Replied, "replied", now).await?;
        for origin in at_a_company {
            self.stop_colleagues(tx, origin).await?;
        }
        let labels: Vec<_> = replies
            .iter()
            .map(|taken| (taken.origin.enrollment_id, taken.label))
            .collect();
        enrollments::set_labels(tx, ws, &labels).await?;
        let people: Vec<_> = origins().map(|origin| origin.prospect_id).collect();
        prospects::set_replied(tx, ws, &people, now).await?;
        for taken in replies {
            let origin = taken.origin;
            let (campaign, prospect) = (origin.campaign_id, origin.prospect_id);
            let (kind, key) = match taken.message.channel {
                Channel::Mail => (
                    EventKind::ReplyReceived,
                    format!("reply:{campaign}:{prospect}"),
                ),
                Channel::Linkedin => (
                    EventKind::LinkedinReplyReceived,
                    format!("linkedin_reply:{}", origin.enrollment_id),
                ),
            };
            self.tell(tx, kind, taken, Some(key), json!({})).await?;
        }
        Ok(())
    }

    /// Everybody else in the campaign at the same company; a mail service's domain is none (SEQ-3),
    /// nor is that of people without an address.
    async fn stop_colleagues(&self, tx: &mut Tx, origin: &Origin) -> Result<()> {
        let domain = email_domain(&origin.prospect_email);
        if is_free_mail(&domain) || domain == NO_ADDRESS_DOMAIN {
            return Ok(());
        }
        let (ws, campaign) = (self.ws(), origin.campaign_id);
        let mut colleagues = enrollments::list_at_domain(tx, ws, campaign, &domain).await?;
        colleagues.retain(|id| *id != origin.enrollment_id);
        let reason = format!("somebody at {domain} replied");
        let state = EnrollmentState::Stopped;
        let stopped = enrollments::finish(tx, ws, &colleagues, state, &reason, self.now).await?;
        events::insert(tx, &sends::finished_events(self.env, &stopped)).await?;
        Ok(())
    }

    /// The person is away: the sequence goes on after their return (CLS-2).
    async fn out_of_office(&mut self, tx: &mut Tx, taken: &Taken<'_>) -> Result<()> {
        let origin = taken.origin;
        let (ws, now) = (self.ws(), self.now);
        let zone = self.people.get(&origin.prospect_id);
        let zone = zone.and_then(|prospect| windows::zone(&prospect.time_zone));
        let campaign = self.campaign(tx, origin.campaign_id).await?;
        let until = back_at(taken.until_day, zone, campaign, now);
        if let (Some(until), Some(day)) = (until, taken.until_day) {
            let reason = format!("out of office; back on {day}");
            enrollments::hold(tx, ws, origin.enrollment_id, until, &reason, now).await?;
        }
        let enrollment = enrollments::find(tx, ws, origin.enrollment_id).await?;
        // What a person has answered says more than a machine.
        if enrollment.is_some_and(|e| e.state != EnrollmentState::Replied) {
            enrollments::set_labels(tx, ws, &[(origin.enrollment_id, taken.label)]).await?;
        }
        let more = json!({ "until": taken.until_day.map(|day| day.to_string()) });
        self.tell(tx, EventKind::OutOfOfficeReceived, taken, None, more)
            .await
    }

    async fn auto_reply(&mut self, tx: &mut Tx, taken: &Taken<'_>) -> Result<()> {
        self.tell(tx, EventKind::AutoReplyReceived, taken, None, json!({}))
            .await
    }

    /// Asked in words, or by the mailto of List-Unsubscribe (CLS-5, TRK-4).
    async fn unsubscribe(&mut self, tx: &mut Tx, taken: &Taken<'_>) -> Result<()> {
        let origin = taken.origin;
        let ws = self.ws();
        let reason = "asked not to be written to";
        let enrollment = enrollments::find(tx, ws, origin.enrollment_id).await?;
        if let Some(enrollment) = &enrollment {
            unsubscribe_in(tx, self.env, enrollment, reason).await?;
            enrollments::set_labels(tx, ws, &[(enrollment.id, taken.label)]).await?;
        }
        // Whoever asks is meant, also when we wrote to another address of theirs. A report of
        // their provider speaks for the person that we wrote to alone.
        let sender = taken.message.sender.as_str();
        let by_mail = taken.message.channel == Channel::Mail;
        let other = by_mail && email_key(sender) != email_key(&origin.prospect_email);
        if taken.report.is_none() && other && !sender.is_empty() {
            let what = Suppress::email(sender, SuppressionSource::Unsubscribe, reason);
            suppress_in(tx, self.env, ws, &what).await?;
        }
        prospects::set_replied(tx, ws, &[origin.prospect_id], self.now).await?;
        Ok(())
    }

    async fn bounce(&mut self, tx: &mut Tx, taken: &Taken<'_>) -> Result<()> {
        let origin = taken.origin;
        let report = match taken.report {
            Some(Report::Delivery(report)) => {
                judgement::failed(report, Some(&origin.prospect_email))
            }
            _ => None,
        };
        let reason = report.map(|recipient| {
            let parts = [recipient.status.as_deref(), recipient.diagnostic.as_deref()];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        let reason = reason.filter(|reason| !reason.is_empty());
        let bounce = Bounce {
            workspace_id: self.ws(),
            campaign_id: origin.campaign_id,
            enrollment_id: origin.enrollment_id,
            prospect_id: origin.prospect_id,
            prospect_email: &origin.prospect_email,
            account_id: origin.account_id.unwrap_or(self.account.id),
            reason: reason.as_deref().unwrap_or("the mail came back"),
        };
        // Bounces act on the host's reading of a report, not on a plugin's label (DESIGN §3).
        let class = if taken.by_hand && taken.label == Label::BounceHard {
            Some(ReplyClass::Hard)
        } else {
            report.map(|recipient| recipient.class)
        };
        match class {
            Some(ReplyClass::Hard) => bounces::hard_in(tx, self.env, &bounce).await,
            Some(ReplyClass::SenderLimit) => {
                let until = self.back_off(tx).await?;
                bounces::deferred_in(tx, self.env, &bounce, until).await?;
                self.again(tx, taken, &bounce, Again::From(until)).await
            }
            Some(ReplyClass::Policy | ReplyClass::Content | ReplyClass::Auth) => {
                bounces::passing_in(tx, self.env, &bounce, Passing::Blocked).await
            }
            _ => {
                bounces::passing_in(tx, self.env, &bounce, Passing::Soft).await?;
                self.again(tx, taken, &bounce, Again::Soft).await
            }
        }
    }

    /// A mail that did not arrive is tried again, where the report names it by its Message-ID.
    async fn again(
        &self,
        tx: &mut Tx,
        taken: &Taken<'_>,
        bounce: &Bounce<'_>,
        again: Again,
    ) -> Result<()> {
        let by_address = taken.message.attribution == Some(Attribution::Address);
        if taken.report.is_none() || by_address {
            return Ok(());
        }
        let returned = Returned {
            workspace_id: bounce.workspace_id,
            enrollment_id: bounce.enrollment_id,
            external_id: &taken.origin.external_id,
            words: bounce.reason,
            again,
        };
        returned_in(tx, self.env, returned).await?;
        Ok(())
    }

    /// The mailbox has used up a quota of its own (CAP-3).
    async fn back_off(&self, tx: &mut Tx) -> Result<Timestamp> {
        let rung = self.account.backoff_rung + 1;
        let until = self.now + pacing::backoff(rung);
        if until > self.account.backoff_until {
            let (ws, id) = (self.account.workspace_id, self.account.id);
            accounts::set_backoff(tx, ws, id, rung, until).await?;
        }
        Ok(until.max(self.account.backoff_until))
    }

    /// Tells of a mail that came in.
    async fn tell(
        &mut self,
        tx: &mut Tx,
        kind: EventKind,
        taken: &Taken<'_>,
        dedup_key: Option<String>,
        more: Value,
    ) -> Result<()> {
        let origin = taken.origin;
        let campaign = self
            .campaign(tx, origin.campaign_id)
            .await?
            .map(|c| c.name.clone());
        let prospect = self.people.get(&origin.prospect_id);
        let name = prospect.map(Prospect::full_name);
        let text = &taken.message.newest_text;
        let mut data = json!({
            "prospectId": origin.prospect_id,
            "prospectEmail": origin.prospect_email,
            "prospectName": name.unwrap_or_default(),
            "campaignId": origin.campaign_id,
            "campaignName": campaign.unwrap_or_default(),
            "enrollmentId": origin.enrollment_id,
            "stepIndex": origin.step_index,
            "messageId": taken.message.external_id,
            "inboxMessageId": taken.message.id,
            "messageText": &text[..text.floor_char_boundary(EVENT_TEXT)],
            "label": taken.label,
            "sentiment": taken.label.sentiment(),
            "receivedAt": taken.message.at,
        });
        let of_channel = match taken.message.channel {
            Channel::Mail => json!({
                "channel": "email",
                "mailboxId": self.account.id,
                "mailboxEmail": self.account.address,
                "subject": taken.message.subject,
            }),
            Channel::Linkedin => json!({
                "channel": "linkedin",
                "linkedinAccountId": self.account.id,
                "prospectLinkedinUrl": prospect.map(|one| &*one.linkedin_url).unwrap_or_default(),
                "messageBody": &text[..text.floor_char_boundary(EVENT_TEXT)],
                "isFirstReply": true,
            }),
        };
        if let (Some(data), Value::Object(of_channel)) = (data.as_object_mut(), of_channel) {
            data.extend(of_channel);
        }
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        let event = Event {
            id: self.env.id(),
            workspace_id: self.ws(),
            kind,
            channel: Some(taken.message.channel),
            campaign_id: Some(origin.campaign_id),
            enrollment_id: Some(origin.enrollment_id),
            prospect_id: Some(origin.prospect_id),
            account_id: Some(self.account.id),
            occurred_at: self.now,
            dedup_key,
            data,
        };
        self.events.push(event);
        Ok(())
    }
}

/// A complaint suppresses for good and ends everything that is under way to the person.
pub(super) async fn complaint(
    tx: &mut Tx,
    env: &Env,
    account: &Account,
    origin: &Origin,
) -> Result<()> {
    let (ws, now) = (account.workspace_id, env.now());
    let reason = "reported our mail as spam";
    let what = Suppress::email(&origin.prospect_email, SuppressionSource::Complaint, reason);
    suppress_in(tx, env, ws, &what).await?;
    let (campaign, prospect) = (origin.campaign_id, origin.prospect_id);
    let event = Event {
        id: env.id(),
        workspace_id: ws,
        kind: EventKind::EmailComplained,
        channel: Some(Channel::Mail),
        campaign_id: Some(campaign),
        enrollment_id: Some(origin.enrollment_id),
        prospect_id: Some(prospect),
        account_id: Some(account.id),
        occurred_at: now,
        dedup_key: Some(format!("complained:{campaign}:{prospect}")),
        data: json!({
            "prospectId": prospect,
            "prospectEmail": origin.prospect_email,
            "campaignId": campaign,
            "enrollmentId": origin.enrollment_id,
            "mailboxId": account.id,
            "complainedAt": now,
        }),
    };
    events::insert(tx, &[event]).await?;
    Ok(())
}

/// The beginning of the first day back, where the person is, or where the campaign thinks.
fn back_at(
    day: Option<jiff::civil::Date>,
    zone: Option<jiff::tz::TimeZone>,
    campaign: Option<&Campaign>,
    now: Timestamp,
) -> Option<Timestamp> {
    let zone = zone
        .or_else(|| windows::zone(&campaign?.time_zone))
        .unwrap_or(jiff::tz::TimeZone::UTC);
    let at = Timestamp::from(day?.to_zoned(zone).ok()?.timestamp());
    (at > now && at <= now + LONGEST_ABSENCE).then_some(at)
}
