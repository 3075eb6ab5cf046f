//! Who lives in the sandbox (OPS-6), and how they answer a mail.
//!
//! Pure and without dependencies: the plugin acts it out, and a demo or a test computes from it
//! what must have happened in the end. Who somebody is depends on seed and address alone; the
//! Message-ID decides only when and in which words they answer, so that counts can be known before
//! anything is sent.
//!
//! The address says who it is: what stands before the first `+`, `.`, `-`, `_` or digit, as in
//! `ooo@example.com`, `reply+ada@example.com`, `bounce7@example.com`. A later piece may name a
//! language (`reply.ada.de@example.com`). Everybody else is somebody by chance, mostly silent.

use std::{fmt, str::FromStr};

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
    /// Replies that there is no interest.
    Declines,
    /// Replies that it is somebody else's business.
    WrongPerson,
    /// Is out of office: one notice with a return date, then silence.
    OutOfOffice,
    /// Answers by machine, once.
    AutoReply,
    /// The address doesn't exist; a report says so a minute later.
    HardBounce,
    /// The mailbox is full; a report says so a minute later.
    SoftBounce,
    /// The address doesn't exist, and the server says so at once.
    Refused,
    /// Uses the mail's own way to unsubscribe.
    Unsubscribes,
    /// Asks in words to be taken off the list.
    AsksToStop,
    /// Marks the mail as spam.
    Complains,
}

/// The language that somebody writes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English
    #[default]
    En,
    /// German
    De,
    /// Dutch
    Nl,
    /// French
    Fr,
    /// Spanish
    Es,
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
    /// A delivery report (RFC 3464).
    Bounce {
        /// Whether the address is gone for good.
        hard: bool,
    },
    /// Unsubscribes by the mail's own way.
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
    /// The mail came back for another reason.
    pub bounced_soft: bool,
    /// No more mail is wanted, by click or in words.
    pub unsubscribed: bool,
    /// Marked as spam.
    pub complained: bool,
}

const MINUTE: u64 = 60_000;

impl Persona {
    /// Everybody, with the word that names them in an address or in settings.
    pub const ALL: [(&'static str, Persona); 16] = [
        ("silent", Persona::Silent),
        ("open", Persona::Opens),
        ("click", Persona::Clicks),
        ("reply", Persona::Interested),
        ("meeting", Persona::Meeting),
        ("question", Persona::Question),
        ("decline", Persona::Declines),
        ("wrong", Persona::WrongPerson),
        ("ooo", Persona::OutOfOffice),
        ("auto", Persona::AutoReply),
        ("bounce", Persona::HardBounce),
        ("soft", Persona::SoftBounce),
        ("refuse", Persona::Refused),
        ("unsub", Persona::Unsubscribes),
        ("stop", Persona::AsksToStop),
        ("complain", Persona::Complains),
    ];

    /// Who an address is under a seed.
    #[must_use]
    pub fn of(seed: u64, address: &str) -> Self {
        let local = address.split('@').next().unwrap_or("");
        let end = local
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(local.len());
        let word = local[..end].to_ascii_lowercase();
        word.parse()
            .unwrap_or_else(|_| Self::by_chance(Chance::of(seed, &[address]).percent()))
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
            19..=44 => Persona::Opens,
            45..=51 => Persona::Clicks,
            _ => Persona::Silent,
        }
    }

    /// What they do with a mail, in the order of time.
    #[must_use]
    pub fn reactions(self, seed: u64, message_id: &str) -> Vec<Reaction> {
        let mut chance = Chance::of(seed, &[message_id]);
        let opened = MINUTE * chance.between(2, 90);
        let acted = opened + MINUTE * chance.between(3, 240);
        let machine = MINUTE * chance.between(1, 3);
        let at = |after_ms, what| Reaction { after_ms, what };
        match self {
            Persona::Silent | Persona::Refused => Vec::new(),
            Persona::Opens => vec![at(opened, What::Open)],
            Persona::Clicks => vec![at(opened, What::Open), at(opened + MINUTE, What::Click)],
            Persona::Interested
            | Persona::Meeting
            | Persona::Question
            | Persona::Declines
            | Persona::WrongPerson
            | Persona::AsksToStop => {
                let text = u32::try_from(chance.between(0, 2)).unwrap_or(0);
                vec![at(opened, What::Open), at(acted, What::Reply(text))]
            }
            Persona::OutOfOffice => {
                let days = u32::try_from(chance.between(2, 9)).unwrap_or(2);
                vec![at(machine, What::Absence { days })]
            }
            Persona::AutoReply => vec![at(machine, What::Receipt)],
            Persona::HardBounce => vec![at(machine, What::Bounce { hard: true })],
            Persona::SoftBounce => vec![at(machine, What::Bounce { hard: false })],
            Persona::Unsubscribes => {
                vec![
                    at(opened, What::Open),
                    at(opened + MINUTE, What::Unsubscribe),
                ]
            }
            Persona::Complains => vec![at(acted, What::Complaint)],
        }
    }

