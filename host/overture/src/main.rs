//! `overture`: one program for the server, its administration and the API by hand.

#![expect(
    unreachable_pub,
    reason = "a binary has no surface: `pub` is what its other modules use"
)]

mod backups;
mod cli;
mod client;
mod clock;
mod commands;
mod config;
mod demo;
mod doctor;
#[cfg(feature = "test-clock")]
mod driven;
mod embedded;
mod loops;
mod memory;
mod metrics;
mod services;
mod settings;
mod simulate;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nothing has chosen a TLS provider before main");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the system gives threads");
    match runtime.block_on(cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_error(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "errors of the command line go to its error output"
)]
fn say_error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
