//! Going back: to a revision of r8's, after a failure, and by the values of the last revision.

use super::recorded::{history, said};
use super::*;
use crate::harness::{Ask, control_plane, read};

/// A release behind Istio with these images and weights.
fn release(versions: &[(&str, u32)]) -> String {
    values("deployment-istio", "blue-green", versions)
}

/// Runs `r8 VERB shop … -n NAMESPACE` without values.
#[track_caller]
fn run(cluster: &Cluster, namespace: &Namespace, args: &[&str]) -> Ended {
    Running(fed(cluster.r8().args(args).args(["-n", &namespace.name]), "")).end()
}

const FAST: [&str; 6] = ["--drain", "1s", "--settle", "1s", "--timeout", "90s"];

/// The share of each version in the live route, in percent.
async fn live(namespace: &Namespace) -> Vec<(String, u32)> {
    let route = namespace.get("VirtualService", "shop").await.expect("there is always a route");
    let list = route["spec"]["http"][0]["route"].as_array().unwrap().clone();
    assert_eq!(read(&route).faults, Vec::<String>::new());
    let name = |item: &Value| item["destination"]["host"].as_str().unwrap().split('.').next().unwrap().to_owned();
    let weight = |item: &Value| item["weight"].as_u64().map_or(100, |weight| u32::try_from(weight).unwrap());
    list.iter().map(|item| (name(item), weight(item))).collect()
}

async fn image(namespace: &Namespace, name: &str) -> String {
    let deployment = namespace.get("Deployment", name).await.expect("it is there");
    deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_revision_comes_back_by_the_steps_and_rules_of_apply() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("back", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &release(&[("one", 30), ("two", 70)])).with(0);
    apply(cluster, &namespace, &[], &release(&[("three", 1)])).with(0);
    assert_eq!(namespace.get("Deployment", "shop-1").await, None);
    let recorder = Recorder::start(cluster, &namespace.name);
    let shown = run(cluster, &namespace, &["rollback", "shop", "--dry-run"]).with(0);
    assert!(shown.stdout.starts_with("shop-0  100% → 30%\nshop-1  – → 70%\n"), "{}", shown.stdout);
    let back = run(cluster, &namespace, &[&["rollback", "shop"][..], &FAST].concat()).with(0);
    assert!(back.stdout.starts_with("shop-0  100% → 30%\nshop-1  – → 70%\n"), "{}", back.stdout);
    assert_eq!(live(&namespace).await, [("shop-0".to_owned(), 30), ("shop-1".to_owned(), 70)]);
    assert_eq!(image(&namespace, "shop-0").await, "shop:one");
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    let expected = [
        said(1, "superseded", "Install complete"),
        said(2, "superseded", "Upgrade complete"),
        said(3, "deployed", "Rollback to 1"),
    ];
    assert_eq!(history(cluster, &namespace), expected);
    // What is live already is no new revision.
    let nothing = run(cluster, &namespace, &[&["rollback", "shop", "3"][..], &FAST].concat()).with(0);
    assert!(nothing.stdout.ends_with("objects are as wanted\n"), "{}", nothing.stdout);
    assert_eq!(history(cluster, &namespace).len(), 3);
    // The values are those of the revision, too: what applies them changes nothing.
    let same = apply(cluster, &namespace, &[], &release(&[("one", 30), ("two", 70)])).with(0);
    assert!(same.stdout.ends_with("objects are as wanted\n"), "{}", same.stdout);
}

#[tokio::test]
async fn what_cannot_be_gone_back_to_is_refused_with_the_reason() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("refused", &[Ask::Ready]).await;
    let none = run(cluster, &namespace, &["rollback", "shop"]).with(1);
    assert!(none.stderr.contains("release shop has no record in namespace"), "{}", none.stderr);
    apply(cluster, &namespace, &[], &release(&[("one", 1)])).with(0);
    let first = run(cluster, &namespace, &["rollback", "shop"]).with(5);
    assert!(first.stderr.contains("has no revision before its last that was live\n"), "{}", first.stderr);
    let absent = run(cluster, &namespace, &["rollback", "shop", "7"]).with(1);
    assert!(absent.stderr.contains("has no revision 7\n"), "{}", absent.stderr);
    let before = versions(&namespace).await;
    apply(cluster, &namespace, &[], "environment: deployment-istio\napplication: {metadata: {name: shop}, strategy: none, versions: [{image: 'shop:one'}]}").with(5);
    assert_eq!(versions(&namespace).await, before);
}

