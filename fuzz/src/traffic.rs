//! Where a route sends requests, read off the object apart from the code that makes it.

use r8::spec::Application;
use serde_json::{Value, json};

/// One way out of a rule: the version's name, and its weight if one is written.
type Share<'a> = (&'a str, Option<u64>);

/// Checks a route against the versions that are ready: their weights are in force, and the primary's 1 when that leaves none.
pub(crate) fn check(object: &Value, application: &Application, ready: &[usize]) {
    let names: Vec<&str> = application.versions.iter().map(|version| destination(version).0).collect();
    let mut force: Vec<u64> = (application.versions.iter())
        .map(|version| if ready.contains(&version.index) { u64::from(version.weight) } else { 0 })
        .collect();
    if force.iter().sum::<u64>() == 0 {
        force[0] = 1;
    }
    let (rules, list) = rules(object);
    let (last, before) = rules.split_last().unwrap_or_else(|| panic!("no rule: {object:#}"));
    for rule in rules {
        check_weights(&shares(rule, list), rule);
    }
    let candidates: Vec<usize> = (1..force.len()).filter(|index| force[*index] > 0).collect();
    let alone = vec![(names[0], None)];
    assert!(matches(last).is_null(), "requests that no match claims have nowhere to go: {object:#}");
    match application.strategy.as_str() {
        "blue-green" => {
            let out: Vec<usize> = (0..force.len()).filter(|index| force[*index] > 0).collect();
            let weight = |index: usize| (out.len() > 1).then_some(force[index]);
            // A candidate that is the only one left may still carry its weight: it has all the requests either way.
            let mut found = shares(last, list);
            if let [(_, weight)] = found.as_mut_slice() {
                *weight = None;
            }
            let expected: Vec<Share<'_>> = out.iter().map(|index| (names[*index], weight(*index))).collect();
            assert_eq!(found, expected, "ready {ready:?}: {object:#}");
            check_branches(before, list, &names, &candidates);
        }
        "canary" => {
            assert_eq!(shares(last, list), alone, "ready {ready:?}: {object:#}");
            let found: Vec<(Vec<Share<'_>>, &Value)> =
                before.iter().map(|rule| (shares(rule, list), matches(rule))).collect();
            let expected = candidates.iter().map(|index| {
                let claimed = application.versions[*index].matches.as_ref().expect("a candidate has a match");
                (vec![(names[*index], None)], claimed)
            });
            assert_eq!(found, expected.collect::<Vec<_>>(), "ready {ready:?}: {object:#}");
        }
        "mirror" => {
            assert_eq!((shares(last, list), before.len()), (alone, 0), "ready {ready:?}: {object:#}");
            let expected = candidates.first().map(|index| {
                let (_, host, port) = destination(&application.versions[*index]);
                json!({"mirror": {"host": host, "port": {"number": port}}, "mirrorPercentage": {"value": force[*index]}})
            });
            let mut found = last.as_object().cloned().unwrap_or_default();
            found.retain(|key, _| key.starts_with("mirror"));
            assert_eq!(found, expected.and_then(|value| value.as_object().cloned()).unwrap_or_default());
        }
        other => panic!("strategy {other}"),
    }
}

/// Name, host and port of what answers a version's requests.
fn destination(version: &r8::spec::Version) -> (&str, &str, u16) {
    let destination = version.destination.as_ref().expect("what is routed has a destination");
    (&destination.name, &destination.host, destination.port)
}

fn rules(object: &Value) -> (&[Value], &'static str) {
    let (rules, list) = match object["kind"].as_str() {
        Some("VirtualService") => (&object["spec"]["http"], "route"),
        Some("HTTPRoute") => (&object["spec"]["rules"], "backendRefs"),
        kind => panic!("{kind:?}"),
    };
    (rules.as_array().unwrap_or_else(|| panic!("no rules: {object:#}")), list)
}

fn matches(rule: &Value) -> &Value {
    rule.get("match").or_else(|| rule.get("matches")).unwrap_or(&Value::Null)
}

fn shares<'a>(rule: &'a Value, list: &str) -> Vec<Share<'a>> {
    let out = rule[list].as_array().unwrap_or_else(|| panic!("a rule without a way out: {rule:#}"));
    let name = |item: &'a Value| {
        let named = [
            &item["headers"]["response"]["add"]["app-version"],
            &item["headers"]["request"]["set"]["branch"],
            &item["filters"][0]["responseHeaderModifier"]["add"][0]["value"],
        ];
        named.into_iter().find_map(Value::as_str).unwrap_or_else(|| panic!("no version is named: {item:#}"))
    };
    out.iter().map(|item| (name(item), item["weight"].as_u64())).collect()
}

/// One way out, or several that each have a weight above 0.
fn check_weights(shares: &[Share<'_>], rule: &Value) {
    assert!(!shares.is_empty(), "a rule without a way out: {rule:#}");
    let right = shares.len() == 1 || shares.iter().all(|(_, weight)| weight.is_some_and(|weight| weight > 0));
    assert!(right, "a share of nothing: {rule:#}");
}

/// Before the split of kserve stands a rule for each version that a request may name in its header `branch`: the primary, and
/// every candidate that has a share.
fn check_branches(rules: &[Value], list: &str, names: &[&str], candidates: &[usize]) {
    if rules.is_empty() {
        return;
    }
    let named: Vec<&str> = [0].iter().chain(candidates).map(|index| names[*index]).collect();
    let found: Vec<&str> = rules.iter().map(|rule| shares(rule, list)[0].0).collect();
    assert_eq!(found, named);
    for (rule, name) in rules.iter().zip(named) {
        assert_eq!(*matches(rule), json!([{"headers": {"branch": {"exact": name}}}]));
    }
}
