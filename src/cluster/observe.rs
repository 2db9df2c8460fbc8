//! What the cluster says of a release: each object as it is and as it would be, and what is left of earlier revisions.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all, try_join_all};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::{DynamicObject, PartialObjectMeta, Status};
use serde_json::Value;

use super::discovery::{Kinds, Served};
use super::follow::typed;
use super::overlay::{drop_handed_over, laid_over};
use super::{Cluster, ClusterError, FIELD_MANAGER};
use crate::manifest::{Manifest, Manifests, ObjectKey};
use crate::plan::{Conflict, Mode, Observation, Observed, Owner, Release, is_routemap, resources};
use crate::readiness::child;

/// The kinds that r8 writes, by `apiVersion`: where objects of earlier revisions are looked for.
pub(super) const KINDS: [(&str, &str); 8] = [
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("serving.kserve.io/v1beta1", "InferenceService"),
    ("networking.istio.io/v1", "ServiceEntry"),
    ("networking.istio.io/v1", "VirtualService"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant"),
];
/// Managers of other tools' client-side writes whose fields become r8's when it takes an object over (`spec/helm.md` 6.4).
pub(super) const OWN: [&str; 2] = [FIELD_MANAGER, "kubectl-client-side-apply"];

/// What was seen of a release: its objects in the versions that the cluster serves, beside what the cluster has.
pub struct Sight {
    /// The objects.
    pub manifests: Manifests,
    /// What was observed.
    pub observed: Observed,
    /// How their kinds are served.
    pub(super) kinds: Kinds,
}

/// The label by which KServe marks what it makes of an InferenceService.
pub(super) const CHILD: &str = "serving.kserve.io/inferenceservice";

impl Cluster<'_> {
    /// Reads every object and asks what applying it would make of it, all at once; nothing is written.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Kinds`]; [`ClusterError::Refused`] for an object that the API server does not accept; and what every
    /// request can fail with.
    pub async fn observe(&self, manifests: Manifests, release: &Release) -> Result<Sight, ClusterError> {
        let more: Vec<&str> = KINDS.iter().map(|(api_version, _)| *api_version).collect();
        let models = manifests.iter().any(|manifest| manifest.key.kind == "InferenceService");
        let (kinds, knative) = join(self.discover(&manifests, &more), self.has_knative(models)).await;
        let kinds = kinds?;
        let manifests = manifests.map(|manifest| kinds.serve(manifest));
        let objects = try_join_all(manifests.iter().map(|manifest| self.object(manifest, &kinds, release)));
        let mut namespaces: BTreeSet<String> =
            manifests.iter().map(|manifest| manifest.key.namespace.clone()).collect();
        let children = self.children(&kinds, namespaces.clone(), models);
        namespaces.insert(release.namespace.clone());
        let lists = self.inventory(&kinds, &namespaces, release);
        let (objects, (lists, children)) = join(objects, join(lists, children)).await;
        let objects: BTreeMap<ObjectKey, Observation> = objects?.into_iter().collect();
        let mut inventory = lists?;
        let routemap = self.routemap(&objects, &inventory).await?;
        let resources = routemap.as_ref().map(resources).unwrap_or_default();
        // Versions of earlier revisions may lie in namespaces that only the live routemap names.
        let others: BTreeSet<String> = resources
            .iter()
            .flatten()
            .map(|key| key.namespace.clone())
            .filter(|name| !namespaces.contains(name))
            .collect();
        if !others.is_empty() {
            let more = self.inventory(&kinds, &others, release).await?;
            inventory.keys.extend(more.keys);
            inventory.unlisted.extend(more.unlisted);
        }
        let left = self.left(&manifests, &kinds, inventory.keys).await?;
        let missing: BTreeSet<&str> = objects
            .iter()
            .filter(|(_, observation)| observation.mode == Mode::NoNamespace)
            .map(|(key, _)| key.namespace.as_str())
            .collect();
        let observed = Observed {
            missing_namespaces: missing.into_iter().map(str::to_owned).collect(),
            unlisted: inventory.unlisted.into_iter().collect(),
            children: children?,
            knative: knative?,
            objects,
            left,
            routemap,
            resources,
        };
        Ok(Sight { manifests, observed, kinds })
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

    /// The live routemap: the wanted one, or one that the release has left.
    async fn routemap(
        &self,
        objects: &BTreeMap<ObjectKey, Observation>,
        inventory: &Inventory<'_>,
    ) -> Result<Option<Value>, ClusterError> {
        let live = objects.values().filter_map(|observation| observation.live.as_ref());
        if let Some(found) = live.into_iter().find(|object| is_routemap(&object["metadata"])) {
            return Ok(Some(found.clone()));
        }
        let routemap = inventory.keys.iter().find(|(key, _, metadata)| is_routemap_of(key, metadata));
        let Some((key, served, _)) = routemap else { return Ok(None) };
        self.read(served, key).await
    }

    /// An object as it is; none when it does not exist.
    pub(super) async fn read(&self, served: &Served, key: &ObjectKey) -> Result<Option<Value>, ClusterError> {
        let api = self.api(served, &key.namespace);
        let doing = format!("read {key}");
        let found = self.call(&doing, || api.get_opt(&key.name)).await;
        let found = found.map_err(|error| ClusterError::from_client(error, &self.server, &doing))?;
        Ok(found.map(|object| json(&object)))
    }

    pub(super) fn api(&self, served: &Served, namespace: &str) -> Api<DynamicObject> {
        if served.namespaced {
            Api::namespaced_with(self.client.clone(), namespace, &served.resource)
        } else {
            Api::all_with(self.client.clone(), &served.resource)
        }
    }

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
            drop_handed_over(desired, live, &wanted);
        }
        Ok((key, observation))
    }

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

    pub(super) fn refused(&self, key: &ObjectKey, error: kube::Error) -> ClusterError {
        match error {
            kube::Error::Api(status) if !matches!(status.code, 401 | 403 | 429 | 500..) => {
                ClusterError::Refused { key: Box::new(key.clone()), message: status.message }
            }
            error => ClusterError::from_client(error, &self.server, &format!("apply {key}")),
        }
    }

    /// Objects that name the release as their owner; and the kinds that may not be listed.
    pub(super) async fn inventory<'k>(
        &self,
        kinds: &'k Kinds,
        namespaces: &BTreeSet<String>,
        release: &Release,
    ) -> Result<Inventory<'k>, ClusterError> {
        let served = KINDS.iter().filter_map(|(api_version, kind)| {
            let group = api_version.split_once('/').map_or("", |(group, _)| group);
            kinds.get(group, kind)
        });
        let lists = served.flat_map(|served| namespaces.iter().map(move |namespace| self.managed(served, namespace)));
        let mut inventory = Inventory::default();
        for answer in join_all(lists).await {
            match answer {
                Ok(items) => {
                    for item in items {
                        match release.owner(&serde_json::json!({"metadata": item.2})) {
                            Owner::Release => inventory.keys.push(item),
                            Owner::Other(other) => drop(inventory.releases.insert(other)),
                            Owner::Nobody => {}
                        }
                    }
                }
                Err(Listing::Forbidden(kind)) => drop(inventory.unlisted.insert(kind)),
                Err(Listing::Failed(error)) => return Err(error),
            }
        }
        Ok(inventory)
    }

    /// The objects of the inventory that are not wanted, as they are.
    async fn left(
        &self,
        manifests: &Manifests,
        kinds: &Kinds,
        keys: Vec<(ObjectKey, &Served, Value)>,
    ) -> Result<BTreeMap<ObjectKey, Value>, ClusterError> {
        let wanted: BTreeSet<&ObjectKey> = manifests.iter().map(|manifest| &manifest.key).collect();
        let left = keys.into_iter().map(|(key, ..)| key).filter(|key| !wanted.contains(key));
        let reads = left.map(|key| async move {
            let Some(served) = kinds.get(&key.group, &key.kind) else { return Ok(None) };
            let found = self.read(served, &key).await?;
            Ok::<_, ClusterError>(found.map(|object| (key, object)))
        });
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    /// The objects of one kind that some release of Helm's or r8's manages, with their metadata.
    async fn managed<'a>(
        &self,
        served: &'a Served,
        namespace: &str,
    ) -> Result<Vec<(ObjectKey, &'a Served, Value)>, Listing> {
        let params = ListParams::default().labels("app.kubernetes.io/managed-by=Helm");
        let (api, doing) = (self.api(served, namespace), format!("list {} in {namespace}", served.resource.plural));
        let list = match self.call(&doing, || api.list_metadata(&params)).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 403 => {
                return Err(Listing::Forbidden(served.resource.kind.clone()));
            }
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
            Err(error) => {
                return Err(Listing::Failed(ClusterError::from_client(error, &self.server, &doing)));
            }
        };
        let items = list.items.into_iter().map(|item: PartialObjectMeta<DynamicObject>| {
            let key = ObjectKey {
                group: served.resource.group.clone(),
                kind: served.resource.kind.clone(),
                namespace: namespace.to_owned(),
                name: item.metadata.name.clone().unwrap_or_default(),
            };
            (key, served, serde_json::json!(item.metadata))
        });
        Ok(items.collect())
    }
}

