//! `r8 status` against a real API server: what it reads from a cluster alone, and how it waits and watches.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, channel};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Ask, Cluster, Fault, Namespace, PATIENCE, Player, Proxy, What, control_plane, eventually};
use crate::shop::{ROUTED, apply, begin, hand_to_the_controller, interrupt, printed, r8, render, told, values};

/// The environment whose models are played.
const MODELS: &str = "kserve-modelmesh-istio";

/// A release whose versions are ready.
async fn shop(cluster: &Cluster, stem: &str, environment: &str) -> Namespace {
    let namespace = cluster.namespace(stem, &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &values(environment));
    namespace
}

/// A release of models none of which is loaded until a test plays it: its routemap is there, and no route.
async fn loading(cluster: &Cluster, stem: &str, values: &str) -> Namespace {
    let namespace = cluster.namespace(stem, &[]).await;
    for object in render(cluster, &namespace, values) {
        namespace.apply_as("helm", &object).await;
    }
    // A status of the second in which its object was written proves nothing.
    let created = namespace.get("InferenceService", "shop-1").await.unwrap()["metadata"]["creationTimestamp"].clone();
    let created: Timestamp = created.as_str().unwrap().parse().unwrap();
    let over = async || (Timestamp::now().as_second() > created.as_second()).then_some(());
    eventually("the second of its creation is over", over).await;
    namespace
}

async fn play(namespace: &Namespace, sequence: &str, name: &str) {
    let mut player = Player::new(namespace, sequence, name);
    while player.step().await.is_some() {}
}

/// The table's rows without the age, which is checked to be one.
fn rows(table: &str) -> Vec<String> {
    let rows = table.lines().skip_while(|line| !line.starts_with("VERSION"));
    let without_age = |row: &str| {
        let mut cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let age = cells.remove(5);
        assert!(age == "AGE" || age == "–" || age.ends_with('s'), "{row}");
        cells.join(" | ")
    };
    rows.map(without_age).collect()
}

/// The first line, and all others.
fn first_line(text: &str) -> (String, String) {
    let (first, rest) = text.split_once('\n').expect("there is more than one");
    (first.to_owned(), rest.to_owned())
}

#[tokio::test]
async fn what_is_gone_and_whose_records_were_kept_is_shown_by_them() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "gone", "deployment").await;
    let deleted = r8(&mut cluster.r8(), &namespace, &["delete", "shop", "--keep-history"]);
    assert_eq!(deleted.status.code(), Some(0), "{}", told(&deleted));
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop"]);
    let (revision, rest) = first_line(&printed(&output));
    assert!(revision.ends_with(": Uninstallation complete") && revision.contains(", uninstalled "), "{revision}");
    assert_eq!(rest, "nothing of it is in the cluster\n");
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop", "-o", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["revision"]["number"], &document["revision"]["status"]), (&1.into(), &"uninstalled".into()));
}

#[tokio::test]
async fn a_release_is_shown_in_every_environment_without_its_values() {
    let Some(cluster) = control_plane() else { return };
    for environment in ROUTED {
        let namespace = shop(cluster, "status", environment).await;
        let output = r8(&mut cluster.r8(), &namespace, &["status", "shop"]);
        assert_eq!(output.status.code(), Some(0), "{environment}: {}", told(&output));
        let (kind, name) =
            (if environment == "deployment-gtw" { "HTTPRoute" } else { "VirtualService" }, &namespace.name);
        let heading =
            format!("route: {kind} {name}/shop, written by r8\nroutemap: ConfigMap {name}/shop-routemap\n\nVERSION ");
        let (revision, rest) = first_line(&printed(&output));
        assert!(
            revision.starts_with("revision: 1, deployed 2") && revision.ends_with(": Install complete"),
            "{revision}"
        );
        assert!(rest.starts_with(&heading), "{}", printed(&output));
        let model = |number: u8| {
            if environment.starts_with("deployment") {
                format!("shop:{number}")
            } else {
                format!("s3://models/{number}")
            }
        };
        // A status that was written in the second of its spec proves nothing.
        let settled: Vec<String> = rows(&printed(&output)).iter().map(|row| row.replace("unproven", "yes")).collect();
        let expected = [
            "VERSION | WEIGHT | SHARE | SERVING | SETTLED | MODEL".to_owned(),
            format!("shop-0 | 30 | 30% | yes | yes | {}", model(1)),
            format!("shop-1 | 70 | 70% | yes | yes | {}", model(2)),
        ];
        assert_eq!(settled, expected, "{environment}");
        assert_eq!(told(&output), "note: r8 is no controller: after `apply` ends it moves no traffic\n");
        let waited = r8(&mut cluster.r8(), &namespace, &["status", "shop", "--wait", "--settle", "0s"]);
        assert_eq!(waited.status.code(), Some(0), "{environment}: {}", told(&waited));
    }
}

