//! Sequences: how the controllers of a version report it, step by step, as data.
//!
//! `testdata/sequences/MODE/NAME.yaml` holds one. A step says what happens (`note`) and where that is known from
//! (`source`: program, version, file and function, or a recording), and at most one of these:
//!
//! * `status`: the whole status that the controller writes to the object of the sequence;
//! * `apply`: an object that the controller makes or changes, owned by the object of the sequence;
//! * `pods`: the status of the pods of a Deployment, of its newest or of its previous template.
//!
//! A step with none of them says that nothing is written. `wait` holds a step back until the object is `created`, or its
//! specification `changed` since the step before; `until` holds it back until an object contains what is given. In
//! every text `${name}` and `${namespace}` are the object's, `${storageUri}` is the model that it asks for now, `${now}`
//! the time. Conditions get their transition times when they are played.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// What a data file holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// One sentence: what is played.
    pub about: String,
    /// The object that it is played for, without a name; a test makes this one or one like it.
    pub object: Value,
    /// In order.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What happens.
    pub note: String,
    /// Where that is known from.
    pub source: String,
    /// What the step waits for.
    pub wait: Option<Wait>,
    /// An object, by kind and name, and what it contains before the step is played.
    pub until: Option<Value>,
    /// Replaces the status of the object of the sequence.
    pub status: Option<Value>,
    /// Applied by the controller.
    pub apply: Option<Value>,
    /// The status of pods.
    pub pods: Option<Pods>,
}

/// What a step waits for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// The object is there.
    Created,
    /// The object's generation is above the one that was seen last.
    Changed,
}

/// Some pods of a Deployment, and their status.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pods {
    /// Name of the Deployment.
    pub deployment: String,
    /// Which pods.
    pub template: Template,
    /// Merged into the status of each.
    pub status: Value,
}

/// Which of a Deployment's pods: those of the newest ReplicaSet, or of the one before.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// The specification now stored.
    Newest,
    /// The specification before that.
    Previous,
}

impl Sequence {
    /// Reads `testdata/sequences/NAME.yaml`.
    ///
    /// # Panics
    ///
    /// When there is no such file, or it holds something else.
    pub fn read(name: &str) -> Sequence {
        let path = folder().join(name).with_extension("yaml");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// The names of all sequences, in order.
pub fn files() -> Vec<String> {
    let folder = folder();
    let mut names = Vec::new();
    for mode in std::fs::read_dir(&folder).expect("testdata is there") {
        for file in std::fs::read_dir(mode.expect("testdata is readable").path()).expect("a mode is a folder") {
            let path = file.expect("testdata is readable").path();
            let name = path.strip_prefix(&folder).expect("it is below").with_extension("");
            names.push(name.to_str().expect("names are UTF-8").to_owned());
        }
    }
    names.sort();
    names
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sequences")
}
