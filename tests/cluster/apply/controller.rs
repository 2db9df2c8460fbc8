//! A route has one writer: r8 beside the real Iter8 controller, taking a route over from it, and giving it back.

use super::*;
use crate::harness::{Ask, Iter8, cluster_with_controllers, eventually, read};
use crate::parts::wanted;

/// A release for the controller's version, with these models and weights.
fn release(versions: &[(&str, u32)]) -> String {
    format!("iter8Version: v1.1\n{}", values("kserve-modelmesh-istio", "blue-green", versions))
}

/// Whether the controller has an entry of fields in a route.
fn has_entry(route: &Value) -> bool {
    route["metadata"]["managedFields"].as_array().unwrap().iter().any(|entry| entry["manager"] == "iter8-controller")
}

async fn route(namespace: &Namespace) -> Value {
    namespace.get("VirtualService", "shop").await.expect("there is always a route")
}

/// Waits until the controller has written the route with these weights.
async fn controlled(namespace: &Namespace, weights: &[Option<i64>]) -> Value {
    eventually("the controller writes the route", async || {
        let route = namespace.get("VirtualService", "shop").await?;
        let list = route["spec"]["http"][0]["route"].as_array()?.clone();
        let found: Vec<Option<i64>> = list.iter().map(|item| item["weight"].as_i64()).collect();
        (has_entry(&route) && found == weights).then_some(route)
    })
    .await
}

#[tokio::test]
async fn the_controllers_route_is_left_to_it_and_waited_for() {
    let Some(cluster) = cluster_with_controllers() else { return };
    if !wanted() {
        return;
    }
    let namespace = cluster.namespace("left", &[Ask::Ready]).await;
    let recorder = Recorder::start(cluster, &namespace.name);
    let _iter8 = Iter8::start(cluster, &namespace.name);
    apply(cluster, &namespace, &["--routing", "routemap"], &release(&[("one", 1)])).with(0);
    controlled(&namespace, &[None]).await;
    let ended = apply(cluster, &namespace, &[], &release(&[("one", 60), ("two", 40)])).with(0);
    let note =
        "note: the live route is the Iter8 controller's and is left to it\nhint: `--routing route` takes it over\n";
    assert!(ended.stderr.contains(note), "{}", ended.stderr);
    assert!(!ended.stderr.contains("\nroute: "), "{}", ended.stderr);
    let live = controlled(&namespace, &[Some(60), Some(40)]).await;
    assert_eq!(read(&live).faults, Vec::<String>::new());
    let refused = apply(cluster, &namespace, &["--routing", "both"], &release(&[("one", 50), ("two", 50)])).with(5);
    let text = format!("error: the Iter8 controller writes VirtualService {}/shop\n", namespace.name);
    assert!(refused.stderr.contains(&text), "{}", refused.stderr);
    // A promotion waits for the controller too, before it deletes.
    apply(cluster, &namespace, &[], &release(&[("two", 1)])).with(0);
    controlled(&namespace, &[None]).await;
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
}

#[tokio::test]
async fn a_route_is_taken_over_and_given_back_without_an_instant_lacking_one() {
    let Some(cluster) = cluster_with_controllers() else { return };
    if !wanted() {
        return;
    }
    let namespace = cluster.namespace("taken", &[Ask::Ready]).await;
    let iter8 = Iter8::start(cluster, &namespace.name);
    let before = release(&[("one", 60), ("two", 40)]);
    apply(cluster, &namespace, &["--routing", "routemap"], &before).with(0);
    let theirs = controlled(&namespace, &[Some(60), Some(40)]).await;
    let recorder = Recorder::start(cluster, &namespace.name);

    let after = release(&[("one", 10), ("two", 90)]);
    apply(cluster, &namespace, &["--routing", "route"], &after).with(0);
    let ours = route(&namespace).await;
    assert_eq!(ours["metadata"]["uid"], theirs["metadata"]["uid"]);
    assert_eq!(ours["metadata"]["ownerReferences"].as_array().map_or(0, Vec::len), 0, "{ours}");
    assert!(!has_entry(&ours), "{ours}");
    assert_eq!(namespace.get("ConfigMap", "shop-routemap").await, None);
    let diff =
        start(cluster.r8(), &namespace.name, &["diff", "--exit-code", "--routing", "route"], &after).end().with(0);
    assert!(diff.stdout.contains("no changes: "), "{}", diff.stdout);

    apply(cluster, &namespace, &["--routing", "routemap"], &after).with(0);
    let again = controlled(&namespace, &[Some(10), Some(90)]).await;
    assert_eq!(again["metadata"]["uid"], theirs["metadata"]["uid"]);
    let weights = release(&[("one", 30), ("two", 70)]);
    apply(cluster, &namespace, &["--routing", "routemap"], &weights).with(0);
    controlled(&namespace, &[Some(30), Some(70)]).await;
    drop(iter8);
    assert_traffic_rules(&recorder.stop(), &Rules::of("shop-0"));
}

#[tokio::test]
async fn two_writers_do_not_take_the_route_from_each_other() {
    let Some(cluster) = cluster_with_controllers() else { return };
    if !wanted() {
        return;
    }
    let namespace = cluster.namespace("flip", &[Ask::Ready]).await;
    let _iter8 = Iter8::start(cluster, &namespace.name);
    let recorder = Recorder::start(cluster, &namespace.name);
    let weights = [(90, 10), (80, 20), (70, 30), (60, 40)];
    for (one, two) in weights {
        apply(cluster, &namespace, &[], &release(&[("one", one), ("two", two)])).with(0);
        controlled(&namespace, &[Some(one.into()), Some(two.into())]).await;
    }
    let recording = recorder.stop();
    assert_traffic_rules(&recording, &Rules::of("shop-0"));
    // Each split once, and before them the primary alone: nobody writes an older one again.
    let splits: Vec<Value> = recording.routes().iter().map(|route| route["spec"]["http"][0]["route"].clone()).collect();
    assert!(splits.len() <= weights.len() + 2, "{splits:#?}");
}

#[tokio::test]
async fn a_controller_that_does_not_follow_deletes_nothing() {
    let Some(cluster) = cluster_with_controllers() else { return };
    if !wanted() {
        return;
    }
    let namespace = cluster.namespace("gone", &[Ask::Ready]).await;
    let iter8 = Iter8::start(cluster, &namespace.name);
    apply(cluster, &namespace, &["--routing", "routemap"], &release(&[("one", 60), ("two", 40)])).with(0);
    controlled(&namespace, &[Some(60), Some(40)]).await;
    drop(iter8);
    let ended = apply(cluster, &namespace, &[], &release(&[("one", 1)])).with(4);
    let text = "error: the Iter8 controller does not follow the routemap; nothing was deleted\nhint: it does not run, or watches \
                another `iter8.tools/version`; `--routing route` writes the route by r8\n";
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
    assert!(namespace.get("InferenceService", "shop-1").await.is_some());
    // The route is taken over; what the controller has marked goes only when it removes its mark.
    let ended =
        apply(cluster, &namespace, &["--routing", "route", "--timeout", "15s"], &release(&[("one", 1)])).with(4);
    assert!(ended.stderr.contains("iter8.tools/finalizer"), "{}", ended.stderr);
    let live = route(&namespace).await;
    assert_eq!(live["spec"]["http"][0]["route"].as_array().map(Vec::len), Some(1), "{live}");
}
