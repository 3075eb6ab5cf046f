//! What stands behind one call: the data of its store.

use std::sync::Arc;

use crate::{
    capabilities::{HostCalls, Scope, Services, http::HttpUse, log::LogBook, mailbox::Mailbox},
    grants::Grants,
    limiter::MemoryLimiter,
    limits::Limits,
    meter::CpuMeter,
};

/// What a plugin may do and use: set by the admin, the same for every call.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
}

/// The data of one call's store. It lives as long as the call.
pub(crate) struct GuestState {
    pub(crate) scope: Scope,
    pub(crate) services: Arc<Services>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) memory: MemoryLimiter,
    pub(crate) meter: Arc<CpuMeter>,
    pub(crate) log: LogBook,
    pub(crate) host_calls: HostCalls,
    pub(crate) http: HttpUse,
    /// Only in calls of a provider.
    pub(crate) mailbox: Option<Mailbox>,
}

impl GuestState {
    pub(crate) fn new(
        scope: Scope,
        services: Arc<Services>,
        policy: Arc<Policy>,
        mailbox: Option<Mailbox>,
    ) -> Self {
        let limits = &policy.limits;
        Self {
            memory: MemoryLimiter::new(limits.memory_bytes),
            meter: Arc::default(),
            log: LogBook::new(limits.log_lines, limits.log_line_bytes),
            host_calls: HostCalls::new(limits.host_calls),
            http: HttpUse::new(limits.http_calls, limits.http_bytes),
            scope,
            services,
            policy,
            mailbox,
        }
    }
}
