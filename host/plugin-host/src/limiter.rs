//! The memory of one call, summed over everything that its guest has.

use wasmtime::ResourceLimiter;

use crate::{capabilities::Stop, error::CallError};

/// Bytes that one element of a table takes in the host.
const TABLE_ELEMENT_BYTES: u64 = 8;

/// Instances, memories and tables in one call. A packed plugin has its own module and two small
/// ones that the packing adds.
pub(crate) const MAX_INSTANCES: usize = 16;

/// Sums all memories and tables. Going over it ends the guest at once: a refused `memory.grow`
/// would only make its allocator abort, and the message would speak of "unreachable".
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    used: u64,
    limit: u64,
}

impl MemoryLimiter {
    pub(crate) fn new(limit: u64) -> Self {
        Self { used: 0, limit }
    }

    /// Bytes that the guest had in the end, which is the most that it had: memories don't shrink.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    fn grow(&mut self, from: usize, to: usize, unit: u64) -> wasmtime::Result<bool> {
        let more = (to.saturating_sub(from) as u64).saturating_mul(unit);
        let wanted = self.used.saturating_add(more);
        if wanted > self.limit {
            return Err(Stop(CallError::MemoryLimit {
                wanted,
                limit: self.limit,
            })
            .into());
        }
        self.used = wanted;
        Ok(true)
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(current, desired, 1)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow(current, desired, TABLE_ELEMENT_BYTES)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_INSTANCES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // PLG-3
    #[test]
    fn memories_and_tables_count_together() {
        let mut limiter = MemoryLimiter::new(1_000);
        assert!(limiter.memory_growing(0, 600, None).unwrap());
        assert!(limiter.table_growing(0, 40, None).unwrap());
        assert_eq!(limiter.used(), 920);
        let error = limiter.memory_growing(0, 100, None).unwrap_err();
        let Stop(why) = error.downcast_ref::<Stop>().unwrap();
        assert_eq!(
            *why,
            CallError::MemoryLimit {
                wanted: 1_020,
                limit: 1_000
            }
        );
        assert_eq!(limiter.used(), 920);
    }
}
