//! KServe's rules for the `spec` of an InferenceService, as far as they do not compare several places.

use serde_json::{Map, Value, json};

use super::{at, given, reference, there};
use crate::spec::rules::{COMPONENTS, CONTAINER, EXPLAINERS, PREDICTORS, STORAGE_TYPES, STORAGE_URI};

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    vec![
        ("component", component()),
        ("predictor", predictor()),
        ("transformer", transformer()),
        ("explainer", explainer()),
        ("inference-service", inference_service()),
        ("inference-service-Standard", without(&["canaryTrafficPercent"], false)),
        ("inference-service-Knative", without(&["deploymentStrategy"], true)),
        ("inference-service-ModelMesh", model_mesh()),
        ("inference-service-not-ModelMesh", not_model_mesh()),
    ]
}

fn inference_service() -> Value {
    let mut predictor = reference("predictor");
    predictor["type"] = "object".into();
    json!({
        "type": "object",
        "properties": {
            "predictor": predictor,
            "transformer": reference("transformer"),
            "explainer": reference("explainer"),
            "canary": {"type": ["array", "null"], "items": canary()},
        },
        "required": ["predictor"],
    })
}

/// What every part may have.
fn component() -> Value {
    let count = |most: i64| json!({"type": ["integer", "null"], "minimum": 0, "maximum": most});
    let storage = json!({
        "type": "object",
        "properties": {
            "uri": {"type": "string", "minLength": 1},
            "mountPath": {"type": ["string", "null"], "pattern": "^/(?!$)(?!.*\\.\\.)"},
        },
        "required": ["uri"],
    });
    json!({
        "type": ["object", "null"],
        "properties": {
            "minReplicas": count(i32::MAX.into()),
            "maxReplicas": count(i32::MAX.into()),
            "containerConcurrency": count(i64::MAX),
            "scaleMetric": {"enum": ["cpu", "memory", "concurrency", "rps", null]},
            "canaryTrafficPercent": {"type": ["integer", "null"], "minimum": 0, "maximum": 100},
            "storageUris": {"type": ["array", "null"], "minItems": 1, "items": storage},
        },
        "allOf": [reference("pods")],
    })
}

/// Where one key of `known` is given, or none and containers: `named` says which of these are an implementation.
fn implementations(known: &[&str], alone: &Value, containers: &Value) -> Value {
    let none: Map<String, Value> = known.iter().map(|key| ((*key).to_owned(), json!({"type": "null"}))).collect();
    let mut ways: Vec<Value> = Vec::new();
    for key in known {
        let mut way = given(key);
        way["properties"]["containers"] = alone.clone();
        ways.push(way);
    }
    let mut custom = json!({"properties": none, "required": ["containers"]});
    custom["properties"]["containers"] = containers.clone();
    ways.push(custom);
    ways.into()
}

/// A model in one place: an implementation's `storageUri` and `storageUris` exclude each other.
fn one_storage(known: &[&str]) -> Value {
    let uris = known.iter().map(|key| ((*key).to_owned(), at(&["storageUri"], json!({"type": "null"}))));
    let named = json!({"properties": {"name": {"const": CONTAINER}}, "required": ["name"]});
    let variable = json!({"properties": {"name": {"const": STORAGE_URI}}, "required": ["name", "value"]});
    let with_variable = json!({"allOf": [named, there(&["env"], json!({"type": "array", "contains": variable}))]});
    let mut none: Map<String, Value> = uris.collect();
    none.insert("containers".into(), json!({"not": {"type": "array", "contains": with_variable}}));
    json!({"if": given("storageUris"), "then": {"properties": none}})
}

