//! Waiting: by the sequences of statuses that KServe, Knative, ModelMesh and Kubernetes write.

use super::*;
use crate::harness::{Ask, Fault, Proxy, What, cluster, cluster_with_controllers, control_plane};

/// The environment whose versions a folder of sequences plays.
fn environment(mode: &str) -> &'static str {
    match mode {
        "deployment" => "deployment-istio",
        "knative" => "kserve",
        "modelmesh" => "kserve-modelmesh-istio",
        _ => "kserve-standard",
    }
}

/// A release of one version, and the same with another model.
fn pair(mode: &str) -> (String, String) {
    let values = |model| values(environment(mode), "blue-green", &[(model, 1)]);
    (values("one"), values("two"))
}

#[tokio::test]
async fn a_first_install_is_routed_when_its_version_is_settled() {
    let Some(cluster) = cluster_with_controllers() else { return };
    for sequence in [
        "standard/new-model",
        "knative/new-model",
        "modelmesh/new-model",
        "deployment/new",
        "standard/slow-load",
        "knative/slow-load",
        "modelmesh/slow-load",
        "modelmesh/no-generation",
    ] {
        let namespace = cluster.namespace(&sequence.replace('/', "-"), &[]).await;
        let (values, _) = pair(sequence.split('/').next().unwrap());
        let recorder = Recorder::start(cluster, &namespace.name);
        let running = start(cluster.r8(), &namespace.name, &["apply", "--settle", "2s", "--timeout", "90s"], &values);
        play(&mut Player::new(&namespace, sequence, "shop-0")).await;
        let ended = running.end().with(0);
        assert!(ended.stdout.starts_with("shop-0  – → 100%\n"), "{sequence}: {ended:?}");
        assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    }
}

#[tokio::test]
async fn an_update_ends_when_the_new_model_serves_and_not_before() {
    let Some(cluster) = cluster_with_controllers() else { return };
    for sequence in [
        "standard/update",
        "knative/update",
        "modelmesh/update",
        "modelmesh/standby-update",
        "deployment/update",
        "knative/lying-generation",
        "standard/lying-generation",
    ] {
        let namespace = cluster.namespace(&sequence.replace('/', "-"), &[]).await;
        let (first, mut second) = pair(sequence.split('/').next().unwrap());
        if sequence.ends_with("lying-generation") {
            // A change that KServe's child does not see.
            let spec = "{spec: {predictor: {minReplicas: 2, model: {modelFormat: {name: sklearn}, storageUri: 's3://models/one'}}}}";
            second = first.replace("weight: 1", &format!("weight: 1, inferenceServiceSpecification: {spec}"));
        }
        let mut player = Player::new(&namespace, sequence, "shop-0");
        let running = start(cluster.r8(), &namespace.name, &["apply", "--settle", "2s", "--timeout", "90s"], &first);
        play(&mut player).await;
        running.end().with(0);
        let recorder = Recorder::start(cluster, &namespace.name);
        let running = start(
            cluster.r8(),
            &namespace.name,
            &["apply", "--settle", "2s", "--timeout", "90s", "-o", "json"],
            &second,
        );
        play(&mut player).await;
        let ended = running.end().with(0);
        let document: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(document["result"], "done", "{sequence}");
        assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    }
}

#[tokio::test]
async fn a_definite_failure_ends_the_wait_at_once_and_says_why() {
    let Some(cluster) = cluster_with_controllers() else { return };
    for (sequence, why) in [
        ("standard/failed-load", "FailedToLoad"),
        ("knative/failed-load", "FailedToLoad"),
        ("modelmesh/failed-load", "FailedToLoad: ModelLoadFailed: Failed to load model: no such key"),
    ] {
        let namespace = cluster.namespace(&sequence.replace('/', "-"), &[]).await;
        let (values, _) = pair(sequence.split('/').next().unwrap());
        let running = start(cluster.r8(), &namespace.name, &["apply", "--timeout", "10m"], &values);
        play(&mut Player::new(&namespace, sequence, "shop-0")).await;
        let ended = running.end().with(4);
        assert!(
            ended.stderr.contains("error: version shop-0 failed: ") && ended.stderr.contains(why),
            "{sequence}: {ended:?}"
        );
        assert!(ended.stderr.contains("note: no route was written\n"), "{sequence}: {ended:?}");
        assert_eq!(namespace.get("VirtualService", "shop").await, None);
    }
}

