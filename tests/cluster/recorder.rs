//! The recorder misses nothing, whatever the kind, and orders what it saw; its recordings are judged as those made by hand.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    Event, Happened, Player, Recorder, Recording, Rules, Wait, assert_istio_takes, assert_traffic_rules, cluster,
    cluster_with_controllers, named, violations,
};
use crate::parts::wanted;

/// Kind, name and what happened, for the objects of a name.
fn story(recording: &Recording, wanted: &str) -> Vec<(String, Happened)> {
    let of = recording.events.iter().filter(|event| named(&event.object).1 == wanted);
    of.map(|event| (named(&event.object).0.to_owned(), event.happened)).collect()
}

#[tokio::test]
async fn every_version_of_every_kind_is_recorded_in_one_order() {
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("recorded", &[]).await;
    let route = |weight: u32| {
        json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService", "metadata": {"name": "shop"},
               "spec": {"hosts": ["shop"], "http": [{"route": [{"destination": {"host": "shop-0"}, "weight": weight}]}]}})
    };
    namespace.apply_as("helm", &route(0)).await;
    let recorder = Recorder::start(cluster, &namespace.name);
    let map = |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}, "data": {"strSpec": text}});
    for round in 1..=20 {
        namespace.apply_as("helm", &route(round)).await;
        namespace.apply_as("helm", &map(&round.to_string())).await;
    }
    namespace.delete("VirtualService", "shop").await;
    let recording = recorder.stop();
    let mut expected = vec![("VirtualService".to_owned(), Happened::Found)];
    for _ in 1..=20 {
        expected.push(("VirtualService".to_owned(), Happened::Written));
        expected.push(("ConfigMap".to_owned(), Happened::Written));
    }
    expected.push(("VirtualService".to_owned(), Happened::Deleted));
    assert_eq!(story(&recording, "shop"), expected);
    assert!(recording.events.is_sorted_by(|one, next| one.revision < next.revision));
    let weights = recording.events.iter().filter(|event| event.object["kind"] == "VirtualService");
    let weights: Vec<_> =
        weights.map(|event| event.object["spec"]["http"][0]["route"][0]["weight"].as_u64().unwrap_or(0)).collect();
    assert_eq!(weights, [(0..=20).collect(), vec![20]].concat());
}

/// A route of r8's to one InferenceService in mode Standard.
fn route_to(model: &str, namespace: &str) -> Value {
    let host = format!("{model}-predictor.{namespace}.svc.cluster.local");
    json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService", "metadata": {"name": "shop"},
           "spec": {"hosts": ["shop"], "http": [{"route": [{"destination": {"host": host}}]}]}})
}

#[tokio::test]
async fn a_standard_model_may_have_a_route_once_its_new_template_is_rolled_out() {
    let Some(cluster) = cluster_with_controllers() else { return };
    let namespace = cluster.namespace("judged", &[]).await;
    let mut player = Player::new(&namespace, "standard/update", "wisdom");
    let recorder = Recorder::start(cluster, &namespace.name);
    let mut object = player.object();
    namespace.apply_as("helm", &object).await;
    while let Some(step) = player.upcoming() {
        if step.wait == Some(Wait::Changed) {
            object["spec"]["predictor"]["model"]["storageUri"] = "s3://models/second".into();
            namespace.apply_as("helm", &object).await;
        }
        player.step().await.unwrap();
    }
    namespace.apply_as("helm", &route_to("wisdom", &namespace.name)).await;
    let recording = recorder.stop();
    assert_traffic_rules(&recording, &Rules::of("wisdom"));

    // The same route put after each event: whether it may be written changes as the sequence goes on.
    let (route, events) = recording.events.split_last().unwrap();
    assert_eq!(named(&route.object).0, "VirtualService");
    let mut turns = Vec::new();
    for count in 1..=events.len() {
        let mut recording = Recording { events: events[..count].to_vec() };
        let last = recording.events.last().unwrap();
        // Long after, so that nothing is forgiven as unknown yet.
        let seen = last.seen + Duration::from_secs(60);
        recording.events.push(Event { seen, revision: last.revision + 1, ..route.clone() });
        turns.push(violations(&recording, &Rules::of("nobody")).is_empty());
    }
    turns.dedup();
    assert_eq!(turns, [false, true, false, true]);
}

#[tokio::test]
async fn istio_judges_every_recorded_route() {
    if !wanted() {
        return;
    }
    let Some(cluster) = cluster() else { return };
    let namespace = cluster.namespace("judged", &[]).await;
    let route = |weights: [u32; 2]| {
        let to = |name: &str, weight: u32| json!({"destination": {"host": name}, "weight": weight});
        json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService", "metadata": {"name": "shop"},
               "spec": {"hosts": ["shop"], "http": [{"route": [to("a", weights[0]), to("b", weights[1])]}]}})
    };
    let recorder = Recorder::start(cluster, &namespace.name);
    for weights in [[1, 0], [0, 0], [2, 0]] {
        namespace.apply_as("helm", &route(weights)).await;
    }
    let recording = recorder.stop();
    let refused = |events: &[Event]| {
        let recording = Recording { events: events.to_vec() };
        catch_unwind(AssertUnwindSafe(|| assert_istio_takes(&recording))).is_err()
    };
    let judged: Vec<bool> = recording.events.iter().map(|event| refused(std::slice::from_ref(event))).collect();
    assert_eq!(judged, [false, true, false]);
    assert!(refused(&recording.events));
}