#[tokio::test]
async fn without_a_route_there_are_versions_all_the_same() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "unrouted", "deployment").await;
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop", "--wait"]);
    assert!(first_line(&printed(&output)).1.starts_with("route: none, nobody writes one\n"), "{}", printed(&output));
    let expected = ["shop-0 | – | – | yes | yes | shop:1", "shop-1 | – | – | yes | yes | shop:2"];
    assert_eq!(rows(&printed(&output))[1..], expected.map(|row| row.to_owned()), "{}", told(&output));
}

#[tokio::test]
async fn without_a_routemap_the_route_says_who_gets_what() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("route-only", &[Ask::Ready]).await;
    apply(cluster, &namespace, &["--routing", "route"], &values("deployment-istio"));
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop"]);
    let heading = format!("route: VirtualService {}/shop, written by r8\n\nVERSION ", namespace.name);
    assert!(first_line(&printed(&output)).1.starts_with(&heading), "{}", printed(&output));
    let expected = ["shop-0 | – | 30% | yes | yes | shop:1", "shop-1 | – | 70% | yes | yes | shop:2"];
    assert_eq!(rows(&printed(&output))[1..], expected.map(|row| row.to_owned()));
}

#[tokio::test]
async fn while_models_load_it_says_so() {
    let Some(cluster) = control_plane() else { return };
    let namespace = loading(cluster, "loading", &values(MODELS)).await;
    play(&namespace, "modelmesh/new-model", "shop-0").await;
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop"]);
    let expected = [
        "VERSION | WEIGHT | SHARE | SERVING | SETTLED | MODEL",
        "shop-0 | 30 | – | yes | yes | s3://models/1",
        "shop-1 | 70 | – | no | no: it has no status yet | s3://models/2",
    ];
    assert_eq!(rows(&printed(&output)), expected, "{}", told(&output));
}

#[tokio::test]
async fn programs_get_the_status_as_a_document() {
    let Some(cluster) = control_plane() else { return };
    let namespace = loading(cluster, "document", &values(MODELS)).await;
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop", "-o", "json"]);
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = namespace.name.as_str();
    let object = |group: &str, kind: &str, object: &str| json!({"group": group, "kind": kind, "namespace": name, "name": object});
    let version = |index: usize, weight: u64| {
        let version = format!("shop-{index}");
        json!({
            "name": version, "index": index, "weight": weight, "wanted": true, "share": null, "serving": false,
            "settled": false, "unproven": false, "failed": null, "why": "it has no status yet",
            "model": format!("s3://models/{}", index + 1),
            "objects": [object("serving.kserve.io", "InferenceService", &version),
                        object("", "ConfigMap", &format!("{version}-weight-config"))],
        })
    };
    for version in document["versions"].as_array_mut().unwrap() {
        let created = version.as_object_mut().unwrap().remove("createdAt").unwrap();
        assert!(created.as_str().unwrap().ends_with('Z'), "{created}");
    }
    let expected = json!({
        "apiVersion": "r8/v1", "kind": "Status", "release": {"name": "shop", "namespace": name}, "revision": null,
        "route": null,
        "routemap": object("", "ConfigMap", "shop-routemap"), "versions": [version(0, 30), version(1, 70)],
        "unlisted": [],
    });
    assert_eq!(document, expected);
    assert_eq!((output.status.code(), told(&output)), (Some(0), String::new()));
}

#[tokio::test]
async fn a_model_that_failed_is_shown_and_ends_a_wait_at_once() {
    let Some(cluster) = control_plane() else { return };
    let namespace = loading(cluster, "failed", &values(MODELS)).await;
    play(&namespace, "modelmesh/new-model", "shop-0").await;
    play(&namespace, "modelmesh/failed-load", "shop-1").await;
    let start = std::time::Instant::now();
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop", "--wait", "--timeout", "2m"]);
    assert_eq!(output.status.code(), Some(4), "{}", told(&output));
    assert!(start.elapsed() < PATIENCE, "it did not wait until its time was over");
    let row = &rows(&printed(&output))[2];
    assert!(row.starts_with("shop-1 | 70 | – | no | failed: FailedToLoad: "), "{row}");
    assert!(told(&output).starts_with("error: version shop-1 failed: FailedToLoad: "), "{}", told(&output));
}

