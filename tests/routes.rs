//! Every environment and strategy × 1 to 4 versions × every subset of ready versions × weights with zeros: the route gives
//! the shares of the reference below, which is written here apart from the code.

#[path = "parts/control_plane.rs"]
mod control_plane;
#[path = "routes/gates.rs"]
mod gates;
mod istio;
mod parts;
#[path = "routes/real.rs"]
mod real;
#[path = "parts/server.rs"]
mod server;
#[path = "parts/shared.rs"]
mod shared;
#[path = "parts/skipped.rs"]
mod skipped;

use std::collections::BTreeMap;

use r8::manifest::read_documents;
use r8::render::{RenderErrors, Rendered, render};
use r8::route::Route;
use r8::spec::{Identity, ReleaseSpec, Unknown};
use r8::templates::Catalog;
use r8::values::{Source, SourceName, load};
use serde_json::{Value, json};

/// What a route does with requests.
#[derive(Debug, PartialEq)]
struct Traffic {
    /// Version and share of requests that no match claims; shares add up to 1.
    others: BTreeMap<usize, f64>,
    /// Candidates whose matches are in the route, in order.
    matched: Vec<usize>,
    /// Versions that get copies, with the percentage.
    mirrored: BTreeMap<usize, u64>,
    /// Versions that have a route of their own for requests with their name in the header `branch`, in order.
    named: Vec<usize>,
}

/// The reference: weights in force are those of ready versions, and the primary's 1 when that leaves none.
fn reference(environment: &str, strategy: &str, weights: &[u32], ready: &[bool]) -> Traffic {
    let mut force: Vec<u32> =
        weights.iter().zip(ready).map(|(weight, ready)| if *ready { *weight } else { 0 }).collect();
    if force.iter().sum::<u32>() == 0 {
        force[0] = 1;
    }
    let named = sends_to_itself(environment, strategy);
    let named: Vec<usize> = (0..force.len()).filter(|index| named && (*index == 0 || force[*index] > 0)).collect();
    let candidates = || force.iter().enumerate().skip(1).filter(|(_, weight)| **weight > 0);
    let only_primary = BTreeMap::from([(0, 1.0)]);
    match strategy {
        "blue-green" => {
            let sum: f64 = force.iter().map(|weight| f64::from(*weight)).sum();
            let shares = force.iter().enumerate().filter(|(_, weight)| **weight > 0);
            let others = shares.map(|(index, weight)| (index, f64::from(*weight) / sum)).collect();
            Traffic { others, matched: vec![], mirrored: BTreeMap::new(), named }
        }
        "canary" => Traffic {
            others: only_primary,
            matched: candidates().map(|(index, _)| index).collect(),
            mirrored: BTreeMap::new(),
            named,
        },
        "mirror" => Traffic {
            others: only_primary,
            matched: vec![],
            mirrored: candidates().map(|(index, weight)| (index, u64::from(*weight))).collect(),
            named,
        },
        other => panic!("no reference for {other}"),
    }
}

/// Whether a route's split sends a request to the route itself again, with a header that names the version.
fn sends_to_itself(environment: &str, strategy: &str) -> bool {
    strategy == "blue-green" && is_knative(environment)
}

/// Whether Knative serves the versions.
fn is_knative(environment: &str) -> bool {
    environment == "kserve" || environment.starts_with("kserve-0.")
}

/// The weights that the strategy reads; a version whose weight is not read counts 1.
fn effective(environment: &str, strategy: &str, wanted: &[u32]) -> Vec<u32> {
    let read = |index: usize| match strategy {
        "canary" => is_knative(environment),
        "mirror" => index > 0,
        _ => true,
    };
    wanted.iter().enumerate().map(|(index, weight)| if read(index) { *weight } else { 1 }).collect()
}

