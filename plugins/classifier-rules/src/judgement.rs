//! Verdicts out of headers, phrases and dates.

use overture_plugin::{
    classifier::{Label, Message, Verdict},
    time::Date,
};

use crate::{
    dates, headers,
    headers::Proof,
    language,
    phrases::{self, Match, Topic},
    words::Words,
};

/// At most so many verdicts: the rest is noise.
const MOST: usize = 3;

/// Verdicts, surest first.
pub(crate) fn of(message: &Message) -> Vec<Verdict> {
    // Some people write the whole answer into the subject.
    let empty = message.newest_text.trim().is_empty();
    let words = Words::of(if empty {
        &message.subject
    } else {
        &message.newest_text
    });
    let found = phrases::find(&words);
    let found = meant(&words, found);
    let case = Case {
        message,
        language: language::of(&words, &found),
        words,
        found,
    };
    let mut verdicts = match headers::proof(message) {
        Proof::Complaint(evidence) => vec![case.verdict(Label::Complaint, 0.99, vec![evidence])],
        Proof::Bounce(evidence) => vec![case.bounce(evidence)],
        Proof::Automatic {
            evidence,
            absence,
            sure,
        } => case.automatic(evidence, absence, sure),
        Proof::None => case.by_words(),
    };
    verdicts.truncate(MOST);
    verdicts
}

/// A message with what was found in it.
struct Case<'a> {
    message: &'a Message,
    words: Words<'a>,
    found: Vec<Match>,
    language: Option<&'static str>,
}

