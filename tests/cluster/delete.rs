//! `r8 delete` against a real API server: what goes in which order, what stays, and what it says when something does not go.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{
    Ask, Cluster, Event, Fault, Happened, Namespace, Proxy, Recorder, Recording, Rules, What, assert_traffic_rules,
    cluster_with_controllers, control_plane, eventually, named,
};
use crate::shop::{ROUTED, apply, begin, hand_to_the_controller, interrupt, printed, r8, told, values};

/// A release of this environment whose versions are ready.
async fn shop(cluster: &Cluster, stem: &str, environment: &str) -> Namespace {
    let namespace = cluster.namespace(stem, &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values(environment));
    namespace
}

/// Everything that r8 writes and that is there, as in `Service shop-0`.
async fn objects(namespace: &Namespace) -> Vec<String> {
    let mut found = Vec::new();
    for kind in
        ["ConfigMap", "Service", "Deployment", "InferenceService", "ServiceEntry", "VirtualService", "HTTPRoute"]
    {
        let list = namespace.list(kind).await;
        let names = list.iter().filter_map(|object| object["metadata"]["name"].as_str());
        found.extend(names.filter(|name| *name != "kube-root-ca.crt").map(|name| format!("{kind} {name}")));
    }
    found
}

async fn patch(namespace: &Namespace, kind: &str, name: &str, metadata: &Value) {
    let patch = Patch::Merge(json!({"metadata": metadata}));
    namespace.objects(kind).patch(name, &PatchParams::default(), &patch).await.unwrap();
}

async fn hold(namespace: &Namespace, kind: &str, name: &str, finalizer: &str) {
    patch(namespace, kind, name, &json!({"finalizers": [finalizer]})).await;
}

async fn release(namespace: &Namespace, kind: &str, name: &str) {
    patch(namespace, kind, name, &json!({"finalizers": null})).await;
}

/// When an event of this kind came that `is` knows.
fn at<'a>(recording: &'a Recording, kind: &str, is: impl Fn(&Event) -> bool) -> Vec<&'a Event> {
    recording.events.iter().filter(|event| named(&event.object).0 == kind && is(event)).collect()
}

fn goes(event: &Event) -> bool {
    event.happened == Happened::Deleted || event.object["metadata"]["deletionTimestamp"].is_string()
}

#[tokio::test]
async fn the_route_is_gone_before_a_version_goes_in_every_environment() {
    let Some(cluster) = control_plane() else { return };
    for environment in ROUTED {
        let namespace = shop(cluster, "order", environment).await;
        let recorder = Recorder::start(cluster, &namespace.name);
        let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "0s"]);
        let recording = recorder.stop();
        assert_eq!(output.status.code(), Some(0), "{environment}: {}", told(&output));
        assert_traffic_rules(&recording, &Rules::of("shop-0").route_may_end());
        let (route, version) = match environment {
            "deployment-gtw" => ("HTTPRoute", "Deployment"),
            "deployment-istio" => ("VirtualService", "Deployment"),
            _ => ("VirtualService", "InferenceService"),
        };
        let gone = at(&recording, route, |event| event.happened == Happened::Deleted);
        let going = at(&recording, version, goes);
        assert!(!gone.is_empty() && going.iter().all(|event| event.revision > gone[0].revision), "{environment}");
        let left: Vec<String> =
            objects(&namespace).await.into_iter().filter(|object| !object.contains("predictor")).collect();
        assert_eq!(left, Vec::<String>::new(), "{environment}");
    }
}

#[tokio::test]
async fn the_report_counts_what_went() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "count", "deployment-istio").await;
    let count = objects(&namespace).await.len();
    let output = r8(&mut cluster.r8(), &namespace, &["uninstall", "shop", "--drain", "0s"]);
    let expected = format!("release shop in namespace {}: {count} objects deleted\n", namespace.name);
    assert_eq!(printed(&output), expected, "{}", told(&output));
}

#[tokio::test]
async fn versions_wait_for_the_drain_when_they_had_a_share() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "drain", "deployment-istio").await;
    let recorder = Recorder::start(cluster, &namespace.name);
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "3s"]);
    let recording = recorder.stop();
    assert!(told(&output).contains("waiting 3 s for requests to leave\n"), "{}", told(&output));
    let gone = at(&recording, "VirtualService", |event| event.happened == Happened::Deleted)[0].seen;
    let first = at(&recording, "Deployment", goes)[0].seen;
    // The recorder may be told of the one later than of the other.
    assert!(first - gone > Duration::from_secs(2), "{:?}", first - gone);
}

