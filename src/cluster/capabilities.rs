//! What a cluster says of the products that run in it: versions of APIs, marks of CRDs, images of controllers.

use futures_util::future::{join, join_all};
use http::Request;
use serde_json::Value;

use super::{Cluster, ClusterError};
use crate::manifest::Manifests;

/// The mark of a CRD of the Gateway API that names the release it comes from.
const BUNDLE: &str = "gateway.networking.k8s.io/bundle-version";
/// The CRD that carries it.
const HTTP_ROUTES: &str =
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/httproutes.gateway.networking.k8s.io";
/// Groups of which every version is asked for, so that a hint can name another one.
const GROUPS: [&str; 3] = ["networking.istio.io", "gateway.networking.k8s.io", "serving.kserve.io"];
/// Their versions.
const VERSIONS: [&str; 2] = ["v1beta1", "v1"];
/// Products whose controller's image says their version: name, label of its Deployment.
const CONTROLLERS: [(&str, &str); 2] =
    [("istio", "app%3Distiod"), ("kserve", "control-plane%3Dkserve-controller-manager")];

/// What was found out.
#[derive(Debug, Clone, Default)]
pub struct Capabilities {
    /// The versions of API groups that are served, as `group/version`, with the kinds of each.
    pub served: Vec<(String, Vec<String>)>,
    /// Of each product its version as it is written somewhere, or why it is not known.
    pub versions: Vec<(&'static str, Result<String, String>)>,
}

impl Cluster<'_> {
    /// Finds out what the cluster serves, beside what the manifests need, and which versions run in it.
    ///
    /// # Errors
    ///
    /// What asking for the served kinds can fail with; what may not be read is part of the answer.
    pub async fn capabilities(&self, manifests: &Manifests) -> Result<Capabilities, ClusterError> {
        let own = manifests.iter().filter_map(|manifest| manifest.object["apiVersion"].as_str().map(str::to_owned));
        let known = GROUPS.iter().flat_map(|group| VERSIONS.map(|version| format!("{group}/{version}")));
        let core = ["v1", "apps/v1"].map(str::to_owned);
        let mut asked: Vec<String> = known.chain(core).chain(own).collect();
        asked.sort();
        asked.dedup();
        let groups = join_all(asked.iter().map(|version| self.group(version)));
        let (groups, versions) = join(groups, self.versions()).await;
        let mut served = Vec::new();
        for (version, kinds) in asked.into_iter().zip(groups) {
            let kinds: Vec<String> = kinds?.into_iter().map(|kind| kind.resource.kind).collect();
            if !kinds.is_empty() {
                served.push((version, kinds));
            }
        }
        Ok(Capabilities { served, versions })
    }

    async fn versions(&self) -> Vec<(&'static str, Result<String, String>)> {
        let bundle = async {
            let object = self.look(HTTP_ROUTES, "the CRD of HTTPRoute").await?;
            let mark = object["metadata"]["annotations"][BUNDLE].as_str();
            mark.map(str::to_owned).ok_or_else(|| format!("the CRD of HTTPRoute has no annotation `{BUNDLE}`"))
        };
        let controllers = join_all(CONTROLLERS.iter().map(|(product, label)| async move {
            let path = format!("/apis/apps/v1/deployments?labelSelector={label}");
            let what = format!("Deployments with the label {}", label.replace("%3D", "="));
            let list = self.look(&path, &what).await;
            let image = list.and_then(|list| image(&list).ok_or_else(|| format!("there are no {what}")));
            (*product, image)
        }));
        let (bundle, mut versions) = join(bundle, controllers).await;
        versions.push(("gateway-api", bundle));
        versions
    }

    /// Reads something that is good to know; says why it cannot be read.
    async fn look(&self, path: &str, what: &str) -> Result<Value, String> {
        let request = || Request::get(path).body(Vec::new()).expect("the path is written here");
        match self.call(&format!("read {what}"), || self.client.request::<Value>(request())).await {
            Ok(object) => Ok(object),
            Err(kube::Error::Api(status)) if status.code == 404 => Err(format!("there is no {what}")),
            Err(kube::Error::Api(status)) if status.code == 403 => Err(format!("you may not read {what}")),
            Err(error) => Err(ClusterError::from_client(error, &self.server, &format!("read {what}")).to_string()),
        }
    }
}

/// The image of the first container of the first Deployment.
fn image(list: &Value) -> Option<String> {
    let containers = list["items"].as_array()?.first()?["spec"]["template"]["spec"]["containers"].as_array()?;
    Some(containers.first()?["image"].as_str()?.to_owned())
}
