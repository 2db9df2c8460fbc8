//! Every status of the sequences of Knative and ModelMesh is judged as its note says. Those of Deployments, and so of
//! Standard mode, are played on a real API server (`tests/cluster/apply/waiting.rs`): their controller writes the status.

use std::path::Path;

use r8::manifest::read_documents;
use r8::readiness::{Health, Settled, Track};
use serde_json::{Value, json};

/// One letter for a state: `.` not serving, `o` serving and not settled, `u` serving and never to be proven, `S` settled,
/// `F` failed for good, `f` the same while the old model serves.
fn letter(health: &Health) -> char {
    match (&health.failed, health.serving, health.settled) {
        (Some(_), true, _) => 'f',
        (Some(_), false, _) => 'F',
        (None, _, Settled::Yes) => 'S',
        (None, _, Settled::Unproven) => 'u',
        (None, true, Settled::No) => 'o',
        (None, false, Settled::No) => '.',
    }
}

/// Plays a sequence; `model` is whether its change is one of the model. Gives the state after each step.
fn play(name: &str, model: bool) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/sequences/{name}.yaml"));
    let sequence = read_documents(&std::fs::read_to_string(path).unwrap()).unwrap().remove(0);
    let mut object = sequence["object"].clone();
    object["metadata"]["uid"] = json!("1");
    let (mut track, mut version) = (Track::default(), 1);
    let mut next = |object: &mut Value| {
        version += 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
    };
    let mut states = String::new();
    for step in sequence["steps"].as_array().unwrap() {
        match step["wait"].as_str() {
            Some("created") => {
                next(&mut object);
                track.wrote(object.clone(), true);
                assert_eq!(letter(&track.health(false)), '.', "{name}: before anything is written");
            }
            Some("changed") => {
                next(&mut object);
                track.wrote(object.clone(), model);
                let now = letter(&track.health(false));
                assert!(
                    !['S', 'F', 'f'].contains(&now),
                    "{name}: the status is older than the change, and counts: {now}"
                );
            }
            _ => {}
        }
        if !step["status"].is_null() {
            next(&mut object);
            object["status"] = step["status"].clone();
            track.see(Some(object.clone()));
        }
        states.push(letter(&track.health(false)));
    }
    states
}

#[test]
fn every_status_is_judged_as_its_note_says() {
    for (name, model, expected) in [
        ("knative/new-model", true, ".....SS"),
        ("knative/failed-load", true, "...F"),
        ("knative/failed-update", true, "Sooff"),
        ("knative/flapping", true, "SoSoS"),
        ("knative/lying-generation", false, "Su"),
        ("knative/scaled-to-zero", true, "SSoooSS"),
        ("knative/slow-load", true, "SooooooS"),
        ("knative/update", true, "SooooS"),
        ("modelmesh/new-model", true, "..S"),
        ("modelmesh/failed-load", true, "..F"),
        ("modelmesh/failed-update", true, "SofoS"),
        ("modelmesh/flapping", true, "..F.F.F"),
        ("modelmesh/no-generation", true, "SooS"),
        ("modelmesh/scaled-to-zero", true, "SS.S"),
        ("modelmesh/slow-load", true, ".....S"),
        ("modelmesh/standby-update", true, "SSu.S"),
        ("modelmesh/update", true, "SoS"),
    ] {
        assert_eq!(play(name, model), expected, "{name}");
    }
}

#[test]
fn every_sequence_without_pods_is_judged() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readiness.rs")).unwrap();
    for mode in ["knative", "modelmesh"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sequences").join(mode);
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = format!("{mode}/{}", entry.unwrap().path().file_stem().unwrap().to_str().unwrap());
            assert!(text.contains(&format!("(\"{name}\", ")), "{name} is not judged");
        }
    }
}

#[test]
fn a_status_of_a_second_before_the_spec_proves_nothing() {
    let object = |spec: &str, status: &str| {
        json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "a", "managedFields": [
                {"manager": "helm", "operation": "Apply", "time": spec, "fieldsV1": {"f:spec": {"f:predictor": {}}}},
                {"manager": "manager", "operation": "Update", "subresource": "status", "time": status, "fieldsV1": {"f:status": {}}},
            ]},
            "status": {"deploymentMode": "ModelMesh", "conditions": [{"type": "PredictorReady", "status": "True"}],
                       "modelStatus": {"transitionStatus": "UpToDate", "states": {"activeModelState": "Loaded", "targetModelState": ""}}},
        })
    };
    let state = |spec, status| letter(&Track::new(Some(object(spec, status))).health(false));
    assert_eq!(state("2026-01-01T00:00:10Z", "2026-01-01T00:00:11Z"), 'S');
    assert_eq!(state("2026-01-01T00:00:10Z", "2026-01-01T00:00:10Z"), 'u');
    assert_eq!(state("2026-01-01T00:00:10Z", "2026-01-01T00:00:09Z"), 'u');
}

#[test]
fn a_status_that_is_the_same_again_follows_the_change_when_others_came_between() {
    let object = |version: &str, team: &str| {
        json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "a", "uid": "1", "resourceVersion": version, "labels": {"team": team}},
            "status": {"deploymentMode": "ModelMesh", "conditions": [{"type": "PredictorReady", "status": "True"}],
                       "modelStatus": {"transitionStatus": "UpToDate", "states": {"activeModelState": "Loaded", "targetModelState": ""}}},
        })
    };
    let state = |seen: Value| {
        let mut track = Track::default();
        track.wrote(object("5", "a"), true);
        track.see(Some(seen));
        letter(&track.health(false))
    };
    assert_eq!(state(object("5", "a")), 'o');
    // Something else was written.
    assert_eq!(state(object("7", "b")), 'o');
    assert_eq!(state(object("7", "a")), 'S');
}

