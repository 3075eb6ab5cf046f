//! Reply classifiers as the engine calls them (CLS-4). The registry of plugins implements
//! [`Classifiers`]; tests put a scripted one in its place.

use async_trait::async_trait;
use overture_domain::WorkspaceId;
use overture_plugin_host::{CallError, ClassifyContext, Message, Verdict};

/// The confidence that a verdict must pass to decide, unless the admin sets another.
pub const DEFAULT_THRESHOLD: f32 = 0.6;

/// A classifier that judges the replies of a workspace.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifierEntry {
    /// The id of the plugin.
    pub id: String,
    /// 0 to 1; its verdicts decide only above it.
    pub threshold: f32,
    /// A JSON object, valid against the plugin's manifest.
    pub settings: String,
}

/// The classifiers of this process.
#[async_trait]
pub trait Classifiers: Send + Sync {
    /// Those that judge for the workspace, in the admin's order (CLS-4).
    async fn list(&self, ws: WorkspaceId) -> Vec<ClassifierEntry>;

    /// What one of them says about a message, surest verdict first; none means "can't tell".
    ///
    /// # Errors
    /// [`CallError`] when it can't be called or misbehaves.
    async fn classify(
        &self,
        ws: WorkspaceId,
        classifier: &str,
        message: &Message,
        context: &ClassifyContext,
    ) -> Result<Vec<Verdict>, CallError>;
}
