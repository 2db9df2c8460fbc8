//! Objects that would have one kind, namespace and name.

use std::collections::BTreeMap;

use super::error::{Problem, SpecError};
use super::release::Application;
use super::walk::Walk;
use crate::values::Node;

/// Reports every object that two parts of the release write.
pub(super) fn check(list: &[Node], application: &Application, walk: &mut Walk<'_>) {
    let mut seen: BTreeMap<(&str, String, String), String> = BTreeMap::new();
    let mut found = Vec::new();
    let mut add = |kind: &'static str, namespace: &str, name: String, who: String, index: Option<usize>| {
        let key = (kind, namespace.to_owned(), name.clone());
        if let Some(first) = seen.get(&key) {
            let object = format!("{kind} {namespace}/{name}");
            let origin = index
                .and_then(|index| list.get(index))
                .map(|node| node.get("metadata").and_then(|metadata| metadata.get("name")).unwrap_or(node).origin);
            found.push((Problem::Twice { object, first: first.clone(), second: who }, origin, index));
        } else {
            seen.insert(key, who);
        }
    };
    let (name, namespace) = (&application.name, application.namespace.as_str());
    if walk.environment.table.application_object == Some(true) {
        add("Service", namespace, name.clone(), "the application".into(), None);
    }
    add("ConfigMap", namespace, format!("{name}-routemap"), "the application's routemap".into(), None);
    for version in &application.versions {
        let who = format!("`application.versions[{}]`", version.index);
        for object in &version.objects {
            let kind = match object.kind.as_str() {
                "Service" => "Service",
                "Deployment" => "Deployment",
                _ => "InferenceService",
            };
            add(kind, &object.namespace, object.name.clone(), who.clone(), Some(version.index));
            if kind == "InferenceService" {
                // KServe makes Services of these names for every InferenceService.
                let kserve = format!("KServe for {who}");
                add("Service", &object.namespace, object.name.clone(), kserve.clone(), Some(version.index));
                add("Service", &object.namespace, format!("{}-predictor", object.name), kserve, Some(version.index));
            }
        }
        if version.has_config {
            let config = format!("{}-weight-config", version.name);
            add("ConfigMap", &version.namespace, config, format!("the weight of {who}"), Some(version.index));
        }
    }
    for (problem, origin, index) in found {
        let path = index.map(|index| format!("application.versions[{index}]")).unwrap_or_default();
        let hint = "give each version its own `metadata.name`";
        walk.errors.push(SpecError {
            problem,
            origin,
            path: Some(path).filter(|path| !path.is_empty()),
            hint: Some(hint.into()),
        });
    }
}
