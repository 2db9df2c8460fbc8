//! What the cluster says of a release: each object as it is and as it would be, and what is left of earlier revisions.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all, try_join_all};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::{DynamicObject, Status};
use serde_json::Value;

use super::discovery::{Kinds, Served};
use super::follow::typed;
use super::inventory::{KINDS, routed_namespaces, routemaps};
use super::overlay::{drop_handed_over, keep_defaults, laid_over};
use super::{Cluster, ClusterError, FIELD_MANAGER};
use crate::manifest::{Manifest, Manifests, ObjectKey};
use crate::plan::{Conflict, Mode, Observation, Observed, Release, resources};
use crate::readiness::child;

/// Managers of other tools' client-side writes whose fields become r8's when it takes an object over (`spec/helm.md` 6.4).
pub(super) const TAKEN_OVER: [&str; 2] = [FIELD_MANAGER, "kubectl-client-side-apply"];

/// What was seen of a release: its objects in the versions that the cluster serves, beside what the cluster has.
pub struct Sight {
    /// The objects.
    pub manifests: Manifests,
    /// What was observed.
    pub observed: Observed,
    /// How their kinds are served.
    pub(super) kinds: Kinds,
    /// The namespaces in which the release was looked for.
    pub(super) listed: BTreeSet<String>,
}

/// What of the kinds of a release a cluster serves, before any object is looked at.
pub struct Ground {
    kinds: Kinds,
    /// Whether Knative's API is served.
    knative: bool,
}

/// Whether a release has InferenceServices.
fn has_models(manifests: &Manifests) -> bool {
    manifests.iter().any(|manifest| manifest.key.kind == "InferenceService")
}

/// The label by which KServe marks what it makes of an InferenceService.
pub(super) const CHILD: &str = "serving.kserve.io/inferenceservice";

