//! The real Iter8 controller gives from r8's routemaps the routes that r8 itself writes, whichever versions are ready; and
//! what it routes can be deleted.

use std::fmt::Write as _;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{
    Ask, Cluster, Iter8, Namespace, Recorder, Rules, assert_traffic_rules, cluster_with_controllers, control_plane,
    eventually, fed, read,
};
use crate::parts::wanted;
use crate::shop::{apply, r8, told, values};

/// A release of some versions, named after what it is.
struct Release<'a> {
    cluster: &'a Cluster,
    namespace: &'a Namespace,
    name: String,
    values: String,
    count: usize,
}

impl<'a> Release<'a> {
    fn new(cluster: &'a Cluster, namespace: &'a Namespace, environment: &str, strategy: &str, count: usize) -> Self {
        let name = format!("{strategy}-{count}");
        let mut values = format!("environment: {environment}\niter8Version: v1.1\napplication:\n");
        write!(values, "  metadata: {{name: {name}}}\n  strategy: {strategy}\n  versions:\n").unwrap();
        for index in 0..count {
            let model = if environment.starts_with("deployment") {
                format!("image: \"shop:{index}\"")
            } else {
                format!("modelFormat: sklearn, storageUri: \"s3://models/{index}\"")
            };
            let routing = match (strategy, index) {
                ("blue-green", _) => format!(", weight: {}", 10 * (index + 2)),
                ("mirror", 1) => ", weight: 40".to_owned(),
                ("canary", 1..) if environment == "deployment-gtw" => {
                    format!(", matches: [{{headers: [{{name: traffic, value: \"{index}\"}}]}}]")
                }
                ("canary", 1..) => format!(", match: [{{headers: {{traffic: {{exact: \"{index}\"}}}}}}]"),
                _ => String::new(),
            };
            writeln!(values, "  - {{{model}{routing}}}").unwrap();
        }
        Release { cluster, namespace, name, values, count }
    }

    /// What `r8 render` prints, object by object.
    fn render(&self, args: &[&str]) -> Vec<Value> {
        let mut r8 = self.cluster.r8();
        r8.args(["render", "-o", "json", "-f", "-", "-n", &self.namespace.name]).args(args);
        let output = fed(&mut r8, &self.values).wait_with_output().unwrap();
        assert!(output.status.success(), "{}\n{}", self.values, String::from_utf8_lossy(&output.stderr));
        let mut list: Value = serde_json::from_slice(&output.stdout).unwrap();
        list["items"].as_array_mut().unwrap().drain(..).collect()
    }

    /// The route that r8 writes when these versions are ready.
    fn route(&self, ready: &[usize]) -> Value {
        let ready: Vec<String> = ready.iter().map(usize::to_string).collect();
        self.render(&["--routing", "route", "--only", "routing", "--ready", &ready.join(",")]).remove(0)
    }

    /// Makes a version ready, or not ready any more.
    async fn set_ready(&self, index: usize, ready: bool) {
        let (version, ready) = (format!("{}-{index}", self.name), if ready { "True" } else { "False" });
        if self.namespace.get("InferenceService", &version).await.is_some() {
            let status = json!({"conditions": [{"type": "Ready", "status": ready}]});
            self.namespace.put_status("InferenceService", &version, &status).await;
            return;
        }
        let pods = eventually(&format!("{version} has a pod"), async || {
            let mut pods = self.namespace.list("Pod").await;
            pods.retain(|pod| pod["metadata"]["labels"]["app"] == version.as_str());
            (!pods.is_empty()).then_some(pods)
        })
        .await;
        for pod in pods {
            let name = pod["metadata"]["name"].as_str().unwrap();
            let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]});
            let patch = Patch::Merge(json!({"status": status}));
            self.namespace.objects("Pod").patch_status(name, &PatchParams::default(), &patch).await.unwrap();
        }
    }
}

