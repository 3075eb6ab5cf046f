//! A batch of rows into the database.

use std::collections::HashMap;

use overture_domain::prospects::{Import, Prospect, ProspectStatus, email_key};
use overture_store::{
    Tx,
    imports::{self as store, Trouble},
    lists, prospects, suppressions,
};

use super::{
    recognise,
    rows::{Batch, Candidate, FileRow},
};
use crate::{Env, Error, Result, sends};

/// Writes a batch: who is suppressed and who is there already is asked in its transaction.
///
/// # Errors
/// [`Error::Conflict`] when the import has been ended meanwhile; nothing may be kept then.
pub(super) async fn write(
    tx: &mut Tx,
    env: &Env,
    import: &Import,
    update: bool,
    mut batch: Batch,
) -> Result<()> {
    let ws = import.workspace_id;
    recognise::recognise(tx, env, ws, &mut batch.people, update).await?;
    let mut people = without_suppressed(tx, import, &mut batch).await?;
    // Imports side by side add the same people in the same order, so that none waits in a circle.
    people.sort_by(|a, b| a.key.cmp(&b.key));
    let new: Vec<_> = people.iter().map(|person| &person.prospect).collect();
    let added = prospects::add(tx, &new).await?;
    batch.counts.created += i64::try_from(added.len()).unwrap_or(i64::MAX);
    let mut on_list: Vec<_> = added.iter().copied().collect();
    let (created, people): (Vec<_>, Vec<_>) = people
        .into_iter()
        .partition(|person| added.contains(&person.prospect.id));
    for person in created {
        note_left_out(&mut batch, person.row, person.left_out);
    }

    let keys: Vec<_> = people.iter().map(|person| person.key.clone()).collect();
    let known: HashMap<_, _> = prospects::list_by_emails(tx, ws, &keys)
        .await?
        .into_iter()
        .map(|prospect| (email_key(&prospect.email), prospect))
        .collect();
    let mut updated = Vec::new();
    for person in people {
        let known = known.get(&person.key).ok_or(Error::NotFound("prospect"))?;
        let row = person.row;
        on_list.push(known.id);
        if person.again {
            let reason = "the address stands further up in this file".to_owned();
            batch.note(row, Trouble::Duplicate, reason);
        } else if known.status != ProspectStatus::Active {
            let reason = format!("the prospect is {} here", known.status);
            batch.note(row, Trouble::Suppressed, reason);
        } else if update {
            batch.counts.updated += 1;
            note_left_out(&mut batch, row, person.left_out);
            updated.push(merged(known, person.prospect));
        } else {
            let reason = match known.address() {
                Some(_) => "a prospect with this address is there already",
                None => {
                    "a prospect with this LinkedIn profile is there already, without an address"
                }
            };
            batch.note(row, Trouble::Duplicate, reason.to_owned());
        }
    }
    if !updated.is_empty() {
        prospects::update(tx, &updated).await?;
        let updated: Vec<_> = updated.iter().map(|prospect| prospect.id).collect();
        sends::data_changed_in(tx, env, ws, &updated).await?;
    }
    if let Some(list) = import.list_id {
        lists::add(tx, ws, list, &on_list, env.now()).await?;
    }
    match store::record(tx, ws, import.id, batch.counts, &batch.problems).await? {
        true => Ok(()),
        false => Err(Error::Conflict("the import has been ended".into())),
    }
}

fn note_left_out(batch: &mut Batch, row: FileRow, left_out: Option<String>) {
    if let Some(reason) = left_out {
        batch.note(row, Trouble::Incomplete, reason);
    }
}

/// The people of a batch who may be written to; the others become its problems.
async fn without_suppressed(
    tx: &mut Tx,
    import: &Import,
    batch: &mut Batch,
) -> Result<Vec<Candidate>> {
    let people = std::mem::take(&mut batch.people);
    let keys: Vec<_> = people.iter().map(|person| person.key.clone()).collect();
    let suppressed = suppressions::among(tx, import.workspace_id, &keys).await?;
    if suppressed.is_empty() {
        return Ok(people);
    }
    let (out, people): (Vec<_>, Vec<_>) = people
        .into_iter()
        .partition(|person| suppressed.contains(&person.key));
    for person in out {
        let reason = "the address or its domain is suppressed".to_owned();
        batch.note(person.row, Trouble::Suppressed, reason);
    }
    Ok(people)
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
