//! What others and earlier runs left of a release: routes of the controller, versions elsewhere.

use kube::api::{Patch, PatchParams};

use super::interrupts::signal;
use super::*;
use crate::harness::{Ask, Fault, Proxy, What, control_plane, eventually};
use crate::shop::{hand_to_the_controller, r8, told};

const TWO: [(&str, u32); 2] = [("one", 30), ("two", 70)];

#[tokio::test]
async fn the_controllers_route_is_live_where_nothing_is_to_be_routed_any_more() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("theirs", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("deployment-istio", "blue-green", &TWO)).with(0);
    hand_to_the_controller(&namespace).await;
    let none = values("deployment-istio", "none", &TWO[..1]);
    let ended = apply(cluster, &namespace, &[], &none).with(5);
    let text = format!(
        "error: the strategy is none, but VirtualService {}/shop routes this release's requests\n",
        namespace.name
    );
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    assert!(namespace.get("Service", "shop-1").await.is_some());
    apply(cluster, &namespace, &["--remove-route"], &none).with(0);
    assert_eq!(namespace.get("VirtualService", "shop").await, None);
    assert_eq!(namespace.get("Service", "shop-1").await, None);
}

#[tokio::test]
async fn the_controllers_route_goes_before_its_versions_when_another_kind_replaces_it() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("kinds", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("deployment-istio", "blue-green", &TWO)).with(0);
    hand_to_the_controller(&namespace).await;
    let renamed = values("deployment-gtw", "blue-green", &TWO).replace("image: 'shop:", "image: 'new:");
    let renamed = renamed.replace("{image: 'new:one'", "{metadata: {name: a}, image: 'new:one'");
    let renamed = renamed.replace("{image: 'new:two'", "{metadata: {name: b}, image: 'new:two'");
    let ended = apply(cluster, &namespace, &["--routing", "route"], &renamed).with(0);
    let place = |text: &str| {
        let line = format!("{text} {}/", namespace.name);
        ended.stderr.find(&line).unwrap_or_else(|| panic!("{line}: {}", ended.stderr))
    };
    assert!(place("deleted VirtualService") < place("deleted Service"), "{}", ended.stderr);
    assert_eq!(namespace.get("VirtualService", "shop").await, None);
    assert_eq!(namespace.get("Service", "shop-1").await, None);
}

#[tokio::test]
async fn a_version_is_pruned_in_the_namespace_that_only_the_route_names() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("here", &[Ask::Ready]).await;
    let elsewhere = cluster.namespace("elsewhere", &[Ask::Ready]).await;
    let both = values("deployment-istio", "blue-green", &TWO)
        .replace("'shop:two'", &format!("'shop:two', metadata: {{namespace: {}}}", elsewhere.name));
    apply(cluster, &namespace, &["--routing", "route"], &both).with(0);
    assert!(elsewhere.get("Service", "shop-1").await.is_some());
    let one = values("deployment-istio", "blue-green", &TWO[..1]);
    apply(cluster, &namespace, &["--routing", "route"], &one).with(0);
    assert_eq!(elsewhere.get("Service", "shop-1").await, None);
}

/// Values of two versions of which the second one lies in another namespace.
fn second_in(namespace: &str) -> String {
    let metadata = format!("'shop:two', metadata: {{namespace: {namespace}}}");
    values("deployment-istio", "blue-green", &TWO).replace("'shop:two'", &metadata)
}

#[tokio::test]
async fn a_version_is_deleted_in_the_namespace_that_only_the_record_names() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("recorded", &[Ask::Ready]).await;
    let elsewhere = cluster.namespace("recorded-too", &[Ask::Ready]).await;
    apply(cluster, &namespace, &["--routing", "route"], &second_in(&elsewhere.name)).with(0);
    namespace.delete("VirtualService", "shop").await;
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(elsewhere.get("Service", "shop-1").await, None);
    assert_eq!(elsewhere.get("Deployment", "shop-1").await, None);
}

