//! The phrase language of `rules/`, and the search for phrases in a text.
//!
//! A phrase is a row of parts: a set of alternatives (`{a|b c|}`, or one word), a gap of up to four
//! words (`..`), the ends of a sentence (`^`, `$`). `word*` is any word that begins so; `@email`,
//! `@date`, `@time` and `@number` are kinds of words. `= text` stands for a whole short reply.

mod search;
mod table;

use std::sync::LazyLock;

use overture_plugin::classifier::Label;

use crate::words::Words;
use table::Table;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::read(&[
        include_str!("../../rules/en.txt"),
        include_str!("../../rules/de.txt"),
        include_str!("../../rules/other.txt"),
    ])
});

/// Builds the tables; packing does it once.
pub(crate) fn build() {
    LazyLock::force(&TABLE);
    crate::language::build();
}

/// What a phrase speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// A label of CLS-1.
    Label(Label),
    /// What only absence notices say, beside being away.
    AbsenceHint,
    /// The person has left; said by machines and by colleagues.
    LeftCompany,
}

/// A phrase in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    pub(crate) topic: Topic,
    pub(crate) confidence: f32,
    pub(crate) language: &'static str,
    /// Words from, and up to.
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// Every phrase in a text, in order; of two that overlap, the longer one.
pub(crate) fn find(words: &Words<'_>) -> Vec<Match> {
    longest(search::find(&TABLE, words))
}

/// Of phrases that overlap the longest stays, and of equals the surer.
fn longest(mut found: Vec<Match>) -> Vec<Match> {
    found.sort_by(|a, b| {
        let (long_a, long_b) = (a.to - a.from, b.to - b.from);
        long_b
            .cmp(&long_a)
            .then(b.confidence.total_cmp(&a.confidence))
            .then(a.from.cmp(&b.from))
    });
    let mut kept: Vec<Match> = Vec::with_capacity(found.len());
    for one in found {
        if kept.iter().all(|k| one.from >= k.to || k.from >= one.to) {
            kept.push(one);
        }
    }
    kept.sort_by_key(|m| m.from);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, text: &str, expected: Option<&str>) {
        let file = format!("language en\n[question 70]\n{rule}\n");
        let table = Table::read(&[file.leak()]);
        let words = Words::of(text);
        let found = longest(search::find(&table, &words));
        let quote = found.first().map(|m| words.quote(m.from, m.to));
        assert_eq!(quote.as_deref(), expected, "{rule} in {text}");
    }

    #[test]
    fn the_phrase_language() {
        check("take me off", "Please take me off it", Some("take me off"));
        check(
            "take {me|us all|} off",
            "please take us all off",
            Some("take us all off"),
        );
        check("take {me|us all|} off", "take off", Some("take off"));
        check(
            "take {me|the {a|b|} list} off",
            "take the list off",
            Some("take the list off"),
        );
        check(
            "take {me|the {a|b|} list} off",
            "take the b list off",
            Some("take the b list off"),
        );
        check(
            "take .. off",
            "take all of us off",
            Some("take all of us off"),
        );
        check("take .. off", "take a b c d e off", None);
        check("take .. off", "take it. Off we go", None);
        check("{please|} take", "take it", Some("take"));
        check("{please|} take", "please take it", Some("please take"));
        check("^ no", "Oh no", None);
        check("^ no", "Oh. No way", Some("No"));
        check("stop $", "stop it", None);
        check("stop $", "Please stop. Now", Some("stop"));
        check(
            "kolleg* @email",
            "Kollegin ada@example.com",
            Some("Kollegin ada@example.com"),
        );
        check("bis @date", "bis 9.3.2026", Some("bis 9.3.2026"));
        check("@time works", "does 3pm works", Some("3pm works"));
        check("= no", "Hi Ada, \nno.\nBob", Some("no"));
        check("= no", "no idea", None);
        check("möchte", "Moechte", Some("Moechte"));
    }

    /// Each file can be read, and no section is misspelt.
    #[test]
    fn the_rules_are_sound() {
        build();
        assert!(TABLE.len() > 400);
    }
}
