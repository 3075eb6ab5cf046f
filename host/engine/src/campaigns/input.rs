//! What a user says about a campaign, and what is wrong with it (API-4).

use overture_domain::{
    AccountId, StepId, Timestamp, VariantId,
    accounts::Channel,
    campaigns::{Campaign, Rotation, StepKind, Window},
    safety::Thresholds,
    variants::{MAX_VARIANTS, MAX_WEIGHT, Text},
    windows,
};

use crate::FieldError;

/// A step as a user writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepIn {
    /// The step that it changes; None for a new one (SEQ-8).
    pub id: Option<StepId>,
    /// An e-mail by default. Other channels have plain text alone.
    pub kind: Option<StepKind>,
    /// Empty in a follow-up: the subject of the first mail with `Re:` (SEQ-4).
    pub subject: String,
    pub body_html: String,
    /// None: derived from the HTML.
    pub body_text: Option<String>,
    /// After the previous step; 1 day by default, always 0 for the first (SEQ-2). Of a wait its
    /// end; 14 days by default.
    pub delay_minutes: Option<i64>,
    /// Up to 26 texts in place of the one above, which is empty then (SEQ-2).
    pub variants: Vec<VariantIn>,
}

/// A variant of a step as a user writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariantIn {
    /// The variant that it changes; None for a new one.
    pub id: Option<VariantId>,
    /// Its share against the others; 1 by default, 0 for nobody new.
    pub weight: Option<i64>,
    pub subject: String,
    pub body_html: String,
    /// None: derived from the HTML.
    pub body_text: Option<String>,
}

impl StepIn {
    pub(super) fn kind(&self) -> StepKind {
        self.kind.unwrap_or(StepKind::Email)
    }

    /// The texts that may be sent, of the variants, or of a step without any its own, each with
    /// its [`place`].
    pub(super) fn texts(&self, step: usize) -> Vec<(String, Text<'_>)> {
        if self.variants.is_empty() {
            let own = Text {
                subject: &self.subject,
                body_html: &self.body_html,
                body_text: self.body_text.as_deref(),
            };
            return vec![(place(step, None), own)];
        }
        let variants = self.variants.iter().enumerate();
        variants
            .map(|(n, variant)| (place(step, Some(n)), variant.text()))
            .collect()
    }
}

impl VariantIn {
    fn text(&self) -> Text<'_> {
        Text {
            subject: &self.subject,
            body_html: &self.body_html,
            body_text: self.body_text.as_deref(),
        }
    }
}

/// Where a user wrote a text: `steps[2]`, or `steps[2].variants[0]`.
pub(super) fn place(step: usize, variant: Option<usize>) -> String {
    match variant {
        None => format!("steps[{step}]"),
        Some(n) => format!("steps[{step}].variants[{n}]"),
    }
}

/// How a campaign uses one mailbox of its pool (ROT-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxSettingsIn {
    pub id: AccountId,
    /// 1 to 100, 1 by default; counts where the rotation is weighted.
    pub weight: Option<i64>,
    /// On by default; one that is off begins with nobody new, and keeps its follow-ups.
    pub active: Option<bool>,
}

/// A new campaign. Fields that are None get their defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CampaignIn {
    pub name: String,
    pub steps: Vec<StepIn>,
    /// The mailboxes that it sends from.
    pub mailbox_ids: Vec<AccountId>,
    /// Of those of them that differ from the defaults.
    pub mailbox_settings: Vec<MailboxSettingsIn>,
    /// IANA name; the workspace's by default.
    pub time_zone: Option<String>,
    /// Monday to Friday, 9 to 17 by default (SCH-1).
    pub windows: Option<Vec<Window>>,
    /// 100 by default (CAP-1).
    pub daily_send_limit: Option<i64>,
    /// 50 by default (CAP-1).
    pub max_sends_per_mailbox_per_day: Option<i64>,
    /// 5 by default (SCH-4).
    pub minutes_between_sends: Option<i64>,
    pub stop_on_reply: Option<bool>,
    pub stop_on_bounce: Option<bool>,
    /// SEQ-3; off by default.
    pub stop_on_company_reply: Option<bool>,
    /// `Some(None)` takes the limit away (CAP-5).
    pub new_prospects_per_day: Option<Option<i64>>,
    /// CAP-5; on by default.
    pub follow_ups_first: Option<bool>,
    /// ROT-1; round robin by default.
    pub rotation: Option<Rotation>,
    /// TRK-1; off by default.
    pub track_opens: Option<bool>,
    /// TRK-1; off by default.
    pub track_clicks: Option<bool>,
    /// SAF-1.
    pub safety: Option<Thresholds>,
    pub start_at: Option<Timestamp>,
    pub end_at: Option<Timestamp>,
}

