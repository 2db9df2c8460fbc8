//! The order in which a release is deleted: what routes first, so that no request goes where nothing answers any more.

use serde_json::Value;

use super::decide::is_route;
use super::found::{Found, is_routemap};
use super::{Owner, Release, has_state};
use crate::manifest::ObjectKey;
use crate::route::shares;

/// What is deleted of a release, in the order of the fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Deletion {
    /// Routemaps, first: the Iter8 controller forgets them and writes the route no more.
    pub routemaps: Vec<ObjectKey>,
    /// Routes.
    pub routes: Vec<ObjectKey>,
    /// Whether requests may still be on their way to a version when the routes are gone.
    pub drains: bool,
    /// Versions and support, when requests have left them.
    pub rest: Vec<ObjectKey>,
    /// Objects that stay because they are marked so.
    pub kept: Vec<ObjectKey>,
    /// Objects that the routemap names and that are not the release's.
    pub foreign: Vec<(ObjectKey, Owner)>,
}

/// What the records say of the route of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// There was one.
    Route,
    /// There was none.
    NoRoute,
    /// Nothing: there is no record, or one of a change that did not end.
    Nothing,
}

/// Decides what is deleted, and when.
///
/// A route goes though it is marked to be kept: the mark is for Helm's chart, see [`Release::mark`]. Of one that is gone
/// nobody knows when it went, perhaps in a deletion that was interrupted: its versions are taken to have requests still,
/// unless the records say that there was none.
pub fn delete(found: &Found, release: &Release, recorded: Recorded) -> Deletion {
    let mut deletion = Deletion::default();
    for (key, object) in &found.objects {
        let metadata = &object["metadata"];
        if is_route(key) {
            deletion.routes.push(key.clone());
        } else if metadata["annotations"]["helm.sh/resource-policy"].as_str().map(str::trim) == Some("keep") {
            deletion.kept.push(key.clone());
        } else if key.kind == "ConfigMap" && is_routemap(metadata) {
            deletion.routemaps.push(key.clone());
        } else {
            deletion.rest.push(key.clone());
        }
    }
    for (key, object) in &found.others {
        if is_route(key) && found.is_ours(release, key, object) {
            deletion.routes.push(key.clone());
        } else {
            deletion.foreign.push((key.clone(), release.owner(object)));
        }
    }
    let live = deletion.routes.iter().filter_map(|key| found.routes.get(key)).any(|route| !shares(route).is_empty());
    let gone = deletion.routes.is_empty() && recorded != Recorded::NoRoute;
    deletion.drains = live || (gone && deletion.rest.iter().any(has_state));
    deletion
}

impl Deletion {
    /// Everything that is deleted, in order.
    pub fn all(&self) -> impl Iterator<Item = &ObjectKey> {
        self.routemaps.iter().chain(&self.routes).chain(&self.rest)
    }

    /// Whether an object routes, so that it goes before the others.
    pub fn routes(&self, key: &ObjectKey) -> bool {
        self.routemaps.contains(key) || self.routes.contains(key)
    }
}

/// The finalizers that hold an object back.
pub fn finalizers(object: &Value) -> Vec<&str> {
    let listed = object["metadata"]["finalizers"].as_array().into_iter().flatten();
    listed.filter_map(Value::as_str).collect()
}

