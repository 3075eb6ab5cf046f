//! `/lists`

mod add;
mod create;
mod delete;
mod get;
mod list;
mod remove;
mod update;

use overture_domain::{Timestamp, prospects::List};
use serde::Serialize;
use utoipa::ToSchema;

endpoints! {
    list::list, create::create;
    get::get, update::update, delete::delete;
    add::add, remove::remove;
}

/// A named list of prospects.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListOut {
    #[schema(example = "lst_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    name: String,
    color: String,
    prospect_count: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<List> for ListOut {
    fn from(list: List) -> Self {
        Self {
            id: list.id.to_string(),
            name: list.name,
            color: list.color,
            prospect_count: list.prospect_count,
            created_at: list.created_at,
        }
    }
}