#[tokio::test]
async fn without_a_route_there_is_no_drain() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("no-route", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("deployment"));
    // Were there one, it would take longer than the test.
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "1h"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(!told(&output).contains("requests to leave"), "{}", told(&output));
    assert_eq!(objects(&namespace).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_finalizer_that_stays_is_named_with_who_should_remove_it() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "stuck", "kserve").await;
    hold(&namespace, "InferenceService", "shop-0", "inferenceservice.finalizers").await;
    hold(&namespace, "ConfigMap", "shop-0-weight-config", "iter8.tools/finalizer").await;
    hold(&namespace, "InferenceService", "shop-1", "example.org/mine").await;
    let args = ["delete", "shop", "--drain", "0s", "--timeout", "2s"];
    let output = r8(&mut cluster.r8(), &namespace, &args);
    assert_eq!((output.status.code(), printed(&output)), (Some(4), String::new()), "{}", told(&output));
    let name = &namespace.name;
    for (object, finalizer, who) in [
        ("InferenceService", "shop-0", "`inferenceservice.finalizers` is to be removed by KServe's controller"),
        ("ConfigMap", "shop-0-weight-config", "`iter8.tools/finalizer` is to be removed by the Iter8 controller"),
        ("InferenceService", "shop-1", "`example.org/mine` is to be removed by whoever set it"),
    ] {
        let line = format!("error: {object} {name}/{finalizer} is still there after ");
        let told = told(&output);
        let line = told.lines().find(|told| told.starts_with(&line)).unwrap_or_else(|| panic!("{told}"));
        assert!(line.ends_with(&format!("its finalizer {who}")), "{line}");
    }
    let hint = format!("hint: see that KServe's controller runs; `r8 delete shop -n {name}` goes on from here\n");
    assert!(told(&output).contains(&hint), "{}", told(&output));
    let report = r8(&mut cluster.r8(), &namespace, &[&args[..], &["-o", "json"]].concat());
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(
        (&report["kind"], &report["result"], &report["exitCode"]),
        (&json!("Delete"), &json!("not-gone"), &json!(4))
    );
    let held: Vec<&Value> =
        report["objects"].as_array().unwrap().iter().map(|object| &object["finalizers"][0]).collect();
    assert_eq!(held, ["iter8.tools/finalizer", "inferenceservice.finalizers", "example.org/mine"]);
    // When the controllers have done their work, a later run takes the records away.
    for (kind, object) in
        [("InferenceService", "shop-0"), ("InferenceService", "shop-1"), ("ConfigMap", "shop-0-weight-config")]
    {
        release(&namespace, kind, object).await;
    }
    let output = r8(&mut cluster.r8(), &namespace, &args);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(namespace.list("Secret").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_route_that_does_not_go_keeps_the_versions() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "held-route", "deployment-istio").await;
    hold(&namespace, "VirtualService", "shop", "example.org/mine").await;
    let output =
        r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "0s", "--timeout", "1s", "--no-wait"]);
    assert_eq!(output.status.code(), Some(4), "{}", told(&output));
    let left = objects(&namespace).await;
    assert!(left.contains(&"Deployment shop-0".to_owned()) && left.contains(&"Service shop-1".to_owned()), "{left:?}");
    release(&namespace, "VirtualService", "shop").await;
}