#[tokio::test]
async fn a_failure_goes_back_to_what_was_live_and_keeps_its_exit_code() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("failure", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &release(&[("one", 30), ("two", 70)])).with(0);
    let recorder = Recorder::start(cluster, &namespace.name);
    let broken = release(&[("one", 30), ("never-ready", 70)]);
    let flags = ["--rollback-on-failure", "--timeout", "20s"];
    let ended = apply(cluster, &namespace, &flags, &broken).with(4);
    assert!(ended.stderr.contains("going back to revision 1\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains("note: revision 1 is live again: shop-0 30%, shop-1 70%\n"), "{}", ended.stderr);
    assert_eq!(image(&namespace, "shop-1").await, "shop:two");
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
    let expected = [
        said(1, "superseded", "Install complete"),
        said(2, "failed", "Upgrade \"shop\" failed: not ready: shop-1"),
        said(3, "deployed", "Rollback to 1"),
    ];
    assert_eq!(history(cluster, &namespace), expected);
}

#[tokio::test]
async fn a_first_release_that_fails_is_deleted_when_that_is_wanted() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("first", &[Ask::Ready]).await;
    let flags = ["--atomic", "--timeout", "10s", "-o", "json"];
    let ended = apply(cluster, &namespace, &flags, &release(&[("never-ready", 1)])).with(4);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&document["result"], &document["revision"]), (&"not-ready".into(), &1.into()));
    assert_eq!(document["rollback"]["kind"], "Delete");
    assert_eq!(versions(&namespace).await, []);
    assert_eq!(namespace.list("Secret").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_release_that_was_never_live_is_deleted_after_another_failure_too() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("never", &[Ask::Ready]).await;
    apply(cluster, &namespace, &["--timeout", "5s"], &release(&[("never-ready", 1)])).with(4);
    let ended = apply(cluster, &namespace, &["--atomic", "--timeout", "5s"], &release(&[("never-ready", 2)])).with(4);
    assert!(ended.stderr.contains("deleting the release, which was never live before\n"), "{}", ended.stderr);
    assert_eq!(namespace.get("Deployment", "shop-0").await, None);
    assert_eq!(namespace.list("Secret").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_unreadable_newest_record_is_told_before_another_is_gone_back_to() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("unreadable", &[Ask::Ready]).await;
    for image in ["one", "two", "three"] {
        apply(cluster, &namespace, &[], &release(&[(image, 1)])).with(0);
    }
    let broken = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "data": {"release": "eA=="},
        "metadata": {"name": "sh.helm.release.v1.shop.v3"}});
    namespace.apply_as("somebody", &broken).await;
    let warning = format!("warning: Secret {}/sh.helm.release.v1.shop.v3 is no release record", namespace.name);
    let shown = run(cluster, &namespace, &["rollback", "shop", "--dry-run"]).with(0);
    assert!(shown.stderr.contains(&warning), "{}", shown.stderr);
    let dry = apply(cluster, &namespace, &["--dry-run"], &release(&[("four", 1)])).with(0);
    assert!(dry.stderr.contains(&warning), "{}", dry.stderr);
}

#[tokio::test]
async fn a_copy_of_a_record_is_none_of_its_new_place() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("copied", &[Ask::Ready]).await;
    let other = cluster.namespace("copied-to", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &release(&[("one", 1)])).with(0);
    let secret = namespace.get("Secret", "sh.helm.release.v1.shop.v1").await.unwrap();
    let metadata = serde_json::json!({"name": secret["metadata"]["name"], "labels": secret["metadata"]["labels"]});
    let copy = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "type": secret["type"], "data": secret["data"],
        "metadata": metadata});
    other.apply_as("backup", &copy).await;
    let ended = apply(cluster, &other, &[], &release(&[("one", 1)])).with(0);
    let warning = format!(
        "warning: Secret {}/sh.helm.release.v1.shop.v1 is no release record that can be read: it says that it is revision 1 of {}/shop\n",
        other.name, namespace.name
    );
    assert!(ended.stderr.contains(&warning), "{}", ended.stderr);
    assert_eq!(history(cluster, &namespace), [said(1, "deployed", "Install complete")]);
}

