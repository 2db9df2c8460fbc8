//! The record that a run keeps beside what it writes: checked before requests move, rewritten when they have.

use std::time::SystemTime;

use serde_json::Value;

use super::writing::own;
use crate::cluster::records::{Held, RecordsError};
use crate::cluster::{ClusterError, Sight};
use crate::manifest::{Manifest, ManifestError, Manifests, Role};
use crate::plan::{Owner, Plan, is_controllers};
use crate::record::Revision;
use crate::route::{Route, RouteError};

/// The revision that a run makes: its record, which locks the release, and what of it the route does not change.
pub struct Ledger<'c> {
    held: Held<'c>,
    /// The objects of the revision without the route.
    objects: Manifests,
    clock: &'c dyn Fn() -> SystemTime,
}

impl<'c> Ledger<'c> {
    /// Takes a revision that has been begun; `objects` are all that it wants but the route.
    pub fn new(held: Held<'c>, objects: Manifests, clock: &'c dyn Fn() -> SystemTime) -> Ledger<'c> {
        Ledger { held, objects, clock }
    }

    /// Renews the lock for as long as it is waited for; ends when it is lost.
    pub async fn keep_alive(&self) -> ClusterError {
        self.held.keep_alive(self.clock).await.into()
    }

    /// Whether this run still holds the lock.
    pub(super) async fn check(&self) -> Result<(), ClusterError> {
        Ok(self.held.check().await?)
    }

    /// Notes the route that has been written: the record holds it as it is live.
    pub(super) async fn routed(&self, route: Manifest) -> Result<(), ClusterError> {
        let text = manifest(&self.objects, Some(route)).map_err(|error| ClusterError::Server {
            verb: "write down the route".into(),
            message: error.to_string(),
        })?;
        Ok(self.held.rewrite(|revision| revision.manifest = text, (self.clock)()).await?)
    }

    /// Ends the revision as `end` says, with the route that is live at the end where that is known; gives what the user
    /// should hear of.
    ///
    /// # Errors
    ///
    /// As [`Held::finish`].
    pub async fn finish(
        self,
        end: impl FnOnce(&mut Revision),
        route: Option<Manifest>,
        max: usize,
    ) -> Result<Vec<RecordsError>, RecordsError> {
        let text = route.and_then(|route| manifest(&self.objects, Some(route)).ok());
        let change = |revision: &mut Revision| {
            if let Some(text) = text {
                revision.manifest = text;
            }
            end(revision);
        };
        self.held.finish(change, max, (self.clock)()).await
    }
}

/// The text of a record's manifest.
///
/// # Errors
///
/// [`ManifestError`] where a key is there twice, or something cannot be written.
pub fn manifest(objects: &Manifests, route: Option<Manifest>) -> Result<String, ManifestError> {
    let all = objects.iter().cloned().chain(route).collect();
    Manifests::new(all)?.to_yaml()
}

impl Sight {
    /// The route with these weights in force, in the version that the cluster serves.
    ///
    /// # Errors
    ///
    /// As [`Route::at`].
    pub fn route_at(&self, route: &Route, weights: &[u32]) -> Result<Manifest, RouteError> {
        let mut manifest = route.at(weights)?;
        self.kinds.serve(&mut manifest);
        Ok(manifest)
    }
}

/// The live route as a record holds it when a run begins: only one that r8 wrote.
pub fn found_route(plan: &Plan) -> Option<Manifest> {
    const MARKS: [&str; 3] = ["meta.helm.sh/release-name", "meta.helm.sh/release-namespace", "helm.sh/resource-policy"];
    let ours = |live: &&Value| !is_controllers(live) && plan.release.owner(live) == Owner::Release;
    let mut object = own(plan.before.as_ref().filter(ours)?);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for (map, marks) in [("labels", &["app.kubernetes.io/managed-by"][..]), ("annotations", &MARKS)] {
            if let Some(map) = metadata.get_mut(map).and_then(Value::as_object_mut) {
                marks.iter().for_each(|mark| drop(map.shift_remove(*mark)));
            }
        }
        metadata.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
    }
    let template = plan.route.as_ref().map_or("route", Route::template);
    Manifest::from_object(object, template, Role::Route).ok()
}
