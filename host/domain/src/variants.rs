//! The texts of a step that are tried against each other (SEQ-2, TPL-7).

use serde::{Deserialize, Serialize};

use crate::{EnrollmentId, Rng, StepId, VariantId, rng::SeededRng};

/// Variants of a step, at most (SEQ-2).
pub const MAX_VARIANTS: usize = 26;

/// The heaviest weight.
pub const MAX_WEIGHT: i64 = 1_000;

/// One text that a step may have, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variant {
    pub id: VariantId,
    /// Its share of the people is this to the sum of all weights; with 0 it gets nobody new.
    /// 0 to [`MAX_WEIGHT`].
    pub weight: i64,
    pub subject: String,
    pub body_html: String,
    /// None: derived from the HTML.
    pub body_text: Option<String>,
}

/// A text to send, of a step or of one of its variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    pub subject: &'a str,
    pub body_html: &'a str,
    /// None: derived from the HTML.
    pub body_text: Option<&'a str>,
}

impl Variant {
    pub fn text(&self) -> Text<'_> {
        Text {
            subject: &self.subject,
            body_html: &self.body_html,
            body_text: self.body_text.as_deref(),
        }
    }
}

/// The variant that an enrollment gets at a step, by weight; None where there is none to get. It
/// follows from the ids alone, so a step that is parked and tried again has the same text, also
/// before the assignment is stored with its action.
pub fn assign(variants: &[Variant], enrollment: EnrollmentId, step: StepId) -> Option<&Variant> {
    let weight = |variant: &Variant| u64::try_from(variant.weight).unwrap_or(0);
    let total: u64 = variants.iter().map(weight).sum();
    let mut at = SeededRng::new(seed(enrollment, step)).below(total);
    variants.iter().find(|variant| {
        let (here, weight) = (at < weight(variant), weight(variant));
        at = at.saturating_sub(weight);
        here
    })
}

/// The random bits of both ids (RFC 9562 §5.7: the first 64 of a UUIDv7 hold its time).
fn seed(enrollment: EnrollmentId, step: StepId) -> u64 {
    let random = |uuid: uuid::Uuid| uuid.as_u64_pair().1;
    random(enrollment.uuid()) ^ random(step.uuid()).rotate_left(32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Id, Timestamp};

    fn variant(n: u64, weight: i64) -> Variant {
        Variant {
            id: Id::new(Timestamp::default(), &SeededRng::new(n)),
            weight,
            subject: String::new(),
            body_html: String::new(),
            body_text: None,
        }
    }

    fn shares(weights: &[i64]) -> Vec<usize> {
        let rng = SeededRng::new(7);
        let variants: Vec<_> = (1..).zip(weights).map(|(n, w)| variant(n, *w)).collect();
        let step = Id::new(Timestamp::default(), &rng);
        let mut counts = vec![0; weights.len()];
        for _ in 0..10_000 {
            let enrollment = Id::new(Timestamp::default(), &rng);
            let found = assign(&variants, enrollment, step).unwrap();
            assert_eq!(assign(&variants, enrollment, step), Some(found));
            counts[variants.iter().position(|v| v == found).unwrap()] += 1;
        }
        counts
    }

    // TPL-7
    #[test]
    fn people_are_shared_out_by_weight() {
        for (weights, expected) in [
            (&[1, 1][..], &[5_000, 5_000][..]),
            (&[70, 20, 10], &[7_000, 2_000, 1_000]),
            (&[1, 0, 3], &[2_500, 0, 7_500]),
        ] {
            for (count, expected) in shares(weights).into_iter().zip(expected) {
                // Four standard deviations of a fair coin.
                assert!(count.abs_diff(*expected) <= 200, "{weights:?}: {count}");
                assert!(*expected > 0 || count == 0);
            }
        }
    }

    #[test]
    fn steps_are_assigned_independently() {
        let rng = SeededRng::new(11);
        let variants = [variant(1, 1), variant(2, 1)];
        let steps = [(); 2].map(|()| Id::new(Timestamp::default(), &rng));
        let same = (0..10_000)
            .map(|_| Id::new(Timestamp::default(), &rng))
            .filter(|id| {
                let [a, b] = steps.map(|step| assign(&variants, *id, step).unwrap().id);
                a == b
            })
            .count();
        assert!(same.abs_diff(5_000) <= 200, "{same}");
    }

    #[test]
    fn nothing_to_get() {
        let rng = SeededRng::new(1);
        let id = |rng| Id::new(Timestamp::default(), rng);
        assert_eq!(
            assign(&[], id(&rng), Id::new(Timestamp::default(), &rng)),
            None
        );
        let off = [variant(1, 0)];
        assert_eq!(
            assign(&off, id(&rng), Id::new(Timestamp::default(), &rng)),
            None
        );
    }
}
