//! Filters of prospects, given with a request or kept under a name (PR-3).

use overture_domain::{
    FilterId, WorkspaceId,
    filters::{Filter, SavedFilter},
};
use overture_store::{Read, campaigns, filters as store, lists};

use crate::{Env, Error, FieldError, Result};

/// The shortest text that is searched for, in characters.
const SHORTEST_SEARCH: usize = 3;

/// What a caller gives of a saved filter. `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Unique in the workspace, 1 to 200 characters.
    pub name: Option<String>,
    /// All of the filter, with at least one condition.
    pub filter: Option<Filter>,
}

/// A filter whose texts can be looked for; `at` is what stands before its fields in the request.
///
/// # Errors
/// [`Error::Invalid`] with each field that can't.
pub fn checked(filter: Filter, at: &str) -> Result<Filter> {
    let trimmed = |text: Option<String>| text.map(|text| text.trim().to_owned());
    let filter = Filter {
        domain: trimmed(filter.domain),
        search: trimmed(filter.search),
        ..filter
    };
    let mut wrong = Vec::new();
    let search = filter.search.as_deref().map(|text| text.chars().count());
    if search.is_some_and(|length| length < SHORTEST_SEARCH) {
        let message = format!("search for at least {SHORTEST_SEARCH} characters");
        wrong.push(FieldError::new(format!("{at}search"), "too_short", message));
    }
    let domain = filter.domain.as_deref();
    if domain.is_some_and(|domain| domain.is_empty() || domain.contains('@')) {
        let message = "a domain such as `example.com`";
        wrong.push(FieldError::new(format!("{at}domain"), "invalid", message));
    }
    match wrong.as_slice() {
        [] => Ok(filter),
        _ => Err(Error::Invalid(wrong)),
    }
}

/// The filter of a request: the saved one that it names, with what it gives itself in its place.
///
/// # Errors
/// [`Error::Invalid`] for a saved filter that the workspace doesn't have.
pub async fn resolve(
    on: &mut impl Read,
    ws: WorkspaceId,
    saved: Option<FilterId>,
    given: Filter,
) -> Result<Filter> {
    let Some(id) = saved else { return Ok(given) };
    match store::find(on, ws, id).await? {
        Some(saved) => Ok(saved.filter.with(given)),
        None => {
            let message = format!("there is no saved filter {id}");
            Err(Error::field("filterId", "unknown", message))
        }
    }
}

/// One saved filter of the workspace.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(env: &Env, ws: WorkspaceId, id: FilterId) -> Result<SavedFilter> {
    store::find(&mut env.db.reader(), ws, id)
        .await?
        .ok_or(Error::NotFound("filter"))
}

/// Keeps a filter.
///
/// # Errors
/// [`Error::Invalid`] for fields that won't do, [`Error::Conflict`] for a name that is taken.
pub async fn create(env: &Env, ws: WorkspaceId, fields: Fields) -> Result<SavedFilter> {
    let now = env.now();
    let mut saved = SavedFilter {
        id: env.id(),
        workspace_id: ws,
        name: String::new(),
        filter: Filter::default(),
        created_at: now,
        updated_at: now,
    };
    let mut tx = env.db.begin().await?;
    apply(&mut tx, fields, &mut saved).await?;
    or_taken(store::insert(&mut tx, &saved).await, &saved)?;
    tx.commit().await?;
    Ok(saved)
}

/// Changes a saved filter's name or conditions.
///
/// # Errors
/// Those of [`create`], and [`Error::NotFound`].
pub async fn update(
    env: &Env,
    ws: WorkspaceId,
    id: FilterId,
    fields: Fields,
) -> Result<SavedFilter> {
    let mut tx = env.db.begin().await?;
    let mut saved = store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("filter"))?;
    apply(&mut tx, fields, &mut saved).await?;
    saved.updated_at = env.now();
    or_taken(store::update(&mut tx, &saved).await, &saved)?;
    tx.commit().await?;
    Ok(saved)
}

/// Forgets a saved filter; nobody whom it shows is touched.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(env: &Env, ws: WorkspaceId, id: FilterId) -> Result<()> {
    let mut tx = env.db.begin().await?;
    if !store::delete(&mut tx, ws, id).await? {
        return Err(Error::NotFound("filter"));
    }
    tx.commit().await?;
    Ok(())
}

async fn apply(on: &mut impl Read, fields: Fields, saved: &mut SavedFilter) -> Result<()> {
    let mut wrong = Vec::new();
    if let Some(name) = fields.name {
        name.trim().clone_into(&mut saved.name);
    }
    if saved.name.is_empty() || saved.name.chars().count() > 200 {
        let message = "a filter's name has 1 to 200 characters";
        wrong.push(FieldError::new("name", "invalid", message));
    }
    if let Some(filter) = fields.filter {
        match checked(filter, "filter.") {
            Ok(filter) => saved.filter = filter,
            Err(Error::Invalid(more)) => wrong.extend(more),
            Err(other) => return Err(other),
        }
        wrong.extend(unknown(on, saved.workspace_id, &saved.filter).await?);
    }
    if wrong.is_empty() && saved.filter == Filter::default() {
        let message = "name at least one condition; without any all prospects are listed anyway";
        wrong.push(FieldError::new("filter", "required", message));
    }
    match wrong.as_slice() {
        [] => Ok(()),
        _ => Err(Error::Invalid(wrong)),
    }
}

/// What a filter names and the workspace doesn't have.
async fn unknown(on: &mut impl Read, ws: WorkspaceId, filter: &Filter) -> Result<Vec<FieldError>> {
    let mut wrong = Vec::new();
    if let Some(id) = filter.list_id
        && lists::find(on, ws, id).await?.is_none()
    {
        let message = format!("there is no list {id}");
        wrong.push(FieldError::new("filter.listId", "unknown", message));
    }
    if let Some(id) = filter.campaign_id
        && campaigns::find(on, ws, id).await?.is_none()
    {
        let message = format!("there is no campaign {id}");
        wrong.push(FieldError::new("filter.campaignId", "unknown", message));
    }
    Ok(wrong)
}

fn or_taken<T>(done: overture_store::Result<T>, saved: &SavedFilter) -> Result<T> {
    match done {
        Err(overture_store::Error::Unique) => {
            let message = format!("there is a filter named `{}` already", saved.name);
            Err(Error::Conflict(message))
        }
        other => Ok(other?),
    }
}
