//! The values files that are judged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use r8::spec::Identity;
use r8::templates::{Catalog, File};

use super::files::files;

/// One values file to be judged.
pub struct Case {
    pub name: String,
    pub text: String,
    pub catalog: Catalog,
    pub identity: Identity,
}

/// Every values file of the case folders and of the documented releases.
pub fn cases() -> Vec<Case> {
    let is_release = |path: &PathBuf| path.ends_with("values.yaml");
    let folders = files(&root().join("testdata/render")).into_iter().filter(is_release);
    let mut cases: Vec<Case> = folders.filter_map(|path| rendered(&path)).collect();
    let layers = files(&root().join("testdata/values")).into_iter();
    let layers = layers.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    cases.extend(layers.map(|path| Case {
        name: path.strip_prefix(root().join("testdata")).unwrap().display().to_string(),
        text: fs::read_to_string(&path).unwrap(),
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
    let templates = files(&folder.join("templates"));
    let own = templates.iter().map(|path| File {
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