/// Who removes a finalizer; none where that is not known.
pub fn holder(finalizer: &str) -> Option<&'static str> {
    match finalizer {
        "iter8.tools/finalizer" => Some("the Iter8 controller"),
        "inferenceservice.finalizers" => Some("KServe's controller"),
        "foregroundDeletion" | "orphan" => Some("the garbage collector"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(kind: &str, name: &str) -> ObjectKey {
        let group = match kind {
            "VirtualService" => "networking.istio.io",
            "HTTPRoute" => "gateway.networking.k8s.io",
            "InferenceService" => "serving.kserve.io",
            _ => "",
        };
        ObjectKey { group: group.into(), kind: kind.into(), namespace: "models".into(), name: name.into() }
    }

    fn release() -> Release {
        Release { name: "wisdom".into(), namespace: "models".into() }
    }

    fn object(more: Value) -> Value {
        let mut object = json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "wisdom",
                                                             "meta.helm.sh/release-namespace": "models"}}});
        for (name, value) in more.as_object().unwrap() {
            object["metadata"][name] = match (&object["metadata"][name], value) {
                (Value::Object(old), Value::Object(new)) => {
                    Value::Object(old.iter().chain(new).map(|(key, value)| (key.clone(), value.clone())).collect())
                }
                _ => value.clone(),
            };
        }
        object
    }

    /// A release of two versions behind a VirtualService.
    fn found() -> Found {
        let mut found = Found::default();
        let keep = json!({"annotations": {"helm.sh/resource-policy": "keep"}});
        let mut route = object(keep);
        route["spec"] = json!({"http": [{"route": [{"destination": {"host": "wisdom-0.models"}}]}]});
        let routemap = object(json!({"labels": {"iter8.tools/kind": "routemap"}, "uid": "u1"}));
        found.routes.insert(key("VirtualService", "wisdom"), route.clone());
        found.routemap = Some(routemap.clone());
        found.routed = Some(key("VirtualService", "wisdom"));
        found.objects = [
            (key("VirtualService", "wisdom"), route),
            (key("ConfigMap", "wisdom-routemap"), routemap),
            (key("InferenceService", "wisdom-0"), object(json!({}))),
            (key("ConfigMap", "wisdom-0-weight-config"), object(json!({}))),
        ]
        .into();
        found
    }

    #[test]
    fn what_routes_goes_before_what_answers() {
        let deletion = delete(&found(), &release(), Recorded::Route);
        assert_eq!(deletion.routemaps, [key("ConfigMap", "wisdom-routemap")]);
        assert_eq!(deletion.routes, [key("VirtualService", "wisdom")]);
        assert_eq!(deletion.rest, [key("ConfigMap", "wisdom-0-weight-config"), key("InferenceService", "wisdom-0")]);
        assert!(deletion.drains && deletion.kept.is_empty() && deletion.foreign.is_empty());
    }

    #[test]
    fn what_is_marked_to_be_kept_stays_save_the_route() {
        let mut found = found();
        let keep = object(json!({"annotations": {"helm.sh/resource-policy": " keep "}}));
        found.objects.insert(key("InferenceService", "wisdom-0"), keep);
        let deletion = delete(&found, &release(), Recorded::Route);
        assert_eq!(deletion.kept, [key("InferenceService", "wisdom-0")]);
        assert_eq!(deletion.rest, [key("ConfigMap", "wisdom-0-weight-config")]);
        assert_eq!(deletion.routes, [key("VirtualService", "wisdom")]);
    }

    #[test]
    fn requests_of_a_route_that_is_gone_are_waited_for_unless_there_was_none() {
        let mut found = found();
        found.objects.remove(&key("VirtualService", "wisdom"));
        found.routes.clear();
        let drains = |found: &Found, recorded| delete(found, &release(), recorded).drains;
        assert_eq!((drains(&found, Recorded::Route), drains(&found, Recorded::Nothing)), (true, true));
        assert!(!drains(&found, Recorded::NoRoute));
        // What answered requests is gone as well.
        found.objects.remove(&key("InferenceService", "wisdom-0"));
        assert!(!drains(&found, Recorded::Route));
    }

    /// The route as the Iter8 controller makes it: no mark of a release on it.
    fn of_the_controller(owner: &str) -> Value {
        json!({"metadata": {"ownerReferences": [{"uid": owner}], "managedFields": [
                   {"manager": "iter8-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:http": {}}}}]},
               "spec": {"http": [{"route": [{"destination": {"host": "wisdom-0.models"}}]}]}})
    }

    #[test]
    fn the_route_that_the_controller_makes_of_the_routemap_goes_after_it() {
        for owner in ["u1", "another"] {
            let mut found = found();
            let route = key("VirtualService", "wisdom");
            found.objects.remove(&route);
            found.others.insert(route.clone(), of_the_controller(owner));
            found.routes.insert(route.clone(), of_the_controller(owner));
            let deletion = delete(&found, &release(), Recorded::Route);
            assert_eq!((deletion.routes, deletion.drains), (vec![route], true), "{owner}");
        }
    }

    #[test]
    fn what_names_another_release_or_none_stays_and_is_named() {
        let mut found = found();
        let route = key("VirtualService", "wisdom");
        found.objects.remove(&route);
        let mut other = of_the_controller("u1");
        other["metadata"]["annotations"] =
            json!({"meta.helm.sh/release-name": "other", "meta.helm.sh/release-namespace": "models"});
        found.others.insert(route.clone(), other);
        found.others.insert(key("Service", "theirs"), json!({"metadata": {}}));
        let deletion = delete(&found, &release(), Recorded::Route);
        assert_eq!(deletion.routes, []);
        let expected = [(key("Service", "theirs"), Owner::Nobody), (route, Owner::Other("models/other".into()))];
        assert_eq!(deletion.foreign, expected);
    }

    #[test]
    fn known_finalizers_have_a_controller() {
        let known = ["iter8.tools/finalizer", "inferenceservice.finalizers", "foregroundDeletion"];
        let expected = [Some("the Iter8 controller"), Some("KServe's controller"), Some("the garbage collector")];
        assert_eq!(known.map(holder), expected);
        assert_eq!(holder("example.org/mine"), None);
        let object = json!({"metadata": {"finalizers": ["a", "b"]}});
        assert_eq!(finalizers(&object), ["a", "b"]);
    }
}
