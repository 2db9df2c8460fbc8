//! What KServe's autoscalers take of an InferenceService: which one it is follows from two annotations, each of them merged
//! from the object, the version and the application.

use serde_json::{Map, Value, json};

use super::objects::{Annotation, of_versions};
use super::{at, reference, there};
use crate::spec::Mode;
use crate::spec::rules::{AUTOSCALER, COMPONENTS, DEPLOYMENT_MODE, KNATIVE_CLASS, MODES};
use crate::templates::ObjectRule;

/// The definitions that the rules refer to: what an autoscaler takes of a `spec`.
pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    vec![("scaled-by-HPA", of_spec(&hpa())), ("scaled-by-KPA", of_spec(&kpa())), ("scaled-by-KEDA", of_spec(&keda()))]
}

/// A rule for every part of an InferenceService, and for the predictors of its canaries.
fn of_spec(component: &Value) -> Value {
    let parts = COMPONENTS.map(|name| (name.to_owned(), component.clone()));
    let mut properties: Map<String, Value> = parts.into_iter().collect();
    properties.insert("canary".into(), json!({"items": at(&["predictor"], component.clone())}));
    json!({"properties": properties})
}

fn metrics(items: Value) -> Value {
    at(&["metrics"], json!({"items": items}))
}

/// An item of a list of metrics: its type names the key that holds it.
fn source(kind: &str, key: &str, metric: Value) -> Value {
    let given = json!({"allOf": [{"not": {"type": "null"}}, metric]});
    json!({"type": "object", "properties": {"type": {"const": kind}, key: given}, "required": ["type", key]})
}

fn hpa() -> Value {
    json!({"properties": {
        "scaleMetric": {"enum": ["cpu", "memory", null]},
        "scaleTarget": {"type": ["integer", "null"], "minimum": 1, "maximum": 100},
        "autoScaling": metrics(source("Resource", "resource", json!({}))),
    }})
}

fn kpa() -> Value {
    json!({
        "properties": {"scaleMetric": {"enum": ["concurrency", "rps", null]}},
        "if": there(&["scaleMetric"], json!({"const": "rps"})),
        "then": at(&["scaleTarget"], json!({"type": ["integer", "null"], "minimum": 1, "maximum": i32::MAX})),
    })
}

fn keda() -> Value {
    let percentage = json!({"type": "integer", "minimum": 1, "maximum": 100});
    let utilization = json!({
        "if": there(&["type"], json!({"const": "Utilization"})),
        "then": {"properties": {"averageUtilization": percentage}, "required": ["averageUtilization"]},
    });
    let of_type = |kinds: &[&str]| {
        let kinds: Vec<Value> = kinds.iter().map(|kind| Value::from(*kind)).chain([Value::Null]).collect();
        at(&["target", "type"], json!({"enum": kinds}))
    };
    let resource = json!({
        "properties": {"name": {"enum": ["cpu", "memory", null]}, "target": utilization},
        "if": there(&["name"], json!({"const": "cpu"})),
        "then": of_type(&["Utilization"]),
        "else": of_type(&["AverageValue", "Utilization"]),
    });
    let measured = json!({"allOf": [
        there(&["metric", "query"], json!({"type": "string", "minLength": 1})),
        there(&["target", "value"], json!({"not": {"type": "null"}})),
    ]});
    json!({"properties": {
        "scaleMetric": {"type": "null"},
        "autoScaling": metrics(json!({"anyOf": [
            source("Resource", "resource", resource),
            source("External", "external", measured.clone()),
            source("PodMetric", "podmetric", measured),
        ]})),
    }})
}

/// A way in which an annotation of a version comes to a value: what the application has to have, and what the version.
#[derive(Clone)]
struct Way {
    application: Value,
    version: Value,
}

impl Way {
    /// Both together.
    fn with(&self, other: &Way) -> Way {
        let both = |one: &Value, other: &Value| json!({"allOf": [one, other]});
        Way { application: both(&self.application, &other.application), version: both(&self.version, &other.version) }
    }
}

/// An annotation is one of these.
fn is(annotation: &Annotation<'_>, texts: &[&str]) -> Vec<Way> {
    let inherited = Way {
        application: there(&annotation.of_version(), json!({"enum": texts})),
        version: json!({"not": annotation.is_own()}),
    };
    vec![Way { application: json!(true), version: annotation.is(texts) }, inherited]
}

/// An annotation is none of these, or absent.
fn is_not(annotation: &Annotation<'_>, texts: &[&str]) -> Vec<Way> {
    let own = json!({"allOf": [annotation.is_own(), {"not": annotation.is(texts)}]});
    let inherited = Way {
        application: json!({"not": there(&annotation.of_version(), json!({"enum": texts}))}),
        version: json!({"not": annotation.is_own()}),
    };
    vec![Way { application: json!(true), version: own }, inherited]
}

/// What holds of an application's versions, whatever chooses the autoscaler of their InferenceServices.
pub(super) fn application(object: &ObjectRule) -> Vec<Value> {
    let specification = object.specification.as_str();
    let annotation = |key| Annotation { key, specification };
    let (mode, class) = (annotation(DEPLOYMENT_MODE), annotation(AUTOSCALER));
    let knative = annotation(KNATIVE_CLASS.0);
    let fixed = object.annotations.get(DEPLOYMENT_MODE).map(String::as_str);
    let mut rules = Vec::new();
    let mut add = |modes: &[Way], classes: &[Way], scaler: &str| {
        let rule = at(&[specification, "spec"], reference(&format!("scaled-by-{scaler}")));
        for way in modes.iter().flat_map(|mode| classes.iter().map(|class| mode.with(class))) {
            let then = of_versions(json!({"if": way.version, "then": rule}));
            rules.push(json!({"if": way.application, "then": then}));
        }
    };
    for (name, texts) in MODES {
        let modes = match fixed {
            Some(fixed) if texts.contains(&fixed) => vec![Way { application: json!(true), version: json!(true) }],
            Some(_) => continue,
            None => is(&mode, texts),
        };
        if name == Mode::Standard {
            add(&modes, &is(&class, &["hpa"]), "HPA");
            add(&modes, &is(&class, &["keda"]), "KEDA");
        } else {
            add(&modes, &is(&knative, &[KNATIVE_CLASS.1]), "HPA");
            add(&modes, &is_not(&knative, &[KNATIVE_CLASS.1]), "KPA");
        }
    }
    rules
}
