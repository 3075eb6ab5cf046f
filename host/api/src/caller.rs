//! Who calls: the API key says which workspace a request is for, and what it may do (API-1, WS-1).

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use overture_domain::{
    WorkspaceId,
    people::{Actor, ApiKey},
};
use overture_engine::{Env, people};

use crate::Error;

/// The key of a request, known and alive.
#[derive(Clone, Debug)]
pub struct Caller {
    key: ApiKey,
}

impl Caller {
    /// The key itself.
    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    /// The only workspace that this request can reach.
    pub fn workspace(&self) -> WorkspaceId {
        self.key.workspace_id
    }

    /// The caller in audit rows.
    pub fn actor(&self) -> Actor {
        Actor::Key(self.key.id)
    }

    /// Whether the key is an instance admin's.
    pub fn is_instance_admin(&self) -> bool {
        let mut scopes = self.key.scopes.iter();
        scopes.any(|held| held.starts_with("plugins:"))
    }

    /// Goes on only with this scope; the answer is the workspace.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`].
    pub fn allow(&self, scope: &'static str) -> Result<WorkspaceId, Error> {
        match self.key.scopes.iter().any(|held| held == scope) {
            true => Ok(self.key.workspace_id),
            false => Err(Error::InsufficientScope(scope)),
        }
    }
}

impl FromRequestParts<Env> for Caller {
    type Rejection = Error;

    /// The gate has asked already; where it found nobody, asking again tells why.
    async fn from_request_parts(parts: &mut Parts, env: &Env) -> Result<Self, Error> {
        match parts.extensions.get::<Self>() {
            Some(caller) => Ok(caller.clone()),
            None => Self::of(&parts.headers, env).await,
        }
    }
}

impl Caller {
    /// The caller of a request with these headers.
    ///
    /// # Errors
    /// [`Error::Unauthorized`], or the store's.
    pub(crate) async fn of(headers: &HeaderMap, env: &Env) -> Result<Self, Error> {
        let header = headers
            .get(AUTHORIZATION)
            .ok_or(Error::Unauthorized("the request has no API key"))?;
        let text = header
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, key)| key.trim())
            .ok_or(Error::Unauthorized(
                "the Authorization header is not `Bearer ws_…`",
            ))?;
        let key = people::authenticate(env, text)
            .await?
            .ok_or(Error::Unauthorized(
                "the API key is unknown, revoked or expired",
            ))?;
        Ok(Self { key })
    }
}
