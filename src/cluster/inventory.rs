//! What belongs to a release in the cluster: what names it as its owner, and the routes that its routemaps make.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all, try_join_all};
use kube::api::ListParams;
use kube::core::{DynamicObject, PartialObjectMeta};
use serde_json::Value;

use super::discovery::{Kinds, Served};
use super::{Cluster, ClusterError, Sight};
use crate::manifest::{Manifest, Manifests, ObjectKey, Role};
use crate::plan::{Observation, Owner, Release, is_controllers, is_owned_by, is_route, is_routemap};
use crate::route::{Route, destinations};

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

impl Cluster<'_> {
    /// Objects that name the release as their owner; and the kinds that may not be listed.
    pub(super) async fn inventory(
        &self,
        kinds: &Kinds,
        namespaces: &BTreeSet<String>,
        release: &Release,
    ) -> Result<Inventory, ClusterError> {
        let served = KINDS.iter().filter_map(|(api_version, kind)| {
            let group = api_version.split_once('/').map_or("", |(group, _)| group);
            kinds.get(group, kind)
        });
        let lists = served.flat_map(|served| namespaces.iter().map(move |namespace| self.managed(served, namespace)));
        let mut inventory = Inventory::default();
        for answer in join_all(lists).await {
            match answer {
                Ok(items) => {
                    for (key, metadata) in items {
                        match release.owner(&serde_json::json!({"metadata": metadata})) {
                            Owner::Release => inventory.keys.push((key, metadata)),
                            Owner::Other(other) => drop(inventory.releases.insert(other)),
                            Owner::Nobody if is_route(&key) => inventory.unmarked.push((key, metadata)),
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

    /// Looks in further namespaces for what the release has left, as in those that the manifests of its records name: after
    /// an interruption nothing that is live may name them any more.
    ///
    /// # Errors
    ///
    /// What every request can fail with; kinds that may not be listed are noted.
    pub async fn widen(
        &self,
        sight: &mut Sight,
        mut namespaces: BTreeSet<String>,
        release: &Release,
    ) -> Result<(), ClusterError> {
        namespaces.retain(|name| !sight.listed.contains(name));
        if namespaces.is_empty() {
            return Ok(());
        }
        let (kinds, observed) = (&sight.kinds, &mut sight.observed);
        let models = kinds.get("serving.kserve.io", "InferenceService").is_some();
        let lists = self.inventory(kinds, &namespaces, release);
        let (inventory, children) = join(lists, self.children(kinds, namespaces.clone(), models)).await;
        let inventory = inventory?;
        let unlisted: BTreeSet<String> = inventory.unlisted.into_iter().chain(observed.unlisted.drain(..)).collect();
        observed.unlisted = unlisted.into_iter().collect();
        let left = self.left(&observed.objects, kinds, inventory.keys).await?;
        observed.left.extend(left);
        observed.children.extend(children?);
        sight.listed.append(&mut namespaces);
        Ok(())
    }

    /// Looks for objects of the kinds that are not listed, as a user's template may write them: those that the manifests of
    /// the release's records name, and that still name the release as their owner.
    ///
    /// # Errors
    ///
    /// What every request can fail with; kinds that may not be read are noted.
    pub async fn add_named(
        &self,
        sight: &mut Sight,
        named: &[Manifest],
        release: &Release,
    ) -> Result<(), ClusterError> {
        let wanted = |manifest: &&Manifest| !sight.observed.objects.contains_key(&manifest.key);
        let named: Vec<&Manifest> = named.iter().filter(wanted).collect();
        let others = self.unlisted(&mut sight.kinds, &named, release).await?;
        sight.observed.left.extend(others.objects);
        let unlisted: BTreeSet<String> =
            others.unreadable.into_iter().chain(sight.observed.unlisted.drain(..)).collect();
        sight.observed.unlisted = unlisted.into_iter().collect();
        Ok(())
    }

    /// Those of the objects whose kinds are not listed that are the release's, as they are.
    pub(super) async fn unlisted(
        &self,
        kinds: &mut Kinds,
        named: &[&Manifest],
        release: &Release,
    ) -> Result<Others, ClusterError> {
        let named: Vec<&&Manifest> = named.iter().filter(|manifest| !is_listed(&manifest.key)).collect();
        let mut others = Others::default();
        if named.is_empty() {
            return Ok(others);
        }
        let versions: BTreeSet<&str> =
            named.iter().filter_map(|manifest| manifest.object["apiVersion"].as_str()).collect();
        kinds.add(self.discover(&Manifests::default(), &versions.into_iter().collect::<Vec<_>>()).await?);
        let kinds = &*kinds;
        let keys: BTreeSet<&ObjectKey> = named.iter().map(|manifest| &manifest.key).collect();
        let reads = keys.into_iter().map(|key| async move {
            let Some(served) = kinds.get(&key.group, &key.kind) else { return (key, Ok(None)) };
            (key, self.read(served, key).await)
        });
        for (key, answer) in join_all(reads).await {
            match answer {
                Ok(Some(object)) if release.owner(&object) == Owner::Release => {
                    others.objects.insert(key.clone(), object);
                }
                Ok(_) => {}
                Err(ClusterError::Forbidden { .. }) => drop(others.unreadable.insert(key.kind.clone())),
                Err(error) => return Err(error),
            }
        }
        Ok(others)
    }

    /// The objects of the inventory that are not wanted, as they are.
    pub(super) async fn left(
        &self,
        wanted: &BTreeMap<ObjectKey, Observation>,
        kinds: &Kinds,
        keys: Vec<(ObjectKey, Value)>,
    ) -> Result<BTreeMap<ObjectKey, Value>, ClusterError> {
        let keys = keys.into_iter().map(|(key, _)| key);
        self.read_all(kinds, keys.filter(|key| !wanted.contains_key(key))).await
    }

    /// The objects of one kind that some release of Helm's or r8's manages, with their metadata. Of routes all: those
    /// that the Iter8 controller makes have no label.
    async fn managed(&self, served: &Served, namespace: &str) -> Result<Vec<(ObjectKey, Value)>, Listing> {
        let key = |name: String| ObjectKey {
            group: served.resource.group.clone(),
            kind: served.resource.kind.clone(),
            namespace: namespace.to_owned(),
            name,
        };
        let all = ListParams::default();
        let routes = is_route(&key(String::new()));
        let params = if routes { all } else { all.labels("app.kubernetes.io/managed-by=Helm") };
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
            (key(item.metadata.name.clone().unwrap_or_default()), serde_json::json!(item.metadata))
        });
        Ok(items.collect())
    }

    /// The routes that the release's live routemaps make, beside those that were found: the Iter8 controller writes them,
    /// and no mark of the release is on them. One is named by a routemap, or owned by it.
    pub(super) async fn made(
        &self,
        routemaps: &[Value],
        objects: &BTreeMap<ObjectKey, Observation>,
        left: &BTreeMap<ObjectKey, Value>,
        kinds: &Kinds,
        unmarked: Vec<(ObjectKey, Value)>,
        release: &Release,
    ) -> Result<BTreeMap<ObjectKey, Value>, ClusterError> {
        let named: BTreeSet<ObjectKey> = routemaps.iter().filter_map(routed).collect();
        let is_owned = |object: &Value| routemaps.iter().any(|routemap| is_owned_by(object, Some(routemap)));
        let owned = unmarked.into_iter().filter(|(_, metadata)| is_owned(&serde_json::json!({"metadata": metadata})));
        let mut keys: BTreeSet<ObjectKey> = owned.map(|(key, _)| key).collect();
        keys.extend(named);
        keys.retain(|key| !objects.contains_key(key) && !left.contains_key(key));
        let mut found = self.read_all(kinds, keys).await?;
        found.retain(|_, route| release.owner(route) == Owner::Nobody && (is_owned(route) || is_controllers(route)));
        Ok(found)
    }

    /// Those of these objects that exist, as they are.
    async fn read_all(
        &self,
        kinds: &Kinds,
        keys: impl IntoIterator<Item = ObjectKey>,
    ) -> Result<BTreeMap<ObjectKey, Value>, ClusterError> {
        let reads = keys.into_iter().map(|key| async move {
            let Some(served) = kinds.get(&key.group, &key.kind) else { return Ok(None) };
            let found = self.read(served, &key).await?;
            Ok::<_, ClusterError>(found.map(|object| (key, object)))
        });
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }
}

/// Objects of a release whose kinds are not listed.
#[derive(Default)]
pub(super) struct Others {
    /// The objects, as they are.
    pub objects: BTreeMap<ObjectKey, Value>,
    /// Kinds that may not be read.
    pub unreadable: BTreeSet<String>,
}

/// Whether objects of a kind are found by listing.
fn is_listed(key: &ObjectKey) -> bool {
    let group = |api_version: &str| api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
    KINDS.iter().any(|(api_version, kind)| *kind == key.kind && group(api_version) == key.group)
}

/// What names a release as its owner.
#[derive(Default)]
pub(super) struct Inventory {
    /// The objects, and their metadata.
    pub keys: Vec<(ObjectKey, Value)>,
    /// Routes that name no release, and their metadata.
    pub unmarked: Vec<(ObjectKey, Value)>,
    /// Kinds that may not be listed.
    pub unlisted: BTreeSet<String>,
    /// The other releases that were seen, as NAMESPACE/NAME.
    pub releases: BTreeSet<String>,
}

/// Whether an object of the release is a routemap, be it one whose label a take-over of the route has removed.
pub(super) fn is_routemap_of(key: &ObjectKey, metadata: &Value) -> bool {
    key.kind == "ConfigMap" && (is_routemap(metadata) || key.name.ends_with("-routemap"))
}

/// The live routemaps: the wanted one first, then those that the release has left.
pub(super) fn routemaps(
    manifests: &Manifests,
    objects: &BTreeMap<ObjectKey, Observation>,
    left: &BTreeMap<ObjectKey, Value>,
) -> Vec<Value> {
    let wanted = manifests.iter().filter(|manifest| manifest.role == Role::Routemap);
    let live = wanted.filter_map(|manifest| objects.get(&manifest.key)?.live.clone());
    let left = left.iter().filter(|(key, object)| is_routemap_of(key, &object["metadata"]));
    live.chain(left.map(|(_, object)| object.clone())).collect()
}

/// The route that a routemap makes.
pub(super) fn routed(routemap: &Value) -> Option<ObjectKey> {
    let text = routemap["data"]["strSpec"].as_str().unwrap_or_default();
    Route::parse(text).ok().flatten().map(|route| route.key().clone())
}

/// Namespaces that the live routes of a release send requests to.
pub(super) fn routed_namespaces(
    objects: &BTreeMap<ObjectKey, Observation>,
    left: &BTreeMap<ObjectKey, Value>,
) -> BTreeSet<String> {
    let wanted = objects.iter().filter_map(|(key, observation)| Some((key, observation.live.as_ref()?)));
    let routes = wanted.chain(left).filter(|(key, _)| is_route(key));
    let places = routes.flat_map(|(_, route)| destinations(route)).map(|place| place.namespace);
    places.filter(|namespace| !namespace.is_empty()).collect()
}

/// Why a list of objects is not there.
enum Listing {
    /// The user may not list this kind.
    Forbidden(String),
    /// Anything else.
    Failed(ClusterError),
}
