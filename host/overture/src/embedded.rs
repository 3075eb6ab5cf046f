//! The first-party plugins inside this program.

use anyhow::{Context, Result};

/// Name and compressed file of each plugin, as the build found them.
const PLUGINS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/plugins.rs"));

/// The plugin files, unpacked.
///
/// # Errors
/// When the program was built without them.
pub fn plugins() -> Result<Vec<(String, Vec<u8>)>> {
    anyhow::ensure!(
        !PLUGINS.is_empty(),
        "this program was built without plugins: run `cargo xtask plugins` and build again"
    );
    PLUGINS
        .iter()
        .map(|(name, packed)| {
            let bytes = zstd::decode_all(*packed)
                .with_context(|| format!("the built-in plugin {name} is damaged"))?;
            Ok(((*name).to_owned(), bytes))
        })
        .collect()
}
