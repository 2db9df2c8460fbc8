//! What a strategy asks of the versions: how many, which weights, matches of candidates alone.

use serde_json::{Map, Value, json};

use super::{at, reference};
use crate::spec::rules::{CONFIG_SUFFIX, MAX_OBJECT_NAME};
use crate::templates::{Configs, Environment, Form, StrategyRule};

/// The names of an environment's strategies.
pub(super) fn names(environment: &Environment) -> Value {
    let names = environment.strategies().into_iter().map(Value::from);
    json!({"enum": names.chain([Value::Null]).collect::<Vec<_>>()})
}

/// For each strategy what holds where it is chosen.
pub(super) fn rules(environment: &Environment) -> Vec<Value> {
    let mut rules = Vec::new();
    if environment.strategy("none").is_none() {
        rules.push(super::given("strategy"));
    }
    for (name, rule) in environment.table.strategies.iter().flatten() {
        let versions = versions(environment, name, rule);
        if versions.is_empty() {
            continue;
        }
        let chosen = match name.as_str() {
            "none" => json!({"properties": {"strategy": {"enum": ["none", null]}}}),
            name => json!({"properties": {"strategy": {"const": name}}, "required": ["strategy"]}),
        };
        rules.push(json!({"if": chosen, "then": {"properties": {"versions": versions}}}));
    }
    rules
}

fn versions(environment: &Environment, name: &str, rule: &StrategyRule) -> Map<String, Value> {
    let mut versions = Map::new();
    let (mut primary, mut candidate) = (Map::new(), Map::new());
    let destinations = environment.table.route.as_ref().and_then(|route| route.max_destinations);
    let most = [rule.candidates.map(|most| most + 1), destinations.filter(|_| name != "none")];
    if let Some(most) = most.into_iter().flatten().min() {
        versions.insert("maxItems".into(), most.into());
    }
    if let Some(weights) = &rule.weights {
        let most = json!({"maximum": weights.max});
        // Mirroring sends every request to the primary: only the candidate's weight is read.
        if rule.configs != Configs::Candidates {
            primary.insert("weight".into(), most.clone());
        }
        candidate.insert("weight".into(), most);
        let nothing = json!({"properties": {"weight": {"const": 0}}, "required": ["weight"]});
        if weights.sum.is_some() {
            versions.insert("contains".into(), json!({"not": nothing}));
        } else {
            versions.insert("not".into(), json!({"minItems": 2, "prefixItems": [true], "items": nothing}));
        }
    }
    // The name of a ConfigMap is made of the version's.
    if rule.configs != Configs::None {
        let name = at(&["name"], json!({"maxLength": MAX_OBJECT_NAME - CONFIG_SUFFIX.len()}));
        if rule.configs == Configs::All {
            primary.insert("metadata".into(), name.clone());
        }
        candidate.insert("metadata".into(), name);
    }
    if let Some(key) = &rule.matches {
        primary.insert(key.clone(), json!({"description": "Only candidates have matches", "type": "null"}));
        let form = environment.table.keys.get(&format!("application.versions[].{key}")).map(|rule| rule.form);
        let narrow = match form {
            Some(Form::IstioMatch) => Some("istio-match-of-some"),
            Some(Form::GatewayMatch) => Some("gateway-match-of-some"),
            _ => None,
        };
        if let Some(narrow) = narrow {
            candidate.insert(key.clone(), json!({"items": reference(narrow)}));
        }
    }
    if primary != candidate {
        versions.insert("prefixItems".into(), json!([{"properties": primary}]));
    }
    if !candidate.is_empty() {
        versions.insert("items".into(), json!({"properties": candidate}));
    }
    versions
}
