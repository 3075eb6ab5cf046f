//! The rules as tables: read from text once, laid out flat for the search.

use std::cmp::Reverse;

use overture_plugin::classifier::Label;

use super::Topic;
use crate::{
    lexicon::{self, Lexicon},
    words::Words,
};

/// A word, a prefix, or a kind of word.
pub(super) type Id = u16;

pub(super) const START: Id = u16::MAX;
pub(super) const END: Id = u16::MAX - 1;
pub(super) const EMAIL: Id = u16::MAX - 2;
pub(super) const DATE: Id = u16::MAX - 3;
pub(super) const TIME: Id = u16::MAX - 4;
pub(super) const NUMBER: Id = u16::MAX - 5;
pub(super) const NONE: Id = u16::MAX - 6;

/// All phrases. What belongs together lies together: a search looks at thousands of places.
#[derive(Default)]
pub(super) struct Table {
    phrases: Vec<Phrase>,
    parts: Vec<Part>,
    rows: Vec<Row>,
    row_ids: Vec<Id>,
    words: Lexicon<Id>,
    /// The letters behind each id.
    names: Vec<Box<str>>,
    /// Prefixes, and where in them those stand that begin with the same three letters.
    prefixes: Vec<(Box<str>, Id)>,
    prefix_places: Vec<(u16, u16)>,
    ids: Id,
    /// How phrases can begin, and where in it those stand that begin with a word, by its id.
    starts: Vec<Start>,
    start_places: Vec<(u32, u32)>,
    /// Those that begin with a kind of word.
    special_starts: Vec<(Id, u16)>,
}

pub(super) struct Phrase {
    /// Parts from, and up to.
    parts: (u32, u32),
    pub(super) topic: Topic,
    pub(super) confidence: f32,
    pub(super) language: &'static str,
    /// It must be the whole of a short reply.
    pub(super) whole: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Part {
    Gap,
    /// Rows from, and up to. The mask has a bit for each word that may come first, so that most
    /// places are passed over with one look; an empty row means that the part may be missing.
    Any {
        rows: (u32, u32),
        mask: u64,
        skippable: bool,
    },
}

/// One alternative of a part: its ids from, and up to.
#[derive(Clone, Copy)]
pub(super) struct Row {
    ids: (u32, u32),
}

/// A phrase that can begin with some word, and which words can come next. Most phrases begin with
/// a word that every text has; the second word is what they are told apart by.
pub(super) struct Start {
    pub(super) phrase: u16,
    /// The phrase may end here, or go on with anything.
    pub(super) open: bool,
    pub(super) next: Set,
}

/// A set of ids that sometimes holds more than was put in.
#[derive(Clone, Copy, Default)]
pub(super) struct Set([u64; 4]);

impl Table {
    /// Reads the files of rules.
    ///
    /// # Panics
    /// At a mistake in them: they are part of this crate, and read when it is packed.
    pub(super) fn read(files: &[&'static str]) -> Self {
        let mut table = Table::default();
        files.iter().for_each(|file| table.read_file(file));
        table.index_prefixes();
        table.index_starts();
        table
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.phrases.len()
    }

    pub(super) fn phrase(&self, nth: u16) -> (&Phrase, &[Part]) {
        let phrase = &self.phrases[usize::from(nth)];
        (phrase, &self.parts[range(phrase.parts)])
    }

    pub(super) fn rows(&self, rows: (u32, u32)) -> &[Row] {
        &self.rows[range(rows)]
    }

    pub(super) fn ids(&self, row: Row) -> &[Id] {
        &self.row_ids[range(row.ids)]
    }

    /// The phrases that can begin with this word or prefix.
    pub(super) fn starts(&self, id: Id) -> &[Start] {
        self.start_places
            .get(usize::from(id))
            .map_or(&[], |place| &self.starts[range(*place)])
    }

    /// The phrases that can begin with this kind of word.
    pub(super) fn special_starts(&self, kinds: [Id; 2]) -> impl Iterator<Item = u16> {
        let fitting = self
            .special_starts
            .iter()
            .filter(move |(id, _)| kinds.contains(id));
        fitting.map(|(_, nth)| *nth)
    }

    pub(super) fn word(&self, hash: u32) -> Id {
        self.words.get(hash).unwrap_or(NONE)
    }

    /// The two longest prefixes that a word begins with.
    pub(super) fn prefixes(&self, text: &str) -> [Id; 2] {
        let mut found = [NONE; 2];
        if let Some(place) = beginning(text) {
            let (first, end) = self.prefix_places[place];
            let list = &self.prefixes[usize::from(first)..usize::from(end)];
            let fitting = list.iter().filter(|(p, _)| text.starts_with(&**p));
            for (slot, (_, id)) in found.iter_mut().zip(fitting) {
                *slot = *id;
            }
        }
        found
    }

    fn read_file(&mut self, file: &'static str) {
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
                let from = self.parts.len() as u32;
                self.read_parts(text);
                let parts = (from, self.parts.len() as u32);
                self.phrases.push(Phrase {
                    parts,
                    topic,
                    confidence,
                    language,
                    whole,
                });
            }
        }
    }

