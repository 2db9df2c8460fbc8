//! A release as the cluster has it, found by what marks its objects: no values are needed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all, try_join_all};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::Value;

use super::discovery::Kinds;
use super::inventory::{KINDS, is_routemap_of, routed};
use super::{Cluster, ClusterError};
use crate::manifest::{Manifest, Manifests, ObjectKey};
use crate::plan::{Found, Owner, Release, has_state, is_owned_by, is_route, resources};
use crate::readiness::Track;

/// What was found of a release, and how its kinds are served.
pub struct Finding {
    /// What was found.
    pub found: Found,
    /// How the kinds are served.
    pub(super) kinds: Kinds,
}

/// What came of reading an object.
enum Reading {
    Is(Value),
    Absent,
    Forbidden,
}

impl Cluster<'_> {
    /// Finds everything of a release: what names it as its owner, what its live routemap names, and the route.
    ///
    /// # Errors
    ///
    /// What every request can fail with; what may not be listed or read is no failure.
    pub async fn find(&self, release: &Release) -> Result<Finding, ClusterError> {
        self.find_in(release, BTreeSet::new()).await
    }

    /// The same in further namespaces, as those that the manifests of its records name.
    ///
    /// # Errors
    ///
    /// As [`Cluster::find`].
    pub async fn find_in(&self, release: &Release, mut namespaces: BTreeSet<String>) -> Result<Finding, ClusterError> {
        let more: Vec<&str> = KINDS.iter().map(|(api_version, _)| *api_version).collect();
        let (kinds, knative) = join(self.discover(&Manifests::default(), &more), self.has_knative(true)).await;
        let kinds = kinds?;
        let mut found = Found { knative: knative?, ..Found::default() };
        namespaces.insert(release.namespace.clone());
        let ending = self.is_ending(&release.namespace);
        let (taken, ending) = join(self.take(&mut found, &kinds, &namespaces, release), ending).await;
        let mut unmarked = taken?;
        found.is_ending = ending;
        let routemap = found.objects.iter().find(|(key, object)| is_routemap_of(key, &object["metadata"]));
        if let Some(key) = routemap.map(|(key, _)| key.clone())
            && let Reading::Is(routemap) = self.look_at(&kinds, &key).await?
        {
            // Versions may lie in namespaces that only the routemap names.
            let named = resources(&routemap);
            let others: BTreeSet<String> = named.iter().flatten().map(|key| key.namespace.clone()).collect();
            let others = others.difference(&namespaces).cloned().collect();
            unmarked.extend(self.take(&mut found, &kinds, &others, release).await?);
            namespaces.extend(others);
            found.routed = routed(&routemap);
            let is_owned = |(_, metadata): &(ObjectKey, Value)| {
                is_owned_by(&serde_json::json!({"metadata": metadata}), Some(&routemap))
            };
            let owned = unmarked.into_iter().filter(is_owned).map(|(key, _)| key).collect();
            self.read_whole(&mut found, &kinds, owned, release).await?;
            found.routemap = Some(routemap);
            self.take_named(&mut found, &kinds, named.into_iter().flatten().collect(), release).await?;
        }
        let models = found.tracks.keys().any(|key| key.kind == "InferenceService");
        for (key, child) in self.children(&kinds, namespaces, models).await? {
            if let Some(track) = found.tracks.get_mut(&key) {
                track.see_child(Some(child));
            }
        }
        Ok(Finding { found, kinds })
    }

    /// Adds objects of the kinds that are not listed: those that the manifests of the release's records name, and that still
    /// name the release as their owner.
    ///
    /// # Errors
    ///
    /// What every request can fail with; kinds that may not be read are noted.
    pub async fn find_named(
        &self,
        finding: &mut Finding,
        named: &[Manifest],
        release: &Release,
    ) -> Result<(), ClusterError> {
        let others = self.unlisted(&mut finding.kinds, &named.iter().collect::<Vec<_>>(), release).await?;
        finding.found.objects.extend(others.objects);
        finding.found.unlisted.extend(others.unreadable);
        Ok(())
    }

    /// Objects in the namespace of a release that look as if they were rendered for it, and belong to no release: what
    /// `kubectl apply` has made. What may not be listed is passed over.
    pub async fn unowned(&self, release: &Release) -> Vec<ObjectKey> {
        const PLACES: [(&str, &str, &str, &str); 3] = [
            ("", "v1", "ConfigMap", "iter8.tools/kind=routemap"),
            ("apps", "v1", "Deployment", "iter8.tools/watch=true"),
            ("serving.kserve.io", "v1beta1", "InferenceService", "iter8.tools/watch=true"),
        ];
        let lists = PLACES.map(|(group, version, kind, label)| async move {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &release.namespace, &resource);
            let params = ListParams::default().labels(label);
            let doing = format!("list {} in {}", resource.plural, release.namespace);
            let list = self.call(&doing, || api.list_metadata(&params)).await;
            let items = list.map(|list| list.items).unwrap_or_default().into_iter();
            let items = items.filter(|item| release.owner(&serde_json::json!(item)) == Owner::Nobody);
            let names = items.filter_map(|item| item.metadata.name);
            let own = names.filter(|name| {
                name.strip_prefix(&release.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            });
            let (group, kind, namespace) = (group.to_owned(), kind.to_owned(), release.namespace.clone());
            own.map(|name| ObjectKey { group: group.clone(), kind: kind.clone(), namespace: namespace.clone(), name })
                .collect::<Vec<_>>()
        });
        join_all(lists).await.concat()
    }

    /// Adds what names the release in these namespaces; versions and routes whole. Gives the routes that name no release.
    async fn take(
        &self,
        found: &mut Found,
        kinds: &Kinds,
        namespaces: &BTreeSet<String>,
        release: &Release,
    ) -> Result<Vec<(ObjectKey, Value)>, ClusterError> {
        let inventory = self.inventory(kinds, namespaces, release).await?;
        found.unlisted.extend(inventory.unlisted);
        found.releases.extend(inventory.releases);
        let metadata: BTreeMap<ObjectKey, Value> = inventory
            .keys
            .into_iter()
            .map(|(key, metadata)| (key, serde_json::json!({"metadata": metadata})))
            .collect();
        let whole = metadata.keys().filter(|key| has_state(key) || is_route(key)).cloned().collect();
        found.objects.extend(metadata);
        self.read_whole(found, kinds, whole, release).await?;
        Ok(inventory.unmarked)
    }

    /// Adds what a routemap names and makes, where it was not found yet.
    async fn take_named(
        &self,
        found: &mut Found,
        kinds: &Kinds,
        named: Vec<ObjectKey>,
        release: &Release,
    ) -> Result<(), ClusterError> {
        let keys = named.into_iter().chain(found.routed.clone());
        let keys: BTreeSet<ObjectKey> = keys.filter(|key| !found.objects.contains_key(key)).collect();
        self.read_whole(found, kinds, keys, release).await
    }

    /// Reads objects whole, and puts each where it belongs.
    async fn read_whole(
        &self,
        found: &mut Found,
        kinds: &Kinds,
        keys: BTreeSet<ObjectKey>,
        release: &Release,
    ) -> Result<(), ClusterError> {
        let reads = keys.into_iter().map(|key| async move {
            let reading = self.look_at(kinds, &key).await?;
            Ok::<_, ClusterError>((key, reading))
        });
        for (key, reading) in try_join_all(reads).await? {
            let object = match reading {
                Reading::Is(object) => Some(object),
                Reading::Absent => None,
                Reading::Forbidden => {
                    found.unreadable.insert(key.clone());
                    found.objects.get(&key).cloned()
                }
            };
            if has_state(&key) {
                found.tracks.insert(key.clone(), Track::new(object.clone()));
            }
            let Some(object) = object else {
                found.objects.remove(&key);
                continue;
            };
            if is_route(&key) {
                found.routes.insert(key.clone(), object.clone());
            }
            match release.owner(&object) {
                Owner::Release => drop(found.objects.insert(key, object)),
                Owner::Nobody | Owner::Other(_) => {
                    found.objects.remove(&key);
                    found.others.insert(key, object);
                }
            }
        }
        Ok(())
    }

    async fn look_at(&self, kinds: &Kinds, key: &ObjectKey) -> Result<Reading, ClusterError> {
        let Some(served) = kinds.get(&key.group, &key.kind) else { return Ok(Reading::Absent) };
        match self.read(served, key).await {
            Ok(Some(object)) => Ok(Reading::Is(object)),
            Ok(None) => Ok(Reading::Absent),
            Err(ClusterError::Forbidden { .. }) => Ok(Reading::Forbidden),
            Err(error) => Err(error),
        }
    }
}