/// Reads a route as Istio and the Gateway API do: an absent weight counts 0 (Istio) or 1 (Gateway API) beside others.
fn traffic(object: &Value) -> Traffic {
    let (rules, absent) = rules(object);
    let mut found = Traffic { others: BTreeMap::new(), matched: vec![], mirrored: BTreeMap::new(), named: vec![] };
    for (position, rule) in rules.iter().enumerate() {
        let destinations = destinations(rule);
        assert!(!destinations.is_empty(), "a rule without a destination: {rule}");
        let weights: Vec<u64> = destinations
            .iter()
            .map(|item| item["weight"].as_u64().unwrap_or(if destinations.len() == 1 { 1 } else { absent }))
            .collect();
        let sum: u64 = weights.iter().sum();
        assert!(sum > 0, "the weights of a rule add up to 0: {rule}");
        let matches = &rule["match"];
        let matches = if matches.is_null() { &rule["matches"] } else { matches };
        if matches.is_null() {
            assert_eq!(position, rules.len() - 1, "a rule for every request stands before another");
            let alone = destinations.len() == 1 && version(&destinations[0]) == 0;
            assert!(!alone || destinations[0]["weight"].is_null(), "a primary alone has a weight: {rule}");
            for (item, weight) in destinations.iter().zip(&weights) {
                assert!(*weight > 0, "a destination of weight 0: {rule}");
                let share = *weight as f64 / sum as f64;
                assert!(found.others.insert(version(item), share).is_none(), "twice in {rule}");
            }
            if !rule["mirror"].is_null() {
                let host = rule["mirror"]["host"].as_str().unwrap();
                found.mirrored.insert(index_of(host), rule["mirrorPercentage"]["value"].as_u64().unwrap());
            }
        } else if matches[0]["headers"]["branch"].is_null() {
            found.matched.push(version(&destinations[0]));
        } else {
            // The named route of kserve blue-green, to which the split sends a request with the header `branch`.
            assert_eq!(matches[0]["headers"]["branch"]["exact"], json!(format!("app-{}", version(&destinations[0]))));
            found.named.push(version(&destinations[0]));
        }
    }
    assert!(!found.others.is_empty(), "requests that no match claims have nowhere to go: {object}");
    found
}

/// The rules of a route, and what the weight of a destination is that has none.
fn rules(object: &Value) -> (&[Value], u64) {
    let (rules, absent) = match object["kind"].as_str() {
        Some("VirtualService") => ("http", 0),
        Some("HTTPRoute") => ("rules", 1),
        kind => panic!("{kind:?}"),
    };
    (object["spec"][rules].as_array().unwrap(), absent)
}

fn destinations(rule: &Value) -> &[Value] {
    rule["route"].as_array().or(rule["backendRefs"].as_array()).unwrap()
}

/// The route as the Iter8 controller makes it of the open text.
fn by_the_controller(route: &Route, weights: &[u32]) -> Value {
    read_documents(&route.text_at(weights)).unwrap().remove(0)
}

fn version(destination: &Value) -> usize {
    let headers = &destination["headers"];
    let named = [
        &headers["response"]["add"]["app-version"],
        &headers["request"]["set"]["branch"],
        &destination["filters"][0]["responseHeaderModifier"]["add"][0]["value"],
    ];
    index_of(named.iter().find_map(|value| value.as_str()).unwrap_or_else(|| panic!("{destination}")))
}