/// What was routed elsewhere when an apply was killed before it pruned: only the manifests of the records name it.
#[tokio::test]
async fn what_the_records_name_is_pruned_where_nothing_live_does() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("moving", &[Ask::Ready]).await;
    let old = cluster.namespace("moving-old", &[Ask::Ready]).await;
    let new = cluster.namespace("moving-new", &[Ask::Ready]).await;
    apply(cluster, &namespace, &["--routing", "route"], &second_in(&old.name)).with(0);
    let flags = ["apply", "--routing", "route", "--drain", "1h", "--settle", "1s", "--timeout", "90s"];
    let running = start(cluster.r8(), &namespace.name, &flags, &second_in(&new.name));
    eventually("the route leads to the new one", async || {
        let route = namespace.get("VirtualService", "shop").await?;
        let spec = route["spec"].to_string();
        (spec.contains(&new.name) && !spec.contains(&old.name)).then_some(())
    })
    .await;
    signal(&running, "KILL");
    running.end();
    apply(cluster, &namespace, &["--routing", "route", "--take-lock"], &second_in(&new.name)).with(0);
    for kind in ["Service", "Deployment"] {
        assert_eq!(old.get(kind, "shop-1").await, None, "{kind}");
        assert!(new.get(kind, "shop-1").await.is_some(), "{kind}");
    }
}

/// Kinds that r8's own templates never write, in a user's.
#[tokio::test]
async fn what_a_users_template_wrote_is_pruned_and_deleted_too() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("own-kinds", &[Ask::Ready]).await;
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("deployment-istio");
    std::fs::create_dir(&own).unwrap();
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/deployment-istio/support.yaml.j2");
    let more = "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: own\n  namespace: {{ application.namespace }}\n\
                spec: {maxUnavailable: 1, selector: {matchLabels: {a: b}}}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  \
                name: own\n  namespace: {{ application.namespace }}\n";
    let text = std::fs::read_to_string(template).unwrap();
    std::fs::write(own.join("support.yaml.j2"), format!("{}\n{more}", text.trim_end())).unwrap();
    let values = values("deployment-istio", "blue-green", &TWO);
    let there = async || {
        (
            namespace.get("PodDisruptionBudget", "own").await.is_some(),
            namespace.get("ServiceAccount", "own").await.is_some(),
        )
    };
    let with = ["--templates", folder.path().to_str().unwrap()];
    apply(cluster, &namespace, &with, &values).with(0);
    assert_eq!(there().await, (true, true));
    let shown = start(cluster.r8(), &namespace.name, &["diff"], &values).end().with(0);
    assert!(shown.stdout.contains(&format!("delete ServiceAccount {}/own\n", namespace.name)), "{}", shown.stdout);
    apply(cluster, &namespace, &[], &values).with(0);
    assert_eq!(there().await, (false, false));
    apply(cluster, &namespace, &with, &values).with(0);
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(there().await, (false, false));
}

#[tokio::test]
async fn a_model_of_a_failed_run_whose_status_never_moved_is_not_taken_for_loaded() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("pending", &[]).await;
    let of = |model: &str| values("kserve-modelmesh-istio", "blue-green", &[(model, 1)]);
    let flags = ["apply", "--drain", "0s", "--settle", "1s", "--timeout", "90s"];
    let first = start(cluster.r8(), &namespace.name, &flags, &of("one"));
    eventually("the model is written", async || namespace.get("InferenceService", "shop-0").await).await;
    loaded(&namespace, "shop-0").await;
    first.end().with(0);
    // Statuses are dated by the second.
    let second = std::time::Duration::from_millis(1100);
    tokio::time::sleep(second).await;
    for _ in 0..2 {
        let late = apply(cluster, &namespace, &["--timeout", "15s"], &of("two")).with(4);
        assert!(late.stderr.contains("version shop-0 is not ready"), "{}", late.stderr);
    }
    tokio::time::sleep(second).await;
    loading(&namespace, "shop-0").await;
    loaded(&namespace, "shop-0").await;
    apply(cluster, &namespace, &[], &of("two")).with(0);
}

/// Makes a model be loaded, as ModelMesh says it.
async fn loading(namespace: &Namespace, name: &str) {
    let status = serde_json::json!({
        "conditions": [{"type": "PredictorReady", "status": "True"}, {"type": "Ready", "status": "True"}],
        "modelStatus": {"transitionStatus": "InProgress", "states": {"activeModelState": "Loaded", "targetModelState": "Loading"}},
    });
    namespace.put_status("InferenceService", name, &status).await;
}

