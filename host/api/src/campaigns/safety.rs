use overture_domain::safety::Thresholds;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When a campaign stops by itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SafetyOut {
    /// More hard bounces in a hundred mails of seven days let it rest for a day; judged from 50 mails
    /// on.
    #[schema(example = 5)]
    bounce_percent: i64,
    /// So many complaints in seven days let it rest for a day.
    #[schema(example = 3)]
    complaints: i64,
    /// Fewer replies in a hundred mails since it runs are told from 100 mails on, and pause it from 200.
    /// Null: no floor.
    reply_percent: Option<i64>,
}

impl From<Thresholds> for SafetyOut {
    fn from(found: Thresholds) -> Self {
        Self {
            bounce_percent: found.bounce_percent,
            complaints: found.complaints,
            reply_percent: found.reply_percent,
        }
    }
}

/// When a campaign stops by itself; what is left out has its default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SafetyBody {
    /// 1 to 20; 5 by default.
    bounce_percent: Option<i64>,
    /// 1 to 100; 3 by default.
    complaints: Option<i64>,
    /// 1 to 50; no floor by default.
    reply_percent: Option<i64>,
}

impl From<SafetyBody> for Thresholds {
    fn from(body: SafetyBody) -> Self {
        let default = Self::default();
        Self {
            bounce_percent: body.bounce_percent.unwrap_or(default.bounce_percent),
            complaints: body.complaints.unwrap_or(default.complaints),
            reply_percent: body.reply_percent,
        }
    }
}
