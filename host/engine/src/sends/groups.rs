//! Work that is done for many callers at once: whoever comes while a group waits for its turn, or as
//! many are worked on as may be, is in the next one.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};

/// Members of one group, at most: what a statement takes without growing slow.
const MAX: usize = 256;

/// Callers who wait for their group, and how many are worked on.
pub(super) struct Groups<T, R>(Arc<Shared<T, R>>);

struct Shared<T, R> {
    state: Mutex<State<T, R>>,
    came: Notify,
}

struct State<T, R> {
    waiting: Vec<(T, oneshot::Sender<R>)>,
    /// Tasks that work on groups until nobody waits.
    working: usize,
    /// One of them has not taken its group yet.
    gathering: bool,
}

/// How a group comes together before it is worked on.
#[derive(Clone, Copy)]
pub(super) struct Gather<C, B> {
    /// The longest wait for others, on the real clock.
    pub longest: Duration,
    /// Groups that are worked on at the same time, at least 1.
    pub at_once: usize,
    /// Whether a group of this size has everybody that may come.
    pub complete: C,
    /// Waits for its turn; who comes meanwhile is still in the group.
    pub turn: B,
}

impl<T: Send + 'static, R: Send + 'static> Groups<T, R> {
    /// Puts `member` into the next group and waits for its answer. `work` gives one answer a
    /// member, in their order. None: the work has panicked.
    pub(super) async fn join<B, F>(
        &self,
        member: T,
        gather: Gather<
            impl Fn(usize) -> bool + Send + Sync + 'static,
            impl Fn() -> B + Send + Sync + 'static,
        >,
        work: impl Fn(B::Output, Vec<T>) -> F + Send + Sync + 'static,
    ) -> Option<R>
    where
        B: Future<Output: Send> + Send + 'static,
        F: Future<Output = Vec<R>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let idle = {
            let mut state = self.0.lock();
            state.waiting.push((member, answer));
            let idle = !state.gathering && state.working < gather.at_once.max(1);
            state.working += usize::from(idle);
            state.gathering |= idle;
            idle
        };
        self.0.came.notify_one();
        if idle {
            tokio::spawn(run(Working(Arc::clone(&self.0)), gather, work));
        }
        answered.await.ok()
    }
}

async fn run<T, R, B: Future, F: Future<Output = Vec<R>>>(
    groups: Working<T, R>,
    gather: Gather<impl Fn(usize) -> bool, impl Fn() -> B>,
    work: impl Fn(B::Output, Vec<T>) -> F,
) {
    loop {
        let all = async {
            while !(gather.complete)(groups.0.lock().waiting.len()) {
                groups.0.came.notified().await;
            }
        };
        // Those who are still to come are in the next group.
        let _ = tokio::time::timeout(gather.longest, all).await;
        let turn = (gather.turn)().await;
        let (members, answers) = groups.next();
        for (answer, result) in answers.into_iter().zip(work(turn, members).await) {
            // Who has gone away meanwhile doesn't need it.
            let _ = answer.send(result);
        }
        if !groups.go_on() {
            return;
        }
    }
}

/// A task at work. When it panics, those who wait learn of it and the next begins anew.
struct Working<T, R>(Arc<Shared<T, R>>);

impl<T, R> Working<T, R> {
    /// False: nobody waits who has no group, and who comes now begins anew.
    fn go_on(&self) -> bool {
        let mut state = self.0.lock();
        let goes_on = !state.gathering && !state.waiting.is_empty();
        state.gathering |= goes_on;
        state.working -= usize::from(!goes_on);
        goes_on
    }

    fn next(&self) -> (Vec<T>, Vec<oneshot::Sender<R>>) {
        let mut state = self.0.lock();
        state.gathering = false;
        let n = state.waiting.len().min(MAX);
        state.waiting.drain(..n).unzip()
    }
}

impl<T, R> Drop for Working<T, R> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        // After `go_on` said no, another may be at work already.
        if std::thread::panicking() {
            state.waiting.clear();
            state.gathering = false;
            state.working -= 1;
        }
    }
}

impl<T, R> Shared<T, R> {
    fn lock(&self) -> MutexGuard<'_, State<T, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, R> Default for Groups<T, R> {
    fn default() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                waiting: Vec::new(),
                working: 0,
                gathering: false,
            }),
            came: Notify::new(),
        }))
    }
}