#[tokio::test]
async fn what_is_marked_to_be_kept_stays_and_is_named_and_the_route_goes() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "keep", "deployment-istio").await;
    let route = namespace.get("VirtualService", "shop").await.unwrap();
    assert_eq!(route["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    patch(&namespace, "Service", "shop-1", &json!({"annotations": {"helm.sh/resource-policy": "keep"}})).await;
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let note =
        format!("note: Service {}/shop-1 is kept: its annotation `helm.sh/resource-policy` says so\n", namespace.name);
    assert!(told(&output).contains(&note), "{}", told(&output));
    assert!(printed(&output).ends_with(" deleted, 1 kept\n"), "{}", printed(&output));
    assert_eq!(objects(&namespace).await, ["Service shop-1"]);
}

#[tokio::test]
async fn objects_of_other_releases_and_of_nobody_are_left() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "foreign", "deployment-istio").await;
    let mark = |release: &str| json!({"annotations": {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace.name}});
    patch(&namespace, "Service", "shop-1", &mark("other")).await;
    let nobodys = json!({"annotations": {"meta.helm.sh/release-name": null, "meta.helm.sh/release-namespace": null}});
    patch(&namespace, "Deployment", "shop-1", &nobodys).await;
    namespace.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stranger}\n").await;
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let name = &namespace.name;
    for note in [
        format!("note: Service {name}/shop-1 is left: it belongs to release {name}/other\n"),
        format!("note: Deployment {name}/shop-1 is left: it names no release\n"),
    ] {
        assert!(told(&output).contains(&note), "{}", told(&output));
    }
    assert_eq!(objects(&namespace).await, ["ConfigMap stranger", "Service shop-1", "Deployment shop-1"]);
}

#[tokio::test]
async fn the_controllers_route_goes_with_its_routemap_before_the_versions() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "controller", "deployment-istio").await;
    hand_to_the_controller(&namespace).await;
    let recorder = Recorder::start(cluster, &namespace.name);
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "0s"]);
    let recording = recorder.stop();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let gone = |kind: &str| at(&recording, kind, |event| event.happened == Happened::Deleted)[0].revision;
    let first = at(&recording, "Deployment", goes)[0].revision;
    assert!(gone("ConfigMap") < gone("VirtualService") && gone("VirtualService") < first);
    assert_eq!(objects(&namespace).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_dry_run_names_everything_in_order_and_deletes_nothing() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "dry", "kserve-modelmesh-istio").await;
    let before = objects(&namespace).await;
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--dry-run"]);
    let name = &namespace.name;
    let lines: Vec<String> = printed(&output).lines().map(|line| line.replace(&format!("{name}/"), "")).collect();
    let expected = [
        "delete ConfigMap shop-routemap",
        "delete VirtualService shop",
        "delete ConfigMap shop-0-weight-config",
        "delete ConfigMap shop-1-weight-config",
        "delete ServiceEntry shop",
        "delete InferenceService shop-0",
        "delete InferenceService shop-1",
        "",
        &format!("7 objects of release shop in namespace {name} to delete"),
    ];
    assert_eq!(lines, expected, "{}", told(&output));
    assert_eq!(objects(&namespace).await, before);
}

#[tokio::test]
async fn an_interrupted_delete_says_what_went_and_a_later_one_goes_on() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "interrupted", "deployment-istio").await;
    // It waits for an hour when the route is gone.
    let child = begin(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "1h"]);
    eventually("the route is gone", async || namespace.get("VirtualService", "shop").await.is_none().then_some(()))
        .await;
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), printed(&output)), (Some(130), String::new()), "{}", told(&output));
    let name = &namespace.name;
    let end = format!(
        "error: interrupted\nhint: `r8 delete shop -n {name}` goes on from here\ndeleted: ConfigMap {name}/shop-routemap, \
         VirtualService {name}/shop\nnot deleted: ConfigMap {name}/shop-0-weight-config, "
    );
    assert!(told(&output).contains(&end), "{}", told(&output));
    assert!(namespace.get("Deployment", "shop-0").await.is_some());
    // Nobody knows how much of the drain had passed.
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--drain", "1s"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(told(&output).contains("waiting 1 s for requests to leave\n"), "{}", told(&output));
    assert_eq!(objects(&namespace).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_interrupted_delete_ends_the_request_in_flight() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "in-flight", "deployment-istio").await;
    let slow = Fault::on("DELETE", "/virtualservices/shop", What::Delay(Duration::from_secs(2)));
    let proxy = Proxy::start(cluster, vec![slow]);
    let child = begin(&mut proxy.r8(), &namespace, &["delete", "shop"]);
    proxy.wait_for(|request| request.method == "DELETE" && request.path.contains("/virtualservices/"));
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", told(&output));
    assert!(
        told(&output).contains(&format!("VirtualService {}/shop\nnot deleted: ", namespace.name)),
        "{}",
        told(&output)
    );
    assert!(namespace.get("VirtualService", "shop").await.is_none());
    assert!(namespace.get("Deployment", "shop-0").await.is_some());
}