impl Cluster<'_> {
    /// Finds out what of the kinds of a release the cluster serves; nothing of its objects is read.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Kinds`], and what every request can fail with.
    pub async fn ground(&self, manifests: &Manifests) -> Result<Ground, ClusterError> {
        let more: Vec<&str> = KINDS.iter().map(|(api_version, _)| *api_version).collect();
        let (kinds, knative) = join(self.discover(manifests, &more), self.has_knative(has_models(manifests))).await;
        Ok(Ground { kinds: kinds?, knative: knative? })
    }

    /// Reads every object and asks what applying it would make of it, all at once; nothing is written.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Kinds`]; [`ClusterError::Refused`] for an object that the API server does not accept; and what every
    /// request can fail with.
    pub async fn observe_on(
        &self,
        ground: Ground,
        manifests: Manifests,
        release: &Release,
    ) -> Result<Sight, ClusterError> {
        let Ground { kinds, knative } = ground;
        let models = has_models(&manifests);
        let manifests = manifests.map(|manifest| kinds.serve(manifest));
        let objects = try_join_all(manifests.iter().map(|manifest| self.object(manifest, &kinds, release)));
        let mut namespaces: BTreeSet<String> =
            manifests.iter().map(|manifest| manifest.key.namespace.clone()).collect();
        let children = self.children(&kinds, namespaces.clone(), models);
        namespaces.insert(release.namespace.clone());
        let lists = self.inventory(&kinds, &namespaces, release);
        let endings = join_all(namespaces.iter().map(|namespace| self.is_ending(namespace)));
        let (objects, ((lists, endings), children)) = join(objects, join(join(lists, endings), children)).await;
        let objects: BTreeMap<ObjectKey, Observation> = objects?.into_iter().collect();
        let ending = namespaces.iter().zip(endings).filter(|(_, ending)| *ending).map(|(name, _)| name.clone());
        let ending: Vec<String> = ending.collect();
        let inventory = lists?;
        let children = children?;
        let unlisted = inventory.unlisted;
        let mut left = self.left(&objects, &kinds, inventory.keys).await?;
        let routemaps = routemaps(&manifests, &objects, &left);
        left.extend(self.made(&routemaps, &objects, &left, &kinds, inventory.unmarked, release).await?);
        let resources: Vec<Vec<ObjectKey>> = routemaps.iter().flat_map(resources).collect();
        // Versions of earlier revisions may lie in namespaces that only a live routemap or a live route names.
        let mut others: BTreeSet<String> = resources.iter().flatten().map(|key| key.namespace.clone()).collect();
        others.extend(routed_namespaces(&objects, &left));
        let missing: BTreeSet<&str> = objects
            .iter()
            .filter(|(_, observation)| observation.mode == Mode::NoNamespace)
            .map(|(key, _)| key.namespace.as_str())
            .collect();
        let observed = Observed {
            missing_namespaces: missing.into_iter().map(str::to_owned).collect(),
            ending_namespaces: ending,
            unlisted: unlisted.into_iter().collect(),
            children,
            knative,
            objects,
            left,
            routemap: routemaps.into_iter().next(),
            resources,
            pending: BTreeSet::new(),
        };
        let mut sight = Sight { manifests, observed, kinds, listed: namespaces };
        self.widen(&mut sight, others, release).await?;
        Ok(sight)
    }

    /// Whether a namespace is being deleted; one that may not be read is taken not to be.
    pub(super) async fn is_ending(&self, namespace: &str) -> bool {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = self.call(&format!("read namespace {namespace}"), || api.get_metadata_opt(namespace)).await;
        found.is_ok_and(|found| found.is_some_and(|found| found.metadata.deletion_timestamp.is_some()))
    }

    /// Whether Knative's API is served; asked only where it matters.
    pub(super) async fn has_knative(&self, models: bool) -> Result<bool, ClusterError> {
        if !models {
            return Ok(false);
        }
        Ok(!self.group("serving.knative.dev/v1").await?.is_empty())
    }

    /// The Deployments that KServe makes in Standard mode, by their InferenceServices; none where they may not be listed.
    pub(super) async fn children(
        &self,
        kinds: &Kinds,
        namespaces: BTreeSet<String>,
        models: bool,
    ) -> Result<BTreeMap<ObjectKey, Value>, ClusterError> {
        let Some(served) = kinds.get("apps", "Deployment").filter(|_| models) else { return Ok(BTreeMap::new()) };
        let lists = namespaces.into_iter().map(|namespace| async move {
            let api = self.api(served, &namespace);
            let params = ListParams::default().labels(CHILD);
            let doing = format!("list deployments in {namespace}");
            match self.call(&doing, || api.list(&params)).await {
                Ok(list) => Ok(list.items),
                Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => Ok(Vec::new()),
                Err(error) => Err(ClusterError::from_client(error, &self.server, &doing)),
            }
        });
        let found = try_join_all(lists).await?.into_iter().flatten();
        let with_parent = found.filter_map(|object| {
            let name = object.metadata.labels.as_ref()?.get(CHILD)?.clone();
            let namespace = object.metadata.namespace.clone()?;
            (object.metadata.name == Some(child(&name))).then_some(())?;
            Some((
                ObjectKey { group: "serving.kserve.io".into(), kind: "InferenceService".into(), namespace, name },
                typed(served)(&object),
            ))
        });
        Ok(with_parent.collect())
    }

    /// An object as it is; none when it does not exist.
    pub(super) async fn read(&self, served: &Served, key: &ObjectKey) -> Result<Option<Value>, ClusterError> {
        let api = self.api(served, &key.namespace);
        let doing = format!("read {key}");
        let found = self.call(&doing, || api.get_opt(&key.name)).await;
        let found = found.map_err(|error| ClusterError::from_client(error, &self.server, &doing))?;
        Ok(found.map(|object| json(&object)))
    }

    /// The requests about objects of a kind in a namespace; the namespace is passed over where they live in none.
    pub(super) fn api(&self, served: &Served, namespace: &str) -> Api<DynamicObject> {
        if served.namespaced {
            Api::namespaced_with(self.client.clone(), namespace, &served.resource)
        } else {
            Api::all_with(self.client.clone(), &served.resource)
        }
    }

    /// One object: as it is, and as applying it would make it.
    async fn object(
        &self,
        manifest: &Manifest,
        kinds: &Kinds,
        release: &Release,
    ) -> Result<(ObjectKey, Observation), ClusterError> {
        let key = manifest.key.clone();
        let Some(served) = kinds.get(&key.group, &key.kind) else {
            return Err(ClusterError::Kinds(vec![key.kind]));
        };
        let api = self.api(served, &key.namespace);
        let mut wanted = manifest.object.clone();
        release.mark(&mut wanted, manifest.role);
        let (live, dry_run) = join(self.read(served, &key), self.dry_run(&api, &key, &wanted, false)).await;
        let live = live?;
        let mut observation = Observation { live, ..Observation::default() };
        match dry_run {
            Ok(desired) => observation.desired = Some(desired),
            Err(kube::Error::Api(status)) => match status.code {
                404 => observation.mode = Mode::NoNamespace,
                // Nothing new comes into a namespace that is being deleted.
                403 if ends(&status) => observation.mode = Mode::NoNamespace,
                403 if lacks_right(&status) => {
                    observation.desired = observation.live.as_ref().map(|live| laid_over(live, &wanted));
                    observation.mode = Mode::Compared;
                }
                409 => {
                    observation.conflicts = conflicts(&status);
                    let forced = self.dry_run(&api, &key, &wanted, true).await;
                    observation.desired = Some(forced.map_err(|error| self.refused(&key, error))?);
                }
                _ => return Err(self.refused(&key, kube::Error::Api(status))),
            },
            Err(error) => return Err(self.refused(&key, error)),
        }
        if let (Some(live), Some(desired)) = (&observation.live, &mut observation.desired) {
            let foreseen = desired.clone();
            drop_handed_over(desired, live, &wanted);
            // Who created an object owns the defaults in it, too: they come back by themselves.
            if *desired != foreseen
                && let Ok(fresh) = self.fresh(&api, &key, &wanted).await
            {
                keep_defaults(desired, &foreseen, &fresh);
            }
        }
        Ok((key, observation))
    }

    /// The object as applying it would store it; nothing is written.
    pub(super) async fn dry_run(
        &self,
        api: &Api<DynamicObject>,
        key: &ObjectKey,
        wanted: &Value,
        force: bool,
    ) -> kube::Result<Value> {
        let params = PatchParams::apply(FIELD_MANAGER).dry_run();
        let params = if force { params.force() } else { params };
        let patch = Patch::Apply(wanted);
        let object = self.call(&format!("try {key}"), || api.patch(&key.name, &params, &patch)).await?;
        Ok(json(&object))
    }

    /// The object as the API server would store it if it were new: under a name that nothing has.
    async fn fresh(&self, api: &Api<DynamicObject>, key: &ObjectKey, wanted: &Value) -> kube::Result<Value> {
        let name: String = key.name.chars().take(40).collect();
        let key = ObjectKey { name: format!("{}-r8-defaults", name.trim_end_matches(['-', '.'])), ..key.clone() };
        let mut object = wanted.clone();
        object["metadata"]["name"] = key.name.as_str().into();
        self.dry_run(api, &key, &object, false).await
    }

    /// Why an object could not be written: the server has something against it, or any other failure.
    pub(super) fn refused(&self, key: &ObjectKey, error: kube::Error) -> ClusterError {
        match error {
            kube::Error::Api(status) if is_refusal(&status) => {
                ClusterError::Refused { key: Box::new(key.clone()), message: status.message }
            }
            error => ClusterError::from_client(error, &self.server, &format!("apply {key}")),
        }
    }
}