/// Changes of a campaign; None leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CampaignPatch {
    pub name: Option<String>,
    /// The whole sequence.
    pub steps: Option<Vec<StepIn>>,
    pub mailbox_ids: Option<Vec<AccountId>>,
    /// Of single mailboxes of the pool; the others keep theirs.
    pub mailbox_settings: Vec<MailboxSettingsIn>,
    pub time_zone: Option<String>,
    pub windows: Option<Vec<Window>>,
    pub daily_send_limit: Option<i64>,
    pub max_sends_per_mailbox_per_day: Option<i64>,
    pub minutes_between_sends: Option<i64>,
    pub stop_on_reply: Option<bool>,
    pub stop_on_bounce: Option<bool>,
    /// SEQ-3; off by default.
    pub stop_on_company_reply: Option<bool>,
    /// `Some(None)` takes the limit away (CAP-5).
    pub new_prospects_per_day: Option<Option<i64>>,
    /// CAP-5; on by default.
    pub follow_ups_first: Option<bool>,
    /// ROT-1; round robin by default.
    pub rotation: Option<Rotation>,
    /// TRK-1; off by default.
    pub track_opens: Option<bool>,
    /// TRK-1; off by default.
    pub track_clicks: Option<bool>,
    /// SAF-1.
    pub safety: Option<Thresholds>,
    /// `Some(None)` removes it.
    pub start_at: Option<Option<Timestamp>>,
    /// `Some(None)` removes it.
    pub end_at: Option<Option<Timestamp>>,
}

/// Sets those settings of a campaign that are given, of a [`CampaignIn`] or a [`CampaignPatch`].
macro_rules! set_given {
    ($campaign:ident, $given:ident) => {
        $crate::campaigns::input::set_given!(
            $campaign, $given,
            time_zone, windows, daily_send_limit, max_sends_per_mailbox_per_day,
            minutes_between_sends, stop_on_reply, stop_on_bounce, stop_on_company_reply,
            new_prospects_per_day, follow_ups_first, rotation, track_opens, track_clicks, safety
        )
    };
    ($campaign:ident, $given:ident, $($field:ident),*) => {$(
        if let Some(value) = &$given.$field {
            $campaign.$field.clone_from(value);
        }
    )*};
}
pub(super) use set_given;

/// Days of a step's delay, at most.
const MAX_DELAY_DAYS: i64 = 365;

/// What is wrong with a campaign's own fields. `given` says whether the user gave the field now: a
/// date that has passed since is no mistake of theirs.
pub(super) fn check(campaign: &Campaign, dates_given: bool, now: Timestamp) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let mut add =
        |field: &str, code: &str, message: &str| wrong.push(FieldError::new(field, code, message));
    if campaign.name.trim().is_empty() {
        add("name", "required", "give the campaign a name");
    } else if campaign.name.chars().count() > 200 {
        add("name", "too_long", "a name has at most 200 characters");
    }
    if windows::zone(&campaign.time_zone).is_none() {
        let message = format!(
            "`{}` is no time zone; use an IANA name such as Europe/Berlin",
            campaign.time_zone
        );
        add("timezone", "unknown_time_zone", &message);
    }
    if !(1..=10_000).contains(&campaign.daily_send_limit) {
        add(
            "dailySendLimit",
            "out_of_range",
            "the daily limit is 1 to 10,000 mails",
        );
    }
    if !(1..=500).contains(&campaign.max_sends_per_mailbox_per_day) {
        add(
            "maxSendsPerMailboxPerDay",
            "out_of_range",
            "a mailbox sends 1 to 500 mails a day",
        );
    }
    if campaign
        .new_prospects_per_day
        .is_some_and(|limit| !(1..=10_000).contains(&limit))
    {
        add(
            "newProspectsPerDay",
            "out_of_range",
            "1 to 10,000 new people a day; null for no limit of their own",
        );
    }
    if !(0..=1_440).contains(&campaign.minutes_between_sends) {
        add(
            "minutesBetweenSends",
            "out_of_range",
            "0 to 1,440 minutes lie between two mails of a mailbox",
        );
    }
    if let Some((field, problem)) = campaign.safety.problem() {
        add(&format!("safety.{field}"), "out_of_range", problem);
    }
    if dates_given {
        if campaign.end_at.is_some_and(|end| end <= now) {
            add(
                "endDate",
                "in_the_past",
                "the end date must lie in the future",
            );
        }
        if campaign
            .start_at
            .zip(campaign.end_at)
            .is_some_and(|(start, end)| end <= start)
        {
            add(
                "endDate",
                "before_start",
                "the end date must come after the start date",
            );
        }
    }
    wrong.extend(check_windows(&campaign.windows));
    wrong
}

fn check_windows(all: &[Window]) -> Vec<FieldError> {
    if all.is_empty() {
        return vec![FieldError::new(
            "windows",
            "required",
            "say when the campaign may send",
        )];
    }
    let mut wrong = Vec::new();
    for (place, window) in all.iter().enumerate() {
        let field = format!("windows[{place}]");
        if window.days.is_empty() || window.days.iter().any(|day| *day > 6) {
            wrong.push(FieldError::new(
                format!("{field}.days"),
                "invalid",
                "name at least one day, 0 (Sunday) to 6 (Saturday)",
            ));
        }
        if window.start >= 1_440 || window.end >= 1_440 {
            wrong.push(FieldError::new(
                field,
                "invalid",
                "start and end are minutes after midnight, 0 to 1,439",
            ));
        }
    }
    wrong
}

