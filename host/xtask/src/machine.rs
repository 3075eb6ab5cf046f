//! What machine this is: printed before numbers that depend on it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The facts that stand before the results of a bench.
#[derive(Debug)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    load: f64,
    fsync: Duration,
}

impl Machine {
    /// Looks; `folder` is where one fsync's time is measured.
    pub(crate) fn look(folder: &Path) -> Result<Self> {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(Self {
            cpu: cpu_model(&cpus).unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load: load
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(f64::NAN),
            fsync: time_of_fsync(folder)?,
        })
    }

    /// One JSON object a line, in the shape of a bench's results.
    pub(crate) fn json(&self) -> String {
        let line = |name: &str, value: Value, unit: &str| {
            json!({ "name": name, "value": value, "unit": unit }).to_string() + "\n"
        };
        line("machine.cpu", json!(self.cpu), "model")
            + &line("machine.cores", json!(self.cores), "cores")
            + &line("machine.load_1m", json!(self.load), "processes")
            + &line("machine.fsync_us", json!(micros(self.fsync)), "µs")
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            cpu,
            cores,
            load,
            fsync,
        } = self;
        writeln!(
            f,
            "{cpu}, {cores} cores, load {load}, one fsync {} µs",
            micros(*fsync)
        )
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, model)| model.trim())
}

/// The median of some appends of 4 KiB, each forced to the disk.
#[expect(clippy::disallowed_methods, reason = "measures the disk in real time")]
fn time_of_fsync(folder: &Path) -> Result<Duration> {
    let path = folder.join("fsync.probe");
    let context = || path.display().to_string();
    let mut file = File::create(&path).with_context(context)?;
    let mut times = Vec::new();
    for _ in 0..51 {
        file.write_all(&[7; 4096]).with_context(context)?;
        let start = Instant::now();
        file.sync_data().with_context(context)?;
        times.push(start.elapsed());
    }
    fs::remove_file(&path).with_context(context)?;
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_has_its_makers_name() {
        let cpuinfo =
            "processor\t: 0\nmodel name\t: AMD EPYC\nprocessor\t: 1\nmodel name\t: AMD EPYC\n";
        assert_eq!(cpu_model(cpuinfo), Some("AMD EPYC"));
        assert_eq!(cpu_model(""), None);
    }

    #[test]
    fn json_is_one_object_a_line_with_name_value_and_unit() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = Machine::look(folder.path()).expect("a look").json();
        assert_eq!(text.lines().count(), 4);
        for line in text.lines() {
            let object: Value = serde_json::from_str(line).expect("JSON");
            assert!(
                object["name"].is_string() && object["unit"].is_string(),
                "{line}"
            );
            assert!(!object["value"].is_null(), "{line}");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
    }
}
