//! `/filters`

mod create;
mod delete;
mod get;
mod list;
mod update;

use overture_domain::{Timestamp, filters::SavedFilter};
use serde::Serialize;
use utoipa::ToSchema;

use crate::prospects::filter::FilterBody;

endpoints! {
    list::list, create::create;
    get::get, update::update, delete::delete;
}

/// A filter of prospects that the workspace keeps.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SavedFilterOut {
    #[schema(example = "flt_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    name: String,
    filter: FilterBody,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<SavedFilter> for SavedFilterOut {
    fn from(saved: SavedFilter) -> Self {
        Self {
            id: saved.id.to_string(),
            name: saved.name,
            filter: saved.filter.into(),
            created_at: saved.created_at,
            updated_at: saved.updated_at,
        }
    }
}
