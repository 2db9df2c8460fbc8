//! What KServe's autoscalers take of an InferenceService: which one it is follows from two annotations, each of them merged
//! from the object, the version and the application.

use serde_json::{Map, Value, json};

use super::objects::{Annotation, of_versions};
use super::{at, reference, there};
use crate::spec::Mode;
use crate::spec::rules::{AUTOSCALER, COMPONENTS, DEPLOYMENT_MODE, KNATIVE_CLASS, MODES};
use crate::templates::{Environment, ObjectRule};

/// The definitions: what an autoscaler takes of a `spec`, and for each kind of object the rule that chooses it.
pub(super) fn definitions(environments: &[Environment]) -> Map<String, Value> {
    let mut definitions = Definitions(Map::new());
    for (scaler, component) in [("HPA", hpa()), ("KPA", kpa()), ("KEDA", keda())] {
        definitions.add(format!("scaled-by-{scaler}"), of_spec(&component));
    }
    for object in environments.iter().flat_map(Environment::objects).filter(|object| object.kind == "InferenceService")
    {
        let rules = rules(object, &mut definitions);
        definitions.add(name(object), json!({"allOf": rules}));
    }
    definitions.0
}

/// What holds of an application's versions, whatever chooses the autoscaler of their InferenceServices.
pub(super) fn application(object: &ObjectRule) -> Value {
    reference(&name(object))
}

/// The name of an object's rule: objects that differ in nothing else share it.
fn name(object: &ObjectRule) -> String {
    let fixed = object.annotations.get(DEPLOYMENT_MODE);
    let known = fixed.and_then(|fixed| MODES.into_iter().find(|(_, texts)| texts.contains(&fixed.as_str())));
    let mode = match known {
        Some((mode, _)) => mode.to_string(),
        None => if fixed.is_some() { "unknown" } else { "any" }.to_owned(),
    };
    format!("autoscaler-of-{}-in-mode-{mode}", object.specification)
}

/// Definitions, each of which is written once however often it is referred to.
struct Definitions(Map<String, Value>);

impl Definitions {
    fn add(&mut self, name: String, schema: Value) -> Value {
        let refers = reference(&name);
        self.0.insert(name, schema);
        refers
    }
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
        let both = |one: &Value, other: &Value| match (one, other) {
            (Value::Bool(true), one) | (one, Value::Bool(true)) => one.clone(),
            _ => json!({"allOf": [one, other]}),
        };
        Way { application: both(&self.application, &other.application), version: both(&self.version, &other.version) }
    }
}

/// An annotation that chooses, as definitions call it.
struct Choice<'a> {
    annotation: Annotation<'a>,
    word: &'static str,
}

impl Choice<'_> {
    /// It is one of these, and it is none of them or absent.
    fn ways(&self, texts: &[&str], definitions: &mut Definitions) -> ([Way; 2], [Way; 2]) {
        let (annotation, word) = (&self.annotation, self.word);
        let (of, value) = (annotation.specification, texts.first().copied().unwrap_or_default());
        let has_own = definitions.add(format!("{of}-has-a-{word}"), annotation.is_own());
        let is_own = definitions.add(format!("{of}-has-the-{word}-{value}"), annotation.is(texts));
        let above = there(&annotation.of_version(), json!({"enum": texts}));
        let above = definitions.add(format!("application-has-the-{word}-{value}"), above);
        let inherits = json!({"not": has_own});
        let is = [
            Way { application: json!(true), version: is_own.clone() },
            Way { application: above.clone(), version: inherits.clone() },
        ];
        let is_not = [
            Way { application: json!(true), version: json!({"allOf": [has_own, {"not": is_own}]}) },
            Way { application: json!({"not": above}), version: inherits },
        ];
        (is, is_not)
    }
}

fn rules(object: &ObjectRule, definitions: &mut Definitions) -> Vec<Value> {
    let specification = object.specification.as_str();
    let choice = |key, word| Choice { annotation: Annotation { key, specification }, word };
    let (mode, class) = (choice(DEPLOYMENT_MODE, "mode"), choice(AUTOSCALER, "autoscaler"));
    let knative = choice(KNATIVE_CLASS.0, "class");
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
            None => mode.ways(texts, definitions).0.into(),
        };
        if name == Mode::Standard {
            add(&modes, &class.ways(&["hpa"], definitions).0, "HPA");
            add(&modes, &class.ways(&["keda"], definitions).0, "KEDA");
        } else {
            let (is_hpa, is_none) = knative.ways(&[KNATIVE_CLASS.1], definitions);
            add(&modes, &is_hpa, "HPA");
            add(&modes, &is_none, "KPA");
        }
    }
    rules
}
