//! The keys of one environment: maps with the keys that the table lists, required keys, what versions inherit.

use serde_json::{Map, Value, json};

use super::{forms, given, objects, reference, strategy};
use crate::spec::rules::{MAX_OBJECT_NAME, ROUTEMAP_SUFFIX};
use crate::templates::{Environment, Form, KeyRule};

/// The versions' path in the key tables.
const VERSIONS: &str = "application.versions";

/// The schema of values that name this environment.
pub(super) fn environment(environment: &Environment) -> Value {
    let mut schema = map(environment, "");
    schema.insert("description".into(), environment.table.doc.clone().into());
    schema.into()
}

/// A map with the keys that the table lists below a path; unknown ones are refused below the root.
fn map(environment: &Environment, path: &str) -> Map<String, Value> {
    let (mut properties, mut required, mut all) = (Map::new(), Vec::new(), Vec::new());
    for (key, child, rule) in children(environment, path) {
        properties.insert(child.to_owned(), value(environment, key, rule));
        match &rule.required_unless {
            // What versions inherit is judged where both can be seen.
            _ if rule.inherit => {}
            Some(unless) => all.push(either(child, Some(unless))),
            None if rule.required => required.push(child),
            None => {}
        }
    }
    match path {
        "application" => all.extend(application(environment)),
        "application.versions[]" => all.extend(objects::version(environment)),
        _ => {}
    }
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    if !path.is_empty() {
        schema.insert("patternProperties".into(), json!({"^x-": {}}));
        schema.insert("additionalProperties".into(), false.into());
    }
    if !all.is_empty() {
        schema.insert("allOf".into(), all.into());
    }
    schema
}

/// The keys of a map: path, name, rule.
fn children<'e>(environment: &'e Environment, path: &str) -> Vec<(&'e str, &'e str, &'e KeyRule)> {
    let keys = environment.table.keys.iter().filter_map(|(key, rule)| {
        let child = if path.is_empty() { key } else { key.strip_prefix(path)?.strip_prefix('.')? };
        (!child.contains(['.', '['])).then_some((key.as_str(), child, rule))
    });
    keys.collect()
}

/// What may stand under a key, with what people want to know of it.
fn value(environment: &Environment, key: &str, rule: &KeyRule) -> Value {
    if let Some(why) = &rule.dead {
        return json!({"description": format!("{}: {why}", rule.doc), "deprecated": true});
    }
    let mut described = Map::new();
    described.insert("description".into(), rule.doc.clone().into());
    for (name, value) in [("default", rule.default.clone()), ("examples", rule.example.clone().map(|one| json!([one])))]
    {
        if let Some(value) = value {
            described.insert(name.into(), value);
        }
    }
    let mut schema = match (key, rule.form) {
        ("environment", _) => json!({"const": environment.name}),
        ("application.strategy", _) => strategy::names(environment),
        ("application.metadata.name", _) if environment.table.application_object == Some(true) => {
            reference("service-name")
        }
        ("application.metadata.name", form) => {
            let mut schema = forms::schema(environment, key, rule);
            if form == Form::ObjectName {
                schema["maxLength"] = (MAX_OBJECT_NAME - ROUTEMAP_SUFFIX.len()).into();
            }
            schema
        }
        (_, Form::Map) => map(environment, key).into(),
        (_, Form::List) => list(environment, key),
        _ => forms::schema(environment, key, rule),
    };
    if let Some(schema) = schema.as_object_mut() {
        if rule.required && !rule.inherit {
            if schema.contains_key("$ref") || schema.is_empty() {
                schema.insert("not".into(), json!({"type": "null"}));
            }
            // A map without entries counts as nothing; one of the table's own says what it lacks.
            if matches!(rule.form, Form::Any | Form::Labels | Form::Annotations | Form::Specification) {
                schema.insert("minProperties".into(), 1.into());
            }
        } else {
            nullable(schema);
        }
        described.append(schema);
    }
    described.into()
}

/// Lets a schema take `null`, which counts as absent.
fn nullable(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(Value::Array(types)) => types.push("null".into()),
        Some(one) => *one = json!([one.take(), "null"]),
        None => {}
    }
}

fn list(environment: &Environment, key: &str) -> Value {
    let item = format!("{key}[]");
    let mut items = map(environment, &item);
    if let Some(rule) = environment.table.keys.get(&item) {
        items.insert("description".into(), rule.doc.clone().into());
    }
    let mut schema = json!({"type": "array", "items": items});
    if key == VERSIONS {
        schema["minItems"] = 1.into();
    }
    schema
}

/// What holds of the application and its versions together.
fn application(environment: &Environment) -> Vec<Value> {
    let mut all = Vec::new();
    for (_, child, rule) in children(environment, "application.versions[]") {
        if rule.inherit && (rule.required || rule.required_unless.is_some()) {
            let items = either(child, rule.required_unless.as_deref());
            all.push(json!({"if": given(child), "else": {"properties": {"versions": {"items": items}}}}));
        }
    }
    all.extend(strategy::rules(environment));
    all.extend(objects::application(environment));
    all
}

/// One of two keys is there, or the only one.
fn either(key: &str, unless: Option<&str>) -> Value {
    let present = |key: &str| json!({"properties": {key: {"not": {"enum": [null, {}]}}}, "required": [key]});
    match unless {
        Some(unless) => json!({"anyOf": [present(key), present(unless)]}),
        None => present(key),
    }
}
