//! What a host thinks of a plugin file before anything of it runs: manifest, imports, exports,
//! size.

use overture_plugin_pack::{Kind, Manifest, PackError, read_manifest};
use sha2::{Digest, Sha256};
use wasmtime::component::{
    Component, InstancePre,
    types::{Component as ComponentType, ComponentInstance, ComponentItem},
};

use crate::{
    cache::{CodeCache, compile},
    compiler::Compiler,
    error::LoadError,
    exports::Export,
    limiter::MAX_INSTANCES,
    limits::MAX_MEMORY,
    mail_provider::MailProviderExports,
    network_provider::NetworkProviderExports,
    plugin::Exports,
    runtime::{Class, Runtime, Runtimes},
    state::GuestState,
};

/// The version of the interface that this host speaks.
pub const WIT_VERSION: &str = "0.1.0";

const PACKAGE: &str = "overture:plugin/";

/// Records only; whoever imports an interface may import it.
const TYPES: &str = "types";

/// An interface that a plugin may import.
struct Capability {
    name: &'static str,
    functions: &'static [&'static str],
    /// What the manifest must say, if it must say anything.
    ask: Option<Ask>,
}

/// The words of the manifest, and whether it says them.
type Ask = (&'static str, fn(&Manifest) -> bool);

const CAPABILITIES: [Capability; 6] = [
    Capability {
        name: "log",
        functions: &["write"],
        ask: None,
    },
    Capability {
        name: "clock",
        functions: &["now"],
        ask: None,
    },
    Capability {
        name: "random",
        functions: &["bytes"],
        ask: None,
    },
    Capability {
        name: "store",
        functions: &["get", "set", "delete", "keys"],
        ask: Some(("`store-quota-bytes` under [capabilities]", |manifest| {
            manifest.capabilities.store_quota_bytes > 0
        })),
    },
    Capability {
        name: "http",
        functions: &["send"],
        ask: Some(("`http-hosts` under [capabilities]", |manifest| {
            !manifest.capabilities.http_hosts.is_empty()
        })),
    },
    Capability {
        name: "mailbox",
        functions: &[
            "[method]outgoing.message-id",
            "[method]outgoing.size",
            "[method]outgoing.raw",
            "[method]account.id",
            "[method]account.address",
            "[method]account.settings",
            "[method]account.submit",
            "[method]account.check-submission",
            "[method]account.folders",
            "[method]account.select",
            "[method]account.list-from",
            "[method]account.find",
            "[method]account.move-to",
            "[method]account.set-seen",
        ],
        ask: None,
    },
];

/// What plugins of a class may import.
fn offered(class: Class) -> &'static [Capability] {
    match class {
        Class::Pure => &CAPABILITIES[..1],
        Class::Session => &CAPABILITIES,
    }
}

fn names(capabilities: &[Capability]) -> String {
    capabilities
        .iter()
        .map(|c| c.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A file that passed.
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    pub(crate) class: Class,
    pub(crate) code: InstancePre<GuestState>,
    pub(crate) exports: Exports,
}

/// Reads, compiles and checks a plugin file. Nothing of it runs.
pub(crate) fn inspect(
    runtimes: &Runtimes,
    cache: Option<&CodeCache>,
    compiler: Option<&Compiler>,
    bytes: &[u8],
) -> Result<Checked, LoadError> {
    let manifest = manifest(bytes)?;
    let class = Class::of(&manifest.kinds);
    let runtime = runtimes.of(class);
    let component = match cache {
        Some(cache) => cache.component(&runtime.engine, compiler, bytes)?,
        None => compile(&runtime.engine, bytes)?,
    };
    check_imports(runtime, class, &manifest, &component.component_type())?;
    check_kinds(runtime, &manifest, &component.component_type())?;
    check_size(&component)?;
    let code = link(runtime, &component)?;
    let exports = exports(&manifest, &code)?;
    Ok(Checked {
        manifest,
        class,
        code,
        exports,
    })
}

/// What a plugin file says about itself, read without running or compiling anything of it.
///
/// # Errors
/// [`LoadError`] when it is no plugin file, is damaged, or its manifest can't be used.
pub fn manifest(bytes: &[u8]) -> Result<Manifest, LoadError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadError::NotWasm);
    }
    read_manifest(bytes).map_err(|e| match e {
        PackError::NotWasm(what) => LoadError::Damaged(what),
        e => e.into(),
    })
}

fn check_imports(
    runtime: &Runtime,
    class: Class,
    manifest: &Manifest,
    component: &ComponentType,
) -> Result<(), LoadError> {
    for (import, item) in component.imports(&runtime.engine) {
        let unknown = |fix: &str| LoadError::UnknownImport {
            import: import.to_owned(),
            host: WIT_VERSION,
            offered: names(offered(class)),
            fix: fix.to_owned(),
        };
        let Some(name) = import.strip_prefix(PACKAGE) else {
            let fix = "Build it for wasm32-unknown-unknown with the SDK: WASI and JavaScript \
                       targets import more";
            return Err(unknown(fix));
        };
        let (name, version) = name.split_once('@').unwrap_or((name, ""));
        let known = CAPABILITIES.iter().find(|c| c.name == name);
        if name != TYPES && known.is_none() {
            return Err(unknown(
                "Update the host, or remove the call from the plugin",
            ));
        }
        if !compatible(version) {
            return Err(unknown(
                "Build the plugin with the SDK of this version, or update the host",
            ));
        }
        let Some(capability) = known else { continue };
        if !offered(class).iter().any(|c| c.name == name) {
            return Err(LoadError::NotForKind {
                import: import.to_owned(),
                kind: manifest.kinds.first().copied().unwrap_or(Kind::Formatter),
                offered: names(offered(class)),
            });
        }
        if let Some((ask, asked)) = capability.ask
            && !asked(manifest)
        {
            return Err(LoadError::NotAsked {
                import: import.to_owned(),
                ask,
            });
        }
        if let ComponentItem::ComponentInstance(interface) = &item.ty {
            check_functions(runtime, capability, version, interface)?;
        }
    }
    Ok(())
}