/// `app-2`, `app-2.default.svc…` or `app-2-predictor…` is version 2.
fn index_of(name: &str) -> usize {
    let rest = name.strip_prefix("app-").unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

fn rendered(environment: &str, strategy: &str, weights: &[u32]) -> Rendered {
    rendered_with(&Catalog::embedded(), environment, strategy, weights).unwrap()
}

/// The value of the header `traffic` that a candidate claims.
fn claim(index: usize) -> String {
    format!("test-{index}")
}

fn rendered_with(
    catalog: &Catalog,
    environment: &str,
    strategy: &str,
    weights: &[u32],
) -> Result<Rendered, RenderErrors> {
    let mut text = format!("environment: {environment}\napplication:\n  strategy: {strategy}\n  versions:\n");
    let key = catalog.environment(environment).unwrap().strategy(strategy).and_then(|rule| rule.matches.clone());
    let reads = |strategy: &str| strategy == "blue-green" || strategy == "mirror" || environment.starts_with("kserve");
    for (index, weight) in weights.iter().enumerate() {
        let fields = if environment.starts_with("deployment") {
            "image: i"
        } else {
            "{storageUri: s3://m, modelFormat: sklearn}"
        };
        text += "  - ";
        text += if fields.starts_with('{') { "storageUri: s3://m\n    modelFormat: sklearn\n" } else { "image: i\n" };
        let unread = strategy == "mirror" && index == 0 || strategy == "canary" && !reads(strategy);
        if !unread {
            text += &format!("    weight: {weight}\n");
        }
        // Each candidate claims requests of its own.
        let value = claim(index);
        text += &match key.as_deref().filter(|_| index > 0) {
            None => String::new(),
            Some("match") => format!("    match: [{{headers: {{traffic: {{exact: {value}}}}}}}]\n"),
            Some(key) => format!("    {key}: [{{headers: [{{name: traffic, value: {value}}}]}}]\n"),
        };
    }
    let sources = [Source { name: SourceName::Stdin, text: text.clone() }];
    let values = load(&sources).unwrap();
    let identity = Identity { release: Some("app".into()), namespace: "default".into() };
    let (spec, _) = ReleaseSpec::decode(&values, catalog, &identity, Unknown::Refuse)
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    render(&spec, catalog)
}

/// Calls `check` with every environment, strategy, wanted weights, route and readiness.
fn each(mut check: impl FnMut(&str, &str, &[u32], &Route, &[bool])) -> usize {
    let mut count = 0;
    for environment in Catalog::embedded().environments() {
        for strategy in environment.strategies.iter().filter(|strategy| *strategy != "none") {
            let most = if strategy == "mirror" { 2 } else { 4 };
            for versions in 1..=most {
                // A mirror that copies nothing is refused.
                for wanted in
                    wanted(versions).into_iter().filter(|wanted| strategy != "mirror" || wanted.get(1) != Some(&0))
                {
                    let rendered = rendered(&environment.name, strategy, &wanted);
                    let route = rendered.route.expect("a strategy other than none has a route");
                    for subset in 0..1_u32 << versions {
                        let ready: Vec<bool> = (0..versions).map(|index| subset & 1 << index != 0).collect();
                        check(&environment.name, strategy, &wanted, &route, &ready);
                        count += 1;
                    }
                }
            }
        }
    }
    count
}

/// Weights with and without zeros; never all 0, which is refused.
fn wanted(versions: usize) -> Vec<Vec<u32>> {
    let mut list =
        vec![[50, 50, 50, 50], [10, 20, 30, 40], [0, 30, 70, 5], [30, 0, 70, 0], [100, 0, 0, 0], [0, 0, 0, 9]];
    list.dedup();
    let cut = list.into_iter().map(|weights| weights[..versions].to_vec());
    let mut list: Vec<Vec<u32>> = cut.filter(|weights| weights.iter().sum::<u32>() > 0).collect();
    list.sort();
    list.dedup();
    list
}

#[test]
fn every_route_gives_the_shares_of_the_reference() {
    let count = each(|environment, strategy, wanted, route, ready| {
        let weights = route.in_force(|index| ready[index]);
        let expected = reference(environment, strategy, &effective(environment, strategy, wanted), ready);
        let object = route.at(&weights).unwrap().object;
        for object in [&object, &by_the_controller(route, &weights)] {
            assert_eq!(traffic(object), expected, "{environment}/{strategy} {wanted:?} ready {ready:?}: {object:#}");
        }
        for rule in rules(&object).0 {
            let alone = destinations(rule).len() == 1;
            assert!(
                !alone || destinations(rule)[0]["weight"].is_null(),
                "an only destination has a weight: {object:#}"
            );
        }
    });
    assert!(count > 1000, "{count} routes");
}

#[test]
fn one_version_needs_no_action_of_the_controller() {
    for environment in Catalog::embedded().environments() {
        for strategy in environment.strategies.iter().filter(|strategy| *strategy != "none") {
            let route = rendered(&environment.name, strategy, &[50]).route.unwrap();
            assert!(!route.open().contains("{{"), "{}/{strategy}: {}", environment.name, route.open());
        }
    }
}

#[test]
fn the_route_is_read_back_from_the_routemap() {
    each(|environment, strategy, wanted, route, ready| {
        if ready.iter().any(|ready| !ready) {
            return;
        }
        let routemap = rendered(environment, strategy, wanted).routemap.unwrap();
        let text = routemap.object["data"]["strSpec"].as_str().unwrap();
        let read = Route::parse(text).unwrap().unwrap();
        assert_eq!(read.wanted(), route.wanted(), "{environment}/{strategy}");
        let weights = route.in_force(|_| true);
        assert_eq!(read.at(&weights).unwrap().object, route.at(&weights).unwrap().object);
    });
}
