//! What somebody does with one mail after the other.

use std::{fmt, str::FromStr};

use crate::{Chance, Persona, Reaction, UnknownPersona, What};

/// The longest absence that a behaviour can name, in days.
pub const LONGEST_ABSENCE: u32 = 60;

/// What somebody does with one mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Act {
    /// Who they are for it.
    pub persona: Persona,
    /// How long they are out of office; by chance where it isn't said.
    pub days: Option<u32>,
}

impl Act {
    /// What they do with a mail, in the order of time, as [`Persona::reactions`].
    #[must_use]
    pub fn reactions(self, seed: u64, mail: &str) -> Vec<Reaction> {
        let mut reactions = self.persona.reactions(seed, mail);
        for reaction in &mut reactions {
            if let (What::Absence { days }, Some(named)) = (&mut reaction.what, self.days) {
                *days = named;
            }
        }
        reactions
    }
}

/// What somebody does with one mail after the other: the same with each (`open`), or a list with a
/// word for each (`ooo:6, reply`) and nothing after it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Behaviour(Vec<Act>);

impl Behaviour {
    /// What somebody does who has no behaviour of their own: whom the address names does the same
    /// with each mail; of the others some answer the second or the third only.
    #[must_use]
    pub fn of(seed: u64, address: &str) -> Self {
        let persona = Persona::of(seed, address);
        let outcome = persona.outcome();
        if Persona::named_by(address).is_some() || !(outcome.replied || outcome.unsubscribed) {
            return persona.into();
        }
        let before = Chance::of(seed, &[address, "patience"]).between(0, 2);
        let first = (0..before).map(|_| Persona::Opens);
        let act = |persona| Act {
            persona,
            days: None,
        };
        Self(first.chain([persona]).map(act).collect())
    }

    /// What they do with the `nth` mail to them, from 0.
    #[must_use]
    pub fn with_mail(&self, nth: usize) -> Act {
        match self.0.as_slice() {
            [always] => *always,
            list => list.get(nth).copied().unwrap_or(Act {
                persona: Persona::Silent,
                days: None,
            }),
        }
    }
}

impl From<Persona> for Behaviour {
    fn from(persona: Persona) -> Self {
        let days = None;
        Self(vec![Act { persona, days }])
    }
}

impl FromStr for Behaviour {
    type Err = BadBehaviour;

    fn from_str(text: &str) -> Result<Self, BadBehaviour> {
        text.split(',').map(act).collect::<Result<_, _>>().map(Self)
    }
}

fn act(text: &str) -> Result<Act, BadBehaviour> {
    let (word, days) = match text.split_once(':') {
        Some((word, days)) => (word.trim(), Some(days.trim())),
        None => (text.trim(), None),
    };
    let persona = word.parse().map_err(BadBehaviour::Unknown)?;
    let days = match days {
        None => None,
        Some(_) if persona != Persona::OutOfOffice => {
            return Err(BadBehaviour::NoDays(word.to_owned()));
        }
        Some(text) => match text.parse() {
            Ok(days) if (1..=LONGEST_ABSENCE).contains(&days) => Some(days),
            _ => return Err(BadBehaviour::Days(text.to_owned())),
        },
    };
    Ok(Act { persona, days })
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Act { persona, days }) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{persona}")?;
            if let Some(days) = days {
                write!(f, ":{days}")?;
            }
        }
        Ok(())
    }
}

/// A text that says no behaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadBehaviour {
    /// Nobody is called so.
    Unknown(UnknownPersona),
    /// Days of absence that are none.
    Days(String),
    /// Days for somebody who isn't away.
    NoDays(String),
}

impl fmt::Display for BadBehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(unknown) => unknown.fmt(f),
            Self::Days(text) => write!(
                f,
                "\"{text}\" is no number of days from 1 to {LONGEST_ABSENCE}, as in \"ooo:6\""
            ),
            Self::NoDays(word) => {
                write!(
                    f,
                    "only \"ooo\" takes days, as in \"ooo:6\", not \"{word}\""
                )
            }
        }
    }
}

impl std::error::Error for BadBehaviour {}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, mails: usize) -> Vec<String> {
        let behaviour: Behaviour = text.parse().unwrap();
        assert_eq!(behaviour.to_string(), text);
        (0..mails)
            .map(|nth| behaviour.with_mail(nth).persona.to_string())
            .collect()
    }

    #[test]
    fn one_word_is_for_every_mail_and_a_list_has_one_for_each() {
        assert_eq!(words("open", 3), ["open", "open", "open"]);
        assert_eq!(
            words("ooo:6, reply", 4),
            ["ooo", "reply", "silent", "silent"]
        );
        let away: Behaviour = "ooo:6".parse().unwrap();
        let notice = away.with_mail(0).reactions(1, "<1@example.com>");
        assert_eq!(notice[0].what, What::Absence { days: 6 });
    }

    #[test]
    fn some_answer_later_than_others() {
        let people: Vec<Behaviour> = (0..500)
            .map(|n| Behaviour::of(1, &format!("p{n}@d1.test")))
            .collect();
        for text in ["reply", "open, reply", "open, open, reply", "silent"] {
            assert!(people.iter().any(|who| who.to_string() == text), "{text}");
        }
        let named = Behaviour::of(1, "reply.ada@example.com");
        assert_eq!(named, Persona::Interested.into());
    }

    #[test]
    fn what_says_nothing_is_named() {
        let says = |text: &str| text.parse::<Behaviour>().unwrap_err().to_string();
        assert!(
            says("open, dances").starts_with("nobody is called \"dances\"; use one of silent,")
        );
        assert!(says("").starts_with("nobody is called \"\""));
        assert_eq!(
            says("ooo:soon"),
            "\"soon\" is no number of days from 1 to 60, as in \"ooo:6\""
        );
        assert!(says("ooo:61").contains("1 to 60"));
        assert!(says("reply:3").contains("only \"ooo\" takes days"));
    }
}
