//! Work that is done for many callers at once: whoever comes while a group is worked on is in the
//! next one.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};

/// Members of one group, at most: what a statement takes without growing slow.
const MAX: usize = 256;

/// Callers who wait for their group, and whether one is worked on.
pub(super) struct Groups<T, R>(Arc<Shared<T, R>>);

struct Shared<T, R> {
    state: Mutex<State<T, R>>,
    came: Notify,
}

struct State<T, R> {
    waiting: Vec<(T, oneshot::Sender<R>)>,
    /// A task works on groups until nobody waits.
    working: bool,
}

/// How a group comes together before it is worked on.
#[derive(Clone, Copy)]
pub(super) struct Gather<C> {
    /// The longest wait for others, on the real clock.
    pub longest: Duration,
    /// Whether a group of this size has everybody that may come.
    pub complete: C,
}

impl<T: Send + 'static, R: Send + 'static> Groups<T, R> {
    /// Puts `member` into the next group and waits for its answer. `work` gives one answer a
    /// member, in their order. None: the work has panicked.
    pub(super) async fn join<F>(
        &self,
        member: T,
        gather: Gather<impl Fn(usize) -> bool + Send + Sync + 'static>,
        work: impl Fn(Vec<T>) -> F + Send + 'static,
    ) -> Option<R>
    where
        F: Future<Output = Vec<R>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let idle = {
            let mut state = self.0.lock();
            state.waiting.push((member, answer));
            !std::mem::replace(&mut state.working, true)
        };
        self.0.came.notify_one();
        if idle {
            tokio::spawn(run(Working(Arc::clone(&self.0)), gather, work));
        }
        answered.await.ok()
    }
}

async fn run<T, R, F: Future<Output = Vec<R>>>(
    groups: Working<T, R>,
    gather: Gather<impl Fn(usize) -> bool>,
    work: impl Fn(Vec<T>) -> F,
) {
    while groups.go_on() {
        let all = async {
            while !(gather.complete)(groups.0.lock().waiting.len()) {
                groups.0.came.notified().await;
            }
        };
        // Those who are still to come are in the next group.
        let _ = tokio::time::timeout(gather.longest, all).await;
        let (members, answers) = groups.next();
        for (answer, result) in answers.into_iter().zip(work(members).await) {
            // Who has gone away meanwhile doesn't need it.
            let _ = answer.send(result);
        }
    }
}

/// The one task at work. When it panics, those who wait learn of it and the next begins anew.
struct Working<T, R>(Arc<Shared<T, R>>);

impl<T, R> Working<T, R> {
    /// False: nobody waits, and who comes now begins anew.
    fn go_on(&self) -> bool {
        let mut state = self.0.lock();
        state.working = !state.waiting.is_empty();
        state.working
    }

    fn next(&self) -> (Vec<T>, Vec<oneshot::Sender<R>>) {
        let mut state = self.0.lock();
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
            state.working = false;
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
                working: false,
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

    fn gather(complete: usize) -> Gather<impl Fn(usize) -> bool + Send + Sync + 'static> {
        Gather {
            longest: LONG,
            complete: move |n| n >= complete,
        }
    }

    // SAFE-3: each learns what became of its own, however the groups fall.
    #[tokio::test(flavor = "multi_thread")]
    async fn each_member_gets_its_own_answer() {
        let groups = Arc::new(Groups::<usize, (usize, usize)>::default());
        let work = async |members: Vec<usize>| {
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
        let work = async |members: Vec<()>| vec![members.len(); members.len()];
        let three = || groups.join((), gather(3), work);
        let (a, b, c) = tokio::join!(three(), three(), three());
        assert_eq!([a, b, c], [Some(3); 3]);
        // Alone it goes at once.
        assert_eq!(groups.join((), gather(1), work).await, Some(1));
    }

    #[tokio::test]
    async fn work_that_panics_leaves_nobody_waiting() {
        let groups = Groups::<bool, ()>::default();
        let work = async |members: Vec<bool>| {
            assert!(!members.contains(&true), "of the test");
            vec![(); members.len()]
        };
        assert_eq!(groups.join(true, gather(1), work).await, None);
        assert_eq!(groups.join(false, gather(1), work).await, Some(()));
    }
}
