//! Work that goes on after the tick that began it has returned: mails on their way, deliveries.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::{Part, parts::Wakes};

/// Counts the work under way of each part. A tick looks here before it takes more, a driver of
/// time before it jumps, and the shutdown before it ends the process.
#[derive(Debug, Default)]
pub struct UnderWay {
    counts: [AtomicUsize; Part::ALL.len()],
    /// Of it, work that nobody waits for ([`set_aside`](Self::set_aside)).
    aside: AtomicUsize,
    ended: Notify,
    /// Who has it works, where one does at a time.
    turn: Option<Arc<Semaphore>>,
}

impl UnderWay {
    /// One piece of work at a time, in the order in which they were begun: nothing races, so that a
    /// simulation repeats itself.
    pub fn in_turn() -> Self {
        Self {
            turn: Some(Arc::new(Semaphore::new(1))),
            ..Self::default()
        }
    }

    /// The turn, where one piece of work goes at a time: nothing else goes on while it is held.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = self.turn.clone()?;
        // It is never closed.
        turn.acquire_owned().await.ok()
    }

    /// The work that has the turn gives it away for a while, and nobody waits for it until the
    /// answer is dropped. It goes on with [`take_turn_again`](Self::take_turn_again).
    pub fn set_aside(self: &Arc<Self>) -> Aside {
        if let Some(turn) = &self.turn {
            turn.add_permits(1);
        }
        self.aside.fetch_add(1, Ordering::SeqCst);
        self.ended.notify_waiters();
        Aside(Arc::clone(self))
    }

    /// Work that was set aside goes on: in its turn, until it has ended.
    pub async fn take_turn_again(&self) {
        if let Some(turn) = self.turn().await {
            // That which it was begun with is given back when it ends.
            turn.forget();
        }
    }

    /// Does `work` on a task of its own and wakes the part when it has ended.
    pub fn spawn(
        self: &Arc<Self>,
        wakes: &Arc<Wakes>,
        part: Part,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        self.counts[part as usize].fetch_add(1, Ordering::SeqCst);
        let place = Place(Arc::clone(self), Arc::clone(wakes), part);
        let under_way = Arc::clone(self);
        tokio::spawn(async move {
            let _place = place;
            let _turn = under_way.turn().await;
            work.await;
        });
    }

    /// How much of a part's work is under way.
    pub fn count(&self, part: Part) -> usize {
        self.counts[part as usize].load(Ordering::SeqCst)
    }

    /// How much work is under way in all.
    pub fn total(&self) -> usize {
        self.counts.iter().map(|n| n.load(Ordering::SeqCst)).sum()
    }

    /// Waits until nothing is under way but what was set aside.
    pub async fn settled(&self) {
        loop {
            let ended = self.ended.notified();
            if self.total() == self.aside.load(Ordering::SeqCst) {
                return;
            }
            ended.await;
        }
    }
}

/// Work that is set aside while this lives.
#[derive(Debug)]
pub struct Aside(Arc<UnderWay>);

impl Drop for Aside {
    fn drop(&mut self) {
        self.0.aside.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Given back when the work ends, also by a panic.
struct Place(Arc<UnderWay>, Arc<Wakes>, Part);

impl Drop for Place {
    fn drop(&mut self) {
        // First the count, then the wake: the tick that it brings finds the hand free.
        self.0.counts[self.2 as usize].fetch_sub(1, Ordering::SeqCst);
        self.1.wake(self.2);
        self.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Log;

    use super::*;

    // OPS-5
    #[tokio::test]
    async fn in_turn_the_second_begins_when_the_first_has_ended() {
        let under_way = Arc::new(UnderWay::in_turn());
        let wakes = Arc::new(Wakes::default());
        let log = Arc::new(Log::new(Vec::new()));
        for n in 0..3 {
            let log = Arc::clone(&log);
            let work = async move {
                log.lock().unwrap().push((n, "begins"));
                tokio::task::yield_now().await;
                log.lock().unwrap().push((n, "ends"));
            };
            under_way.spawn(&wakes, Part::Sends, work);
        }
        assert_eq!(under_way.count(Part::Sends), 3);
        under_way.settled().await;
        let expected = (0..3).flat_map(|n| [(n, "begins"), (n, "ends")]);
        assert_eq!(*log.lock().unwrap(), expected.collect::<Vec<_>>());
    }

    // OPS-5
    #[tokio::test]
    async fn what_is_set_aside_keeps_nobody_waiting_and_goes_on_in_its_turn() {
        let under_way = Arc::new(UnderWay::in_turn());
        let wakes = Arc::new(Wakes::default());
        let log = Arc::new(Log::new(Vec::new()));
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let (asides, aside) = tokio::sync::oneshot::channel();
        let (own, slow) = (Arc::clone(&under_way), Arc::clone(&log));
        under_way.spawn(&wakes, Part::Sends, async move {
            asides.send(own.set_aside()).unwrap();
            wait.await.unwrap();
            own.take_turn_again().await;
            slow.lock().unwrap().push("slow");
        });
        let quick = |name| {
            let log = Arc::clone(&log);
            async move {
                tokio::task::yield_now().await;
                log.lock().unwrap().push(name);
            }
        };
        under_way.spawn(&wakes, Part::Sends, quick("quick"));
        under_way.settled().await;
        assert_eq!(
            (under_way.count(Part::Sends), log.lock().unwrap().clone()),
            (1, vec!["quick"])
        );
        drop(aside.await.unwrap());
        go.send(()).unwrap();
        for name in ["third", "fourth"] {
            under_way.spawn(&wakes, Part::Sends, quick(name));
        }
        under_way.settled().await;
        assert_eq!(under_way.total(), 0);
        let mut all = log.lock().unwrap().clone();
        all.sort_unstable();
        assert_eq!(all, ["fourth", "quick", "slow", "third"]);
    }

    #[tokio::test]
    async fn it_settles_when_all_work_has_ended_even_by_a_panic() {
        let under_way = Arc::new(UnderWay::default());
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let wakes = Arc::new(Wakes::default());
        under_way.spawn(&wakes, Part::Sends, async move { drop(wait.await) });
        under_way.spawn(&wakes, Part::Deliveries, async { panic!("of the test") });
        assert_eq!(under_way.count(Part::Sends), 1);
        go.send(()).unwrap();
        under_way.settled().await;
        assert_eq!(under_way.total(), 0);
        assert_eq!(
            (wakes.count(Part::Sends), wakes.count(Part::Deliveries)),
            (1, 1)
        );
    }
}
