//! Whom rows mean that the workspace, or the file, knows by the profile on LinkedIn (PR-1).

use std::collections::{HashMap, HashSet};

use overture_domain::{
    ProspectId, WorkspaceId,
    prospects::{Prospect, ProspectStatus, email_key},
};
use overture_store::{Tx, prospects};

use super::rows::Candidate;
use crate::{Env, Result, prospects::address, sends};

/// Brings rows under the address of the person whom they mean: one without an address under that of
/// whoever has its profile, and one whose profile is that of a person without an address under that
/// person's placeholder, or with `update` the person under the row's address. A row that comes under an
/// address that stands further up is marked so.
///
/// # Errors
/// Only the store's.
pub(super) async fn recognise(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    people: &mut [Candidate],
    update: bool,
) -> Result<()> {
    find_addresses(tx, ws, people).await?;
    find_placeholders(tx, env, ws, people, update).await?;
    let mut seen = HashSet::with_capacity(people.len());
    for person in people {
        person.again |= !seen.insert(person.key.clone());
    }
    Ok(())
}

impl Candidate {
    fn bring_under(&mut self, address: &str) {
        self.prospect.email = address.to_owned();
        self.key = email_key(address);
    }
}

async fn find_addresses(tx: &mut Tx, ws: WorkspaceId, people: &mut [Candidate]) -> Result<()> {
    let (with, without): (Vec<_>, Vec<_>) = people
        .iter()
        .map(|person| &person.prospect)
        .filter(|prospect| !prospect.linkedin_url.is_empty())
        .partition(|prospect| prospect.address().is_some());
    let profiles: Vec<_> = without.iter().map(|one| one.linkedin_url.clone()).collect();
    if profiles.is_empty() {
        return Ok(());
    }
    let known = prospects::list_by_profiles(tx, ws, &profiles).await?;
    let mut addresses: HashMap<String, String> = HashMap::new();
    for prospect in known.iter().chain(with) {
        let address = addresses.entry(prospect.linkedin_url.clone());
        address.or_insert_with(|| prospect.email.clone());
    }
    for person in people.iter_mut() {
        if person.prospect.address().is_none()
            && let Some(address) = addresses.get(&person.prospect.linkedin_url)
        {
            person.bring_under(address);
        }
    }
    Ok(())
}

async fn find_placeholders(
    tx: &mut Tx,
    env: &Env,
    ws: WorkspaceId,
    people: &mut [Candidate],
    update: bool,
) -> Result<()> {
    let asked: Vec<_> = people.iter().filter_map(placeholder).collect();
    let mut without: HashMap<String, Prospect> = prospects::list_by_emails(tx, ws, &asked)
        .await?
        .into_iter()
        .map(|prospect| (prospect.email.clone(), prospect))
        .collect();
    if without.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = people.iter().map(|person| person.key.clone()).collect();
    let with: HashSet<String> = prospects::list_by_emails(tx, ws, &keys)
        .await?
        .iter()
        .map(|prospect| email_key(&prospect.email))
        .collect();
    let mut given = Vec::new();
    let mut moved: HashMap<String, String> = HashMap::new();
    for person in people
        .iter_mut()
        .filter(|person| !with.contains(&person.key))
    {
        let Some((placeholder, mut known)) =
            placeholder(person).and_then(|placeholder| without.remove_entry(&placeholder))
        else {
            continue;
        };
        if update && known.status == ProspectStatus::Active {
            known.email.clone_from(&person.prospect.email);
            moved.insert(placeholder, known.email.clone());
            given.push(known);
        } else {
            person.bring_under(&placeholder);
        }
    }
    // Rows without an address that had come under the placeholder.
    for person in people {
        if let Some(address) = moved.get(&person.key) {
            person.bring_under(address);
        }
    }
    prospects::set_addresses(tx, &given).await?;
    let ids: Vec<ProspectId> = given.iter().map(|prospect| prospect.id).collect();
    sends::reach_changed_in(tx, env, ws, &ids).await
}

/// Under which the person of a row with address and profile may be known.
fn placeholder(person: &Candidate) -> Option<String> {
    let prospect = &person.prospect;
    let asked = prospect.address().is_some() && !prospect.linkedin_url.is_empty();
    asked.then(|| address::placeholder(&prospect.linkedin_url))
}
