//! The first day back that an absence notice names, as far as it names one.
//!
//! "Back on the 9th" is the 9th. "Until the 9th" is the 9th too: people mean it both ways, and a
//! mail on the day itself is rarely too early. "Through the 9th", "bis einschließlich" and a range
//! name the last day away: the next working day follows.

use overture_plugin::time::Date;

use crate::words::{Class, Words};

/// The first day back, for a notice received on `today`.
pub(crate) fn first_day_back(words: &Words<'_>, today: Date, language: &str) -> Option<Date> {
    let found = dates(words, today, language);
    let mut best: Option<(u8, Date)> = None;
    for (nth, date) in found.iter().enumerate() {
        let before = nth.checked_sub(1).map(|n| found[n]);
        let last = found
            .get(nth + 1)
            .is_none_or(|next| words.list[next.from].sentence != words.list[date.from].sentence);
        let (rank, day) = match role(words, date, before, last) {
            Role::Back => (4, date.day),
            Role::LastAway => (3, next_working_day(date.day)),
            Role::Until => (2, date.day),
            Role::Away => (1, next_working_day(date.day)),
            Role::From => continue,
        };
        // Of two with equal claim the later one: "until Friday, and again until Tuesday".
        if best.is_none_or(|(r, d)| rank > r || rank == r && day > d) {
            best = Some((rank, day));
        }
    }
    best.map(|(_, day)| day)
}

/// A date in a text: words from, and up to.
#[derive(Clone, Copy, Debug)]
struct Found {
    day: Date,
    from: usize,
    to: usize,
    /// The date itself was written as a range's end: `2.-9. März`.
    ends_range: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Back,
    LastAway,
    Until,
    Away,
    From,
}

/// How far a cue may stand from its date.
const REACH: usize = 6;

const BACK: &[&str] = &[
    "back",
    "return",
    "returning",
    "returns",
    "resume",
    "reopen",
    "zurueck",
    "wieder",
    "retour",
    "vuelvo",
    "volvere",
    "vuelta",
    "regreso",
    "regresare",
    "reincorporo",
    "reincorporare",
    "reincorporacion",
    "rientro",
    "rientrero",
    "torno",
    "tornero",
    "ritorno",
    "volto",
    "voltarei",
    "retorno",
    "retornarei",
    "regresso",
    "regressarei",
    "wracam",
    "wroce",
    "powrot",
    "powracam",
    "tillbaka",
    "ater",
    "aterkommer",
    "tilbage",
    "terug",
    "weer",
    "beantworte",
    "beantworten",
    "melde",
];
const UNTIL: &[&str] = &[
    "until", "untill", "till", "til", "'til", "bis", "tot", "jusqu'au", "jusqu'a", "jusque",
    "hasta", "fino", "ate", "do", "au", "al",
];
const LAST: &[&str] = &[
    "through",
    "thru",
    "einschliesslich",
    "einschl",
    "inkl",
    "inklusive",
    "inclusive",
    "including",
    "inclus",
    "incluido",
    "inclusive",
    "compreso",
    "incluso",
    "wlacznie",
    "tm",
];
const FROM: &[&str] = &[
    "from",
    "between",
    "vom",
    "von",
    "zwischen",
    "starting",
    "beginning",
    "since",
    "seit",
    "ab",
    "depuis",
    "du",
    "desde",
    "del",
    "dal",
    "dall'",
    "od",
    "fran",
    "fra",
    "van",
    "vanaf",
    "zwischen",
    "tra",
    "entre",
    "mellan",
    "mellem",
    "tussen",
    "de",
    "das",
];
const SINGLE_DAY: &[&str] = &[
    "on", "am", "today", "heute", "tomorrow", "morgen", "le", "el", "il", "op", "den", "d", "dnia",
];

