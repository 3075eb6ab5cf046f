//! What host and classifiers make of a mail: the inbox's own reading and judging, for a person to
//! look at. Nothing is attributed, stored or done.

use overture_domain::{
    Clock, Id, Rng, WorkspaceId,
    accounts::Channel,
    messages::{Label, Verdict},
};
use overture_mail::{
    inbound::{Action, AutomaticKind, DeliveryReport, Inbound, Recipient, Report},
    smtp::ReplyClass,
};
use serde::Serialize;

use crate::Classifiers;

use super::{
    arrivals::{Arrival, BYTES_EACH},
    judgement::{Answered, HOST, Judges, Meaning},
};

/// What a mail is taken for, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// What the inbox would do something about.
    pub kind: Kind,
    /// Only of a bounce or a delay.
    pub bounce: Option<Bounced>,
    /// Only of an out-of-office notice.
    pub out_of_office: Option<OutOfOffice>,
    /// The label that counts, then the other verdicts in the classifiers' order (CLS-4).
    pub labels: Vec<Labelled>,
    /// ISO 639-1, where a classifier recognised it.
    pub language: Option<String>,
    /// The text without quoted history and signature (CLS-3).
    pub newest_text: String,
}

/// The kinds of mail that come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A mail of ours was not delivered and won't be.
    Bounce,
    /// A mail of ours is still being tried: nothing follows from it.
    Delay,
    /// Somebody complained about a mail of ours (RFC 5965).
    Complaint,
    /// A person is away (CLS-2).
    OutOfOffice,
    /// Another machine's word: a receipt, a ticket number.
    AutoReply,
    /// A person answers.
    Reply,
    /// Anything else.
    Other,
}

/// What a report says of our mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bounced {
    /// The worst of the recipients'.
    pub class: ReplyClass,
    /// Of a bounce those that failed, of a delay those that are still being tried.
    pub recipients: Vec<FailedRecipient>,
}

/// One recipient of a report (RFC 3464).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedRecipient {
    /// The address that we wrote to, as far as the server tells it.
    pub address: String,
    /// What it means (SAF-4).
    pub class: ReplyClass,
    /// The enhanced status code, `5.1.1`.
    pub status: Option<String>,
    /// The remote server's words.
    pub diagnostic: Option<String>,
}

/// What an out-of-office notice says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutOfOffice {
    /// The first day back, `2026-03-09`, where it says one.
    pub until: Option<String>,
}

/// One label, and whose word it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Labelled {
    /// CLS-1
    pub label: Label,
    /// 0 to 1.
    pub confidence: f64,
    /// The id of the plugin, or `host`.
    pub classifier: String,
    /// The phrases or headers that decided, word for word.
    pub evidence: Vec<String>,
}

/// Reads and judges a mail as if it had come in at its own Date, or now where it has none. As in
/// the inbox, only the first MiB is read.
pub async fn inspect(
    bytes: &[u8],
    classifiers: &dyn Classifiers,
    clock: &dyn Clock,
    rng: &dyn Rng,
) -> Inspection {
    let now = clock.now();
    let arrival = Arrival::read(&bytes[..bytes.len().min(BYTES_EACH)], None, None);
    let mail = arrival.mail;
    let ws: WorkspaceId = Id::new(now, rng);
    let judges = Judges::of(classifiers, ws).await;
    let received_at = mail.date.unwrap_or(now);
    let meaning = judges
        .judge(
            Id::new(now, rng),
            (Channel::Mail, &mail),
            Answered::default(),
            received_at,
        )
        .await;
    let kind = kind(&mail, &meaning);
    let language = meaning
        .verdicts
        .iter()
        .find_map(|verdict| verdict.language.clone());
    Inspection {
        kind,
        bounce: bounced(kind, &mail, meaning.label),
        out_of_office: (kind == Kind::OutOfOffice).then(|| OutOfOffice {
            until: meaning.until_day.map(|day| day.to_string()),
        }),
        labels: labels(&mail, meaning),
        language,
        newest_text: mail.newest_text,
    }
}

