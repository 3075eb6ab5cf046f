//! Compiled code on disk: used when it is this host's own, never otherwise.

use std::fs;

use overture_plugin_host::{CodeCache, Compiler, HostConfig, Origin, PluginHost, compile};

use crate::{
    guests::{context, event, guest, id, workspace},
    services::Fakes,
};

fn host(cache: &CodeCache) -> PluginHost {
    let config = HostConfig {
        places: 2,
        cache: Some(cache.clone()),
        compiler: None,
    };
    PluginHost::new(config, Fakes::default().services()).unwrap()
}

async fn works(cache: &CodeCache) {
    let host = host(cache);
    host.load(&guest("echo"), Origin::Embedded, None).unwrap();
    let formatter = host.formatter(&id("echo")).unwrap();
    let answer = formatter
        .format(workspace(1), &event(), &context("{}"))
        .await
        .unwrap();
    assert_eq!(answer.body, event().data.into_bytes());
}

fn only_file(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let mut files = fs::read_dir(folder.path()).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

#[tokio::test]
async fn code_is_kept_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CodeCache::new(folder.path(), [1; 32]);
    works(&cache).await;
    let written = fs::metadata(only_file(&folder))
        .unwrap()
        .modified()
        .unwrap();
    works(&cache).await;
    assert_eq!(
        fs::metadata(only_file(&folder))
            .unwrap()
            .modified()
            .unwrap(),
        written
    );
}

/// A host whose plugins are compiled by `sh -c SCRIPT`.
fn by_script(cache: &CodeCache, script: &str) -> PluginHost {
    let config = HostConfig {
        places: 2,
        cache: Some(cache.clone()),
        compiler: Some(Compiler::new("/bin/sh", ["-c", script])),
    };
    PluginHost::new(config, Fakes::default().services()).unwrap()
}

#[tokio::test]
async fn what_another_process_compiled_is_used_and_kept() {
    let (folder, made) = (
        tempfile::tempdir().unwrap(),
        tempfile::NamedTempFile::new().unwrap(),
    );
    let code = compile(&guest("echo")).unwrap();
    fs::write(&made, &code).unwrap();
    let cache = CodeCache::new(folder.path(), [1; 32]);
    let script = format!("cat > /dev/null; cat {}", made.path().display());
    let host = by_script(&cache, &script);
    host.load(&guest("echo"), Origin::Embedded, None).unwrap();
    let kept = fs::read(only_file(&folder)).unwrap();
    assert!(kept.ends_with(&code));
    works(&cache).await;
    assert_eq!(fs::read(only_file(&folder)).unwrap(), kept);
}

#[tokio::test]
async fn what_another_process_can_t_compile_is_refused_in_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let cache = CodeCache::new(folder.path(), [1; 32]);
    let refusal = |script| {
        let host = by_script(&cache, script);
        let loaded = host.load(&guest("echo"), Origin::Embedded, None);
        loaded.unwrap_err().to_string()
    };
    let words = refusal("echo 'error: this is too deep' >&2; exit 1");
    assert!(words.contains("this is too deep"), "{words}");
    let words = refusal("kill -KILL $$");
    assert!(words.contains("too much time or memory"), "{words}");
}

#[tokio::test]
async fn where_no_process_can_be_started_this_one_compiles() {
    let folder = tempfile::tempdir().unwrap();
    let config = HostConfig {
        places: 2,
        cache: Some(CodeCache::new(folder.path(), [1; 32])),
        compiler: Some(Compiler::new("/nowhere/overture", ["compile-plugin"])),
    };
    let host = PluginHost::new(config, Fakes::default().services()).unwrap();
    host.load(&guest("echo"), Origin::Embedded, None).unwrap();
}

/// DESIGN §3: code that this host did not make is never run: it is compiled anew.
#[tokio::test]
async fn foreign_or_changed_code_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let ours = CodeCache::new(folder.path(), [1; 32]);
    works(&CodeCache::new(folder.path(), [2; 32])).await;
    let file = only_file(&folder);
    let foreign = fs::read(&file).unwrap();
    works(&ours).await;
    let own = fs::read(&file).unwrap();
    assert_ne!(own, foreign, "it was replaced");

    for changed in [&own[..own.len() / 2], &own[..4], b"", &flipped(&own)] {
        fs::write(&file, changed).unwrap();
        works(&ours).await;
        assert_eq!(
            fs::read(&file).unwrap()[8..40],
            own[8..40],
            "it was replaced"
        );
    }
}

fn flipped(file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let middle = file.len() / 2;
    file[middle] ^= 1;
    file
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_only_time() {
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("file");
    fs::write(&occupied, "in the way").unwrap();
    works(&CodeCache::new(occupied.join("cache"), [1; 32])).await;
}
