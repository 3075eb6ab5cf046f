//! Every function of the store on both databases.

#[path = "contract/schema.rs"]
mod schema;