/// What a date means beside the words around it; `last` when no other follows in its sentence.
fn role(words: &Words<'_>, date: &Found, before: Option<Found>, last: bool) -> Role {
    let sentence = words.list[date.from].sentence;
    let here = |index: &usize| {
        words
            .list
            .get(*index)
            .is_some_and(|w| w.sentence == sentence)
    };
    let floor = before.filter(|b| here(&b.from)).map_or(0, |b| b.to);
    let start = date.from.saturating_sub(REACH).max(floor);
    let is = |list: &[&str], index: usize| list.contains(&words.at(index));
    let anywhere = |list: &[&str]| {
        let first = (0..date.from)
            .rev()
            .take_while(here)
            .last()
            .unwrap_or(date.from);
        (first..words.list.len())
            .take_while(here)
            .any(|n| is(list, n))
    };
    let after = |list: &[&str]| {
        (date.to..words.list.len().min(date.to + REACH))
            .take_while(here)
            .take_while(|n| words.list[*n].class != Class::Number)
            .any(|n| is(list, n))
    };
    let cue = (start..date.from).rev().filter(here).find_map(|n| {
        if is(BACK, n) {
            Some(Role::Back)
        } else if is(LAST, n) {
            Some(Role::LastAway)
        } else if is(UNTIL, n) {
            Some(Role::Until)
        } else if is(FROM, n) {
            Some(Role::From)
        } else {
            None
        }
    });
    // "Until the 9th inclusive", in either order.
    let inclusive = after(LAST) || (start..date.from).filter(here).any(|n| is(LAST, n));
    let in_range = date.ends_range
        || before.is_some_and(|b| {
            here(&b.from) && date.from - b.to <= 4 && b.day < date.day && cue != Some(Role::Back)
        });
    match cue {
        Some(Role::Back) => Role::Back,
        _ if inclusive => Role::LastAway,
        // "bis 13.3. im Urlaub", "from the 2nd until the 9th".
        Some(Role::Until) | None if in_range => Role::LastAway,
        Some(Role::Until) => Role::Until,
        // "available again from the 9th", "ab dem 9.3. wieder".
        Some(Role::From) if !last => Role::From,
        Some(Role::From) if anywhere(&["again"]) => Role::Back,
        Some(Role::From) if after(BACK) || before.is_none() && anywhere(BACK) => Role::Back,
        Some(Role::From) => Role::From,
        _ if after(BACK) => Role::Back,
        _ if is_single(words, date) => Role::Away,
        _ => Role::From,
    }
}

/// "I am away on the 9th."
fn is_single(words: &Words<'_>, date: &Found) -> bool {
    let lead = date.from.checked_sub(1).map_or("", |n| words.at(n));
    SINGLE_DAY.contains(&lead) || SINGLE_DAY.contains(&words.at(date.from))
}

fn next_working_day(day: Date) -> Date {
    let next = day.plus_days(1);
    match next.weekday() {
        5 => next.plus_days(2),
        6 => next.plus_days(1),
        _ => next,
    }
}

/// Every date in the text, in order.
fn dates(words: &Words<'_>, today: Date, language: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.list.len() {
        match date_at(words, at, today, language) {
            Some(date) => {
                at = date.to;
                found.push(date);
            }
            None => at += 1,
        }
    }
    found
}