/// Makes a model loaded, as ModelMesh says it.
async fn loaded(namespace: &Namespace, name: &str) {
    let status = serde_json::json!({
        "conditions": [{"type": "PredictorReady", "status": "True"}, {"type": "Ready", "status": "True"}],
        "modelStatus": {"transitionStatus": "UpToDate", "states": {"activeModelState": "Loaded", "targetModelState": ""}},
    });
    namespace.put_status("InferenceService", name, &status).await;
}

/// Waits until the object of this kind and name is another one than `old`.
async fn again(namespace: &Namespace, kind: &str, name: &str, old: &Value) -> Value {
    eventually(&format!("{kind} {name} is written again"), async || {
        let live = namespace.get(kind, name).await?;
        (live["metadata"]["uid"] != old["metadata"]["uid"]).then_some(live)
    })
    .await
}

#[tokio::test]
async fn what_others_delete_while_a_version_is_waited_for_is_written_again() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("deleted", &[]).await;
    let flags = ["apply", "--drain", "0s", "--settle", "1s", "--timeout", "90s"];
    let (first, second) = ([("one", 60), ("two", 40)], [("one", 60), ("three", 40)]);
    let running = start(cluster.r8(), &namespace.name, &flags, &values("kserve-modelmesh-istio", "blue-green", &first));
    let model = eventually("the version is there", async || namespace.get("InferenceService", "shop-0").await).await;
    let config = eventually("its weight is there", async || namespace.get("ConfigMap", "shop-0-weight-config").await);
    let config = config.await;
    namespace.delete("ConfigMap", "shop-0-weight-config").await;
    namespace.delete("InferenceService", "shop-0").await;
    again(&namespace, "InferenceService", "shop-0", &model).await;
    loaded(&namespace, "shop-0").await;
    loaded(&namespace, "shop-1").await;
    let ended = running.end().with(0);
    for object in ["InferenceService NAMESPACE/shop-0", "ConfigMap NAMESPACE/shop-0-weight-config"] {
        let object = object.replace("NAMESPACE", &namespace.name);
        let text = format!("{object} was deleted by somebody else: it is written again\n");
        assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    }
    again(&namespace, "ConfigMap", "shop-0-weight-config", &config).await;

    let old = namespace.get("VirtualService", "shop").await.unwrap();
    let running =
        start(cluster.r8(), &namespace.name, &flags, &values("kserve-modelmesh-istio", "blue-green", &second));
    eventually("the model changes", async || {
        let live = namespace.get("InferenceService", "shop-1").await?;
        (live["spec"]["predictor"]["model"]["storageUri"] == "s3://models/three").then_some(())
    })
    .await;
    namespace.delete("VirtualService", "shop").await;
    let new = again(&namespace, "VirtualService", "shop", &old).await;
    assert_eq!(new["spec"], old["spec"]);
    let status = serde_json::json!({
        "conditions": [{"type": "PredictorReady", "status": "True"}, {"type": "Ready", "status": "True"}],
        "modelStatus": {"transitionStatus": "InProgress", "states": {"activeModelState": "Loaded", "targetModelState": "Loading"}},
    });
    namespace.put_status("InferenceService", "shop-1", &status).await;
    loaded(&namespace, "shop-1").await;
    running.end().with(0);
}

#[tokio::test]
async fn a_model_whose_deployment_others_delete_does_not_serve() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("child", &[Ask::Ready]).await;
    let before = values("kserve-standard", "blue-green", &[("one", 60), ("two", 40)]);
    apply(cluster, &namespace, &[], &before).with(0);
    namespace.stop_playing().await;
    let after = values("kserve-standard", "blue-green", &[("one", 60), ("three", 40)]);
    let proxy = Proxy::start(cluster, vec![]);
    let running = start(proxy.r8(), &namespace.name, &["apply", "--timeout", "90s"], &after);
    proxy.wait_for(|request| request.watch && request.path.contains("/deployments") && request.status.is_some());
    namespace.delete("Deployment", "shop-1-predictor").await;
    eventually("requests leave it", async || {
        let route = namespace.get("VirtualService", "shop").await?;
        (route["spec"]["http"][0]["route"].as_array()?.len() == 1).then_some(())
    })
    .await;
    signal(&running, "INT");
    running.end().with(130);
}

