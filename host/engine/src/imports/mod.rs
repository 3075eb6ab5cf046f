//! Prospects from a CSV file (PR-2).
//!
//! The file is decoded and looked at first: a file that can't be imported is refused whole, with
//! nothing written. Then its rows go in by batches, each with its counts and its rejected rows in
//! one transaction; a rejected row keeps its line, its reason and its content.

mod columns;
mod text;

use std::collections::{BTreeMap, HashMap, HashSet};

use overture_domain::{
    ListId, ProspectId, WorkspaceId,
    prospects::{Import, List, Prospect, ProspectStatus, email_key, email_problem},
};
use overture_store::{
    Tx,
    imports::{self as store, Counts, Problem, Rejected},
    lists, prospects, suppressions,
};

pub use columns::{Columns, Field};

use crate::{Env, Error, Part, Result, sends};

/// Rows that go in with one transaction.
const BATCH: usize = 500;
/// The longest value of a field, in characters; longer ones are a sign of a broken file.
const LONGEST_VALUE: usize = 2_000;

/// What to do with a file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub file_name: String,
    /// The list that its people come to.
    pub list_id: Option<ListId>,
    /// Or a list of this name, made when there is none.
    pub list_name: Option<String>,
    /// People who are there already get the file's values, where it has some.
    pub update_existing: bool,
    /// Header of the file → field (`firstName`, `custom:plan`), before all guessing.
    pub mapping: BTreeMap<String, String>,
}

/// Imports a file.
///
/// # Errors
/// [`Error::Invalid`] with the field `file` when it can't be read as CSV with addresses,
/// [`Error::TooLarge`] past `import_max_rows`, [`Error::NotFound`] for an unknown list; nothing is
/// written then.
pub async fn create(env: &Env, ws: WorkspaceId, options: &Options, file: &[u8]) -> Result<Import> {
    let text = text::decode(file)?;
    let delimiter = text::delimiter(&text);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let headers = reader
        .headers()
        .map_err(|error| unreadable(&error))?
        .clone();
    let rows = rows(&mut reader, env.config.import_max_rows)?;
    let columns = Columns::find(
        &headers,
        &options.mapping,
        rows.iter().map(|row| &row.record),
    )?;

    let mut tx = env.db.begin().await?;
    let list_id = list(&mut tx, env, ws, options).await?;
    let import = Import {
        id: env.id(),
        workspace_id: ws,
        file_name: options.file_name.clone(),
        list_id,
        created_rows: 0,
        updated_rows: 0,
        duplicate_rows: 0,
        suppressed_rows: 0,
        invalid_rows: 0,
        created_at: env.now(),
        finished_at: None,
    };
    store::insert(&mut tx, &import).await?;
    tx.commit().await?;

    let mut seen = HashSet::new();
    for batch in rows.chunks(BATCH) {
        let mut sorted = Sorted::default();
        for row in batch {
            sorted.sort(env, ws, &columns, row, &mut seen);
        }
        let mut tx = env.db.begin().await?;
        write(&mut tx, env, &import, options.update_existing, sorted).await?;
        tx.commit().await?;
    }
    let mut tx = env.db.begin().await?;
    store::finish(&mut tx, ws, import.id, env.now()).await?;
    let done = store::find(&mut tx, ws, import.id)
        .await?
        .ok_or(Error::NotFound("import"))?;
    tx.commit().await?;
    env.wakes.wake(Part::Sends);
    Ok(done)
}

/// A record of the file and the line on which it begins.
struct FileRow {
    line: i64,
    record: csv::StringRecord,
}

fn rows(reader: &mut csv::Reader<&[u8]>, most: usize) -> Result<Vec<FileRow>> {
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(&error))?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        if rows.len() == most {
            return Err(Error::TooLarge(format!(
                "the file has more than {most} rows: split it, or raise `engine.import_max_rows`"
            )));
        }
        let line = record.position().map_or(0, csv::Position::line);
        rows.push(FileRow {
            line: i64::try_from(line).unwrap_or(i64::MAX),
            record,
        });
    }
    if rows.is_empty() {
        return Err(Error::field(
            "file",
            "empty",
            "the file has no rows below its header",
        ));
    }
    Ok(rows)
}

fn unreadable(error: &csv::Error) -> Error {
    Error::field(
        "file",
        "unreadable",
        format!("the file can't be read as CSV: {error}"),
    )
}

async fn list(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    options: &Options,
) -> Result<Option<ListId>> {
    if let Some(id) = options.list_id {
        lists::find(tx, ws, id)
            .await?
            .ok_or(Error::NotFound("list"))?;
        return Ok(Some(id));
    }
    let Some(name) = options
        .list_name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty())
    else {
        return Ok(None);
    };
    if let Some(list) = lists::find_by_name(tx, ws, name).await? {
        return Ok(Some(list.id));
    }
    let list = List {
        id: env.id(),
        workspace_id: ws,
        name: name.to_owned(),
        color: String::new(),
        prospect_count: 0,
        created_at: env.now(),
    };
    lists::insert(tx, &list).await?;
    Ok(Some(list.id))
}

