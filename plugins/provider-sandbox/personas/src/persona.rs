//! What somebody does with a mail.

use std::{fmt, str::FromStr};

use crate::{Chance, Language};

/// Who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Persona {
    /// Never does anything.
    Silent,
    /// Opens the mail.
    Opens,
    /// Opens it and clicks its first link.
    Clicks,
    /// Replies with interest.
    Interested,
    /// Replies and wants a meeting.
    Meeting,
    /// Replies with a question.
    Question,
    /// Replies and leaves it open.
    Neutral,
    /// Replies that there is no interest.
    Declines,
    /// Replies that it is somebody else's business.
    WrongPerson,
    /// Replies and names whose business it is.
    Refers,
    /// Is out of office: one notice with a return date, then silence.
    OutOfOffice,
    /// Answers by machine, once.
    AutoReply,
    /// The address doesn't exist; a report says so a minute later.
    HardBounce,
    /// The mailbox is full, each time that a mail is tried; a report says so a minute later.
    SoftBounce,
    /// The server takes no mail of this sender; a report says so a minute later.
    Blocks,
    /// The address doesn't exist, and the server says so at once.
    Refused,
    /// The server asks to try again later, once.
    Greylists,
    /// The sender's own service says that a quota is used up, once.
    OverLimit,
    /// Unsubscribes by the link that the mail's head gives to mail programs (RFC 8058).
    Unsubscribes,
    /// Asks in words to be taken off the list.
    AsksToStop,
    /// Marks the mail as spam.
    Complains,
    /// A security gateway fetches all that the mail holds as it comes in; nobody reads it.
    Scanned,
}

/// Something that somebody does with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// Milliseconds after the mail was sent.
    pub after_ms: u64,
    /// What it is.
    pub what: What,
}

/// What somebody can do with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// Opens it.
    Open,
    /// Clicks its first link.
    Click,
    /// Replies in the thread; the number chooses among several texts.
    Reply(u32),
    /// A notice of absence that names the first day back, so many days after the mail.
    Absence {
        /// 2 to 9
        days: u32,
    },
    /// An automatic answer that says nothing of absence.
    Receipt,
    /// A delivery report (RFC 3464): the address is gone for good.
    HardBounce,
    /// A delivery report (RFC 3464): the mailbox is full.
    SoftBounce,
    /// A delivery report (RFC 3464): the sender is not welcome.
    Block,
    /// Unsubscribes by the link in the mail's head.
    Unsubscribe,
    /// A feedback report (RFC 5965).
    Complaint,
}

/// What a mail to somebody leads to in the end, when nothing else happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Opened at least once.
    pub opened: bool,
    /// Clicked a link.
    pub clicked: bool,
    /// A person answered, whatever was said.
    pub replied: bool,
    /// A notice of absence came.
    pub out_of_office: bool,
    /// A machine answered otherwise.
    pub auto_replied: bool,
    /// The address is gone for good.
    pub bounced_hard: bool,
    /// The mail came back, or was refused, for a reason that passes.
    pub bounced_soft: bool,
    /// The mail came back because its sender is not welcome.
    pub blocked: bool,
    /// The mail waits, because its sender's quota is used up.
    pub deferred: bool,
    /// No more mail is wanted, by click or in words.
    pub unsubscribed: bool,
    /// Marked as spam.
    pub complained: bool,
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

