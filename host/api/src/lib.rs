//! The REST front door.
