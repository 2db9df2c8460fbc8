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

use std::collections::BTreeMap;

use minijinja::value::{Serde, Value};
use serde_json::{Map, Value as Json, json};

use crate::spec::{ReleaseSpec, Version};

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
        let versions = application.versions.iter().map(|item| Value::from(Serde(version(item)))).collect();
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

fn version(version: &Version) -> Json {
    let mut names = version.fields.clone();
    let mut put = |key: &str, value: Json| names.insert(key.to_owned(), value);
    put("index", version.index.into());
    put("path", format!("application.versions[{}]", version.index).into());
    put("name", version.name.clone().into());
    put("namespace", version.namespace.clone().into());
    put("weight", version.weight.into());
    if let Some(weight) = version.routemap_weight {
        put("routemapWeight", weight.into());
    }
    if let Some(matches) = &version.matches {
        put("match", matches.clone());
    }
    let resource = |resource: &str, name: &str, namespace: &str| json!({"gvrShort": resource, "name": name, "namespace": namespace});
    let mut resources: Vec<Json> = Vec::new();
    for object in &version.objects {
        resources.push(resource(&object.resource, &object.name, &object.namespace));
        let mut slot = Map::new();
        slot.insert("name".into(), object.name.clone().into());
        slot.insert("namespace".into(), object.namespace.clone().into());
        slot.insert("metadata".into(), object.metadata.clone());
        if let Some(spec) = &object.spec {
            slot.insert("spec".into(), spec.clone());
        }
        put(&object.slot, slot.into());
    }
    if version.has_config {
        resources.push(resource("cm", &format!("{}-weight-config", version.name), &version.namespace));
    }
    put("resources", resources.into());
    if let Some(destination) = &version.destination {
        put(
            "destination",
            json!({
                "name": destination.name,
                "namespace": destination.namespace,
                "host": destination.host,
                "port": destination.port,
            }),
        );
    }
    names.into()
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
