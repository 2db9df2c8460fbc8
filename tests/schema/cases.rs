//! The values files that are judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use r8::spec::Identity;
use r8::templates::{Catalog, File};

/// One values file to be judged.
pub struct Case {
    pub name: String,
    pub text: String,
    pub catalog: Catalog,
    pub identity: Identity,
}

/// Every values file of the case folders and of the documented releases.
pub fn cases() -> Vec<Case> {
    let mut files = Vec::new();
    collect(&root().join("testdata/render"), &mut files);
    files.retain(|path| path.ends_with("values.yaml"));
    let mut cases: Vec<Case> = files.iter().filter_map(|path| rendered(path)).collect();
    let mut files = Vec::new();
    collect(&root().join("testdata/values"), &mut files);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    cases.extend(files.iter().map(|path| Case {
        name: path.strip_prefix(root().join("testdata")).unwrap().display().to_string(),
        text: fs::read_to_string(path).unwrap(),
        catalog: Catalog::embedded(),
        identity: identity(None, "default"),
    }));
    cases
}

/// A case of `testdata/render`, with its own environments; none where their tables cannot be read.
fn rendered(values: &Path) -> Option<Case> {
    let folder = values.parent().unwrap();
    let args = fs::read_to_string(folder.join("args")).unwrap_or_default();
    let words: Vec<&str> = args.split_whitespace().collect();
    let release = words.first().filter(|word| !word.starts_with('-'));
    let namespace = words.iter().position(|word| *word == "-n").map_or("default", |at| words[at + 1]);
    let mut paths = Vec::new();
    collect(&folder.join("templates"), &mut paths);
    let own = paths.iter().map(|path| File {
        path: path.strip_prefix(folder.join("templates")).unwrap().display().to_string(),
        text: fs::read_to_string(path).unwrap(),
    });
    Some(Case {
        name: folder.strip_prefix(root().join("testdata")).unwrap().display().to_string(),
        text: fs::read_to_string(values).unwrap(),
        catalog: Catalog::embedded().with_files(own.collect()).ok()?,
        identity: identity(release.copied(), namespace),
    })
}

pub fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

/// The cases whose judgements differ, with the reason why they may.
pub fn exceptions() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("testdata/schema/exceptions.yaml")).unwrap();
    let list: Vec<BTreeMap<String, String>> = serde_saphyr::from_str(&text).unwrap();
    list.into_iter().map(|mut entry| (entry.remove("case").unwrap(), entry.remove("reason").unwrap())).collect()
}

pub fn identity(release: Option<&str>, namespace: &str) -> Identity {
    Identity { release: release.map(str::to_owned), namespace: namespace.to_owned() }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