#[tokio::test]
async fn what_a_finalizer_holds_is_named_when_it_is_not_gone_in_time() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("held", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("kserve-modelmesh-istio", "blue-green", &TWO)).with(0);
    let hold = serde_json::json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "shop-1", "finalizers": ["inferenceservice.finalizers"]}});
    namespace.apply_as("kserve-controller", &hold).await;
    let one = values("kserve-modelmesh-istio", "blue-green", &TWO[..1]);
    let ended =
        start(cluster.r8(), &namespace.name, &["apply", "--drain", "0s", "--timeout", "12s"], &one).end().with(4);
    let name = &namespace.name;
    let text = format!("error: InferenceService {name}/shop-1 is still there after ");
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    let text = format!(
        "s: its finalizer `inferenceservice.finalizers` is to be removed by KServe's controller\nhint: see that KServe's \
         controller runs; `r8 apply shop -n {name} …` goes on from here\n"
    );
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    let diff = start(cluster.r8(), name, &["diff"], &one).end().with(0);
    let text = format!("delete InferenceService {name}/shop-1\n~ is being deleted\n");
    assert!(diff.stdout.contains(&text), "{}", diff.stdout);
    let free = serde_json::json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": {"name": "shop-1"}});
    namespace.apply_as("kserve-controller", &free).await;
    apply(cluster, &namespace, &[], &one).with(0);
    assert_eq!(namespace.get("InferenceService", "shop-1").await, None);
}

#[tokio::test]
async fn a_take_over_that_was_interrupted_is_gone_on_with() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("resumed", &[Ask::Ready]).await;
    let values = values("deployment-istio", "blue-green", &TWO);
    apply(cluster, &namespace, &[], &values).with(0);
    hand_to_the_controller(&namespace).await;
    let foreign = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}});
    namespace.apply_as("somebody", &foreign).await;
    let foreign = namespace.get("ConfigMap", "theirs").await.unwrap();
    let uid = &foreign["metadata"]["uid"];
    let owned = serde_json::json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
        "metadata": {"name": "shop", "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "uid": uid}]}});
    namespace.apply_as("somebody", &owned).await;
    let theirs = namespace.get("VirtualService", "shop").await.unwrap();
    // An interruption after its first step leaves the routemap without its label.
    let silent = Patch::Merge(serde_json::json!({"metadata": {"labels": {"iter8.tools/kind": null}}}));
    namespace.objects("ConfigMap").patch("shop-routemap", &PatchParams::default(), &silent).await.unwrap();

    apply(cluster, &namespace, &["--routing", "route"], &values).with(0);
    let ours = namespace.get("VirtualService", "shop").await.unwrap();
    assert_eq!(ours["metadata"]["uid"], theirs["metadata"]["uid"]);
    let owners = ours["metadata"]["ownerReferences"].as_array().unwrap();
    assert_eq!(owners.iter().map(|owner| &owner["uid"]).collect::<Vec<_>>(), [uid]);
    assert_eq!(namespace.get("ConfigMap", "shop-routemap").await, None);
}

#[tokio::test]
async fn a_take_over_that_somebody_keeps_from_ending_gives_up_and_leaves_a_route() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("contended", &[Ask::Ready]).await;
    let values = values("deployment-istio", "blue-green", &TWO);
    apply(cluster, &namespace, &[], &values).with(0);
    hand_to_the_controller(&namespace).await;
    // The first write is that of the route; those that remove what ties it to the routemap always come too late.
    let late = Fault::on("PATCH", "/virtualservices/shop", What::Modified).real().from(2);
    let proxy = Proxy::start(cluster, vec![late]);
    let flags = ["apply", "--routing", "route", "--drain", "0s", "--settle", "1s", "--timeout", "90s"];
    let ended = start(proxy.r8(), &namespace.name, &flags, &values).end().with(6);
    let text = format!(
        "error: cannot take VirtualService {}/shop over from the Iter8 controller: somebody else has written it before each \
         of 5 tries\n",
        namespace.name
    );
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    let is_write = |request: &&crate::harness::Request| {
        request.method == "PATCH" && request.path.contains("/virtualservices/shop") && !request.dry_run
    };
    assert_eq!(proxy.requests().iter().filter(is_write).count(), 1 + 5);
    assert!(namespace.get("VirtualService", "shop").await.is_some());
    assert!(namespace.get("ConfigMap", "shop-routemap").await.is_some());
    apply(cluster, &namespace, &["--routing", "route"], &values).with(0);
    assert_eq!(namespace.get("ConfigMap", "shop-routemap").await, None);
}
