//! Plugins as the database knows them; what runs is the plugin host's affair.

use crate::{Timestamp, names};

names! {
    /// Where a plugin's file comes from.
    PluginSource {
        /// It travels inside the binary.
        Embedded = "embedded",
        /// A file in `plugins.folder`.
        Folder = "folder",
    }
}

/// A plugin that was loaded once.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// Of its manifest; never changes.
    pub id: String,
    pub version: String,
    /// SHA-256 of its file, in hex.
    pub digest: String,
    pub source: PluginSource,
    /// What it says about itself, for lists: name, kinds, description.
    pub manifest: serde_json::Value,
    /// What it may do (PLG-2).
    pub grants: serde_json::Value,
    pub enabled: bool,
    /// The admin's order of classifiers (CLS-4).
    pub place: i64,
    pub installed_at: Timestamp,
    pub updated_at: Timestamp,
}