/// What is wrong with the form of a sequence; its texts are checked by `templates`.
pub(super) fn check_steps(steps: &[StepIn]) -> Vec<FieldError> {
    if steps.is_empty() || steps.len() > 50 {
        return vec![FieldError::new(
            "steps",
            "out_of_range",
            "a campaign has 1 to 50 steps",
        )];
    }
    let first = steps.iter().position(|step| step.kind() == StepKind::Email);
    let mut wrong = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        wrong.extend(check_deed(steps, place));
        let mails = Some(step).filter(|step| step.kind() == StepKind::Email);
        for (at, text) in mails.into_iter().flat_map(|step| step.texts(place)) {
            if first == Some(place) && text.subject.trim().is_empty() {
                wrong.push(FieldError::new(
                    format!("{at}.subject"),
                    "required",
                    "the first mail needs a subject",
                ));
            }
            if text.body_html.trim().is_empty() {
                wrong.push(FieldError::new(
                    format!("{at}.bodyHtml"),
                    "required",
                    "the mail needs a text",
                ));
            }
        }
        wrong.extend(check_variants(place, step));
        if step
            .delay_minutes
            .is_some_and(|delay| !(0..=MAX_DELAY_DAYS * 1_440).contains(&delay))
        {
            let message = format!("a delay is 0 to {MAX_DELAY_DAYS} days");
            wrong.push(FieldError::new(
                format!("steps[{place}].delayDays"),
                "out_of_range",
                message,
            ));
        }
    }
    wrong
}

/// Characters of an invitation's note, before its tags are filled in (LI-4).
const MAX_NOTE: usize = 300;

/// LI-4: what a step on a network has and needs.
fn check_deed(steps: &[StepIn], place: usize) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let step = &steps[place];
    let mut add = |field: &str, code: &str, message: &str| {
        wrong.push(FieldError::new(
            format!("steps[{place}].{field}"),
            code,
            message,
        ));
    };
    let kind = step.kind();
    if kind.channel() == Channel::Mail {
        return wrong;
    }
    for (at, text) in step.texts(place) {
        if !text.subject.is_empty() || !text.body_html.is_empty() {
            let message = format!("{at} is a {kind}: it has a bodyText alone");
            add("bodyHtml", "not_allowed", &message);
        }
        let words = text.body_text.unwrap_or_default().trim();
        match kind {
            StepKind::SendMessage if words.is_empty() => {
                add("bodyText", "required", "the message needs a text");
            }
            StepKind::SendInvite if words.chars().count() > MAX_NOTE => {
                add("bodyText", "too_long", "a note has at most 300 characters");
            }
            StepKind::WaitAccept if !words.is_empty() => {
                add(
                    "bodyText",
                    "not_allowed",
                    "a wait sends nothing: leave the text out",
                );
            }
            _ => {}
        }
    }
    let invited = steps[..place]
        .iter()
        .any(|step| step.kind() == StepKind::SendInvite);
    if kind == StepKind::WaitAccept && !invited {
        add("kind", "no_invite", "put a send_invite before this wait");
    }
    wrong
}

/// SEQ-2, TPL-7
fn check_variants(place: usize, step: &StepIn) -> Vec<FieldError> {
    let variants = &step.variants;
    if variants.is_empty() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let field = format!("steps[{place}].variants");
    if variants.len() > MAX_VARIANTS {
        let message = format!("a step has up to {MAX_VARIANTS} variants");
        wrong.push(FieldError::new(&field, "out_of_range", message));
    }
    let own = [
        ("subject", step.subject.as_str()),
        ("bodyHtml", &step.body_html),
        ("bodyText", step.body_text.as_deref().unwrap_or_default()),
    ];
    for (name, _) in own.iter().filter(|(_, text)| !text.is_empty()) {
        wrong.push(FieldError::new(
            format!("steps[{place}].{name}"),
            "not_with_variants",
            "the texts of a step with variants stand in them: leave this out",
        ));
    }
    let weight = |variant: &VariantIn| variant.weight.unwrap_or(1);
    for (n, variant) in variants.iter().enumerate() {
        if !(0..=MAX_WEIGHT).contains(&weight(variant)) {
            wrong.push(FieldError::new(
                format!("{field}[{n}].weight"),
                "out_of_range",
                format!("a weight is 0 to {MAX_WEIGHT}"),
            ));
        }
    }
    if variants.iter().all(|variant| weight(variant) == 0) {
        wrong.push(FieldError::new(
            field,
            "no_weight",
            "give at least one variant a weight above 0",
        ));
    }
    wrong
}
