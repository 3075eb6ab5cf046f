//! The component around a core module: what goes in, what comes out, what hangs on it.

use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

use crate::{Kind, Manifest, PackError};

/// The package whose interfaces are all that a plugin imports and exports.
const PACKAGE: &str = "overture:plugin/";

/// Refuses what is no core module, and one that imports more than the plugin interface (PLG-2).
pub(crate) fn check_core_module(bytes: &[u8]) -> Result<(), PackError> {
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(not_wasm)? {
            Payload::Version {
                encoding: Encoding::Component,
                ..
            } => {
                return Err(PackError::AlreadyComponent);
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import.map_err(not_wasm)?;
                    let module = import
                        .module
                        .strip_prefix("[export]")
                        .unwrap_or(import.module);
                    if !module.starts_with(PACKAGE) {
                        let name = format!("{}.{}", import.module, import.name);
                        return Err(PackError::ForeignImport(name));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Encodes a core module as a component of the world that the SDK wrote into it.
pub(crate) fn encode(core_module: &[u8]) -> Result<Vec<u8>, PackError> {
    let encode = || {
        ComponentEncoder::default()
            .module(core_module)?
            .validate(true)
            .encode()
    };
    encode().map_err(|e| PackError::Encode(format!("{e:#}").replace('\n', " ")))
}

/// Checks that the component offers what the manifest says, and nothing else.
pub(crate) fn check_exports(component: &[u8], manifest: &Manifest) -> Result<(), PackError> {
    let exports = exported_interfaces(component)?;
    if exports.is_empty() {
        return Err(PackError::NoInterface);
    }
    let mut found = Vec::new();
    for (name, version) in exports {
        let Ok(kind) = name.parse::<Kind>() else {
            continue;
        };
        if !manifest.kinds.contains(&kind) {
            return Err(PackError::KindUndeclared { kind });
        }
        if !version.starts_with(&format!("{}.", manifest.wit)) {
            return Err(PackError::WitMismatch {
                manifest: manifest.wit,
                module: version,
            });
        }
        found.push(kind);
    }
    match manifest.kinds.iter().find(|kind| !found.contains(kind)) {
        Some(&kind) => Err(PackError::KindMissing { kind }),
        None => Ok(()),
    }
}

/// Name and version of each interface of our package that a component exports.
fn exported_interfaces(component: &[u8]) -> Result<Vec<(String, String)>, PackError> {
    let mut found = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(not_wasm)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    let name = export.map_err(not_wasm)?.name.name;
                    if let Some(ours) = name.strip_prefix(PACKAGE) {
                        let (interface, version) = ours.split_once('@').unwrap_or((ours, ""));
                        found.push((interface.to_owned(), version.to_owned()));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The contents of the outermost custom section of this name.
pub(crate) fn custom_section<'a>(
    component: &'a [u8],
    name: &str,
) -> Result<Option<&'a [u8]>, PackError> {
    let mut found = None;
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(not_wasm)? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                return Err(PackError::NotComponent);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == name => {
                found = Some(section.data());
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Custom sections may stand at the end: id 0, size, name with its length, contents.
pub(crate) fn append_custom_section(wasm: &mut Vec<u8>, name: &str, contents: &[u8]) {
    let mut body = Vec::with_capacity(name.len() + contents.len() + 5);
    leb128(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(contents);
    wasm.push(0);
    leb128(wasm, body.len());
    wasm.extend_from_slice(&body);
}

fn leb128(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[expect(clippy::needless_pass_by_value, reason = "it goes into map_err")]
fn not_wasm(error: wasmparser::BinaryReaderError) -> PackError {
    let said = error.message();
    let said = if said.contains("bad magic number") {
        "it begins with other bytes"
    } else {
        said
    };
    PackError::NotWasm(said.to_owned())
}
