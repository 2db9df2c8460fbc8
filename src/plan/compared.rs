//! A plan without a cluster: from one set of texts to another, as if the first were live and every version settled.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::decide::is_route;
use super::{Goal, Mode, Observation, Observed, Plan, Release, Wanted, is_routemap, plan, resources};
use crate::manifest::ObjectKey;
use crate::route::{Route, RouteError};

/// What is taken for live.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Before {
    /// Objects; of one key the last counts, as with `kubectl apply`.
    pub objects: BTreeMap<ObjectKey, Value>,
    /// Whether the route is the one that the routemap makes, and not one of the objects.
    pub makes_route: bool,
}

impl Before {
    /// Takes objects for live. Where a routemap is among them and no route, the Iter8 controller makes one of it: the one
    /// with all versions ready is live, too.
    ///
    /// # Errors
    ///
    /// [`RouteError`] where the routemap's route cannot be read.
    pub fn new(objects: impl IntoIterator<Item = (ObjectKey, Value)>) -> Result<Before, RouteError> {
        let mut objects: BTreeMap<ObjectKey, Value> = objects.into_iter().collect();
        let mut makes_route = false;
        if !objects.keys().any(is_route)
            && let Some(routemap) = routemap(&objects)
            && let Some(route) = Route::parse(routemap["data"]["strSpec"].as_str().unwrap_or_default())?
        {
            let manifest = route.at(&route.in_force(|_| true))?;
            objects.insert(manifest.key, manifest.object);
            makes_route = true;
        }
        Ok(Before { objects, makes_route })
    }

    /// What `wanted` changes in it.
    pub fn plan(mut self, wanted: &Wanted, release: &Release, goal: &Goal) -> Plan {
        let routemap = routemap(&self.objects).cloned();
        let knative =
            uses_knative(self.objects.iter().chain(wanted.manifests.iter().map(|one| (&one.key, &one.object))));
        let mut observe = |key: &ObjectKey, object: &Value| {
            let (mut live, mut desired) = (self.objects.remove(key), object.clone());
            live.iter_mut().chain([&mut desired]).for_each(without_nothing);
            Observation { live, desired: Some(desired), conflicts: Vec::new(), mode: Mode::Texts }
        };
        let objects =
            wanted.manifests.iter().map(|manifest| (manifest.key.clone(), observe(&manifest.key, &manifest.object)));
        let objects: BTreeMap<ObjectKey, Observation> = objects.collect();
        // What belongs together is asked of what is left alone, and the routemap of many versions is long to read.
        let groups = routemap.as_ref().filter(|_| !self.objects.is_empty());
        let observed = Observed {
            objects,
            resources: groups.map(resources).unwrap_or_default(),
            routemap,
            left: self.objects,
            knative,
            ..Observed::default()
        };
        plan(wanted, &observed, release, goal)
    }
}

/// Whether a route leads through Knative's gateway: InferenceServices that name no mode have Knative's then.
fn uses_knative<'a>(mut objects: impl Iterator<Item = (&'a ObjectKey, &'a Value)>) -> bool {
    objects.any(|(key, object)| {
        let rules = object["spec"]["http"].as_array().filter(|_| is_route(key)).into_iter().flatten();
        let mut items = rules.filter_map(|rule| rule["route"].as_array()).flatten();
        items.any(|item| {
            let host = item["destination"]["host"].as_str().unwrap_or_default();
            host.split('.').next() == Some("knative-local-gateway")
        })
    })
}

/// An object as the API server stores it, as far as it drops what says nothing: nulls, and empty labels and annotations.
fn without_nothing(object: &mut Value) {
    without_nulls(object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let says = |key: &String, value: &mut Value| {
            let is_empty = value.as_object().is_some_and(Map::is_empty);
            !(is_empty && ["labels", "annotations"].contains(&key.as_str()))
        };
        metadata.retain(says);
    }
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

fn routemap(objects: &BTreeMap<ObjectKey, Value>) -> Option<&Value> {
    let found = objects.iter().find(|(key, object)| key.kind == "ConfigMap" && is_routemap(&object["metadata"]));
    found.map(|(_, object)| object)
}
