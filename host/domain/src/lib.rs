//! Ids, time, records, states, caps and windows: the rules of the product as pure code.
//!
//! Nothing here does IO, knows a database driver, or takes the clock: time comes in as a
//! [`Timestamp`], chance through [`Rng`].

//! One module a feature, with the word of the specification.

pub mod accounts;
pub mod alerts;
pub mod campaigns;
pub mod caps;
pub mod enrollments;
pub mod events;
pub mod experiments;
pub mod filters;
pub mod forecast;
pub mod id;
pub mod linkedin;
pub mod messages;
pub mod names;
pub mod pacing;
pub mod people;
pub mod planted;
pub mod plugins;
pub mod prospects;
pub mod rng;
pub mod safety;
pub mod time;
pub mod tracking;
pub mod variants;
pub mod webhooks;
pub mod windows;

pub use id::{
    AccountId, ActionId, AlertId, ApiKeyId, AttemptId, AuditId, CampaignId, DeliveryId,
    EnrollmentId, EventId, FilterId, HitId, HostId, Id, ImportId, JobId, ListId, MessageId,
    ProspectId, RequestId, StepId, SuppressionId, UserId, VariantId, WebhookId, WorkspaceId,
};
pub use rng::Rng;
pub use time::{Clock, Timestamp};
