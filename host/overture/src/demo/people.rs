//! Who is in the demo: read from a file, made up where the file says only how many.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use sandbox_personas::{Behaviour, Chance, Language};
use serde::Deserialize;
use serde_json::{Value, json};

/// The people of `--once`; the file says what a file may hold.
pub const OF_ONCE: &str = include_str!("people.toml");
/// The people of a demo that goes on.
pub const OF_LIVE: &str = include_str!("crowd.toml");

/// People whom a file may not exceed.
const MOST: usize = 5_000;

/// Names for people who are made up.
const FIRST_NAMES: [&str; 16] = [
    "Ada", "Björn", "Chloé", "Dmitri", "Élise", "Fatima", "Gökhan", "Hana", "Íris", "João", "Kofi",
    "Łukasz", "Mei", "Noor", "Óscar", "Žofie",
];
/// The start of their addresses, in the same order.
const LOCAL_PARTS: [&str; 16] = [
    "ada", "bjoern", "chloe", "dmitri", "elise", "fatima", "goekhan", "hana", "iris", "joao",
    "kofi", "lukasz", "mei", "noor", "oscar", "zofie",
];
/// Where they work: a name, and the domain of its addresses.
const COMPANIES: [(&str, &str); 12] = [
    ("Alpenglück", "alpenglueck.test"),
    ("Blue Heron Ltd", "blue-heron.test"),
    ("Café Central", "cafe-central.test"),
    ("Delta & Söhne", "delta.test"),
    ("Everest Labs", "everest.test"),
    ("Fuchsbau", "fuchsbau.test"),
    ("Grand Large", "grand-large.test"),
    ("Harbour Nine", "harbour-nine.test"),
    ("Isla Verde", "isla-verde.test"),
    ("Juniper", "juniper.test"),
    ("Kestrel", "kestrel.test"),
    ("Lindenhof", "lindenhof.test"),
];

/// Somebody to write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub email: String,
    pub first_name: String,
    pub company: String,
    pub language: Language,
    pub behaviour: Behaviour,
}

/// Everybody, and the seed of their chances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People {
    pub seed: u64,
    pub list: Vec<Person>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    people: Vec<Named>,
    #[serde(default)]
    crowd: Vec<Crowd>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    email: String,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    company: String,
    language: Option<String>,
    does: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Crowd {
    many: usize,
    #[serde(default)]
    languages: Vec<String>,
    does: Option<String>,
}

impl People {
    /// Reads a file of people.
    ///
    /// # Errors
    /// What is wrong with it, and with which entry.
    pub fn read(text: &str) -> Result<Self> {
        let File {
            seed,
            people,
            crowd,
        } = toml::from_str(text)?;
        let mut list = Vec::new();
        for (place, named) in people.into_iter().enumerate() {
            let name = format!("people[{place}] ({})", named.email);
            list.push(one(seed, named).with_context(|| name)?);
        }
        for (place, crowd) in crowd.iter().enumerate() {
            let name = || format!("crowd[{place}]");
            ensure!(
                list.len() + crowd.many <= MOST,
                "{}: a campaign of the demo has at most {MOST} people",
                name()
            );
            list.extend(many(seed, place, crowd).with_context(name)?);
        }
        ensure!(!list.is_empty(), "there is nobody in it");
        let mut seen = BTreeSet::new();
        if let Some(twice) = list.iter().find(|one| !seen.insert(&one.email)) {
            bail!("{} is in it twice", twice.email);
        }
        // Those who act come among those who don't, as in a list of real people.
        let place = |one: &Person| Chance::of(seed, &[&one.email, "place"]).number();
        list.sort_by_key(place);
        Ok(Self { seed, list })
    }

