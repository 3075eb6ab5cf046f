//! The rows of a file: first all are looked at, then they come by batches, sorted as far as the file
//! alone tells.

use std::{
    collections::{BTreeMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
    io::{self, Read},
};

use overture_domain::{
    WorkspaceId, linkedin,
    prospects::{Prospect, email_key},
};
use overture_store::imports::{Counts, Problem, Trouble};

use super::{
    Columns, Field,
    order::Places,
    sheet,
    text::{ReadSeek, Text, unreadable},
};
use crate::{Env, Error, Result, prospects::address};

/// The longest value of a field, in characters; longer ones are a sign of a broken file.
const LONGEST_VALUE: usize = 2_000;
/// Bytes that are read for a row, where the next one stands elsewhere.
const NEARBY: usize = 1024;
/// Rows from which it is told what the columns hold.
const SAMPLE: usize = 50;

/// A file that was looked through and can be imported.
pub(super) struct File {
    /// In UTF-8.
    file: Box<dyn ReadSeek>,
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
        let (mut file, text) = text.as_utf8(file)?;
        let mut reader = builder(delimiter).from_reader(text.open(&mut file)?);
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
        mut self,
        env: &Env,
        ws: WorkspaceId,
        batch: usize,
        mut take: impl FnMut(Batch) -> bool,
    ) -> Result<()> {
        let places = self.places()?;
        self.file.rewind().map_err(unreadable)?;
        let mut reader = builder(self.delimiter)
            .buffer_capacity(NEARBY)
            .from_reader(&mut self.file);
        let (mut seen, mut record) = (Seen::default(), csv::StringRecord::new());
        let by_profile = self.columns.position(Field::LinkedinUrl).is_some();
        for (places, follows) in places.batches(batch) {
            if !follows {
                seen = Seen::default();
            }
            let mut sorted = Batch {
                beside: !follows && !by_profile,
                ..Batch::default()
            };
            for place in places {
                reader.seek(place.position()).map_err(unreadable)?;
                if !next(&mut reader, &mut record)? {
                    let shorter = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Err(unreadable(shorter));
                }
                sorted.sort(env, ws, &self.columns, &record, &mut seen);
            }
            if !take(sorted) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn places(&mut self) -> Result<Places> {
        self.file.rewind().map_err(unreadable)?;
        let mut reader = builder(self.delimiter).from_reader(&mut self.file);
        let (mut places, mut record) = (Places::of(self.rows), csv::StringRecord::new());
        let address = self.columns.position(Field::Email);
        while next(&mut reader, &mut record)? {
            let address = address.and_then(|column| record.get(column));
            if let Some(position) = record.position() {
                places.push(position, address.unwrap_or_default());
            }
        }
        Ok(places)
    }
}

fn builder(delimiter: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All);
    builder
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

/// The addresses that have passed in batches which may share some. It may say of a new one that it
/// has passed, once in 10^13 rows; so what it says is held against the database.
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
    record: csv::StringRecord,
}

/// Rows of the file, as far as the file alone tells.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) people: Vec<Candidate>,
    pub(super) problems: Vec<Problem>,
    pub(super) counts: Counts,
    /// Nobody of it is in the batches before, which may still be on their way.
    pub(super) beside: bool,
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
        let line = record.position().map_or(0, csv::Position::line);
        let row = FileRow {
            line: i64::try_from(line).unwrap_or(i64::MAX),
            record: record.clone(),
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
        let FileRow { line, record } = row;
        self.problems.push(Problem {
            line,
            result,
            reason,
            record: record.iter().map(str::to_owned).collect(),
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
