//! Bugs that are planted to see whether the simulator finds them (OPS-5). They exist with the feature
//! `planted` alone, which no other feature brings in, and one at a time once [`plant`] was called;
//! in any other build [`planted`] is false and its branches are gone.

use crate::names;

names! {
    /// A bug that can be planted.
    Bug {
        /// A mailbox that was idle for hours forgets its pace.
        AllAtOnceAfterAnOutage = "all_at_once_after_an_outage",
        /// A mail that was refused for now is failed.
        GivenUpAtTheFirstRefusal = "given_up_at_the_first_refusal",
        /// Whoever waits for a text waits on when it is mended.
        TextMendedInVain = "text_mended_in_vain",
        /// A send without an answer is tried again.
        NoAnswerIsNo = "no_answer_is_no",
        /// The audit doesn't say why a campaign changed.
        ChangeWithoutReason = "change_without_reason",
        /// A send that evidence settled has no event.
        SentAndNotTold = "sent_and_not_told",
        /// Windows stand in UTC.
        WindowInUtc = "window_in_utc",
        /// A window is open for half an hour more.
        WindowClosesLate = "window_closes_late",
        /// A step is due right after the one before it.
        DelayForgotten = "delay_forgotten",
        /// A mailbox keeps half its minutes between sends.
        HalfThePace = "half_the_pace",
        /// A mail that is handed out counts nowhere.
        NothingReserved = "nothing_reserved",
        /// A mail that has not gone out gives back more than it took.
        ReleasedTwice = "released_twice",
        /// A reply ends nothing.
        GoesOnAfterAReply = "goes_on_after_a_reply",
        /// A follow-up answers no mail.
        ThreadLost = "thread_lost",
        /// A follow-up leaves from any mailbox.
        AnyMailbox = "any_mailbox",
        /// A suppression ends nothing that is under way.
        SuppressedAllTheSame = "suppressed_all_the_same",
        /// A follow-up has no List-Unsubscribe.
        NoWayOut = "no_way_out",
        /// What is forgotten stays so.
        NeverSwept = "never_swept",
        /// A campaign goes on whatever comes back.
        NeverRests = "never_rests",
        /// A workspace goes on whatever comes back.
        NoShield = "no_shield",
        /// A bounce is told and ends nothing.
        BounceEndsNothing = "bounce_ends_nothing",
        /// A cap lets one more through than it may.
        OneTooMany = "one_too_many",
        /// A follow-up leaves its mailbox free for the next mail.
        FollowUpWithoutPace = "follow_up_without_pace",
        /// Whoever unsubscribes is left out of that campaign alone.
        UnsubscribedHereOnly = "unsubscribed_here_only",
        /// References leave out the mail that is answered.
        ParentNotReferred = "parent_not_referred",
        /// A mail that went out is counted once more when counters are set right.
        CountedTwice = "counted_twice",
    }
}

impl Bug {
    /// The rule that it breaks.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::AllAtOnceAfterAnOutage => "SAFE-1",
            Self::GivenUpAtTheFirstRefusal | Self::TextMendedInVain => "SAFE-2",
            Self::NoAnswerIsNo => "SAFE-3",
            Self::ChangeWithoutReason => "SAFE-4",
            Self::SentAndNotTold | Self::CountedTwice => "SAFE-5",
            Self::WindowInUtc | Self::WindowClosesLate => "SCH-2",
            Self::DelayForgotten => "SCH-3",
            Self::HalfThePace | Self::FollowUpWithoutPace => "SCH-4",
            Self::NothingReserved | Self::ReleasedTwice | Self::OneTooMany => "CAP-2",
            Self::GoesOnAfterAReply | Self::BounceEndsNothing => "SEQ-3",
            Self::ThreadLost | Self::AnyMailbox | Self::ParentNotReferred => "SEQ-4",
            Self::SuppressedAllTheSame | Self::UnsubscribedHereOnly => "SUP-1",
            Self::NoWayOut => "TRK-4",
            Self::NeverSwept => "SCH-11",
            Self::NeverRests => "SAF-1",
            Self::NoShield => "SAF-2",
        }
    }
}

#[cfg(feature = "planted")]
mod imp {
    use std::sync::OnceLock;

    use super::Bug;

    static PLANTED: OnceLock<Bug> = OnceLock::new();

    /// Plants a bug for the rest of the process; the first counts.
    pub fn plant(bug: Bug) {
        PLANTED.get_or_init(|| bug);
    }

    /// Whether the bug was planted.
    pub fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(&bug)
    }
}

#[cfg(not(feature = "planted"))]
mod imp {
    use super::Bug;

    /// Whether the bug was planted: never, in this build.
    #[inline]
    pub const fn planted(_: Bug) -> bool {
        false
    }
}

#[cfg(feature = "planted")]
pub use imp::plant;
pub use imp::planted;
