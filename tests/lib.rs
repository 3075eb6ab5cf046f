//! Whole-system tests live in `it/`; this library only lets Cargo see the package.
