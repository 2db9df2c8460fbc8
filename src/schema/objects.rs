//! What holds of the objects of a version: their names, and annotations that are merged from three places.

use serde_json::{Value, json};

use super::{at, given, reference, scaling, there};
use crate::spec::Mode;
use crate::spec::rules::{AUTOSCALER, AUTOSCALERS, DEPLOYMENT_MODE, MAX_SERVICE, MODES, ROLLOUT, ROLLOUT_FORM};
use crate::templates::{Environment, ObjectRule};

/// An annotation of an object: the object's own, else the version's, else the application's.
pub(super) struct Annotation<'a> {
    pub key: &'a str,
    /// The version's key that replaces the object.
    pub specification: &'a str,
}

impl Annotation<'_> {
    fn of_object(&self) -> [&str; 4] {
        [self.specification, "metadata", "annotations", self.key]
    }

    pub fn of_version(&self) -> [&str; 3] {
        ["metadata", "annotations", self.key]
    }

    /// A version that does not take the application's.
    pub fn is_own(&self) -> Value {
        let text = json!({"type": "string"});
        json!({"anyOf": [there(&self.of_object(), text.clone()), there(&self.of_version(), text)]})
    }

    /// A version of its own that has one of these.
    pub fn is(&self, texts: &[&str]) -> Value {
        let of_object = json!({"not": there(&self.of_object(), json!({"type": "string"}))});
        json!({"anyOf": [
            there(&self.of_object(), json!({"enum": texts})),
            {"allOf": [of_object, there(&self.of_version(), json!({"enum": texts}))]},
        ]})
    }

    /// What a version's own is to be.
    fn version(&self, wanted: &Value) -> Vec<Value> {
        let is_above = there(&self.of_object(), json!({"type": "string"}));
        vec![
            at(&self.of_object(), wanted.clone()),
            json!({"if": {"not": is_above}, "then": at(&self.of_version(), wanted.clone())}),
        ]
    }

    /// What the application's is to be, unless every version has its own.
    fn application(&self, wanted: &Value) -> Value {
        let wrong = there(&self.of_version(), json!({"type": "string", "not": wanted}));
        json!({"if": wrong, "then": of_versions(self.is_own())})
    }
}

/// What holds of every version.
pub(super) fn of_versions(schema: Value) -> Value {
    json!({"properties": {"versions": {"items": schema}}})
}

/// What holds of one version.
pub(super) fn version(environment: &Environment) -> Vec<Value> {
    let mut all = Vec::new();
    for object in environment.objects() {
        let kind = object.kind.as_str();
        let specification = object.specification.as_str();
        if matches!(kind, "Service" | "InferenceService") {
            all.extend(named(specification, &reference("service-name")));
        } else if kind == "Deployment" {
            // The version's name is also that of the container.
            let generated = json!({"not": there(&[specification], json!({"type": "object", "minProperties": 1}))});
            all.push(json!({"if": generated, "then": at(&["metadata", "name"], reference("label"))}));
        }
        for (key, wanted) in annotations(object) {
            all.extend(Annotation { key, specification }.version(&wanted));
        }
        if kind == "InferenceService" {
            all.extend(modes(environment, object));
        }
    }
    all
}

/// What holds of the application's annotations where versions take them.
pub(super) fn application(environment: &Environment) -> Vec<Value> {
    let mut all = Vec::new();
    for object in environment.objects() {
        let specification = object.specification.as_str();
        all.extend(
            annotations(object).into_iter().map(|(key, wanted)| Annotation { key, specification }.application(&wanted)),
        );
        if object.kind == "InferenceService" {
            all.push(scaling::application(object));
        }
        if object.kind != "InferenceService" || object.annotations.contains_key(DEPLOYMENT_MODE) {
            continue;
        }
        let mode = Annotation { key: DEPLOYMENT_MODE, specification };
        let taken = |rule: Value| of_versions(json!({"if": {"not": mode.is_own()}, "then": rule}));
        for (name, texts) in MODES {
            let chosen = there(&mode.of_version(), json!({"enum": texts}));
            all.push(json!({"if": chosen, "then": taken(of_mode(specification, name))}));
        }
        let model_mesh = there(&mode.of_version(), json!({"const": "ModelMesh"}));
        all.push(json!({"if": model_mesh, "else": taken(not_model_mesh(environment, specification))}));
    }
    all
}

