//! The search for phrases in a text: each word is looked up once, and each phrase is tried only
//! where its first two words may stand.

use super::{
    Match,
    table::{DATE, EMAIL, END, Id, NONE, NUMBER, Part, Row, START, TIME, Table, bit},
};
use crate::words::{Class, Word, Words};

/// Words that a gap may stand for.
const GAP: usize = 4;

/// Words of a reply that may be one phrase and a name.
const SHORT: usize = 9;

/// What a word of the text can stand for.
#[derive(Clone, Copy)]
struct Seen {
    word: Id,
    /// It can stand for more than its letters.
    more: bool,
    prefixes: [Id; 2],
    kinds: [Id; 2],
    sentence: u16,
    mask: u64,
}

/// Every phrase at every place.
pub(super) fn find(table: &Table, words: &Words<'_>) -> Vec<Match> {
    let seen: Vec<Seen> = words
        .list
        .iter()
        .map(|w| Seen::of(table, words, w))
        .collect();
    let search = Search { table, seen: &seen };
    let mut found = Vec::new();
    for (from, here) in seen.iter().enumerate() {
        let next = seen.get(from + 1).filter(|n| n.sentence == here.sentence);
        search.begin(here.word, from, next, &mut found);
        if !here.more {
            continue;
        }
        for id in here.prefixes.into_iter().filter(|id| *id != NONE) {
            search.begin(id, from, next, &mut found);
        }
        if here.kinds[0] != NONE {
            for nth in table.special_starts(here.kinds) {
                search.attempt(nth, from, &mut found);
            }
        }
    }
    found
}

struct Search<'a> {
    table: &'a Table,
    seen: &'a [Seen],
}

impl Search<'_> {
    /// Tries the phrases that begin with this word, where the next word lets them.
    fn begin(&self, id: Id, from: usize, next: Option<&Seen>, found: &mut Vec<Match>) {
        for start in self.table.starts(id) {
            let may_follow = |next: &Seen| {
                start.next.may_hold(next.word)
                    || next.more && next.others().any(|id| start.next.may_hold(id))
            };
            if start.open || next.is_some_and(may_follow) {
                self.attempt(start.phrase, from, found);
            }
        }
    }

    fn attempt(&self, nth: u16, from: usize, found: &mut Vec<Match>) {
        let (phrase, parts) = self.table.phrase(nth);
        let Some(to) = self.parts(parts, from, from) else {
            return;
        };
        if to == from || phrase.whole && !self.is_whole(from, to) {
            return;
        }
        found.push(Match {
            topic: phrase.topic,
            confidence: phrase.confidence,
            language: phrase.language,
            from,
            to,
        });
    }

    /// Where the parts end that begin at `at`, the furthest that fits.
    fn parts(&self, parts: &[Part], start: usize, at: usize) -> Option<usize> {
        let Some((part, rest)) = parts.split_first() else {
            return Some(at);
        };
        match *part {
            Part::Gap => (0..=GAP)
                .take_while(|n| *n == 0 || self.together(start, at + n - 1))
                .find_map(|n| self.parts(rest, start, at + n)),
            Part::Any {
                rows,
                mask,
                skippable,
            } => {
                let anchors = bit(END) | bit(START);
                let here = self.seen.get(at).map_or(0, |s| s.mask) | anchors;
                if mask & here == 0 {
                    return if skippable {
                        self.parts(rest, start, at)
                    } else {
                        None
                    };
                }
                let rows = self.table.rows(rows).iter();
                let ends = rows.filter_map(|row| {
                    let next = self.row(*row, start, at)?;
                    self.parts(rest, start, next)
                });
                ends.max()
            }
        }
    }

    fn row(&self, row: Row, start: usize, mut at: usize) -> Option<usize> {
        for id in self.table.ids(row) {
            match *id {
                START if at == 0 || !self.together(at - 1, at) => {}
                END if at > 0 && !self.together(at - 1, at) => {}
                START | END => return None,
                id => {
                    let here = self.seen.get(at)?;
                    if !here.is(id) || here.sentence != self.seen[start].sentence {
                        return None;
                    }
                    at += 1;
                }
            }
        }
        Some(at)
    }

    /// Whether two places have words, and of one sentence.
    fn together(&self, one: usize, other: usize) -> bool {
        match (self.seen.get(one), self.seen.get(other)) {
            (Some(one), Some(other)) => one.sentence == other.sentence,
            _ => false,
        }
    }

    /// A reply that says this and nothing else: perhaps with a greeting before, a name after.
    fn is_whole(&self, from: usize, to: usize) -> bool {
        let begins = from == 0 || !self.together(from - 1, from);
        let ends = to == self.seen.len() || !self.together(to - 1, to);
        begins && ends && from <= 4 && self.seen.len() <= SHORT
    }
}

impl Seen {
    fn of(table: &Table, words: &Words<'_>, word: &Word) -> Self {
        let text = words.text(word);
        let id = table.word(word.hash);
        let prefixes = table.prefixes(text);
        let kinds = match word.class {
            Class::Plain | Class::Url => [NONE, NONE],
            Class::Email => [EMAIL, NONE],
            Class::Time => [TIME, NUMBER],
            Class::Number if text.contains(['.', '/', '-']) => [DATE, NUMBER],
            Class::Number => [NUMBER, NONE],
        };
        let more = prefixes[0] != NONE || kinds[0] != NONE;
        let mut mask = if id == NONE { 0 } else { bit(id) };
        if more {
            let others = prefixes.into_iter().chain(kinds).filter(|id| *id != NONE);
            mask = others.fold(mask, |mask, id| mask | bit(id));
        }
        let sentence = word.sentence;
        Seen {
            word: id,
            more,
            prefixes,
            kinds,
            sentence,
            mask,
        }
    }

    fn others(&self) -> impl Iterator<Item = Id> + use<> {
        let ([a, b], [c, d]) = (self.prefixes, self.kinds);
        [a, b, c, d].into_iter()
    }

    fn is(&self, id: Id) -> bool {
        id == self.word || self.more && self.others().any(|other| other == id)
    }
}
