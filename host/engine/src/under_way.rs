//! Work that goes on after the tick that began it has returned: mails on their way, deliveries.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{Mutex, Notify, OwnedMutexGuard};

use crate::{Part, parts::Wakes};

/// Counts the work under way of each part. A tick looks here before it takes more, a driver of
/// time before it jumps, and the shutdown before it ends the process.
#[derive(Debug, Default)]
pub struct UnderWay {
    counts: [AtomicUsize; Part::ALL.len()],
    ended: Notify,
    /// Who has it works, where one does at a time.
    turn: Option<Arc<Mutex<()>>>,
}

impl UnderWay {
    /// One piece of work at a time, in the order in which they were begun: nothing races, so that a
    /// simulation repeats itself.
    pub fn in_turn() -> Self {
        Self {
            turn: Some(Arc::default()),
            ..Self::default()
        }
    }

    /// The turn, where one piece of work goes at a time: nothing else goes on while it is held.
    pub async fn turn(&self) -> Option<OwnedMutexGuard<()>> {
        let turn = self.turn.clone()?;
        Some(turn.lock_owned().await)
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

    /// Waits until nothing is under way.
    pub async fn settled(&self) {
        loop {
            let ended = self.ended.notified();
            if self.total() == 0 {
                return;
            }
            ended.await;
        }
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
