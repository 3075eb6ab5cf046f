//! Which variant of a step wins (TPL-7), by a test that stays valid however often one looks.
//!
//! # Method
//!
//! Variants are assigned at random. Take the replies to two of them, `i` and `j`: when `i` is not
//! better, each of these replies belongs to `i` with a probability of at most its share of the
//! sends, whatever the reply rate is and however it changes over time. So
//!
//! `E(r) = r^replies_i / (s·r + 1 - s)^(replies_i + replies_j)`, with `s` the share of the sends,
//!
//! the likelihood ratio of "`i`'s rate is `r` times `j`'s" against "they are equal", is a test
//! martingale (a supermartingale when `i` is worse), and so is its mean over some ratios `r`.
//! By Ville's inequality it ever reaches `c` with a probability of at most `1/c`, at any number of
//! looks. A variant is *not the best* when another one is at least as good; the smallest `E` of
//! it against the others is evidence against that. The winner's evidence must reach `k / (1 -
//! confidence)` for `k` variants, so that the chance of ever naming a false winner is at most
//! `1 - confidence` among all of them, also when some are equally good.
//!
//! Taking the share from the sends instead of the weights takes their chance out of the figures;
//! what is left varies less than the bound assumes.
//!
//! Papers: Lindon and Malek, *Anytime-Valid Inference for Multinomial Count Data* (NeurIPS 2022),
//! for conditioning on the events and mixing; Ramdas, Grünwald, Vovk and Shafer, *Game-Theoretic
//! Statistics and Safe Anytime-Valid Inference* (Statistical Science 2023), for e-values; Ville,
//! *Étude critique de la notion de collectif* (1939), for the inequality.
//!
//! # What it does
//!
//! `cargo run --release -p overture-domain --example experiments` prints the table: runs in which
//! no variant is better, a look every 10 sends up to 5,000 an arm, 2,000 runs each; and how soon
//! 3 % against 6 % is found. See `host/docs/experiments.md`.

use serde::{Deserialize, Serialize};

/// The ratios of reply rates that are bet on, in equal parts.
const RATIOS: [f64; 9] = [1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0];

/// What one variant got so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Arm {
    /// Messages sent.
    pub sends: u64,
    /// Messages that were answered; at most `sends`.
    pub replies: u64,
}

impl Arm {
    /// Replies a send, 0 to 1.
    pub fn rate(self) -> f64 {
        if self.sends == 0 {
            return 0.0;
        }
        self.replies as f64 / self.sends as f64
    }
}

/// When a winner may be named (TPL-7).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Sends that every variant needs before anything is decided.
    pub min_sends: u64,
    /// How sure the choice must be, 0.5 to 0.999: the chance of ever naming a false winner is at
    /// most what is left to 1.
    pub confidence: f64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            min_sends: 100,
            confidence: 0.95,
        }
    }
}

/// What the figures say, to be shown with the decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The variant that wins, by its place; `None` while it isn't clear.
    pub winner: Option<usize>,
    /// For each variant the always-valid p-value of "another one is at least as good": it wins
    /// when that falls to `1 - confidence`.
    pub p_values: Vec<f64>,
    /// The p-value of a plain chi-squared test that all rates are equal, for people who expect
    /// it. Looked at every hour it names a false winner in 30 % of A/A runs, so nothing is decided
    /// by it. `None` while there are too few figures to compute it.
    pub chi_squared: Option<f64>,
}

/// Judges the variants of a step. It may be asked as often as one likes (TPL-7).
pub fn judge(arms: &[Arm], rule: Rule) -> Verdict {
    let p_values: Vec<f64> = (0..arms.len()).map(|arm| p_value(arms, arm)).collect();
    let allowed = 1.0 - rule.confidence.clamp(0.5, 0.999);
    let ready = arms.len() > 1 && arms.iter().all(|arm| arm.sends >= rule.min_sends);
    Verdict {
        winner: p_values
            .iter()
            .position(|p| *p <= allowed)
            .filter(|_| ready),
        p_values,
        chi_squared: chi_squared(arms),
    }
}

/// The always-valid p-value of "another variant is at least as good as this one".
fn p_value(arms: &[Arm], arm: usize) -> f64 {
    let others = || {
        (0..arms.len())
            .filter(|other| *other != arm)
            .map(|other| arms[other])
    };
    // Against an arm that does as well there is no evidence: every ratio's logarithm is negative.
    if arms.len() < 2 || others().any(|other| other.rate() >= arms[arm].rate()) {
        return 1.0;
    }
    let least = others()
        .map(|other| log_evidence(arms[arm], other))
        .fold(f64::INFINITY, f64::min);
    (arms.len() as f64 * (-least).exp()).min(1.0)
}

/// The logarithm of the evidence that `a` is better than `b`.
fn log_evidence(a: Arm, b: Arm) -> f64 {
    let sends = a.sends + b.sends;
    if a.sends == 0 || b.sends == 0 {
        return 0.0;
    }
    let share = a.sends as f64 / sends as f64;
    let (x, n) = (a.replies as f64, (a.replies + b.replies) as f64);
    let log = |ratio: f64| x * ratio.ln() - n * (share * ratio + 1.0 - share).ln();
    let logs = RATIOS.map(log);
    // Added relative to the greatest, so that nothing overflows.
    let greatest = logs.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|l| (l - greatest).exp()).sum();
    greatest + (sum / RATIOS.len() as f64).ln()
}