    fn read_parts(&mut self, text: &str) {
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (piece, tail) = match rest.strip_prefix('{') {
                Some(inside) => set_end(inside),
                None => rest.split_at(rest.find([' ', '{']).unwrap_or(rest.len())),
            };
            rest = tail.trim_start();
            if piece == ".." {
                self.parts.push(Part::Gap);
                continue;
            }
            let from = self.rows.len() as u32;
            let (mut mask, mut skippable) = (0, false);
            for alternative in expand(piece) {
                let row = self.read_row(&alternative);
                match self.ids(row).first() {
                    Some(first) => mask |= bit(*first),
                    None => skippable = true,
                }
                self.rows.push(row);
            }
            let rows = (from, self.rows.len() as u32);
            self.parts.push(Part::Any {
                rows,
                mask,
                skippable,
            });
        }
    }

    fn read_row(&mut self, text: &str) -> Row {
        let from = self.row_ids.len() as u32;
        for piece in text.split_whitespace() {
            let id = match piece {
                "^" => START,
                "$" => END,
                "@email" => EMAIL,
                "@date" => DATE,
                "@time" => TIME,
                "@number" => NUMBER,
                _ => {
                    let words = Words::of(piece);
                    assert!(!words.list.is_empty(), "`{piece}` in `{text}` is no word");
                    for word in &words.list {
                        let word = words.text(word);
                        let id = match piece.strip_suffix('*') {
                            Some(_) => self.new_prefix(word),
                            None => self.new_word(word),
                        };
                        self.row_ids.push(id);
                    }
                    continue;
                }
            };
            self.row_ids.push(id);
        }
        Row {
            ids: (from, self.row_ids.len() as u32),
        }
    }

    fn new_word(&mut self, word: &str) -> Id {
        let hash = lexicon::hash(word.as_bytes());
        if let Some(id) = self.words.get(hash) {
            assert_eq!(
                *self.names[usize::from(id) - 1],
                *word,
                "two words have one hash"
            );
            return id;
        }
        let id = self.new_id(word);
        *self.words.entry(hash) = id;
        id
    }

    fn new_prefix(&mut self, prefix: &str) -> Id {
        if let Some((_, id)) = self.prefixes.iter().find(|(p, _)| **p == *prefix) {
            return *id;
        }
        let id = self.new_id(prefix);
        self.prefixes.push((prefix.into(), id));
        id
    }

    fn new_id(&mut self, name: &str) -> Id {
        self.names.push(name.into());
        self.ids += 1;
        assert!(self.ids < NONE, "there are fewer than 65,000 words");
        self.ids
    }

    fn index_prefixes(&mut self) {
        // The longest first, so that the two that a word keeps are the closest.
        self.prefixes
            .sort_by_key(|(p, _)| (beginning(p), Reverse(p.len())));
        self.prefix_places = vec![(0, 0); BEGINNINGS];
        for (nth, (prefix, _)) in (0_u16..).zip(&self.prefixes) {
            let beginning = beginning(prefix).expect("a prefix begins with three letters");
            let place = &mut self.prefix_places[beginning];
            *place = if place.1 == 0 {
                (nth, nth + 1)
            } else {
                (place.0, nth + 1)
            };
        }
    }

    fn index_starts(&mut self) {
        let mut starts: Vec<(Id, Start)> = Vec::new();
        for nth in 0..u16::try_from(self.phrases.len()).expect("there are fewer than 65,536") {
            let first = starts.len();
            let (_, parts) = self.phrase(nth);
            for (at, part) in parts.iter().enumerate() {
                let Part::Any {
                    rows, skippable, ..
                } = *part
                else {
                    panic!("a phrase begins with a word")
                };
                let rows = self.rows(rows);
                for row in rows {
                    // A sentence's start matches no word: what follows it can be looked up.
                    let row = self.ids(*row);
                    let Some(begin) = row.iter().position(|id| *id != START) else {
                        continue;
                    };
                    let id = row[begin];
                    if id > self.ids {
                        // `&self` is borrowed: kept aside under a number that no word has.
                        starts.push((id, Start::of(nth)));
                        continue;
                    }
                    let known = starts[first..].iter().position(|(i, _)| *i == id);
                    let entry = known.map_or(starts.len(), |n| first + n);
                    if entry == starts.len() {
                        starts.push((id, Start::of(nth)));
                    }
                    self.follow(&mut starts[entry].1, &row[begin + 1..], &parts[at + 1..]);
                }
                let anchor = rows
                    .iter()
                    .all(|r| self.ids(*r).iter().all(|id| *id == START));
                if !skippable && !anchor {
                    break;
                }
            }
        }
        starts.sort_by_key(|(id, _)| *id);
        self.start_places = vec![(0, 0); usize::from(self.ids) + 1];
        for (id, start) in starts {
            let Some(place) = self.start_places.get_mut(usize::from(id)) else {
                self.special_starts.push((id, start.phrase));
                continue;
            };
            let nth = self.starts.len() as u32;
            *place = if place.1 == 0 {
                (nth, nth + 1)
            } else {
                (place.0, nth + 1)
            };
            self.starts.push(start);
        }
    }

    /// Notes what can come after a phrase's first word: the rest of its row, or the next parts.
    fn follow(&self, start: &mut Start, rest: &[Id], parts: &[Part]) {
        if let Some(id) = rest.first() {
            return start.add(*id);
        }
        for part in parts {
            let Part::Any {
                rows, skippable, ..
            } = *part
            else {
                break;
            };
            for row in self.rows(rows) {
                if let Some(id) = self.ids(*row).first() {
                    start.add(*id);
                }
            }
            if !skippable {
                return;
            }
        }
        start.open = true;
    }
}

impl Start {
    fn of(phrase: u16) -> Self {
        Start {
            phrase,
            open: false,
            next: Set::default(),
        }
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
    pub(super) fn may_hold(&self, id: Id) -> bool {
        id != NONE && self.0[usize::from(id >> 6) % 4] & bit(id) != 0
    }
}

pub(super) fn bit(id: Id) -> u64 {
    1 << (id % 64)
}

fn range((from, to): (u32, u32)) -> std::ops::Range<usize> {
    from as usize..to as usize
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

const BEGINNINGS: usize = 26 * 26 * 26;

/// The number of the three letters that a word begins with.
fn beginning(text: &str) -> Option<usize> {
    let letters: [u8; 3] = *text.as_bytes().first_chunk()?;
    letters.into_iter().try_fold(0, |number, letter| {
        letter
            .is_ascii_lowercase()
            .then(|| number * 26 + usize::from(letter - b'a'))
    })
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
