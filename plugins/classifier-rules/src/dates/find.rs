//! The dates in a text, in the ways that people write them.

use overture_plugin::time::Date;

use crate::words::{Class, Words};

/// A date in a text: words from, and up to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub day: Date,
    pub from: usize,
    pub to: usize,
    /// The date itself was written as a range's end: `2.-9. März`.
    pub ends_range: bool,
}
/// Every date in the text, in order.
pub(super) fn dates(words: &Words<'_>, today: Date, language: &str) -> Vec<Found> {
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
