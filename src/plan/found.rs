//! What a cluster has of one release, found without its values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::decide::is_owned_by;
use super::{Owner, Release, is_controllers};
use crate::manifest::{ObjectKey, read_documents};
use crate::readiness::Track;

/// Everything of a release that is in the cluster.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// Objects whose annotations name the release: their metadata at least.
    pub objects: BTreeMap<ObjectKey, Value>,
    /// Objects that the live routemap names, or makes, and whose annotations do not name the release.
    pub others: BTreeMap<ObjectKey, Value>,
    /// The Deployments and InferenceServices, those included that the live routemap names and that do not exist.
    pub tracks: BTreeMap<ObjectKey, Track>,
    /// Those that may not be read.
    pub unreadable: BTreeSet<ObjectKey>,
    /// The live routemap.
    pub routemap: Option<Value>,
    /// The live routes, whole.
    pub routes: BTreeMap<ObjectKey, Value>,
    /// The route that the live routemap makes.
    pub routed: Option<ObjectKey>,
    /// Kinds that may not be listed, so that objects may be missing here.
    pub unlisted: BTreeSet<String>,
    /// Whether Knative's API is served.
    pub knative: bool,
    /// Other releases that were seen in the same namespaces, as NAMESPACE/NAME.
    pub releases: BTreeSet<String>,
    /// Whether the namespace of the release is being deleted, as far as it may be read.
    pub is_ending: bool,
    /// Objects that look like the release's and belong to none, where nothing names the release.
    pub unowned: Vec<ObjectKey>,
}

impl Found {
    /// The live route: the one that the routemap makes, else one that names the release.
    pub fn route(&self) -> Option<(&ObjectKey, &Value)> {
        let routed = self.routed.as_ref().and_then(|key| self.routes.get_key_value(key));
        routed.or_else(|| self.routes.iter().next())
    }

    /// Whether a route is the release's: its annotations say so, or the release's routemap makes it.
    pub fn is_ours(&self, release: &Release, key: &ObjectKey, route: &Value) -> bool {
        match release.owner(route) {
            Owner::Release => true,
            Owner::Other(_) => false,
            Owner::Nobody => {
                is_owned_by(route, self.routemap.as_ref())
                    || (self.routed.as_ref() == Some(key) && is_controllers(route))
            }
        }
    }

    /// Whether anything of the release exists.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

/// Whether the Iter8 controller takes a ConfigMap of these metadata for a routemap.
pub fn is_routemap(metadata: &Value) -> bool {
    metadata["labels"]["iter8.tools/kind"] == "routemap"
}

/// The objects of each version that a routemap names; nothing where it cannot be read.
pub fn resources(routemap: &Value) -> Vec<Vec<ObjectKey>> {
    let key = |resource: &Value| {
        let (group, kind) = match resource["gvrShort"].as_str()? {
            "svc" | "service" => ("", "Service"),
            "cm" => ("", "ConfigMap"),
            "deploy" => ("apps", "Deployment"),
            "isvc" => ("serving.kserve.io", "InferenceService"),
            _ => return None,
        };
        Some(ObjectKey {
            group: group.into(),
            kind: kind.into(),
            namespace: resource["namespace"].as_str()?.into(),
            name: resource["name"].as_str()?.into(),
        })
    };
    let keys = |version: &Value| version["resources"].as_array().into_iter().flatten().filter_map(key).collect();
    versions(routemap).iter().map(keys).collect()
}

/// The weight of each version in a routemap; none where it names none.
pub(super) fn weights(routemap: &Value) -> Vec<Option<u64>> {
    versions(routemap).iter().map(|version| version["weight"].as_u64()).collect()
}

fn versions(routemap: &Value) -> Vec<Value> {
    let text = routemap["data"]["strSpec"].as_str().unwrap_or_default();
    let documents = read_documents(text).unwrap_or_default();
    documents.first().and_then(|spec| spec["versions"].as_array().cloned()).unwrap_or_default()
}
