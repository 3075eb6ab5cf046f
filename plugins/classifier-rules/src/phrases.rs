//! The phrase language of `rules/`, and the search for phrases in a text.
//!
//! A phrase is a row of parts: a set of alternatives (`{a|b c|}`, or one word), a gap of up to four
//! words (`..`), the ends of a sentence (`^`, `$`). `word*` is any word that begins so; `@email`,
//! `@date`, `@time` and `@number` are kinds of words. `= text` stands for a whole short reply.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::LazyLock,
};

use overture_plugin::classifier::Label;

use crate::words::{Class, Words};

static PHRASES: LazyLock<Phrases> = LazyLock::new(|| {
    let mut phrases = Phrases::default();
    for file in [
        include_str!("../rules/en.txt"),
        include_str!("../rules/de.txt"),
        include_str!("../rules/other.txt"),
    ] {
        phrases.read(file);
    }
    phrases.index();
    phrases
});

/// Builds the tables; the build does it once, at pack time.
pub(crate) fn build() {
    LazyLock::force(&PHRASES);
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

type Id = u16;

const START: Id = u16::MAX;
const END: Id = u16::MAX - 1;
const EMAIL: Id = u16::MAX - 2;
const DATE: Id = u16::MAX - 3;
const TIME: Id = u16::MAX - 4;
const NUMBER: Id = u16::MAX - 5;
const NONE: Id = u16::MAX - 6;

/// Words that a gap may stand for.
const GAP: usize = 4;

/// Words of a reply that may be one phrase and a name.
const SHORT: usize = 9;

#[derive(Default)]
struct Phrases {
    list: Vec<Phrase>,
    words: HashMap<Box<str>, Id, BuildHasherDefault<Fnv>>,
    /// Prefixes, and where in them those stand that begin with two letters.
    prefixes: Vec<(Box<str>, Id)>,
    prefix_places: Vec<(u16, u16)>,
    ids: Id,
    /// How phrases can begin, and where in it those stand that begin with a word, by its id.
    starts: Vec<Start>,
    start_places: Vec<(u32, u32)>,
    /// Those that begin with a kind of word.
    special_starts: Vec<(Id, u16)>,
}

/// A phrase that can begin with some word, and which words can come next. Most phrases begin with
/// a word that every text has; the second word is what they are told apart by.
struct Start {
    phrase: u16,
    /// The phrase may end here, or go on with anything.
    open: bool,
    next: Set,
}

/// A set of ids that sometimes holds more than was put in.
#[derive(Clone, Copy, Default)]
struct Set([u64; 4]);

struct Phrase {
    parts: Vec<Part>,
    topic: Topic,
    confidence: f32,
    language: &'static str,
    /// It must be the whole of a short reply.
    whole: bool,
}

enum Part {
    Gap,
    /// Rows of ids; an empty row means that the part may be missing. The mask has a bit for each
    /// word that may come first, so that most places are passed over with one look.
    Any {
        rows: Vec<Vec<Id>>,
        mask: u64,
        skippable: bool,
    },
}

/// What a word of the text can stand for.
#[derive(Clone, Copy)]
struct Seen {
    word: Id,
    prefixes: [Id; 2],
    kind: Id,
    kind2: Id,
    sentence: u16,
    mask: u64,
}

/// Every phrase in a text; of two that overlap, the longer one.
pub(crate) fn find(words: &Words<'_>) -> Vec<Match> {
    PHRASES.find(words)
}

impl Phrases {
    fn read(&mut self, file: &'static str) {
        let mut language = "";
        let mut topic = Topic::AbsenceHint;
        let mut confidence = 0.0;
        for line in file.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(code) = line.strip_prefix("language ") {
                language = code;
            } else if let Some(section) = line.strip_prefix('[') {
                let section = section.trim_end_matches(']');
                let (name, percent) = section.split_once(' ').expect("a section has a number");
                topic = topic_of(name);
                confidence = percent
                    .parse::<f32>()
                    .expect("a section ends with a number")
                    / 100.0;
            } else {
                let (whole, text) = match line.strip_prefix("= ") {
                    Some(text) => (true, text),
                    None => (false, line),
                };
                let parts = self.parts(text);
                self.list.push(Phrase {
                    parts,
                    topic,
                    confidence,
                    language,
                    whole,
                });
            }
        }
    }

    fn parts(&mut self, text: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (piece, tail) = match rest.strip_prefix('{') {
                Some(inside) => set_end(inside),
                None => rest.split_at(rest.find([' ', '{']).unwrap_or(rest.len())),
            };
            rest = tail.trim_start();
            if piece == ".." {
                parts.push(Part::Gap);
                continue;
            }
            let rows: Vec<Vec<Id>> = expand(piece).iter().map(|row| self.row(row)).collect();
            let skippable = rows.iter().any(Vec::is_empty);
            let mask = rows
                .iter()
                .filter_map(|r| r.first())
                .fold(0, |m, id| m | bit(*id));
            parts.push(Part::Any {
                rows,
                mask,
                skippable,
            });
        }
        parts
    }

    fn row(&mut self, text: &str) -> Vec<Id> {
        let mut row = Vec::new();
        for piece in text.split_whitespace() {
            match piece {
                "^" => row.push(START),
                "$" => row.push(END),
                "@email" => row.push(EMAIL),
                "@date" => row.push(DATE),
                "@time" => row.push(TIME),
                "@number" => row.push(NUMBER),
                _ if piece.ends_with('*') => {
                    let words = Words::of(piece);
                    let prefix = words.at(0);
                    row.push(self.prefix_id(prefix));
                }
                _ => {
                    let words = Words::of(piece);
                    assert!(!words.list.is_empty(), "`{piece}` in `{text}` is no word");
                    for word in &words.list {
                        row.push(self.word_id(words.text(word)));
                    }
                }
            }
        }
        row
    }

    fn word_id(&mut self, word: &str) -> Id {
        if let Some(id) = self.words.get(word) {
            return *id;
        }
        self.ids += 1;
        self.words.insert(word.into(), self.ids);
        self.ids
    }

    fn prefix_id(&mut self, prefix: &str) -> Id {
        if let Some((_, id)) = self.prefixes.iter().find(|(p, _)| **p == *prefix) {
            return *id;
        }
        self.ids += 1;
        self.prefixes.push((prefix.into(), self.ids));
        self.ids
    }

    fn index(&mut self) {
        // The longest first, so that the two that a word keeps are the closest.
        self.prefixes
            .sort_by_key(|(p, _)| (two_letters(p), std::cmp::Reverse(p.len())));
        self.prefix_places = vec![(0, 0); PAIRS];
        for (nth, (prefix, _)) in self.prefixes.iter().enumerate() {
            let pair = two_letters(prefix).expect("a prefix begins with two letters");
            let place = &mut self.prefix_places[pair];
            let nth = u16::try_from(nth).expect("there are fewer than 65,536 prefixes");
            *place = if place.1 == 0 {
                (nth, nth + 1)
            } else {
                (place.0, nth + 1)
            };
        }

        let mut starts: Vec<(Id, Start)> = Vec::new();
        for (nth, phrase) in self.list.iter().enumerate() {
            let nth = u16::try_from(nth).expect("there are fewer than 65,536 phrases");
            let first = starts.len();
            for (at, part) in phrase.parts.iter().enumerate() {
                let Part::Any {
                    rows, skippable, ..
                } = part
                else {
                    panic!("a phrase begins with a word")
                };
                for row in rows {
                    // A sentence's start matches no word: what follows it can be looked up.
                    let Some(begin) = row.iter().position(|id| *id != START) else {
                        continue;
                    };
                    let id = row[begin];
                    if id > self.ids {
                        self.special_starts.push((id, nth));
                        continue;
                    }
                    let entry = match starts[first..].iter_mut().position(|(i, _)| *i == id) {
                        Some(known) => first + known,
                        None => {
                            let start = Start {
                                phrase: nth,
                                open: false,
                                next: Set::default(),
                            };
                            starts.push((id, start));
                            starts.len() - 1
                        }
                    };
                    starts[entry]
                        .1
                        .follow(&row[begin + 1..], &phrase.parts[at + 1..]);
                }
                let anchor = rows.iter().all(|r| r.iter().all(|id| *id == START));
                if !skippable && !anchor {
                    break;
                }
            }
        }
        starts.sort_by_key(|(id, _)| *id);
        self.start_places = vec![(0, 0); usize::from(self.ids) + 1];
        for (nth, (id, start)) in starts.into_iter().enumerate() {
            let place = &mut self.start_places[usize::from(id)];
            let nth = nth as u32;
            *place = if place.1 == 0 {
                (nth, nth + 1)
            } else {
                (place.0, nth + 1)
            };
            self.starts.push(start);
        }
    }

    fn find(&self, words: &Words<'_>) -> Vec<Match> {
        let seen: Vec<Seen> = words.list.iter().map(|w| self.see(words, w)).collect();
        let mut found = Vec::new();
        for from in 0..seen.len() {
            let here = &seen[from];
            let next = seen.get(from + 1).filter(|n| n.sentence == here.sentence);
            for id in [here.word, here.prefixes[0], here.prefixes[1]] {
                let Some((first, end)) = self.start_places.get(usize::from(id)) else {
                    continue;
                };
                for start in &self.starts[*first as usize..*end as usize] {
                    if start.open || next.is_some_and(|n| start.next.may_hold(n)) {
                        self.try_phrase(start.phrase, &seen, from, &mut found);
                    }
                }
            }
            if here.kind != NONE {
                for (id, nth) in &self.special_starts {
                    if *id == here.kind || *id == here.kind2 {
                        self.try_phrase(*nth, &seen, from, &mut found);
                    }
                }
            }
        }
        longest(found)
    }

    fn try_phrase(&self, nth: u16, seen: &[Seen], from: usize, found: &mut Vec<Match>) {
        let phrase = &self.list[usize::from(nth)];
        let Some(to) = match_parts(&phrase.parts, seen, from, from) else {
            return;
        };
        if to == from {
            return;
        }
        if phrase.whole && !is_whole(seen, from, to) {
            return;
        }
        let Phrase {
            topic,
            confidence,
            language,
            ..
        } = *phrase;
        found.push(Match {
            topic,
            confidence,
            language,
            from,
            to,
        });
    }

    fn see(&self, words: &Words<'_>, word: &crate::words::Word) -> Seen {
        let text = words.text(word);
        let id = self.words.get(text).copied().unwrap_or(NONE);
        let mut prefixes = [NONE; 2];
        if let Some(pair) = two_letters(text) {
            let (first, end) = self.prefix_places[pair];
            let list = &self.prefixes[usize::from(first)..usize::from(end)];
            let fitting = list.iter().filter(|(p, _)| text.starts_with(&**p));
            for (slot, (_, id)) in prefixes.iter_mut().zip(fitting) {
                *slot = *id;
            }
        }
        let (kind, kind2) = match word.class {
            Class::Plain | Class::Url => (NONE, NONE),
            Class::Email => (EMAIL, NONE),
            Class::Time => (TIME, NUMBER),
            Class::Number if text.contains(['.', '/', '-']) => (DATE, NUMBER),
            Class::Number => (NUMBER, NONE),
        };
        let ids = [id, prefixes[0], prefixes[1], kind, kind2];
        let mask = ids
            .iter()
            .filter(|id| **id != NONE)
            .fold(0, |m, id| m | bit(*id));
        Seen {
            word: id,
            prefixes,
            kind,
            kind2,
            sentence: word.sentence,
            mask,
        }
    }
}