impl<T, R> fmt::Debug for Groups<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Groups")
            .field("waiting", &state.waiting.len())
            .field("working", &state.working)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn gather(
        complete: usize,
    ) -> Gather<
        impl Fn(usize) -> bool + Send + Sync + 'static,
        impl Fn() -> std::future::Ready<()> + Send + Sync + 'static,
    > {
        Gather {
            longest: LONG,
            at_once: 1,
            complete: move |n| n >= complete,
            turn: || std::future::ready(()),
        }
    }

    // SAFE-3: each learns what became of its own, however the groups fall.
    #[tokio::test(flavor = "multi_thread")]
    async fn each_member_gets_its_own_answer() {
        let groups = Arc::new(Groups::<usize, (usize, usize)>::default());
        let work = async |(), members: Vec<usize>| {
            let n = members.len();
            members.into_iter().map(|member| (member * 2, n)).collect()
        };
        let all = (0..600).map(|n| {
            let groups = Arc::clone(&groups);
            tokio::spawn(async move { groups.join(n, gather(1), work).await })
        });
        for (n, answer) in futures::future::join_all(all).await.into_iter().enumerate() {
            let (doubled, together) = answer.unwrap().unwrap();
            assert_eq!(doubled, n * 2);
            assert!(together <= MAX);
        }
    }

    #[tokio::test]
    async fn a_group_waits_for_those_who_come() {
        let groups = Groups::<(), usize>::default();
        let work = async |(), members: Vec<()>| vec![members.len(); members.len()];
        let three = || groups.join((), gather(3), work);
        let (a, b, c) = tokio::join!(three(), three(), three());
        assert_eq!([a, b, c], [Some(3); 3]);
        // Alone it goes at once.
        assert_eq!(groups.join((), gather(1), work).await, Some(1));
    }

    #[tokio::test]
    async fn who_comes_before_its_turn_is_in_the_group() {
        let groups = Arc::new(Groups::<(), usize>::default());
        let (go, wait) = tokio::sync::watch::channel(false);
        let one = || {
            let mut wait = wait.clone();
            wait.mark_unchanged();
            let waiting = Gather {
                at_once: 2,
                complete: |_| true,
                longest: LONG,
                turn: move || {
                    let mut wait = wait.clone();
                    async move { wait.wait_for(|go| *go).await.is_ok() }
                },
            };
            groups.join((), waiting, async |_, members: Vec<()>| {
                vec![members.len(); members.len()]
            })
        };
        let later = async {
            // Both wait for the turn of the first.
            while groups.0.lock().waiting.len() < 2 {
                tokio::task::yield_now().await;
            }
            go.send(true).unwrap();
        };
        let (a, b, ()) = tokio::join!(one(), one(), later);
        assert_eq!((a, b), (Some(2), Some(2)));
    }

    #[tokio::test]
    async fn as_many_groups_as_may_be_are_worked_on_at_once() {
        let groups = Groups::<(), usize>::default();
        let met = Arc::new(tokio::sync::Barrier::new(2));
        let two = || {
            let met = Arc::clone(&met);
            let at_once = Gather {
                at_once: 2,
                ..gather(1)
            };
            groups.join((), at_once, move |(), members: Vec<()>| {
                let met = Arc::clone(&met);
                async move {
                    met.wait().await;
                    vec![members.len(); members.len()]
                }
            })
        };
        let later = async {
            // The first group has begun.
            tokio::task::yield_now().await;
            two().await
        };
        let both = async { tokio::join!(two(), later) };
        let answers = tokio::time::timeout(LONG, both).await.unwrap();
        assert_eq!(answers, (Some(1), Some(1)));
    }

    #[tokio::test]
    async fn work_that_panics_leaves_nobody_waiting() {
        let groups = Groups::<bool, ()>::default();
        let work = async |(), members: Vec<bool>| {
            assert!(!members.contains(&true), "of the test");
            vec![(); members.len()]
        };
        assert_eq!(groups.join(true, gather(1), work).await, None);
        assert_eq!(groups.join(false, gather(1), work).await, Some(()));
    }
}
