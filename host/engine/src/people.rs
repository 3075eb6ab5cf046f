//! Users, workspaces and API keys.

use overture_domain::{
    Timestamp, UserId, WorkspaceId,
    people::{ApiKey, Role, User, Workspace},
    prospects::email_problem,
};
use overture_store::people as store;
use overture_vault::{Bearer, Secret, bearer, password};

use crate::{Env, Error, FieldError, Result};

/// What a key may be allowed (API-1), `plugins:*` for instance admins.
pub const SCOPES: &[&str] = &[
    "prospects:read",
    "prospects:write",
    "mailboxes:read",
    "mailboxes:write",
    "warmup:read",
    "warmup:write",
    "campaigns:read",
    "campaigns:write",
    "suppressions:read",
    "suppressions:write",
    "webhooks:read",
    "webhooks:write",
    "linkedin:read",
    "linkedin:write",
    "inbox:read",
    "inbox:write",
    "templates:read",
    "templates:write",
    "verification:read",
    "verification:write",
    "leads:read",
    "leads:write",
    "analytics:read",
    "alerts:read",
    "alerts:write",
    "enrollments:write",
    "jobs:read",
    "plugins:read",
    "plugins:write",
];

/// A password that is worth hashing.
const SHORTEST_PASSWORD: usize = 10;

/// Makes a user and a first workspace of theirs, which they own (WS-10). The first user of an
/// instance is its admin (WS-2).
///
/// # Errors
/// [`Error::Invalid`] for an address or password that won't do, [`Error::Conflict`] for an address
/// that is taken.
pub async fn create_user(
    env: &Env,
    email: &str,
    display_name: &str,
    password: Secret,
) -> Result<(User, Workspace)> {
    let mut wrong = Vec::new();
    if let Some(problem) = email_problem(email) {
        wrong.push(FieldError::new("email", "invalid", problem));
    }
    if password.expose().chars().count() < SHORTEST_PASSWORD {
        let message = format!("a password has at least {SHORTEST_PASSWORD} characters");
        wrong.push(FieldError::new("password", "too_short", message));
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let rng = env.rng.clone();
    let hash = tokio::task::spawn_blocking(move || password::hash(&password, &*rng))
        .await
        .expect("hashing a password does not panic");

    let now = env.now();
    let name = if display_name.trim().is_empty() {
        email
    } else {
        display_name
    }
    .trim();
    let mut tx = env.db.begin().await?;
    let user = User {
        id: env.id(),
        email: email.trim().to_owned(),
        display_name: name.to_owned(),
        instance_admin: store::count_users(&mut tx).await? == 0,
        created_at: now,
    };
    let workspace = Workspace {
        id: env.id(),
        name: format!("{name}'s workspace"),
        postal_address: String::new(),
        time_zone: "UTC".to_owned(),
        created_at: now,
    };
    match store::insert_user(&mut tx, &user, &hash).await {
        Err(overture_store::Error::Unique) => {
            return Err(Error::Conflict(format!(
                "there is a user with the address {email} already"
            )));
        }
        other => other?,
    }
    store::insert_workspace(&mut tx, &workspace).await?;
    store::insert_member(&mut tx, workspace.id, user.id, Role::Owner, now).await?;
    tx.commit().await?;
    Ok((user, workspace))
}

/// How long and how often a key may be used.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyLimits {
    /// For ever where there is none.
    pub expires_at: Option<Timestamp>,
    /// Less often than the workspace may (API-3).
    pub requests_per_minute: Option<u32>,
}

/// Makes an API key. Its text is in the answer and nowhere else (API-1).
///
/// # Errors
/// [`Error::Invalid`] for a name or scope that won't do.
pub async fn create_key(
    env: &Env,
    ws: WorkspaceId,
    created_by: Option<UserId>,
    name: &str,
    scopes: &[String],
    limits: KeyLimits,
) -> Result<(ApiKey, Secret)> {
    let name = name.trim();
    let mut wrong = Vec::new();
    if limits.requests_per_minute == Some(0) {
        let message = "a key that may never call is of no use: give 1 or more, or leave it out";
        wrong.push(FieldError::new("requestsPerMinute", "too_low", message));
    }
    if name.is_empty() || name.chars().count() > 100 {
        wrong.push(FieldError::new(
            "name",
            "invalid",
            "a key's name has 1 to 100 characters",
        ));
    }
    if scopes.is_empty() {
        wrong.push(FieldError::new(
            "scopes",
            "required",
            "a key needs at least one scope",
        ));
    }
    for (index, scope) in scopes.iter().enumerate() {
        if !SCOPES.contains(&scope.as_str()) {
            let message = format!("`{scope}` is no scope; there are: {}", SCOPES.join(", "));
            wrong.push(FieldError::new(
                format!("scopes[{index}]"),
                "unknown_scope",
                message,
            ));
        }
    }
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let made = Bearer::api_key(&*env.rng);
    let key = ApiKey {
        id: env.id(),
        workspace_id: ws,
        created_by,
        name: name.to_owned(),
        prefix: made.prefix,
        scopes: scopes.to_vec(),
        requests_per_minute: limits.requests_per_minute,
        expires_at: limits.expires_at,
        last_used_at: None,
        revoked_at: None,
        created_at: env.now(),
    };
    let mut tx = env.db.begin().await?;
    store::insert_key(&mut tx, &key, &made.hash).await?;
    tx.commit().await?;
    Ok((key, made.secret))
}

/// The key of a request, if it is one of ours, not revoked and not expired.
///
/// # Errors
/// Only the store's.
pub async fn authenticate(env: &Env, text: &str) -> Result<Option<ApiKey>> {
    if !bearer::looks_like_api_key(text) {
        return Ok(None);
    }
    let now = env.now();
    let found = store::find_key_by_hash(&mut env.db.reader(), &bearer::hash(text)).await?;
    let key = found.filter(|key| {
        key.revoked_at.is_none() && key.expires_at.is_none_or(|expires| expires > now)
    });
    if let Some(key) = &key {
        // Once a minute is enough for people, and keeps reading requests free of writes.
        let stale = key
            .last_used_at
            .is_none_or(|used| now.since(used).as_secs() >= 60);
        if stale {
            let mut tx = env.db.begin().await?;
            store::touch_key(&mut tx, key.id, now).await?;
            tx.commit().await?;
        }
    }
    Ok(key)
}