impl Start {
    /// Takes in what can come after its word: the rest of the row, or the next parts.
    fn follow(&mut self, rest: &[Id], parts: &[Part]) {
        if let Some(id) = rest.first() {
            return self.add(*id);
        }
        for part in parts {
            let Part::Any {
                rows, skippable, ..
            } = part
            else {
                break;
            };
            for id in rows.iter().filter_map(|row| row.first()) {
                self.add(*id);
            }
            if !skippable {
                return;
            }
        }
        self.open = true;
    }

    fn add(&mut self, id: Id) {
        if matches!(id, START | END) {
            self.open = true;
        } else {
            self.next.0[usize::from(id >> 6) % 4] |= bit(id);
        }
    }
}

impl Set {
    fn holds(&self, id: Id) -> bool {
        id != NONE && self.0[usize::from(id >> 6) % 4] & bit(id) != 0
    }

    fn may_hold(&self, seen: &Seen) -> bool {
        self.holds(seen.word)
            || self.holds(seen.prefixes[0])
            || self.holds(seen.prefixes[1])
            || self.holds(seen.kind)
            || self.holds(seen.kind2)
    }
}

impl Seen {
    fn is(&self, id: Id) -> bool {
        id == self.word
            || id == self.prefixes[0]
            || id == self.prefixes[1]
            || id == self.kind
            || id == self.kind2
    }
}

