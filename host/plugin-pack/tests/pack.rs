//! Core modules become plugins, and what can't become one is told why (PLG-1, PLG-2).

use overture_plugin_pack::{Kind, PackError, pack, read_manifest};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// A module that exports what a world of our package wants, and traps when called.
fn guest(world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_dir("../../wit/next")
        .expect("the package is sound");
    let world = resolve
        .select_world(&[package], Some(world))
        .expect("it has this world");
    let abi = ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync);
    let mut module = wit_component::dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .expect("the module has room for a section");
    module
}

fn manifest(kind: &str) -> String {
    format!(
        "id = \"example\"\nname = \"Example\"\nversion = \"1.0.0\"\nkinds = [\"{kind}\"]\n\
         wit = \"0.1\"\ndescription = \"An example\"\nauthors = [\"Somebody\"]\nlicense = \"MIT\"\n"
    )
}

#[test]
fn a_packed_plugin_carries_its_manifest() {
    for kind in Kind::ALL {
        let world = format!("{kind}-plugin");
        let text = manifest(kind.as_str());
        let plugin = pack(&guest(&world), &text).unwrap();
        let read = read_manifest(&plugin).unwrap();
        assert_eq!(read, overture_plugin_pack::Manifest::parse(&text).unwrap());
        assert_eq!(read.kinds, [kind]);
        // The same input makes the same file.
        assert_eq!(pack(&guest(&world), &text).unwrap(), plugin);
    }
}

/// What a user sees, when it can't be packed.
#[test]
fn what_is_no_plugin_is_told_why() {
    let wasm = |text: &str| wat::parse_str(text).unwrap();
    let formatter = guest("formatter-plugin");
    let wasi = wasm(r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)))"#);
    let bindgen = wasm(r#"(module (import "__wbindgen_placeholder__" "x" (func)))"#);
    let plain = wasm(r#"(module (memory (export "memory") 1))"#);
    let component = pack(&formatter, &manifest("formatter")).unwrap();
    let fails = |module: &[u8], kind: &str| pack(module, &manifest(kind)).unwrap_err();

    let seen: Vec<String> = [
        fails(b"#!/bin/sh", "formatter"),
        fails(&component, "formatter"),
        fails(&wasi, "formatter"),
        fails(&bindgen, "formatter"),
        fails(&plain, "formatter"),
        fails(&formatter, "classifier"),
        fails(&formatter, "formatter\", \"classifier"),
        pack(&formatter, &manifest("formatter").replace("0.1", "0.2")).unwrap_err(),
        pack(&formatter, "id = 7").unwrap_err(),
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn reading_what_is_no_plugin() {
    let module = guest("formatter-plugin");
    assert!(matches!(
        read_manifest(&module),
        Err(PackError::NotComponent)
    ));
    assert!(matches!(
        read_manifest(b"not wasm"),
        Err(PackError::NotWasm(_))
    ));
    let component = wat::parse_str("(component)").unwrap();
    assert!(matches!(
        read_manifest(&component),
        Err(PackError::NoManifest)
    ));
}
