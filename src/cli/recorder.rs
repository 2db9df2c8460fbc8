//! What messages are for machines: findings, with places that a machine can open.

use std::path::{Component, Path, PathBuf};

use super::message;
use crate::findings::{Finding, Form, Place};
use crate::values::{self, Kind, Source, SourceName, Values};

/// The most findings that are kept; a document of more is read by nobody.
pub(super) const MOST: usize = 1_000;

/// Keeps what a report tells.
pub(super) struct Recorder {
    found: Vec<Finding>,
    /// Whether people read the document itself, in the log that it is written to.
    pub silent: bool,
    folder: PathBuf,
    /// The folder that paths are relative to.
    base: PathBuf,
    /// The values that all is about, with their sources.
    values: Option<(Values, Vec<Source>)>,
}

impl Recorder {
    /// A recorder for one form. Paths are relative to the working directory `folder`; where a CI system names the folder of
    /// the repository, and `folder` lies in it, to that: this is how the system reads them.
    pub fn new(form: Form, folder: PathBuf, variable: &dyn Fn(&str) -> Option<String>) -> Recorder {
        let roots = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"].into_iter().filter_map(variable).map(PathBuf::from);
        let base = roots.filter(|root| root.is_absolute()).find(|root| folder.starts_with(root));
        let base = base.unwrap_or_else(|| folder.clone());
        Recorder { found: Vec::new(), silent: form == Form::Github, folder, base, values: None }
    }

    /// Keeps a finding; its place is made one that a machine can open, or none of a file.
    pub fn add(&mut self, mut finding: Finding) {
        if let Some(place) = &mut finding.place {
            self.settle(place);
        }
        self.found.push(finding);
    }

    /// How a machine finds a file; none where there is no such file.
    pub fn file(&self, path: &str) -> Option<String> {
        let mut place = Place { source: path.to_owned(), is_file: true, line: None, column: None, length: None };
        self.settle(&mut place);
        place.is_file.then_some(place.source)
    }

    /// Keeps the values that are read, to know where they say what.
    pub fn read(&mut self, sources: &[Source]) {
        self.values = values::load(sources).ok().map(|values| (values, sources.to_vec()));
    }

    /// The first file of the values.
    pub fn values(&self) -> Option<String> {
        let (_, sources) = self.values.as_ref()?;
        let path = |source: &Source| match &source.name {
            SourceName::File(path) => self.file(path),
            _ => None,
        };
        sources.iter().find_map(path)
    }

    /// Where the values have a key, or an entry of the list below it; where they have neither, the nearest key above.
    pub fn place(&self, path: &[&str], index: Option<usize>) -> Option<Place> {
        let (values, sources) = self.values.as_ref()?;
        let (mut node, mut origin) = (values.root(), None);
        for key in path {
            let Some(entry) = node.as_map().and_then(|map| map.get(*key)) else { break };
            (node, origin) = (&entry.value, Some(entry.key));
        }
        if let (Kind::List(items), Some(index)) = (&node.kind, index) {
            origin = items.get(index).map(|item| item.origin).or(origin);
        }
        let origin = origin?;
        Some(message::place(sources.get(origin.source as usize)?, origin))
    }

    /// What was kept since `mark`, of which there were so many then.
    pub fn since(&mut self, mark: usize) -> Vec<Finding> {
        self.found.split_off(mark.min(self.found.len()))
    }

    /// How many there are.
    pub fn mark(&self) -> usize {
        self.found.len()
    }

    fn settle(&self, place: &mut Place) {
        let whole = normal(&self.folder.join(&place.source));
        // Values of a record have the name of no file.
        place.is_file = place.is_file && whole.is_file();
        if place.is_file {
            let path = whole.strip_prefix(&self.base).unwrap_or(&whole);
            place.source = path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
        }
    }
}

/// A path without `.` and `..`, as far as its own words tell.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_path_that_the_machine_opens() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("deploy");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("values.yaml"), "").unwrap();
        let whole = folder.join("values.yaml");
        let path = |root: Option<&Path>, path: &str| {
            let variable = |name: &str| {
                let root = root.filter(|_| name == "GITHUB_WORKSPACE")?;
                Some(root.to_str().unwrap().to_owned())
            };
            Recorder::new(Form::Sarif, folder.clone(), &variable).file(path)
        };
        for typed in ["values.yaml", "./values.yaml", "../deploy/values.yaml", whole.to_str().unwrap()] {
            assert_eq!(path(None, typed).as_deref(), Some("values.yaml"), "{typed}");
            assert_eq!(path(Some(root.path()), typed).as_deref(), Some("deploy/values.yaml"), "{typed}");
            // A folder that r8 does not run in says nothing.
            assert_eq!(path(Some(&root.path().join("other")), typed).as_deref(), Some("values.yaml"), "{typed}");
        }
        assert_eq!(path(None, "--set #1"), None);
    }
}