/// What stands before the brace that closes a set, and what after it.
fn set_end(inside: &str) -> (&str, &str) {
    let mut depth = 1;
    for (at, c) in inside.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return (&inside[..at], &inside[at + 1..]);
        }
    }
    panic!("the set {{{inside} is not closed");
}

/// The alternatives of a set, with the sets inside them written out.
fn expand(set: &str) -> Vec<String> {
    let mut depth = 0;
    let alternatives = set.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == '|' && depth == 0
    });
    let mut rows = Vec::new();
    for alternative in alternatives {
        let Some((before, inside)) = alternative.split_once('{') else {
            rows.push(alternative.to_owned());
            continue;
        };
        let (inner, after) = set_end(inside);
        for middle in expand(inner) {
            rows.extend(expand(&format!("{before} {middle} {after}")));
        }
    }
    rows
}

fn bit(id: Id) -> u64 {
    1 << (id % 64)
}

/// Where the parts end that begin at `at`, the furthest that fits.
fn match_parts(parts: &[Part], seen: &[Seen], start: usize, at: usize) -> Option<usize> {
    let Some((part, rest)) = parts.split_first() else {
        return Some(at);
    };
    match part {
        Part::Gap => (0..=GAP)
            .take_while(|n| *n == 0 || same_sentence(seen, start, at + n - 1))
            .find_map(|n| match_parts(rest, seen, start, at + n)),
        Part::Any {
            rows,
            mask,
            skippable,
        } => {
            let anchors = bit(END) | bit(START);
            let here = seen.get(at).map_or(0, |s| s.mask) | anchors;
            if mask & here == 0 {
                return if *skippable {
                    match_parts(rest, seen, start, at)
                } else {
                    None
                };
            }
            let ends = rows.iter().filter_map(|row| {
                let next = match_row(row, seen, start, at)?;
                match_parts(rest, seen, start, next)
            });
            ends.max()
        }
    }
}

