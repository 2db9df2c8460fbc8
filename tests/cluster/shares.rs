//! Who gets what by a route, as the judge of the traffic rules reads it: for every environment and strategy.

use std::path::Path;

use r8::manifest::read_documents;
use serde_json::json;

use crate::harness::{Reading, read};

/// What is read of the route of a case below `testdata/render`.
fn case(name: &str) -> Reading {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/render").join(name).join("want.yaml");
    let documents = read_documents(&std::fs::read_to_string(path).unwrap()).unwrap();
    let is_route = |kind: &str| kind == "VirtualService" || kind == "HTTPRoute";
    let route = documents.iter().find(|document| document["kind"].as_str().is_some_and(is_route));
    read(route.unwrap_or_else(|| panic!("{name} has no route")))
}

fn text(reading: &Reading) -> String {
    let shares = reading.shares.iter().map(|(version, share)| format!("{version} {share}"));
    shares.chain(reading.faults.clone()).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_way_to_a_version_is_followed_to_its_object() {
    for (name, expected) in [
        ("deployment-istio/blue-green", "Deployment app-0 50.0%, Deployment app-1 50.0%"),
        ("deployment-istio/canary", "Deployment app-0 100.0%, Deployment app-1 0.0% and a match"),
        ("deployment-istio/mirror", "Deployment app-0 100.0%, Deployment app-1 0.0% and 50.0% copied"),
        ("deployment-gtw/blue-green", "Deployment app-0 50.0%, Deployment app-1 50.0%"),
        ("deployment-gtw/canary", "Deployment app-0 100.0%, Deployment app-1 0.0% and a match"),
        ("kserve/blue-green", "InferenceService app-0 50.0%, InferenceService app-1 50.0%"),
        ("kserve/canary", "InferenceService app-0 100.0%, InferenceService app-1 0.0% and a match"),
        ("kserve-0.10/blue-green", "InferenceService app-0 50.0%, InferenceService app-1 50.0%"),
        ("kserve-modelmesh-istio/blue-green", "InferenceService app-0 50.0%, InferenceService app-1 50.0%"),
        ("kserve-modelmesh-istio/canary", "InferenceService app-0 100.0%, InferenceService app-1 0.0% and a match"),
        ("kserve-standard/blue-green", "InferenceService app-0 50.0%, InferenceService app-1 50.0%"),
        ("kserve-standard/canary", "InferenceService app-0 100.0%, InferenceService app-1 0.0% and a match"),
        ("kserve-standard/mirror", "InferenceService app-0 100.0%, InferenceService app-1 0.0% and 50.0% copied"),
    ] {
        assert_eq!(text(&case(&format!("{name}/two-versions"))), expected, "{name}");
    }
}

#[test]
fn an_absent_weight_is_0_to_istio_and_1_to_the_gateway_api() {
    let to = |name: &str, weight: Option<u32>| match weight {
        Some(weight) => json!({"destination": {"host": name}, "name": name, "weight": weight}),
        None => json!({"destination": {"host": name}, "name": name}),
    };
    let both = [to("a", None), to("b", Some(3))];
    let istio = json!({"kind": "VirtualService", "spec": {"http": [{"route": both}]}});
    assert_eq!(text(&read(&istio)), "Deployment a 0.0%, Deployment b 100.0%");
    let gateway = json!({"kind": "HTTPRoute", "spec": {"rules": [{"backendRefs": both}]}});
    assert_eq!(text(&read(&gateway)), "Deployment a 25.0%, Deployment b 75.0%");
}

#[test]
fn a_rule_behind_one_that_takes_everything_gives_nothing() {
    let to = |name: &str| json!([{"destination": {"host": name}}]);
    let all = json!([{"uri": {"prefix": "/"}}]);
    let route =
        json!({"kind": "VirtualService", "spec": {"http": [{"match": all, "route": to("a")}, {"route": to("b")}]}});
    assert_eq!(text(&read(&route)), "Deployment a 100.0%, Deployment b 0.0%");
}

#[test]
fn a_mark_that_no_rule_takes_is_a_fault() {
    let marked = json!({"destination": {"host": "gateway"}, "headers": {"request": {"set": {"branch": "a"}}}});
    let route = json!({"kind": "VirtualService", "spec": {"http": [{"route": [marked]}]}});
    assert_eq!(text(&read(&route)), "no rule takes the requests marked `a`");
}
