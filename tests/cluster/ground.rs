//! What every cluster test stands on: the control plane, its controllers and users, and the played statuses.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace as NamespaceObject, Secret};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::harness::{
    Ask, Origin, PATIENCE, Player, Sequence, Wait, cluster, cluster_with_controllers, control_plane, eventually, files,
};

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
";

#[tokio::test]
async fn r8_is_called_with_the_clusters_kubeconfig() {
    let Some(cluster) = cluster() else { return };
    let version = cluster.client().await.apiserver_version().await.unwrap();
    assert_eq!(version.major, "1");
    let called = cluster.r8().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&called.stdout), concat!("r8 ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[tokio::test]
async fn no_two_tests_share_a_namespace() {
    let Some(cluster) = cluster() else { return };
    let (one, other) = (cluster.namespace("same", &[]).await, cluster.namespace("same", &[]).await);
    assert_ne!(one.name, other.name);
    one.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: here}, data: {}}").await;
    assert!(one.get("ConfigMap", "here").await.is_some());
    assert_eq!(other.get("ConfigMap", "here").await, None);
}

#[tokio::test]
async fn pods_of_a_deployment_are_ready_only_where_that_was_asked_for() {
    let Some(cluster) = control_plane() else { return };
    let (asked, not) = (cluster.namespace("ready", &[Ask::Ready]).await, cluster.namespace("pending", &[]).await);
    not.apply(WEB).await;
    asked.apply(WEB).await;
    eventually("web is available", async || {
        let web = asked.get("Deployment", "web").await?;
        (web["status"]["availableReplicas"] == 2).then_some(())
    })
    .await;
    eventually("web has pods", async || (not.list("Pod").await.len() == 2).then_some(())).await;
    assert!(not.list("Pod").await.iter().all(|pod| pod["status"]["phase"] == "Pending"));
}