/// Pearson's chi-squared test that all reply rates are equal.
fn chi_squared(arms: &[Arm]) -> Option<f64> {
    let sends: u64 = arms.iter().map(|arm| arm.sends).sum();
    let replies: u64 = arms.iter().map(|arm| arm.replies).sum();
    if arms.len() < 2 || replies == 0 || replies >= sends || arms.iter().any(|a| a.sends == 0) {
        return None;
    }
    let rate = replies as f64 / sends as f64;
    let statistic: f64 = arms
        .iter()
        .map(|arm| {
            let difference = arm.replies as f64 - rate * arm.sends as f64;
            difference * difference / (rate * (1.0 - rate) * arm.sends as f64)
        })
        .sum();
    Some(chi_squared_tail(statistic, arms.len() - 1))
}

/// The probability that a chi-squared variable with `freedom` degrees is above `x`, by the
/// recurrence from one or two degrees up (Abramowitz and Stegun 26.4.8).
fn chi_squared_tail(x: f64, freedom: usize) -> f64 {
    let half = x / 2.0;
    let (mut tail, mut term, first) = if freedom % 2 == 1 {
        let root = half.sqrt();
        (
            erfc(root),
            (-half).exp() / (root * std::f64::consts::PI.sqrt()),
            1,
        )
    } else {
        ((-half).exp(), (-half).exp(), 2)
    };
    if x <= 0.0 {
        return 1.0;
    }
    for degrees in (first..freedom).step_by(2) {
        term *= x / degrees as f64;
        tail += term;
    }
    tail.clamp(0.0, 1.0)
}

/// The complementary error function for `x ≥ 0`, to 1.5e-7 (Abramowitz and Stegun 7.1.26).
fn erfc(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    polynomial * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arms(figures: &[(u64, u64)]) -> Vec<Arm> {
        figures
            .iter()
            .map(|&(sends, replies)| Arm { sends, replies })
            .collect()
    }

    fn winner(figures: &[(u64, u64)]) -> Option<usize> {
        judge(&arms(figures), Rule::default()).winner
    }

    // TPL-7
    #[test]
    fn a_clear_difference_has_a_winner() {
        assert_eq!(winner(&[(1_000, 30), (1_000, 70)]), Some(1));
        assert_eq!(winner(&[(1_000, 70), (1_000, 30)]), Some(0));
        assert_eq!(winner(&[(9_000, 270), (1_000, 70)]), Some(1));
        assert_eq!(winner(&[(1_000, 30), (1_000, 31)]), None);
        // The best must beat the second, too.
        assert_eq!(winner(&[(1_000, 70), (1_000, 69), (1_000, 20)]), None);
    }

    // TPL-7
    #[test]
    fn nothing_is_decided_early() {
        assert_eq!(winner(&[(99, 0), (99, 60)]), None);
        assert_eq!(winner(&[(100, 0), (100, 60)]), Some(1));
        assert_eq!(winner(&[(5_000, 0), (99, 60)]), None);
        for figures in [
            &[][..],
            &[(500, 50)],
            &[(0, 0), (0, 0)],
            &[(500, 0), (500, 0)],
        ] {
            let verdict = judge(&arms(figures), Rule::default());
            assert_eq!(
                (verdict.winner, verdict.chi_squared),
                (None, None),
                "{figures:?}"
            );
            assert!(verdict.p_values.iter().all(|p| *p == 1.0));
        }
    }

    #[test]
    fn more_confidence_needs_more() {
        let figures = arms(&[(1_000, 30), (1_000, 58)]);
        let rule = |confidence| Rule {
            confidence,
            ..Rule::default()
        };
        assert_eq!(judge(&figures, rule(0.9)).winner, Some(1));
        assert_eq!(judge(&figures, rule(0.999)).winner, None);
    }

    #[test]
    fn chi_squared_is_pearsons() {
        // Critical values of the tables, for 1 to 4 degrees of freedom.
        for (freedom, x) in [(1, 3.841), (2, 5.991), (3, 7.815), (4, 9.488)] {
            assert!(
                (chi_squared_tail(x, freedom) - 0.05).abs() < 1e-4,
                "{freedom}"
            );
        }
        let p = judge(&arms(&[(100, 10), (100, 20)]), Rule::default())
            .chi_squared
            .unwrap();
        assert!((p - 0.0477).abs() < 1e-4, "{p}");
    }

    #[test]
    fn huge_figures_do_not_overflow() {
        let verdict = judge(
            &arms(&[(u32::MAX.into(), 1), (u32::MAX.into(), u32::MAX.into())]),
            Rule::default(),
        );
        assert_eq!(verdict.winner, Some(1));
        assert!(verdict.p_values.iter().all(|p| p.is_finite()));
    }
}
