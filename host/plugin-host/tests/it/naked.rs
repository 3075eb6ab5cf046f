//! A sandbox without limits: what a guest does when nobody stops it. It is wasmtime alone, nothing
//! of our host; what would never end is ended from outside.

use std::{sync::mpsc, thread, time::Duration};

use wasmtime::{
    Config, Engine, ResourceLimiter, Store,
    component::{Component, Instance, Linker, Val, types::ComponentItem},
};

use crate::guests::{event, guest};

/// The stack of a naked guest, sixty times that of a limited one.
const STACK: usize = 32 << 20;

/// What a naked guest did.
pub(crate) struct Harm {
    /// Its answer, or how it ended.
    pub(crate) answer: wasmtime::Result<Val>,
    /// The memory that it had in the end.
    pub(crate) memory: usize,
    /// How often it called the host.
    pub(crate) host_calls: usize,
}

struct State {
    memory: usize,
    host_calls: usize,
}

/// Counts, and stops only before the machine is in danger.
impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.memory += desired - current;
        Ok(self.memory < 256 << 20)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

/// Calls `formatter.format` of a guest with these settings.
pub(crate) fn harm(name: &str, settings: &str) -> Harm {
    harm_for(Duration::from_secs(120), name, settings)
}

/// The same, and ends it after a while.
pub(crate) fn harm_for(length: Duration, name: &str, settings: &str) -> Harm {
    let mut config = Config::new();
    config.epoch_interruption(true).concurrency_support(false);
    config.max_wasm_stack(STACK).async_stack_size(STACK * 2);
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(&engine, guest(name)).unwrap();

    // In a thread with a stack that is large enough for it.
    let run = thread::Builder::new().stack_size(STACK * 2);
    let end = end_after(length, &engine);
    let settings = settings.to_owned();
    let harm = run.spawn(move || called(&engine, &component, settings));
    let harm = harm.unwrap().join().unwrap();
    drop(end);
    harm
}

fn called(engine: &Engine, component: &Component, settings: String) -> Harm {
    let mut store = Store::new(
        engine,
        State {
            memory: 0,
            host_calls: 0,
        },
    );
    store.limiter(|state| state);
    store.set_hostcall_fuel(1 << 30);
    store.set_epoch_deadline(1);
    let instance = linker(engine, component)
        .instantiate(&mut store, component)
        .unwrap();
    let answer = format(&mut store, instance, settings);
    let State { memory, host_calls } = store.into_data();
    Harm {
        answer,
        memory,
        host_calls,
    }
}

fn format(store: &mut Store<State>, instance: Instance, settings: String) -> wasmtime::Result<Val> {
    let interface = instance.get_export_index(&mut *store, None, "overture:plugin/formatter@0.1.0");
    let function = instance
        .get_export_index(&mut *store, interface.as_ref(), "format")
        .unwrap();
    let format = instance.get_func(&mut *store, function).unwrap();
    let text = |name: &str, value: String| (name.to_owned(), Val::String(value));
    let event = event();
    let params = [
        Val::Record(vec![
            text("id", event.id),
            text("kind", event.kind),
            ("occurred-at".to_owned(), Val::U64(0)),
            text("workspace-id", event.workspace_id),
            text("data", event.data),
        ]),
        Val::Record(vec![
            text("settings", settings),
            text("public-url", String::new()),
            text("workspace-name", String::new()),
        ]),
    ];
    let mut results = [Val::Bool(false)];
    format.call(store, &params, &mut results)?;
    let [answer] = results;
    Ok(answer)
}

/// Links every function that the guest imports: it counts, and answers nothing or an error.
fn linker(engine: &Engine, component: &Component) -> Linker<State> {
    let mut linker = Linker::<State>::new(engine);
    for (interface, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(functions) = item.ty else {
            continue;
        };
        let mut instance = linker.instance(interface).unwrap();
        for (name, item) in functions.exports(engine) {
            let ComponentItem::ComponentFunc(_) = item.ty else {
                continue;
            };
            let note = move |mut store: wasmtime::StoreContextMut<'_, State>,
                             _,
                             _: &[Val],
                             results: &mut [Val]| {
                store.data_mut().host_calls += 1;
                if let [result] = results {
                    let timeout = Val::Variant("timeout".to_owned(), None);
                    *result = Val::Result(Err(Some(Box::new(timeout))));
                }
                Ok(())
            };
            instance.func_new(name, note).unwrap();
        }
    }
    linker
}

/// Moves the epoch on after a while, unless the returned sender is dropped before.
fn end_after(length: Duration, engine: &Engine) -> mpsc::Sender<()> {
    let (sender, ended) = mpsc::channel::<()>();
    let engine = engine.clone();
    thread::spawn(move || {
        if ended.recv_timeout(length).is_err() {
            engine.increment_epoch();
        }
    });
    sender
}
