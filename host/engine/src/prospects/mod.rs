//! Prospects one by one (PR-1, PR-7); files of them come through [`imports`](crate::imports).

pub(crate) mod address;
mod bulk;

pub use bulk::{Action, Done, Selection, Standing, bulk};

use std::collections::BTreeMap;

use overture_domain::{
    ListId, ProspectId, WorkspaceId,
    events::{Event, EventKind},
    linkedin,
    prospects::{Prospect, ProspectStatus, custom_field_name, email_key},
};
use overture_store::{Tx, lists, prospects as store};
use serde_json::json;

use crate::{Env, Error, FieldError, Part, Result, sends};

/// The fields that a caller may give. `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Empty where only the profile is known.
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub company: Option<String>,
    pub role: Option<String>,
    pub phone: Option<String>,
    pub linkedin_url: Option<String>,
    pub website: Option<String>,
    pub country: Option<String>,
    pub city: Option<String>,
    pub industry: Option<String>,
    pub time_zone: Option<String>,
    pub tags: Option<Vec<String>>,
    /// Replaces all custom fields.
    pub custom: Option<BTreeMap<String, String>>,
}

impl Fields {
    /// Looks at what is given, and brings the LinkedIn address into its one spelling (PR-7).
    fn check(&mut self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        if let Some(url) = self
            .linkedin_url
            .as_mut()
            .filter(|url| !url.trim().is_empty())
        {
            match linkedin::profile_url(url) {
                Ok(one) => *url = one,
                Err(problem) => wrong.push(FieldError::new("linkedinUrl", "invalid", problem)),
            }
        }
        let texts = [
            ("firstName", &self.first_name),
            ("lastName", &self.last_name),
            ("company", &self.company),
            ("role", &self.role),
            ("phone", &self.phone),
            ("website", &self.website),
            ("country", &self.country),
            ("city", &self.city),
            ("industry", &self.industry),
        ];
        for (field, value) in texts {
            if value
                .as_ref()
                .is_some_and(|value| value.chars().count() > 500)
            {
                wrong.push(FieldError::new(field, "too_long", "at most 500 characters"));
            }
        }
        if let Some(zone) = self.time_zone.as_deref().filter(|zone| !zone.is_empty())
            && jiff::tz::TimeZone::get(zone).is_err()
        {
            let message = format!("`{zone}` is no IANA time zone such as `Europe/Berlin`");
            wrong.push(FieldError::new("timezone", "unknown_time_zone", message));
        }
        for (name, value) in self.custom.iter().flatten() {
            if custom_field_name(name).is_empty() || value.chars().count() > 2_000 {
                let message = "a custom field has a name and at most 2,000 characters";
                wrong.push(FieldError::new(
                    format!("customFields.{name}"),
                    "invalid",
                    message,
                ));
            }
        }
        wrong
    }

    /// Writes what is given into a record, but for the address.
    fn apply(self, prospect: &mut Prospect) {
        let set = |to: &mut String, value: Option<String>| {
            if let Some(value) = value {
                value.trim().clone_into(to);
            }
        };
        set(&mut prospect.first_name, self.first_name);
        set(&mut prospect.last_name, self.last_name);
        set(&mut prospect.company, self.company);
        set(&mut prospect.role, self.role);
        set(&mut prospect.phone, self.phone);
        set(&mut prospect.linkedin_url, self.linkedin_url);
        set(&mut prospect.website, self.website);
        set(&mut prospect.country, self.country);
        set(&mut prospect.city, self.city);
        set(&mut prospect.industry, self.industry);
        set(&mut prospect.time_zone, self.time_zone);
        if let Some(tags) = self.tags {
            prospect.tags = tags;
        }
        if let Some(custom) = self.custom {
            prospect.custom = custom
                .into_iter()
                .map(|(name, value)| (custom_field_name(&name), value))
                .collect();
        }
    }
}

/// Adds a prospect, or finds the one with this address, or where none is given with this profile,
/// and changes nothing but its lists (PR-1, PR-7). True when it is new.
///
/// # Errors
/// [`Error::Invalid`] for fields that won't do, [`Error::NotFound`] for an unknown list,
/// [`Error::Conflict`] for a new address of a person who is known by the profile alone.
pub async fn create(
    env: &Env,
    ws: WorkspaceId,
    mut fields: Fields,
    list_id: Option<ListId>,
) -> Result<(Prospect, bool)> {
    let wrong = fields.check();
    let profile = fields.linkedin_url.as_deref().unwrap_or_default().trim();
    let email = checked_address(fields.email.as_deref().unwrap_or_default(), profile, wrong)?;
    let now = env.now();
    let mut prospect = Prospect::new(env.id(), ws, email, "api", now);
    fields.apply(&mut prospect);

    let mut tx = env.db.begin().await?;
    if let Some(list) = list_id {
        lists::find(&mut tx, ws, list)
            .await?
            .ok_or(Error::NotFound("list"))?;
    }
    let found = match known(&mut tx, ws, &prospect).await? {
        None if store::insert(&mut tx, std::slice::from_ref(&prospect)).await? == 1 => None,
        // Somebody else was quicker.
        None => known(&mut tx, ws, &prospect).await?,
        found => found,
    };
    let new = found.is_none();
    let prospect = found.unwrap_or(prospect);
    if let Some(list) = list_id {
        lists::add(&mut tx, ws, list, &[prospect.id], now).await?;
    }
    tx.commit().await?;
    if new {
        env.wakes.wake(Part::MailDomains);
    }
    Ok((prospect, new))
}

