//! The rows of a file, twice from its beginning: first all are looked at, then they come by
//! batches, sorted as far as the file alone tells.

use std::{
    collections::{BTreeMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
    io::Read,
};

use overture_domain::{
    WorkspaceId, linkedin,
    prospects::{Prospect, email_key},
};
use overture_store::imports::{Counts, Problem, Trouble};

use super::{
    Columns, sheet,
    text::{Decoded, ReadSeek, Text, unreadable},
};
use crate::{Env, Error, Result, prospects::address};

/// The longest value of a field, in characters; longer ones are a sign of a broken file.
const LONGEST_VALUE: usize = 2_000;
/// Rows from which it is told what the columns hold.
const SAMPLE: usize = 50;

/// A file that was looked through and can be imported.
pub(super) struct File {
    file: Box<dyn ReadSeek>,
    text: Text,
    delimiter: u8,
    pub(super) header: csv::StringRecord,
    columns: Columns,
    /// Rows below the header, without empty ones.
    pub(super) rows: usize,
}

impl File {
    /// Looks through a whole file.
    ///
    /// # Errors
    /// When it can't be imported: see [`imports::create`](super::create).
    pub(super) fn check(
        mut file: Box<dyn ReadSeek>,
        mapping: &BTreeMap<String, String>,
        most: usize,
    ) -> Result<Self> {
        if let Some(csv) = sheet::as_csv(&mut file, most)? {
            file = Box::new(csv);
        }
        let text = Text::of(&mut file)?;
        let delimiter = text.delimiter(&mut file)?;
        let mut reader = reader(text, delimiter, &mut file)?;
        let header = reader.headers().map_err(unreadable)?.clone();
        let mut sample = Vec::new();
        let (mut rows, mut record) = (0, csv::StringRecord::new());
        while next(&mut reader, &mut record)? {
            if rows == most {
                return Err(Error::TooLarge(format!(
                    "the file has more than {most} rows: split it, or raise `engine.import_max_rows`"
                )));
            }
            if sample.len() < SAMPLE {
                sample.push(record.clone());
            }
            rows += 1;
        }
        drop(reader);
        if rows == 0 {
            let message = "the file has no rows below its header";
            return Err(Error::field("file", "empty", message));
        }
        Ok(Self {
            columns: Columns::find(&header, mapping, sample.iter())?,
            file,
            text,
            delimiter,
            header,
            rows,
        })
    }

    /// Reads it again: each batch of at most `batch` rows goes to `take`, until that says false.
    ///
    /// # Errors
    /// When the file can't be read any more.
    pub(super) fn batches(
        self,
        env: &Env,
        ws: WorkspaceId,
        batch: usize,
        mut take: impl FnMut(Batch) -> bool,
    ) -> Result<()> {
        let mut reader = reader(self.text, self.delimiter, self.file)?;
        reader.headers().map_err(unreadable)?;
        let (mut seen, mut record) = (Seen::default(), csv::StringRecord::new());
        let mut sorted = Batch::default();
        while next(&mut reader, &mut record)? {
            sorted.sort(env, ws, &self.columns, &record, &mut seen);
            if sorted.rows == batch && !take(std::mem::take(&mut sorted)) {
                return Ok(());
            }
        }
        if sorted.rows > 0 {
            take(sorted);
        }
        Ok(())
    }
}

fn reader<F: ReadSeek>(text: Text, delimiter: u8, file: F) -> Result<csv::Reader<Decoded<F>>> {
    Ok(csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.open(file)?))
}

