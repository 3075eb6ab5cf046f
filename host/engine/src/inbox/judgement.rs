//! What a mail means (CLS-1): bounces and complaints by the host's own reading of their reports,
//! everything else by the classifiers in the admin's order, the first that is sure enough wins,
//! and each one's word is kept (CLS-4).

use overture_domain::{
    MessageId, Timestamp, WorkspaceId,
    accounts::{Account, Channel},
    messages::{Attribution, Label, Verdict},
};
use overture_mail::inbound::{
    Action, Automatic, AutomaticKind, DeliveryReport, Inbound, Recipient, Report,
};
use overture_mail::smtp::ReplyClass;
use overture_plugin_host as plugins;
use overture_plugin_host::ClassifyContext;

use crate::{ClassifierEntry, Classifiers, Env};

use super::attribution::Attributed;

/// Whose word a label is that no classifier gave.
pub(super) const HOST: &str = "host";

/// More text is not shown to classifiers: what decides stands at the beginning.
const TEXT_LIMIT: usize = 64 * 1024;
const HEADERS_LIMIT: usize = 100;

/// A mail and what it is taken for.
#[derive(Debug)]
pub(super) struct Judged {
    pub id: MessageId,
    pub mail: Attributed,
    pub meaning: Meaning,
}

/// What a mail is taken for.
#[derive(Debug)]
pub(super) struct Meaning {
    pub label: Label,
    /// The plugin whose word it is, or [`HOST`].
    pub label_by: String,
    /// All verdicts, in the order in which they were given.
    pub verdicts: Vec<Verdict>,
    /// The first day back, for out of office.
    pub until_day: Option<jiff::civil::Date>,
}

/// What is known of the mail of ours that a mail answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answered<'a> {
    /// Whom we wrote to.
    pub prospect_email: Option<&'a str>,
    pub subject: Option<&'a str>,
    pub sent_at: Option<Timestamp>,
    /// The answer came to the mailto of List-Unsubscribe (TRK-4).
    pub by_token: bool,
}

/// The classifiers of a workspace, in the admin's order.
pub(super) struct Judges<'a> {
    classifiers: &'a dyn Classifiers,
    entries: Vec<ClassifierEntry>,
    ws: WorkspaceId,
}

impl<'a> Judges<'a> {
    pub(super) async fn of(classifiers: &'a dyn Classifiers, ws: WorkspaceId) -> Self {
        let entries = classifiers.list(ws).await;
        Self {
            classifiers,
            entries,
            ws,
        }
    }

    /// What one mail means, received at that time.
    pub(super) async fn judge(
        &self,
        id: MessageId,
        (channel, mail): (Channel, &Inbound),
        answered: Answered<'_>,
        received_at: Timestamp,
    ) -> Meaning {
        let by_host = |label| Meaning {
            label,
            label_by: HOST.to_owned(),
            verdicts: Vec::new(),
            until_day: None,
        };
        // Machines' reports are no answers: nothing in them is for a classifier to judge.
        if let Some(label) = reported(mail, answered) {
            return by_host(label);
        }
        let message = message(id, (channel, mail), received_at);
        let mut meaning = by_host(undecided(mail.automatic.as_ref()));
        let mut decided = false;
        for classifier in &self.entries {
            let context = ClassifyContext {
                our_subject: answered.subject.map(str::to_owned),
                our_sent_at: answered.sent_at,
                settings: classifier.settings.clone(),
            };
            let said = self
                .classifiers
                .classify(self.ws, &classifier.id, &message, &context)
                .await;
            let said = said.unwrap_or_else(|error| {
                tracing::warn!(plugin.id = classifier.id, %error, "a classifier could not judge a mail");
                Vec::new()
            });
            if let Some(first) = said.first()
                && !decided
                && first.confidence > classifier.threshold
            {
                decided = true;
                meaning.label = label(first.label);
                meaning.label_by.clone_from(&classifier.id);
                meaning.until_day = first.out_of_office_until;
            }
            let kept = said
                .into_iter()
                .map(|verdict| kept(&classifier.id, verdict));
            meaning.verdicts.extend(kept);
        }
        meaning
    }
}

/// Judges mails, one after the other.
pub(super) async fn judge(env: &Env, account: &Account, mails: Vec<Attributed>) -> Vec<Judged> {
    let judges = Judges::of(&*env.classifiers, account.workspace_id).await;
    let mut judged = Vec::with_capacity(mails.len());
    for mail in mails {
        let id = env.id();
        let origin = &mail.origin;
        let answered = Answered {
            prospect_email: Some(&origin.prospect_email),
            subject: origin.subject.as_deref(),
            sent_at: origin.sent_at,
            by_token: mail.by == Attribution::Token,
        };
        let came = (account.channel, &mail.arrival.mail);
        let meaning = judges.judge(id, came, answered, env.now()).await;
        judged.push(Judged { id, mail, meaning });
    }
    judged
}

/// What the host knows by itself: reports, and mails that carry an unsubscribe token.
fn reported(mail: &Inbound, answered: Answered<'_>) -> Option<Label> {
    match &mail.report {
        Some(Report::Delivery(report)) => Some(of_delivery(report, answered.prospect_email)),
        Some(Report::Feedback(feedback)) => Some(match &*feedback.kind {
            "not-spam" | "auth-failure" => Label::AutoReply,
            "opt-out" => Label::UnsubscribeRequest,
            _ => Label::Complaint,
        }),
        None if answered.by_token => Some(Label::UnsubscribeRequest),
        None => None,
    }
}

