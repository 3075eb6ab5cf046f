//! Moments at which a test holds this process in order to kill it there. They exist with the
//! feature `failpoints` alone; everywhere else [`reached`] is nothing.

use overture_domain::names;

names! {
    /// A moment on the way of a mail or a webhook's delivery.
    Failpoint {
        /// Steps are planned or claimed; nothing is reserved.
        Planned = "planned",
        /// Handed out, caps reserved; not yet connected.
        Reserved = "reserved",
        /// The server said 354; no attempt is committed.
        DialogueOpen = "dialogue_open",
        /// The attempt is committed; the body has not begun.
        Attempted = "attempted",
        /// The server has the whole body; the outcome is not committed.
        BodySent = "body_sent",
        /// The outcome is committed; nothing has followed from it.
        Recorded = "recorded",
        /// Deliveries are leased; no request has been made.
        DeliveryLeased = "delivery_leased",
        /// The endpoint has answered; the outcome is not committed.
        DeliveryAnswered = "delivery_answered",
        /// Outcomes of deliveries are committed; nothing has followed from them.
        DeliveryRecorded = "delivery_recorded",
    }
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn reached(_: Failpoint, _: &(dyn std::fmt::Display + Sync)) -> std::future::Ready<()> {
    std::future::ready(())
}

#[cfg(feature = "failpoints")]
pub(crate) use armed::reached;
#[cfg(feature = "failpoints")]
pub use armed::{held, hold};

#[cfg(feature = "failpoints")]
mod armed {
    use std::{
        fmt::Display,
        sync::{Mutex, MutexGuard, PoisonError},
    };

    use super::Failpoint;

    /// Where work is held, and whose stands there.
    static HOLD: Mutex<(Option<Failpoint>, Vec<String>)> = Mutex::new((None, Vec::new()));

    fn state() -> MutexGuard<'static, (Option<Failpoint>, Vec<String>)> {
        HOLD.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on all work that reaches `failpoint` stays there until the process is killed.
    pub fn hold(failpoint: Failpoint) {
        state().0 = Some(failpoint);
    }

    /// For whom work is held: the sender's address, the webhook's id.
    pub fn held() -> Vec<String> {
        state().1.clone()
    }

    /// Work for `whom` has come to a failpoint.
    pub(crate) async fn reached(failpoint: Failpoint, whom: &(dyn Display + Sync)) {
        let here = {
            let mut state = state();
            let here = state.0 == Some(failpoint);
            if here {
                state.1.push(whom.to_string());
            }
            here
        };
        if here {
            std::future::pending::<()>().await;
        }
    }
}
