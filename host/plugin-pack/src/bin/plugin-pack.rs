//! `plugin-pack CORE.wasm plugin.toml OUT.wasm`: packs one plugin, for the build.

use std::{fs, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, manifest, out] = arguments.as_slice() else {
        return fail("usage: plugin-pack CORE.wasm plugin.toml OUT.wasm");
    };
    match pack(module.as_ref(), manifest.as_ref(), out.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

fn pack(module: &Path, manifest: &Path, out: &Path) -> Result<(), String> {
    let core = fs::read(module).map_err(|e| format!("{}: {e}", module.display()))?;
    let text = fs::read_to_string(manifest).map_err(|e| format!("{}: {e}", manifest.display()))?;
    let plugin = overture_plugin_pack::pack(&core, &text)
        .map_err(|e| format!("{}: {e}", manifest.display()))?;
    fs::write(out, plugin).map_err(|e| format!("{}: {e}", out.display()))
}

#[expect(
    clippy::print_stderr,
    reason = "a command says on stderr why it failed"
)]
fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
