//! The same releases before the real parts: Go's `html/template`, the published schemas, Istio's and KServe's validation.

use std::collections::{BTreeMap, BTreeSet};

use r8::route::Route;
use serde_json::{Value, json};

use super::server::Server;
use super::shared::shared;
use super::{by_the_controller, each, parts, rendered};

/// The weights in force of every route, for every set of ready versions.
fn vectors() -> BTreeMap<String, (Route, BTreeSet<Vec<u32>>)> {
    let mut found: BTreeMap<String, (Route, BTreeSet<Vec<u32>>)> = BTreeMap::new();
    each(|environment, strategy, wanted, route, ready| {
        let name = format!("{environment}/{strategy} {wanted:?}");
        let (_, vectors) = found.entry(name).or_insert_with(|| (route.clone(), BTreeSet::new()));
        vectors.insert(route.in_force(|index| ready[index]));
    });
    found
}

/// Takes away the weight of every destination that stands alone, which means nothing.
fn without_lone_weights(object: &mut Value) {
    for (rules, destinations) in [("http", "route"), ("rules", "backendRefs")] {
        for rule in object["spec"].get_mut(rules).and_then(Value::as_array_mut).into_iter().flatten() {
            let list = rule.get_mut(destinations).and_then(Value::as_array_mut);
            if let Some([only]) = list.map(Vec::as_mut_slice) {
                only.as_object_mut().unwrap().remove("weight");
            }
        }
    }
}

#[test]
fn gos_evaluation_is_the_route_but_for_the_weight_of_a_lone_destination() {
    if !parts::wanted() {
        return;
    }
    let mut part = parts::Part::start("helm");
    let mut compared = 0;
    for (name, (route, vectors)) in vectors() {
        let vectors: Vec<Vec<u32>> = vectors.into_iter().collect();
        let question = json!({"op": "template", "text": route.open(), "weights": vectors, "parse": true});
        let answer = part.ask(&question).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (index, weights) in vectors.iter().enumerate() {
            let mut theirs = answer["objects"][index].clone();
            assert_eq!(theirs, by_the_controller(&route, weights), "{name} at {weights:?}");
            without_lone_weights(&mut theirs);
            assert_eq!(theirs, route.at(weights).unwrap().object, "{name} at {weights:?}");
            compared += 1;
        }
    }
    assert!(compared > 500, "{compared} routes were compared");
}

/// Every object of every release, the routes for every set of ready versions; each once.
fn objects() -> Vec<(String, Value)> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut add = |name: &str, object: Value| {
        if seen.insert(object.to_string()) {
            found.push((name.to_owned(), object));
        }
    };
    each(|environment, strategy, wanted, route, ready| {
        let name = format!("{environment}/{strategy} {wanted:?}");
        if ready.iter().all(|ready| *ready) {
            let rendered = rendered(environment, strategy, wanted);
            rendered
                .manifests
                .iter()
                .chain(&rendered.routemap)
                .for_each(|manifest| add(&name, manifest.object.clone()));
        }
        add(&name, route.at(&route.in_force(|index| ready[index])).unwrap().object);
    });
    found
}

/// Has a part judge all objects, of which there are at least `least` that it knows.
fn valid_to(module: &str, least: usize) {
    let objects = objects();
    let list: Vec<&Value> = objects.iter().map(|(_, object)| object).collect();
    let answer = parts::Part::start(module).ask(&json!({"op": "validate", "objects": list})).unwrap();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), objects.len());
    let judged = results.iter().filter(|result| result["skipped"] != true).count();
    assert!(judged >= least, "{judged} objects were judged");
    let refused = objects.iter().zip(results).flat_map(|((name, object), result)| {
        let errors = result["errors"].as_array().into_iter().flatten();
        errors.map(move |error| format!("{name}: {} {}: {error}", object["kind"], object["metadata"]["name"]))
    });
    let refused: Vec<String> = refused.collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn istio_takes_every_route_of_one_to_four_versions() {
    if parts::wanted() {
        valid_to("istio", 200);
    }
}

#[test]
fn kserve_takes_the_services_of_one_to_four_versions() {
    if parts::wanted() {
        valid_to("kserve", 12);
    }
}

#[test]
fn the_published_schemas_take_every_object_of_one_to_four_versions() {
    if !parts::wanted() {
        return;
    }
    let Some(crds) = shared("crds") else { return };
    let objects = objects();
    let list: Vec<&Value> = objects.iter().map(|(_, object)| object).collect();
    assert!(list.len() > 300, "{} objects were tried", list.len());
    Server::start(&crds).takes(&list);
}