fn of_delivery(report: &DeliveryReport, prospect: Option<&str>) -> Label {
    match failed(report, prospect).map(|recipient| recipient.class) {
        Some(ReplyClass::Hard) => Label::BounceHard,
        Some(_) => Label::BounceSoft,
        // Delays and receipts: a machine's word, nothing ended.
        None => Label::AutoReply,
    }
}

/// What a report says of our recipient's failure; `None` when nothing has failed for good.
pub(super) fn failed<'a>(
    report: &'a DeliveryReport,
    prospect: Option<&str>,
) -> Option<&'a Recipient> {
    let is_ours = |recipient: &&Recipient| {
        let addresses = [Some(&recipient.address), recipient.final_address.as_ref()];
        let mut addresses = addresses.into_iter().flatten();
        prospect.is_some_and(|own| addresses.any(|address| address.eq_ignore_ascii_case(own)))
    };
    let failed = |recipient: &&Recipient| recipient.action == Action::Failed;
    // Each of our mails has one recipient: where forwarding has changed the address, it is still
    // the one that is meant.
    let ours = report.recipients.iter().find(is_ours);
    match ours {
        Some(recipient) => Some(recipient).filter(failed),
        None => report.recipients.iter().find(failed),
    }
}

/// Nobody could tell. A person's mail ends the sequence (SAFE-1); a machine's doesn't (SAFE-2).
fn undecided(automatic: Option<&Automatic>) -> Label {
    match automatic.map(|automatic| automatic.kind) {
        Some(AutomaticKind::Reply | AutomaticKind::Generated) => Label::AutoReply,
        Some(AutomaticKind::Bulk) | None => Label::Other,
    }
}

fn message(
    id: MessageId,
    (channel, inbound): (Channel, &Inbound),
    received_at: Timestamp,
) -> plugins::Message {
    let header = |(name, value): &(String, String)| plugins::Header {
        name: name.clone(),
        value: value.clone(),
    };
    let attachment = |file: &overture_mail::inbound::Attachment| plugins::Attachment {
        name: file.name.clone(),
        content_type: file.content_type.clone(),
        size: file.size,
    };
    plugins::Message {
        id: id.to_string(),
        channel: match channel {
            Channel::Mail => plugins::Channel::Mail,
            Channel::Linkedin => plugins::Channel::Linkedin,
        },
        sender: plugins::Address {
            name: inbound.from.as_ref().and_then(|from| from.name.clone()),
            email: inbound.sender().to_owned(),
        },
        subject: inbound.subject.clone(),
        headers: inbound
            .headers
            .iter()
            .take(HEADERS_LIMIT)
            .map(header)
            .collect(),
        text: cut(&inbound.text),
        newest_text: cut(&inbound.newest_text),
        attachments: inbound.attachments.iter().map(attachment).collect(),
        received_at,
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_LIMIT)].to_owned()
}

/// The same word on both sides of the plugin interface.
fn label(label: plugins::Label) -> Label {
    label
        .as_str()
        .parse()
        .expect("both lists of labels are CLS-1's")
}

fn kept(classifier: &str, verdict: plugins::Verdict) -> Verdict {
    let clean = |text: String| text.replace('\0', "");
    Verdict {
        classifier: classifier.to_owned(),
        label: label(verdict.label),
        confidence: f64::from(verdict.confidence),
        language: verdict.language.map(clean),
        evidence: verdict.evidence.into_iter().map(clean).collect(),
        until_day: verdict.out_of_office_until.map(|day| day.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLS-1
    #[test]
    fn every_label_has_its_twin() {
        let theirs: Vec<Label> = plugins::Label::ALL.into_iter().map(label).collect();
        assert_eq!(theirs, Label::ALL);
    }

    // SAF-4: only a failure for good of our recipient is a bounce, and only a bad address is hard.
    #[test]
    fn reports_are_told_apart() {
        let check = |fields: &str, expected: Label| {
            let mail = format!(
                "From: mailer-daemon@x.test\r\nContent-Type: multipart/report; \
                 report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nsorry\r\n--b\r\n\
                 Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.test\r\n\r\n\
                 {fields}\r\n--b--\r\n"
            );
            let parsed = overture_mail::inbound::parse(mail.as_bytes());
            let Some(Report::Delivery(report)) = parsed.report else {
                panic!("{fields}")
            };
            assert_eq!(
                of_delivery(&report, Some("grace@example.net")),
                expected,
                "{fields}"
            );
        };
        let grace = "Final-Recipient: rfc822; grace@example.net\r\n";
        check(
            &format!("{grace}Action: failed\r\nStatus: 5.1.1\r\n"),
            Label::BounceHard,
        );
        check(
            &format!("{grace}Action: failed\r\nStatus: 5.2.2\r\n"),
            Label::BounceSoft,
        );
        check(
            &format!("{grace}Action: failed\r\nStatus: 4.4.1\r\n"),
            Label::BounceSoft,
        );
        check(
            &format!(
                "{grace}Action: failed\r\nStatus: 5.7.1\r\nDiagnostic-Code: smtp; 554 5.7.1 spam\r\n"
            ),
            Label::BounceSoft,
        );
        check(
            &format!("{grace}Action: delayed\r\nStatus: 4.4.1\r\n"),
            Label::AutoReply,
        );
        check(
            &format!("{grace}Action: delivered\r\nStatus: 2.0.0\r\n"),
            Label::AutoReply,
        );
        // Forwarded: another address than ours failed.
        check(
            "Final-Recipient: rfc822; g@elsewhere.test\r\nAction: failed\r\nStatus: 5.1.1\r\n",
            Label::BounceHard,
        );
    }
}
