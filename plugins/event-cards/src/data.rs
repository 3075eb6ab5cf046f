//! The payload fields of API-6 that people want to see.

use std::{borrow::Cow, ops::Deref};

use serde::{Deserialize, de::IgnoredAny};

/// The data of any event; which fields are there depends on its kind.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Data<'a> {
    #[serde(borrow)]
    pub(crate) prospect_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) prospect_email: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) prospect_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) prospect_linkedin_url: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) campaign_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) campaign_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) mailbox_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) mailbox_email: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) linkedin_account_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) account_name: Option<Text<'a>>,
    pub(crate) step_index: Option<u32>,
    #[serde(borrow)]
    pub(crate) subject: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) inbox_message_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) message_text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) message_body: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) message: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) thread_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) label: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) url: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) bounce_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) email: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) limit_type: Option<Text<'a>>,
    pub(crate) current_value: Option<u64>,
    pub(crate) limit_value: Option<u64>,
    #[serde(borrow)]
    pub(crate) from_status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) to_status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) kind: Option<Text<'a>>,
    pub(crate) paused_campaign_ids: Option<Vec<IgnoredAny>>,
}

/// A text of the event, copied only where escapes had to be resolved.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Text<'a> {
    /// A part of it, which is still the event's own where the text is.
    pub(crate) fn part(&self, of: impl FnOnce(&str) -> Cow<'_, str>) -> Cow<'a, str> {
        match self.0 {
            Cow::Borrowed(text) => of(text),
            Cow::Owned(ref text) => Cow::Owned(of(text).into_owned()),
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
