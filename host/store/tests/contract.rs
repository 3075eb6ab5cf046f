//! Every function of the store on both databases.
#![expect(clippy::unwrap_used, reason = "a test's helpers panic like the test")]

#[path = "contract/accounts.rs"]
mod accounts;
#[path = "contract/alerts.rs"]
mod alerts;
#[path = "contract/campaigns.rs"]
mod campaigns;
#[path = "contract/counts.rs"]
mod counts;
#[path = "contract/deliveries.rs"]
mod deliveries;
#[path = "contract/events.rs"]
mod events;
#[path = "contract/evidence.rs"]
mod evidence;
#[path = "contract/filters.rs"]
mod filters;
#[path = "contract/lanes.rs"]
mod lanes;
#[path = "contract/limits.rs"]
mod limits;
#[path = "contract/messages.rs"]
mod messages;
#[path = "contract/plugins.rs"]
mod plugins;
#[path = "contract/prospects.rs"]
mod prospects;
#[path = "contract/schema.rs"]
mod schema;
#[path = "contract/search.rs"]
mod search;
#[path = "contract/sending.rs"]
mod sending;
#[path = "contract/transactions.rs"]
mod transactions;
#[path = "contract/webhooks.rs"]
mod webhooks;
#[path = "contract/world.rs"]
mod world;
