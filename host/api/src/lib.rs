//! The REST front door: `/api/v1` (API-1 to API-5), the pages that a mail's links lead to, and
//! health.
//!
//! A folder a resource, a file an endpoint; folders mirror URLs. An endpoint reads its input,
//! checks the scope, calls one operation of the engine (or reads through the store), and turns the
//! result into its API type. What every endpoint shares is here: who calls ([`Caller`]), input with
//! errors that name the field ([`Body`], [`Params`]), pages, and the envelopes of API-2. Before all of
//! them stands the gate, which counts requests and knows those that come twice.

#[macro_use]
mod endpoints;

mod alerts;
mod answer;
mod caller;
mod campaigns;
mod docs;
mod error;
mod events;
mod filters;
mod gate;
mod health;
mod imports;
mod input;
mod lists;
mod mailboxes;
mod me;
mod measure;
mod messages;
mod openapi;
mod page;
mod prospects;
mod rates;
mod request_id;
mod sends;
mod shield;
mod suppressions;
mod tracking;
mod unsubscribe;
mod webhooks;
mod why;

pub use answer::{Answer, Created, Deleted};
pub use caller::Caller;
pub use error::{Detail, Error, ErrorBody, ErrorEnvelope};
pub use input::{Body, Params, PathId};
pub use openapi::document;
pub use page::{Page, PageParams};

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, middleware};
use gate::Gate;
use overture_engine::Env;
use rates::Rates;
use tower_http::{compression::CompressionLayer, trace::TraceLayer};

/// The largest request body but for imports.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// The whole front door. All API keys of a workspace together may call so many times a minute
/// (API-3).
pub fn router(env: Env, requests_per_minute: u32) -> Router {
    let gate = Gate {
        env: env.clone(),
        rates: Arc::new(Rates::new(requests_per_minute)),
    };
    Router::new()
        .nest(
            "/api/v1",
            openapi::routes()
                .fallback(error::no_endpoint)
                .method_not_allowed_fallback(error::no_endpoint)
                .layer(middleware::from_fn_with_state(gate, gate::pass)),
        )
        .merge(unsubscribe::routes())
        .merge(tracking::routes())
        .merge(health::routes())
        .merge(docs::routes())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CompressionLayer::new())
        .layer(TraceLayer::new_for_http())
        .layer(middleware::from_fn_with_state(
            env.clone(),
            measure::measure,
        ))
        .layer(middleware::from_fn_with_state(
            env.clone(),
            request_id::assign,
        ))
        .with_state(env)
}
