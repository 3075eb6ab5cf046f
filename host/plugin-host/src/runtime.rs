//! wasmtime, set up once per class of guest, and the thread that moves the epoch on.
//!
//! Two classes: *pure* guests (formatters, classifiers) import the log and nothing else; *session*
//! guests (providers) wait for servers. Each has an engine, a pool and a linker of its own, so that
//! guests who wait never take the places of those who compute.

use std::{sync::mpsc, thread, time::Duration};

use overture_plugin_pack::Kind;
use tokio::sync::Semaphore;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    component::{HasSelf, Linker},
};

use crate::{
    bindings::overture::plugin::{clock, http, log, mailbox, random, store},
    error::LoadError,
    limiter::MAX_INSTANCES,
    limits::MAX_MEMORY,
    state::GuestState,
};

/// How often a guest looks whether its time is up.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Memory of a slot that stays mapped between two guests, zeroed page by page: most guests touch
/// less, and returning it to the system costs more than the call.
const KEEP_RESIDENT: usize = 2 << 20;

/// What a guest may be, by what it imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Imports the log and nothing else.
    Pure,
    /// Works on accounts and may wait.
    Session,
}

impl Class {
    /// The class of a plugin with these kinds.
    pub fn of(kinds: &[Kind]) -> Self {
        match kinds.iter().all(|kind| kind.is_pure()) {
            true => Self::Pure,
            false => Self::Session,
        }
    }
}

/// One class's engine, its linker, and its places.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<GuestState>,
    /// As many as the pool has slots: one setting for both.
    pub(crate) places: Semaphore,
}

/// Both classes and their ticker.
pub(crate) struct Runtimes {
    pub(crate) pure: Runtime,
    pub(crate) session: Runtime,
    _ticker: mpsc::Sender<()>,
}

impl Runtimes {
    /// # Errors
    /// [`LoadError::Host`] when wasmtime refuses even the plainest set-up.
    pub(crate) fn new(places: u32) -> Result<Self, LoadError> {
        let pure = Runtime::new(Class::Pure, places)?;
        let session = Runtime::new(Class::Session, places)?;
        let ticker = start_ticker(vec![pure.engine.clone(), session.engine.clone()])?;
        Ok(Self {
            pure,
            session,
            _ticker: ticker,
        })
    }

    pub(crate) fn of(&self, class: Class) -> &Runtime {
        match class {
            Class::Pure => &self.pure,
            Class::Session => &self.session,
        }
    }
}

impl Runtime {
    fn new(class: Class, places: u32) -> Result<Self, LoadError> {
        let engine = engine(places)?;
        let linker = linker(class, &engine).map_err(|e| LoadError::Host(format!("{e:#}")))?;
        Ok(Self {
            engine,
            linker,
            places: Semaphore::new(places as usize),
        })
    }
}

/// An engine that compiles what [`Runtimes`] run, without a pool: for a process that only
/// compiles.
pub(crate) fn compiler() -> Result<Engine, LoadError> {
    Engine::new(&config()).map_err(|e| LoadError::Host(format!("{e:#}")))
}

/// An engine with a pool, or without one where the address space is too small for it (`ulimit
/// -v`, 39-bit address spaces).
fn engine(places: u32) -> Result<Engine, LoadError> {
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(places)));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(e) => {
            tracing::warn!("no pool for {places} plugin calls, calls will be slower: {e:#}");
            compiler()
        }
    }
}

/// What compiled code depends on: the same for every engine of this crate.
fn config() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false);
    config
}

fn pool(places: u32) -> PoolingAllocationConfig {
    let per_call = MAX_INSTANCES as u32;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(places)
        .total_core_instances(places.saturating_mul(4))
        .max_core_instances_per_component(per_call)
        .total_memories(places)
        .max_memories_per_component(1)
        .total_tables(places.saturating_mul(2))
        .max_tables_per_component(2)
        .total_stacks(places)
        .max_memory_size(MAX_MEMORY as usize)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

fn linker(class: Class, engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::<GuestState>::new(engine);
    log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    if class == Class::Session {
        clock::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        random::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        store::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        http::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        mailbox::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    }
    Ok(linker)
}

/// A plain thread, so that no busy executor can hold it up. It ends when the sender is dropped.
fn start_ticker(engines: Vec<Engine>) -> Result<mpsc::Sender<()>, LoadError> {
    let (sender, stopped) = mpsc::channel::<()>();
    let tick = move || {
        while stopped.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
            for engine in &engines {
                engine.increment_epoch();
            }
        }
    };
    let thread = thread::Builder::new().name("plugin-ticker".to_owned());
    thread
        .spawn(tick)
        .map_err(|e| LoadError::Host(format!("no thread for the ticker: {e}")))?;
    Ok(sender)
}
