//! The manifest of a record as objects with roles: read from its `# Source:` lines, else recognised.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{RecordError, Revision};
use crate::manifest::{Manifest, ManifestError, Manifests, ObjectKey, Role, read_documents};

/// What `# Source:` lines begin with where r8 wrote them.
const OWN: &str = "r8/templates/";

/// One document of a manifest.
struct Document<'a> {
    /// The line that its text begins in, from 0.
    line: usize,
    text: &'a str,
    /// What its `# Source:` line names.
    source: &'a str,
}

impl Revision {
    /// The objects of the manifest with their roles.
    ///
    /// Where r8 wrote it, the `# Source:` lines say the roles. Where a chart made it, its routemap does, whose versions'
    /// objects `resources` reads; without a routemap, each Deployment and InferenceService is a version. Objects without a
    /// namespace lie in the release's.
    ///
    /// # Errors
    ///
    /// [`RecordError::Yaml`] and [`RecordError::Object`].
    pub fn manifests(&self, resources: impl Fn(&Value) -> Vec<Vec<ObjectKey>>) -> Result<Manifests, RecordError> {
        let mut list = Vec::new();
        let mut unknown = Vec::new();
        for document in documents(&self.manifest) {
            let Some(object) = document.object(&self.namespace)? else { continue };
            let wrong = |problem| RecordError::Object { line: document.line + 1, problem };
            let (template, role) = document.role().map_err(wrong)?;
            if role.is_none() {
                unknown.push(list.len());
            }
            let manifest = Manifest::from_object(object, template, role.unwrap_or(Role::Support)).map_err(wrong)?;
            let key = &manifest.key;
            if let Some((_, first)) = list.iter().find(|(_, known): &&(usize, Manifest)| known.key == *key) {
                let (key, first, second) = (Box::new(key.clone()), first.source(), manifest.source());
                return Err(wrong(ManifestError::Twice { key, first, second }));
            }
            list.push((document.line, manifest));
        }
        let mut list: Vec<Manifest> = list.into_iter().map(|(_, manifest)| manifest).collect();
        recognise(&mut list, &unknown, resources);
        Manifests::new(list).map_err(|problem| RecordError::Object { line: 1, problem })
    }
}

/// The documents of a manifest that say something.
fn documents(manifest: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut begin, mut first, mut at) = (0, 0, 0);
    let mut add = |begin: usize, end: usize, line: usize| {
        let text = manifest.get(begin..end).unwrap_or_default();
        let comments = text.lines().take_while(|line| line.is_empty() || line.starts_with('#'));
        let source = comments.filter_map(|line| line.strip_prefix("# Source: ")).last();
        documents.push(Document { line, text, source: source.unwrap_or_default().trim() });
    };
    for (number, line) in manifest.split_inclusive('\n').enumerate() {
        if line.trim_end() == "---" {
            add(begin, at, first);
            (begin, first) = (at + line.len(), number + 1);
        }
        at += line.len();
    }
    add(begin, manifest.len(), first);
    documents
}

impl<'a> Document<'a> {
    /// The object with its namespace; none for a document that holds nothing.
    fn object(&self, namespace: &str) -> Result<Option<Value>, RecordError> {
        let mut objects = read_documents(self.text).map_err(|error| RecordError::Yaml {
            line: self.line + error.line,
            column: error.column,
            message: error.message,
        })?;
        let Some(mut object) = objects.pop() else { return Ok(None) };
        if let Some(metadata) = object["metadata"].as_object_mut().filter(|_| !namespace.is_empty()) {
            let own = metadata.entry("namespace").or_insert(Value::Null);
            if own.is_null() || *own == "" {
                *own = namespace.into();
            }
        }
        Ok(Some(object))
    }

    /// The template and, where r8 wrote the document, the role.
    fn role(&self) -> Result<(&'a str, Option<Role>), ManifestError> {
        let own = self.source.strip_prefix(OWN).and_then(|source| source.rsplit_once(' '));
        match own {
            Some((template, role)) => Ok((template, Some(role.parse()?))),
            None => Ok((self.source, None)),
        }
    }
}

/// Finds the roles of objects that a chart made.
fn recognise(list: &mut [Manifest], unknown: &[usize], resources: impl Fn(&Value) -> Vec<Vec<ObjectKey>>) {
    let is_routemap = |manifest: &Manifest| {
        manifest.key.kind == "ConfigMap" && manifest.object["metadata"]["labels"]["iter8.tools/kind"] == "routemap"
    };
    let routemap = unknown.iter().find(|at| is_routemap(&list[**at]));
    let named = routemap.map(|at| resources(&list[*at].object)).unwrap_or_default();
    let mut versions = Versions::new(&named);
    for at in unknown {
        let manifest = &list[*at];
        let key = &manifest.key;
        let role = match key.kind.as_str() {
            "VirtualService" | "HTTPRoute" => Role::Route,
            "ConfigMap" if is_routemap(manifest) => Role::Routemap,
            "ConfigMap" => versions.of(key).map_or(Role::Support, Role::Weights),
            "Deployment" | "InferenceService" => Role::Version(versions.of_workload(key)),
            // Decided when all workloads are known.
            _ => Role::Support,
        };
        list[*at].role = role;
    }
    for at in unknown {
        let key = &list[*at].key;
        if key.kind == "Service" {
            list[*at].role = versions.of_service(key).map_or(Role::Support, Role::Version);
        }
    }
}

/// Which version an object belongs to.
struct Versions<'a> {
    named: BTreeMap<&'a ObjectKey, usize>,
    /// Namespace and name of each workload.
    workloads: BTreeMap<(String, String), usize>,
    next: usize,
}

impl<'a> Versions<'a> {
    fn new(named: &'a [Vec<ObjectKey>]) -> Versions<'a> {
        let keys = named.iter().enumerate().flat_map(|(index, keys)| keys.iter().map(move |key| (key, index)));
        Versions { named: keys.collect(), workloads: BTreeMap::new(), next: named.len() }
    }

    /// The version whose object the routemap names so; the chart leaves the namespace out where the routemap has one.
    fn of(&self, key: &ObjectKey) -> Option<usize> {
        let same = |known: &ObjectKey| known.group == key.group && known.kind == key.kind && known.name == key.name;
        let exact = self.named.get(key).copied();
        exact.or_else(|| self.named.iter().find(|(known, _)| same(known)).map(|(_, index)| *index))
    }

    fn of_workload(&mut self, key: &ObjectKey) -> usize {
        let index = self.of(key).unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.workloads.insert((key.namespace.clone(), key.name.clone()), index);
        index
    }

    fn of_service(&self, key: &ObjectKey) -> Option<usize> {
        let place = (key.namespace.clone(), key.name.clone());
        self.of(key).or_else(|| self.workloads.get(&place).copied())
    }
}

#[cfg(test)]
#[path = "manifests_tests.rs"]
mod tests;
