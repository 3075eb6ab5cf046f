//! Every function of the store on both databases.

#[path = "contract/accounts.rs"]
mod accounts;
#[path = "contract/messages.rs"]
mod messages;
#[path = "contract/prospects.rs"]
mod prospects;
#[path = "contract/schema.rs"]
mod schema;
