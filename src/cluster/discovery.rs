//! Which kinds the API server serves, and in which version: asked only for the groups that a release uses.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use kube::core::ApiResource;

use super::{Cluster, ClusterError};
use crate::manifest::{Manifest, Manifests};

/// Groups whose version r8 chooses: the newest that is served first. The objects are the same in both.
const CHOSEN: [&str; 2] = ["networking.istio.io", "gateway.networking.k8s.io"];
/// Their versions, the preferred one first.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// A kind as the API server serves it.
#[derive(Debug, Clone)]
pub(super) struct Served {
    /// Group, version, kind and the name in addresses.
    pub resource: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// The kinds that the API server serves, by group and kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinds(BTreeMap<(String, String), Served>);

impl Kinds {
    /// How a kind is served; none when it is not.
    pub fn get(&self, group: &str, kind: &str) -> Option<&Served> {
        self.0.get(&(group.to_owned(), kind.to_owned()))
    }

    /// Adds the kinds of `other` that are not known yet.
    pub fn add(&mut self, other: Kinds) {
        for (key, served) in other.0 {
            self.0.entry(key).or_insert(served);
        }
    }

    /// Rewrites the object's `apiVersion` to the one that is served.
    pub fn serve(&self, manifest: &mut Manifest) {
        if let Some(served) = self.get(&manifest.key.group, &manifest.key.kind) {
            manifest.object["apiVersion"] = served.resource.api_version.clone().into();
        }
    }
}

/// Group and version of an `apiVersion`; the group of `v1` is empty.
fn split(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl Cluster<'_> {
    /// Asks for the groups of the manifests, and for those of `more` (as `apiVersion`s), which may be missing.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Kinds`] for kinds of the manifests that are not served; and what every request can fail with.
    pub(super) async fn discover(&self, manifests: &Manifests, more: &[&str]) -> Result<Kinds, ClusterError> {
        let mut asked: Vec<String> = Vec::new();
        let wanted = manifests.iter().filter_map(|manifest| manifest.object["apiVersion"].as_str());
        for api_version in wanted.chain(more.iter().copied()) {
            let (group, _) = split(api_version);
            let chosen = CHOSEN.contains(&group);
            let versions = if chosen {
                VERSIONS.map(|version| format!("{group}/{version}")).to_vec()
            } else {
                vec![api_version.to_owned()]
            };
            for version in versions {
                if !asked.contains(&version) {
                    asked.push(version);
                }
            }
        }
        let answers = try_join_all(asked.iter().map(|api_version| self.group(api_version))).await?;
        let mut kinds = Kinds::default();
        // Earlier answers win: the preferred version was asked first.
        for served in answers.into_iter().flatten() {
            let key = (served.resource.group.clone(), served.resource.kind.clone());
            kinds.0.entry(key).or_insert(served);
        }
        let missing = |manifest: &&Manifest| kinds.get(&manifest.key.group, &manifest.key.kind).is_none();
        let mut missing: Vec<String> = manifests
            .iter()
            .filter(missing)
            .map(|manifest| {
                format!("{} ({})", manifest.key.kind, manifest.object["apiVersion"].as_str().unwrap_or_default())
            })
            .collect();
        missing.sort();
        missing.dedup();
        if missing.is_empty() { Ok(kinds) } else { Err(ClusterError::Kinds(missing)) }
    }

    /// The kinds of one group and version; none when the group is not served.
    pub(super) async fn group(&self, api_version: &str) -> Result<Vec<Served>, ClusterError> {
        let (group, version) = split(api_version);
        let doing = format!("ask for the kinds of {api_version}");
        let answer = if group.is_empty() {
            self.call(&doing, || self.client.list_core_api_resources(version)).await
        } else {
            self.call(&doing, || self.client.list_api_group_resources(api_version)).await
        };
        let list = match answer {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
            Err(error) => {
                return Err(ClusterError::from_client(error, &self.server, &doing));
            }
        };
        let served =
            list.resources.into_iter().filter(|resource| !resource.name.contains('/')).map(|resource| Served {
                namespaced: resource.namespaced,
                resource: ApiResource {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    api_version: api_version.to_owned(),
                    kind: resource.kind,
                    plural: resource.name,
                },
            });
        Ok(served.collect())
    }
}
