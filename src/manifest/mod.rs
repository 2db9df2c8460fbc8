//! Kubernetes objects with a key and a role, in the order in which they can be applied, and how they are written.

mod found;
mod places;
mod plain;
mod read;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};
use thiserror::Error;

pub use found::found;
pub use places::{Located, Spot, locate};
pub use read::{ReadError, read_documents};
pub use write::yaml;

/// What makes two objects the same one: everything but the version of the API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind, such as `InferenceService`.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// What an object is for: it decides the order of printing and applying, and what may be pruned when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Needed by all versions, such as the application's Service.
    Support,
    /// Part of the version with this index.
    Version(usize),
    /// The weight configuration of the version with this index.
    Weights(usize),
    /// The routemap of the Iter8 controller.
    Routemap,
    /// The route itself.
    Route,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Support => f.write_str("support"),
            Role::Version(index) => write!(f, "version={index}"),
            Role::Weights(index) => write!(f, "weights={index}"),
            Role::Routemap => f.write_str("routemap"),
            Role::Route => f.write_str("route"),
        }
    }
}

impl FromStr for Role {
    type Err = ManifestError;

    fn from_str(text: &str) -> Result<Role, ManifestError> {
        let unknown = || ManifestError::Role(text.to_owned());
        let index = |index: &str| index.parse().map_err(|_| unknown());
        match text.split_once('=') {
            Some(("version", number)) => Ok(Role::Version(index(number)?)),
            Some(("weights", number)) => Ok(Role::Weights(index(number)?)),
            None if text == "support" => Ok(Role::Support),
            None if text == "routemap" => Ok(Role::Routemap),
            None if text == "route" => Ok(Role::Route),
            _ => Err(unknown()),
        }
    }
}

/// Why something is no object, or cannot stand beside another.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// The document is not a map.
    #[error("a document is not a map")]
    NotMap,
    /// A field that every object has is absent or not a text.
    #[error("{object} has no `{field}`")]
    Field {
        /// Kind and name as far as they are known.
        object: String,
        /// The field.
        field: &'static str,
    },
    /// Two objects have one key.
    #[error("{key} is written twice: by {first} and by {second}")]
    Twice {
        /// The key.
        key: Box<ObjectKey>,
        /// Template and role of the first.
        first: String,
        /// Template and role of the second.
        second: String,
    },
    /// A role that does not exist.
    #[error("unknown role `{0}`")]
    Role(String),
    /// The writer fails.
    #[error("cannot write YAML: {0}")]
    Write(String),
}

/// One object with its template and role.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// What makes it the same object.
    pub key: ObjectKey,
    /// The object: a map in canonical order.
    pub object: Value,
    /// Path of its template below `templates/`.
    pub template: String,
    /// What it is for.
    pub role: Role,
}

impl Manifest {
    /// Checks a document and puts its keys in order: `apiVersion`, `kind`, `metadata` (`name`, `namespace`, `labels`,
    /// `annotations`), the rest as written; labels and annotations sorted.
    ///
    /// # Errors
    ///
    /// [`ManifestError::NotMap`] and [`ManifestError::Field`].
    pub fn from_object(object: Value, template: &str, role: Role) -> Result<Manifest, ManifestError> {
        let Value::Object(mut object) = object else { return Err(ManifestError::NotMap) };
        let kind = text(&object, "kind").unwrap_or_default().to_owned();
        let metadata = object.get("metadata").and_then(Value::as_object);
        let name = metadata.and_then(|metadata| text(metadata, "name")).unwrap_or_default().to_owned();
        let namespace = metadata.and_then(|metadata| text(metadata, "namespace")).unwrap_or_default().to_owned();
        let version = text(&object, "apiVersion").unwrap_or_default();
        let group = version.split_once('/').map_or("", |(group, _)| group).to_owned();
        let fields =
            [("apiVersion", version), ("kind", &kind), ("metadata.name", &name), ("metadata.namespace", &namespace)];
        if let Some((field, _)) = fields.into_iter().find(|(_, text)| text.is_empty()) {
            let object = match (kind.is_empty(), name.is_empty()) {
                (true, _) => "a document".to_owned(),
                (_, true) => format!("a {kind}"),
                _ => format!("{kind} {name}"),
            };
            return Err(ManifestError::Field { object, field });
        }
        let mut ordered = take(&mut object, &["apiVersion", "kind"]);
        if let Some(Value::Object(mut metadata)) = object.remove("metadata") {
            for key in ["labels", "annotations"] {
                if let Some(Value::Object(texts)) = metadata.get_mut(key) {
                    texts.sort_keys();
                }
            }
            let mut first = take(&mut metadata, &["name", "namespace", "labels", "annotations"]);
            first.extend(metadata);
            ordered.insert("metadata".into(), Value::Object(first));
        }
        ordered.extend(object);
        let key = ObjectKey { group, kind, namespace, name };
        Ok(Manifest { key, object: Value::Object(ordered), template: template.to_owned(), role })
    }

