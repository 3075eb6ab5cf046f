//! Campaigns with known reply rates, judged at every tenth send.

use overture_domain::experiments::{Arm, Rule, judge};

/// Variants with their true reply rates and weights.
pub(crate) struct Setup<'a> {
    pub(crate) rates: &'a [f64],
    pub(crate) weights: &'a [f64],
}

/// Sends an arm, on average, after which a run ends.
const SENDS: u64 = 5_000;
/// Sends between two looks.
const LOOK: u64 = 10;

impl Setup<'_> {
    /// The winner of run number `run`, and the sends until then; `None` when there is none.
    pub(crate) fn run(&self, run: u64) -> Option<(usize, u64)> {
        let mut chance = Chance(run.wrapping_mul(0xd134_2543_de82_ef95) ^ self.rates.len() as u64);
        // In parts of 2^32: a draw has that many bits for the assignment, and as many for the reply.
        let parts = |share: &f64| (share * 4_294_967_296.0) as u64;
        let rates: Vec<u64> = self.rates.iter().map(parts).collect();
        let weights: Vec<u64> = self.weights.iter().map(parts).collect();
        let mut arms = vec![Arm::default(); rates.len()];
        for sent in 1..=SENDS * arms.len() as u64 {
            let draw = chance.next();
            let mut place = draw >> 32;
            let mut arm = 0;
            while arm + 1 < weights.len() && place >= weights[arm] {
                place -= weights[arm];
                arm += 1;
            }
            arms[arm].sends += 1;
            arms[arm].replies += u64::from(draw & 0xffff_ffff < rates[arm]);
            if sent % LOOK == 0
                && can_have_winner(&arms)
                && let Some(winner) = judge(&arms, Rule::default()).winner
            {
                return Some((winner, sent));
            }
        }
        None
    }

    /// All of `runs` runs, on four threads.
    pub(crate) fn runs(&self, runs: u64) -> Vec<Option<(usize, u64)>> {
        const THREADS: u64 = 4;
        std::thread::scope(|scope| {
            let parts: Vec<_> = (0..THREADS)
                .map(|part| {
                    scope.spawn(move || {
                        (part..runs)
                            .step_by(THREADS as usize)
                            .map(|n| self.run(n))
                            .collect()
                    })
                })
                .collect();
            let join = |part: std::thread::ScopedJoinHandle<'_, Vec<_>>| {
                part.join().expect("a simulated run doesn't panic")
            };
            parts.into_iter().flat_map(join).collect()
        })
    }
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Spares the judging of looks that can't end it: a likelihood ratio is at most `exp(n·KL)`, the
/// divergence KL is at most the chi-squared divergence, and that needs no logarithm.
fn can_have_winner(arms: &[Arm]) -> bool {
    let wanted = (arms.len() as f64 / (1.0 - Rule::default().confidence)).ln();
    let Some(best) = arms.iter().max_by(|a, b| a.rate().total_cmp(&b.rate())) else {
        return false;
    };
    arms.iter()
        .filter(|arm| !std::ptr::eq(*arm, best))
        .all(|other| {
            let share = best.sends as f64 / (best.sends + other.sends).max(1) as f64;
            let replies = (best.replies + other.replies) as f64;
            let excess = best.replies as f64 - share * replies;
            excess * excess >= wanted * replies * share * (1.0 - share)
        })
}

/// The weights that are simulated, by the number of variants: even, and 90/10.
pub(crate) const WEIGHTS: [&[f64]; 6] = [
    &[0.5, 0.5],
    &[0.9, 0.1],
    &[1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0],
    &[0.9, 0.05, 0.05],
    &[0.2, 0.2, 0.2, 0.2, 0.2],
    &[0.9, 0.025, 0.025, 0.025, 0.025],
];

/// The base rates that are simulated.
pub(crate) const RATES: [f64; 4] = [0.005, 0.01, 0.05, 0.2];

/// The share of runs without a difference that name a winner all the same.
pub(crate) fn false_winners(rate: f64, weights: &[f64], runs: u64) -> f64 {
    let rates = vec![rate; weights.len()];
    let setup = Setup {
        rates: &rates,
        weights,
    };
    let found = setup.runs(runs).into_iter().flatten().count();
    found as f64 / runs as f64
}

/// The median number of sends an arm until the better variant is named, and the share of runs
/// that name the worse one.
pub(crate) fn sends_to_find(low: f64, high: f64, runs: u64) -> (f64, f64) {
    let setup = Setup {
        rates: &[low, high],
        weights: &[0.5, 0.5],
    };
    let results = setup.runs(runs);
    let wrong = results
        .iter()
        .flatten()
        .filter(|(winner, _)| *winner == 0)
        .count();
    let mut sends: Vec<u64> = results
        .iter()
        .map(|result| result.map_or(u64::MAX, |(_, sends)| sends))
        .collect();
    sends.sort_unstable();
    (
        sends[sends.len() / 2] as f64 / 2.0,
        wrong as f64 / runs as f64,
    )
}