fn match_row(row: &[Id], seen: &[Seen], start: usize, mut at: usize) -> Option<usize> {
    for id in row {
        match *id {
            START if at == 0 || !same_sentence(seen, at - 1, at) => {}
            END if at > 0 && !same_sentence(seen, at - 1, at) => {}
            START | END => return None,
            id if same_sentence(seen, start, at) && seen[at].is(id) => at += 1,
            _ => return None,
        }
    }
    Some(at)
}

fn same_sentence(seen: &[Seen], one: usize, other: usize) -> bool {
    match (seen.get(one), seen.get(other)) {
        (Some(one), Some(other)) => one.sentence == other.sentence,
        _ => false,
    }
}

/// A reply that says this and nothing else: perhaps with a greeting before, a name after.
fn is_whole(seen: &[Seen], from: usize, to: usize) -> bool {
    let begins = from == 0 || !same_sentence(seen, from - 1, from);
    let ends = to == seen.len() || !same_sentence(seen, to - 1, to);
    begins && ends && from <= 4 && seen.len() <= SHORT
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
        // The same topic may overlap: `am on leave until` and `leave until`.
        let hidden = kept.iter().any(|k| one.from < k.to && k.from < one.to);
        if !hidden {
            kept.push(one);
        }
    }
    kept.sort_by_key(|m| m.from);
    kept
}

fn topic_of(name: &str) -> Topic {
    let label = match name {
        "interested" => Label::Interested,
        "meeting_request" => Label::MeetingRequest,
        "question" => Label::Question,
        "neutral" => Label::Neutral,
        "not_interested" => Label::NotInterested,
        "unsubscribe_request" => Label::UnsubscribeRequest,
        "wrong_person" => Label::WrongPerson,
        "referral" => Label::Referral,
        "out_of_office" => Label::OutOfOffice,
        "auto_reply" => Label::AutoReply,
        "bounce_hard" => Label::BounceHard,
        "bounce_soft" => Label::BounceSoft,
        "complaint" => Label::Complaint,
        "absence_hint" => return Topic::AbsenceHint,
        "left_company" => return Topic::LeftCompany,
        other => panic!("the rules know no section [{other}]"),
    };
    Topic::Label(label)
}

const PAIRS: usize = 26 * 26;

/// The number of the two letters that a word begins with.
fn two_letters(text: &str) -> Option<usize> {
    let [a, b] = *text.as_bytes().first_chunk()?;
    let letter = |byte: u8| byte.is_ascii_lowercase().then(|| usize::from(byte - b'a'));
    Some(letter(a)? * 26 + letter(b)?)
}

/// Fast for short words, and the same in every run.
#[derive(Default)]
pub(crate) struct Fnv(u32);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        u64::from(self.0) | u64::from(self.0.rotate_left(9)) << 32
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut hash = if self.0 == 0 { 0x811c_9dc5 } else { self.0 };
        for byte in bytes {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &str, text: &str, expected: Option<&str>) {
        let mut phrases = Phrases::default();
        let file = format!("language en\n[question 70]\n{rule}\n");
        phrases.read(file.leak());
        phrases.index();
        let words = Words::of(text);
        let found = phrases.find(&words);
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
            "take .. off",
            "take all of us off",
            Some("take all of us off"),
        );
        check("take .. off", "take a b c d e off", None);
        check("take .. off", "take it. Off we go", None);
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
        check("= no", "Hi Ada, \nno.\nBob", Some("no"));
        check("= no", "no idea", None);
        check("möchte", "Moechte", Some("Moechte"));
    }

    /// Each rule can be reached, and no section is misspelt.
    #[test]
    fn the_rules_are_sound() {
        build();
        assert!(PHRASES.list.len() > 400);
        assert!(PHRASES.ids < NONE);
    }
}
