//! What apply and delete leave in the release's records.

use super::*;
use crate::harness::{Ask, control_plane};

/// One version with this image.
fn release(image: &str) -> String {
    values("deployment-istio", "blue-green", &[(image, 1)])
}

/// What `r8 history` says: number, status and description of each revision.
pub fn history(cluster: &Cluster, namespace: &Namespace) -> Vec<(u64, String, String)> {
    let output = cluster.r8().args(["history", "shop", "-n", &namespace.name, "-o", "json"]).output().unwrap();
    let all: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |revision: &Value| {
        (revision["revision"].as_u64().unwrap(), text(&revision["status"]), text(&revision["description"]))
    };
    all.as_array().unwrap().iter().map(one).collect()
}

pub fn said(number: u64, status: &str, description: &str) -> (u64, String, String) {
    (number, status.to_owned(), description.to_owned())
}

#[tokio::test]
async fn each_change_is_a_revision_and_no_change_is_none() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("history", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &release("one")).with(0);
    apply(cluster, &namespace, &[], &release("one")).with(0);
    apply(cluster, &namespace, &["--description", "the second one"], &release("two")).with(0);
    let expected = [said(1, "superseded", "Install complete"), said(2, "deployed", "the second one")];
    assert_eq!(history(cluster, &namespace), expected);
    let output = cluster.r8().args(["get", "manifest", "shop", "-n", &namespace.name]).output().unwrap();
    let manifest = String::from_utf8(output.stdout).unwrap();
    assert!(manifest.contains("kind: VirtualService\n") && manifest.contains("image: shop:two\n"), "{manifest}");
    apply(cluster, &namespace, &["--history-max", "1"], &release("three")).with(0);
    assert_eq!(history(cluster, &namespace), [said(3, "deployed", "Upgrade complete")]);
}

#[tokio::test]
async fn the_environment_says_how_many_revisions_are_kept_where_no_flag_does() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("kept", &[Ask::Ready]).await;
    let apply = |image: &str, args: &[&str]| {
        let mut r8 = cluster.r8();
        r8.env("HELM_MAX_HISTORY", "2");
        start(r8, &namespace.name, &[&["apply", "--drain", "1s", "--settle", "1s"], args].concat(), &release(image))
            .end()
            .with(0);
        history(cluster, &namespace).into_iter().map(|(number, ..)| number).collect::<Vec<_>>()
    };
    apply("one", &[]);
    apply("two", &[]);
    assert_eq!(apply("three", &[]), [2, 3]);
    assert_eq!(apply("four", &["--history-max", "0"]), [2, 3, 4]);
    let mut wrong = cluster.r8();
    wrong.env("HELM_MAX_HISTORY", "many");
    let ended = start(wrong, &namespace.name, &["apply"], &release("five")).end().with(2);
    assert!(ended.stderr.contains("`HELM_MAX_HISTORY`"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_revision_too_large_to_be_recorded_is_refused_with_limit_and_size() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("large", &[]).await;
    // Letters that no packer makes smaller.
    let mut seed = 1u64;
    let mut letter = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"[(seed >> 59) as usize])
    };
    let junk: String = (0..1_300_000).map(|_| letter()).collect();
    let values = format!("{}x-junk: {junk}\n", release("one"));
    let elsewhere = format!("{}-new", namespace.name);
    for (place, args) in [(&namespace.name, &["apply"][..]), (&elsewhere, &["apply", "--create-namespace"])] {
        let ended = start(cluster.r8(), place, args, &values).end().with(2);
        let start = "error: the record of release shop cannot be written: the release record has ";
        assert!(ended.stderr.contains(start), "{}", ended.stderr);
        assert!(ended.stderr.contains(" bytes, and an API server takes at most 1048576\nhint: "), "{}", ended.stderr);
    }
    assert_eq!(versions(&namespace).await, []);
    assert_eq!(namespace.list("Secret").await, Vec::<Value>::new());
    let ended = start(cluster.r8(), &elsewhere, &["apply"], &release("one")).end().with(1);
    assert!(ended.stderr.contains(&format!("namespace `{elsewhere}` does not exist")), "{}", ended.stderr);
}

#[tokio::test]
async fn what_is_not_ready_in_time_is_a_revision_that_failed() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("failed", &[]).await;
    apply(cluster, &namespace, &["--timeout", "2s"], &release("one")).with(4);
    assert_eq!(history(cluster, &namespace), [said(1, "failed", "Release \"shop\" failed: not ready: shop-0")]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_and_the_next_revision_made() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("broken", &[Ask::Ready]).await;
    apply(cluster, &namespace, &[], &release("one")).with(0);
    let broken = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "data": {"release": "eA=="},
        "metadata": {"name": "sh.helm.release.v1.shop.v1"}});
    namespace.apply_as("somebody", &broken).await;
    let ended = apply(cluster, &namespace, &[], &release("two")).with(0);
    let text = format!("warning: Secret {}/sh.helm.release.v1.shop.v1 is no release record", namespace.name);
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    assert_eq!(history(cluster, &namespace), [said(2, "deployed", "Upgrade complete")]);
}

#[tokio::test]
async fn a_deletion_takes_the_records_away_or_keeps_them_as_uninstalled() {
    let Some(cluster) = control_plane() else { return };
    let namespace = cluster.namespace("uninstalled", &[Ask::Ready]).await;
    let delete = |more: &[&str]| {
        let args = [&["delete", "shop", "-n", &namespace.name, "--drain", "0s"][..], more].concat();
        let output = cluster.r8().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    };
    apply(cluster, &namespace, &[], &release("one")).with(0);
    delete(&["--keep-history"]);
    assert_eq!(history(cluster, &namespace), [said(1, "uninstalled", "Uninstallation complete")]);
    apply(cluster, &namespace, &[], &release("one")).with(0);
    assert_eq!(history(cluster, &namespace)[1], said(2, "deployed", "Install complete"));
    delete(&[]);
    assert_eq!(namespace.list("Secret").await, Vec::<Value>::new());
}
