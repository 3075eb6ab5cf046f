//! What one call may use (PLG-3): defaults per kind, what a manifest wants, what the admin sets.

use std::time::Duration;

use overture_plugin_pack::{Kind, Limits as Wanted};

const MIB: u64 = 1 << 20;

/// The largest memory that any call can have, in bytes: the size of a slot in the pool.
pub(crate) const MAX_MEMORY: u64 = 1024 * MIB;

/// Limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, summed over all memories and tables of the guest.
    pub memory_bytes: u64,
    /// Time that the guest computes; waiting in the host is not counted.
    pub cpu: Duration,
    /// Time from call to answer, waiting included.
    pub wall: Duration,
    /// Bytes that the guest is given.
    pub input_bytes: u64,
    /// Bytes that the guest passes to the host at once, as an answer or as arguments.
    pub output_bytes: u64,
    /// Calls of host functions, all of them together; the log has its own limit.
    pub host_calls: u32,
    /// HTTP requests.
    pub http_calls: u32,
    /// Bytes of HTTP bodies, both ways together.
    pub http_bytes: u64,
    /// Log lines that are kept; further ones are counted and dropped.
    pub log_lines: u32,
    /// Bytes of one log line; the rest is cut.
    pub log_line_bytes: usize,
}

impl Limits {
    /// What a plugin of this kind has unless it wants, or the admin says, otherwise.
    pub fn default_for(kind: Kind) -> Self {
        let pure = Self {
            memory_bytes: 32 * MIB,
            cpu: Duration::from_millis(100),
            wall: Duration::from_secs(2),
            input_bytes: MIB,
            output_bytes: MIB,
            host_calls: 1_000,
            http_calls: 0,
            http_bytes: 0,
            log_lines: 20,
            log_line_bytes: 1_024,
        };
        match kind {
            Kind::Formatter => pure,
            Kind::Classifier => Self {
                memory_bytes: 64 * MIB,
                cpu: Duration::from_millis(200),
                ..pure
            },
            // What the host does for them has timeouts of its own, which come first.
            Kind::MailProvider | Kind::NetworkProvider => Self {
                memory_bytes: 128 * MIB,
                cpu: Duration::from_secs(1),
                wall: Duration::from_secs(300),
                input_bytes: 48 * MIB,
                output_bytes: 48 * MIB,
                host_calls: 10_000,
                http_calls: 50,
                http_bytes: 64 * MIB,
                log_lines: 100,
                ..pure
            },
        }
    }

    /// The most that a plugin of this kind gets by asking; only the admin can give it more.
    pub fn ceiling_for(kind: Kind) -> Self {
        let defaults = Self::default_for(kind);
        Self {
            memory_bytes: 256 * MIB,
            cpu: defaults.cpu * 10,
            wall: defaults.wall * 2,
            input_bytes: defaults.input_bytes,
            output_bytes: defaults.output_bytes * 4,
            host_calls: defaults.host_calls,
            http_calls: defaults.http_calls * 4,
            http_bytes: defaults.http_bytes,
            log_lines: defaults.log_lines * 5,
            log_line_bytes: defaults.log_line_bytes,
        }
    }

    /// The limits of a plugin with these kinds whose manifest wants `wanted`: its wishes, up to
    /// the ceiling. A plugin of several kinds has the widest of each.
    pub fn of(kinds: &[Kind], wanted: &Wanted) -> Self {
        let widest = |of: fn(Kind) -> Self| {
            let each = kinds.iter().copied().map(of);
            each.reduce(Self::max)
                .unwrap_or_else(|| of(Kind::Formatter))
        };
        let (defaults, ceiling) = (widest(Self::default_for), widest(Self::ceiling_for));
        let millis = |ms: u32| Duration::from_millis(ms.into());
        let memory = wanted.memory_mib.map(|n| u64::from(n) * MIB);
        Self {
            memory_bytes: memory
                .unwrap_or(defaults.memory_bytes)
                .min(ceiling.memory_bytes),
            cpu: wanted.cpu_ms.map_or(defaults.cpu, millis).min(ceiling.cpu),
            wall: wanted
                .wall_ms
                .map_or(defaults.wall, millis)
                .min(ceiling.wall),
            output_bytes: wanted
                .output_bytes
                .map_or(defaults.output_bytes, u64::from)
                .min(ceiling.output_bytes),
            http_calls: wanted
                .http_calls
                .unwrap_or(defaults.http_calls)
                .min(ceiling.http_calls),
            log_lines: wanted
                .log_lines
                .unwrap_or(defaults.log_lines)
                .min(ceiling.log_lines),
            ..defaults
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            cpu: self.cpu.max(other.cpu),
            wall: self.wall.max(other.wall),
            input_bytes: self.input_bytes.max(other.input_bytes),
            output_bytes: self.output_bytes.max(other.output_bytes),
            host_calls: self.host_calls.max(other.host_calls),
            http_calls: self.http_calls.max(other.http_calls),
            http_bytes: self.http_bytes.max(other.http_bytes),
            log_lines: self.log_lines.max(other.log_lines),
            log_line_bytes: self.log_line_bytes.max(other.log_line_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // PLG-3
    #[test]
    fn a_manifest_gets_what_it_wants_up_to_the_ceiling() {
        let wanted = Wanted {
            cpu_ms: Some(20),
            memory_mib: Some(1024),
            ..Wanted::default()
        };
        let limits = Limits::of(&[Kind::Formatter], &wanted);
        assert_eq!(limits.cpu, Duration::from_millis(20));
        assert_eq!(limits.memory_bytes, 256 * MIB);
        assert_eq!(limits.wall, Limits::default_for(Kind::Formatter).wall);
    }

    #[test]
    fn several_kinds_have_the_widest_of_each() {
        let limits = Limits::of(&[Kind::Formatter, Kind::Classifier], &Wanted::default());
        assert_eq!(limits, Limits::default_for(Kind::Classifier));
    }
}