/// The rows of a batch, as far as the file alone tells.
#[derive(Default)]
struct Sorted<'a> {
    people: Vec<(Prospect, &'a FileRow)>,
    problems: Vec<Problem>,
    counts: Counts,
}

impl<'a> Sorted<'a> {
    fn sort(
        &mut self,
        env: &Env,
        ws: WorkspaceId,
        columns: &Columns,
        row: &'a FileRow,
        seen: &mut HashSet<String>,
    ) {
        let record = &row.record;
        if record.len() != columns.len() {
            let reason = format!(
                "the row has {} fields, the header has {}: is a quote or a delimiter missing?",
                record.len(),
                columns.len()
            );
            return self.reject(row, Rejected::Invalid, reason);
        }
        if let Some(long) = record
            .iter()
            .position(|value| value.chars().count() > LONGEST_VALUE)
        {
            let reason = format!(
                "column {} holds more than {LONGEST_VALUE} characters",
                long + 1
            );
            return self.reject(row, Rejected::Invalid, reason);
        }
        let prospect = columns.prospect(record, env.id(), ws, env.now());
        if let Some(problem) = email_problem(&prospect.email) {
            return self.reject(
                row,
                Rejected::Invalid,
                format!("`{}`: {problem}", prospect.email),
            );
        }
        if !seen.insert(email_key(&prospect.email)) {
            return self.reject(
                row,
                Rejected::Duplicate,
                "the address stands further up in this file".into(),
            );
        }
        self.people.push((prospect, row));
    }

    fn reject(&mut self, row: &FileRow, result: Rejected, reason: String) {
        match result {
            Rejected::Duplicate => self.counts.duplicate += 1,
            Rejected::Suppressed => self.counts.suppressed += 1,
            Rejected::Invalid => self.counts.invalid += 1,
        }
        let record = row.record.iter().map(str::to_owned).collect();
        self.problems.push(Problem {
            line: row.line,
            result,
            reason,
            record,
        });
    }
}

/// Writes a batch: who is suppressed and who is there already is asked in its transaction.
async fn write(
    tx: &mut Tx,
    env: &Env,
    import: &Import,
    update: bool,
    mut sorted: Sorted<'_>,
) -> Result<()> {
    let ws = import.workspace_id;
    let people = std::mem::take(&mut sorted.people);
    let emails: Vec<_> = people
        .iter()
        .map(|(prospect, _)| prospect.email.clone())
        .collect();
    let suppressed = suppressions::among(tx, ws, &emails).await?;
    let known: HashMap<_, _> = prospects::list_by_emails(tx, ws, &emails)
        .await?
        .into_iter()
        .map(|prospect| (email_key(&prospect.email), prospect))
        .collect();

    let (mut new, mut updated, mut on_list) = (Vec::new(), Vec::new(), Vec::<ProspectId>::new());
    for (prospect, row) in people {
        let key = email_key(&prospect.email);
        if suppressed.contains(&key) {
            sorted.reject(
                row,
                Rejected::Suppressed,
                "the address or its domain is suppressed".into(),
            );
        } else if let Some(known) = known.get(&key) {
            on_list.push(known.id);
            if known.status != ProspectStatus::Active {
                let reason = format!("the prospect is {} here", known.status);
                sorted.reject(row, Rejected::Suppressed, reason);
            } else if update {
                sorted.counts.updated += 1;
                updated.push(merged(known, prospect));
            } else {
                sorted.reject(
                    row,
                    Rejected::Duplicate,
                    "a prospect with this address is there already".into(),
                );
            }
        } else {
            sorted.counts.created += 1;
            on_list.push(prospect.id);
            new.push(prospect);
        }
    }
    prospects::insert(tx, &new).await?;
    prospects::update(tx, &updated).await?;
    let updated: Vec<ProspectId> = updated.iter().map(|prospect| prospect.id).collect();
    sends::data_changed_in(tx, env, ws, &updated).await?;
    if let Some(list) = import.list_id {
        lists::add(tx, ws, list, &on_list, env.now()).await?;
    }
    store::record(tx, ws, import.id, sorted.counts, &sorted.problems).await?;
    Ok(())
}

/// The known prospect with the file's values where the file has some.
fn merged(known: &Prospect, file: Prospect) -> Prospect {
    let pick = |new: String, old: &String| if new.is_empty() { old.clone() } else { new };
    let mut custom = known.custom.clone();
    custom.extend(file.custom);
    let mut tags = known.tags.clone();
    tags.extend(
        file.tags
            .into_iter()
            .filter(|tag| !known.tags.contains(tag)),
    );
    Prospect {
        first_name: pick(file.first_name, &known.first_name),
        last_name: pick(file.last_name, &known.last_name),
        company: pick(file.company, &known.company),
        role: pick(file.role, &known.role),
        phone: pick(file.phone, &known.phone),
        linkedin_url: pick(file.linkedin_url, &known.linkedin_url),
        website: pick(file.website, &known.website),
        country: pick(file.country, &known.country),
        city: pick(file.city, &known.city),
        industry: pick(file.industry, &known.industry),
        time_zone: pick(file.time_zone, &known.time_zone),
        tags,
        custom,
        updated_at: file.updated_at,
        ..known.clone()
    }
}