impl Case<'_> {
    fn bounce(&self, evidence: String) -> Verdict {
        let (hard, said) = headers::is_hard_bounce(&self.words);
        let label = if hard {
            Label::BounceHard
        } else {
            Label::BounceSoft
        };
        let confidence = if said.is_some() { 0.97 } else { 0.7 };
        self.verdict(
            label,
            confidence,
            [Some(evidence), said].into_iter().flatten().collect(),
        )
    }

    /// A machine wrote it: out of office, or any other automatic answer.
    fn automatic(&self, evidence: String, absence: bool, sure: bool) -> Vec<Verdict> {
        let away = self.score(Topic::Label(Label::OutOfOffice));
        let hints = self.score(Topic::AbsenceHint);
        let receipt = self.score(Topic::Label(Label::AutoReply));
        let left = self.score(Topic::LeftCompany);
        let until = self.day_back();
        if !sure && !absence && away == 0.0 && receipt == 0.0 {
            // Lists and empty return paths are weak: a person's words outrank them.
            let verdicts = self.by_words();
            if !verdicts.is_empty() {
                return verdicts;
            }
        }
        let with = |mut more: Vec<String>| {
            more.insert(0, evidence.clone());
            more
        };
        if left > 0.0 && away == 0.0 {
            let left = self.quotes(Topic::LeftCompany);
            return vec![
                self.verdict(Label::WrongPerson, 0.9, with(left.clone())),
                self.verdict(Label::AutoReply, 0.6, with(left)),
            ];
        }
        // An automatic answer with a return date is about absence, whatever else it says; and
        // Exchange names these "Automatic reply" and nothing else.
        let says_away = away > 0.0 || absence || until.is_some() && receipt == 0.0;
        if says_away || hints > 0.0 && receipt == 0.0 {
            let confidence = if away > 0.0 || absence { 0.97 } else { 0.85 };
            let mut quotes = self.quotes(Topic::Label(Label::OutOfOffice));
            if quotes.is_empty() {
                quotes = self.quotes(Topic::AbsenceHint);
            }
            return vec![self.absence(confidence, with(quotes))];
        }
        let confidence = if sure { 0.95 } else { 0.75 };
        let quotes = self.quotes(Topic::Label(Label::AutoReply));
        vec![self.verdict(Label::AutoReply, confidence, with(quotes))]
    }

    /// Nothing outside says what it is: the words decide.
    fn by_words(&self) -> Vec<Verdict> {
        let mut scores: Vec<(Label, f32)> = RANKED
            .iter()
            .map(|label| (*label, self.score(Topic::Label(*label))))
            .filter(|(_, score)| *score > 0.0)
            .collect();
        let score = |scores: &[(Label, f32)], label: Label| {
            scores
                .iter()
                .find(|(l, _)| *l == label)
                .map_or(0.0, |(_, s)| *s)
        };
        let left = self.score(Topic::LeftCompany);
        if left > 0.0 {
            let wrong = left.max(score(&scores, Label::WrongPerson));
            set(&mut scores, Label::WrongPerson, wrong);
        }

        // A person who is away may still answer; a notice speaks of nothing but absence.
        let away = score(&scores, Label::OutOfOffice);
        let receipt = score(&scores, Label::AutoReply);
        let hints = self.score(Topic::AbsenceHint);
        let talks = ANSWERS
            .iter()
            .map(|l| score(&scores, *l))
            .fold(0.0, f32::max);
        if away > 0.0 {
            let notice = hints > 0.0 || receipt > 0.0 || talks == 0.0;
            let sure =
                away + if notice { 0.1 } else { -0.35 } + if hints > 0.0 { 0.05 } else { 0.0 };
            set(&mut scores, Label::OutOfOffice, sure.clamp(0.3, 0.96));
            if notice {
                // "For urgent matters write to my colleague" refers nobody.
                scores.retain(|(l, _)| *l == Label::OutOfOffice || *l == Label::UnsubscribeRequest);
            }
        } else if receipt > 0.0 && talks == 0.0 {
            scores.retain(|(l, _)| *l == Label::AutoReply);
        }

        // Who declines may be polite about it; who asks a question may be interested.
        let no = score(&scores, Label::NotInterested);
        if no > 0.0 {
            let later = score(&scores, Label::Neutral) > 0.0;
            for (label, score) in &mut scores {
                match label {
                    Label::Interested | Label::Question | Label::Neutral => *score *= 0.6,
                    Label::MeetingRequest => *score *= 0.75,
                    Label::NotInterested if later => *score *= 0.85,
                    _ => {}
                }
            }
        }
        if score(&scores, Label::UnsubscribeRequest) > 0.0 {
            for (label, score) in &mut scores {
                if !matches!(label, Label::UnsubscribeRequest | Label::Complaint) {
                    *score *= 0.6;
                }
            }
        }
        if score(&scores, Label::Referral) > 0.0 {
            // "Not my area, ask Ada": the referral is the better news. And naming somebody is no
            // meeting with the writer.
            for (label, score) in &mut scores {
                match label {
                    Label::WrongPerson => *score *= 0.9,
                    Label::MeetingRequest | Label::Interested => *score *= 0.8,
                    Label::Question | Label::Neutral => *score *= 0.7,
                    _ => {}
                }
            }
        }
        if score(&scores, Label::MeetingRequest) > 0.0 {
            for (label, score) in &mut scores {
                if matches!(label, Label::Interested | Label::Question | Label::Neutral) {
                    *score *= 0.8;
                }
            }
        } else if score(&scores, Label::Interested) > 0.0 {
            for (label, score) in &mut scores {
                if matches!(label, Label::Question | Label::Neutral) {
                    *score *= 0.8;
                }
            }
        } else if score(&scores, Label::Question) > 0.0 {
            set(&mut scores, Label::Neutral, 0.0);
        }
        scores.retain(|(_, score)| *score >= 0.25);
        if scores.is_empty() && self.words.asks && !self.words.list.is_empty() {
            let end = self.words.list.len().min(8);
            let quote = self.words.quote(0, end);
            return vec![self.verdict(Label::Question, 0.6, vec![quote])];
        }
        scores.sort_by(|a, b| b.1.total_cmp(&a.1));
        scores
            .into_iter()
            .map(|(label, score)| match label {
                Label::OutOfOffice => self.absence(score, self.quotes(Topic::Label(label))),
                Label::WrongPerson => {
                    let mut quotes = self.quotes(Topic::Label(label));
                    quotes.extend(self.quotes(Topic::LeftCompany));
                    self.verdict(label, score, quotes)
                }
                _ => self.verdict(label, score, self.quotes(Topic::Label(label))),
            })
            .collect()
    }

    fn absence(&self, confidence: f32, evidence: Vec<String>) -> Verdict {
        let until = self.day_back().map(|day| day.to_string());
        let verdict = self.verdict(Label::OutOfOffice, confidence, evidence);
        Verdict {
            out_of_office_until: until,
            ..verdict
        }
    }

    fn day_back(&self) -> Option<Date> {
        let today = Date::of(self.message.received_at);
        dates::first_day_back(&self.words, today, self.language.unwrap_or(""))
    }

    fn verdict(&self, label: Label, confidence: f32, evidence: Vec<String>) -> Verdict {
        Verdict {
            label,
            confidence,
            language: self.language.map(str::to_owned),
            evidence,
            out_of_office_until: None,
        }
    }

    /// How sure the phrases of a topic are together.
    fn score(&self, topic: Topic) -> f32 {
        let doubt = self
            .of(topic)
            .fold(1.0, |doubt, m| doubt * (1.0 - m.confidence));
        (1.0 - doubt).min(0.98)
    }

    /// The first three phrases of a topic, word for word.
    fn quotes(&self, topic: Topic) -> Vec<String> {
        self.of(topic)
            .take(3)
            .map(|m| self.words.quote(m.from, m.to))
            .collect()
    }

    fn of(&self, topic: Topic) -> impl Iterator<Item = &Match> {
        self.found.iter().filter(move |m| m.topic == topic)
    }
}

