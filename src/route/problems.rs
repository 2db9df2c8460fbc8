//! What of a route cannot be read: parts of a wrong type, where shares and answers are read as if nothing stood there.

use serde_json::Value;

use crate::manifest::found;

/// What is wrong with a VirtualService or an HTTPRoute, each with its path, in the order of the route.
///
/// An API server refuses most of it; a text that is compared with has passed none.
pub fn problems(route: &Value) -> Vec<String> {
    let istio = route["kind"] != "HTTPRoute";
    let names = if istio { ISTIO } else { GATEWAY };
    let spec = &route["spec"];
    if !spec.is_object() {
        return vec![must_be(".spec", "a map", spec)];
    }
    let path = format!(".spec.{}", names.rules);
    let rules = match &spec[names.rules] {
        // Of other protocols r8 reads nothing.
        Value::Null if istio && (spec["tcp"].is_array() || spec["tls"].is_array()) => return Vec::new(),
        Value::Null => return vec![format!("`{path}` is missing, so that no request has a destination")],
        Value::Array(rules) => rules,
        other => return vec![must_be(&path, "a list", other)],
    };
    if rules.is_empty() {
        return vec![format!("`{path}` is empty, so that no request has a destination")];
    }
    let mut wrong = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        of_rule(&format!("{path}[{index}]"), rule, &names, &mut wrong);
    }
    wrong
}

/// The keys of one kind of route.
struct Names {
    rules: &'static str,
    matches: &'static str,
    destinations: &'static str,
    /// Keys of a rule that answer a request without a destination.
    others: &'static [&'static str],
}

const ISTIO: Names = Names {
    rules: "http",
    matches: "match",
    destinations: "route",
    others: &["redirect", "directResponse", "delegate"],
};
const GATEWAY: Names = Names { rules: "rules", matches: "matches", destinations: "backendRefs", others: &[] };

fn of_rule(path: &str, rule: &Value, names: &Names, wrong: &mut Vec<String>) {
    if !rule.is_object() {
        return wrong.push(must_be(path, "a map", rule));
    }
    each(&format!("{path}.{}", names.matches), &rule[names.matches], wrong, |path, one, wrong| {
        if !one.is_object() {
            wrong.push(must_be(path, "a map", one));
        }
    });
    let destinations = &rule[names.destinations];
    let place = format!("{path}.{}", names.destinations);
    each(&place, destinations, wrong, of_destination);
    let is_empty = destinations.is_null() || destinations.as_array().is_some_and(Vec::is_empty);
    let mut filters = rule["filters"].as_array().into_iter().flatten();
    let answers = names.others.iter().any(|key| !rule[*key].is_null())
        || filters.any(|filter| filter["type"] == "RequestRedirect");
    if is_empty && !answers {
        wrong.push(format!("`{path}` has no destination"));
    }
    let mirror = &rule["mirror"];
    if !mirror.is_null() && !is_name(&mirror["host"]) {
        wrong.push(must_be(&format!("{path}.mirror.host"), "the name of a host", &mirror["host"]));
    }
    let percent = &rule["mirrorPercentage"]["value"];
    if !percent.is_null() && !percent.as_f64().is_some_and(|percent| (0.0..=100.0).contains(&percent)) {
        wrong.push(must_be(&format!("{path}.mirrorPercentage.value"), "a number from 0 to 100", percent));
    }
}

fn of_destination(path: &str, one: &Value, wrong: &mut Vec<String>) {
    if !one.is_object() {
        return wrong.push(must_be(path, "a map", one));
    }
    let (key, name) = match one.get("destination") {
        Some(destination) => ("destination.host", &destination["host"]),
        None if one.get("name").is_some() => ("name", &one["name"]),
        None => return wrong.push(format!("`{path}` names no destination")),
    };
    if !is_name(name) {
        wrong.push(must_be(&format!("{path}.{key}"), "a name", name));
    }
    let weight = &one["weight"];
    if !weight.is_null() && weight.as_u64().is_none() {
        wrong.push(must_be(&format!("{path}.weight"), "a whole number, 0 or more", weight));
    }
}

