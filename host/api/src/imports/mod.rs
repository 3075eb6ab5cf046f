//! `/imports`

mod create;
mod get;
mod list;
mod problems;
mod problems_csv;

pub(crate) use create::BODY_LIMIT;
use overture_domain::{Timestamp, prospects::Import};
use serde::Serialize;
use utoipa::ToSchema;

endpoints! {
    list::list, create::create;
    get::get;
    problems::problems;
    problems_csv::problems_csv;
}

/// An import and how its rows ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportOut {
    #[schema(example = "imp_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    #[schema(example = "fair.csv")]
    file_name: String,
    list_id: Option<String>,
    /// running, finished or failed.
    #[schema(example = "finished")]
    state: String,
    /// Why it failed, and what to do.
    failure: Option<String>,
    /// Rows of the file. The counts below come to it as the import goes on.
    total: i64,
    created: i64,
    updated: i64,
    duplicate: i64,
    suppressed: i64,
    invalid: i64,
    /// Among those created and updated: rows with a value that made no sense and was left out, such
    /// as a `linkedinUrl` that is no profile. The problems say which.
    incomplete: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it finished or failed.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

impl From<Import> for ImportOut {
    fn from(import: Import) -> Self {
        Self {
            id: import.id.to_string(),
            file_name: import.file_name,
            list_id: import.list_id.map(|id| id.to_string()),
            state: import.state.to_string(),
            failure: Some(import.failure).filter(|text| !text.is_empty()),
            total: import.total_rows,
            created: import.created_rows,
            updated: import.updated_rows,
            duplicate: import.duplicate_rows,
            suppressed: import.suppressed_rows,
            invalid: import.invalid_rows,
            incomplete: import.incomplete_rows,
            created_at: import.created_at,
            finished_at: import.finished_at,
        }
    }
}