fn kind(mail: &Inbound, meaning: &Meaning) -> Kind {
    match (&mail.report, meaning.label) {
        (Some(Report::Delivery(report)), _) if has(report, Action::Failed) => Kind::Bounce,
        (Some(Report::Delivery(report)), _) if has(report, Action::Delayed) => Kind::Delay,
        (Some(Report::Feedback(_)), Label::UnsubscribeRequest) => Kind::Complaint,
        (_, Label::BounceHard | Label::BounceSoft) => Kind::Bounce,
        (_, Label::Complaint) => Kind::Complaint,
        (_, Label::OutOfOffice) => Kind::OutOfOffice,
        (_, Label::AutoReply) => Kind::AutoReply,
        (_, Label::Other) if !answers(mail) => Kind::Other,
        _ => Kind::Reply,
    }
}

/// A person's mail that is part of a thread.
fn answers(mail: &Inbound) -> bool {
    let is_bulk = mail
        .automatic
        .as_ref()
        .is_some_and(|automatic| automatic.kind == AutomaticKind::Bulk);
    let in_thread = !mail.in_reply_to.is_empty() || !mail.references.is_empty();
    in_thread && !is_bulk
}

fn has(report: &DeliveryReport, action: Action) -> bool {
    report
        .recipients
        .iter()
        .any(|recipient| recipient.action == action)
}

fn bounced(kind: Kind, mail: &Inbound, label: Label) -> Option<Bounced> {
    let action = match kind {
        Kind::Bounce => Action::Failed,
        Kind::Delay => Action::Delayed,
        _ => return None,
    };
    let Some(Report::Delivery(report)) = &mail.report else {
        // A classifier's word alone.
        let class = match label {
            Label::BounceHard => ReplyClass::Hard,
            _ => ReplyClass::Unknown,
        };
        return Some(Bounced {
            class,
            recipients: Vec::new(),
        });
    };
    let told = report.recipients.iter().filter(|one| one.action == action);
    let recipients: Vec<FailedRecipient> = told.map(recipient).collect();
    let class = recipients
        .iter()
        .map(|one| one.class)
        .min_by_key(|class| WORST_FIRST.iter().position(|other| other == class));
    Some(Bounced {
        class: class.unwrap_or(ReplyClass::Unknown),
        recipients,
    })
}

const WORST_FIRST: [ReplyClass; 7] = [
    ReplyClass::Hard,
    ReplyClass::SenderLimit,
    ReplyClass::Auth,
    ReplyClass::Policy,
    ReplyClass::Content,
    ReplyClass::Soft,
    ReplyClass::Unknown,
];

fn recipient(recipient: &Recipient) -> FailedRecipient {
    FailedRecipient {
        address: recipient.address.clone(),
        class: recipient.class,
        status: recipient.status.clone(),
        diagnostic: recipient.diagnostic.clone(),
    }
}

fn labels(mail: &Inbound, meaning: Meaning) -> Vec<Labelled> {
    let labelled = |verdict: Verdict| Labelled {
        label: verdict.label,
        confidence: verdict.confidence,
        classifier: verdict.classifier,
        evidence: verdict.evidence,
    };
    let counts = |one: &Labelled| one.label == meaning.label && one.classifier == meaning.label_by;
    let mut labels: Vec<Labelled> = meaning.verdicts.into_iter().map(labelled).collect();
    match labels.iter().position(counts) {
        Some(at) => labels[..=at].rotate_right(1),
        None => labels.insert(0, by_host(mail, meaning.label)),
    }
    labels
}

/// The host is sure of what it has read in a report or a header; a mail of which nobody could tell
/// is only called something.
fn by_host(mail: &Inbound, label: Label) -> Labelled {
    let evidence = match (&mail.report, &mail.automatic) {
        (Some(Report::Delivery(report)), _) => {
            let words = report.recipients.iter().filter_map(|one| {
                let parts = [one.status.as_deref(), one.diagnostic.as_deref()];
                let said: Vec<&str> = parts.into_iter().flatten().collect();
                (!said.is_empty()).then(|| said.join(" "))
            });
            words.take(20).collect()
        }
        (Some(Report::Feedback(feedback)), _) => vec![format!("Feedback-Type: {}", feedback.kind)],
        (None, Some(automatic)) => vec![automatic.evidence.clone()],
        (None, None) => Vec::new(),
    };
    let sure = mail.report.is_some() || label == Label::AutoReply;
    Labelled {
        label,
        confidence: if sure { 1.0 } else { 0.0 },
        classifier: HOST.to_owned(),
        evidence,
    }
}