#[tokio::test]
async fn a_wait_that_is_over_says_why_for_each_version() {
    let Some(cluster) = control_plane() else { return };
    let namespace = loading(cluster, "late", &values(MODELS)).await;
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop", "--wait", "--timeout", "1s"]);
    assert_eq!(output.status.code(), Some(4), "{}", told(&output));
    let expected = "error: version shop-0 is not ready after 1 s: it has no status yet\nerror: version shop-1 is not ready \
                    after 1 s: it has no status yet\n";
    assert!(told(&output).starts_with(expected), "{}", told(&output));
    assert_eq!(rows(&printed(&output)).len(), 3);
}

#[tokio::test]
async fn a_version_of_weight_0_is_not_waited_for() {
    let Some(cluster) = control_plane() else { return };
    let namespace = loading(cluster, "weightless", &values(MODELS).replace("weight: 70", "weight: 0")).await;
    play(&namespace, "modelmesh/new-model", "shop-0").await;
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop", "--wait", "--settle", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(rows(&printed(&output))[2], "shop-1 | 0 | – | no | no: it has no status yet | s3://models/2");
}

#[tokio::test]
async fn a_wait_ends_when_the_last_version_is_settled() {
    let Some(cluster) = control_plane() else { return };
    let namespace = loading(cluster, "wait", &values(MODELS)).await;
    let child = begin(&mut cluster.r8(), &namespace, &["status", "shop", "--wait", "--settle", "0s"]);
    play(&namespace, "modelmesh/new-model", "shop-0").await;
    play(&namespace, "modelmesh/new-model", "shop-1").await;
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

/// The lines of a program as they come.
fn lines(stdout: std::process::ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The first line that is `wanted`.
fn line(lines: &Receiver<String>, wanted: impl Fn(&str) -> bool) -> String {
    let mut seen = Vec::new();
    loop {
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{error}; there were {seen:?}"));
        if wanted(&line) {
            return line;
        }
        seen.push(line);
    }
}

#[tokio::test]
async fn a_watch_prints_a_line_for_each_change_until_it_is_interrupted() {
    let Some(cluster) = control_plane() else { return };
    let namespace = loading(cluster, "watch", &values(MODELS)).await;
    let mut child = begin(&mut cluster.r8(), &namespace, &["status", "shop", "--watch"]);
    let lines = lines(child.stdout.take().unwrap());
    line(&lines, |line| line.starts_with("shop-1   70 "));
    play(&namespace, "modelmesh/new-model", "shop-1").await;
    line(&lines, |line| line.starts_with("shop-1   70      –      yes "));
    // What others write is news as well.
    let objects = render(cluster, &namespace, &values(MODELS).replace("weight: 70", "weight: 60"));
    let routemap = objects.iter().find(|object| object["metadata"]["name"] == "shop-routemap").unwrap();
    namespace.apply_as("somebody", routemap).await;
    line(&lines, |line| line.starts_with("shop-1   60 "));
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), told(&output)), (Some(130), "error: interrupted\n".to_owned()));
}

#[tokio::test]
async fn a_watch_for_programs_prints_a_document_a_line() {
    let Some(cluster) = control_plane() else { return };
    let namespace = loading(cluster, "documents", &values(MODELS)).await;
    let mut child = begin(&mut cluster.r8(), &namespace, &["status", "shop", "--watch", "-o", "json"]);
    let lines = lines(child.stdout.take().unwrap());
    let serving = |line: &str| -> bool {
        let document: Value = serde_json::from_str(line).unwrap();
        assert_eq!(document["kind"], "Status");
        document["versions"][0]["serving"] == json!(true)
    };
    line(&lines, |line| !serving(line));
    play(&namespace, "modelmesh/new-model", "shop-0").await;
    line(&lines, serving);
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[tokio::test]
async fn who_writes_the_route_is_said() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "writer", "deployment-istio").await;
    let heading = |output: &std::process::Output| first_line(&first_line(&printed(output)).1).0;
    let route = namespace.get("VirtualService", "shop").await.unwrap();
    let route = json!({"apiVersion": route["apiVersion"], "kind": "VirtualService", "metadata": {"name": "shop"}, "spec": route["spec"]});
    let mut edited = route.clone();
    edited["spec"]["http"][0]["timeout"] = json!("5s");
    namespace.apply_as("kubectl-edit", &edited).await;
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop"]);
    let expected = format!(
        "route: VirtualService {}/shop, written by `kubectl-edit`, neither r8 nor the Iter8 controller",
        namespace.name
    );
    assert_eq!(heading(&output), expected);
    hand_to_the_controller(&namespace).await;
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop"]);
    assert_eq!(
        heading(&output),
        format!("route: VirtualService {}/shop, written by the Iter8 controller", namespace.name)
    );
    // That one does move traffic.
    assert_eq!(told(&output), "");
    let expected = ["shop-0 | 30 | 30% | yes | yes | shop:1", "shop-1 | 70 | 70% | yes | yes | shop:2"];
    assert_eq!(rows(&printed(&output))[1..], expected.map(|row| row.to_owned()));
    let json = r8(&mut cluster.r8(), &namespace, &["status", "shop", "-o", "json"]);
    let document: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(document["route"]["writer"], "iter8-controller");
}