#[tokio::test]
async fn a_failure_after_the_first_deletion_says_what_went_and_keeps_the_versions() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "failure", "deployment-istio").await;
    let refused = Fault::on("DELETE", "/virtualservices/shop", What::Status(422)).from(1);
    let proxy = Proxy::start(cluster, vec![refused]);
    let output = r8(&mut proxy.r8(), &namespace, &["delete", "shop", "--drain", "0s"]);
    assert_eq!(output.status.code(), Some(6), "{}", told(&output));
    let name = &namespace.name;
    let told = told(&output);
    assert!(told.contains(&format!("error: cannot delete VirtualService {name}/shop: ")), "{told}");
    assert!(
        told.contains(&format!("\ndeleted: ConfigMap {name}/shop-routemap\nnot deleted: VirtualService {name}/shop, "))
    );
    assert!(namespace.get("Deployment", "shop-0").await.is_some());
}

#[tokio::test]
async fn a_busy_server_and_a_lost_answer_are_asked_again() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "busy", "deployment-istio").await;
    let faults = vec![
        Fault::on("DELETE", "/virtualservices/shop", What::Status(503)),
        Fault::on("DELETE", "/deployments/shop-0", What::CutAfter),
    ];
    let proxy = Proxy::start(cluster, faults);
    let output = r8(&mut proxy.r8(), &namespace, &["delete", "shop", "--drain", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(told(&output).contains(&format!("cannot delete VirtualService {}/shop now: ", namespace.name)));
    assert_eq!(objects(&namespace).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_user_who_may_not_delete_is_refused_before_anything_goes() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "reader", "deployment-istio").await;
    let before = objects(&namespace).await;
    let output = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--kube-context", "reader"]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let error = format!("error: cannot write Secret {}/sh.helm.release.v1.shop.v1: ", namespace.name);
    assert!(told(&output).starts_with(&error), "{}", told(&output));
    assert_eq!(objects(&namespace).await, before);
}

#[tokio::test]
async fn a_release_without_objects_is_an_error_that_names_the_others() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "nothing", "deployment").await;
    let name = &namespace.name;
    for verb in ["delete", "status"] {
        let output = r8(&mut cluster.r8(), &namespace, &[verb, "wisdom"]);
        let expected = format!(
            "error: release wisdom has no objects in namespace {name}\nhint: the releases there are {name}/shop; name \
             another namespace with `-n`\n"
        );
        assert_eq!((output.status.code(), told(&output)), (Some(1), expected), "{verb}");
        let output = r8(&mut cluster.r8(), &namespace, &[verb, "shop", "--kube-context", "nobody"]);
        let told = told(&output);
        assert_eq!(output.status.code(), Some(1), "{verb}: {told}");
        assert!(told.starts_with("error: release shop has no objects in namespace "), "{told}");
        assert!(told.contains(" that you may list\nhint: ask for the right to list ConfigMap, Deployment, "), "{told}");
    }
}

#[tokio::test]
async fn kinds_that_may_not_be_listed_are_named_and_the_rest_goes() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "unlisted", "deployment-istio").await;
    let proxy = Proxy::start(cluster, vec![Fault::on("GET", "/serviceentries?", What::Status(403)).from(1)]);
    let output = r8(&mut proxy.r8(), &namespace, &["delete", "shop", "--drain", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let note = "note: objects are unknown for ServiceEntry: you may not list them\n";
    assert!(told(&output).starts_with(note), "{}", told(&output));
    assert_eq!(objects(&namespace).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_name_that_is_taken_again_is_not_waited_for() {
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("taken", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values("deployment-istio"));
    // Somebody makes the Service anew between the deletion and the look at what is left.
    let slow = Fault::on("GET", "/services/shop-0", What::Delay(Duration::from_secs(3))).nth(2);
    let proxy = Proxy::start(cluster, vec![slow]);
    let child = begin(&mut proxy.r8(), &namespace, &["delete", "shop", "--drain", "0s", "--timeout", "1m"]);
    proxy.wait_for(|request| request.method == "DELETE" && request.path.contains("/services/shop-0"));
    eventually("the Service is gone", async || namespace.get("Service", "shop-0").await.is_none().then_some(())).await;
    namespace.apply("apiVersion: v1\nkind: Service\nmetadata: {name: shop-0}\nspec: {ports: [{port: 80}]}\n").await;
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(objects(&namespace).await, ["Service shop-0"]);
}
