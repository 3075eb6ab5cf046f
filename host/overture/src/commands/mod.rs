//! One file a command.

pub mod alert;
pub mod backup;
pub mod campaign;
pub mod demo;
pub mod doctor;
pub mod events;
pub mod import;
pub mod key;
pub mod list;
pub mod mail;
pub mod mailbox;
pub mod master_key;
pub mod migrate;
pub mod plugin;
pub mod prospect;
pub mod restore;
pub mod rules;
pub mod send;
pub mod serve;
pub mod simulate;
pub mod template;
pub mod user;
pub mod why;

/// Prints a line about a command's progress, beside its answer.
#[expect(
    clippy::print_stderr,
    reason = "what isn't the answer goes to the error output"
)]
pub fn note(line: impl std::fmt::Display) {
    eprintln!("{line}");
}

/// Prints a line of a command's answer.
#[expect(
    clippy::print_stdout,
    reason = "the answers of the command line go to its output"
)]
pub fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
