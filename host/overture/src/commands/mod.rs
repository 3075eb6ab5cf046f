//! One file a command.

pub mod alert;
pub mod backup;
pub mod campaign;
pub mod compile_plugin;
pub mod demo;
pub mod doctor;
pub mod events;
pub mod filter;
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
pub mod shield;
pub mod simulate;
pub mod template;
pub mod user;
pub mod why;

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

/// As a shell writes it when SIGPIPE ended a program.
const NOBODY_READS: i32 = 128 + 13;

/// Prints a line about a command's progress, beside its answer. That nobody reads it changes nothing.
pub fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints a line of a command's answer. Ends the program where nobody reads on, as behind `| head`.
pub fn say(line: impl Display) {
    match try_say(line) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(NOBODY_READS),
        Err(error) => {
            note(format_args!("error: the answer can't be written: {error}"));
            std::process::exit(1);
        }
        Ok(()) => (),
    }
}

/// Prints a line for whoever reads it.
///
/// # Errors
/// When nobody does, or what it goes to is full.
pub fn try_say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