/// An object as JSON.
pub(super) fn json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// Whether the server refuses something new because the namespace is being deleted.
fn ends(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating")
}

/// Whether the user lacks a right, in the words of the API server; what admission refuses has the same code.
fn lacks_right(status: &Status) -> bool {
    [" cannot patch resource ", " cannot create resource "].iter().any(|text| status.message.contains(text))
}

/// Whether the server has something against the object: admission refuses with the code of a missing right.
fn is_refusal(status: &Status) -> bool {
    match status.code {
        403 => !lacks_right(status),
        code => !matches!(code, 401 | 429 | 500..),
    }
}

/// Fields that others own, from a refusal of server-side apply; those of tools that r8 takes over from are none.
pub(super) fn conflicts(status: &Status) -> Vec<Conflict> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let conflicts = causes.filter(|cause| cause.reason == "FieldManagerConflict").map(|cause| {
        // `conflict with "kubectl-edit" using apps/v1: .spec.replicas`
        let manager = cause.message.split('"').nth(1).unwrap_or(&cause.message).to_owned();
        Conflict { manager, field: cause.field.clone() }
    });
    let mut conflicts: Vec<Conflict> =
        conflicts.filter(|conflict| !TAKEN_OVER.contains(&conflict.manager.as_str())).collect();
    conflicts.sort();
    conflicts
}