/// A linker takes a plugin of a newer minor version without a word; what counts is whether every
/// function that it calls is here.
fn check_functions(
    runtime: &Runtime,
    capability: &Capability,
    version: &str,
    interface: &ComponentInstance,
) -> Result<(), LoadError> {
    for (function, item) in interface.exports(&runtime.engine) {
        let is_function = matches!(item.ty, ComponentItem::ComponentFunc(_));
        if is_function && !capability.functions.contains(&function) {
            return Err(LoadError::UnknownFunction {
                function: format!("{}.{}", capability.name, plain(function)),
                plugin: version.to_owned(),
                host: WIT_VERSION,
            });
        }
    }
    Ok(())
}

/// `[method]account.find` is `account.find` to people.
fn plain(function: &str) -> &str {
    function.split_once(']').map_or(function, |(_, name)| name)
}

/// Versions of one line: the same number before the first dot that counts.
fn compatible(version: &str) -> bool {
    let line = |v: &str| {
        let mut parts = v.split('.');
        (
            parts.next().map(str::to_owned),
            parts.next().map(str::to_owned),
        )
    };
    line(version) == line(WIT_VERSION)
}

fn check_kinds(
    runtime: &Runtime,
    manifest: &Manifest,
    component: &ComponentType,
) -> Result<(), LoadError> {
    for &kind in &manifest.kinds {
        let wanted = format!("{PACKAGE}{kind}@{WIT_VERSION}");
        if component.get_export(&runtime.engine, &wanted).is_some() {
            continue;
        }
        let alike = format!("{PACKAGE}{kind}@");
        let mut exports = component.exports(&runtime.engine);
        let found = exports.find(|(name, _)| name.starts_with(&alike));
        let found = found
            .map(|(name, _)| format!(" (it exports `{name}`)"))
            .unwrap_or_default();
        return Err(LoadError::KindMissing {
            kind,
            host: WIT_VERSION,
            found,
        });
    }
    Ok(())
}

/// What the pool could not hold. Memory is compared with the plugin's own limit at each call.
fn check_size(component: &Component) -> Result<(), LoadError> {
    let Some(needs) = component.resources_required() else {
        return Ok(());
    };
    let memory = needs.max_initial_memory_size.unwrap_or(0);
    let limits = [
        ("bytes of memory", memory, MAX_MEMORY),
        ("memories", needs.num_memories.into(), 1),
        ("tables", needs.num_tables.into(), MAX_INSTANCES as u64),
    ];
    match limits.into_iter().find(|(_, needs, limit)| needs > limit) {
        Some((what, needs, limit)) => Err(LoadError::TooBig { what, needs, limit }),
        None => Ok(()),
    }
}

/// Only shapes of functions are left to disagree about.
fn link(runtime: &Runtime, component: &Component) -> Result<InstancePre<GuestState>, LoadError> {
    runtime.linker.instantiate_pre(component).map_err(|e| {
        let words: Vec<String> = e.chain().map(ToString::to_string).collect();
        LoadError::ImportMismatch {
            host: WIT_VERSION,
            problem: words.join(": "),
        }
    })
}

fn exports(manifest: &Manifest, code: &InstancePre<GuestState>) -> Result<Exports, LoadError> {
    let is = |kind| manifest.kinds.contains(&kind);
    Ok(Exports {
        plugin: manifest.id.as_str().into(),
        formatter: is(Kind::Formatter)
            .then(|| Export::find(code))
            .transpose()?,
        classifier: is(Kind::Classifier)
            .then(|| Export::find(code))
            .transpose()?,
        mail_provider: is(Kind::MailProvider)
            .then(|| MailProviderExports::find(code))
            .transpose()?,
        network_provider: is(Kind::NetworkProvider)
            .then(|| NetworkProviderExports::find(code))
            .transpose()?,
    })
}

/// SHA-256 of a plugin file, in hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of functions and the WIT text say the same.
    #[test]
    fn the_table_of_functions_is_that_of_the_wit() {
        let wit = [
            include_str!("../../../wit/next/capabilities.wit"),
            include_str!("../../../wit/next/mailbox.wit"),
        ]
        .concat();
        let mut found: Vec<(String, String)> = Vec::new();
        let (mut interface, mut resource) = (String::new(), None::<String>);
        for line in wit.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("interface ") {
                interface = name.trim_end_matches(" {").to_owned();
            } else if let Some(name) = line.strip_prefix("resource ") {
                resource = Some(name.trim_end_matches(" {").to_owned());
            } else if line == "}" {
                // Records and variants in between close nothing that matters here.
            } else if let Some((name, _)) = line.split_once(": func(") {
                let method = resource.as_ref().filter(|_| interface == "mailbox");
                let name = match method {
                    Some(resource) => format!("[method]{resource}.{name}"),
                    None => name.to_owned(),
                };
                found.push((interface.clone(), name));
            }
        }
        let table = CAPABILITIES.iter().flat_map(|c| {
            c.functions
                .iter()
                .map(|f| (c.name.to_owned(), (*f).to_owned()))
        });
        assert_eq!(table.collect::<Vec<_>>(), found);
    }

    #[test]
    fn versions_of_one_line_are_compatible() {
        assert!(compatible("0.1.0") && compatible("0.1.7"));
        assert!(!compatible("0.2.0") && !compatible("1.1.0") && !compatible(""));
    }
}
