//! What is live of a release: its versions, what each gets and whether it is ready, and who writes the route.

use std::collections::BTreeSet;

use serde_json::Value;

use super::found::{Found, resources, weights};
use super::is_controllers;
use super::member::name;
use crate::manifest::ObjectKey;
use crate::readiness::Health;
use crate::route::{Share, in_force, shares};

/// The state of a release.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The live route.
    pub route: Option<RouteStatus>,
    /// Name and namespace of the live routemap.
    pub routemap: Option<ObjectKey>,
    /// Its versions: in the order of the routemap, then those that it does not name.
    pub versions: Vec<VersionStatus>,
}

/// The live route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteStatus {
    /// Which object it is.
    pub key: ObjectKey,
    /// Who wrote what it says now.
    pub writer: Writer,
    /// Why it is not in force; none when it is, as far as the API server knows.
    pub not_in_force: Option<String>,
}

/// Who writes a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writer {
    /// r8, or Helm under the same name.
    R8,
    /// The Iter8 controller.
    Controller,
    /// Another field manager.
    Other(String),
}

/// One version as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionStatus {
    /// The name that its answers carry.
    pub name: String,
    /// Its place in the routemap; none when that does not name it.
    pub index: Option<usize>,
    /// The weight that it has when it is ready; none where the routemap has no weight for it.
    pub weight: Option<u64>,
    /// Whether it is meant to get requests.
    pub wanted: bool,
    /// What it gets by the live route; none when it gets nothing.
    pub share: Option<Share>,
    /// Its readiness.
    pub health: Health,
    /// When its oldest object was created, in RFC 3339.
    pub created: Option<String>,
    /// Where its model lies, else its image.
    pub model: Option<String>,
    /// Its objects.
    pub objects: Vec<ObjectKey>,
}

/// Reads the state of a release from what was found of it.
pub fn status(found: &Found) -> Status {
    let route = found.route();
    let mut shares = route.map(|(_, route)| shares(route)).unwrap_or_default();
    let routemap = found.routemap.as_ref();
    let named = routemap.map(resources).unwrap_or_default();
    let weights = routemap.map(weights).unwrap_or_default();
    let mut versions = Vec::new();
    let mut version = |index: Option<usize>, objects: Vec<ObjectKey>| {
        let name = name(&objects);
        let weight = index.and_then(|index| weights.get(index).copied().flatten());
        versions.push(VersionStatus {
            index,
            weight,
            wanted: (index.is_some() || routemap.is_none()) && weight != Some(0),
            share: shares.remove(&name),
            health: health(found, &objects),
            created: created(found, &objects),
            model: objects.iter().find_map(|key| model(found.tracks.get(key)?.object()?)),
            name,
            objects,
        });
    };
    let mut seen: BTreeSet<&ObjectKey> = BTreeSet::new();
    for (index, objects) in named.iter().enumerate() {
        seen.extend(objects);
        version(Some(index), objects.clone());
    }
    // Each object that answers and that no routemap names is a version of its own, with the Service of its name.
    for key in found.tracks.keys().filter(|key| !seen.contains(key)) {
        let same = |other: &&ObjectKey| {
            other.kind == "Service" && (&other.namespace, &other.name) == (&key.namespace, &key.name)
        };
        let service = found.objects.keys().filter(same).cloned();
        version(None, std::iter::once(key.clone()).chain(service).collect());
    }
    // What the route leads to and nobody has: requests to it fail.
    versions.extend(shares.into_iter().map(|(name, share)| VersionStatus {
        name,
        index: None,
        weight: None,
        wanted: false,
        share: Some(share),
        health: Health::absent(),
        created: None,
        model: None,
        objects: Vec::new(),
    }));
    Status {
        route: route.map(|(key, route)| RouteStatus {
            key: key.clone(),
            writer: writer(route),
            not_in_force: in_force(route).err(),
        }),
        routemap: found.routemap.as_ref().and_then(key_of_routemap),
        versions,
    }
}

fn key_of_routemap(routemap: &Value) -> Option<ObjectKey> {
    let text = |key: &str| routemap["metadata"][key].as_str().map(str::to_owned);
    Some(ObjectKey {
        group: String::new(),
        kind: "ConfigMap".into(),
        namespace: text("namespace")?,
        name: text("name")?,
    })
}

fn health(found: &Found, objects: &[ObjectKey]) -> Health {
    let states = objects.iter().filter_map(|key| {
        let track = found.tracks.get(key)?;
        if found.unreadable.contains(key) {
            return Some(Health { why: "you may not read it".into(), ..Health::absent() });
        }
        Some(track.health(found.knative))
    });
    states.reduce(Health::and).unwrap_or_else(Health::trivial)
}

/// RFC 3339 in UTC sorts as text.
fn created(found: &Found, objects: &[ObjectKey]) -> Option<String> {
    let times = objects.iter().filter_map(|key| {
        let object = found.tracks.get(key).and_then(|track| track.object()).or_else(|| found.objects.get(key))?;
        object["metadata"]["creationTimestamp"].as_str()
    });
    times.min().map(str::to_owned)
}

fn model(object: &Value) -> Option<String> {
    let predictor = &object["spec"]["predictor"];
    let image = |pod: &Value| pod["containers"][0]["image"].as_str().map(str::to_owned);
    let uri = predictor.as_object().and_then(|parts| parts.values().find_map(|part| part["storageUri"].as_str()));
    uri.map(str::to_owned).or_else(|| image(predictor)).or_else(|| image(&object["spec"]["template"]["spec"]))
}