/// An InferenceService of each mode, and a route with two parents.
const VERSIONS: &str = "
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: modelmesh, annotations: {serving.kserve.io/deploymentMode: ModelMesh}}
spec: {predictor: {model: {modelFormat: {name: sklearn}, storageUri: s3://models/1}}}
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: knative}
spec: {predictor: {model: {modelFormat: {name: sklearn}, storageUri: s3://models/1}}}
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: standard, annotations: {serving.kserve.io/deploymentMode: Standard}}
spec: {predictor: {model: {modelFormat: {name: sklearn}, storageUri: s3://models/1}}}
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: HTTPRoute
metadata: {name: route}
spec:
  parentRefs: [{name: gateway}, {group: '', kind: Service, name: web, port: 80}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
";

#[tokio::test]
async fn models_are_loaded_and_routes_accepted_only_where_that_was_asked_for() {
    let Some(cluster) = control_plane() else { return };
    let (asked, not) = (cluster.namespace("played", &[Ask::Ready]).await, cluster.namespace("unplayed", &[]).await);
    for version in 1..=2 {
        let versions =
            VERSIONS.replace("models/1", &format!("models/{version}")).replace("port: 80}]}]", "port: 81}]}]");
        not.apply(&versions).await;
        asked.apply(&versions).await;
        for mode in ["modelmesh", "knative", "standard"] {
            eventually(&format!("{mode} is up to date with model {version}"), async || {
                let live = asked.get("InferenceService", mode).await?;
                let (status, predictor) = (&live["status"], &live["status"]["components"]["predictor"]);
                let settled = match mode {
                    // There is no generation in its status: the second update may not have been seen yet.
                    "modelmesh" => true,
                    "knative" => predictor["latestRolledoutRevision"] == format!("knative-predictor-0000{version}"),
                    _ => status["observedGeneration"] == version,
                };
                (settled && status["modelStatus"]["states"]["activeModelState"] == "Loaded").then_some(())
            })
            .await;
        }
        eventually("every parent accepts the route", async || {
            let live = asked.get("HTTPRoute", "route").await?;
            let parents = live["status"]["parents"].as_array()?;
            let seen = parents.iter().all(|parent| {
                parent["conditions"][0]["observedGeneration"] == live["metadata"]["generation"]
                    && parent["conditions"][1]["status"] == "True"
            });
            (parents.len() == 2 && seen).then_some(())
        })
        .await;
    }
    for (kind, name) in [("InferenceService", "knative"), ("InferenceService", "modelmesh")] {
        assert_eq!(not.get(kind, name).await.unwrap()["status"], Value::Null);
    }
}

#[tokio::test]
async fn a_deleted_owner_takes_what_it_owns_with_it() {
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("owner", &[]).await;
    namespace.apply(WEB).await;
    eventually("web has pods", async || (namespace.list("Pod").await.len() == 2).then_some(())).await;
    namespace.delete("Deployment", "web").await;
    eventually("the pods are gone", async || namespace.list("Pod").await.is_empty().then_some(())).await;
    assert_eq!(namespace.list("ReplicaSet").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_deleted_namespace_ends() {
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("gone", &[]).await;
    namespace.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: here}, data: {}}").await;
    let namespaces = Api::<NamespaceObject>::all(namespace.client.clone());
    namespaces.delete(&namespace.name, &Default::default()).await.unwrap();
    eventually("it is gone", async || namespaces.get_opt(&namespace.name).await.unwrap().is_none().then_some(())).await;
}

/// Whether a request was allowed (a dry run of a write is one).
async fn may<T>(request: impl Future<Output = kube::Result<T>>) -> Result<bool, u16> {
    match request.await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(false),
        Err(kube::Error::Api(status)) => Err(status.code),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn each_user_has_the_rights_of_its_name() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("users", &[]).await;
    let writes = async |client: Client| {
        let maps = Api::<ConfigMap>::namespaced(client, &namespace.name);
        let map = serde_json::from_value(json!({"metadata": {"name": "written"}})).unwrap();
        may(maps.create(&kube::api::PostParams { dry_run: true, ..Default::default() }, &map)).await
    };
    let reads = async |client: Client| {
        may(Api::<ConfigMap>::namespaced(client, &namespace.name).list(&Default::default())).await
    };
    let reads_secrets =
        async |client: Client| may(Api::<Secret>::namespaced(client, &namespace.name).list(&Default::default())).await;
    let mut rights = Vec::new();
    for user in ["admin", "certificate", "exec", "reader", "secretless", "nobody", "expired"] {
        let client = cluster.client_of(user).await;
        rights.push((user, reads(client.clone()).await, writes(client.clone()).await, reads_secrets(client).await));
    }
    let expected = [
        ("admin", Ok(true), Ok(true), Ok(true)),
        ("certificate", Ok(true), Ok(true), Ok(true)),
        ("exec", Ok(true), Ok(true), Ok(true)),
        ("reader", Ok(true), Ok(false), Ok(true)),
        ("secretless", Ok(true), Ok(true), Ok(false)),
        ("nobody", Ok(false), Ok(false), Ok(false)),
        ("expired", Err(401), Err(401), Err(401)),
    ];
    assert_eq!(rights, expected);
}

const LEGACY: &str = "
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: wisdom, annotations: {serving.kserve.io/deploymentMode: RawDeployment}}
spec: {predictor: {model: {modelFormat: {name: triton}, storageUri: s3://models/1}}}
";

#[tokio::test]
async fn the_webhook_changes_what_passes_it_and_nothing_else() {
    let Some(cluster) = control_plane() else { return };
    let (asked, not) = (cluster.namespace("hook", &[Ask::Webhook]).await, cluster.namespace("no-hook", &[]).await);
    for namespace in [&asked, &not] {
        namespace.apply(LEGACY).await;
    }
    let untouched = not.get("InferenceService", "wisdom").await.unwrap();
    assert_eq!(
        untouched["spec"]["predictor"]["model"],
        json!({
            "modelFormat": {"name": "triton"}, "storageUri": "s3://models/1",
        })
    );
    let changed = asked.get("InferenceService", "wisdom").await.unwrap();
    assert_eq!(
        changed["spec"]["predictor"]["model"],
        json!({
            "modelFormat": {"name": "triton"}, "name": "", "protocolVersion": "v2", "resources": {},
            "storageUri": "s3://models/1",
        })
    );
    assert_eq!(
        changed["metadata"]["annotations"],
        json!({
            "modelFormat": "triton", "serving.kserve.io/deploymentMode": "Standard",
        })
    );
}

#[test]
fn every_step_of_every_sequence_has_a_note_and_a_source() {
    let names = files();
    for mode in ["deployment", "knative", "modelmesh", "standard"] {
        assert!(names.iter().any(|name| name.starts_with(&format!("{mode}/"))), "no sequence of {mode}");
    }
    for name in names {
        let sequence = Sequence::read(&name);
        assert!(!sequence.about.is_empty(), "{name}");
        for (index, step) in sequence.steps.iter().enumerate() {
            assert!(!step.note.is_empty() && !step.source.is_empty(), "{name}: step {}", index + 1);
            let acts = [&step.status, &step.apply].iter().filter(|act| act.is_some()).count();
            assert!(acts + usize::from(step.pods.is_some()) <= 1, "{name}: step {} does several things", index + 1);
        }
    }
}

/// Changes the model or the image, as an update of a version does.
fn change(object: &mut Value, number: usize) {
    if object["kind"] == "InferenceService" {
        object["spec"]["predictor"]["model"]["storageUri"] = format!("s3://models/{number}").into();
    } else {
        object["spec"]["template"]["spec"]["containers"][0]["image"] = format!("web:{number}").into();
    }
}

#[tokio::test]
async fn every_status_of_every_sequence_is_stored_as_it_is_written() {
    let Some(cluster) = cluster_with_controllers() else { return };
    for name in files() {
        let namespace = cluster.namespace(&name.replace('/', "-"), &[]).await;
        let mut player = Player::new(&namespace, &name, "wisdom");
        let mut object = player.object();
        namespace.apply_as("test", &object).await;
        let mut changes = 0;
        while let Some(step) = player.upcoming() {
            if step.wait == Some(Wait::Changed) {
                changes += 1;
                change(&mut object, changes);
                namespace.apply_as("test", &object).await;
            }
            let step = player.step().await.unwrap();
            if let Some(status) = step.status {
                let kind = object["kind"].as_str().unwrap();
                let live = namespace.get(kind, "wisdom").await.unwrap();
                assert_eq!(live["status"], status, "{name}: {}", step.note);
            }
        }
    }
}

/// Makes this test the one that another one starts, to be killed.
const HOLD: &str = "R8_TEST_HOLDS_THE_CLUSTER";

#[test]
fn what_was_started_ends_with_its_test_program_even_if_that_is_killed() {
    if std::env::var_os(HOLD).is_some() {
        let Some(cluster) = cluster() else { return };
        println!("holds {}", cluster.kubeconfig().display());
        loop {
            std::thread::park();
        }
    }
    let Some(outer) = cluster() else { return };
    if outer.origin() == Origin::Existing {
        eprintln!("skipped: an existing cluster is not ours to end");
        return;
    }
    let name = "ground::what_was_started_ends_with_its_test_program_even_if_that_is_killed";
    let mut inner = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(HOLD, "1")
        .env("R8_SHARED", "/nonexistent")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(inner.stdout.take().unwrap()).lines();
    let kubeconfig = lines.map(Result::unwrap).find_map(|line| line.strip_prefix("holds ").map(str::to_owned));
    let kubeconfig = kubeconfig.expect("it says which cluster it holds");
    assert!(Path::new(&kubeconfig).exists());
    inner.kill().unwrap();
    inner.wait().unwrap();
    let end = Instant::now() + PATIENCE;
    while Path::new(&kubeconfig).exists() {
        assert!(Instant::now() < end, "{kubeconfig} is still there");
        std::thread::sleep(Duration::from_millis(100));
    }
}