    /// What the sandbox's mailboxes are told of them.
    pub fn settings(&self) -> Value {
        let by = |value: fn(&Person) -> String| -> Value {
            let list = self.list.iter();
            list.map(|one| (one.email.clone(), Value::String(value(one))))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        json!({
            "seed": self.seed,
            "personas": by(|one| one.behaviour.to_string()),
            "languages": by(|one| one.language.code().to_owned()),
        })
    }

    /// The list as a CSV file, for the import.
    pub fn csv(&self) -> String {
        let mut csv = String::from("email,first name,company,plan\n");
        for one in &self.list {
            let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            let (name, company) = (quoted(&one.first_name), quoted(&one.company));
            csv.push_str(&format!("{},{name},{company},team\n", one.email));
        }
        csv
    }

    /// Lets somebody behave otherwise (`ADDRESS=BEHAVIOUR`).
    ///
    /// # Errors
    /// For an address that nobody has, and a behaviour that there isn't.
    pub fn alter(&mut self, text: &str) -> Result<()> {
        let (address, does) = text
            .split_once('=')
            .context("--alter is ADDRESS=BEHAVIOUR")?;
        let one = self.list.iter_mut().find(|one| one.email == address);
        let one = one.with_context(|| format!("nobody has the address {address}"))?;
        one.behaviour = does.parse()?;
        Ok(())
    }
}

fn one(seed: u64, named: Named) -> Result<Person> {
    let email = named.email.trim().to_lowercase();
    let Some((local, domain)) = email.split_once('@') else {
        bail!("this is no address");
    };
    let or = |text: String, other: &str| {
        if text.is_empty() { other.into() } else { text }
    };
    Ok(Person {
        language: match &named.language {
            Some(code) => language(code)?,
            None => Language::of(&email),
        },
        behaviour: behaviour(seed, &email, named.does.as_deref())?,
        first_name: or(named.first_name, local),
        company: or(named.company, domain),
        email,
    })
}

fn many(seed: u64, place: usize, crowd: &Crowd) -> Result<Vec<Person>> {
    let languages: Vec<Language> = crowd
        .languages
        .iter()
        .map(|code| language(code))
        .collect::<Result<_>>()?;
    let made_up = |number: usize| {
        let mut chance = Chance::of(seed, &[&place.to_string(), &number.to_string()]);
        let mut below = |many: usize| chance.number() as usize % many;
        let (name, (company, domain)) =
            (below(FIRST_NAMES.len()), COMPANIES[below(COMPANIES.len())]);
        let email = format!("{}.{place}-{number}@{domain}", LOCAL_PARTS[name]);
        Ok(Person {
            first_name: FIRST_NAMES[name].to_owned(),
            company: company.to_owned(),
            language: match languages.as_slice() {
                [] => Language::En,
                languages => languages[number % languages.len()],
            },
            behaviour: behaviour(seed, &email, crowd.does.as_deref())?,
            email,
        })
    };
    (0..crowd.many).map(made_up).collect()
}

fn behaviour(seed: u64, email: &str, does: Option<&str>) -> Result<Behaviour> {
    Ok(match does {
        Some(text) => text.parse()?,
        None => Behaviour::of(seed, email),
    })
}

fn language(code: &str) -> Result<Language> {
    let known = Language::ALL.map(|(code, _)| code).join(", ");
    Language::named(code)
        .with_context(|| format!("\"{code}\" is no language of the sandbox; use one of {known}"))
}

#[cfg(test)]
mod tests {
    use sandbox_personas::Persona;

    use super::*;

    #[test]
    fn the_files_of_the_demo_can_be_read() {
        let people = People::read(OF_ONCE).unwrap();
        assert_eq!(people, People::read(OF_ONCE).unwrap(), "the same each time");
        let acts = |one: &Person| {
            (0..3)
                .map(|nth| one.behaviour.with_mail(nth).persona)
                .collect()
        };
        let all: BTreeSet<String> = people
            .list
            .iter()
            .flat_map(|one| -> Vec<Persona> { acts(one) })
            .map(|persona| persona.to_string())
            .collect();
        for (word, _) in Persona::ALL {
            assert!(all.contains(word), "nobody does {word}");
        }
        assert!(People::read(OF_LIVE).unwrap().list.len() > 200);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let ada = "[[people]]\nemail = \"ada@example.com\"\n";
        for (text, says) in [
            ("", "there is nobody in it"),
            ("[[peopel]]\n", "unknown field `peopel`"),
            (&format!("{ada}{ada}"), "ada@example.com is in it twice"),
            (
                &format!("{ada}does = \"open, dances\"\n"),
                "people[0] (ada@example.com): nobody is called \"dances\"; use one of silent",
            ),
            (&format!("{ada}does = \"ooo:900\"\n"), "no number of days"),
            (
                &format!("{ada}language = \"xx\"\n"),
                "use one of en, de, nl",
            ),
            (
                "[[people]]\nemail = \"ada\"\n",
                "people[0] (ada): this is no address",
            ),
            (
                "[[crowd]]\nmany = 9000\n",
                "crowd[0]: a campaign of the demo has at most 5000",
            ),
            ("[[crowd]]\nmany = -1\n", "invalid value"),
        ] {
            let error = format!("{:#}", People::read(text).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn somebody_may_behave_otherwise() {
        let mut people = People::read("[[people]]\nemail = \"ada@example.com\"\n").unwrap();
        people.alter("ada@example.com=reply").unwrap();
        assert_eq!(people.list[0].behaviour, Persona::Interested.into());
        assert!(people.alter("bob@example.com=reply").is_err());
    }
}
