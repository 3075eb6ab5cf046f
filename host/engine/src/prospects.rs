//! Prospects one by one (PR-1, PR-7); files of them come through [`imports`](crate::imports).

use std::collections::BTreeMap;

use overture_domain::{
    ListId, ProspectId, WorkspaceId, linkedin,
    prospects::{Prospect, custom_field_name, email_problem},
};
use overture_store::{lists, prospects as store};

use crate::{Env, Error, FieldError, Part, Result, sends};

/// The fields that a caller may give. `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
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
    fn check(&mut self, wrong: &mut Vec<FieldError>) {
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
    }

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

/// Adds a prospect, or finds the one with this address and changes nothing but its lists (PR-7).
/// True when it is new.
///
/// # Errors
/// [`Error::Invalid`] for fields that won't do, [`Error::NotFound`] for an unknown list.
pub async fn create(
    env: &Env,
    ws: WorkspaceId,
    email: &str,
    mut fields: Fields,
    list_id: Option<ListId>,
) -> Result<(Prospect, bool)> {
    let mut wrong = Vec::new();
    if let Some(problem) = email_problem(email) {
        wrong.push(FieldError::new("email", "invalid", problem));
    }
    fields.check(&mut wrong);
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let now = env.now();
    let mut prospect = Prospect::new(env.id(), ws, email.trim(), "api", now);
    fields.apply(&mut prospect);

    let mut tx = env.db.begin().await?;
    if let Some(list) = list_id {
        lists::find(&mut tx, ws, list)
            .await?
            .ok_or(Error::NotFound("list"))?;
    }
    let new = store::insert(&mut tx, std::slice::from_ref(&prospect)).await? == 1;
    if !new {
        let found = store::list_by_emails(&mut tx, ws, &[prospect.email]).await?;
        prospect = found
            .into_iter()
            .next()
            .ok_or(Error::NotFound("prospect"))?;
    }
    if let Some(list) = list_id {
        lists::add(&mut tx, ws, list, &[prospect.id], now).await?;
    }
    tx.commit().await?;
    if new {
        env.wakes.wake(Part::MailDomains);
    }
    Ok((prospect, new))
}

/// Changes a prospect's fields.
///
/// # Errors
/// [`Error::Invalid`] for fields that won't do, [`Error::NotFound`] for an unknown id.
pub async fn update(
    env: &Env,
    ws: WorkspaceId,
    id: ProspectId,
    mut fields: Fields,
) -> Result<Prospect> {
    let mut wrong = Vec::new();
    fields.check(&mut wrong);
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let mut tx = env.db.begin().await?;
    let mut prospect = store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("prospect"))?;
    fields.apply(&mut prospect);
    prospect.updated_at = env.now();
    store::update(&mut tx, std::slice::from_ref(&prospect)).await?;
    sends::data_changed_in(&mut tx, env, ws, &[id]).await?;
    tx.commit().await?;
    env.wakes.wake(Part::Sends);
    Ok(prospect)
}
