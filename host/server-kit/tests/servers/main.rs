//! The kit against the servers that it starts.

mod mail;
mod orphans;
mod postgres;
mod smtp;
