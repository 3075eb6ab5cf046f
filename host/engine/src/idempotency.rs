//! The same POST twice is done once (API-3): for 24 hours a key stands for one request and its answer.

use std::time::Duration;

use overture_domain::WorkspaceId;
use overture_store::idempotency as store;
use overture_vault::{Binding, Secret};
use sha2::{Digest, Sha256};

use crate::{Env, Error, Result};

/// How long a key stands for its request.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// A request that has no answer by then was cut off: no endpoint takes so long.
const LONGEST_REQUEST: Duration = Duration::from_secs(10 * 60);
const LONGEST_KEY: usize = 255;

/// What a key says of a request.
#[derive(Debug)]
pub enum Begun {
    /// It is the first: do it, then [`finish`].
    First,
    /// It was done before: this was its answer.
    Done { status: u16, body: Vec<u8> },
}

/// The digest by which requests are compared.
pub fn digest(method: &str, path_and_query: &str, body: &[u8]) -> String {
    let mut digest = Sha256::new();
    for part in [method.as_bytes(), path_and_query.as_bytes()] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.update(body);
    hex::encode(digest.finalize())
}

/// Takes the key for the request with this digest.
///
/// # Errors
/// [`Error::Invalid`] for a key that won't do, [`Error::IdempotencyConflict`] when it stands for
/// another request, for one that is still under way, or for one that was cut off.
pub async fn begin(env: &Env, ws: WorkspaceId, key: &str, request: &str) -> Result<Begun> {
    if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!(
            "a key has 1 to {LONGEST_KEY} printable ASCII characters without spaces; a UUID will do"
        );
        return Err(Error::field("Idempotency-Key", "invalid", message));
    }
    let now = env.now();
    let mut tx = env.db.begin().await?;
    store::forget(&mut tx, now - KEPT).await?;
    let first = store::take(&mut tx, ws, key, request, now).await?;
    let before = match first {
        true => None,
        false => store::find(&mut tx, ws, key).await?,
    };
    tx.commit().await?;
    let Some(before) = before else {
        return Ok(Begun::First);
    };
    let conflict = |message: &str| Err(Error::IdempotencyConflict(message.to_owned()));
    if before.request != request {
        return conflict(
            "this Idempotency-Key was used for another request: take a new key for a new request",
        );
    }
    match before.answer {
        Some((status, sealed)) => {
            let body = env.vault.open(&binding(ws, key), &sealed)?;
            let body = body.expose().as_bytes().to_vec();
            Ok(Begun::Done { status, body })
        }
        None if now.since(before.created_at) < LONGEST_REQUEST => conflict(
            "the first request with this Idempotency-Key is still under way: repeat it in a moment",
        ),
        None => conflict(
            "the first request with this Idempotency-Key was cut off: look whether it was done, \
             and take a new key if it was not",
        ),
    }
}

/// Keeps the answer of the first request. One that was refused or failed gives the key back: it
/// may be corrected, or tried again.
///
/// # Errors
/// Only the store's.
pub async fn finish(env: &Env, ws: WorkspaceId, key: &str, status: u16, body: &[u8]) -> Result<()> {
    let mut tx = env.db.begin().await?;
    match std::str::from_utf8(body) {
        Ok(text) if (200..300).contains(&status) => {
            let sealed = env
                .vault
                .seal(&binding(ws, key), &Secret::new(text.to_owned()));
            store::answer(&mut tx, ws, key, status, &sealed).await?;
        }
        _ => store::give_back(&mut tx, ws, key).await?,
    }
    Ok(tx.commit().await?)
}

pub(crate) fn binding(ws: WorkspaceId, key: &str) -> Binding {
    Binding::new("idempotency_keys.answer", key, ws)
}