fn date_at(words: &Words<'_>, at: usize, today: Date, language: &str) -> Option<Found> {
    let text = words.at(at);
    let class = words.list[at].class;
    let found = |day, to| {
        Some(Found {
            day,
            from: at,
            to,
            ends_range: false,
        })
    };

    if class == Class::Number {
        if text.contains(['.', '/', '-']) {
            let (day, ends_range) = numeric(text, today, language)?;
            return Some(Found {
                day,
                from: at,
                to: at + 1,
                ends_range,
            });
        }
        // 9 March 2026, 9. März, 9 de marzo de 2026, 9th of March
        let day = ordinal(text)?;
        let mut next = at + 1;
        // `2 - 9 March`, `2. bis 9. März`: the first number of a range has no month.
        if matches!(words.at(next), "of" | "de" | "di" | "do" | "den") {
            next += 1;
        }
        let month = month(words.at(next))?;
        let (year, to) = year_at(words, next + 1);
        let ends_range = begins_range(words, at, day);
        let day = with_year(year, month, day, today)?;
        return Some(Found {
            day,
            from: at,
            to,
            ends_range,
        });
    }
    if let Some(month) = month(text) {
        // March 9, March 9th 2026
        let day = words.list.get(at + 1).filter(|w| w.class == Class::Number);
        let day = ordinal(words.text(day?))?;
        let (mut to, mut last) = (at + 2, day);
        // March 2 - 9
        let mut ends_range = false;
        if let Some(other) = ordinal(words.at(to)).filter(|n| *n > day && *n <= 31) {
            (last, ends_range) = (other, true);
            to += 1;
        }
        let (year, to) = year_at(words, to);
        let day = with_year(year, month, last, today)?;
        return Some(Found {
            day,
            from: at,
            to,
            ends_range,
        });
    }
    if let Some(weekday) = weekday(text) {
        // "Monday, 9 March" is the date that follows.
        let follows = (at + 1..at + 4).find_map(|n| {
            words.list.get(n)?;
            let dated = words.list[n].class == Class::Number || month(words.at(n)).is_some();
            if dated {
                date_at(words, n, today, language)
            } else {
                None
            }
        });
        if let Some(date) = follows {
            return Some(Found { from: at, ..date });
        }
        let ahead = (i64::from(weekday) - i64::from(today.weekday()) + 7) % 7;
        return found(today.plus_days(if ahead == 0 { 7 } else { ahead }), at + 1);
    }
    let monday = today.plus_days(7 - i64::from(today.weekday()));
    let two = (text, words.at(at + 1));
    match two {
        ("tomorrow" | "demain" | "manana" | "domani" | "amanha" | "jutro" | "imorgon", _) => {
            found(today.plus_days(1), at + 1)
        }
        ("morgen", _) if matches!(language, "de" | "nl") => found(today.plus_days(1), at + 1),
        ("today" | "heute", _) => found(today, at + 1),
        ("next", "week") | ("naechste" | "naechster" | "kommende" | "kommender", "woche") => {
            found(monday, at + 2)
        }
        ("volgende", "week") | ("semaine", "prochaine") | ("proxima" | "prossima", _) => {
            found(monday, at + 2)
        }
        ("kw", number) => found(week(number.parse().ok()?, today)?, at + 2),
        _ => None,
    }
}

/// Whether a smaller day of the month stands just before, as in `2. bis 9. März`.
fn begins_range(words: &Words<'_>, at: usize, day: u32) -> bool {
    let sentence = words.list[at].sentence;
    (at.saturating_sub(2)..at).any(|n| {
        let word = &words.list[n];
        word.sentence == sentence
            && word.class == Class::Number
            && ordinal(words.text(word)).is_some_and(|first| first < day)
    })
}

/// `9.3.2026`, `09.03.`, `2026-03-09`, `3/9/26`, `02.03-09.03.2026`.
fn numeric(text: &str, today: Date, language: &str) -> Option<(Date, bool)> {
    if text.contains('.')
        && let Some((_, last)) = text.split_once('-')
    {
        return numeric(last, today, language).map(|(day, _)| (day, true));
    }
    let parts: Vec<u32> = text
        .split(['.', '/', '-'])
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let day_first = |day, month, year| with_year(year, month, day, today);
    let day = match parts.as_slice() {
        [year @ 1990..=2200, month, day] => Date::new(*year as i32, *month, *day),
        [first, second, rest @ ..] if rest.len() <= 1 => {
            let year = rest.first().map(|y| {
                if *y < 100 {
                    2000 + *y as i32
                } else {
                    *y as i32
                }
            });
            let english = day_first(*first, *second, year);
            let american = day_first(*second, *first, year);
            if !text.contains('/') || language != "en" {
                english.or(american)
            } else {
                // Both readings are in use; the one that soon follows is meant.
                let soon = |day: &Date| (0..=60).contains(&(day.days() - today.days()));
                american
                    .filter(soon)
                    .or(english.filter(soon))
                    .or(american)
                    .or(english)
            }
        }
        _ => None,
    };
    day.map(|day| (day, false))
}

/// `9`, `9th`, `1er`.
fn ordinal(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    let known = matches!(
        suffix,
        "" | "st" | "nd" | "rd" | "th" | "er" | "e" | "a" | "o" | "ste" | "de" | "º"
    );
    let number = number.parse().ok()?;
    (known && (1..=31).contains(&number)).then_some(number)
}

fn year_at(words: &Words<'_>, at: usize) -> (Option<i32>, usize) {
    let skip = usize::from(matches!(words.at(at), "de" | "del" | "of"));
    match words.at(at + skip).parse() {
        Ok(year @ 2000..=2200) => (Some(year), at + skip + 1),
        _ => (None, at),
    }
}

