//! The OpenAPI 3.1 description, generated from the endpoints (API-5).

use axum::{Router, http::header, response::IntoResponse, routing::get};
use overture_engine::Env;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Content, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder,
        path::{Operation, ParameterBuilder, ParameterIn, PathItem},
        schema::{ArrayItems, ObjectBuilder, Schema, Type},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    alerts, campaigns, error::ErrorEnvelope, events, filters, imports, lists, mailboxes, me,
    messages, prospects, sends, shield, suppressions, webhooks, why,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Overture API",
        version = "1.0.0",
        description = "Everything that Overture does, for programs. Answers are `{ data, meta }`, lists add `pagination`, errors are `{ error, meta }` with a stable `code`. Fields of the envelopes are snake_case, everything inside `data` and request bodies is camelCase."
    ),
    servers((url = "/api/v1")),
    components(schemas(ErrorEnvelope)),
    modifiers(&Bearer),
    security(("api_key" = []))
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(
            Http::builder()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("ws_…")
                .build(),
        );
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("api_key", scheme);
    }
}

/// The description as it is served, and committed: `cargo xtask codegen` writes it.
const DESCRIPTION: &str = include_str!("../openapi.json");

macro_rules! resources {
    ($($resource:ident),+) => {
        /// Every endpoint under `/api/v1`.
        pub(crate) fn routes() -> Router<Env> {
            Router::new()
                .route("/openapi.json", get(served))
                $(.merge($resource::routes()))+
        }

        fn described() -> Document {
            OpenApiRouter::with_openapi(Description::openapi())
                $(.merge($resource::described()))+
                .into_openapi()
        }
    };
}
resources!(
    me,
    prospects,
    lists,
    filters,
    imports,
    suppressions,
    alerts,
    mailboxes,
    campaigns,
    shield,
    messages,
    sends,
    why,
    webhooks,
    events
);

async fn served() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION)
}

/// The envelopes are generic, and come with the type of their `data` written out: a reference
/// instead keeps its name for those who generate clients.
fn name_what_envelopes_hold(document: &mut Document) {
    let schemas = &mut document.components.get_or_insert_default().schemas;
    let names: Vec<String> = schemas.keys().cloned().collect();
    for (name, schema) in schemas {
        let held = name.rsplit('_').next().unwrap_or_default();
        let is_envelope = name.starts_with("Answer_") || name.starts_with("Page_");
        let RefOr::T(Schema::Object(envelope)) = schema else {
            continue;
        };
        let data = envelope.properties.get_mut("data");
        let Some(data) = data.filter(|_| is_envelope && names.iter().any(|name| name == held))
        else {
            continue;
        };
        let reference = RefOr::Ref(Ref::from_schema_name(held));
        match data {
            RefOr::T(Schema::Array(rows)) => {
                rows.items = ArrayItems::RefOrSchema(Box::new(reference));
            }
            data => *data = reference,
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        post,
        patch,
        delete,
        ..
    } = item;
    [get, post, patch, delete].into_iter().flatten()
}

/// Every POST may come twice (API-3).
fn add_idempotency(post: &mut Operation) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "A text of your own for this request, such as a UUID. For 24 hours the same request with the same key is done once and answered as before, with `Idempotency-Replayed: true`; another request with it is refused.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(255))))
        .build();
    post.parameters.get_or_insert_default().push(RefOr::T(key));
    let conflict = "The key belongs to another request, or the first is still under way";
    let answers = &mut post.responses.responses;
    answers
        .entry("409".to_owned())
        .or_insert_with(|| RefOr::T(error(conflict)));
}

/// What every operation may answer beside what it says itself.
fn add_common_errors(operation: &mut Operation) {
    let answers = &mut operation.responses.responses;
    let mut add = |status: &str, description: &str| {
        answers
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::T(error(description)));
    };
    add(
        "401",
        "No API key, or one that is unknown, revoked or expired",
    );
    add(
        "429",
        "Too many requests in this minute: `Retry-After` says when to come back. Every answer tells by `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (seconds since 1970) what is left",
    );
    add(
        "500",
        "Something went wrong here; the request's id finds the cause",
    );
    if operation.tags.iter().flatten().all(|tag| tag != "Identity") {
        add("403", "The key lacks the scope");
    }
    if operation.parameters.is_some() || operation.request_body.is_some() {
        add(
            "400",
            "Something of the request is invalid; the details name it",
        );
    }
    if operation.request_body.is_some() {
        add("413", "The body is larger than the endpoint takes");
    }
}

fn error(description: &str) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content(
            "application/json",
            Content::new(Some(Ref::from_schema_name("ErrorEnvelope"))),
        )
        .build()
}

/// The description, made from the endpoints.
///
/// # Panics
/// Never: the description serialises to JSON.
pub fn document() -> String {
    let mut document = described();
    for item in document.paths.paths.values_mut() {
        if let Some(post) = &mut item.post {
            add_idempotency(post);
        }
        for operation in operations(item) {
            add_common_errors(operation);
        }
    }
    name_what_envelopes_hold(&mut document);
    let mut text = document
        .to_pretty_json()
        .expect("an OpenAPI description is JSON");
    text.push('\n');
    text
}
