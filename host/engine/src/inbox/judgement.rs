//! What a mail means (CLS-1): bounces and complaints by the host's own reading of their reports,
//! everything else by the classifiers in the admin's order, the first that is sure enough wins,
//! and each one's word is kept (CLS-4).

use overture_domain::{
    MessageId,
    accounts::Account,
    messages::{Attribution, Label, Verdict},
};
use overture_mail::inbound::{Action, Automatic, AutomaticKind, DeliveryReport, Recipient, Report};
use overture_mail::smtp::ReplyClass;
use overture_plugin_host as plugins;
use overture_plugin_host::ClassifyContext;

use crate::Env;

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
    pub label: Label,
    /// The plugin whose word it is, or [`HOST`].
    pub label_by: String,
    /// All verdicts, in the order in which they were given.
    pub verdicts: Vec<Verdict>,
    /// The first day back, for out of office.
    pub until_day: Option<jiff::civil::Date>,
}

/// Judges mails, one after the other.
pub(super) async fn judge(env: &Env, account: &Account, mails: Vec<Attributed>) -> Vec<Judged> {
    let classifiers = env.classifiers.list(account.workspace_id).await;
    let mut judged = Vec::with_capacity(mails.len());
    for mail in mails {
        let id = env.id();
        let by_host = by_host(&mail);
        let mut verdicts = Vec::new();
        let mut decided = by_host.map(|label| (label, HOST.to_owned(), None));
        // Machines' reports are no answers: nothing in them is for a classifier to judge.
        if decided.is_none() {
            let message = message(env, id, &mail);
            for classifier in &classifiers {
                let context = ClassifyContext {
                    our_subject: mail.origin.subject.clone(),
                    our_sent_at: mail.origin.sent_at,
                    settings: classifier.settings.clone(),
                };
                let ws = account.workspace_id;
                let said = env
                    .classifiers
                    .classify(ws, &classifier.id, &message, &context)
                    .await;
                let said = said.unwrap_or_else(|error| {
                    tracing::warn!(plugin.id = classifier.id, %error, "a classifier could not judge a mail");
                    Vec::new()
                });
                if decided.is_none()
                    && let Some(first) = said.first()
                    && first.confidence > classifier.threshold
                {
                    decided = Some((
                        label(first.label),
                        classifier.id.clone(),
                        first.out_of_office_until,
                    ));
                }
                verdicts.extend(
                    said.into_iter()
                        .map(|verdict| kept(&classifier.id, verdict)),
                );
            }
        }
        let (label, label_by, until_day) = decided.unwrap_or_else(|| {
            (
                undecided(mail.arrival.mail.automatic.as_ref()),
                HOST.into(),
                None,
            )
        });
        judged.push(Judged {
            id,
            mail,
            label,
            label_by,
            verdicts,
            until_day,
        });
    }
    judged
}

/// What the host knows by itself: reports, and mails that carry an unsubscribe token.
fn by_host(mail: &Attributed) -> Option<Label> {
    match &mail.arrival.mail.report {
        Some(Report::Delivery(report)) => Some(of_delivery(report, &mail.origin.prospect_email)),
        Some(Report::Feedback(feedback)) => Some(match &*feedback.kind {
            "not-spam" | "auth-failure" => Label::AutoReply,
            "opt-out" => Label::UnsubscribeRequest,
            _ => Label::Complaint,
        }),
        None if mail.by == Attribution::Token => Some(Label::UnsubscribeRequest),
        None => None,
    }
}

fn of_delivery(report: &DeliveryReport, prospect: &str) -> Label {
    match failed(report, prospect).map(|recipient| recipient.class) {
        Some(ReplyClass::Hard) => Label::BounceHard,
        Some(_) => Label::BounceSoft,
        // Delays and receipts: a machine's word, nothing ended.
        None => Label::AutoReply,
    }
}

/// What a report says of our recipient's failure; `None` when nothing has failed for good.
pub(super) fn failed<'a>(report: &'a DeliveryReport, prospect: &str) -> Option<&'a Recipient> {
    let is_ours = |recipient: &&Recipient| {
        let addresses = [Some(&recipient.address), recipient.final_address.as_ref()];
        let mut addresses = addresses.into_iter().flatten();
        addresses.any(|address| address.eq_ignore_ascii_case(prospect))
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

fn message(env: &Env, id: MessageId, mail: &Attributed) -> plugins::Message {
    let inbound = &mail.arrival.mail;
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
        channel: plugins::Channel::Mail,
        sender: plugins::Address {
            name: inbound.from.as_ref().and_then(|from| from.name.clone()),
            email: mail.arrival.sender().to_owned(),
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
        received_at: env.now(),
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
                of_delivery(&report, "grace@example.net"),
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