/// The address under which a person is kept, unless it or what is told of them is wrong.
fn checked_address(email: &str, profile: &str, more_wrong: Vec<FieldError>) -> Result<String> {
    match address::of(email, profile) {
        Ok(address) => refuse(more_wrong).map(|()| address),
        Err(problem) => {
            let code = match email.trim() {
                "" => "required",
                _ => "invalid",
            };
            let mut wrong = vec![FieldError::new("email", code, problem)];
            wrong.extend(more_wrong);
            Err(Error::Invalid(wrong))
        }
    }
}

/// Whom the workspace has under the address, or where there is none under the profile.
async fn known(tx: &mut Tx, ws: WorkspaceId, new: &Prospect) -> Result<Option<Prospect>> {
    let mut found = store::list_by_emails(tx, ws, std::slice::from_ref(&new.email)).await?;
    if !found.is_empty() || new.linkedin_url.is_empty() {
        return Ok(found.pop());
    }
    if new.address().is_none() {
        let profile = std::slice::from_ref(&new.linkedin_url);
        return Ok(store::list_by_profiles(tx, ws, profile)
            .await?
            .into_iter()
            .next());
    }
    let without = address::placeholder(&new.linkedin_url);
    match store::list_by_emails(tx, ws, &[without]).await?.pop() {
        None => Ok(None),
        Some(person) => Err(Error::Conflict(format!(
            "{} has this profile and no address yet: give it the address with PATCH /prospects/{}",
            person.id, person.id
        ))),
    }
}

/// Changes a prospect's fields. Whoever has no address can be given one: then whatever waited for it
/// goes on (SAFE-2).
///
/// # Errors
/// [`Error::Invalid`] for fields that won't do, [`Error::NotFound`] for an unknown id,
/// [`Error::Conflict`] for another address than the prospect has, or one that another prospect has.
pub async fn update(
    env: &Env,
    ws: WorkspaceId,
    id: ProspectId,
    mut fields: Fields,
) -> Result<Prospect> {
    let wrong = fields.check();
    let mut tx = env.db.begin().await?;
    let before = store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("prospect"))?;
    let given = fields.email.take();
    let mut prospect = before.clone();
    fields.apply(&mut prospect);
    prospect.email = address_after(&before, given.as_deref(), &prospect.linkedin_url, wrong)?;
    prospect.updated_at = env.now();
    let other_address = prospect.email != before.email;
    if other_address {
        match store::set_addresses(&mut tx, std::slice::from_ref(&prospect)).await {
            Err(overture_store::Error::Unique) => {
                let who = match prospect.address() {
                    Some(address) => format!("the address {address}"),
                    None => format!("the profile {}", prospect.linkedin_url),
                };
                return Err(Error::Conflict(format!("another prospect has {who}")));
            }
            other => other?,
        }
    }
    store::update(&mut tx, std::slice::from_ref(&prospect)).await?;
    sends::data_changed_in(&mut tx, env, ws, &[id]).await?;
    if other_address || prospect.linkedin_url != before.linkedin_url {
        sends::reach_changed_in(&mut tx, env, ws, &[id]).await?;
    }
    tx.commit().await?;
    env.wakes.wake(Part::Sends);
    if other_address {
        env.wakes.wake(Part::MailDomains);
    }
    Ok(prospect)
}

/// The address that a prospect has after a change: the one that it had, one that is given to whoever
/// had none, or a placeholder that goes with the profile.
fn address_after(
    before: &Prospect,
    given: Option<&str>,
    profile: &str,
    wrong: Vec<FieldError>,
) -> Result<String> {
    let other = given.filter(|given| email_key(given) != email_key(&before.email));
    match (before.address(), other) {
        (Some(address), Some(_)) => Err(Error::Conflict(format!(
            "the prospect has the address {address}, which says who it is: add another prospect for another address"
        ))),
        (Some(address), None) => refuse(wrong).map(|()| address.to_owned()),
        (None, other) => checked_address(other.unwrap_or_default(), profile, wrong),
    }
}

fn refuse(wrong: Vec<FieldError>) -> Result<()> {
    match wrong.as_slice() {
        [] => Ok(()),
        _ => Err(Error::Invalid(wrong)),
    }
}

/// Tells that a prospect's status has changed; `why` is a code, and the same in words for people.
pub(crate) fn status_changed(
    env: &Env,
    ws: WorkspaceId,
    id: ProspectId,
    status: ProspectStatus,
    why: Option<(&str, String)>,
) -> Event {
    let now = env.now();
    let (code, words) = why.unzip();
    Event {
        id: env.id(),
        workspace_id: ws,
        kind: EventKind::ProspectStatusChanged,
        channel: None,
        campaign_id: None,
        enrollment_id: None,
        prospect_id: Some(id),
        account_id: None,
        occurred_at: now,
        dedup_key: None,
        data: json!({
            "prospectId": id,
            "status": status,
            "statusReason": code,
            "reason": words,
            "changedAt": now,
        }),
    }
}
