//! Memory that the program has given up, and its allocator keeps for itself.

use std::time::Duration;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(60);

/// Gives unused memory back to the system, now and every minute, until it is dropped. Compiling
/// plugins and opening thousands of connections leaves holes in malloc's arenas that it would keep
/// for good: some 40 MB after a start without compiled plugins. `also` tidies what else there is.
#[expect(
    clippy::disallowed_methods,
    reason = "the allocator is tidied on real time"
)]
pub async fn keep_small(also: impl Fn()) {
    loop {
        also();
        // It ends with the process.
        drop(tokio::task::spawn_blocking(give_back).await);
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "malloc_trim has no safe form")]
fn give_back() {
    // SAFETY: it takes no pointer, and locks what it touches.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}
