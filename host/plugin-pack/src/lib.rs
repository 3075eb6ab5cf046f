//! One file is one plugin: this crate makes it, and reads it back without running it.
//!
//! [`pack`] takes the core module that `cargo build --target wasm32-unknown-unknown` leaves and
//! the `plugin.toml` beside its source, and
//!
//! 1. reads the manifest ([`Manifest`]) and refuses one that promises what the host would not keep;
//! 2. pre-initialises the module: runs the guest's `wizer-initialize` once, so that tables,
//!    automata and regexes are built here and not in every call, and leaves room in its memory,
//!    so that no call has to grow it (both decide the speed: a fresh instance serves each call);
//! 3. encodes it as a component of the WIT world that the SDK named in it, and validates that;
//! 4. checks that it exports the kinds of the manifest and imports nothing but the plugin
//!    interface (PLG-2);
//! 5. appends the manifest's text as the custom section [`MANIFEST_SECTION`].
//!
//! [`read_manifest`] is what a host asks before anything of a guest runs.

mod component;
mod manifest;
mod preinit;

pub use manifest::{
    Capabilities, Kind, Limits, Manifest, ManifestError, SecretSlot, UrlPattern, WitVersion,
};

/// The custom section of a plugin file that holds the text of its `plugin.toml`.
pub const MANIFEST_SECTION: &str = "overture:plugin.toml";

/// Why a module cannot become a plugin, or a file is none. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The `plugin.toml` can't be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The bytes are not WebAssembly.
    #[error(
        "this is no WebAssembly file ({0}); give the .wasm file that \
         `cargo build --release --target wasm32-unknown-unknown` wrote"
    )]
    NotWasm(String),
    /// A component where a core module is expected.
    #[error(
        "this is a component already; give the core module that \
         `cargo build --release --target wasm32-unknown-unknown` wrote"
    )]
    AlreadyComponent,
    /// A core module where a packed plugin is expected.
    #[error("this is a core module, not a plugin; make one of it with `overture plugin pack`")]
    NotComponent,
    /// A component without a manifest.
    #[error(
        "this component carries no plugin.toml (custom section `{MANIFEST_SECTION}`); \
         pack it with `overture plugin pack`"
    )]
    NoManifest,
    /// The module asks for something that no plugin gets (PLG-2).
    #[error(
        "the module imports `{0}`, which no plugin gets: build for wasm32-unknown-unknown \
         (WASI and JavaScript targets import more) and use the SDK's functions instead"
    )]
    ForeignImport(String),
    /// No world in it: none of the SDK's macros was called.
    #[error(
        "the module exports no plugin interface; call a macro of the SDK once in the crate, \
         such as `overture_plugin::formatter!(MyFormatter);`, and build with crate-type cdylib"
    )]
    NoInterface,
    /// The manifest names a kind that the component doesn't export.
    #[error(
        "plugin.toml says kind \"{kind}\", but the module doesn't export \
         `overture:plugin/{kind}`; call the SDK's macro for it or correct `kinds`"
    )]
    KindMissing {
        /// The kind that the manifest promises.
        kind: Kind,
    },
    /// The component exports a kind that the manifest doesn't name.
    #[error(
        "the module exports `overture:plugin/{kind}`; add \"{kind}\" to `kinds` in plugin.toml"
    )]
    KindUndeclared {
        /// The kind that the module exports.
        kind: Kind,
    },
    /// Manifest and module speak of different lines of the interface.
    #[error(
        "plugin.toml says wit = \"{manifest}\", but the module was built for {module}; \
         correct `wit` or use the SDK of that line"
    )]
    WitMismatch {
        /// The line that the manifest names.
        manifest: WitVersion,
        /// The version in the module's exports.
        module: String,
    },
    /// The guest's own initialisation failed.
    #[error(
        "pre-initialisation failed: {0}; the code given to `overture_plugin::preinit!` must not \
         panic and must not call the host"
    )]
    Preinit(String),
    /// The module could not be encoded as a component.
    #[error("the module can't be made a component: {0}")]
    Encode(String),
}

/// Makes a plugin file of a core module and the text of its `plugin.toml`.
///
/// # Errors
/// Every variant of [`PackError`] that speaks of a module or a manifest.
pub fn pack(core_module: &[u8], manifest_toml: &str) -> Result<Vec<u8>, PackError> {
    let manifest = Manifest::parse(manifest_toml)?;
    component::check_core_module(core_module)?;
    let ready = preinit::run(core_module)?;
    let mut plugin = component::encode(&ready)?;
    component::check_exports(&plugin, &manifest)?;
    component::append_custom_section(&mut plugin, MANIFEST_SECTION, manifest_toml.as_bytes());
    Ok(plugin)
}

/// The manifest that a plugin file carries, read without running anything of it.
///
/// # Errors
/// [`PackError::NotWasm`], [`PackError::NotComponent`], [`PackError::NoManifest`], and
/// [`PackError::Manifest`] for one that this host can't use.
pub fn read_manifest(component: &[u8]) -> Result<Manifest, PackError> {
    let text = component::custom_section(component, MANIFEST_SECTION)?;
    let text = text.ok_or(PackError::NoManifest)?;
    let text = std::str::from_utf8(text).map_err(|_| ManifestError::not_utf8())?;
    Ok(Manifest::parse(text)?)
}
