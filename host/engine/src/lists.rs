//! Named lists of prospects (PR-3).

use overture_domain::{ListId, ProspectId, WorkspaceId, prospects::List};
use overture_store::{imports, lists as store};

use crate::{Env, Error, FieldError, Result};

/// What a caller gives of a list. `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Unique in the workspace, 1 to 200 characters.
    pub name: Option<String>,
    /// At most 40 characters; the page's business.
    pub color: Option<String>,
}

impl Fields {
    fn apply(self, list: &mut List) -> Result<()> {
        let mut wrong = Vec::new();
        if let Some(name) = self.name {
            name.trim().clone_into(&mut list.name);
        }
        if let Some(color) = self.color {
            color.trim().clone_into(&mut list.color);
        }
        if list.name.is_empty() || list.name.chars().count() > 200 {
            let message = "a list's name has 1 to 200 characters";
            wrong.push(FieldError::new("name", "invalid", message));
        }
        if list.color.chars().count() > 40 {
            let message = "a colour has at most 40 characters";
            wrong.push(FieldError::new("color", "too_long", message));
        }
        match wrong.as_slice() {
            [] => Ok(()),
            _ => Err(Error::Invalid(wrong)),
        }
    }
}

/// One list of the workspace.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(env: &Env, ws: WorkspaceId, id: ListId) -> Result<List> {
    store::find(&mut env.db.reader(), ws, id)
        .await?
        .ok_or(Error::NotFound("list"))
}

/// Makes a list.
///
/// # Errors
/// [`Error::Invalid`] for fields that won't do, [`Error::Conflict`] for a name that is taken.
pub async fn create(env: &Env, ws: WorkspaceId, fields: Fields) -> Result<List> {
    let mut list = List {
        id: env.id(),
        workspace_id: ws,
        name: String::new(),
        color: String::new(),
        prospect_count: 0,
        created_at: env.now(),
    };
    fields.apply(&mut list)?;
    let mut tx = env.db.begin().await?;
    or_taken(store::insert(&mut tx, &list).await, &list)?;
    tx.commit().await?;
    Ok(list)
}

/// Changes a list's name or colour.
///
/// # Errors
/// Those of [`create`], and [`Error::NotFound`].
pub async fn update(env: &Env, ws: WorkspaceId, id: ListId, fields: Fields) -> Result<List> {
    let mut tx = env.db.begin().await?;
    let mut list = store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("list"))?;
    fields.apply(&mut list)?;
    or_taken(store::update(&mut tx, &list).await, &list)?;
    tx.commit().await?;
    Ok(list)
}

fn or_taken<T>(done: overture_store::Result<T>, list: &List) -> Result<T> {
    match done {
        Err(overture_store::Error::Unique) => {
            let message = format!("there is a list named `{}` already", list.name);
            Err(Error::Conflict(message))
        }
        other => Ok(other?),
    }
}

/// Deletes a list; its prospects stay, and so do the campaigns that they are in.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] while an import writes into it.
pub async fn delete(env: &Env, ws: WorkspaceId, id: ListId) -> Result<()> {
    let mut tx = env.db.begin().await?;
    if imports::is_running_into(&mut tx, ws, id).await? {
        let message = "an import writes into this list: wait for its end";
        return Err(Error::Conflict(message.to_owned()));
    }
    if !store::delete(&mut tx, ws, id).await? {
        return Err(Error::NotFound("list"));
    }
    tx.commit().await?;
    Ok(())
}

/// Puts prospects on a list; how many came to it.
///
/// # Errors
/// [`Error::NotFound`] for an unknown list; unknown prospects are left out.
pub async fn add(env: &Env, ws: WorkspaceId, id: ListId, who: &[ProspectId]) -> Result<u64> {
    let mut tx = env.db.begin().await?;
    store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("list"))?;
    let added = store::add(&mut tx, ws, id, who, env.now()).await?;
    tx.commit().await?;
    Ok(added)
}

/// Takes prospects off a list; how many were on it.
///
/// # Errors
/// [`Error::NotFound`] for an unknown list.
pub async fn remove(env: &Env, ws: WorkspaceId, id: ListId, who: &[ProspectId]) -> Result<u64> {
    let mut tx = env.db.begin().await?;
    store::find(&mut tx, ws, id)
        .await?
        .ok_or(Error::NotFound("list"))?;
    let removed = store::remove(&mut tx, ws, id, who).await?;
    tx.commit().await?;
    Ok(removed)
}
