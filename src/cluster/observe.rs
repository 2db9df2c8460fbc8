//! What the cluster says of a release: each object as it is and as it would be, and what is left of earlier revisions.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all, try_join_all};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::{DynamicObject, PartialObjectMeta, Status};
use serde_json::Value;

use super::discovery::{Kinds, Served};
use super::{Cluster, ClusterError, FIELD_MANAGER};
use crate::manifest::{Manifest, Manifests, ObjectKey};
use crate::plan::{Conflict, Mode, Observation, Observed, Owner, Release};

/// The kinds that r8 writes, by `apiVersion`: where objects of earlier revisions are looked for.
const KINDS: [(&str, &str); 8] = [
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
const OWN: [&str; 2] = [FIELD_MANAGER, "kubectl-client-side-apply"];

impl Cluster {
    /// Reads every object and asks what applying it would make of it, all at once; nothing is written.
    ///
    /// Gives the manifests in the versions that the cluster serves, beside what was seen.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Kinds`]; [`ClusterError::Refused`] for an object that the API server does not accept; and what every
    /// request can fail with.
    pub async fn observe(
        &self,
        manifests: Manifests,
        release: &Release,
    ) -> Result<(Manifests, Observed), ClusterError> {
        let more: Vec<&str> = KINDS.iter().map(|(api_version, _)| *api_version).collect();
        let kinds = self.discover(&manifests, &more).await?;
        let manifests = manifests.map(|manifest| kinds.serve(manifest));
        let objects = try_join_all(manifests.iter().map(|manifest| self.object(manifest, &kinds, release)));
        let (objects, (left, unlisted)) = join(objects, self.inventory(&manifests, &kinds, release)).await;
        let objects: BTreeMap<ObjectKey, Observation> = objects?.into_iter().collect();
        let missing: BTreeSet<&str> = objects
            .iter()
            .filter(|(_, observation)| observation.mode == Mode::NoNamespace)
            .map(|(key, _)| key.namespace.as_str())
            .collect();
        let missing_namespaces = missing.into_iter().map(str::to_owned).collect();
        Ok((manifests, Observed { objects, left: left?, unlisted, missing_namespaces }))
    }

    fn api(&self, served: &Served, namespace: &str) -> Api<DynamicObject> {
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
        release.mark(&mut wanted);
        let (live, dry_run) = join(api.get_opt(&key.name), self.dry_run(&api, &key.name, &wanted, false)).await;
        let live = live.map_err(|error| ClusterError::from_client(error, &self.server, &format!("read {key}")))?;
        let live = live.map(|object| json(&object));
        let mut observation = Observation { live, ..Observation::default() };
        match dry_run {
            Ok(desired) => observation.desired = Some(desired),
            Err(kube::Error::Api(status)) => match status.code {
                404 => observation.mode = Mode::NoNamespace,
                403 => {
                    observation.desired = observation.live.as_ref().map(|live| laid_over(live, &wanted));
                    observation.mode = Mode::Compared;
                }
                409 => {
                    observation.conflicts = conflicts(&status);
                    let forced = self.dry_run(&api, &key.name, &wanted, true).await;
                    observation.desired = Some(forced.map_err(|error| self.refused(&key, error))?);
                }
                _ => return Err(self.refused(&key, kube::Error::Api(status))),
            },
            Err(error) => return Err(self.refused(&key, error)),
        }
        Ok((key, observation))
    }

    async fn dry_run(&self, api: &Api<DynamicObject>, name: &str, wanted: &Value, force: bool) -> kube::Result<Value> {
        let params = PatchParams::apply(FIELD_MANAGER).dry_run();
        let params = if force { params.force() } else { params };
        let object = api.patch(name, &params, &Patch::Apply(wanted)).await?;
        Ok(json(&object))
    }

    fn refused(&self, key: &ObjectKey, error: kube::Error) -> ClusterError {
        match error {
            kube::Error::Api(status) if !matches!(status.code, 401 | 403 | 429 | 500..) => {
                ClusterError::Refused { key: Box::new(key.clone()), message: status.message }
            }
            error => ClusterError::from_client(error, &self.server, &format!("apply {key}")),
        }
    }

    /// Objects that name the release as their owner and that it has no more; and the kinds that may not be listed.
    async fn inventory(
        &self,
        manifests: &Manifests,
        kinds: &Kinds,
        release: &Release,
    ) -> (Result<BTreeMap<ObjectKey, Value>, ClusterError>, Vec<String>) {
        let wanted: BTreeSet<&ObjectKey> = manifests.iter().map(|manifest| &manifest.key).collect();
        let mut namespaces: BTreeSet<&str> = manifests.iter().map(|manifest| manifest.key.namespace.as_str()).collect();
        namespaces.insert(&release.namespace);
        let served = KINDS.iter().filter_map(|(api_version, kind)| {
            let group = api_version.split_once('/').map_or("", |(group, _)| group);
            kinds.get(group, kind)
        });
        let lists =
            served.flat_map(|served| namespaces.iter().map(move |namespace| self.owned(served, namespace, release)));
        let (mut left, mut unlisted) = (Vec::new(), BTreeSet::new());
        for answer in join_all(lists).await {
            match answer {
                Ok(keys) => left.extend(keys.into_iter().filter(|(key, _)| !wanted.contains(key))),
                Err(Listing::Forbidden(kind)) => {
                    unlisted.insert(kind);
                }
                Err(Listing::Failed(error)) => return (Err(error), Vec::new()),
            }
        }
        let read = try_join_all(left.into_iter().map(|(key, served)| async move {
            let found = self.api(served, &key.namespace).get_opt(&key.name).await;
            let found =
                found.map_err(|error| ClusterError::from_client(error, &self.server, &format!("read {key}")))?;
            Ok::<_, ClusterError>(found.map(|object| (key, json(&object))))
        }));
        let objects = read.await.map(|found| found.into_iter().flatten().collect());
        (objects, unlisted.into_iter().collect())
    }

    async fn owned<'a>(
        &self,
        served: &'a Served,
        namespace: &str,
        release: &Release,
    ) -> Result<Vec<(ObjectKey, &'a Served)>, Listing> {
        let params = ListParams::default().labels("app.kubernetes.io/managed-by=Helm");
        let list = match self.api(served, namespace).list_metadata(&params).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 403 => {
                return Err(Listing::Forbidden(served.resource.kind.clone()));
            }
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
            Err(error) => {
                let verb = format!("list {} in {namespace}", served.resource.plural);
                return Err(Listing::Failed(ClusterError::from_client(error, &self.server, &verb)));
            }
        };
        let own = list.items.into_iter().filter(|item: &PartialObjectMeta<DynamicObject>| {
            let object = serde_json::json!({"metadata": item.metadata});
            release.owner(&object) == Owner::Release
        });
        let key = |item: PartialObjectMeta<DynamicObject>| ObjectKey {
            group: served.resource.group.clone(),
            kind: served.resource.kind.clone(),
            namespace: namespace.to_owned(),
            name: item.metadata.name.unwrap_or_default(),
        };
        Ok(own.map(|item| (key(item), served)).collect())
    }
}

