//! Where the process is killed, and how often it was.

use std::{collections::BTreeMap, fmt};

use overture_engine::Failpoint;

/// Where a send stands when its process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Nothing is under way.
    Idle,
    /// Planned or claimed.
    Planned,
    /// Handed out, its caps reserved.
    Reserved,
    /// The server waits for the body.
    DialogueOpen,
    /// The attempt is committed, and nothing of the body was sent.
    BeforeBody,
    /// The server has the body, and nobody knows.
    BodySent,
    /// The outcome is committed.
    Recorded,
}

impl Phase {
    pub(super) const ALL: [Self; 7] = [
        Self::Planned,
        Self::BodySent,
        Self::Idle,
        Self::Reserved,
        Self::BeforeBody,
        Self::DialogueOpen,
        Self::Recorded,
    ];

    pub(super) const fn failpoint(self) -> Option<Failpoint> {
        match self {
            Self::Idle => None,
            Self::Planned => Some(Failpoint::Planned),
            Self::Reserved => Some(Failpoint::Reserved),
            Self::DialogueOpen => Some(Failpoint::DialogueOpen),
            Self::BeforeBody => Some(Failpoint::Attempted),
            Self::BodySent => Some(Failpoint::BodySent),
            Self::Recorded => Some(Failpoint::Recorded),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::Planned => "planned",
            Self::Reserved => "reserved",
            Self::DialogueOpen => "dialogue open",
            Self::BeforeBody => "body sent (no byte yet)",
            Self::BodySent => "body sent",
            Self::Recorded => "recorded",
        })
    }
}

/// Kills by phase.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    kills: BTreeMap<Phase, usize>,
    /// Connections that stood between attempt and outcome, by sender.
    after_the_attempt: BTreeMap<String, i64>,
}

impl Histogram {
    /// A process was killed while the work of `held` stood in `phase`.
    pub(super) fn note(&mut self, phase: Phase, held: Vec<String>) {
        *self.kills.entry(phase).or_default() += 1;
        if matches!(phase, Phase::BeforeBody | Phase::BodySent) {
            for sender in held {
                *self.after_the_attempt.entry(sender).or_default() += 1;
            }
        }
    }

    pub(super) fn total(&self) -> usize {
        self.kills.values().sum()
    }

    /// Connections of a sender whose process died when only the server knew.
    pub(super) fn after_the_attempt(&self, sender: &str) -> i64 {
        self.after_the_attempt.get(sender).copied().unwrap_or(0)
    }

    /// Every phase was hit.
    pub(super) fn check(&self) {
        for phase in Phase::ALL {
            assert!(self.kills.contains_key(&phase), "never killed in: {phase}");
        }
    }
}

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} kills", self.total())?;
        for (phase, n) in &self.kills {
            writeln!(f, "  {phase:24} {n:4} {}", "#".repeat(*n))?;
        }
        let stood: i64 = self.after_the_attempt.values().sum();
        write!(f, "  {stood} connections stood between attempt and outcome")
    }
}