/// Looks at every item of a list; at none where there is nothing.
fn each(path: &str, list: &Value, wrong: &mut Vec<String>, look: impl Fn(&str, &Value, &mut Vec<String>)) {
    match list {
        Value::Null => {}
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| look(&format!("{path}[{index}]"), item, wrong));
        }
        other => wrong.push(must_be(path, "a list", other)),
    }
}

fn is_name(value: &Value) -> bool {
    value.as_str().is_some_and(|name| !name.is_empty())
}

fn must_be(path: &str, what: &str, value: &Value) -> String {
    format!("`{path}` must be {what}, found {}", found(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn istio(http: Value) -> Vec<String> {
        problems(&json!({"kind": "VirtualService", "spec": {"http": http}}))
    }

    fn gateway(rules: Value) -> Vec<String> {
        problems(&json!({"kind": "HTTPRoute", "spec": {"rules": rules}}))
    }

    #[test]
    fn every_part_of_a_wrong_type_is_named() {
        assert_eq!(problems(&json!({"kind": "VirtualService", "spec": []})), ["`.spec` must be a map, found a list"]);
        assert_eq!(istio(json!(5)), ["`.spec.http` must be a list, found the number 5"]);
        assert_eq!(istio(json!(["a"])), ["`.spec.http[0]` must be a map, found a string"]);
        assert_eq!(istio(json!([{"route": {}}])), ["`.spec.http[0].route` must be a list, found a map"]);
        let to = |weight: Value| json!({"destination": {"host": "a"}, "weight": weight});
        let rule = json!({"match": ["x"], "route": [to(json!(-5)), to(json!("x")), to(json!(0.5)), to(json!(1)), {"destination": {}}, {}]});
        let want = [
            "`.spec.http[0].match[0]` must be a map, found a string",
            "`.spec.http[0].route[0].weight` must be a whole number, 0 or more, found the number -5",
            "`.spec.http[0].route[1].weight` must be a whole number, 0 or more, found a string",
            "`.spec.http[0].route[2].weight` must be a whole number, 0 or more, found the number 0.5",
            "`.spec.http[0].route[4].destination.host` must be a name, found nothing",
            "`.spec.http[0].route[5]` names no destination",
        ];
        assert_eq!(istio(json!([rule])), want);
        let want = ["`.spec.rules[0].backendRefs[0].name` must be a name, found the number 5"];
        assert_eq!(gateway(json!([{"backendRefs": [{"name": 5}]}])), want);
        let rule = json!([{"route": [to(json!(1))], "mirror": {"host": "b"}, "mirrorPercentage": {"value": -3}}]);
        let want = ["`.spec.http[0].mirrorPercentage.value` must be a number from 0 to 100, found the number -3"];
        assert_eq!(istio(rule), want);
        let want = ["`.spec.http[0].mirror.host` must be the name of a host, found nothing"];
        assert_eq!(istio(json!([{"route": [to(json!(1))], "mirror": {}}])), want);
    }

    #[test]
    fn a_route_without_destinations_is_told() {
        for empty in [json!({}), json!({"route": []})] {
            assert_eq!(istio(json!([empty])), ["`.spec.http[0]` has no destination"]);
        }
        assert_eq!(istio(json!([])), ["`.spec.http` is empty, so that no request has a destination"]);
        assert_eq!(gateway(Value::Null), ["`.spec.rules` is missing, so that no request has a destination"]);
        assert_eq!(gateway(json!([{}])), ["`.spec.rules[0]` has no destination"]);
    }

    #[test]
    fn what_answers_without_a_destination_is_no_problem() {
        assert_eq!(istio(json!([{"redirect": {"uri": "/"}}, {"directResponse": {"status": 503}}])), [""; 0]);
        assert_eq!(gateway(json!([{"filters": [{"type": "RequestRedirect"}]}])), [""; 0]);
        assert_eq!(problems(&json!({"kind": "VirtualService", "spec": {"tcp": []}})), [""; 0]);
    }
}