    /// Writes the object as a document: `---`, a `# Source:` line with template and role, the YAML.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Write`].
    pub fn to_yaml(&self) -> Result<String, ManifestError> {
        Ok(format!("---\n# Source: {}\n{}", self.source(), yaml(&self.object)?))
    }

    /// Template and role as the `# Source:` line has them.
    pub fn source(&self) -> String {
        format!("r8/templates/{} {}", self.template, self.role)
    }
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)?.as_str()
}

/// Moves `keys`, those that are there, in their order into a new map.
fn take(map: &mut Map<String, Value>, keys: &[&str]) -> Map<String, Value> {
    let mut taken = Map::new();
    for key in keys {
        if let Some(value) = map.shift_remove(*key) {
            taken.insert((*key).to_owned(), value);
        }
    }
    taken
}

impl ManifestError {
    /// Two objects have one key.
    pub(crate) fn twice(first: &Manifest, second: &Manifest) -> ManifestError {
        let key = Box::new(second.key.clone());
        ManifestError::Twice { key, first: first.source(), second: second.source() }
    }
}

/// Objects in the order of their roles, each key once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifests(Vec<Manifest>);

impl Manifests {
    /// Orders the objects by role; those of one role stay as they come.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Twice`] if two have one key.
    pub fn new(mut list: Vec<Manifest>) -> Result<Manifests, ManifestError> {
        list.sort_by_key(|manifest| manifest.role);
        let mut seen: BTreeMap<&ObjectKey, &Manifest> = BTreeMap::new();
        for manifest in &list {
            if let Some(first) = seen.insert(&manifest.key, manifest) {
                return Err(ManifestError::twice(first, manifest));
            }
        }
        Ok(Manifests(list))
    }

    /// The objects in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Manifest> {
        self.0.iter()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those objects that `keep` accepts.
    pub fn filter(&self, keep: impl Fn(&Manifest) -> bool) -> Manifests {
        Manifests(self.0.iter().filter(|manifest| keep(manifest)).cloned().collect())
    }

    /// The objects, each changed by `change`, in the same order.
    pub fn map(mut self, change: impl Fn(&mut Manifest)) -> Manifests {
        self.0.iter_mut().for_each(change);
        self
    }

    /// Writes all objects as documents.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Write`].
    pub fn to_yaml(&self) -> Result<String, ManifestError> {
        crate::parallel::map(&self.0, Manifest::to_yaml).into_iter().collect()
    }
}

impl IntoIterator for Manifests {
    type Item = Manifest;
    type IntoIter = std::vec::IntoIter<Manifest>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn manifest(object: Value, role: Role) -> Manifest {
        Manifest::from_object(object, "kserve/version.yaml.j2", role).unwrap()
    }

    fn config(name: &str) -> Value {
        json!({"kind": "ConfigMap", "data": {"a": "yes"}, "metadata": {"namespace": "default", "name": name}, "apiVersion": "v1"})
    }

    #[test]
    fn objects_are_written_in_canonical_order_with_their_role() {
        assert_eq!(
            manifest(config("a"), Role::Version(1)).to_yaml().unwrap(),
            "---\n# Source: r8/templates/kserve/version.yaml.j2 version=1\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  \
             name: a\n  namespace: default\ndata:\n  a: \"yes\"\n"
        );
    }

    #[test]
    fn support_and_versions_come_first_and_the_route_last() {
        let roles = [Role::Route, Role::Weights(0), Role::Version(1), Role::Routemap, Role::Version(0), Role::Support];
        let list = roles.iter().enumerate().map(|(index, role)| manifest(config(&format!("c{index}")), *role));
        let ordered = Manifests::new(list.collect()).unwrap();
        let written: Vec<String> = ordered.iter().map(|manifest| manifest.role.to_string()).collect();
        assert_eq!(written, ["support", "version=0", "version=1", "weights=0", "routemap", "route"]);
        for role in roles {
            assert_eq!(role.to_string().parse::<Role>().unwrap(), role);
        }
    }

    #[test]
    fn two_objects_with_one_key_are_refused() {
        let list = vec![manifest(config("a"), Role::Support), manifest(config("a"), Role::Version(0))];
        let error = Manifests::new(list).unwrap_err().to_string();
        assert!(error.starts_with("ConfigMap default/a is written twice"), "{error}");
    }

    #[test]
    fn an_object_without_a_namespace_is_refused() {
        let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}});
        let error = Manifest::from_object(object, "t", Role::Support).unwrap_err();
        assert_eq!(error.to_string(), "Service a has no `metadata.namespace`");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_unchanged(text in any::<String>(), key in any::<String>()) {
            let value = json!({"a": {key: text}});
            prop_assert_eq!(&read_documents(&yaml(&value).unwrap()).unwrap()[0], &value);
        }
    }
}