/// What names a release as its owner.
#[derive(Default)]
pub(super) struct Inventory<'k> {
    /// The objects, how their kinds are served, and their metadata.
    pub keys: Vec<(ObjectKey, &'k Served, Value)>,
    /// Kinds that may not be listed.
    pub unlisted: BTreeSet<String>,
    /// The other releases that were seen, as NAMESPACE/NAME.
    pub releases: BTreeSet<String>,
}

/// Whether an object is a routemap.
pub(super) fn is_routemap_of(key: &ObjectKey, metadata: &Value) -> bool {
    key.kind == "ConfigMap" && is_routemap(metadata)
}

/// Why a list of objects is not there.
enum Listing {
    /// The user may not list this kind.
    Forbidden(String),
    /// Anything else.
    Failed(ClusterError),
}

pub(super) fn json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// Whether the user lacks a right, in the words of the API server; what admission refuses has the same code.
fn lacks_right(status: &Status) -> bool {
    [" cannot patch resource ", " cannot create resource "].iter().any(|text| status.message.contains(text))
}

/// Fields that others own, from a refusal of server-side apply; those of tools that r8 takes over from are none.
pub(super) fn conflicts(status: &Status) -> Vec<Conflict> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let conflicts = causes.filter(|cause| cause.reason == "FieldManagerConflict").map(|cause| {
        // `conflict with "kubectl-edit" using apps/v1: .spec.replicas`
        let manager = cause.message.split('"').nth(1).unwrap_or(&cause.message).to_owned();
        Conflict { manager, field: cause.field.clone() }
    });
    let mut conflicts: Vec<Conflict> = conflicts.filter(|conflict| !OWN.contains(&conflict.manager.as_str())).collect();
    conflicts.sort();
    conflicts
}