/// The next record that isn't empty; false at the end.
fn next(reader: &mut csv::Reader<impl Read>, record: &mut csv::StringRecord) -> Result<bool> {
    while reader.read_record(record).map_err(unreadable)? {
        if !record.iter().all(str::is_empty) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The addresses of a file that have passed, 9 bytes each. It may say of a new one that it has
/// passed, once in 10^13 rows; so what it says is held against the database.
#[derive(Default)]
struct Seen {
    hashes: HashSet<u64>,
    hasher: RandomState,
}

impl Seen {
    fn again(&mut self, address: &str) -> bool {
        !self.hashes.insert(self.hasher.hash_one(address))
    }
}

/// A row that may become a prospect.
pub(super) struct Candidate {
    pub(super) prospect: Prospect,
    /// As [`email_key`] writes it.
    pub(super) key: String,
    /// The address seems to stand further up in the file.
    pub(super) again: bool,
    /// Which value of the row makes no sense and stays out, and why (PR-7).
    pub(super) left_out: Option<String>,
    pub(super) row: FileRow,
}

/// A record of the file and the line on which it begins.
pub(super) struct FileRow {
    line: i64,
    record: Vec<String>,
}

/// Rows of the file, as far as the file alone tells.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) people: Vec<Candidate>,
    pub(super) problems: Vec<Problem>,
    pub(super) counts: Counts,
    rows: usize,
}

impl Batch {
    fn sort(
        &mut self,
        env: &Env,
        ws: WorkspaceId,
        columns: &Columns,
        record: &csv::StringRecord,
        seen: &mut Seen,
    ) {
        self.rows += 1;
        let line = record.position().map_or(0, csv::Position::line);
        let row = FileRow {
            line: i64::try_from(line).unwrap_or(i64::MAX),
            record: record.iter().map(str::to_owned).collect(),
        };
        if record.len() != columns.len() {
            let reason = format!(
                "the row has {} fields, the header has {}: is a quote or a delimiter missing?",
                record.len(),
                columns.len()
            );
            return self.note(row, Trouble::Invalid, reason);
        }
        let is_long =
            |value: &str| value.len() > LONGEST_VALUE && value.chars().count() > LONGEST_VALUE;
        if let Some(long) = record.iter().position(is_long) {
            let reason = format!(
                "column {} holds more than {LONGEST_VALUE} characters",
                long + 1
            );
            return self.note(row, Trouble::Invalid, reason);
        }
        let mut prospect = columns.prospect(record, env.id(), ws, env.now());
        let left_out = normalise_profile(&mut prospect);
        prospect.email = match address::of(&prospect.email, &prospect.linkedin_url) {
            Ok(address) => address,
            Err(problem) => {
                let reason = match (&*prospect.email, left_out) {
                    ("", None) => {
                        "the row has neither an address nor a LinkedIn profile".to_owned()
                    }
                    ("", Some(why)) => format!("the row has no address, and {why}"),
                    (email, _) => format!("`{email}`: {problem}"),
                };
                return self.note(row, Trouble::Invalid, reason);
            }
        };
        let key = email_key(&prospect.email);
        self.people.push(Candidate {
            again: seen.again(&key),
            left_out,
            prospect,
            key,
            row,
        });
    }

    /// Notes what became of a row that is no prospect now, or an incomplete one.
    pub(super) fn note(&mut self, row: FileRow, result: Trouble, reason: String) {
        match result {
            Trouble::Duplicate => self.counts.duplicate += 1,
            Trouble::Suppressed => self.counts.suppressed += 1,
            Trouble::Invalid => self.counts.invalid += 1,
            Trouble::Incomplete => self.counts.incomplete += 1,
        }
        self.problems.push(Problem {
            line: row.line,
            result,
            reason,
            record: row.record,
        });
    }
}

/// Brings the LinkedIn address into its one spelling (PR-7). One that is no profile stays out: the
/// person comes without it, and the row is told with the answer.
fn normalise_profile(prospect: &mut Prospect) -> Option<String> {
    let given = std::mem::take(&mut prospect.linkedin_url);
    if given.is_empty() {
        return None;
    }
    match linkedin::profile_url(&given) {
        Ok(url) => {
            prospect.linkedin_url = url;
            None
        }
        Err(problem) => Some(format!("linkedinUrl is left out: `{given}`: {problem}")),
    }
}
