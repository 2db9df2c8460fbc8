//! Names that would meet: objects of one kind, namespace and name, and versions of one name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::Problem;
use super::release::{Application, Object};
use super::walk::Walk;
use super::{kserve, name};
use crate::values::{Node, Origin};

/// The longest name of an object.
pub(crate) const MAX_OBJECT_NAME: usize = 253;
/// What stands behind a version's name in that of the ConfigMap of its weight.
pub(crate) const CONFIG_SUFFIX: &str = "-weight-config";
/// What stands behind the application's name in that of its routemap.
pub(crate) const ROUTEMAP_SUFFIX: &str = "-routemap";

/// Stands for the kind of a version, which is no object.
const VERSION: &str = "version";

/// What tells two objects apart: kind, namespace, name.
type Key = (String, String, String);

/// The objects met so far, with who writes them.
struct Names<'a> {
    list: &'a [Node],
    seen: BTreeMap<Key, String>,
    found: Vec<(Problem, Option<usize>)>,
}

impl Names<'_> {
    fn add(&mut self, kind: &str, namespace: &str, name: String, who: &str, index: Option<usize>) {
        let key = (kind.to_owned(), namespace.to_owned(), name);
        if let Some(first) = self.seen.get(&key) {
            let (first, second) = (first.clone(), who.to_owned());
            let problem = if kind == VERSION {
                Problem::SameName { name: key.2, first, second }
            } else {
                Problem::Twice { object: format!("{kind} {namespace}/{}", key.2), first, second }
            };
            self.found.push((problem, index));
        } else {
            self.seen.insert(key, who.to_owned());
        }
    }

    /// A ConfigMap, whose name is made from another.
    fn add_made(&mut self, namespace: &str, made: String, who: &str, index: Option<usize>) {
        if let Err(rule) = name::subdomain(&made)
            && made.len() > MAX_OBJECT_NAME
        {
            self.found.push((Problem::Name { name: made.clone(), what: "ConfigMap name", rule }, index));
        }
        self.add("ConfigMap", namespace, made, who, index);
    }

    fn origin(&self, index: usize) -> Option<Origin> {
        let node = self.list.get(index)?;
        Some(node.get("metadata").and_then(|metadata| metadata.get("name")).unwrap_or(node).origin)
    }
}

/// Reports every object that two parts of the release write, and every name that two versions have.
pub(super) fn check(list: &[Node], application: &Application, walk: &mut Walk<'_>) {
    let mut names = Names { list, seen: BTreeMap::new(), found: Vec::new() };
    let (name, namespace) = (&application.name, application.namespace.as_str());
    if walk.environment.table.application_object == Some(true) {
        names.add("Service", namespace, name.clone(), "the application", None);
    }
    let destination = walk.environment.table.destination.as_ref();
    let by_name = application.strategy != "none" && destination.is_some_and(|destination| destination.by_name);
    let tail = kserve::tail(walk);
    names.add_made(namespace, format!("{name}{ROUTEMAP_SUFFIX}"), "the application's routemap", None);
    for version in &application.versions {
        let index = Some(version.index);
        let who = format!("`application.versions[{}]`", version.index);
        let before = names.found.len();
        for object in &version.objects {
            let met = names.found.len();
            names.add(&object.kind, &object.namespace, object.name.clone(), &who, index);
            // What KServe makes of an InferenceService that is written twice needs no words of its own.
            if names.found.len() == met && object.kind == "InferenceService" && !is_model_mesh(object) {
                // KServe makes Services of these names for every InferenceService that it runs itself.
                let kserve = format!("KServe for {who}");
                names.add("Service", &object.namespace, object.name.clone(), &kserve, index);
                for component in components(object) {
                    let made = format!("{}-{component}{tail}", object.name);
                    names.add("Service", &object.namespace, made, &kserve, index);
                }
            }
        }
        if version.has_config {
            let config = format!("{}{CONFIG_SUFFIX}", version.name);
            names.add_made(&version.namespace, config, &format!("the weight of {who}"), index);
        }
        // Objects of one name say it already.
        if names.found.len() == before
            && let Some(destination) = version.destination.as_ref().filter(|_| by_name)
        {
            names.add(VERSION, "", destination.name.clone(), &who, index);
        }
        if names.found.len() == before {
            names.add(VERSION, &version.namespace, version.name.clone(), &who, index);
        }
    }
    for (problem, index) in std::mem::take(&mut names.found) {
        let path = index.map(|index| format!("application.versions[{index}]")).unwrap_or_default();
        let hint = match problem {
            Problem::Twice { .. } | Problem::SameName { .. } => "give each version its own `metadata.name`",
            _ => "shorten the name",
        };
        walk.error(problem, index.and_then(|index| names.origin(index)), &path, Some(hint.into()));
    }
}

/// The parts of an InferenceService that KServe makes a Service of.
fn components(object: &Object) -> impl Iterator<Item = &'static str> {
    let given =
        |component: &&str| object.spec.as_ref().is_some_and(|spec| !spec.get(component).is_none_or(Value::is_null));
    ["predictor"].into_iter().chain(["transformer", "explainer"].into_iter().filter(given))
}

fn is_model_mesh(object: &Object) -> bool {
    object.metadata.get("annotations").and_then(|annotations| annotations.get("serving.kserve.io/deploymentMode"))
        == Some(&Value::from("ModelMesh"))
}
