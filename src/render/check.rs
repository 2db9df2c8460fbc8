//! What the templates of a release must have written together.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::error::Place;
use super::{RenderErrors, Stage, Written, trace};
use crate::manifest::{Manifest, ManifestError, ObjectKey, Role, read_documents};
use crate::route::Route;
use crate::spec;

/// The API group whose objects have names of almost any characters.
const RBAC: &str = "rbac.authorization.k8s.io";

impl Stage<'_> {
    /// Checks that no object is written twice, and that every version has the objects that the route and the routemap name.
    pub(super) fn whole(&self, list: &[Manifest], routemap: Option<&Manifest>) -> Result<(), RenderErrors> {
        let mut known: HashMap<&ObjectKey, &Manifest> = HashMap::new();
        for manifest in list.iter().chain(routemap) {
            let Some(first) = known.insert(&manifest.key, manifest) else { continue };
            // Of the two the user's own template is the one to repair.
            let repaired = if self.catalog.is_own(&manifest.template) { manifest } else { first };
            let error = ManifestError::twice(first, manifest);
            if !self.catalog.is_own(&repaired.template) {
                return Err(error.into());
            }
            return Err(RenderErrors::written(&self.place_of(repaired), error.to_string()));
        }
        let written: HashSet<(Role, &str, &str, &str)> = list
            .iter()
            .map(|Manifest { role, key, .. }| (*role, key.kind.as_str(), key.namespace.as_str(), key.name.as_str()))
            .collect();
        for version in &self.spec.application.versions {
            for object in &version.objects {
                let key = (Role::Version(version.index), &*object.kind, &*object.namespace, &*object.name);
                self.must(written.contains(&key), "version.yaml.j2", key)?;
            }
            let name = format!("{}-weight-config", version.name);
            let key = (Role::Weights(version.index), "ConfigMap", &*version.namespace, &*name);
            self.must(!version.has_config || written.contains(&key), "weights.yaml.j2", key)?;
        }
        Ok(())
    }

    fn must(
        &self,
        is: bool,
        file: &str,
        (_, kind, namespace, name): (Role, &str, &str, &str),
    ) -> Result<(), RenderErrors> {
        if is {
            return Ok(());
        }
        let Some(path) = self.find(file) else {
            return Err(RenderErrors::missing(&format!("{}/{file}", self.spec.environment.name)));
        };
        let message = format!("writes no {kind} {namespace}/{name}, which is named where requests are routed");
        Err(RenderErrors::written(&self.file(path), message))
    }

    /// Where an object is written, the last time that its template writes it; found by rendering once more.
    fn place_of(&self, manifest: &Manifest) -> Place {
        let Manifest { template: path, key, role, .. } = manifest;
        let names = match role {
            Role::Version(index) | Role::Weights(index) => self.context.each().nth(*index),
            Role::Support | Role::Routemap | Role::Route => Some(self.context.once(Vec::new())),
        };
        let text = names.clone().and_then(|names| self.text(path, names).ok()).unwrap_or_default();
        let is_it = |object| Manifest::from_object(object, path, *role).is_ok_and(|found| found.key == *key);
        let objects = read_documents(&text).unwrap_or_default();
        let line = objects.into_iter().rposition(is_it).and_then(|index| trace::document(&text, index));
        self.place(&Written { path, text: &text, names: names.unwrap_or_default() }, line)
    }

    fn file(&self, file: String) -> Place {
        Place { own: self.catalog.is_own(&file), file, line: None }
    }
}

/// What is wrong with one object, whatever the others are.
pub(super) fn object(manifest: &Manifest) -> Option<String> {
    let ObjectKey { group, kind, name, .. } = &manifest.key;
    if kind == "List" {
        return Some("`kind: List` is no object: write its items as documents of their own".into());
    }
    let rule = spec::object_name(kind, name).err().filter(|_| group != RBAC)?;
    Some(format!("`{name}` is not a valid name of a {kind}: {rule}"))
}

/// The rule of a route that sends requests nowhere, with all versions ready or with the primary alone.
pub(super) fn empty_rule(route: &Route) -> Option<String> {
    for weights in [route.in_force(|_| true), route.in_force(|index| index == 0)] {
        let object = route.at(&weights).ok()?.object;
        for (rules, destinations) in [("http", "route"), ("rules", "backendRefs")] {
            let list = object["spec"][rules].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_empty = |rule: &Value| {
                rule.get(destinations).is_some_and(|list| list.is_null() || list == &Value::Array(vec![]))
            };
            if let Some(index) = list.iter().position(is_empty) {
                return Some(format!("`spec.{rules}[{index}].{destinations}` is empty: its requests go nowhere"));
            }
        }
    }
    None
}
