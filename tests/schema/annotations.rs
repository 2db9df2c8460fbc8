//! Annotations that choose what else is allowed, and are merged from an object, its version and the application.

use r8::templates::Catalog;
use serde_json::{Value, json};

use super::{difference, put, release, validator};

#[test]
fn every_form_of_a_rollout_is_judged_alike() {
    let catalog = Catalog::embedded();
    let validator = validator(&catalog);
    for (text, is_valid) in [
        ("380s", true),
        ("1h2m3s", true),
        ("1.05m", true),
        ("2000ms", true),
        ("", true),
        ("1.5s", false),
        ("0.5s500ms", false),
        ("1.01m", false),
        ("380", false),
        ("-1s", false),
    ] {
        let mut release = release(&catalog.environment("kserve").unwrap(), "none", 1);
        let annotations = json!({"serving.knative.dev/rollout-duration": text});
        put(&mut release, "application.versions[].metadata", json!({"annotations": annotations}));
        assert_eq!(validator.is_valid(&release), is_valid, "{text}");
        assert_eq!(difference(&release, &catalog, &validator), None);
    }
}

/// Where an annotation of an object may stand.
const PLACES: [&str; 3] = [
    "application.metadata.annotations",
    "application.versions[].metadata.annotations",
    "application.versions[].inferenceServiceSpecification.metadata.annotations",
];

/// Scaling keys of a part of an InferenceService: what some autoscaler takes and another does not.
fn scalings() -> Vec<Value> {
    let metrics = |metrics: Value| json!({"autoScaling": {"metrics": metrics}});
    let resource = |resource: Value| metrics(json!([{"type": "Resource", "resource": resource}]));
    let external = |external: Value| metrics(json!([{"type": "External", "external": external}]));
    vec![
        json!({}),
        json!({"scaleMetric": "cpu", "scaleTarget": 101}),
        json!({"scaleMetric": "memory", "scaleTarget": 100}),
        json!({"scaleMetric": "rps", "scaleTarget": 0}),
        json!({"scaleMetric": "concurrency", "scaleTarget": 0}),
        json!({"scaleTarget": 0}),
        metrics(json!([{}])),
        metrics(json!([{"type": "Resource"}])),
        metrics(json!([{"type": "Resource", "resource": null}])),
        metrics(json!([null])),
        resource(json!(5)),
        resource(json!({"name": "gpu"})),
        resource(json!({"target": {"type": "AverageValue"}})),
        resource(json!({"name": "cpu", "target": {"type": "AverageValue"}})),
        resource(json!({"name": "memory", "target": {"type": "AverageValue"}})),
        resource(json!({"name": "memory", "target": {"type": "Utilization"}})),
        resource(json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 100}})),
        resource(json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 101}})),
        external(json!({"metric": {"query": "up"}, "target": {"value": 1}})),
        external(json!({"metric": {"query": ""}, "target": {"value": 1}})),
        external(json!({"metric": {"query": "up"}, "target": {"type": "Value"}})),
        external(json!(5)),
        metrics(json!([{"type": "PodMetric", "podmetric": {"metric": {"query": "up"}, "target": {"value": 1}}}])),
        metrics(json!([{"type": "PodMetrics"}])),
    ]
}

#[test]
fn what_an_autoscaler_takes_is_judged_alike_wherever_it_is_chosen() {
    let catalog = Catalog::embedded();
    let validator = validator(&catalog);
    let modes = [None, Some("Standard"), Some("Serverless"), Some("ModelMesh")];
    let classes = [
        None,
        Some(("serving.kserve.io/autoscalerClass", "hpa")),
        Some(("serving.kserve.io/autoscalerClass", "keda")),
        Some(("serving.kserve.io/autoscalerClass", "none")),
        Some(("autoscaling.knative.dev/class", "hpa.autoscaling.knative.dev")),
        Some(("autoscaling.knative.dev/class", "kpa.autoscaling.knative.dev")),
    ];
    let (mut valid, mut invalid) = (0, 0);
    for environment in ["kserve", "kserve-standard", "kserve-modelmesh-istio"] {
        let environment = catalog.environment(environment).unwrap();
        for (index, scaling) in scalings().into_iter().enumerate() {
            // Each pair of places comes with some of the scalings.
            for (turn, (mode, class)) in modes.iter().flat_map(|mode| classes.map(|class| (*mode, class))).enumerate() {
                let mut predictor =
                    json!({"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/a"}});
                predictor.as_object_mut().unwrap().extend(scaling.as_object().unwrap().clone());
                let mut release = release(&environment, "none", 1);
                release["application"]["versions"] = json!([{}]);
                put(
                    &mut release,
                    "application.versions[].inferenceServiceSpecification.spec",
                    json!({"predictor": predictor}),
                );
                let mut annotate = |place: usize, key: &str, value: &str| {
                    let mut node = &mut release;
                    for part in PLACES[place % 3].split('.') {
                        let name = part.trim_end_matches("[]");
                        node = &mut node[name];
                        if part.ends_with("[]") {
                            node = &mut node[0];
                        }
                    }
                    node[key] = value.into();
                };
                if let Some(mode) = mode {
                    annotate(index + turn, "serving.kserve.io/deploymentMode", mode);
                }
                if let Some((key, value)) = class {
                    annotate((index + turn) / 3 + turn, key, value);
                    // What is further out does not count.
                    if (index + turn) % 4 == 0 {
                        annotate(0, key, "none");
                        annotate(2, key, value);
                    }
                }
                let difference = difference(&release, &catalog, &validator);
                assert_eq!(difference, None);
                if validator.is_valid(&release) { valid += 1 } else { invalid += 1 }
            }
        }
    }
    assert!(valid > 500 && invalid > 500, "{valid} valid, {invalid} invalid");
}
