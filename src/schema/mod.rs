//! JSON Schema (2020-12) of the values file, made from the key tables, for editors.
//!
//! A file that the decoder takes is valid by the schema. What the decoder refuses is invalid by it as far as a schema can
//! say it: sums, names that meet, and what is made of several places are beyond it (`testdata/schema/exceptions.yaml`).

mod forms;
mod keys;
mod kserve;
mod matches;
mod objects;
mod scaling;
mod strategy;

use serde_json::{Map, Value, json};

use crate::templates::Environment;

/// The dialect that the schema is written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a values file whose environment is one of these.
///
/// Deterministic: keys stand in the order of the key tables.
pub fn describe(environments: &[Environment]) -> Value {
    let names: Vec<&str> = environments.iter().map(|environment| environment.name.as_str()).collect();
    let purposes = environments.iter().map(|environment| format!("{}: {}", environment.name, environment.table.doc));
    let rule = environments.first().and_then(|environment| environment.table.keys.get("environment"));
    let doc = rule.map(|rule| rule.doc.clone()).into_iter().chain(purposes).collect::<Vec<_>>().join("\n\n");
    let chosen: Vec<Value> = names.iter().map(|name| chosen(name)).collect();
    let mut definitions = Map::new();
    for (name, definition) in
        forms::definitions().into_iter().chain(matches::definitions()).chain(kserve::definitions())
    {
        definitions.insert(name.to_owned(), definition);
    }
    definitions.extend(scaling::definitions(environments));
    for environment in environments {
        definitions.insert(format!("environment-{}", environment.name), keys::environment(environment));
    }
    json!({
        "$schema": DIALECT,
        "title": "Values of a release",
        "description": "What `r8 render`, `r8 validate`, `r8 diff` and `r8 apply` take with `-f`",
        "type": "object",
        "properties": {
            "environment": {"description": doc, "enum": names},
            "application": {"type": "object"},
        },
        "required": ["environment"],
        "allOf": chosen,
        "$defs": definitions,
    })
}

/// What holds where the values name this environment.
fn chosen(name: &str) -> Value {
    json!({
        "if": {"properties": {"environment": {"const": name}}, "required": ["environment"]},
        "then": reference(&format!("environment-{name}")),
    })
}

/// A reference to a definition.
fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// `schema` for what lies at a path, where it lies there.
fn at(path: &[&str], schema: Value) -> Value {
    path.iter().rev().fold(schema, |below, key| json!({"properties": {*key: below}}))
}

/// As [`at`], and something must lie there.
fn there(path: &[&str], schema: Value) -> Value {
    // Of what is no map, `required` says nothing.
    path.iter()
        .rev()
        .fold(schema, |below, key| json!({"type": "object", "properties": {*key: below}, "required": [key]}))
}

/// What is neither absent nor `null`.
fn given(key: &str) -> Value {
    there(&[key], json!({"not": {"type": "null"}}))
}
