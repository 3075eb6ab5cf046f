//! Files that are no plugins, and plugins that do not fit: what their author or the admin reads.

use overture_plugin_host::{HostConfig, LoadError, Origin, PluginHost, check};
use overture_plugin_pack::MANIFEST_SECTION;

use crate::{guests::guest, services::Fakes};

fn refused(bytes: &[u8]) -> String {
    let config = HostConfig {
        places: 1,
        ..HostConfig::default()
    };
    let host = PluginHost::new(config, Fakes::default().services()).unwrap();
    let error: LoadError = host.load(bytes, Origin::Embedded, None).err().unwrap();
    assert!(
        host.list().is_empty(),
        "a refused file leaves nothing behind"
    );
    let said = check(bytes).unwrap();
    assert_eq!(said.problem.unwrap().to_string(), error.to_string());
    error.to_string()
}

#[test]
fn what_is_no_component_is_told_so() {
    let no_wasm = refused(b"hello, I am a text file");
    insta::assert_snapshot!(no_wasm);
    insta::assert_snapshot!(refused(b""));
    insta::assert_snapshot!(refused(b"\0asm\x01\0\0\0"));
    insta::assert_snapshot!(refused(b"\0asm\x0d\0\x01\0"));
    let whole = guest("echo");
    insta::assert_snapshot!(refused(&whole[..whole.len() / 2]));
}

#[test]
fn a_file_with_changed_bytes_is_refused() {
    let mut changed = guest("echo");
    // In the middle of the code, where it is no longer valid.
    let middle = changed.len() / 3;
    changed[middle..middle + 64].fill(0xff);
    let said = refused(&changed);
    assert!(
        said.starts_with("the file is damaged") || said.contains("can't be compiled"),
        "{said}"
    );
}

// PLG-2
#[test]
fn imports_that_nobody_granted_are_refused() {
    insta::assert_snapshot!(refused(&guest("reaches-out")));
    insta::assert_snapshot!(refused(&guest("asks-nothing")));
}

/// A component in text form, with a manifest.
fn component(text: &str, manifest: &str) -> Vec<u8> {
    let mut bytes = wat::parse_str(text).unwrap();
    let mut section = vec![MANIFEST_SECTION.len() as u8];
    section.extend_from_slice(MANIFEST_SECTION.as_bytes());
    section.extend_from_slice(manifest.as_bytes());
    bytes.push(0);
    let mut size = section.len();
    while size >= 0x80 {
        bytes.push(size as u8 | 0x80);
        size >>= 7;
    }
    bytes.push(size as u8);
    bytes.extend_from_slice(&section);
    bytes
}

fn manifest(kind: &str) -> String {
    format!(
        r#"
id = "made-up"
name = "Made up"
version = "1.0.0"
kinds = ["{kind}"]
wit = "0.1"
description = "A component written by hand"
authors = ["Overture contributors"]
license = "Apache-2.0"
"#
    )
}

fn check_component(kind: &str, text: &str) -> String {
    refused(&component(&format!("(component {text})"), &manifest(kind)))
}

// PLG-1, PLG-2
#[test]
fn interfaces_that_do_not_fit_are_named_with_both_versions() {
    insta::assert_snapshot!(check_component(
        "formatter",
        r#"(import "wasi:cli/environment@0.2.0" (instance))"#
    ));
    insta::assert_snapshot!(check_component(
        "mail-provider",
        r#"(import "overture:plugin/telepathy@0.1.0" (instance))"#
    ));
    insta::assert_snapshot!(check_component(
        "mail-provider",
        r#"(import "overture:plugin/clock@0.7.0" (instance (export "now" (func (result u64)))))"#
    ));
    insta::assert_snapshot!(check_component(
        "mail-provider",
        r#"(import "overture:plugin/clock@0.1.4" (instance (export "zone" (func (result string)))))"#
    ));
    insta::assert_snapshot!(check_component(
        "formatter",
        r#"(instance $i) (export "overture:plugin/formatter@0.2.0" (instance $i))"#
    ));
    insta::assert_snapshot!(check_component("formatter", ""));
    insta::assert_snapshot!(check_component(
        "formatter",
        r#"(instance $i) (export "overture:plugin/formatter@0.1.0" (instance $i))"#
    ));
}

// PLG-1
#[test]
fn functions_of_another_shape_are_refused() {
    insta::assert_snapshot!(check_component(
        "mail-provider",
        r#"(import "overture:plugin/clock@0.1.0" (instance (export "now" (func (result string)))))
           (instance $i) (export "overture:plugin/mail-provider@0.1.0" (instance $i))"#
    ));
    insta::assert_snapshot!(check_component(
        "formatter",
        r#"(core module $m (func (export "format") (result i32) i32.const 1))
           (core instance $c (instantiate $m))
           (func $f (result u32) (canon lift (core func $c "format")))
           (instance $i (export "format" (func $f)))
           (export "overture:plugin/formatter@0.1.0" (instance $i))"#
    ));
    insta::assert_snapshot!(check_component(
        "formatter",
        r#"(core module $m (memory 32768))
           (core instance $c (instantiate $m))
           (instance $i) (export "overture:plugin/formatter@0.1.0" (instance $i))"#
    ));
}

// PLG-4
#[test]
fn a_report_says_what_a_plugin_is_and_asks_for() {
    let report = check(&guest("asks-all")).unwrap();
    assert!(report.problem.is_none(), "{report}");
    let text = report.to_string();
    let (digest, rest) = text.split_once('\n').unwrap();
    assert_eq!(digest.len(), "sha256   ".len() + 64);
    let (size, rest) = rest.split_once('\n').unwrap();
    assert!(size.ends_with(" bytes"), "{size}");
    insta::assert_snapshot!(rest);
}

#[test]
fn a_new_file_replaces_the_plugin_of_the_same_id() {
    let config = HostConfig {
        places: 1,
        ..HostConfig::default()
    };
    let host = PluginHost::new(config, Fakes::default().services()).unwrap();
    let first = host.load(&guest("echo"), Origin::Embedded, None).unwrap();
    let again = host
        .load(&guest("echo"), Origin::File("echo.wasm".into()), None)
        .unwrap();
    assert_eq!(first.digest, again.digest);
    assert_eq!(host.list().len(), 1);
    assert_eq!(host.list()[0].origin, Origin::File("echo.wasm".into()));
    assert!(host.unload("guest-echo") && !host.unload("guest-echo"));
}

// A machine with too few addresses for the pool is served without one.
#[tokio::test]
async fn without_room_for_a_pool_calls_still_work() {
    use crate::guests::{context, event, id, workspace};
    // 400 TB of addresses: more than any machine of today has.
    let config = HostConfig {
        places: 100_000,
        ..HostConfig::default()
    };
    let host = PluginHost::new(config, Fakes::default().services()).unwrap();
    host.load(&guest("echo"), Origin::Embedded, None).unwrap();
    let formatter = host.formatter(&id("echo")).unwrap();
    let answer = formatter
        .format(workspace(1), &event(), &context("{}"))
        .await
        .unwrap();
    assert_eq!(answer.body, event().data.into_bytes());
}