fn writer(route: &Value) -> Writer {
    if is_controllers(route) {
        return Writer::Controller;
    }
    let entries = route["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let writes = |entry: &&Value| {
        let spec = &entry["fieldsV1"]["f:spec"];
        entry["subresource"].as_str().unwrap_or_default().is_empty() && !spec.is_null()
    };
    // Of several the one that owns where requests go.
    let rules = |entry: &&Value| {
        let spec = &entry["fieldsV1"]["f:spec"];
        !spec["f:http"].is_null() || !spec["f:rules"].is_null()
    };
    let manager = |entry: &Value| entry["manager"].as_str().unwrap_or_default().to_owned();
    let found = entries.iter().filter(writes).find(rules).or_else(|| entries.iter().find(writes)).map(manager);
    match found {
        Some(manager) if manager == "helm" => Writer::R8,
        Some(manager) => Writer::Other(manager),
        None => Writer::R8,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::readiness::Track;

    fn key(kind: &str, name: &str) -> ObjectKey {
        let group = match kind {
            "VirtualService" => "networking.istio.io",
            "Deployment" => "apps",
            _ => "",
        };
        ObjectKey { group: group.into(), kind: kind.into(), namespace: "models".into(), name: name.into() }
    }

    fn deployment(name: &str, available: &str) -> (ObjectKey, Track) {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "generation": 1, "creationTimestamp": "2024-01-02T03:04:05Z"},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "shop:1"}]}}},
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
                       "conditions": [{"type": "Available", "status": available}]}});
        (key("Deployment", name), Track::new(Some(object)))
    }

    fn routemap(spec: &str) -> Value {
        json!({"metadata": {"namespace": "models", "name": "shop-routemap"}, "data": {"strSpec": spec}})
    }

    fn route(destinations: Value) -> (ObjectKey, Value) {
        let route = json!({"kind": "VirtualService", "spec": {"http": [{"route": destinations}]}});
        (key("VirtualService", "shop"), route)
    }

    fn rows(found: &Found) -> Vec<String> {
        let text = |share: Option<Share>| share.map_or_else(|| "-".to_owned(), |share| share.to_string());
        let row = |version: &VersionStatus| {
            let weight = version.weight.map_or_else(|| "-".to_owned(), |weight| weight.to_string());
            let (name, share) = (&version.name, text(version.share));
            format!("{name} {weight} {share} {} {}", version.wanted, version.health.serving)
        };
        status(found).versions.iter().map(row).collect()
    }

    #[test]
    fn versions_stand_in_the_order_of_the_routemap_with_what_they_are_to_get_and_get() {
        let spec = "versions:\n- {weight: 30, resources: [{gvrShort: deploy, name: b, namespace: models}]}\n\
                    - {weight: 0, resources: [{gvrShort: deploy, name: a, namespace: models}]}\n\
                    - {resources: [{gvrShort: deploy, name: c, namespace: models}]}\n";
        let found = Found {
            tracks: [deployment("a", "True"), deployment("b", "True"), (key("Deployment", "c"), Track::new(None))]
                .into(),
            routemap: Some(routemap(spec)),
            routes: [route(json!([{"destination": {"host": "b.models"}}]))].into(),
            ..Found::default()
        };
        assert_eq!(rows(&found), ["b 30 100% true true", "a 0 - false true", "c - - true false"]);
        let status = status(&found);
        assert_eq!(status.versions[2].health.why, "it does not exist");
        assert_eq!(status.versions[0].model.as_deref(), Some("shop:1"));
        assert_eq!(status.versions[0].created.as_deref(), Some("2024-01-02T03:04:05Z"));
    }

    #[test]
    fn what_the_routemap_does_not_name_is_a_version_of_its_own() {
        let spec = "versions:\n- {weight: 1, resources: [{gvrShort: deploy, name: a, namespace: models}]}\n";
        let mut found = Found {
            tracks: [deployment("a", "True"), deployment("left", "True")].into(),
            routemap: Some(routemap(spec)),
            ..Found::default()
        };
        assert_eq!(rows(&found), ["a 1 - true true", "left - - false true"]);
        found.routemap = None;
        assert_eq!(rows(&found), ["a - - true true", "left - - true true"]);
    }

    #[test]
    fn a_destination_that_nobody_has_is_shown() {
        let to = |name: &str| json!({"destination": {"host": name}, "weight": 1});
        let found = Found {
            tracks: [deployment("a", "True")].into(),
            routes: [route(json!([to("a"), to("gone")]))].into(),
            ..Found::default()
        };
        assert_eq!(rows(&found), ["a - 50% true true", "gone - 50% false false"]);
    }

    #[test]
    fn an_object_that_may_not_be_read_counts_as_not_serving() {
        let (name, track) = deployment("a", "True");
        let found = Found { tracks: [(name.clone(), track)].into(), unreadable: [name].into(), ..Found::default() };
        assert_eq!(rows(&found), ["a - - true false"]);
        assert_eq!(status(&found).versions[0].health.why, "you may not read it");
    }

    #[test]
    fn the_writer_is_who_owns_where_requests_go() {
        let entry = |manager: &str, field: &str| json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {field: {}}}});
        let of = |entries: Value| writer(&json!({"metadata": {"managedFields": entries}}));
        assert_eq!(of(json!([entry("helm", "f:http")])), Writer::R8);
        assert_eq!(of(json!([entry("iter8-controller", "f:http")])), Writer::Controller);
        let other = Writer::Other("kubectl-edit".into());
        assert_eq!(of(json!([entry("helm", "f:hosts"), entry("kubectl-edit", "f:rules")])), other);
    }
}
