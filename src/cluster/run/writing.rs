//! What a run writes.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Run, key_of};
use crate::cluster::overlay::is_handed_over;
use crate::cluster::write::Stored;
use crate::cluster::{ClusterError, FIELD_MANAGER, News};
use crate::manifest::{Manifest, ObjectKey, Role};
use crate::plan::{Action, CONTROLLER, RouteWrite, Routed, Routing, is_controllers};
use crate::route::Route;

impl Run<'_> {
    /// Writes these objects at the same time; a failure of one lets the others end.
    pub(super) async fn write(&mut self, keys: &[ObjectKey]) -> Result<(), ClusterError> {
        let run = &*self;
        let writes = keys.iter().map(|key| async move {
            let result = run.write_object(key).await;
            if result.is_ok() {
                let created = run.plan.change(key).is_some_and(|change| change.action == Action::Create);
                (run.cluster.say)(News::Written { key, created });
            }
            result
        });
        let results = join_all(writes).await;
        let mut failed = None;
        for (key, result) in keys.iter().zip(results) {
            match result {
                Ok(stored) => {
                    self.seen.done.insert(key.clone(), self.start.elapsed());
                    let model = self.plan.members.iter().any(|member| member.model && member.objects.contains(key));
                    match (self.tracks.get_mut(key), stored) {
                        (Some(track), Stored::Told(object)) => track.wrote(object, model),
                        (Some(track), Stored::Read(object)) => track.wrote_unseen(object, model),
                        (None, _) => {}
                    }
                }
                Err(error) => failed = failed.or(Some(self.doubt(key, error))),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Notes an object whose write may have arrived all the same.
    pub(super) fn doubt(&mut self, key: &ObjectKey, error: ClusterError) -> ClusterError {
        if matches!(error, ClusterError::Lost { .. }) {
            self.doubtful.insert(key.clone());
        }
        error
    }

    /// Writes one object, having taken over what other tools wrote of it.
    pub(super) async fn write_object(&self, key: &ObjectKey) -> Result<Stored, ClusterError> {
        let manifest = self.sight.manifests.iter().find(|manifest| manifest.key == *key);
        let manifest = manifest.ok_or_else(|| ClusterError::Kinds(vec![key.kind.clone()]))?;
        let mut object = manifest.object.clone();
        self.plan.release.mark(&mut object, manifest.role);
        let live = self.sight.observed.objects.get(key).and_then(|observation| observation.live.as_ref());
        if live.is_some() {
            self.cluster.hand_over(&self.sight.kinds, key, live).await?;
        }
        let force = self.plan.change(key).is_some_and(|change| self.plan.forces(change));
        self.cluster.apply(&self.sight.kinds, key, &object, force).await
    }

    /// Writes the route while this run holds the lock, and records it; one that the controller has taken is left to it.
    pub(super) async fn write_route(&mut self, write: RouteWrite) -> Result<(), ClusterError> {
        self.check_lock().await?;
        let (key, mut object) = match &write {
            RouteWrite::Without(out) => {
                let previous = self.plan.previous_without(out).unwrap_or_default();
                let Some(key) = key_of(&previous) else { return Ok(()) };
                (key, own(&previous))
            }
            RouteWrite::Wanted(weights) => {
                let Some(route) = &self.plan.route else { return Ok(()) };
                let mut manifest: Manifest = route.at(weights).map_err(|error| ClusterError::Server {
                    verb: format!("write {}", route.key()),
                    message: error.to_string(),
                })?;
                self.sight.kinds.serve(&mut manifest);
                (manifest.key, manifest.object)
            }
        };
        let template = self.plan.route.as_ref().map_or("route", Route::template);
        let recorded = Manifest::from_object(object.clone(), template, Role::Route);
        self.plan.release.mark(&mut object, Role::Route);
        let served = self.cluster.served(&self.sight.kinds, &key)?;
        let live = self.cluster.read(served, &key).await?;
        // Decided anew before each write: the controller may have come in between.
        if self.plan.goal.routing == Routing::Auto && live.as_ref().is_some_and(is_controllers) {
            return self.leave(&key, live);
        }
        if live.is_some() {
            self.cluster.hand_over(&self.sight.kinds, &key, live.as_ref()).await?;
        }
        let takes = self.plan.goal.routing == Routing::Route && live.as_ref().is_some_and(has_controller);
        let force = takes || self.plan.change(&key).is_some_and(|change| self.plan.forces(change));
        let stored = match self.cluster.apply(&self.sight.kinds, &key, &object, force).await {
            Ok(stored) => stored.object(),
            // What both owned has come to differ: the controller has been here since.
            Err(ClusterError::Conflict { conflicts, .. })
                if self.plan.goal.routing == Routing::Auto
                    && conflicts.iter().all(|conflict| conflict.manager == CONTROLLER) =>
            {
                return self.leave(&key, live);
            }
            Err(error) => return Err(self.doubt(&key, error)),
        };
        (self.cluster.say)(News::Routed(&stored));
        self.seen.routed = match write {
            // The route that was there before is no object of the release that is done.
            RouteWrite::Without(out) => Routed::Without(out),
            RouteWrite::Wanted(weights) => {
                self.seen.done.insert(key, self.start.elapsed());
                Routed::Wanted(weights)
            }
        };
        self.seen.in_force = None;
        self.see_route(Some(stored));
        if let (Some(ledger), Ok(route)) = (self.ledger, recorded) {
            ledger.routed(route).await?;
        }
        Ok(())
    }

    /// Leaves the route to the controller from now on.
    pub(super) fn leave(&mut self, key: &ObjectKey, live: Option<Value>) -> Result<(), ClusterError> {
        self.seen.controller = true;
        (self.cluster.say)(News::LeftToController(key));
        self.see_route(live);
        Ok(())
    }
}

/// Whether the Iter8 controller has written a route.
fn has_controller(route: &Value) -> bool {
    let entries = route["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.into_iter().any(|entry| entry["manager"] == CONTROLLER)
}

/// A live route as r8 wrote it: the fields that are its own, and where requests go. Of a route that r8 never wrote the
/// spec alone.
pub(super) fn own(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let entries = metadata["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours: Vec<&Value> = entries
        .iter()
        .filter(|entry| (entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply") || is_handed_over(entry))
        .map(|entry| &entry["fieldsV1"])
        .collect();
    let owned =
        |fields: &dyn Fn(&Value) -> Value, key: &str| ours.iter().any(|own| !fields(own)[format!("f:{key}")].is_null());
    let part = |value: &Value, keep: &dyn Fn(&str) -> bool| -> Value {
        let fields = value.as_object().into_iter().flatten().filter(|(key, _)| keep(key));
        Value::Object(fields.map(|(key, value)| (key.clone(), value.clone())).collect())
    };
    let labels = |key: &str| owned(&|own| own["f:metadata"]["f:labels"].clone(), key);
    let annotations = |key: &str| {
        let last = "kubectl.kubernetes.io/last-applied-configuration";
        key != last && owned(&|own| own["f:metadata"]["f:annotations"].clone(), key)
    };
    let spec =
        |key: &str| ours.is_empty() || ["http", "rules"].contains(&key) || owned(&|own| own["f:spec"].clone(), key);
    json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"],
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"],
            "labels": part(&metadata["labels"], &labels), "annotations": part(&metadata["annotations"], &annotations),
        },
        "spec": part(&object["spec"], &spec),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_live_route_only_what_is_r8s_is_written_again() {
        let mut route = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "status": {"a": 1},
            "metadata": {"name": "shop", "namespace": "models", "uid": "u", "finalizers": ["f"],
                "labels": {"ours": "1", "theirs": "2"}, "annotations": {"ours": "1", "theirs": "2"},
                "ownerReferences": [{"uid": "o"}],
                "managedFields": [
                    {"manager": "helm", "operation": "Apply", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:ours": {}}, "f:annotations": {"f:ours": {}}},
                        "f:spec": {"f:hosts": {}, "f:http": {}}}},
                    {"manager": "other", "operation": "Update", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:theirs": {}}, "f:annotations": {"f:theirs": {}}},
                        "f:spec": {"f:exportTo": {}}}}]},
            "spec": {"hosts": ["shop"], "http": [{"route": []}], "exportTo": ["."]}});
        let expected = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": "shop", "namespace": "models", "labels": {"ours": "1"}, "annotations": {"ours": "1"}},
            "spec": {"hosts": ["shop"], "http": [{"route": []}]}});
        assert_eq!(own(&route), expected);
        route["metadata"]["managedFields"] = json!([]);
        let spec = json!({"hosts": ["shop"], "http": [{"route": []}], "exportTo": ["."]});
        assert_eq!((&own(&route)["spec"], &own(&route)["metadata"]["labels"]), (&spec, &json!({})));
    }
}
