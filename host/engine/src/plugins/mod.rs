//! Plugins in use: which are loaded, what they may do, and what stands behind their capabilities.
//!
//! [`Registry::open`] loads the plugins that travel in the binary and those of a folder, notes
//! them in the database, and then is what the engine calls: it implements
//! [`MailProviders`](crate::MailProviders), [`Classifiers`](crate::Classifiers) and
//! [`Formatters`](crate::Formatters). A file that can't be loaded is listed with the reason and
//! keeps nobody else from starting.
//!
//! [`Registry::classifiers`] does with classifiers alone, and without a database.
//!
//! What a plugin may do (PLG-2): one in the binary all that it asks for; one in the folder what
//! the settings grant it, which is nothing unless they say so. A folder's plugin never takes the
//! place of one in the binary.

mod calls;
mod detached;
mod registry;
mod services;
mod settings;

pub use registry::{Listed, Refused, Registry};
pub use services::Backing;
pub use settings::{PluginGrants, Settings};
