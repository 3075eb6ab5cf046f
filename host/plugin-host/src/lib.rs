//! Sandboxes: wasmtime, grants, limits, one module per capability.
