//! The schema of values and the decoder judge alike: every case, every key of every table, and what a change makes of an
//! accepted release. What no schema can say stands in `testdata/schema/exceptions.yaml`, case by case.

#[path = "schema/annotations.rs"]
mod annotations;
#[path = "schema/cases.rs"]
mod cases;
#[path = "parts/files.rs"]
mod files;
#[path = "parts/shared.rs"]
mod shared;
#[path = "parts/skipped.rs"]
mod skipped;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use cases::{Case, cases, exceptions, identity};
use files::files;
use jsonschema::Validator;
use r8::schema::describe;
use r8::spec::{Identity, KserveProblem, MatchProblem, Problem, ReleaseSpec, SpecErrors, Unknown};
use r8::templates::{Catalog, Environment, Form};
use r8::values::{Source, SourceName, load};
use serde_json::{Value, json};
use shared::shared;

fn environments(catalog: &Catalog) -> Vec<Environment> {
    catalog.names().iter().map(|name| catalog.environment(name).unwrap()).collect()
}

fn validator(catalog: &Catalog) -> Validator {
    jsonschema::validator_for(&describe(&environments(catalog))).unwrap()
}

fn decode(text: &str, catalog: &Catalog, identity: &Identity) -> Result<ReleaseSpec, Option<SpecErrors>> {
    let source = Source { name: SourceName::File("values.yaml".into()), text: text.to_owned() };
    let values = load(&[source]).map_err(|_| None)?;
    ReleaseSpec::decode(&values, catalog, identity, Unknown::Refuse).map(|(spec, _)| spec).map_err(Some)
}

/// What an editor reads: YAML 1.2, each document for itself; none where it finds no YAML.
fn read_by_an_editor(text: &str) -> Option<Vec<Value>> {
    let options = serde_saphyr::options! { strict_booleans: true, budget: None };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options).ok()?;
    // Nothing is a document of nothing.
    Some(if documents.is_empty() { vec![Value::Null] } else { documents })
}

fn is_valid(text: &str, validator: &Validator) -> bool {
    read_by_an_editor(text).is_some_and(|documents| documents.iter().all(|document| validator.is_valid(document)))
}

#[test]
fn every_schema_is_one_by_the_meta_schema() {
    let catalog = Catalog::embedded();
    let all = environments(&catalog);
    assert!(all.len() >= 8);
    let one = all.iter().map(|environment| describe(std::slice::from_ref(environment)));
    let own = cases().into_iter().filter(|case| case.catalog.names().len() > all.len());
    let own: Vec<Value> = own.map(|case| describe(&environments(&case.catalog))).collect();
    assert!(!own.is_empty());
    for schema in one.chain(own).chain([describe(&all)]) {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        jsonschema::meta::validate(&schema).unwrap();
        // A reference that leads nowhere is found when the schema is read.
        jsonschema::validator_for(&schema).unwrap();
    }
}

