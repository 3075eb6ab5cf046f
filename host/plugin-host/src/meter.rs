//! The CPU time of one call: only what its guest really computed.
//!
//! Epochs count wall time, so a guest that was not scheduled would pay for its neighbours. Here
//! they only make the guest look at this meter every few milliseconds; charged is the CPU time of
//! the thread in the slices in which the call was polled.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll},
    time::Duration,
};

use wasmtime::UpdateDeadline;

use crate::{capabilities::Stop, error::CallError, runtime::TICK, state::GuestState};

/// A guest looks at its meter at each tick, so a slice is a tick long, or a few where the ticks come
/// late. A clock that says more counts what the guest had no part in, as when a virtual machine loses
/// its processors.
const LONGEST_SLICE: Duration = TICK.saturating_mul(4);

fn charged(nanos: u64) -> Duration {
    Duration::from_nanos(nanos).min(LONGEST_SLICE)
}

/// One call's meter, in nanoseconds. Only the thread that polls the call writes it.
#[derive(Debug, Default)]
pub(crate) struct CpuMeter {
    /// Finished slices; stays zero for a call that ends in its first.
    spent: AtomicU64,
    /// The thread's CPU time when the present slice began.
    slice: AtomicU64,
}

impl CpuMeter {
    /// What finished slices took; zero for a call that ended in its first.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Relaxed))
    }

    fn running(&self) -> Duration {
        let begun = self.slice.load(Relaxed);
        charged(thread_cpu_nanos().saturating_sub(begun))
    }

    fn begin(&self) {
        self.slice.store(thread_cpu_nanos(), Relaxed);
    }

    fn end(&self) {
        let total = u64::try_from((self.spent() + self.running()).as_nanos()).unwrap_or(u64::MAX);
        self.spent.store(total, Relaxed);
    }
}

/// What a guest does when it sees that the epoch has moved on: stop when its time is used up, or
/// let others run, or go on.
pub(crate) fn at_tick(state: &GuestState) -> wasmtime::Result<UpdateDeadline> {
    let meter = &state.meter;
    let running = meter.running();
    let limit = state.policy.limits.cpu;
    if meter.spent() + running > limit {
        return Err(Stop(CallError::CpuLimit { limit }).into());
    }
    if running < TICK / 4 {
        // It has only just begun, or comes back from waiting.
        return Ok(UpdateDeadline::Continue(1));
    }
    // Not `Yield`: that wakes the task in a way that tokio runs it again first.
    Ok(UpdateDeadline::YieldCustom(
        1,
        Box::pin(tokio::task::yield_now()),
    ))
}

/// A future whose polls are charged to a meter.
pub(crate) struct Metered<'a, F> {
    meter: &'a CpuMeter,
    call: F,
}

impl<'a, F> Metered<'a, F> {
    pub(crate) fn new(meter: &'a CpuMeter, call: F) -> Self {
        Self { meter, call }
    }
}

impl<F: Future + Unpin> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.meter.begin();
        let poll = Pin::new(&mut self.call).poll(cx);
        // Looking at the CPU clock is a system call: what ends at once is spared a second one.
        if poll.is_pending() || self.meter.spent() > Duration::ZERO {
            self.meter.end();
        }
        poll
    }
}

#[cfg(unix)]
fn thread_cpu_nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    (now.tv_sec as u64) * 1_000_000_000 + now.tv_nsec as u64
}

/// Wall time where there is no better: a guest then pays for being preempted, within a slice.
#[cfg(not(unix))]
fn thread_cpu_nanos() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "limits of guests are real time")]
    let now = std::time::Instant::now;
    START.get_or_init(now).elapsed().as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    // PLG-3: a call of microseconds was ended for 200 ms that its thread's clock had jumped.
    #[test]
    fn a_jump_of_the_clock_is_not_charged() {
        assert_eq!(charged(80_000), Duration::from_micros(80));
        assert_eq!(charged(200_000_000), LONGEST_SLICE);
        let mut limits = [100, 200].map(Duration::from_millis).into_iter();
        assert!(limits.all(|limit| LONGEST_SLICE < limit));
    }
}
