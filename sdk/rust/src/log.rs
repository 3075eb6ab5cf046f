//! Lines for the plugin's own log, and what happens when a guest panics.

#[cfg(target_arch = "wasm32")]
use crate::bindings::imports::overture::plugin::log as host;

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the author.
    Debug,
    /// Worth knowing.
    Info,
    /// Somebody should look.
    Warn,
    /// It did not work.
    Error,
}

/// Writes one line. The macros call this.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    {
        let level = match level {
            Level::Debug => host::Level::Debug,
            Level::Info => host::Level::Info,
            Level::Warn => host::Level::Warn,
            Level::Error => host::Level::Error,
        };
        host::write(level, message);
    }
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::record_line(level, message);
}

/// Called as an export begins: makes a panic leave a line before it becomes a trap.
///
/// Pure kinds do without: a guest that never logs has no import at all, and its instance is made
/// a third faster. The names in a trap's backtrace say where it panicked.
pub fn start() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|info| {
        // A formatted message may hold a piece of somebody's mail; a literal cannot.
        let said = info
            .payload()
            .downcast_ref::<&'static str>()
            .copied()
            .unwrap_or("panicked");
        let place = info
            .location()
            .map_or_else(String::new, |l| format!(" ({l})"));
        write(Level::Error, &format!("{said}{place}"));
    }));
}

/// Logs for the author; takes what `format!` takes. Never log addresses, texts of mails or secrets.
#[macro_export]
macro_rules! debug {
    ($($text:tt)+) => { $crate::rt::write($crate::rt::Level::Debug, &::std::format!($($text)+)) };
}

/// Logs what is worth knowing; takes what `format!` takes. Never log addresses, texts of mails or
/// secrets.
#[macro_export]
macro_rules! info {
    ($($text:tt)+) => { $crate::rt::write($crate::rt::Level::Info, &::std::format!($($text)+)) };
}

/// Logs what somebody should look at; takes what `format!` takes. Never log addresses, texts of
/// mails or secrets.
#[macro_export]
macro_rules! warn {
    ($($text:tt)+) => { $crate::rt::write($crate::rt::Level::Warn, &::std::format!($($text)+)) };
}

/// Logs what did not work; takes what `format!` takes. Never log addresses, texts of mails or
/// secrets.
#[macro_export]
macro_rules! error {
    ($($text:tt)+) => { $crate::rt::write($crate::rt::Level::Error, &::std::format!($($text)+)) };
}
