//! Prints how the test of `overture_domain::experiments` does in simulated campaigns (TPL-7), as
//! the table of `host/docs/experiments.md`.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod simulation;

use simulation::{RATES, WEIGHTS, false_winners, sends_to_find};

const RUNS: u64 = 2_000;

fn main() {
    println!("| variants | weights | 0.5 % | 1 % | 5 % | 20 % |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for weights in WEIGHTS {
        let cells: Vec<String> = RATES
            .iter()
            .map(|rate| format!("{:.2} %", 100.0 * false_winners(*rate, weights, RUNS)))
            .collect();
        let shares: Vec<String> = weights
            .iter()
            .map(|w| format!("{}", (1000.0 * w).round() / 10.0))
            .collect();
        println!(
            "| {} | {} | {} |",
            weights.len(),
            shares.join("/"),
            cells.join(" | ")
        );
    }
    println!();
    for (low, high) in [(0.03, 0.06), (0.03, 0.045), (0.01, 0.02)] {
        let (median, wrong) = sends_to_find(low, high, RUNS);
        println!(
            "{} % against {} %: median {median} sends an arm, {:.2} % name the worse one",
            100.0 * low,
            100.0 * high,
            100.0 * wrong
        );
    }
}