/// Why a list of objects is not there.
enum Listing {
    /// The user may not list this kind.
    Forbidden(String),
    /// Anything else.
    Failed(ClusterError),
}

fn json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// Fields that others own, from a refusal of server-side apply; those of tools that r8 takes over from are none.
fn conflicts(status: &Status) -> Vec<Conflict> {
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

/// The live object with the wanted fields over it: what can be said without the right to `patch`.
///
/// Fields that `helm` owns alone by server-side apply and that are not wanted any more are removed.
fn laid_over(live: &Value, wanted: &Value) -> Value {
    let mut desired = live.clone();
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    for entry in entries.filter(|entry| entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply") {
        drop_unwanted(&mut desired, &entry["fieldsV1"], Some(wanted));
    }
    lay(&mut desired, wanted);
    desired
}

/// Removes the fields that `owned` names and `wanted` lacks.
fn drop_unwanted(object: &mut Value, owned: &Value, wanted: Option<&Value>) {
    let Some(fields) = owned.as_object() else { return };
    for (name, below) in fields {
        let Some(key) = name.strip_prefix("f:") else { continue };
        let Some(map) = object.as_object_mut() else { return };
        let inner = wanted.and_then(|wanted| wanted.get(key));
        let leaf = below.as_object().is_none_or(|below| below.is_empty());
        if inner.is_none() && leaf {
            map.shift_remove(key);
        } else if let Some(value) = map.get_mut(key) {
            drop_unwanted(value, below, inner);
        }
    }
}

fn lay(object: &mut Value, wanted: &Value) {
    match (object, wanted) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                match below.get_mut(key) {
                    Some(old) => lay(old, value),
                    None => drop(below.insert(key.clone(), value.clone())),
                }
            }
        }
        // Items that the API server fills in are kept: lists of the same length are laid item by item.
        (Value::Array(below), Value::Array(above)) if below.len() == above.len() => {
            below.iter_mut().zip(above).for_each(|(old, value)| lay(old, value));
        }
        (object, wanted) => *object = wanted.clone(),
    }
}