/// Compares for every set of ready versions, one version changing at each step.
async fn the_routes_are_r8s(environment: &str, releases: &[(&str, usize)]) {
    if !wanted() {
        return;
    }
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("iter8", &[]).await;
    let _controller = Iter8::start(cluster, &namespace.name);
    for (strategy, count) in releases {
        let release = Release::new(cluster, &namespace, environment, strategy, *count);
        for object in release.render(&["--routing", "routemap"]) {
            namespace.apply_as("helm", &object).await;
        }
        let mut ready: Vec<usize> = Vec::new();
        for step in 0..=1_u32 << count {
            if step > 0 {
                // Gray's order: every set comes once, and the last step leads back to the first one.
                let index = (step.trailing_zeros() as usize).min(release.count - 1);
                let known = ready.iter().position(|one| *one == index);
                match known {
                    Some(place) => drop(ready.remove(place)),
                    None => ready.push(index),
                }
                ready.sort_unstable();
                release.set_ready(index, known.is_none()).await;
            }
            let wanted = release.route(&ready);
            let (kind, expected) = (wanted["kind"].as_str().unwrap(), read(&wanted));
            assert_eq!(expected.faults, Vec::<String>::new());
            let what = format!("{environment}: the route of {} with {ready:?} ready is {expected:?}", release.name);
            eventually(&what, async || {
                let live = namespace.get(kind, &release.name).await?;
                assert_eq!(live["metadata"]["managedFields"][0]["manager"], "iter8-controller");
                (read(&live) == expected).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn iter8_routes_deployments_behind_istio_as_r8_does() {
    let releases = [("blue-green", 2), ("blue-green", 3), ("canary", 2), ("canary", 3), ("mirror", 2)];
    the_routes_are_r8s("deployment-istio", &releases).await;
}

#[tokio::test]
async fn iter8_routes_deployments_behind_a_gateway_as_r8_does() {
    the_routes_are_r8s("deployment-gtw", &[("blue-green", 2), ("blue-green", 3), ("canary", 2), ("canary", 3)]).await;
}

#[tokio::test]
async fn iter8_routes_models_on_knative_as_r8_does() {
    the_routes_are_r8s("kserve", &[("blue-green", 2), ("blue-green", 3), ("canary", 2), ("canary", 3)]).await;
}

#[tokio::test]
async fn iter8_routes_models_on_modelmesh_as_r8_does() {
    let releases = [("blue-green", 2), ("blue-green", 3), ("canary", 2), ("canary", 3)];
    the_routes_are_r8s("kserve-modelmesh-istio", &releases).await;
}

#[tokio::test]
async fn iter8_routes_models_in_deployments_as_r8_does() {
    let releases = [("blue-green", 2), ("blue-green", 3), ("canary", 2), ("canary", 3), ("mirror", 2)];
    the_routes_are_r8s("kserve-standard", &releases).await;
}

/// A release that the controller routes.
async fn routed_by(cluster: &Cluster, stem: &str) -> (Namespace, Iter8) {
    let namespace = cluster.namespace(stem, &[Ask::Ready]).await;
    let controller = Iter8::start(cluster, &namespace.name);
    let values = format!("iter8Version: v1.1\n{}", values("deployment-istio"));
    apply(cluster, &namespace, &["--routing", "routemap", "--timeout", "90s"], &values);
    let writer = |route: &Value| route["metadata"]["managedFields"][0]["manager"] == "iter8-controller";
    assert!(writer(&namespace.get("VirtualService", "shop").await.unwrap()));
    (namespace, controller)
}

#[tokio::test]
async fn what_iter8_routes_is_deleted_and_no_route_leads_to_a_version_that_goes() {
    if !wanted() {
        return;
    }
    let Some(cluster) = control_plane() else { return };
    let (namespace, _controller) = routed_by(cluster, "iter8-delete").await;
    let held = namespace.get("Deployment", "shop-0").await.unwrap();
    assert_eq!(held["metadata"]["finalizers"], json!(["iter8.tools/finalizer"]));
    let recorder = Recorder::start(cluster, &namespace.name);
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "1s", "--timeout", "90s"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0").route_may_end());
    for (kind, name) in [("VirtualService", "shop"), ("Deployment", "shop-0"), ("ConfigMap", "shop-routemap")] {
        assert_eq!(namespace.get(kind, name).await, None, "{kind} {name}");
    }
}

#[tokio::test]
async fn what_iter8_holds_and_it_does_not_run_is_named() {
    if !wanted() {
        return;
    }
    let Some(cluster) = control_plane() else { return };
    let (namespace, controller) = routed_by(cluster, "iter8-gone").await;
    drop(controller);
    let args = ["delete", "shop", "--drain", "0s", "--timeout", "2s"];
    let output = r8(&mut cluster.r8(), &namespace, &args);
    assert_eq!(output.status.code(), Some(4), "{}", told(&output));
    let line = told(&output).lines().find(|line| line.starts_with("error: ")).unwrap().to_owned();
    assert!(
        line.ends_with("its finalizer `iter8.tools/finalizer` is to be removed by the Iter8 controller"),
        "{}",
        told(&output)
    );
    assert_eq!(namespace.get("VirtualService", "shop").await, None);
    assert!(namespace.get("Deployment", "shop-0").await.is_some());
    // When the controller runs again, a later run does the rest.
    let _controller = Iter8::start(cluster, &namespace.name);
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "0s", "--timeout", "90s"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(namespace.get("Deployment", "shop-0").await, None);
}
