//! Write plugins for Overture in Rust. `README.md` beside this crate goes from nothing to a plugin.
//!
//! A plugin is a library crate that implements one trait and calls one macro:
//!
//! ```
//! use overture_plugin::formatter::{Context, Event, FormatError, Formatter, Output};
//!
//! struct Plain;
//!
//! impl Formatter for Plain {
//!     fn format(event: Event, _context: Context) -> Result<Output, FormatError> {
//!         Ok(Output::text(format!("{} happened", event.kind)))
//!     }
//! }
//!
//! overture_plugin::formatter!(Plain);
//! ```
//!
//! | kind | trait | macro | may call |
//! | --- | --- | --- | --- |
//! | formatter | [`formatter::Formatter`] | [`formatter!`] | [`log`](crate::info!) |
//! | classifier | [`classifier::Classifier`] | [`classifier!`] | [`log`](crate::info!) |
//! | mail provider | [`mail_provider::MailProvider`] | [`mail_provider!`] | log, [`clock`], [`random`], [`store`], [`http`], [`mailbox`] |
//! | network provider | [`network_provider::NetworkProvider`] | [`network_provider!`] | log, [`clock`], [`random`], [`store`], [`http`] |
//!
//! A fresh sandbox serves each call, and is thrown away after it. Two habits decide the speed, and
//! this crate has both: an allocator that never gives memory back (nothing lives longer than a
//! call), and [`preinit!`], which builds tables once, when the plugin is packed.
//!
//! On a machine that is not wasm32 the functions of the host answer from memory ([`testing`]), so
//! that `cargo test` needs no platform.

// The generated code names this crate from the outside.
extern crate self as overture_plugin;

#[cfg(target_arch = "wasm32")]
mod arena;
#[doc(hidden)]
pub mod bindings;
pub mod classifier;
pub mod clock;
pub mod formatter;
pub mod http;
mod log;
pub mod mail_provider;
pub mod mailbox;
pub mod network_provider;
pub mod random;
pub mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod time;

pub use bindings::imports::overture::plugin::types::{Address, Attachment, Channel, Header};
pub use serde_json;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Timestamp = u64;

#[doc(hidden)]
pub use wit_bindgen;

#[doc(hidden)]
pub mod rt {
    pub use crate::log::{Level, start, write};
}

/// Runs a function once, when the plugin is packed: what it leaves in statics is there in every
/// call, as if just built. At most one in a plugin. It can't call the host.
///
/// ```
/// use std::sync::LazyLock;
///
/// static PHRASES: LazyLock<Vec<String>> = LazyLock::new(|| vec!["on holiday".to_lowercase()]);
///
/// overture_plugin::preinit!(|| {
///     LazyLock::force(&PHRASES);
/// });
/// ```
#[macro_export]
macro_rules! preinit {
    ($fill:expr) => {
        const _: () = {
            #[cfg_attr(target_arch = "wasm32", unsafe(export_name = "wizer-initialize"))]
            extern "C" fn preinit() {
                let fill: fn() = $fill;
                fill();
            }
            // Off wasm32 nothing is exported; this keeps the compiler from calling it unused.
            #[cfg(not(target_arch = "wasm32"))]
            const _: extern "C" fn() = preinit;
        };
    };
}

/// The README's examples compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