/// A new image of a model whose address stays: KServe's Deployment says nothing of it until its generation grows.
#[test]
fn an_address_that_was_there_before_proves_no_new_model() {
    let object = |version: &str, image: &str| {
        json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "a", "uid": "1", "resourceVersion": version},
            "spec": {"predictor": {"model": {"storageUri": "s3://m/one", "image": image}}},
            "status": {"deploymentMode": "Standard", "conditions": [{"type": "Ready", "status": "True"}]},
        })
    };
    let child = |generation: u64, uri: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a-predictor", "generation": generation},
            "spec": {"replicas": 1, "template": {"metadata": {"annotations":
                {"internal.serving.kserve.io/storage-initializer-sourceuri": uri}}}},
            "status": {"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
                       "conditions": [{"type": "Available", "status": "True"}]},
        })
    };
    let mut track = Track::new(Some(object("4", "one")));
    track.see_child(Some(child(1, "s3://m/one")));
    track.wrote(object("5", "two"), true);
    assert_eq!(letter(&track.health(false)), 'o');
    track.see_child(Some(child(2, "s3://m/one")));
    assert_eq!(letter(&track.health(false)), 'S');
    // An address that is new is a proof by itself, though the Deployment was not seen before.
    let mut track = Track::new(None);
    track.wrote(object("5", "two"), true);
    track.see_child(Some(child(1, "s3://m/one")));
    assert_eq!(letter(&track.health(false)), 'S');
}

/// A Deployment that its controller calls available, of these pods; `owner` said how many.
fn available(wanted: u64, pods: u64, owner: &str) -> Value {
    let subresource = if owner == "helm" { Value::Null } else { json!("scale") };
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a-predictor", "generation": 2, "managedFields": [
            {"manager": "helm", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {}}}},
            {"manager": owner, "subresource": subresource, "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
        "spec": {"replicas": wanted},
        "status": {"observedGeneration": 2, "replicas": pods, "updatedReplicas": pods, "availableReplicas": pods,
                   "conditions": [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}]},
    })
}

/// With 0 pods wanted, none are enough: the Deployment's controller says Available.
#[test]
fn a_deployment_without_pods_does_not_serve_unless_the_release_wants_none() {
    let health = |object| Track::new(Some(object)).health(false);
    assert_eq!(letter(&health(available(1, 1, "kubectl"))), 'S');
    let off = health(available(0, 0, "kubectl"));
    assert_eq!((letter(&off), off.why.as_str()), ('.', "it is scaled to 0"));
    assert_eq!(letter(&health(available(0, 0, "helm"))), 'S');
    // All its pods may be away at once: `maxUnavailable` allows it.
    let away = health(available(1, 0, "helm"));
    assert_eq!((letter(&away), away.why.as_str()), ('.', "0 of 1 pods are updated"));
}

#[test]
fn a_model_whose_deployment_is_scaled_to_0_does_not_serve_unless_it_may() {
    let state = |least: u64| {
        let isvc = json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "a"},
            "spec": {"predictor": {"minReplicas": least}},
            "status": {"deploymentMode": "Standard", "conditions": [{"type": "Ready", "status": "True"}]},
        });
        let mut track = Track::new(Some(isvc));
        track.see_child(Some(available(0, 0, "keda")));
        letter(&track.health(false))
    };
    assert_eq!((state(1), state(0)), ('.', 'u'));
}

#[test]
fn a_model_that_a_failed_run_wrote_is_not_settled_by_an_older_status() {
    let state = |status: &str| {
        let mut track = Track::new(Some(json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "a", "managedFields": [
                {"manager": "helm", "operation": "Apply", "time": "2026-01-01T00:00:10Z", "fieldsV1": {"f:spec": {"f:predictor": {}}}},
                {"manager": "manager", "subresource": "status", "time": status, "fieldsV1": {"f:status": {}}}]},
            "status": {"deploymentMode": "ModelMesh", "conditions": [{"type": "PredictorReady", "status": "True"}],
                       "modelStatus": {"transitionStatus": "UpToDate", "states": {"activeModelState": "Loaded", "targetModelState": ""}}},
        })));
        let before = letter(&track.health(false));
        track.doubt();
        (before, letter(&track.health(false)))
    };
    assert_eq!(state("2026-01-01T00:00:09Z"), ('u', 'o'));
    // Of the same second nobody knows, and perhaps none comes any more.
    assert_eq!(state("2026-01-01T00:00:10Z"), ('u', 'u'));
    assert_eq!(state("2026-01-01T00:00:11Z"), ('S', 'S'));
}

#[test]
fn without_a_status_and_an_annotation_of_the_mode_what_is_served_decides() {
    let health = |metadata: Value, knative: bool| {
        let track = Track::new(Some(json!({
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": metadata,
            "status": {"conditions": [{"type": "PredictorReady", "status": "True"}, {"type": "Ready", "status": "True"}]},
        })));
        (track.has_child(knative), letter(&track.health(knative)))
    };
    // On Knative, what serves is a revision, and none is named here.
    assert_eq!(health(json!({"name": "a"}), true), (false, '.'));
    assert_eq!(health(json!({"name": "a"}), false), (true, 'u'));
    let annotated = json!({"name": "a", "annotations": {"serving.kserve.io/deploymentMode": "RawDeployment"}});
    assert_eq!(health(annotated, true), (true, 'u'));
}
