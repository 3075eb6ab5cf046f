//! How often a workspace may call (API-3): so many requests a minute of the clock for all of its
//! keys together, fewer for a key that has a limit of its own. Each process counts for itself.

use std::{collections::HashMap, sync::Mutex};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use overture_domain::{ApiKeyId, Timestamp, WorkspaceId, people::ApiKey};

const MINUTE: i64 = 60;

/// The requests of the present minute.
#[derive(Debug)]
pub(crate) struct Rates {
    per_workspace: u32,
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    /// Minutes since 1970.
    number: i64,
    workspaces: HashMap<WorkspaceId, u32>,
    keys: HashMap<ApiKeyId, u32>,
}

/// What is left of a limit; the tightest one where two bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Requests a minute.
    limit: u32,
    remaining: u32,
    /// When the next minute begins: seconds since 1970.
    reset: i64,
    /// Seconds until then, where nothing was left.
    pub(crate) wait: Option<i64>,
}

impl Rates {
    pub(crate) fn new(per_workspace: u32) -> Self {
        Self {
            per_workspace,
            minute: Mutex::default(),
        }
    }

    /// Counts a request. One that is refused isn't counted.
    pub(crate) fn count(&self, key: &ApiKey, now: Timestamp) -> Rate {
        let seconds = now.as_secs();
        let number = seconds.div_euclid(MINUTE);
        let mut minute = self
            .minute
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if minute.number != number {
            *minute = Minute {
                number,
                ..Minute::default()
            };
        }
        let Minute {
            workspaces, keys, ..
        } = &mut *minute;
        let all = workspaces.entry(key.workspace_id).or_default();
        let own = keys.entry(key.id).or_default();
        let left_of_all = self.per_workspace.saturating_sub(*all);
        let own_limit = key.requests_per_minute.unwrap_or(u32::MAX);
        let left_of_own = own_limit.saturating_sub(*own);
        let (limit, left) = match left_of_own < left_of_all {
            true => (own_limit, left_of_own),
            false => (self.per_workspace, left_of_all),
        };
        let reset = (number + 1) * MINUTE;
        if left > 0 {
            *all += 1;
            *own += 1;
        }
        Rate {
            limit,
            remaining: left.saturating_sub(1),
            reset,
            wait: (left == 0).then_some(reset - seconds),
        }
    }
}

impl Rate {
    /// `X-RateLimit-*`, and `Retry-After` where the request was refused.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let mut set = |name, value: i64| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        };
        set("x-ratelimit-limit", i64::from(self.limit));
        set("x-ratelimit-remaining", i64::from(self.remaining));
        set("x-ratelimit-reset", self.reset);
        if let Some(wait) = self.wait {
            set("retry-after", wait);
        }
    }
}