#[tokio::test]
async fn what_is_told_of_a_version_has_no_passwords_of_addresses() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("masked", &[]).await;
    let (values, _) = pair("modelmesh");
    let running = start(cluster.r8(), &namespace.name, &["apply", "--timeout", "90s", "-o", "json"], &values);
    let message = "cannot reach https://ann:hunter2@models.example.org/one";
    let status = |transition: &str, state: &str| {
        serde_json::json!({
            "conditions": [{"type": "PredictorReady", "status": "False", "message": message}],
            "modelStatus": {"transitionStatus": transition, "lastFailureInfo": {"reason": "ModelLoadFailed", "message": message},
                            "states": {"activeModelState": "", "targetModelState": state}},
        })
    };
    let there = async || namespace.get("InferenceService", "shop-0").await;
    crate::harness::eventually("the version is there", there).await;
    // One that is waited for, then one that has failed: a line of an event, an error, and the report for programs.
    namespace.put_status("InferenceService", "shop-0", &status("InProgress", "Loading")).await;
    namespace.put_status("InferenceService", "shop-0", &status("BlockedByFailedLoad", "FailedToLoad")).await;
    let ended = running.end().with(4);
    for text in [&ended.stderr, &ended.stdout] {
        assert!(text.contains("models.example.org/one") && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_failed_update_leaves_the_old_model_with_its_requests() {
    let Some(cluster) = cluster_with_controllers() else { return };
    for sequence in ["standard/failed-update", "knative/failed-update", "modelmesh/failed-update"] {
        let namespace = cluster.namespace(&sequence.replace('/', "-"), &[]).await;
        let (first, second) = pair(sequence.split('/').next().unwrap());
        let mut player = Player::new(&namespace, sequence, "shop-0");
        let running = start(cluster.r8(), &namespace.name, &["apply", "--settle", "2s", "--timeout", "90s"], &first);
        play(&mut player).await;
        running.end().with(0);
        let route = namespace.get("VirtualService", "shop").await.unwrap();
        let running = start(cluster.r8(), &namespace.name, &["apply", "--timeout", "90s"], &second);
        play(&mut player).await;
        let ended = running.end().with(4);
        assert!(ended.stderr.contains("error: version shop-0 failed: "), "{sequence}: {ended:?}");
        let after = namespace.get("VirtualService", "shop").await.unwrap();
        assert_eq!(route["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"], "{sequence}");
    }
}

#[tokio::test]
async fn a_timeout_names_version_condition_and_pods() {
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("late", &[]).await;
    let (first, second) = pair("deployment");
    let mut player = Player::new(&namespace, "deployment/image-missing", "shop-0");
    let running = start(cluster.r8(), &namespace.name, &["apply", "--timeout", "90s"], &first);
    play(&mut player).await;
    running.end().with(0);
    let running = start(cluster.r8(), &namespace.name, &["apply", "--timeout", "8s"], &second);
    play(&mut player).await;
    let ended = running.end().with(4);
    let text = "error: version shop-0 is not ready after 8 s: 1 old pods are still there";
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
    assert!(ended.stderr.contains("\n  Pod shop-0-") && ended.stderr.contains("ImagePullBackOff"), "{}", ended.stderr);
}

#[tokio::test]
async fn who_does_not_wait_is_told_what_remains() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("no-wait", &[]).await;
    let (values, _) = pair("standard");
    let ended = apply(cluster, &namespace, &["--no-wait"], &values).with(0);
    let name = &namespace.name;
    let last =
        format!("note: not settled yet: shop-0\nhint: `r8 apply shop -n {name} …` without `--no-wait` does the rest\n");
    assert!(ended.stderr.ends_with(&last), "{}", ended.stderr);
    assert_eq!(namespace.get("VirtualService", "shop").await, None);
    assert!(namespace.get("InferenceService", "shop-0").await.is_some());
}

#[tokio::test]
async fn requests_move_away_from_a_version_that_stops_serving_and_come_back() {
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("relief", &[Ask::Ready]).await;
    let before = values("kserve-modelmesh-istio", "blue-green", &[("one", 30), ("two", 70)]);
    apply(cluster, &namespace, &[], &before).with(0);
    namespace.stop_playing().await;
    let recorder = Recorder::start(cluster, &namespace.name);
    let after = values("kserve-modelmesh-istio", "blue-green", &[("one", 30), ("three", 70)]);
    let running =
        start(cluster.r8(), &namespace.name, &["apply", "--drain", "1s", "--settle", "1s", "--timeout", "90s"], &after);
    let status = |active: &str, target: &str, ready: &str, transition: &str| {
        serde_json::json!({
            "conditions": [{"type": "PredictorReady", "status": ready}, {"type": "Ready", "status": ready}],
            "modelStatus": {"transitionStatus": transition, "states": {"activeModelState": active, "targetModelState": target}},
        })
    };
    crate::harness::eventually("the model changes", async || {
        let live = namespace.get("InferenceService", "shop-1").await?;
        (live["spec"]["predictor"]["model"]["storageUri"] == "s3://models/three").then_some(())
    })
    .await;
    let share = async |expected: Option<i64>| {
        crate::harness::eventually("the share moves", async || {
            let route = namespace.get("VirtualService", "shop").await?;
            let list = route["spec"]["http"][0]["route"].as_array()?.clone();
            let is = |item: &&Value| item["headers"]["request"]["set"]["mm-vmodel-id"] == "shop-1";
            let weight = list.iter().find(is).map(|item| item["weight"].as_i64().unwrap_or(0));
            (weight == expected).then_some(())
        })
        .await;
    };
    namespace.put_status("InferenceService", "shop-1", &status("Loading", "", "False", "InProgress")).await;
    share(None).await;
    namespace.put_status("InferenceService", "shop-1", &status("Loaded", "", "True", "UpToDate")).await;
    share(Some(70)).await;
    running.end().with(0);
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
}

/// The status of a model in ModelMesh.
fn loaded(active: &str, target: &str, ready: &str, transition: &str) -> Value {
    serde_json::json!({
        "conditions": [{"type": "PredictorReady", "status": ready}, {"type": "Ready", "status": ready}],
        "modelStatus": {"transitionStatus": transition, "states": {"activeModelState": active, "targetModelState": target}},
    })
}

#[tokio::test]
async fn a_primary_that_breaks_while_it_is_promoted_leaves_everything_to_the_candidate() {
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("promoted", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("kserve-modelmesh-istio", "blue-green", &[("one", 30), ("two", 70)]))
        .with(0);
    namespace.stop_playing().await;
    let recorder = Recorder::start(cluster, &namespace.name);
    let promoted = values("kserve-modelmesh-istio", "blue-green", &[("two", 1)]);
    let args = ["apply", "--drain", "1s", "--settle", "1s", "--timeout", "90s"];
    let running = start(cluster.r8(), &namespace.name, &args, &promoted);
    let split = async |expected: &[&str]| {
        crate::harness::eventually("the route changes", async || {
            let route = namespace.get("VirtualService", "shop").await?;
            let list = route["spec"]["http"][0]["route"].as_array()?.clone();
            let name = |item: &Value| item["headers"]["request"]["set"]["mm-vmodel-id"].as_str().unwrap().to_owned();
            (list.iter().map(name).collect::<Vec<_>>() == expected).then_some(())
        })
        .await;
    };
    crate::harness::eventually("the primary changes", async || {
        let live = namespace.get("InferenceService", "shop-0").await?;
        (live["spec"]["predictor"]["model"]["storageUri"] == "s3://models/two").then_some(())
    })
    .await;
    split(&["shop-0", "shop-1"]).await;
    namespace.put_status("InferenceService", "shop-0", &loaded("Loading", "", "False", "InProgress")).await;
    split(&["shop-1"]).await;
    namespace.put_status("InferenceService", "shop-0", &loaded("Loaded", "", "True", "UpToDate")).await;
    split(&["shop-0"]).await;
    running.end().with(0);
    let gone = namespace.get("InferenceService", "shop-1").await;
    assert!(gone.is_none_or(|old| !old["metadata"]["deletionTimestamp"].is_null()));
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
}

#[tokio::test]
async fn a_change_that_stops_a_version_comes_after_its_requests_have_left() {
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("recreate", &[Ask::Ready]).await;
    let release = |image: &str| {
        format!(
            "environment: deployment-istio\napplication:\n  metadata: {{name: shop}}\n  strategy: blue-green\n  versions:\n  \
             - {{image: 'shop:one', weight: 50}}\n  - weight: 50\n    deploymentSpecification:\n      spec:\n        strategy: \
             {{type: Recreate}}\n        selector: {{matchLabels: {{app: shop-1}}}}\n        template: {{metadata: {{labels: {{app: \
             shop-1}}}}, spec: {{containers: [{{name: shop, image: '{image}'}}]}}}}\n"
        )
    };
    apply(cluster, &namespace, &[], &release("shop:two")).with(0);
    let recorder = Recorder::start(cluster, &namespace.name);
    let ended = apply(cluster, &namespace, &[], &release("shop:three")).with(0);
    let order: Vec<&str> =
        ended.stderr.lines().filter(|line| line.starts_with("route: ") || line.starts_with("updated ")).collect();
    let name = &namespace.name;
    assert_eq!(
        order,
        ["route: shop-0 100%", &format!("updated Deployment {name}/shop-1"), "route: shop-0 50%, shop-1 50%"]
    );
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    // With nobody to take its requests, it is warned of.
    let alone = |image: &str| {
        release(image)
            .replace("  - {image: 'shop:one', weight: 50}\n", "")
            .replace("- weight: 50\n", "- metadata: {name: shop-1}\n")
    };
    apply(cluster, &namespace, &[], &alone("shop:three")).with(0);
    let ended = apply(cluster, &namespace, &[], &alone("shop:four")).with(0);
    assert!(ended.stderr.contains("warning: requests to shop-1 fail while it is replaced\n"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_release_that_is_as_it_is_wanted_is_waited_for_and_not_written() {
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("down", &[Ask::Ready]).await;
    let values = values("kserve-modelmesh-istio", "blue-green", &[("one", 30), ("two", 70)]);
    apply(cluster, &namespace, &[], &values).with(0);
    namespace.stop_playing().await;
    namespace.put_status("InferenceService", "shop-1", &loaded("Loading", "", "False", "InProgress")).await;
    let before = versions(&namespace).await;
    let ended = apply(cluster, &namespace, &["--timeout", "3s"], &values).with(4);
    let text = "error: version shop-1 is not ready after 3 s: the model is Loading\n";
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
    let ended = apply(cluster, &namespace, &["--no-wait"], &values).with(0);
    assert!(ended.stderr.contains("note: not settled yet: shop-1\n"), "{}", ended.stderr);
    let running = start(cluster.r8(), &namespace.name, &["apply", "--timeout", "90s"], &values);
    namespace.put_status("InferenceService", "shop-1", &loaded("Loaded", "", "True", "UpToDate")).await;
    let ended = running.end().with(0);
    assert!(ended.stdout.contains("nothing to change: "), "{}", ended.stdout);
    assert_eq!(versions(&namespace).await, before);
}

#[tokio::test]
async fn much_news_does_not_keep_from_reading_what_may_not_be_watched() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("flood", &[Ask::Ready]).await;
    let release = |model| values("kserve-modelmesh-istio", "blue-green", &[("one", 60), (model, 40)]);
    apply(cluster, &namespace, &[], &release("two")).with(0);
    namespace.stop_playing().await;
    let lists = Fault::on("GET", "/inferenceservices?&limit=", What::Status(403)).from(1);
    let proxy = Proxy::start(cluster, vec![lists]);
    let mut running =
        start(proxy.r8(), &namespace.name, &["apply", "--drain", "0s", "--timeout", "30s"], &release("three"));
    proxy.wait_for(|request| request.fault.is_some() && request.status.is_some());
    for (active, target, transition) in [("Loaded", "Loading", "InProgress"), ("Loaded", "", "UpToDate")] {
        namespace.put_status("InferenceService", "shop-1", &loaded(active, target, "True", transition)).await;
    }
    // Each write of the route is news.
    for beat in 0.. {
        if running.0.try_wait().unwrap().is_some() {
            break;
        }
        let note = serde_json::json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
            "metadata": {"name": "shop", "annotations": {"beat": beat.to_string()}}});
        namespace.apply_as("somebody", &note).await;
    }
    let ended = running.end().with(0);
    assert!(ended.stderr.contains("InferenceService may not be watched: it is read every 2 s\n"), "{}", ended.stderr);
    // What is forbidden is not asked for again.
    assert_eq!(proxy.requests().iter().filter(|request| request.fault.is_some()).count(), 1);
}

#[tokio::test]
async fn that_a_version_without_a_share_fails_is_a_warning() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("weightless", &[]).await;
    let release = values("kserve-modelmesh-istio", "blue-green", &[("one", 1), ("two", 0)]);
    let running = start(cluster.r8(), &namespace.name, &["apply", "--settle", "1s", "--timeout", "60s"], &release);
    crate::harness::eventually("both are there", async || {
        namespace.get("InferenceService", "shop-0").await?;
        namespace.get("InferenceService", "shop-1").await
    })
    .await;
    let mut failed = loaded("FailedToLoad", "", "False", "BlockedByFailedLoad");
    failed["modelStatus"]["lastFailureInfo"] =
        serde_json::json!({"reason": "ModelLoadFailed", "message": "no such file"});
    namespace.put_status("InferenceService", "shop-1", &failed).await;
    namespace.put_status("InferenceService", "shop-0", &loaded("Loaded", "", "True", "UpToDate")).await;
    let ended = running.end().with(0);
    assert!(ended.stderr.contains("\nwarning: version shop-1 of weight 0 failed: "), "{}", ended.stderr);
}

#[tokio::test]
async fn who_waits_without_a_terminal_is_told_so_every_half_minute() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("beat", &[]).await;
    let values = values("deployment-istio", "blue-green", &[("one", 1)]);
    let ended = apply(cluster, &namespace, &["--timeout", "65s"], &values).with(4);
    let seconds = |line: &str| line.strip_prefix("shop-0: waiting for ")?.split_once(" s: ")?.0.parse::<u64>().ok();
    let told: Vec<u64> = ended.stderr.lines().filter_map(seconds).collect();
    let [first, second] = told[..] else { panic!("{told:?}: {}", ended.stderr) };
    assert!((29..=31).contains(&(second - first)), "{told:?}: {}", ended.stderr);
}
