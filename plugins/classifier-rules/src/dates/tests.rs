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