#[test]
fn schema_and_decoder_judge_every_case_alike() {
    let embedded = validator(&Catalog::embedded());
    let (mut accepted, mut refused) = (0, 0);
    let (mut faults, mut needed) = (Vec::new(), BTreeSet::new());
    let exceptions = exceptions();
    for case in cases() {
        let own = (case.catalog.files() != Catalog::embedded().files()).then(|| validator(&case.catalog));
        let valid = is_valid(&case.text, own.as_ref().unwrap_or(&embedded));
        let decoded = decode(&case.text, &case.catalog, &case.identity);
        if decoded.is_ok() {
            accepted += 1
        } else {
            refused += 1
        }
        match (decoded, valid) {
            (Ok(_), true) | (Err(_), false) => {}
            (Ok(_), false) if exceptions.contains_key(&case.name) => drop(needed.insert(case.name)),
            (Ok(_), false) => faults.push(format!("{}: valid to the decoder alone", case.name)),
            (Err(_), true) if exceptions.contains_key(&case.name) => drop(needed.insert(case.name)),
            (Err(errors), true) => {
                let words = errors.map_or_else(|| "no YAML of r8's dialect".to_owned(), |errors| errors.to_string());
                faults.push(format!("{}: valid to the schema alone: {words}", case.name));
            }
        }
    }
    let needless = exceptions.keys().filter(|name| !needed.contains(*name));
    faults.extend(needless.map(|name| format!("{name}: listed, but judged alike")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(accepted > 80 && refused > 80, "{accepted} accepted, {refused} refused");
}

#[test]
fn every_documented_release_is_valid() {
    let Some(oracle) = shared("oracle") else { return };
    let mut files = files(&oracle);
    files.retain(|path| path.ends_with("values.yaml"));
    let validator = validator(&Catalog::embedded());
    let invalid: Vec<&PathBuf> =
        files.iter().filter(|path| !is_valid(&fs::read_to_string(path).unwrap(), &validator)).collect();
    assert!(invalid.is_empty() && files.len() >= 44, "{invalid:?}");
}

#[test]
fn the_schema_of_one_environment_takes_no_other() {
    let catalog = Catalog::embedded();
    let kserve = jsonschema::validator_for(&describe(&[catalog.environment("kserve").unwrap()])).unwrap();
    for environment in environments(&catalog) {
        let release = release(&environment, "none", 1);
        assert_eq!(kserve.is_valid(&release), environment.name == "kserve", "{}", environment.name);
    }
}

/// A release of an environment with what is required and nothing else.
fn release(environment: &Environment, strategy: &str, versions: usize) -> Value {
    let mut version = json!({});
    for (key, rule) in &environment.table.keys {
        if let Some(name) = key.strip_prefix("application.versions[].")
            && rule.required_unless.is_some()
        {
            version[name] = rule.example.clone().unwrap();
        }
    }
    json!({
        "environment": environment.name,
        "application": {"metadata": {"name": "shop"}, "strategy": strategy, "versions": vec![version; versions]},
    })
}

/// Values of every type, in and out of the ranges and patterns of names, ports and weights.
fn samples() -> Vec<Value> {
    let long = |length: usize| json!("a".repeat(length));
    let texts =
        ["", "text", "7", "Upper", "two words", "a_b", "-a", "a/b", "a/b/c", "a.b", "1.2", "v1.2", "*", "a..b", "9"];
    let numbers =
        [json!(0), json!(1), json!(80), json!(-1), json!(65535), json!(65536), json!(101), json!(1.5), json!(1.0)];
    let large = [json!(1_000_001), json!(2_147_483_648_i64), json!(4_294_967_296_i64), json!(u64::MAX)];
    let lists = [json!([]), json!([1]), json!(["a"]), json!([null]), json!([{}]), json!([{"a": 1}])];
    let maps =
        [json!({}), json!({"a": 1}), json!({"a": "b"}), json!({"a b": "c"}), json!({"name": "n"}), json!({"x-a": 1})];
    let mut samples = vec![json!(null), json!(true), long(63), long(64), long(253), long(254)];
    samples.extend(texts.map(|text| json!(text)));
    samples.extend(numbers.into_iter().chain(large).chain(lists).chain(maps));
    samples
}

/// Puts a value at a path of a key table, into the last of a list's items; makes what is missing on the way.
fn put(release: &mut Value, key: &str, value: Value) {
    let mut node = release;
    for part in key.split('.') {
        let (name, in_list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        if !node[name].is_object() && !node[name].is_array() {
            node[name] = if in_list { json!([{}]) } else { json!({}) };
        }
        node = &mut node[name];
        if in_list {
            node = node.as_array_mut().unwrap().last_mut().unwrap();
        }
    }
    *node = value;
}

/// Says how schema and decoder differ about a release; none where they agree, or the decoder compares several places.
fn difference(release: &Value, catalog: &Catalog, validator: &Validator) -> Option<String> {
    let decoded = decode(&release.to_string(), catalog, &identity(None, "default"));
    match (decoded, validator.is_valid(release)) {
        (Ok(_), true) | (Err(_), false) => None,
        (Ok(_), false) => {
            let errors: Vec<String> =
                validator.iter_errors(release).map(|error| format!("{error} at {}", error.instance_path())).collect();
            Some(format!("valid to the decoder alone: {release}\n  {}", errors.join("\n  ")))
        }
        (Err(errors), true) => {
            let errors = errors.expect("JSON is YAML of r8's dialect").errors;
            // One mistake that a schema can say should have been said.
            let told = errors.iter().find(|error| !is_beyond_a_schema(&error.problem, release))?;
            Some(format!("valid to the schema alone: {told} ({:?}): {release}", told.path))
        }
    }
}

/// Mistakes that show in several places at once, or in a text whose grammar no pattern holds.
fn is_beyond_a_schema(problem: &Problem, release: &Value) -> bool {
    // A name that nobody has written is made of others.
    let made = |name: &str| !release.to_string().contains(&format!("\"name\":\"{name}\""));
    match problem {
        // A release name may be given as an argument, under which other rules hold.
        Problem::NoName => true,
        Problem::Name { what: "release name", .. } => true,
        Problem::Name { name, what: "Service name" | "InferenceService name" | "container name", .. } => made(name),
        Problem::WeightSum { .. } | Problem::Twice { .. } | Problem::SameName { .. } | Problem::SamePort { .. } => true,
        Problem::Match(problem) => {
            matches!(problem, MatchProblem::Covered { .. } | MatchProblem::Regex { .. } | MatchProblem::Twice(_))
        }
        Problem::Kserve(problem) => matches!(
            problem,
            KserveProblem::Replicas { .. }
                | KserveProblem::CanarySum(_)
                | KserveProblem::CanaryTwice(_)
                | KserveProblem::CanaryReplicas { .. }
                | KserveProblem::MountPaths(_)
                | KserveProblem::LongService { .. }
        ),
        _ => false,
    }
}

#[test]
fn every_key_of_every_table_is_judged_alike() {
    let catalog = Catalog::embedded();
    let validator = validator(&catalog);
    let mut faults = BTreeSet::new();
    let mut judged = 0;
    for environment in environments(&catalog) {
        // The last strategy of each environment asks for the most.
        for strategy in environment.strategies().into_iter().rev().take(1).chain(["none"]) {
            let versions = if strategy == "none" { 1 } else { 2 };
            let base = release(&environment, strategy, versions);
            assert_eq!(difference(&base, &catalog, &validator), None);
            assert!(validator.is_valid(&base), "{base}");
            for (key, rule) in environment.table.keys.iter().filter(|(key, _)| !key.ends_with("[]")) {
                let with = |value: Value| {
                    let mut release = base.clone();
                    put(&mut release, key, value);
                    release
                };
                let mut refused = 0;
                for sample in samples() {
                    let release = with(sample);
                    judged += 1;
                    refused += usize::from(!validator.is_valid(&release));
                    faults.extend(difference(&release, &catalog, &validator));
                }
                let takes_all = rule.form == Form::Any || rule.dead.is_some();
                assert_eq!(refused == 0, takes_all, "{}: `{key}` refuses {refused} samples", environment.name);
                for good in [&rule.default, &rule.example].into_iter().flatten() {
                    // The example of the environment is that of another one.
                    if key == "environment" || key == "application.strategy" {
                        continue;
                    }
                    let release = with(good.clone());
                    assert!(validator.is_valid(&release), "{release}");
                    assert_eq!(difference(&release, &catalog, &validator), None);
                }
                let (above, _) = key.rsplit_once('.').unwrap_or(("", key));
                for (name, is_known) in [("nobodysKey", above.is_empty()), ("x-mine", true)] {
                    let mut release = base.clone();
                    put(
                        &mut release,
                        &if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") },
                        json!(1),
                    );
                    let beside_metadata = environment.table.keys.get(above).is_none_or(|rule| rule.form == Form::Map);
                    if beside_metadata {
                        assert_eq!(validator.is_valid(&release), is_known, "{release}");
                    }
                    faults.extend(difference(&release, &catalog, &validator));
                }
            }
        }
    }
    assert!(judged > 10_000, "{judged}");
    let shown: Vec<String> = faults.iter().take(30).cloned().collect();
    assert!(faults.is_empty(), "{} differences\n{}", faults.len(), shown.join("\n"));
}

/// The paths of every node of a tree, as JSON pointers.
fn pointers(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                pointers(value, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Every release that one change makes of another: a value in place of each node, a node less, a key more.
fn changes(release: &Value) -> Vec<Value> {
    let mut changed = Vec::new();
    let mut paths = Vec::new();
    pointers(release, "", &mut paths);
    for path in paths.iter().filter(|path| !path.is_empty()) {
        let mut with = |change: &dyn Fn(&mut Value)| {
            let mut release = release.clone();
            change(release.pointer_mut(path).unwrap());
            changed.push(release);
        };
        for sample in samples() {
            with(&|node| *node = sample.clone());
        }
        with(&|node| {
            if let Some(map) = node.as_object_mut() {
                map.insert("nobodysKey".into(), json!(1));
            }
        });
        let (above, name) = path.rsplit_once('/').unwrap();
        let mut less = release.clone();
        match less.pointer_mut(above).unwrap() {
            Value::Object(map) => drop(map.shift_remove(&name.replace("~1", "/").replace("~0", "~"))),
            Value::Array(items) => drop(items.remove(name.parse().unwrap())),
            _ => unreachable!("a node lies in a map or a list"),
        }
        changed.push(less);
    }
    changed
}

#[test]
fn what_a_change_makes_of_an_accepted_release_is_judged_alike() {
    let catalog = Catalog::embedded();
    let validator = validator(&catalog);
    let (mut faults, mut judged) = (BTreeSet::new(), 0);
    let chosen = |case: &Case| case.catalog.files() == catalog.files() && case.text.len() < 500;
    let texts: BTreeSet<String> = cases().into_iter().filter(chosen).map(|case| case.text).collect();
    // Every second one: all take twice as long.
    for text in texts.into_iter().step_by(2) {
        let accepted = decode(&text, &catalog, &identity(None, "default")).is_ok();
        let documents = read_by_an_editor(&text).unwrap_or_default();
        let [release] = documents.as_slice() else { continue };
        if !accepted {
            continue;
        }
        for changed in changes(release) {
            judged += 1;
            faults.extend(difference(&changed, &catalog, &validator));
        }
    }
    assert!(judged > 10_000, "{judged}");
    let shown: Vec<String> = faults.iter().take(30).cloned().collect();
    assert!(faults.is_empty(), "{} differences\n{}", faults.len(), shown.join("\n"));
}
