//! `/suppressions`

mod create;
mod list;

use overture_domain::{Timestamp, prospects::Suppression};
use serde::Serialize;
use utoipa::ToSchema;

endpoints! {
    list::list;
    create::create;
}

/// An address or domain that is never written to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SuppressionOut {
    #[schema(example = "sup_01kjq5t3k8e9v8z2m4n6p7r8s9")]
    id: String,
    /// email or domain.
    r#type: String,
    value: String,
    /// bounce, unsubscribe, complaint or manual.
    source: String,
    reason: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Suppression> for SuppressionOut {
    fn from(suppression: Suppression) -> Self {
        Self {
            id: suppression.id.to_string(),
            r#type: suppression.kind.to_string(),
            value: suppression.value,
            source: suppression.source.to_string(),
            reason: suppression.reason,
            created_at: suppression.created_at,
        }
    }
}