/// What the annotations of an object must be: fixed by the environment, or known to KServe.
fn annotations(object: &ObjectRule) -> Vec<(&str, Value)> {
    let fixed = object.annotations.iter().map(|(key, value)| (key.as_str(), json!({"enum": [value, null]})));
    let mut wanted: Vec<(&str, Value)> = fixed.collect();
    if object.kind == "InferenceService" {
        let one_of = |texts: Vec<&str>| {
            let texts: Vec<Value> = texts.into_iter().map(Value::from).chain([Value::Null]).collect();
            json!({"enum": texts})
        };
        wanted.push((DEPLOYMENT_MODE, one_of(MODES.iter().flat_map(|(_, texts)| texts.iter().copied()).collect())));
        wanted.push((AUTOSCALER, one_of(AUTOSCALERS.to_vec())));
        wanted.push((ROLLOUT, json!({"pattern": ROLLOUT_FORM})));
    }
    wanted
}

/// What an object's name must be, where it is written: the object's own, else the version's.
fn named(specification: &str, wanted: &Value) -> Vec<Value> {
    let own = [specification, "metadata", "name"];
    let is_own = there(&own, json!({"type": "string"}));
    vec![at(&own, wanted.clone()), json!({"if": {"not": is_own}, "then": at(&["metadata", "name"], wanted.clone())})]
}

/// What the mode of an InferenceService asks, where the version names it or the environment fixes it.
fn modes(environment: &Environment, object: &ObjectRule) -> Vec<Value> {
    let specification = object.specification.as_str();
    if let Some(fixed) = object.annotations.get(DEPLOYMENT_MODE) {
        let known = MODES.into_iter().filter(|(_, texts)| texts.contains(&fixed.as_str()));
        let mut all: Vec<Value> = known.map(|(name, _)| of_mode(specification, name)).collect();
        if fixed != "ModelMesh" {
            all.push(not_model_mesh(environment, specification));
        }
        return all;
    }
    let mode = Annotation { key: DEPLOYMENT_MODE, specification };
    let rule = |(name, texts): (Mode, &[&str])| json!({"if": mode.is(texts), "then": of_mode(specification, name)});
    let mut all: Vec<Value> = MODES.into_iter().map(rule).collect();
    let other = json!({"allOf": [mode.is_own(), {"not": mode.is(&["ModelMesh"])}]});
    all.push(json!({"if": other, "then": not_model_mesh(environment, specification)}));
    all
}

fn of_mode(specification: &str, mode: Mode) -> Value {
    at(&[specification, "spec"], reference(&format!("inference-service-{mode}")))
}

/// KServe makes Services of an InferenceService that it runs itself: their names must fit.
fn not_model_mesh(environment: &Environment, specification: &str) -> Value {
    let suffix = environment.table.destination.as_ref().and_then(|rule| rule.suffix.strip_prefix("-predictor"));
    let tail = suffix.unwrap_or_default().len();
    let mut all = vec![at(&[specification, "spec"], reference("inference-service-not-ModelMesh"))];
    for component in ["predictor", "transformer", "explainer"] {
        let fits = named(specification, &json!({"maxLength": MAX_SERVICE - 1 - component.len() - tail}));
        if component == "predictor" {
            all.extend(fits);
        } else {
            let has = there(&[specification, "spec"], given(component));
            all.push(json!({"if": has, "then": {"allOf": fits}}));
        }
    }
    json!({"allOf": all})
}
