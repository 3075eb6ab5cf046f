//! One call: a fresh store, its limits, and what came of it.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use overture_domain::WorkspaceId;
use wasmtime::{Store, Trap, WasmBacktrace};

use crate::{
    capabilities::{Scope, Services, Stop, mailbox::Mailbox},
    error::CallError,
    exports::{Export, Function},
    meter::{Metered, at_tick},
    plugin::{Exports, Plugin},
    runtime::Runtimes,
    state::{GuestState, Policy},
    stats::Ran,
};

/// Functions that are looked at in the backtrace of a trap, the innermost first.
const FRAMES_READ: usize = 12;

/// What Rust's panics go through.
const PANIC: [&str; 3] = [
    "__rustc::rust_panic",
    "__rustc::rust_begin_unwind",
    "core::panicking::",
];

/// A plugin, ready to be called.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) runtimes: Arc<Runtimes>,
    pub(crate) services: Arc<Services>,
}

/// What a call is about, beside its arguments.
pub(crate) struct Call {
    /// For whom.
    pub(crate) workspace: WorkspaceId,
    /// The size of its arguments.
    pub(crate) input_bytes: u64,
    /// The mailbox that it works on.
    pub(crate) mailbox: Option<Mailbox>,
}

impl Guest {
    pub(crate) fn exports(&self) -> &Exports {
        &self.plugin.exports
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.plugin.policy()
    }

    /// Calls an exported function in a sandbox of its own. `judge` looks at the answer: what it
    /// refuses counts as the plugin's fault. The mailbox comes back with what was seen on it.
    pub(crate) async fn call<F: Function, R>(
        &self,
        call: Call,
        export: &Export<F>,
        params: F::Params<'_>,
        judge: impl FnOnce(F::Answer) -> Result<R, CallError>,
    ) -> (Result<R, CallError>, Option<Mailbox>) {
        let Self {
            plugin, services, ..
        } = self;
        let Call {
            workspace,
            input_bytes,
            mailbox,
        } = call;
        let policy = plugin.policy();
        let limit = policy.limits.input_bytes;
        if input_bytes > limit {
            let refused = CallError::InputTooLarge {
                size: input_bytes,
                limit,
            };
            return (Err(refused), mailbox);
        }
        if let Err(resting) = plugin.breaker.admit(workspace, services.clock.now()) {
            return (Err(resting), mailbox);
        }

        let runtime = self.runtimes.of(plugin.class);
        let _place = runtime
            .places
            .acquire()
            .await
            .expect("the places are never closed");
        let scope = Scope {
            plugin: plugin.id.clone(),
            workspace,
        };
        let state = GuestState::new(scope, services.clone(), policy.clone(), mailbox);
        let mut store = Store::new(&runtime.engine, state);
        let (answer, ran) = in_store(&mut store, plugin, &policy, export, params).await;
        let answer = answer.and_then(judge);

        let state = store.into_data();
        if state.log.dropped() > 0 {
            services.log.dropped(&state.scope, state.log.dropped());
        }
        plugin
            .stats
            .record(&ran, answer.as_ref().err(), services.clock.now());
        plugin
            .breaker
            .record(&state.scope, services.clock.now(), answer.as_ref().err());
        (answer, state.mailbox)
    }
}

/// Instantiates the plugin and calls it, under all of its limits.
async fn in_store<F: Function>(
    store: &mut Store<GuestState>,
    plugin: &Plugin,
    policy: &Policy,
    export: &Export<F>,
    params: F::Params<'_>,
) -> (Result<F::Answer, CallError>, Ran) {
    let limits = &policy.limits;
    let meter = store.data().meter.clone();
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(usize::try_from(limits.output_bytes).unwrap_or(usize::MAX));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| at_tick(store.data()));

    #[expect(
        clippy::disallowed_methods,
        reason = "how long guests take is real time"
    )]
    let started = Instant::now();
    let ended = {
        let running = pin!(async {
            let instance = plugin.code.instantiate_async(&mut *store).await?;
            export.call(store, &instance, params).await
        });
        // The meter stops a guest that computes, the timeout one that waits.
        tokio::time::timeout(limits.wall, Metered::new(&meter, running)).await
    };
    let answer = match ended {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(explain(&error, store.data_mut())),
        Err(_) => Err(CallError::Timeout { limit: limits.wall }),
    };
    let wall = started.elapsed();
    let ran = Ran {
        wall,
        // A call that never waited nor yielded ran all the time that it took.
        cpu: match meter.spent() {
            Duration::ZERO => wall,
            spent => spent,
        },
        memory_bytes: store.data().memory.used(),
    };
    (answer, ran)
}

/// What a plugin's author understands of an error of wasmtime.
fn explain(error: &wasmtime::Error, state: &mut GuestState) -> CallError {
    if let Some(Stop(why)) = error.downcast_ref::<Stop>() {
        return why.clone();
    }
    let frames = error
        .downcast_ref::<WasmBacktrace>()
        .map(frames)
        .unwrap_or_default();
    let panicked = frames
        .iter()
        .any(|name| PANIC.iter().any(|panic| name.starts_with(panic)));
    let frames: Vec<String> = frames
        .into_iter()
        .filter(|name| !is_runtime(name))
        .collect();
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => CallError::StackOverflow { frames },
        Some(Trap::UnreachableCodeReached) if panicked => CallError::Panicked {
            message: state
                .log
                .last_error()
                .unwrap_or_else(|| format!("in {}", frames.join(" < "))),
        },
        Some(trap) => CallError::Trap {
            what: trap.to_string(),
            frames,
        },
        None => {
            let what = format!("{:#}", error.root_cause());
            // wasmtime keeps this error's type to itself.
            if what.contains("fuel allocated for hostcalls") {
                return CallError::OutputTooLarge {
                    limit: state.policy.limits.output_bytes,
                };
            }
            CallError::BadAnswer { what }
        }
    }
}

/// The innermost functions of the guest, as far as it carries their names.
fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let named = backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name());
    let mut names: Vec<String> = named
        .map(|name| format!("{:#}", rustc_demangle::demangle(name)))
        .take(FRAMES_READ)
        .collect();
    names.dedup();
    names
}

/// The machinery between a guest's own code and its trap.
fn is_runtime(name: &str) -> bool {
    let crates = [
        "__rustc::",
        "std::",
        "core::",
        "alloc::",
        "<core::",
        "<std::",
        "<alloc::",
    ];
    crates.iter().any(|start| name.starts_with(start))
}
