//! One file a command.

pub mod campaign;
pub mod demo;
pub mod doctor;
pub mod events;
pub mod import;
pub mod key;
pub mod mailbox;
pub mod migrate;
pub mod plugin;
pub mod serve;
pub mod template;
pub mod user;

/// Prints a line of a command's answer.
#[expect(
    clippy::print_stdout,
    reason = "the answers of the command line go to its output"
)]
pub fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
