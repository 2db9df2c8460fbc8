//! What a run writes and deletes.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value;

use super::{Run, key_of};
use crate::cluster::write::Stored;
use crate::cluster::{ClusterError, News};
use crate::manifest::{Manifest, ObjectKey, Role};
use crate::plan::{Action, CONTROLLER, Member, RouteWrite, Routed, Routing, is_controllers, is_route};
use crate::route::{Destination, destinations};

impl Run<'_> {
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

    pub(super) async fn write_route(&mut self, write: RouteWrite) -> Result<(), ClusterError> {
        let (key, mut object) = match &write {
            RouteWrite::Without(out) => {
                let previous = self.plan.previous_without(out).unwrap_or_default();
                let Some(key) = key_of(&previous) else { return Ok(()) };
                (key, own(previous))
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
        Ok(())
    }

    /// Leaves the route to the controller from now on.
    pub(super) fn leave(&mut self, key: &ObjectKey, live: Option<Value>) -> Result<(), ClusterError> {
        self.seen.controller = true;
        (self.cluster.say)(News::LeftToController(key));
        self.see_route(live);
        Ok(())
    }

    /// Fails when a live route, which others may have written, sends requests to what is about to go.
    pub(super) async fn check_unrouted(&self, keys: &[ObjectKey]) -> Result<(), ClusterError> {
        let going = |member: &&Member| member.objects.iter().any(|key| keys.contains(key));
        let going: Vec<&Member> = self.plan.members.iter().filter(going).collect();
        if going.is_empty() {
            return Ok(());
        }
        let left = self.sight.observed.left.keys().filter(|key| is_route(key) && !self.seen.done.contains_key(*key));
        let routes: BTreeSet<ObjectKey> = self.route_key().into_iter().chain(left.cloned()).collect();
        for key in routes.into_iter().filter(|key| !keys.contains(key)) {
            let served = self.cluster.served(&self.sight.kinds, &key)?;
            let Some(live) = self.cluster.read(served, &key).await? else { continue };
            // A route through ModelMesh names no namespace: what stays under a name is meant, not what goes.
            let stays = |place: &Destination| {
                let mut wanted = self.plan.members.iter().filter(|member| member.index.is_some());
                wanted.any(|member| member.is(place))
            };
            let mut places = destinations(&live);
            places.retain(|place| !stays(place));
            if let Some(member) = going.iter().find(|member| places.iter().any(|place| member.is(place))) {
                return Err(ClusterError::Rerouted { route: Box::new(key), version: member.name.clone() });
            }
        }
        Ok(())
    }

    pub(super) async fn delete(&mut self, keys: &[ObjectKey]) -> Result<(), ClusterError> {
        self.check_unrouted(keys).await?;
        let run = &*self;
        let deletes = keys.iter().map(|key| async move {
            let live = run.sight.observed.left.get(key);
            let uid = live.and_then(|object| object["metadata"]["uid"].as_str());
            // A routemap owns the route that its controller made.
            let orphan = key.kind == "ConfigMap" && run.seen.untied;
            let result = run.cluster.delete_object(&run.sight.kinds, key, uid, orphan).await;
            if result.is_ok() {
                (run.cluster.say)(News::Deleted(key));
            }
            result
        });
        let results = join_all(deletes).await;
        let mut failed = None;
        for (key, result) in keys.iter().zip(results) {
            match result {
                Ok(()) => drop(self.seen.done.insert(key.clone(), self.start.elapsed())),
                Err(error) => failed = failed.or(Some(self.doubt(key, error))),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let orphaned = self.seen.untied && keys.iter().any(|key| key.kind == "ConfigMap");
        if orphaned && let (Some(key), Routed::Wanted(weights)) = (self.route_key(), self.seen.routed.clone()) {
            // The route has to be the one that was there before.
            let served = self.cluster.served(&self.sight.kinds, &key)?;
            if self.cluster.read(served, &key).await?.is_none() {
                return self.write_route(RouteWrite::Wanted(weights)).await;
            }
        }
        Ok(())
    }
}

/// Whether the Iter8 controller has written a route.
fn has_controller(route: &Value) -> bool {
    let entries = route["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.into_iter().any(|entry| entry["manager"] == CONTROLLER)
}

/// A live object as somebody would write it: without what the API server and other tools keep in it.
fn own(mut object: Value) -> Value {
    const KEPT: [&str; 4] = ["name", "namespace", "labels", "annotations"];
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| KEPT.contains(&key.as_str()));
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        }
    }
    object
}
