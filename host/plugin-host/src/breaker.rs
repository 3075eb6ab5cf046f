//! Quarantine: a plugin that fails again and again in a workspace rests there, and is tried again
//! after a while that doubles (PLG-3). Other workspaces are not touched.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use overture_domain::{Timestamp, WorkspaceId};

use crate::{capabilities::Scope, error::CallError};

/// Failures in a row that begin a quarantine.
const FAILURES: u32 = 5;

/// The first rest; each further one is twice as long.
const FIRST_REST: Duration = Duration::from_secs(60);

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(3_600);

/// A plugin that rests in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// The plugin's id.
    pub plugin: String,
    /// Where it rests.
    pub workspace: WorkspaceId,
    /// When one call is let through to see whether it works again.
    pub until: Timestamp,
    /// Failures in a row.
    pub failures: u32,
    /// The text of the last failure.
    pub last: String,
}

/// One plugin's failures, by workspace.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// As many as `workspaces` holds: a call of a plugin without trouble takes no lock.
    troubled: AtomicUsize,
    workspaces: Mutex<HashMap<WorkspaceId, Trouble>>,
}

#[derive(Debug)]
struct Trouble {
    failures: u32,
    last: String,
    /// The rest, once there were enough failures.
    rest: Option<Rest>,
}

impl Trouble {
    fn quarantine(&self, plugin: &str, workspace: WorkspaceId) -> Option<Quarantine> {
        let rest = self.rest?;
        Some(Quarantine {
            plugin: plugin.to_owned(),
            workspace,
            until: rest.until,
            failures: self.failures,
            last: self.last.clone(),
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Timestamp,
    length: Duration,
}

impl Breaker {
    /// May it be called now? After its rest one call is let through; the next may follow when
    /// that one has brought its result, or after another minute.
    pub(crate) fn admit(&self, workspace: WorkspaceId, now: Timestamp) -> Result<(), CallError> {
        if self.troubled.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let mut workspaces = self.lock();
        let Some(Trouble {
            failures,
            last,
            rest: Some(rest),
        }) = workspaces.get_mut(&workspace)
        else {
            return Ok(());
        };
        if now < rest.until {
            return Err(CallError::Quarantined {
                until: rest.until,
                failures: *failures,
                last: last.clone(),
            });
        }
        rest.until = now + FIRST_REST;
        Ok(())
    }

    /// Notes how a call ended. What is not the plugin's fault counts as a success: it answered.
    pub(crate) fn record(&self, scope: &Scope, now: Timestamp, error: Option<&CallError>) {
        let Some(fault) = error.filter(|e| e.is_fault()) else {
            if self.troubled.load(Ordering::Relaxed) > 0 {
                let mut workspaces = self.lock();
                workspaces.remove(&scope.workspace);
                self.troubled.store(workspaces.len(), Ordering::Relaxed);
            }
            return;
        };
        let mut workspaces = self.lock();
        let trouble = workspaces.entry(scope.workspace).or_insert(Trouble {
            failures: 0,
            last: String::new(),
            rest: None,
        });
        trouble.failures = trouble.failures.saturating_add(1);
        trouble.last = fault.to_string();
        if trouble.failures >= FAILURES {
            let longer = trouble.rest.map(|rest| rest.length * 2);
            let length = longer.unwrap_or(FIRST_REST).min(LONGEST_REST);
            let until = now + length;
            trouble.rest = Some(Rest { until, length });
            tracing::warn!(
                plugin.id = %scope.plugin,
                workspace.id = %scope.workspace,
                "plugin is in quarantine until {until} after {} failures in a row: {fault}",
                trouble.failures,
            );
        }
        self.troubled.store(workspaces.len(), Ordering::Relaxed);
    }

    /// The workspaces in which the plugin rests at `now`.
    pub(crate) fn resting(&self, plugin: &str, now: Timestamp) -> Vec<Quarantine> {
        let workspaces = self.lock();
        let resting = workspaces.iter().filter_map(|(workspace, trouble)| {
            let quarantine = trouble.quarantine(plugin, *workspace)?;
            (now < quarantine.until).then_some(quarantine)
        });
        resting.collect()
    }

    /// The workspaces in which the plugin came to rest and has not worked since.
    pub(crate) fn failing(&self, plugin: &str) -> Vec<Quarantine> {
        let workspaces = self.lock();
        let failing = workspaces.iter();
        failing
            .filter_map(|(workspace, trouble)| trouble.quarantine(plugin, *workspace))
            .collect()
    }

    /// An admin says: try again at once.
    pub(crate) fn release(&self, workspace: WorkspaceId) {
        let mut workspaces = self.lock();
        workspaces.remove(&workspace);
        self.troubled.store(workspaces.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Trouble>> {
        self.workspaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use overture_domain::rng::SeededRng;

    use super::*;

    fn scope(seed: u64) -> Scope {
        let workspace = WorkspaceId::new(Timestamp::from_secs(0), &SeededRng::new(seed));
        Scope {
            plugin: "shaky".into(),
            workspace,
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn fail(breaker: &Breaker, scope: &Scope, now: i64) {
        let error = CallError::Panicked {
            message: "no".into(),
        };
        breaker.record(scope, at(now), Some(&error));
    }

    // PLG-3
    #[test]
    fn it_rests_after_five_failures_in_a_row_and_in_that_workspace_alone() {
        let (breaker, here, elsewhere) = (Breaker::default(), scope(1), scope(2));
        for now in 0..4 {
            fail(&breaker, &here, now);
            assert_eq!(breaker.admit(here.workspace, at(now)), Ok(()));
        }
        fail(&breaker, &here, 4);
        let refused = breaker.admit(here.workspace, at(5)).unwrap_err();
        assert!(matches!(
            &refused,
            CallError::Quarantined { until, failures: 5, .. } if *until == at(64)
        ));
        assert_eq!(breaker.admit(elsewhere.workspace, at(5)), Ok(()));
        assert_eq!(breaker.resting("shaky", at(5)).len(), 1);
    }

    // PLG-3
    #[test]
    fn one_call_is_let_through_and_the_rests_double() {
        let (breaker, here) = (Breaker::default(), scope(1));
        (0..5).for_each(|_| fail(&breaker, &here, 0));
        assert_eq!(breaker.admit(here.workspace, at(60)), Ok(()));
        assert!(
            breaker.admit(here.workspace, at(60)).is_err(),
            "one at a time"
        );
        fail(&breaker, &here, 60);
        assert!(breaker.admit(here.workspace, at(60 + 119)).is_err());
        assert_eq!(breaker.admit(here.workspace, at(60 + 120)), Ok(()));
        breaker.record(&here, at(180), None);
        assert_eq!(breaker.admit(here.workspace, at(180)), Ok(()));
        fail(&breaker, &here, 181);
        assert_eq!(
            breaker.admit(here.workspace, at(181)),
            Ok(()),
            "it counts anew"
        );
    }

    // PLG-3
    #[test]
    fn a_success_between_failures_begins_the_count_anew() {
        let (breaker, here) = (Breaker::default(), scope(1));
        for round in 0..3 {
            (0..4).for_each(|_| fail(&breaker, &here, round));
            let answered = CallError::InvalidSettings("no url".into());
            breaker.record(&here, at(round), Some(&answered));
        }
        assert_eq!(breaker.admit(here.workspace, at(9)), Ok(()));
    }

    #[test]
    fn an_admin_ends_a_rest() {
        let (breaker, here) = (Breaker::default(), scope(1));
        (0..5).for_each(|_| fail(&breaker, &here, 0));
        breaker.release(here.workspace);
        assert_eq!(breaker.admit(here.workspace, at(1)), Ok(()));
    }
}