impl Persona {
    /// Everybody, with the word that names them in an address or in settings.
    pub const ALL: [(&'static str, Persona); 22] = [
        ("silent", Persona::Silent),
        ("open", Persona::Opens),
        ("click", Persona::Clicks),
        ("reply", Persona::Interested),
        ("meeting", Persona::Meeting),
        ("question", Persona::Question),
        ("neutral", Persona::Neutral),
        ("decline", Persona::Declines),
        ("wrong", Persona::WrongPerson),
        ("refer", Persona::Refers),
        ("ooo", Persona::OutOfOffice),
        ("auto", Persona::AutoReply),
        ("bounce", Persona::HardBounce),
        ("soft", Persona::SoftBounce),
        ("block", Persona::Blocks),
        ("refuse", Persona::Refused),
        ("greylist", Persona::Greylists),
        ("limit", Persona::OverLimit),
        ("unsub", Persona::Unsubscribes),
        ("stop", Persona::AsksToStop),
        ("complain", Persona::Complains),
        ("scan", Persona::Scanned),
    ];

    /// Who an address is under a seed.
    #[must_use]
    pub fn of(seed: u64, address: &str) -> Self {
        Self::named_by(address)
            .unwrap_or_else(|| Self::by_chance(Chance::of(seed, &[address]).percent()))
    }

    /// Who an address says that it is.
    pub(crate) fn named_by(address: &str) -> Option<Self> {
        let local = address.split('@').next().unwrap_or("");
        let end = local
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(local.len());
        local[..end].to_ascii_lowercase().parse().ok()
    }

    /// As in a well-kept campaign: most people say nothing.
    fn by_chance(percent: u64) -> Self {
        match percent {
            0..=2 => Persona::Interested,
            3 => Persona::Meeting,
            4 => Persona::Question,
            5..=7 => Persona::Declines,
            8 => Persona::WrongPerson,
            9..=12 => Persona::OutOfOffice,
            13 => Persona::AutoReply,
            14..=15 => Persona::HardBounce,
            16 => Persona::SoftBounce,
            17 => Persona::Unsubscribes,
            18 => Persona::AsksToStop,
            19 => Persona::Neutral,
            20 => Persona::Refers,
            21..=44 => Persona::Opens,
            45..=51 => Persona::Clicks,
            52 => Persona::Scanned,
            _ => Persona::Silent,
        }
    }

    /// What they do with a mail, in the order of time. `mail` names it: another one comes at other
    /// moments and in other words.
    #[must_use]
    pub fn reactions(self, seed: u64, mail: &str) -> Vec<Reaction> {
        let mut chance = Chance::of(seed, &[mail]);
        let opened = MINUTE * chance.between(2, 90);
        let acted = opened + MINUTE * chance.between(3, 240);
        let machine = MINUTE * chance.between(1, 3);
        let at = |after_ms, what| Reaction { after_ms, what };
        match self {
            Persona::Silent | Persona::Refused | Persona::Greylists | Persona::OverLimit => {
                Vec::new()
            }
            Persona::Opens => vec![at(opened, What::Open)],
            Persona::Clicks => vec![at(opened, What::Open), at(opened + MINUTE, What::Click)],
            Persona::Interested
            | Persona::Meeting
            | Persona::Question
            | Persona::Neutral
            | Persona::Declines
            | Persona::WrongPerson
            | Persona::Refers
            | Persona::AsksToStop => {
                let text = u32::try_from(chance.between(0, 2)).unwrap_or(0);
                vec![at(opened, What::Open), at(acted, What::Reply(text))]
            }
            Persona::OutOfOffice => {
                let days = u32::try_from(chance.between(2, 9)).unwrap_or(2);
                vec![at(machine, What::Absence { days })]
            }
            Persona::AutoReply => vec![at(machine, What::Receipt)],
            Persona::HardBounce => vec![at(machine, What::HardBounce)],
            Persona::SoftBounce => vec![at(machine, What::SoftBounce)],
            Persona::Blocks => vec![at(machine, What::Block)],
            Persona::Unsubscribes => {
                vec![
                    at(opened, What::Open),
                    at(opened + MINUTE, What::Unsubscribe),
                ]
            }
            Persona::Complains => vec![at(acted, What::Complaint)],
            Persona::Scanned => vec![at(2 * SECOND, What::Open), at(2 * SECOND, What::Click)],
        }
    }

    /// What one mail to them leads to in the end.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        let mut outcome = Outcome {
            bounced_hard: self == Persona::Refused,
            bounced_soft: self == Persona::Greylists,
            deferred: self == Persona::OverLimit,
            unsubscribed: self == Persona::AsksToStop,
            ..Outcome::default()
        };
        for reaction in self.reactions(0, "") {
            match reaction.what {
                // What a machine fetches tells nothing of people (TRK-2).
                What::Open => outcome.opened = self != Persona::Scanned,
                What::Click => outcome.clicked = self != Persona::Scanned,
                What::Reply(_) => outcome.replied = true,
                What::Absence { .. } => outcome.out_of_office = true,
                What::Receipt => outcome.auto_replied = true,
                What::HardBounce => outcome.bounced_hard = true,
                What::SoftBounce => outcome.bounced_soft = true,
                What::Block => outcome.blocked = true,
                What::Unsubscribe => outcome.unsubscribed = true,
                What::Complaint => outcome.complained = true,
            }
        }
        outcome
    }

    /// The label (CLS-1) of what they write, in a language; none where no person writes. English and
    /// German are judged in full, the other languages where they say yes, no or stop; the rest is
    /// `other`.
    #[must_use]
    pub fn label(self, language: Language) -> Option<&'static str> {
        let label = match self {
            Persona::Interested => "interested",
            Persona::Declines => "not_interested",
            Persona::AsksToStop => "unsubscribe_request",
            Persona::Meeting => "meeting_request",
            Persona::Question => "question",
            Persona::Neutral => "neutral",
            Persona::WrongPerson => "wrong_person",
            Persona::Refers => "referral",
            _ => return None,
        };
        let plain = ["interested", "not_interested", "unsubscribe_request"].contains(&label);
        let judged = plain || matches!(language, Language::En | Language::De);
        Some(if judged { label } else { "other" })
    }
}

impl FromStr for Persona {
    type Err = UnknownPersona;

    fn from_str(word: &str) -> Result<Self, UnknownPersona> {
        let known = Persona::ALL.into_iter().find(|(name, _)| *name == word);
        known
            .map(|(_, persona)| persona)
            .ok_or_else(|| UnknownPersona(word.to_owned()))
    }
}

impl fmt::Display for Persona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Persona::ALL.iter().find(|(_, persona)| persona == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// A word that names nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPersona(pub String);

impl fmt::Display for UnknownPersona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Persona::ALL.iter().map(|(name, _)| *name).collect();
        write!(
            f,
            "nobody is called \"{}\"; use one of {}",
            self.0,
            known.join(", ")
        )
    }
}

impl std::error::Error for UnknownPersona {}
