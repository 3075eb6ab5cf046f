//! Bugs that are planted to see whether the simulator finds them (OPS-5). They exist with the feature
//! `planted` alone, which no other feature brings in, and one at a time once [`plant`] was called;
//! in any other build [`planted`] is false and its branches are gone.

/// Each bug: its name, the rule that it breaks, and what it does.
pub const BUGS: &[(&str, &str, &str)] = &[
    (
        "all_at_once_after_an_outage",
        "SAFE-1",
        "a mailbox that was idle for hours forgets its pace",
    ),
    (
        "given_up_at_the_first_refusal",
        "SAFE-2",
        "a mail that was refused for now is failed",
    ),
    (
        "text_mended_in_vain",
        "SAFE-2",
        "whoever waits for a text waits on when it is mended",
    ),
    (
        "no_answer_is_no",
        "SAFE-3",
        "a send without an answer is tried again",
    ),
    (
        "change_without_reason",
        "SAFE-4",
        "the audit doesn't say why a campaign changed",
    ),
    (
        "sent_and_not_told",
        "SAFE-5",
        "a send that evidence settled has no event",
    ),
    ("window_in_utc", "SCH-2", "windows stand in UTC"),
    (
        "window_closes_late",
        "SCH-2",
        "a window is open for half an hour more",
    ),
    (
        "delay_forgotten",
        "SCH-3",
        "a step is due right after the one before it",
    ),
    (
        "half_the_pace",
        "SCH-4",
        "a mailbox keeps half its minutes between sends",
    ),
    (
        "nothing_reserved",
        "CAP-2",
        "a mail that is handed out counts nowhere",
    ),
    (
        "released_twice",
        "CAP-2",
        "a mail that has not gone out gives back more than it took",
    ),
    ("goes_on_after_a_reply", "SEQ-3", "a reply ends nothing"),
    ("thread_lost", "SEQ-4", "a follow-up answers no mail"),
    (
        "any_mailbox",
        "SEQ-4",
        "a follow-up leaves from any mailbox",
    ),
    (
        "suppressed_all_the_same",
        "SUP-1",
        "a suppression ends nothing that is under way",
    ),
    ("no_way_out", "TRK-4", "a follow-up has no List-Unsubscribe"),
    ("never_swept", "SCH-11", "what is forgotten stays so"),
    (
        "never_rests",
        "SAF-1",
        "a campaign goes on whatever comes back",
    ),
    (
        "no_shield",
        "SAF-2",
        "a workspace goes on whatever comes back",
    ),
];

#[cfg(feature = "planted")]
mod imp {
    use std::sync::OnceLock;

    static PLANTED: OnceLock<&'static str> = OnceLock::new();

    /// Plants a bug of [`BUGS`](super::BUGS) for the rest of the process. False: there is no such, or
    /// one was planted before.
    pub fn plant(name: &str) -> bool {
        let mut known = super::BUGS.iter().map(|(bug, ..)| *bug);
        known
            .find(|bug| *bug == name)
            .is_some_and(|bug| PLANTED.set(bug).is_ok())
    }

    /// Whether the bug was planted.
    pub fn planted(name: &str) -> bool {
        debug_assert!(super::BUGS.iter().any(|(bug, ..)| *bug == name), "{name}");
        PLANTED.get().is_some_and(|bug| *bug == name)
    }
}

#[cfg(not(feature = "planted"))]
mod imp {
    /// Whether the bug was planted: never, in this build.
    #[inline]
    pub const fn planted(_: &str) -> bool {
        false
    }
}

#[cfg(feature = "planted")]
pub use imp::plant;
pub use imp::planted;