/// Without a year the nearest one is meant: this one, or the next when that was long ago.
fn with_year(year: Option<i32>, month: u32, day: u32, today: Date) -> Option<Date> {
    if let Some(year) = year {
        return Date::new(year, month, day);
    }
    let this = Date::new(today.year, month, day);
    match this {
        Some(date) if today.days() - date.days() <= 60 => Some(date),
        _ => Date::new(today.year + 1, month, day).or(this),
    }
}

/// The Monday of a week of the year (ISO 8601).
fn week(number: u32, today: Date) -> Option<Date> {
    if !(1..=53).contains(&number) {
        return None;
    }
    let monday = |year| {
        let fourth = Date {
            year,
            month: 1,
            day: 4,
        };
        fourth.plus_days(7 * (i64::from(number) - 1) - i64::from(fourth.weekday()))
    };
    let this = monday(today.year);
    Some(if today.days() - this.days() > 60 {
        monday(today.year + 1)
    } else {
        this
    })
}

fn month(word: &str) -> Option<u32> {
    Some(match word {
        "january" | "jan" | "januar" | "jaenner" | "januari" | "janvier" | "enero" | "gennaio"
        | "janeiro" | "stycznia" => 1,
        "february" | "feb" | "februar" | "februari" | "fevrier" | "febrero" | "febbraio"
        | "fevereiro" | "lutego" => 2,
        "march" | "mar" | "maerz" | "mrz" | "maart" | "mrt" | "mars" | "marzo" | "marco"
        | "marca" | "marts" => 3,
        "april" | "apr" | "avril" | "abril" | "aprile" | "kwietnia" => 4,
        "may" | "mai" | "mei" | "mayo" | "maggio" | "maio" | "maja" | "maj" => 5,
        "june" | "jun" | "juni" | "juin" | "junio" | "giugno" | "junho" | "czerwca" => 6,
        "july" | "jul" | "juli" | "juillet" | "julio" | "luglio" | "julho" | "lipca" => 7,
        "august" | "aug" | "augustus" | "aout" | "agosto" | "sierpnia" | "augusti" => 8,
        "september" | "sep" | "sept" | "septembre" | "septiembre" | "setiembre" | "settembre"
        | "setembro" | "wrzesnia" => 9,
        "october" | "oct" | "oktober" | "okt" | "octobre" | "octubre" | "ottobre" | "outubro"
        | "pazdziernika" => 10,
        "november" | "nov" | "novembre" | "noviembre" | "novembro" | "listopada" => 11,
        "december" | "dec" | "dezember" | "dez" | "decembre" | "diciembre" | "dicembre"
        | "dezembro" | "grudnia" => 12,
        _ => return None,
    })
}

