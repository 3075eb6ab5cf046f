//! Whole-system tests: the real binary as its own process, real databases and mail servers.

mod backup;
mod cli;
mod demo;
mod driven;
mod errors;
mod inspect;
mod kill;
mod laws;
mod logs;
mod readme;
mod sequence;
mod simulate;
mod story;