    /// What one mail to them leads to in the end.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        let mut outcome = Outcome {
            bounced_hard: self == Persona::Refused,
            ..Outcome::default()
        };
        for reaction in self.reactions(0, "") {
            match reaction.what {
                What::Open => outcome.opened = true,
                What::Click => outcome.clicked = true,
                What::Reply(_) => outcome.replied = true,
                What::Absence { .. } => outcome.out_of_office = true,
                What::Receipt => outcome.auto_replied = true,
                What::Bounce { hard: true } => outcome.bounced_hard = true,
                What::Bounce { hard: false } => outcome.bounced_soft = true,
                What::Unsubscribe => outcome.unsubscribed = true,
                What::Complaint => outcome.complained = true,
            }
        }
        outcome.unsubscribed |= self == Persona::AsksToStop;
        outcome
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

impl Language {
    /// The language that a piece of the address names, else English.
    #[must_use]
    pub fn of(address: &str) -> Self {
        let local = address.split('@').next().unwrap_or("").to_ascii_lowercase();
        let pieces = local.split(['+', '.', '-', '_']).skip(1);
        let named = pieces.filter_map(|piece| match piece {
            "en" => Some(Language::En),
            "de" => Some(Language::De),
            "nl" => Some(Language::Nl),
            "fr" => Some(Language::Fr),
            "es" => Some(Language::Es),
            _ => None,
        });
        named.last().unwrap_or_default()
    }
}

/// Chance that is the same for the same words (splitmix64 over FNV-1a).
#[derive(Clone, Copy, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Seeded by a number and some texts.
    #[must_use]
    pub fn of(seed: u64, texts: &[&str]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed;
        for text in texts {
            for byte in text.bytes().chain([0]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Chance(hash)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.number() % (high - low + 1)
    }

    fn percent(mut self) -> u64 {
        self.between(0, 99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_who_it_is() {
        for (address, persona) in [
            ("reply@example.com", Persona::Interested),
            ("Reply+Ada@example.com", Persona::Interested),
            ("ooo.bob@example.com", Persona::OutOfOffice),
            ("bounce7@example.com", Persona::HardBounce),
            ("unsub-1@example.com", Persona::Unsubscribes),
            ("silent_x@example.com", Persona::Silent),
        ] {
            assert_eq!(Persona::of(0, address), persona, "{address}");
        }
        assert_eq!(Language::of("ooo.bob.de@example.com"), Language::De);
        assert_eq!(Language::of("de@example.com"), Language::En);
        for (name, persona) in Persona::ALL {
            assert_eq!(Persona::of(7, &format!("{name}@example.com")), persona);
            assert_eq!(persona.to_string(), name);
        }
    }

    /// OPS-6: everybody else is somebody by chance, the same in every run.
    #[test]
    fn chance_is_a_function_of_seed_and_address() {
        let people = |seed| {
            let address = |n| format!("p{n}@d1.test");
            (0..2_000)
                .map(|n| Persona::of(seed, &address(n)))
                .collect::<Vec<_>>()
        };
        assert_eq!(people(1), people(1));
        assert_ne!(people(1), people(2));
        let count = |wanted| people(1).iter().filter(|p| **p == wanted).count();
        assert!(
            (820..1_100).contains(&count(Persona::Silent)),
            "{}",
            count(Persona::Silent)
        );
        assert!((20..70).contains(&count(Persona::HardBounce)));
    }

    /// What is counted does not depend on the Message-ID.
    #[test]
    fn the_outcome_is_that_of_every_mail() {
        for (name, persona) in Persona::ALL {
            let kinds = |seed, id: &str| {
                let list = persona.reactions(seed, id);
                assert!(list.is_sorted_by_key(|r| r.after_ms), "{name}");
                assert!(list.iter().all(|r| r.after_ms >= MINUTE), "{name}");
                list.iter()
                    .map(|r| std::mem::discriminant(&r.what))
                    .collect::<Vec<_>>()
            };
            for n in 0..50 {
                assert_eq!(
                    kinds(n, &format!("<{n}@example.com>")),
                    kinds(0, ""),
                    "{name}"
                );
            }
        }
        let outcome = Persona::Clicks.outcome();
        assert_eq!(
            (outcome.opened, outcome.clicked, outcome.replied),
            (true, true, false)
        );
        assert!(
            Persona::AsksToStop.outcome().replied && Persona::AsksToStop.outcome().unsubscribed
        );
        assert!(Persona::Refused.outcome().bounced_hard);
    }
}
