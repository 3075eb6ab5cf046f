//! What this process has in memory, as Linux counts it.

/// Now, in MB.
pub(crate) fn resident_mb() -> f64 {
    status("VmRSS:")
}

/// The most since [`forget_highest`], in MB.
pub(crate) fn highest_mb() -> f64 {
    status("VmHWM:")
}

/// Begins to look for the highest anew.
pub(crate) fn forget_highest() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn status(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<f64>().unwrap() / 1024.0
}
