//! A host in memory for `cargo test`: each test thread has its own.
//!
//! ```
//! use overture_plugin::{clock, store, testing};
//!
//! testing::set_now(1_700_000_000_000);
//! store::set("greeting", b"hello").unwrap();
//! assert_eq!(clock::now(), 1_700_000_000_000);
//! assert_eq!(store::get("greeting").unwrap().unwrap(), b"hello");
//! ```

use std::{cell::RefCell, collections::BTreeMap};

use crate::Timestamp;
use crate::http::{HttpError, Request, Response};
pub use crate::log::Level;

/// What a test's own HTTP server answers.
type Answer = Box<dyn FnMut(&Request) -> Result<Response, HttpError>>;

#[derive(Default)]
struct Host {
    now: Timestamp,
    chance: u64,
    lines: Vec<(Level, String)>,
    store: BTreeMap<String, Vec<u8>>,
    http: Option<Answer>,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

/// Forgets everything that this thread's host holds.
pub fn reset() {
    HOST.with_borrow_mut(|host| *host = Host::default());
}

/// Sets the clock, which stands still until it is set again.
pub fn set_now(now: Timestamp) {
    HOST.with_borrow_mut(|host| host.now = now);
}

/// What the plugin logged, oldest first.
#[must_use]
pub fn lines() -> Vec<(Level, String)> {
    HOST.with_borrow(|host| host.lines.clone())
}

/// Answers HTTP requests from now on; without it each is refused.
pub fn on_http(answer: impl FnMut(&Request) -> Result<Response, HttpError> + 'static) {
    HOST.with_borrow_mut(|host| host.http = Some(Box::new(answer)));
}

pub(crate) fn now() -> Timestamp {
    HOST.with_borrow(|host| host.now)
}

pub(crate) fn record_line(level: Level, message: &str) {
    HOST.with_borrow_mut(|host| host.lines.push((level, message.to_owned())));
}

/// The same bytes in the same order in every run.
pub(crate) fn random_bytes(length: u32) -> Vec<u8> {
    let next = || {
        HOST.with_borrow_mut(|host| {
            host.chance = host.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = host.chance;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)).to_le_bytes()[0]
        })
    };
    (0..length.min(4096)).map(|_| next()).collect()
}

pub(crate) mod store {
    use super::HOST;
    use crate::store::StoreError;

    pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(HOST.with_borrow(|host| host.store.get(key).cloned()))
    }

    pub(crate) fn set(key: &str, value: &[u8]) -> Result<(), StoreError> {
        HOST.with_borrow_mut(|host| host.store.insert(key.to_owned(), value.to_vec()));
        Ok(())
    }

    pub(crate) fn delete(key: &str) -> Result<(), StoreError> {
        HOST.with_borrow_mut(|host| host.store.remove(key));
        Ok(())
    }

    pub(crate) fn keys(prefix: &str) -> Result<Vec<String>, StoreError> {
        let keys = HOST.with_borrow(|host| {
            let found = host.store.keys().filter(|k| k.starts_with(prefix));
            found.take(1_000).cloned().collect()
        });
        Ok(keys)
    }
}

pub(crate) mod http {
    use super::HOST;
    use crate::http::{HttpError, Request, Response};

    pub(crate) fn send(request: &Request) -> Result<Response, HttpError> {
        // The answer may itself ask the host something, so it is not called under the borrow.
        let answer = HOST.with_borrow_mut(|host| host.http.take());
        let Some(mut answer) = answer else {
            return Err(HttpError::Denied(
                "no test answers HTTP: testing::on_http".into(),
            ));
        };
        let response = answer(request);
        HOST.with_borrow_mut(|host| {
            host.http.get_or_insert(answer);
        });
        response
    }
}
