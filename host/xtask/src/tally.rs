//! Counts what libtest prints.

use std::ops::AddAssign;

/// Tests that ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// Tests whose name ends in `::sqlite`, passed or not.
    pub(crate) sqlite: usize,
    /// Tests whose name ends in `::postgres`, passed or not.
    pub(crate) postgres: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.sqlite += other.sqlite;
        self.postgres += other.postgres;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Reads the output of `cargo test` line by line.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    tally: Tally,
    /// A test binary said how many tests it runs, and not yet how they ended.
    running: bool,
    names_of_failed: Vec<String>,
}

impl Counter {
    /// Takes one line of output.
    pub(crate) fn line(&mut self, line: &str) {
        if is_start(line) {
            self.close();
            self.running = true;
        } else if let Some((passed, failed)) = result(line) {
            self.tally.passed += passed;
            self.tally.failed += failed;
            self.running = false;
        } else if let Some((name, passed)) = test(line) {
            self.tally.sqlite += usize::from(name.ends_with("::sqlite"));
            self.tally.postgres += usize::from(name.ends_with("::postgres"));
            if !passed {
                self.names_of_failed.push(name.to_owned());
            }
        }
    }

    /// The counts and the names of failed tests, when `cargo test` has ended. A binary that died
    /// without a result counts as one failed test, and so does a run that failed although no test
    /// did: then something did not compile.
    pub(crate) fn finish(mut self, succeeded: bool) -> (Tally, Vec<String>) {
        self.close();
        if !succeeded && self.tally.failed == 0 {
            self.tally.failed = 1;
        }
        (self.tally, self.names_of_failed)
    }

    fn close(&mut self) {
        if self.running {
            self.tally.failed += 1;
            self.running = false;
        }
    }
}

/// `running 3 tests`
fn is_start(line: &str) -> bool {
    let number = line.strip_prefix("running ").and_then(|rest| {
        rest.strip_suffix(" tests")
            .or_else(|| rest.strip_suffix(" test"))
    });
    number.is_some_and(|number| number.parse::<usize>().is_ok())
}

/// `test result: FAILED. 2 passed; 1 failed; 0 ignored; …`
fn result(line: &str) -> Option<(usize, usize)> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |word: &str| {
        let part = counts
            .split("; ")
            .find_map(|part| part.strip_suffix(word))?;
        part.trim().parse().ok()
    };
    Some((count("passed")?, count("failed")?))
}

/// `test jobs::claim::sqlite ... ok`: the name, and whether it passed. `None` for ignored ones.
fn test(line: &str) -> Option<(&str, bool)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    match outcome {
        "ok" => Some((name, true)),
        "FAILED" => Some((name, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(output: &str, succeeded: bool) -> (Tally, Vec<String>) {
        let mut counter = Counter::default();
        output.lines().for_each(|line| counter.line(line));
        counter.finish(succeeded)
    }

    #[test]
    fn counts_over_all_binaries() {
        let output = "
running 3 tests
test jobs::claim::sqlite ... ok
test jobs::claim::postgres ... FAILED
test bad::sqlite - should panic ... ok

failures:

---- jobs::claim::postgres stdout ----
test of my own words ... maybe

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s


running 2 tests
test plain ... ok
test slow::postgres ... ignored, needs a bench

test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s
";
        let (tally, failed) = count(output, false);
        assert_eq!(
            tally,
            Tally {
                passed: 3,
                failed: 1,
                sqlite: 2,
                postgres: 1
            }
        );
        assert_eq!(failed, ["jobs::claim::postgres"]);
        assert_eq!(tally.to_string(), "3 passed, 1 failed");
    }

    #[test]
    fn a_binary_that_dies_is_a_failure() {
        let died = "running 2 tests\ntest a ... ok\n";
        assert_eq!(count(died, false).0.failed, 1);
        let then = "running 1 test\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        let (tally, _) = count(&format!("{died}{then}"), false);
        assert_eq!((tally.passed, tally.failed), (1, 1));
    }

    #[test]
    fn what_does_not_compile_is_a_failure() {
        assert_eq!(count("", false).0.failed, 1);
        assert_eq!(count("", true).0, Tally::default());
    }
}
