//! What keeps the crates apart: which may use which, who may take the time, and the map of them.

pub(crate) mod chance;
pub(crate) mod edges;
pub(crate) mod map;
pub(crate) mod planted;
