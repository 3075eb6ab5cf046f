//! `/bounce-shield`: all campaigns of the workspace stop when too many of its last mails came back.

use axum::extract::State;
use overture_domain::{Timestamp, safety::BounceShield};
use overture_engine::{
    Env,
    safety::{self, ShieldPatch},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Answer, Body, Caller, Error, error::ErrorEnvelope};

endpoints! {
    self::get, self::update;
}

/// The Bounce Shield of the workspace.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShieldOut {
    enabled: bool,
    /// It trips when more of a hundred of the last mails came back; judged from 50 mails on.
    #[schema(example = 10)]
    threshold_percent: i64,
    /// So many of the last mails are looked at.
    #[schema(example = 200)]
    window: i64,
    /// When it trips, all campaigns are paused until somebody resumes them; else it is an alert alone.
    pauses_campaigns: bool,
    /// An address that doesn't exist is put on the suppression list. Its prospect is bounced in any
    /// case, and not written to.
    blocks_addresses: bool,
    /// When it tripped last: mails before count no more.
    #[schema(value_type = Option<String>, format = DateTime)]
    tripped_at: Option<Timestamp>,
}

impl From<BounceShield> for ShieldOut {
    fn from(shield: BounceShield) -> Self {
        Self {
            enabled: shield.enabled,
            threshold_percent: shield.threshold_percent,
            window: shield.window,
            pauses_campaigns: shield.pauses_campaigns,
            blocks_addresses: shield.blocks_addresses,
            tripped_at: shield.tripped_at,
        }
    }
}

/// What to change; a field that is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ShieldBody {
    enabled: Option<bool>,
    /// 1 to 20; 10 at first.
    threshold_percent: Option<i64>,
    /// 50 to 1,000; 200 at first.
    window: Option<i64>,
    pauses_campaigns: Option<bool>,
    blocks_addresses: Option<bool>,
}

/// The Bounce Shield of the workspace.
#[utoipa::path(
    get, path = "/bounce-shield", tag = "Safety",
    responses((status = 200, body = Answer<ShieldOut>))
)]
async fn get(State(env): State<Env>, caller: Caller) -> Result<Answer<ShieldOut>, Error> {
    let ws = caller.allow("campaigns:read")?;
    Ok(Answer::new(safety::shield(&env, ws).await?.into()))
}

/// Changes the Bounce Shield.
#[utoipa::path(
    patch, path = "/bounce-shield", tag = "Safety", request_body = ShieldBody,
    responses((status = 200, body = Answer<ShieldOut>), (status = 400, body = ErrorEnvelope))
)]
async fn update(
    State(env): State<Env>,
    caller: Caller,
    Body(body): Body<ShieldBody>,
) -> Result<Answer<ShieldOut>, Error> {
    let ws = caller.allow("campaigns:write")?;
    let patch = ShieldPatch {
        enabled: body.enabled,
        threshold_percent: body.threshold_percent,
        window: body.window,
        pauses_campaigns: body.pauses_campaigns,
        blocks_addresses: body.blocks_addresses,
    };
    Ok(Answer::new(
        safety::set_shield(&env, ws, &patch).await?.into(),
    ))
}
