//! Who is in the demo, and what must come of a mail to each: computed without engine or store.

use sandbox_personas::{Outcome, Persona};

/// Names for the address book of the demo; nobody real.
const FIRST_NAMES: [&str; 12] = [
    "Ada", "Björn", "Chloé", "Dmitri", "Élise", "Fatima", "Gökhan", "Hana", "Íris", "João",
    "Žofie", "Łukasz",
];

/// How many of each persona there are.
const EACH: [(&str, usize); 16] = [
    ("silent", 10),
    ("open", 8),
    ("click", 4),
    ("reply", 4),
    ("meeting", 2),
    ("question", 2),
    ("decline", 3),
    ("wrong", 1),
    ("ooo", 3),
    ("auto", 2),
    ("bounce", 3),
    ("soft", 1),
    ("refuse", 1),
    ("unsub", 2),
    ("stop", 2),
    ("complain", 1),
];

/// The languages that people write in, as the sandbox reads them from the address.
const LANGUAGES: [&str; 2] = ["en", "de"];

/// Somebody to write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub email: String,
    pub first_name: &'static str,
    pub company: String,
}

/// Everybody.
pub fn everybody() -> Vec<Person> {
    let one = |(index, (persona, number)): (usize, (&str, usize))| Person {
        email: format!(
            "{persona}.{number}.{}@example.com",
            LANGUAGES[number % LANGUAGES.len()]
        ),
        first_name: FIRST_NAMES[index % FIRST_NAMES.len()],
        company: format!("Sample {} & Co", index + 1),
    };
    let all = EACH
        .into_iter()
        .flat_map(|(persona, many)| (0..many).map(move |number| (persona, number)));
    all.enumerate().map(one).collect()
}

/// What the demo counts: a name and how often.
pub type Counts = Vec<(&'static str, i64)>;

/// The events that a webhook of the demo is told of.
pub const TOLD: [&str; 3] = ["reply.received", "email.bounced", "email.unsubscribed"];

/// What must come of one mail to each of them.
pub fn expected(people: &[Person]) -> Counts {
    let personas: Vec<(Persona, Outcome)> = people
        .iter()
        .map(|person| Persona::of(0, &person.email))
        .map(|persona| (persona, persona.outcome()))
        .collect();
    let count = |holds: &dyn Fn(Persona, Outcome) -> bool| {
        i64::try_from(
            personas
                .iter()
                .filter(|(persona, outcome)| holds(*persona, *outcome))
                .count(),
        )
        .unwrap_or(0)
    };
    let sent = count(&|persona, _| persona != Persona::Refused);
    let opened = count(&|_, outcome| outcome.opened);
    let clicked = count(&|_, outcome| outcome.clicked);
    // Who asks in words to be taken off the list counts there, not as a reply.
    let replied = count(&|_, outcome| outcome.replied && !outcome.unsubscribed);
    let out_of_office = count(&|_, outcome| outcome.out_of_office);
    let automatic = count(&|_, outcome| outcome.auto_replied);
    let bounced_hard = count(&|_, outcome| outcome.bounced_hard);
    let bounced_soft = count(&|_, outcome| outcome.bounced_soft);
    let unsubscribed = count(&|_, outcome| outcome.unsubscribed);
    let complained = count(&|_, outcome| outcome.complained);
    vec![
        ("sent", sent),
        ("opened", opened),
        ("clicked", clicked),
        ("replied", replied),
        ("out of office", out_of_office),
        ("answered by machine", automatic),
        ("bounced, hard", bounced_hard),
        ("bounced, soft", bounced_soft),
        ("unsubscribed", unsubscribed),
        ("complained", complained),
        ("webhooks delivered", replied + bounced_hard + unsubscribed),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_persona_is_there_and_known_by_its_address() {
        let people = everybody();
        for (word, persona) in Persona::ALL {
            let many = EACH
                .iter()
                .find(|(name, _)| *name == word)
                .map_or(0, |(_, many)| *many);
            let found = people
                .iter()
                .filter(|person| Persona::of(0, &person.email) == persona)
                .count();
            assert_eq!((word, found), (word, many));
        }
        assert!(expected(&people).iter().all(|(_, n)| *n > 0));
    }
}
