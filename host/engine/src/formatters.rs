//! Formatters of webhooks as the engine calls them: by the id that stands in a webhook's row. The
//! registry of plugins implements [`Formatters`]; tests put a scripted one in its place.

use async_trait::async_trait;
use overture_domain::WorkspaceId;
use overture_plugin_host::{CallError, Event, FormatContext, Formatted};

/// A formatter that a webhook may name.
#[derive(Clone, Debug, PartialEq)]
pub struct FormatterEntry {
    /// The id of the plugin.
    pub id: String,
    pub name: String,
    pub description: String,
    /// The JSON Schema of its settings.
    pub settings: serde_json::Value,
}

/// The formatters of this process.
#[async_trait]
pub trait Formatters: Send + Sync {
    /// All of them, in the order of their ids.
    fn list(&self) -> Vec<FormatterEntry>;

    /// The one whose URL patterns fit best (API-9), if any does.
    fn for_url(&self, url: &str) -> Option<String>;

    /// Turns an event into the body of a webhook.
    ///
    /// # Errors
    /// [`CallError`] when it can't be called, misbehaves, or can't use settings or event.
    async fn format(
        &self,
        ws: WorkspaceId,
        formatter: &str,
        event: &Event,
        context: &FormatContext,
    ) -> Result<Formatted, CallError>;
}
