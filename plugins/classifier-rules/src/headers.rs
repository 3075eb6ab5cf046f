//! What header fields and subject prove, whatever the text says.

use overture_plugin::classifier::{Label, Message};

use crate::{
    phrases::{self, Match, Topic},
    words::Words,
};

/// What a message is, by its outside.
#[derive(Debug)]
pub(crate) enum Proof {
    /// A delivery report (RFC 3464), or a mailer's plain text.
    Bounce(String),
    /// A feedback report (RFC 5965).
    Complaint(String),
    /// Sent by a machine. The subject may say that it is about absence.
    Automatic {
        evidence: String,
        absence: bool,
        sure: bool,
    },
    /// By a person, as far as one can see.
    None,
}

pub(crate) fn proof(message: &Message) -> Proof {
    let mut automatic: Option<(String, bool)> = None;
    let mut vacation = false;
    let mut exchange = (false, false);
    for header in &message.headers {
        let name = header.name.as_str();
        let value = header.value.trim();
        let shown = || format!("{name}: {value}");
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        let mut sure = None;
        if is("Content-Type") {
            let value = value.to_ascii_lowercase();
            if value.starts_with("multipart/report") {
                if value.contains("feedback-report") {
                    return Proof::Complaint(shown());
                }
                if value.contains("delivery-status") {
                    return Proof::Bounce(shown());
                }
            }
        } else if is("X-Failed-Recipients") {
            return Proof::Bounce(name.to_owned());
        } else if is("Auto-Submitted") {
            // RFC 3834 §5: anything but `no`.
            let word = value.split([';', ' ']).next().unwrap_or("");
            sure = (!word.eq_ignore_ascii_case("no")).then_some(true);
        } else if is("X-Autoreply") || is("X-Autorespond") || is("X-Autoresponder") {
            sure = (!value.eq_ignore_ascii_case("no")).then_some(true);
        } else if is("X-Vacation") {
            vacation = true;
            sure = Some(true);
        } else if is("X-Auto-Response-Suppress") {
            // Alone it is no proof: ordinary Exchange mail can carry it.
            exchange.0 = value.eq_ignore_ascii_case("all");
        } else if is("X-MS-Exchange-Inbox-Rules-Loop") {
            exchange.1 = true;
        } else if is("Precedence") {
            if value.eq_ignore_ascii_case("auto_reply") || value.eq_ignore_ascii_case("auto-reply")
            {
                sure = Some(true);
            } else if ["bulk", "junk", "list"]
                .iter()
                .any(|p| value.eq_ignore_ascii_case(p))
            {
                sure = Some(false);
            }
        } else if is("Delivered-To") {
            sure = value.eq_ignore_ascii_case("autoresponder").then_some(true);
        } else if is("Return-Path") {
            sure = (value == "<>").then_some(false);
        }
        if let Some(sure) = sure
            && automatic.as_ref().is_none_or(|(_, known)| sure && !known)
        {
            automatic = Some((shown(), sure));
        }
    }
    if exchange == (true, true) && automatic.is_none() {
        automatic = Some(("X-MS-Exchange-Inbox-Rules-Loop".into(), true));
    }
    if let Some(evidence) = mailer(message) {
        return Proof::Bounce(evidence);
    }
    let (subject_automatic, subject_absence) = subject(&message.subject);
    if automatic.is_none() && subject_automatic {
        automatic = Some((format!("Subject: {}", message.subject), true));
    }
    match automatic {
        Some((evidence, sure)) => Proof::Automatic {
            evidence,
            absence: vacation || subject_absence,
            sure,
        },
        None if subject_absence => Proof::Automatic {
            evidence: format!("Subject: {}", message.subject),
            absence: true,
            sure: false,
        },
        None => Proof::None,
    }
}

/// A mailer that writes about a mail that it could not deliver.
fn mailer(message: &Message) -> Option<String> {
    let sender = message.sender.email.to_ascii_lowercase();
    let local = sender.split('@').next().unwrap_or("");
    let is_mailer = matches!(
        local,
        "mailer-daemon" | "postmaster" | "mail-daemon" | "maildelivery"
    );
    if !is_mailer {
        return None;
    }
    let both = format!("{}\n{}", message.subject, message.newest_text);
    let words = Words::of(&both);
    let bounce =
        |m: &&Match| matches!(m.topic, Topic::Label(Label::BounceHard | Label::BounceSoft));
    let found = phrases::find(&words);
    // A postmaster's vacation notice is not a bounce; a mailer daemon has no other business.
    let said = found.iter().find(bounce).map(|m| words.quote(m.from, m.to));
    said.or_else(|| (local == "mailer-daemon").then_some(message.sender.email.clone()))
}

/// Whether a subject is that of an automatic answer, and whether it speaks of absence.
fn subject(subject: &str) -> (bool, bool) {
    let words = Words::of(subject);
    // "Re: …" is ours with a mark before it: what follows says nothing about this mail.
    if matches!(
        words.at(0),
        "re" | "aw" | "sv" | "odp" | "antw" | "rv" | "fwd" | "wg" | "fw"
    ) {
        return (false, false);
    }
    let absence_word = |word: &str| {
        matches!(
            word,
            "ooo" | "abwesend" | "abwesenheit" | "abwesenheitsnotiz" | "autosvar" | "oof"
        )
    };
    let first = absence_word(words.at(0));
    let automatic_word = matches!(
        (words.at(0), words.at(1)),
        (
            "autoreply" | "autoresponder" | "autosvar" | "autoresponse",
            _
        ) | ("auto" | "automatic" | "automated", "reply" | "response")
            | ("automatische" | "automatisierte", "antwort")
            | ("automatisch", "antwoord" | "svar")
            | ("automatiskt" | "automatisk", "svar")
            | (
                "reponse" | "respuesta" | "risposta" | "resposta",
                "automatique" | "automatica"
            )
            | ("automatyczna", "odpowiedz")
    );
    let found = phrases::find(&words);
    let absent = found
        .iter()
        .any(|m| m.from <= 3 && m.topic == Topic::Label(Label::OutOfOffice));
    (automatic_word || first, absent || first)
}

/// Whether a delivery report is about a mailbox that will never take the mail, and what says so.
pub(crate) fn is_hard_bounce(words: &Words<'_>) -> (bool, Option<String>) {
    for (nth, word) in words.list.iter().enumerate() {
        let mut parts = words.text(word).split('.');
        let class = parts.next();
        let rest: Vec<&str> = parts.collect();
        let digits = |s: &&str| (1..=3).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
        if rest.len() != 2 || !rest.iter().all(digits) {
            continue;
        }
        // 5.2.2 is a full mailbox, 5.7.x a policy: the address may well be right (SAF-4).
        let hard = match class {
            Some("5") => !(rest[0] == "7" || rest == ["2", "2"]),
            Some("4") => false,
            _ => continue,
        };
        return (hard, Some(words.quote(nth, nth + 1)));
    }
    let found = phrases::find(words);
    let of = |label| found.iter().find(|m| m.topic == Topic::Label(label));
    match (of(Label::BounceSoft), of(Label::BounceHard)) {
        (Some(m), _) => (false, Some(words.quote(m.from, m.to))),
        (None, Some(m)) => (true, Some(words.quote(m.from, m.to))),
        (None, None) => (false, None),
    }
}
