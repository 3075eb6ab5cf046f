//! `GET /me`: which key and workspace this is. The one answer without an envelope (API-2).

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Caller;

endpoints! {
    self::me;
}

/// The key and its workspace.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Me {
    api_key: Key,
    workspace: Workspace,
}

#[derive(Debug, Serialize, ToSchema)]
struct Key {
    #[schema(example = "key_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    name: String,
    #[schema(example = json!(["prospects:read"]))]
    scopes: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Workspace {
    #[schema(example = "wsp_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
}

/// Which key and workspace is this?
#[utoipa::path(get, path = "/me", tag = "Identity", responses((status = 200, body = Me)))]
async fn me(caller: Caller) -> Json<Me> {
    let key = caller.key();
    Json(Me {
        api_key: Key {
            id: key.id.to_string(),
            name: key.name.clone(),
            scopes: key.scopes.clone(),
        },
        workspace: Workspace {
            id: key.workspace_id.to_string(),
        },
    })
}