/// 0 is Monday.
fn weekday(word: &str) -> Option<u32> {
    Some(match word {
        "monday" | "mon" | "montag" | "maandag" | "lundi" | "lunes" | "lunedi" | "segunda"
        | "poniedzialku" | "poniedzialek" | "mandag" => 0,
        "tuesday" | "tue" | "dienstag" | "dinsdag" | "mardi" | "martes" | "martedi" | "terca"
        | "wtorek" | "wtorku" | "tisdag" | "tirsdag" => 1,
        "wednesday" | "wed" | "mittwoch" | "woensdag" | "mercredi" | "miercoles" | "mercoledi"
        | "quarta" | "srode" | "srody" | "onsdag" => 2,
        "thursday" | "thu" | "donnerstag" | "donderdag" | "jeudi" | "jueves" | "giovedi"
        | "quinta" | "czwartek" | "czwartku" | "torsdag" => 3,
        "friday" | "fri" | "freitag" | "vrijdag" | "vendredi" | "viernes" | "venerdi" | "sexta"
        | "piatek" | "piatku" | "fredag" => 4,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Received on Wednesday, 4 March 2026.
    fn check(language: &str, text: &str, expected: Option<&str>) {
        let today = Date {
            year: 2026,
            month: 3,
            day: 4,
        };
        let day = first_day_back(&Words::of(text), today, language);
        assert_eq!(day.map(|d| d.to_string()).as_deref(), expected, "{text}");
    }

    /// CLS-2: the return date in many spellings.
    #[test]
    fn english() {
        let en = |text, expected| check("en", text, expected);
        en("I will be back on March 9th.", Some("2026-03-09"));
        en(
            "I am out of office until Monday, 9 March 2026",
            Some("2026-03-09"),
        );
        en("returning on 2026-03-16", Some("2026-03-16"));
        en("I'm out from 2 March to 9 March", Some("2026-03-10"));
        en(
            "Away March 2 - March 13, back Monday March 16",
            Some("2026-03-16"),
        );
        en("I am away until 3/16/2026.", Some("2026-03-16"));
        en("I am away until 16/03/2026.", Some("2026-03-16"));
        en("out through Friday, March 13", Some("2026-03-16"));
        en("I'll be back next Monday", Some("2026-03-09"));
        en("I return tomorrow", Some("2026-03-05"));
        en("I'm on leave until December 1", Some("2026-12-01"));
        // Two months ago is a notice that was left on; a year ahead would be said.
        en("I'm on leave until January 12", Some("2026-01-12"));
        en("I will return to the office the week after", None);
        en("I am out of the office on 5 March.", Some("2026-03-06"));
        en("Since January 12 I am on parental leave", None);
        en(
            "I'm currently out of office with no access to email and will return on the 9th of March.",
            Some("2026-03-09"),
        );
        en("Available again from 12 March", Some("2026-03-12"));
        en(
            "I'll be out of the office starting March 2nd and returning March 9th",
            Some("2026-03-09"),
        );
        en("I am back next week", Some("2026-03-09"));
        en(
            "I'm out starting 03/04/2026 and will not return until 03/30/2026.",
            Some("2026-03-30"),
        );
    }

    #[test]
    fn german() {
        let de = |text, expected| check("de", text, expected);
        de(
            "Ich bin bis zum 13.03.2026 nicht im Büro.",
            Some("2026-03-13"),
        );
        de(
            "Ich bin ab dem 16. März wieder für Sie da.",
            Some("2026-03-16"),
        );
        de("Am 16.3. bin ich wieder im Büro", Some("2026-03-16"));
        de("vom 2. bis 13. März im Urlaub", Some("2026-03-16"));
        de(
            "vom 02.03. bis einschließlich 13.03.2026 abwesend",
            Some("2026-03-16"),
        );
        de(
            "bis einschließlich Freitag, den 13. März, nicht erreichbar",
            Some("2026-03-16"),
        );
        de(
            "Bis 13.3. im Urlaub, ab 16.3. wieder erreichbar",
            Some("2026-03-16"),
        );
        de(
            "Ich bin nächste Woche wieder erreichbar",
            Some("2026-03-09"),
        );
        de("Ich bin wieder ab KW 12 erreichbar", Some("2026-03-16"));
        de("Ab 2. März bin ich in Elternzeit.", None);
        de("zurück am Montag", Some("2026-03-09"));
        de("Ich kehre am 9. Maerz zurück.", Some("2026-03-09"));
        de("Ich bin krankheitsbedingt nicht im Büro.", None);
    }

    #[test]
    fn over_the_turn_of_the_year() {
        let today = Date {
            year: 2026,
            month: 12,
            day: 20,
        };
        let words = Words::of("Unser Büro ist vom 23.12. bis 6.1. geschlossen");
        let day = first_day_back(&words, today, "de");
        assert_eq!(day, Date::new(2027, 1, 7));
    }

    #[test]
    fn further_languages() {
        check(
            "nl",
            "Ik ben afwezig tot en met 13 maart, vanaf 16 maart ben ik weer bereikbaar",
            Some("2026-03-16"),
        );
        check(
            "fr",
            "Je suis absent jusqu'au 9 mars 2026",
            Some("2026-03-09"),
        );
        check("fr", "de retour le lundi 9 mars", Some("2026-03-09"));
        check(
            "es",
            "Estaré fuera de la oficina hasta el 9 de marzo de 2026",
            Some("2026-03-09"),
        );
        check("it", "Sono in ferie fino al 9 marzo", Some("2026-03-09"));
        check("pt", "Estou de férias até 9 de março", Some("2026-03-09"));
        check(
            "pl",
            "Jestem na urlopie do 9 marca 2026",
            Some("2026-03-09"),
        );
        check(
            "sv",
            "Jag är åter på kontoret den 9 mars",
            Some("2026-03-09"),
        );
        check(
            "da",
            "Jeg er tilbage på kontoret den 9. marts",
            Some("2026-03-09"),
        );
    }
}