#[tokio::test]
async fn kinds_that_may_not_be_listed_are_named() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "unlisted", "deployment-istio").await;
    let proxy = Proxy::start(cluster, vec![Fault::on("GET", "/services?", What::Status(403)).from(1)]);
    let output = r8(&mut proxy.r8(), &namespace, &["status", "shop"]);
    assert!(
        told(&output).starts_with("note: objects are unknown for Service: you may not list them\n"),
        "{}",
        told(&output)
    );
    assert_eq!(rows(&printed(&output)).len(), 3);
}

#[tokio::test]
async fn nothing_is_written() {
    let Some(cluster) = control_plane() else { return };
    let namespace = shop(cluster, "reads", "kserve-standard").await;
    let proxy = Proxy::start(cluster, Vec::new());
    for args in [&["status", "shop"][..], &["delete", "shop", "--dry-run"]] {
        let output = r8(&mut proxy.r8(), &namespace, &[args, &["--kube-context", "reader"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    }
    assert!(proxy.requests().iter().all(|request| request.method == "GET"));
}

#[tokio::test]
async fn where_a_model_lies_is_shown_without_the_credentials_of_its_address() {
    let Some(cluster) = control_plane() else { return };
    let address = "https://user:s3cr3t@host/model?token=abcd1234";
    let values = values(MODELS).replace("s3://models/1", address);
    let namespace = loading(cluster, "address", &values).await;
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop"]);
    let expected = "shop-0 | 30 | – | no | no: it has no status yet | https://•••••@host/model?token=•••••";
    assert_eq!(rows(&printed(&output))[1], expected);
    let json = r8(&mut cluster.r8(), &namespace, &["status", "shop", "-o", "json"]);
    let document: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(document["versions"][0]["model"], "https://•••••@host/model?token=•••••");
    let mut child = begin(&mut cluster.r8(), &namespace, &["status", "shop", "--watch"]);
    let lines = lines(child.stdout.take().unwrap());
    let shown = line(&lines, |line| line.starts_with("shop-0 "));
    assert!(shown.ends_with("  https://•••••@host/model?token=•••••"), "{shown}");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[tokio::test]
async fn what_kubectl_has_made_is_said_to_belong_to_no_release() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("unowned", &[]).await;
    for mut object in render(cluster, &namespace, &values("deployment-istio")) {
        object["metadata"].as_object_mut().unwrap().remove("annotations");
        object["metadata"]["labels"].as_object_mut().unwrap().remove("app.kubernetes.io/managed-by");
        if object["metadata"]["name"] == "shop-routemap" {
            object["metadata"]["labels"]["iter8.tools/kind"] = json!("routemap");
        }
        namespace.apply_as("kubectl", &object).await;
    }
    let name = &namespace.name;
    let output = r8(&mut cluster.r8(), &namespace, &["status", "shop"]);
    let expected = format!(
        "error: release shop is not there; ConfigMap {name}/shop-routemap and 2 more look like its own and belong to no \
         release\nhint: what `kubectl apply` has made is taken by `r8 apply shop -n {name} --take-ownership`\n"
    );
    assert_eq!((output.status.code(), told(&output)), (Some(1), expected));
    let other = r8(&mut cluster.r8(), &namespace, &["status", "sho"]);
    assert!(told(&other).starts_with("error: release sho has no objects in namespace "), "{}", told(&other));
}
