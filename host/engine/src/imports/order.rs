//! In which order the rows of a file are brought in.
//!
//! A large file comes in the order of its addresses: then a batch writes a few pages of the index of
//! addresses, where rows as they stand in a file write nearly one each. A file of few rows comes as it
//! stands.

use std::hash::{BuildHasher, RandomState};

use overture_domain::prospects::{NO_ADDRESS_DOMAIN, email_domain, email_key};

/// The most rows that come in the order of the file.
const AS_IT_STANDS: usize = 20_000;

/// Where a row stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In bytes, from the beginning of the file.
    begin: u64,
    line: u32,
    /// Equal for equal addresses, and for all rows of a file that comes as it stands.
    rank: u32,
}

impl Place {
    /// As the reader of the file says it.
    pub(super) fn position(self) -> csv::Position {
        let mut position = csv::Position::new();
        position.set_byte(self.begin).set_line(u64::from(self.line));
        position
    }
}

/// Where all rows of a file stand, 16 bytes each.
pub(super) struct Places {
    all: Vec<Place>,
    by_address: bool,
    hasher: RandomState,
}

impl Places {
    /// Of a file that has so many rows.
    pub(super) fn of(rows: usize) -> Self {
        Self {
            all: Vec::with_capacity(rows),
            by_address: rows > AS_IT_STANDS,
            hasher: RandomState::new(),
        }
    }

    /// Adds the next row of the file: where it stands, and its address as it is written there.
    pub(super) fn push(&mut self, position: &csv::Position, address: &str) {
        self.all.push(Place {
            begin: position.byte(),
            line: u32::try_from(position.line()).unwrap_or(u32::MAX),
            rank: if self.by_address {
                self.rank(address)
            } else {
                0
            },
        });
    }

    /// The first letters of an address, then a hash of the whole. Rows without an address come last:
    /// the people of their profiles may have theirs anywhere in the file.
    fn rank(&self, address: &str) -> u32 {
        let key = email_key(address);
        if key.is_empty() || email_domain(&key) == NO_ADDRESS_DOMAIN {
            return u32::MAX;
        }
        let mut letters = key.bytes().map(u32::from).chain(std::iter::repeat(0));
        let first = (0..3).fold(0, |first, _| {
            first << 8 | letters.next().unwrap_or_default()
        });
        let [hash, ..] = self.hasher.hash_one(&key).to_be_bytes();
        first << 8 | u32::from(hash)
    }

    /// Batches of at most `most` rows, each as the file has them; and of each, whether one of its rows
    /// may have an address of the batch before.
    pub(super) fn batches(mut self, most: usize) -> impl Iterator<Item = (Vec<Place>, bool)> {
        self.all
            .sort_unstable_by_key(|place| (place.rank, place.begin));
        let mut done = 0;
        std::iter::from_fn(move || {
            let (before, rest) = self.all.split_at(done);
            let first = rest.first()?;
            let follows = before.last().is_some_and(|last| last.rank == first.rank);
            let mut batch = rest[..most.min(rest.len())].to_vec();
            done += batch.len();
            batch.sort_unstable_by_key(|place| place.begin);
            Some((batch, follows))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the batches of a file with these addresses; `+` before a batch that may share
    /// addresses with the one before.
    fn batches(addresses: &[&str], most: usize) -> Vec<String> {
        let mut places = Places::of(AS_IT_STANDS + 1);
        for (place, address) in (1..).zip(addresses) {
            let mut position = csv::Position::new();
            places.push(position.set_byte(place * 10).set_line(place), address);
        }
        let batches = places.batches(most).map(|(batch, follows)| {
            let lines: Vec<_> = batch.iter().map(|place| place.line.to_string()).collect();
            format!("{}{}", if follows { "+" } else { "" }, lines.join(" "))
        });
        batches.collect()
    }

    // PR-2: of equal addresses the one that stands further up comes first, however they are written.
    #[test]
    fn a_large_file_comes_by_its_addresses() {
        for (addresses, most, expected) in [
            (
                &["zoe@b.test", "ada@b.test", "bob@b.test"][..],
                1,
                &["2", "3", "1"][..],
            ),
            (
                &["zoe@b.test", "ada@b.test", "bob@b.test"],
                2,
                &["2 3", "1"],
            ),
            (
                &["zoe@b.test", "ada@b.test", " ADA@B.test"],
                1,
                &["2", "+3", "1"],
            ),
            (
                &["", "ada@b.test", "li.x@noemail.invalid"],
                1,
                &["2", "1", "+3"],
            ),
            (&["é@b.test", "a@b.test"], 1, &["2", "1"]),
            (&[], 1, &[]),
        ] {
            assert_eq!(batches(addresses, most), expected, "{addresses:?}");
        }
    }

    #[test]
    fn a_file_of_few_rows_comes_as_it_stands() {
        let mut places = Places::of(2);
        for (place, address) in [(1, "zoe@b.test"), (2, "ada@b.test")] {
            let mut position = csv::Position::new();
            places.push(position.set_byte(place * 10).set_line(place), address);
        }
        let batches: Vec<_> = places.batches(1).collect();
        let lines = batches
            .iter()
            .map(|(batch, follows)| (batch[0].line, *follows));
        assert_eq!(lines.collect::<Vec<_>>(), [(1, false), (2, true)]);
    }
}
