//! What the calls of a plugin cost, and how they ended.

use std::{
    array,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use overture_domain::Timestamp;

use crate::error::CallError;

/// Numbers of a plugin since it was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls that ran, however they ended.
    pub calls: u64,
    /// Those that ended by the plugin's fault.
    pub faults: u64,
    /// Half of the calls took at most so long, waiting included.
    pub p50: Duration,
    /// 95 of 100 did.
    pub p95: Duration,
    /// 99 of 100 did.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
    /// CPU time of all calls together.
    pub cpu: Duration,
    /// The largest memory that a call had, in bytes.
    pub memory_peak_bytes: u64,
    /// When the last fault was, its code and its text.
    pub last_fault: Option<(Timestamp, &'static str, String)>,
}

/// What one call used.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) memory_bytes: u64,
}

/// Four buckets to each doubling: a percentile is at most a quarter too high.
const BUCKETS: usize = 128;

#[derive(Debug)]
pub(crate) struct Counters {
    faults: AtomicU64,
    cpu_nanos: AtomicU64,
    max_micros: AtomicU64,
    memory_peak: AtomicU64,
    walls: [AtomicU64; BUCKETS],
    last_fault: Mutex<Option<(Timestamp, &'static str, String)>>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            faults: AtomicU64::default(),
            cpu_nanos: AtomicU64::default(),
            max_micros: AtomicU64::default(),
            memory_peak: AtomicU64::default(),
            walls: array::from_fn(|_| AtomicU64::default()),
            last_fault: Mutex::default(),
        }
    }
}

impl Counters {
    pub(crate) fn record(&self, ran: &Ran, error: Option<&CallError>, now: Timestamp) {
        let micros = u64::try_from(ran.wall.as_micros()).unwrap_or(u64::MAX);
        self.walls[bucket(micros)].fetch_add(1, Relaxed);
        self.max_micros.fetch_max(micros, Relaxed);
        self.memory_peak.fetch_max(ran.memory_bytes, Relaxed);
        let cpu = u64::try_from(ran.cpu.as_nanos()).unwrap_or(u64::MAX);
        self.cpu_nanos.fetch_add(cpu, Relaxed);
        if let Some(fault) = error.filter(|e| e.is_fault()) {
            self.faults.fetch_add(1, Relaxed);
            let mut last = self
                .last_fault
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *last = Some((now, fault.code(), fault.to_string()));
        }
    }

    pub(crate) fn read(&self) -> Stats {
        let walls: Vec<u64> = self.walls.iter().map(|w| w.load(Relaxed)).collect();
        let calls: u64 = walls.iter().sum();
        let max = Duration::from_micros(self.max_micros.load(Relaxed));
        let percentile = |share: u64| {
            let rank = (calls * share).div_ceil(100);
            let mut seen = 0;
            let found = walls.iter().position(|n| {
                seen += n;
                seen >= rank
            });
            found.map_or(max, |at| Duration::from_micros(upper_end(at)).min(max))
        };
        let last = self
            .last_fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Stats {
            calls,
            faults: self.faults.load(Relaxed),
            p50: percentile(50),
            p95: percentile(95),
            p99: percentile(99),
            max,
            cpu: Duration::from_nanos(self.cpu_nanos.load(Relaxed)),
            memory_peak_bytes: self.memory_peak.load(Relaxed),
            last_fault: last.clone(),
        }
    }
}

fn bucket(micros: u64) -> usize {
    if micros < 4 {
        return micros as usize;
    }
    let power = micros.ilog2() as usize;
    let quarter = (micros >> (power - 2)) as usize & 3;
    ((power - 1) * 4 + quarter).min(BUCKETS - 1)
}

/// The largest number of microseconds in a bucket.
fn upper_end(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (power, quarter) = (bucket / 4 + 1, bucket as u64 % 4);
    ((5 + quarter) << (power - 2)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_their_upper_end() {
        for micros in (0..5_000).chain([1 << 20, (1 << 30) + 7]) {
            let end = upper_end(bucket(micros));
            assert!(
                micros <= end && end <= micros + micros / 4,
                "{micros} in {end}"
            );
            assert_eq!(bucket(end), bucket(micros));
        }
    }

    // PLG-4
    #[test]
    fn percentiles_and_faults_are_counted() {
        let counters = Counters::default();
        let ran = |micros| Ran {
            wall: Duration::from_micros(micros),
            cpu: Duration::from_micros(1),
            memory_bytes: micros,
        };
        (1..=100).for_each(|micros| counters.record(&ran(micros), None, Timestamp::default()));
        let fault = CallError::Panicked {
            message: "no".into(),
        };
        counters.record(&ran(1_000), Some(&fault), Timestamp::from_secs(9));
        let stats = counters.read();
        assert_eq!((stats.calls, stats.faults), (101, 1));
        assert!(
            (50..=63).contains(&stats.p50.as_micros()),
            "{:?}",
            stats.p50
        );
        assert!(
            (95..=123).contains(&stats.p95.as_micros()),
            "{:?}",
            stats.p95
        );
        assert_eq!(stats.max, Duration::from_millis(1));
        assert_eq!(stats.cpu, Duration::from_micros(101));
        assert_eq!(stats.memory_peak_bytes, 1_000);
        assert_eq!(stats.last_fault.unwrap().1, "plugin_panicked");
    }
}