/// The labels that words decide on.
const RANKED: [Label; 11] = [
    Label::UnsubscribeRequest,
    Label::Complaint,
    Label::Referral,
    Label::WrongPerson,
    Label::NotInterested,
    Label::MeetingRequest,
    Label::Interested,
    Label::Question,
    Label::Neutral,
    Label::OutOfOffice,
    Label::AutoReply,
];

/// What only a person says.
const ANSWERS: [Label; 5] = [
    Label::Interested,
    Label::MeetingRequest,
    Label::NotInterested,
    Label::UnsubscribeRequest,
    Label::Question,
];

fn set(scores: &mut Vec<(Label, f32)>, label: Label, score: f32) {
    match scores.iter_mut().find(|(l, _)| *l == label) {
        Some(entry) => entry.1 = score,
        None => scores.push((label, score)),
    }
}

/// Words that turn what follows into its opposite, or into a mere possibility.
const NEGATORS: &[&str] = &[
    "not",
    "no",
    "never",
    "don't",
    "dont",
    "doesn't",
    "didn't",
    "won't",
    "wouldn't",
    "can't",
    "cannot",
    "isn't",
    "aren't",
    "couldn't",
    "without",
    "nicht",
    "kein",
    "keine",
    "keinen",
    "keinerlei",
    "nie",
    "niemals",
    "ohne",
    "unless",
    "if",
    "whether",
    "wenn",
    "falls",
    "sofern",
    "sollten",
    "should",
    "ob",
];

/// Words after which the sentence begins anew.
const TURNS: &[&str] = &[
    "but",
    "however",
    "though",
    "aber",
    "jedoch",
    "sondern",
    "allerdings",
];

/// Words that put an absence into the past.
const PAST: &[&str] = &["was", "were", "been", "war", "waren", "gewesen", "hatte"];

/// Leaves out phrases whose sentence says the opposite.
fn meant(words: &Words<'_>, found: Vec<Match>) -> Vec<Match> {
    let before = |m: &Match, reach: usize, list: &[&str]| {
        let sentence = words.list[m.from].sentence;
        (m.from.saturating_sub(reach)..m.from)
            .rev()
            .take_while(|n| words.list[*n].sentence == sentence && !TURNS.contains(&words.at(*n)))
            .any(|n| list.contains(&words.at(n)))
    };
    let stays = |m: &Match| match m.topic {
        Topic::Label(Label::Interested | Label::MeetingRequest) => !before(m, 4, NEGATORS),
        Topic::Label(Label::OutOfOffice) => !before(m, 3, PAST),
        _ => true,
    };
    found.into_iter().filter(stays).collect()
}