#[tokio::test]
async fn values_of_the_last_revision_hold_where_nothing_else_is_given() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("reuse", &[Ask::Ready]).await;
    apply(cluster, &namespace, &["--labels", "team=models,stage=test"], &release(&[("one", 30), ("two", 70)])).with(0);
    let set = ["--set", "application.versions[1].weight=10"];
    let shown = run(cluster, &namespace, &[&["diff", "shop", "--reuse-values"][..], &set].concat()).with(0);
    assert!(shown.stdout.starts_with("shop-0  30% → 75%\nshop-1  70% → 25%\n"), "{}", shown.stdout);
    let flags = [&["apply", "shop", "--reuse-values", "--labels", "stage=null"][..], &set, &FAST].concat();
    run(cluster, &namespace, &flags).with(0);
    assert_eq!(live(&namespace).await, [("shop-0".to_owned(), 30), ("shop-1".to_owned(), 10)]);
    let listed = |selector: &str| {
        let output = run(cluster, &namespace, &["list", "-q", "-l", selector]).with(0);
        output.stdout
    };
    assert_eq!((listed("team=models"), listed("stage=test")), ("shop\n".to_owned(), String::new()));
    // A mistake is told at its place in those values.
    let wrong = ["apply", "shop", "--reuse-values", "--set", "application.strategy=canary,environment=kserve"];
    let wrong = run(cluster, &namespace, &wrong).with(2);
    assert!(wrong.stderr.contains("--> the values of revision 2:"), "{}", wrong.stderr);
    // Helm's verb takes them when nothing is given at all; r8's own asks for values.
    let same = run(cluster, &namespace, &[&["upgrade", "shop"][..], &FAST].concat()).with(0);
    assert!(same.stdout.ends_with("objects are as wanted\n"), "{}", same.stdout);
    let none = run(cluster, &namespace, &["apply", "shop"]).with(2);
    assert!(none.stderr.contains("there are no values"), "{}", none.stderr);
    let unknown = run(cluster, &namespace, &["upgrade", "other", "iter8/release"]).with(2);
    assert!(unknown.stderr.contains("other has no revision yet"), "{}", unknown.stderr);
    let unnamed = run(cluster, &namespace, &["apply", "--reuse-values"]).with(2);
    assert!(unnamed.stderr.contains("name it: `r8 apply NAME --reuse-values`"), "{}", unnamed.stderr);
}

#[tokio::test]
async fn of_the_flags_about_the_last_values_the_one_holds_that_helm_takes() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("reset", &[Ask::Ready]).await;
    apply(cluster, &namespace, &["--set", "x-team=models"], &release(&[("one", 30), ("two", 70)])).with(0);
    let values = || -> Value {
        serde_json::from_str(&run(cluster, &namespace, &["get", "values", "shop", "-o", "json"]).with(0).stdout)
            .unwrap()
    };
    let first = values();
    let mut expected = first.clone();
    // Given values go over those of the last revision.
    let flags =
        ["apply", "shop", "--reset-then-reuse-values", "--set", "x-stage=test,application.versions[1].weight=10"];
    run(cluster, &namespace, &[&flags[..], &FAST].concat()).with(0);
    expected["x-stage"] = "test".into();
    expected["application"]["versions"][1]["weight"] = 10.into();
    assert_eq!(values(), expected);
    assert_eq!(live(&namespace).await, [("shop-0".to_owned(), 30), ("shop-1".to_owned(), 10)]);
    // They stand alone with the one that resets, whatever else is said.
    let reset = ["--reset-values", "--reuse-values", "--reset-then-reuse-values"];
    apply(cluster, &namespace, &reset, &release(&[("one", 30), ("two", 70)])).with(0);
    expected = first;
    expected.as_object_mut().unwrap().remove("x-team");
    assert_eq!(values(), expected);
    // Then Helm's verb does not take the last ones when nothing is given either.
    let none = run(cluster, &namespace, &["upgrade", "shop", "--reset-values"]).with(2);
    assert!(none.stderr.contains("there are no values"), "{}", none.stderr);
}
