use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use overture_engine::{Env, prospects};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ProspectOut, ProspectPatch};
use crate::{Answer, Body, Caller, Created, Error, error::ErrorEnvelope};

/// A prospect to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProspectIn {
    /// May be left out where `linkedinUrl` says who it is: then the answer has a placeholder in its
    /// place, to which no mail is ever sent.
    #[serde(default)]
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    #[serde(default)]
    #[schema(example = "Ada")]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    company: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    /// The address of a profile in any spelling; kept as `https://www.linkedin.com/in/<user name>`.
    #[serde(default)]
    #[schema(example = "https://www.linkedin.com/in/ada-lovelace")]
    linkedin_url: Option<String>,
    #[serde(default)]
    website: Option<String>,
    #[serde(default)]
    country: Option<String>,
    #[serde(default)]
    city: Option<String>,
    #[serde(default)]
    industry: Option<String>,
    /// An IANA name.
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    #[schema(example = json!({"plan": "team"}))]
    custom_fields: Option<BTreeMap<String, String>>,
    /// The list to put the prospect on.
    #[serde(default)]
    list_id: Option<String>,
}

/// Adds a prospect. One with this address that is there already is the answer, unchanged, with 200;
/// without an address the one with this `linkedinUrl`.
#[utoipa::path(
    post, path = "/prospects", tag = "Prospects", request_body = ProspectIn,
    responses(
        (status = 201, body = Answer<ProspectOut>),
        (status = 200, description = "It was there already", body = Answer<ProspectOut>),
        (status = 400, body = ErrorEnvelope),
        (status = 404, description = "There is no such list", body = ErrorEnvelope),
        (status = 409, description = "Somebody without an address has this profile: the address is given by PATCH", body = ErrorEnvelope)
    )
)]
pub(super) async fn create(
    State(env): State<Env>,
    caller: Caller,
    Body(body): Body<ProspectIn>,
) -> Result<Response, Error> {
    let ws = caller.allow("prospects:write")?;
    let list_id = body.list_id.as_deref().map(str::parse).transpose();
    let list_id = list_id.map_err(|error: overture_domain::id::ParseIdError| {
        Error::field("listId", "invalid", error.to_string())
    })?;
    let fields = ProspectPatch {
        email: body.email,
        first_name: body.first_name,
        last_name: body.last_name,
        company: body.company,
        role: body.role,
        phone: body.phone,
        linkedin_url: body.linkedin_url,
        website: body.website,
        country: body.country,
        city: body.city,
        industry: body.industry,
        timezone: body.timezone,
        tags: body.tags,
        custom_fields: body.custom_fields,
    };
    let (prospect, new) = prospects::create(&env, ws, fields.into(), list_id).await?;
    let out = ProspectOut::read(&mut env.db.reader(), prospect).await?;
    Ok(match new {
        true => Created(out).into_response(),
        false => Answer::new(out).into_response(),
    })
}