fn predictor() -> Value {
    let named = json!({"properties": {"name": {"const": CONTAINER}}, "required": ["name"]});
    let alone = json!({"items": {"not": named}});
    let containers = json!({"type": "array", "minItems": 1, "contains": named, "minContains": 0, "maxContains": 1});
    let mut properties: Map<String, Value> = PREDICTORS
        .into_iter()
        .map(|key| {
            let own = json!({"name": {"enum": [null, ""]}, "ports": reference("container-ports")});
            (key.to_owned(), json!({"properties": own}))
        })
        .collect();
    properties.insert("name".into(), reference("service-name"));
    json!({
        "allOf": [reference("component"), one_storage(&PREDICTORS)],
        "properties": properties,
        "if": {"type": "object"},
        "then": {"oneOf": implementations(&PREDICTORS, &alone, &containers)},
    })
}

fn transformer() -> Value {
    json!({
        "allOf": [reference("component")],
        "if": {"type": "object"},
        "then": {"properties": {"containers": {"type": "array", "minItems": 1}}, "required": ["containers"]},
    })
}

fn explainer() -> Value {
    let properties: Map<String, Value> =
        EXPLAINERS.into_iter().map(|key| (key.to_owned(), at(&["ports"], reference("container-ports")))).collect();
    let containers = json!({"type": "array", "minItems": 1});
    json!({
        "allOf": [reference("component"), one_storage(&EXPLAINERS)],
        "properties": properties,
        "if": {"type": "object"},
        "then": {"oneOf": implementations(&EXPLAINERS, &json!({"not": containers}), &containers)},
    })
}

/// One of KServe's own canaries, whose replicas are fixed.
fn canary() -> Value {
    let fixed = ["workerSpec", "scaleTarget", "scaleMetric", "autoScaling"];
    let mut properties: Map<String, Value> =
        fixed.map(|key| (key.to_owned(), json!({"type": "null"}))).into_iter().collect();
    properties.insert("maxReplicas".into(), json!({"enum": [0, null]}));
    properties.insert("name".into(), json!({"type": "string"}));
    let predictor = json!({
        "$ref": "#/$defs/predictor",
        "type": "object",
        "properties": properties,
        "required": ["name"],
    });
    json!({
        "type": "object",
        "properties": {"trafficPercent": {"type": "integer", "minimum": 0, "maximum": 100}, "predictor": predictor},
        "required": ["trafficPercent", "predictor"],
    })
}

/// Without keys that the mode does not read, and without canaries where it has none.
fn without(keys: &[&str], no_canary: bool) -> Value {
    let none: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), json!({"type": "null"}))).collect();
    let parts = COMPONENTS.map(|component| (component.to_owned(), json!({"properties": none})));
    let mut properties: Map<String, Value> = parts.into_iter().collect();
    // The predictors of canaries are parts as well.
    let canaries = if no_canary {
        json!({"maxItems": 0})
    } else {
        json!({"items": at(&["predictor"], json!({"properties": none}))})
    };
    properties.insert("canary".into(), canaries);
    json!({"properties": properties})
}

/// ModelMesh loads nothing without the model's format and place.
fn model_mesh() -> Value {
    let mut schema = without(&["canaryTrafficPercent", "deploymentStrategy"], true);
    let nothing = json!({"type": "null"});
    let place = json!({"anyOf": [nothing, given("storageUri"), given("storage")]});
    for key in PREDICTORS {
        schema["properties"]["predictor"]["properties"][key] = json!({"allOf": [place]});
    }
    let format = there(&["modelFormat", "name"], json!({"type": "string", "minLength": 1}));
    let format = json!({"anyOf": [nothing, format]});
    schema["properties"]["predictor"]["properties"]["model"] = json!({"allOf": [place, format]});
    schema
}

/// An explainer's storage has a type that KServe has credentials for.
fn not_model_mesh() -> Value {
    let types: Vec<Value> = STORAGE_TYPES.into_iter().map(Value::from).chain([Value::Null]).collect();
    let known = json!({
        "if": {"not": given("storageUri")},
        "then": at(&["storage", "parameters", "type"], json!({"enum": types})),
    });
    let explainers: Map<String, Value> = EXPLAINERS.map(|key| (key.to_owned(), known.clone())).into_iter().collect();
    at(&["explainer"], json!({"properties": explainers}))
}
