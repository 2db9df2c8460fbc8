//! The names that a template may use: this file is the contract between r8 and templates.
//!
//! | name | where | what |
//! |---|---|---|
//! | `release` | everywhere | `name`, `namespace` |
//! | `strategy` | everywhere | name of the strategy |
//! | `settings` | everywhere | the environment's top-level values, defaults filled in |
//! | `constants` | everywhere | `constants` of `environment.yaml` |
//! | `application` | everywhere | `name`, `namespace` and the environment's own keys |
//! | `versions`, `primary`, `candidates` | everywhere | versions, see below |
//! | `elsewhere` | everywhere | namespaces other than the application's that hold destinations: `namespace`, `names` |
//! | `version` | `version.yaml.j2`, `weights.yaml.j2` | the version |
//! | `route`, `str_spec` | the routemap | `route.gvrShort`, `route.text`; the text of `data.strSpec` |
//!
//! A version has `index`, `path`, `name`, `namespace`, `weight`, `match`, `destination` (`name`, `namespace`, `host`, `port`),
//! `resources` (`gvrShort`, `name`, `namespace`), `routemapWeight`, one map per object (`metadata`, `spec`, `name`,
//! `namespace`), and the environment's own keys. What is not set is undefined.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value as Json, json};

use crate::spec::{Destination, Object, ReleaseSpec, Version};

/// The names of one release.
pub(super) struct Context {
    names: Map<String, Json>,
    versions: Vec<Value>,
}

impl Context {
    /// Collects the names of a release.
    pub fn new(spec: &ReleaseSpec) -> Context {
        let application = &spec.application;
        let mut fields = application.fields.clone();
        fields.insert("name".into(), application.name.clone().into());
        fields.insert("namespace".into(), application.namespace.clone().into());
        let constants = spec.environment.table.constants.clone().unwrap_or_default();
        let names = json!({
            "release": {"name": spec.name, "namespace": spec.namespace},
            "strategy": application.strategy,
            "settings": spec.settings,
            "constants": constants,
            "application": fields,
            "elsewhere": elsewhere(spec),
        });
        let Json::Object(names) = names else { return Context { names: Map::new(), versions: Vec::new() } };
        let versions = application.versions.iter().map(|item| Value::from(Serde(Names(item)))).collect();
        Context { names, versions }
    }

    /// The names for a template that is rendered once, with `more` names.
    pub fn once(&self, more: Vec<(&'static str, Value)>) -> Value {
        let mut names: BTreeMap<String, Value> =
            self.names.iter().map(|(name, value)| (name.clone(), Value::from(Serde(value)))).collect();
        names.insert("versions".into(), self.versions.iter().cloned().collect());
        names.insert("candidates".into(), self.versions.iter().skip(1).cloned().collect());
        if let Some(primary) = self.versions.first() {
            names.insert("primary".into(), primary.clone());
        }
        names.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Value::from(names)
    }

    /// The names for each version's own templates.
    pub fn each(&self) -> impl Iterator<Item = Value> + '_ {
        let shared = self.once(Vec::new());
        self.versions.iter().map(move |version| {
            minijinja::context! { version => version.clone(), ..shared.clone() }
        })
    }
}

/// A version under the names that templates use.
struct Names<'a>(&'a Version);

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let version = self.0;
        let mut names = serializer.serialize_map(None)?;
        for (key, value) in &version.fields {
            names.serialize_entry(key, value)?;
        }
        names.serialize_entry("index", &version.index)?;
        names.serialize_entry("path", &format_args!("application.versions[{}]", version.index))?;
        names.serialize_entry("name", &version.name)?;
        names.serialize_entry("namespace", &version.namespace)?;
        names.serialize_entry("weight", &version.weight)?;
        if let Some(weight) = version.routemap_weight {
            names.serialize_entry("routemapWeight", &weight)?;
        }
        if let Some(matches) = &version.matches {
            names.serialize_entry("match", matches)?;
        }
        for object in &version.objects {
            names.serialize_entry(&object.slot, &Slot::new(object))?;
        }
        names.serialize_entry("resources", &resources(version))?;
        if let Some(destination) = &version.destination {
            names.serialize_entry("destination", &Target::new(destination))?;
        }
        names.end()
    }
}

/// One object of a version.
#[derive(Serialize)]
struct Slot<'a> {
    name: &'a str,
    namespace: &'a str,
    metadata: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<&'a Json>,
}

impl Slot<'_> {
    fn new(object: &Object) -> Slot<'_> {
        Slot {
            name: &object.name,
            namespace: &object.namespace,
            metadata: &object.metadata,
            spec: object.spec.as_ref(),
        }
    }
}

/// What answers a version's requests.
#[derive(Serialize)]
struct Target<'a> {
    name: &'a str,
    namespace: &'a str,
    host: &'a str,
    port: u16,
}

impl Target<'_> {
    fn new(destination: &Destination) -> Target<'_> {
        Target {
            name: &destination.name,
            namespace: &destination.namespace,
            host: &destination.host,
            port: destination.port,
        }
    }
}

/// One resource of a routemap's version.
#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "gvrShort")]
    gvr_short: &'a str,
    name: Cow<'a, str>,
    namespace: &'a str,
}

/// The resources whose readiness the Iter8 controller looks at, the weight configuration last.
fn resources(version: &Version) -> Vec<Resource<'_>> {
    let mut resources: Vec<Resource<'_>> = version
        .objects
        .iter()
        .map(|object| Resource {
            gvr_short: &object.resource,
            name: Cow::Borrowed(&object.name),
            namespace: &object.namespace,
        })
        .collect();
    if version.has_config {
        let name = Cow::Owned(format!("{}-weight-config", version.name));
        resources.push(Resource { gvr_short: "cm", name, namespace: &version.namespace });
    }
    resources
}

/// Destinations outside the application's namespace, by namespace.
fn elsewhere(spec: &ReleaseSpec) -> Json {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for version in &spec.application.versions {
        if let Some(destination) = &version.destination
            && destination.namespace != spec.application.namespace
        {
            found.entry(&destination.namespace).or_default().push(&destination.name);
        }
    }
    found.into_iter().map(|(namespace, names)| json!({"namespace": namespace, "names": names})).collect()
}
