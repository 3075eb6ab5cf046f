//! Puts the packed first-party plugins of `target/plugins` into the program.
//!
//! `cargo xtask plugins` makes them. Without them the program builds too, so that `cargo check`
//! needs no WASM target; `serve` then says what is missing.

use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

fn main() {
    // As Cargo says it now: the build may have been moved since this script was compiled.
    let own = env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets CARGO_MANIFEST_DIR");
    let workspace = Path::new(&own).join("../..");
    let folder = env::var_os("OVERTURE_PLUGINS")
        .map_or_else(|| workspace.join("target/plugins"), PathBuf::from);
    println!("cargo:rerun-if-env-changed=OVERTURE_PLUGINS");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .collect();
    files.sort();

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    let mut code = String::from("&[\n");
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("plugin files have plain names");
        let packed = out.join(format!("{name}.wasm.zst"));
        let bytes = fs::read(file).expect("a packed plugin can be read");
        fs::write(
            &packed,
            zstd::encode_all(&bytes[..], 9).expect("memory can be compressed"),
        )
        .expect("the build's output folder can be written");
        writeln!(
            code,
            "    (\"{name}\", include_bytes!({:?})),",
            packed.display().to_string()
        )
        .expect("text can be written to memory");
    }
    code.push(']');
    fs::write(out.join("plugins.rs"), code).expect("the build's output folder can be written");
}
