//! How many requests r8 makes, and how many of them one after the other.

use std::fmt::Write as _;

use crate::harness::{Ask, Cluster, Proxy, cluster, depth, fed};

/// How often a count is made: a busy machine may make r8 pause between requests that it sends side by side, and so
/// only ever seem to go deeper.
const TRIES: usize = 3;

/// Most requests that do not belong to one object: kinds that are served, lists of what may be left behind, the records.
const FIXED: usize = 18;

/// How many objects r8 shows, how many requests it makes for them, and how deep.
fn count(cluster: &Cluster, verb: &str, namespace: &str, values: &str) -> (usize, usize, usize) {
    let proxy = Proxy::in_rounds(cluster);
    let mut r8 = proxy.r8();
    let output = fed(r8.args([verb, "shop", "-n", namespace, "-f", "-"]), values).wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    let words = printed.lines().last().unwrap().split(' ');
    let objects = words.filter_map(|word| word.parse::<usize>().ok()).max().unwrap();
    let requests = proxy.requests();
    assert!(requests.iter().all(|request| !request.writes()), "{requests:#?}");
    (objects, requests.len(), depth(&requests))
}

/// A release of three objects, and one of about a hundred.
fn releases() -> [(String, usize); 2] {
    let small = "environment: deployment\napplication: {strategy: none, versions: [{image: shop:1}]}\n".to_owned();
    let mut large = "environment: deployment-istio\napplication:\n  strategy: blue-green\n  versions:\n".to_owned();
    for version in 0..32 {
        writeln!(large, "  - {{image: \"shop:{version}\"}}").unwrap();
    }
    [(small, 3), (large, 95)]
}

/// Counts, and fails when there are more requests than the figures of the specification allow.
fn check(cluster: &Cluster, verb: &str, namespace: &str) {
    let mut fixed = Vec::new();
    for (values, at_least) in releases() {
        let counts: Vec<_> = (0..TRIES).map(|_| count(cluster, verb, namespace, &values)).collect();
        let (objects, requests, depth) = *counts.iter().min_by_key(|(_, _, depth)| depth).unwrap();
        assert!(objects >= at_least, "{objects} objects");
        assert!(depth <= 4, "{objects} objects: {depth} round trips deep");
        assert!(requests <= 2 * objects + FIXED, "{objects} objects: {requests} requests");
        fixed.push(requests - 2 * objects);
    }
    assert_eq!(fixed[0], fixed[1], "requests that do not belong to one object");
}

#[tokio::test]
async fn a_diff_asks_twice_for_each_object_and_goes_four_round_trips_deep() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("requests", &[]).await;
    check(cluster, "diff", &namespace.name);
}

#[tokio::test]
async fn an_apply_that_changes_nothing_asks_twice_for_each_object_and_goes_four_round_trips_deep() {
    let Some(cluster) = cluster() else { return };
    for (values, at_least) in releases() {
        let namespace = cluster.namespace("unchanged", &[Ask::Ready]).await;
        let mut r8 = cluster.r8();
        let output =
            fed(r8.args(["apply", "shop", "-n", &namespace.name, "-f", "-"]), &values).wait_with_output().unwrap();
        assert!(output.status.success());
        let counts: Vec<_> = (0..TRIES).map(|_| count(cluster, "apply", &namespace.name, &values)).collect();
        let (objects, requests, depth) = *counts.iter().min_by_key(|(_, _, depth)| depth).unwrap();
        assert!(objects >= at_least, "{objects} objects");
        assert!(depth <= 4, "{objects} objects: {depth} round trips deep");
        assert!(requests <= 2 * objects + FIXED, "{objects} objects: {requests} requests");
    }
}
