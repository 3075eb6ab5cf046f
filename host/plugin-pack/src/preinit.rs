//! Runs a guest's own initialisation once, at pack time, and keeps the memory that it leaves.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use wasmparser::ValType;
use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, Wizer};

use crate::PackError;

/// The export that fills a guest's statics; `overture_plugin::preinit!` writes it.
const INIT: &str = "wizer-initialize";

/// Room that is left above what initialisation used. Growing memory is a system call under the
/// lock of the address space, so a call should never have to.
const ROOM_BYTES: u64 = 4 * 1024 * 1024;

/// Instructions after which initialisation counts as endless: some seconds.
const FUEL: u64 = 2_000_000_000;

const PAGE: u64 = 65_536;

/// The module with its statics filled and room in its memory.
pub(crate) fn run(core_module: &[u8]) -> Result<Vec<u8>, PackError> {
    let wizer = Wizer::new();
    let (context, instrumented) = wizer.instrument(core_module).map_err(failed)?;

    let mut config = Config::new();
    config
        .consume_fuel(true)
        .cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config).map_err(failed)?;
    let module = Module::new(&engine, &instrumented).map_err(failed)?;
    let mut store = Store::new(&engine, ());
    store.set_fuel(FUEL).map_err(failed)?;

    // The host can't be called now: it would answer for this one moment and never again.
    let mut linker = Linker::new(&engine);
    linker
        .define_unknown_imports_as_traps(&module)
        .map_err(failed)?;
    let instance = linker.instantiate(&mut store, &module).map_err(failed)?;
    for name in ["_initialize", INIT] {
        if let Ok(init) = instance.get_typed_func::<(), ()>(&mut store, name) {
            init.call(&mut store, ()).map_err(failed)?;
        }
    }
    if let Some(memory) = instance.get_memory(&mut store, "memory") {
        memory.grow(&mut store, ROOM_BYTES / PAGE).map_err(failed)?;
    }
    let mut guest = Guest { store, instance };
    ready(wizer.snapshot(&context, &mut guest)).map_err(failed)
}

/// What wizer needs to see of the instance. Its own version of this switches on features of
/// wasmtime (gc, threads, wave) that the host does without.
struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl InstanceState for Guest {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name);
        let global = global.expect("wizer exports every global that it asks for");
        match global.get(&mut self.store) {
            Val::I32(x) => SnapshotVal::I32(x),
            Val::I64(x) => SnapshotVal::I64(x),
            Val::F32(x) => SnapshotVal::F32(x),
            Val::F64(x) => SnapshotVal::F64(x),
            Val::V128(x) => SnapshotVal::V128(x.as_u128()),
            other => panic!("wizer refuses modules with a mutable {other:?} before they run"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self.instance.get_memory(&mut self.store, name);
        let memory = memory.expect("wizer exports every memory that it asks for");
        contents(memory.data(&self.store));
    }
}

/// The result of a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("reading an instance's state waits for nothing"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it goes into map_err")]
fn failed(error: wasmtime::Error) -> PackError {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    PackError::Preinit(causes.join(": ").replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use wasmparser::{Parser, Payload};

    use super::*;

    fn run_text(text: &str) -> Result<Vec<u8>, PackError> {
        run(&wat::parse_str(text).unwrap())
    }

    /// DESIGN §3: statics are filled, memory has room, and the initialiser is gone.
    #[test]
    fn keeps_what_initialisation_left() {
        let ready = run_text(
            r#"(module
                (import "overture:plugin/log@0.1.0" "write" (func (param i32 i32 i32)))
                (memory (export "memory") 1)
                (global $top (mut i32) (i32.const 0))
                (func (export "wizer-initialize")
                    (i32.store (i32.const 64) (i32.const 0x61616161))
                    (global.set $top (i32.const 7))))"#,
        )
        .unwrap();
        let mut pages = 0;
        for payload in Parser::new(0).parse_all(&ready) {
            match payload.unwrap() {
                Payload::MemorySection(memories) => {
                    pages = memories.into_iter().next().unwrap().unwrap().initial;
                }
                Payload::ExportSection(exports) => {
                    let names: Vec<_> = exports.into_iter().map(|e| e.unwrap().name).collect();
                    assert_eq!(names, ["memory"]);
                }
                _ => {}
            }
        }
        assert_eq!(pages, 1 + ROOM_BYTES / PAGE);
        assert!(ready.windows(4).any(|bytes| bytes == b"aaaa"));
    }

    #[test]
    fn a_module_without_initialiser_gets_room_too() {
        let ready = run_text(r#"(module (memory (export "memory") 1))"#).unwrap();
        assert!(ready.len() < 200, "room is no bytes in the file");
    }

    #[test]
    fn an_initialiser_that_fails_is_told() {
        for (body, says) in [
            ("unreachable", "unreachable"),
            ("(loop (br 0))", "fuel"),
            (
                "(call $write (i32.const 0) (i32.const 0) (i32.const 0))",
                "write",
            ),
        ] {
            let module = format!(
                r#"(module
                    (import "overture:plugin/log@0.1.0" "write" (func $write (param i32 i32 i32)))
                    (memory (export "memory") 1)
                    (func (export "wizer-initialize") {body}))"#
            );
            let error = run_text(&module).unwrap_err().to_string();
            assert!(
                error.contains("pre-initialisation failed") && error.contains(says),
                "{error}"
            );
        }
    }
}
