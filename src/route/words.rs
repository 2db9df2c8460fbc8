//! The rules of a route that take some requests out, or copy them, in words.

use std::fmt::Write;

use serde_json::Value;

use super::shares::{mirrored, name, percent, takes_all, weight};

/// One alternative of a match, or the copies of a rule: which requests, and who answers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which requests, as in `requests with header traffic: test`.
    pub requests: String,
    /// Names of the versions that answer them, as their answers carry them; of copies with their percentage.
    pub versions: Vec<String>,
    /// Whether they are copies of requests that others answer.
    pub copies: bool,
}

/// The rules with matches, in the order of the route, and a mirror; the second hop through Knative's gateway is none.
pub fn rules(route: &Value) -> Vec<Rule> {
    let istio = route["spec"]["http"].as_array();
    let all = istio.or(route["spec"]["rules"].as_array()).into_iter().flatten();
    let mut found = Vec::new();
    for rule in all {
        let (matches, destinations) = match istio {
            Some(_) => (&rule["match"], &rule["route"]),
            None => (&rule["matches"], &rule["backendRefs"]),
        };
        let destinations = destinations.as_array().map(Vec::as_slice).unwrap_or_default();
        let alone = destinations.len() == 1;
        let takes = |destination: &&Value| alone || weight(destination, istio.is_some()) > 0;
        let versions: Vec<String> = destinations.iter().filter(takes).map(name).collect();
        let hop = |version: &String| *matches == serde_json::json!([{"headers": {"branch": {"exact": version}}}]);
        if takes_all(matches) {
            if let Some(name) = mirrored(rule) {
                let percent = percent(rule);
                let requests = "copies of requests, whose answers are dropped".to_owned();
                found.push(Rule { requests, versions: vec![format!("{percent}% to {name}")], copies: true });
            }
            // Rules behind it never see a request.
            break;
        }
        if !versions.iter().any(hop) {
            let of = if istio.is_some() { istio_match } else { gateway_match };
            found.extend(matches.as_array().into_iter().flatten().map(|one| Rule {
                requests: format!("requests {}", of(one)),
                versions: versions.clone(),
                copies: false,
            }));
        }
    }
    found
}

/// Who answers the requests that no match takes out, by name; nobody where no rule takes them.
pub fn others(route: &Value) -> Vec<String> {
    let istio = route["spec"]["http"].as_array();
    let mut all = istio.or(route["spec"]["rules"].as_array()).into_iter().flatten();
    let (matches, list) = if istio.is_some() { ("match", "route") } else { ("matches", "backendRefs") };
    let Some(rule) = all.find(|rule| takes_all(&rule[matches])) else { return Vec::new() };
    let destinations = rule[list].as_array().map(Vec::as_slice).unwrap_or_default();
    let takes = |destination: &&Value| destinations.len() == 1 || weight(destination, istio.is_some()) > 0;
    destinations.iter().filter(takes).map(name).collect()
}

/// One `HTTPMatchRequest` of Istio's.
fn istio_match(one: &Value) -> String {
    let mut parts = Vec::new();
    let mut add = |what: &str, test: &Value| {
        if test.is_object() {
            parts.push(format!("{what} {}", string_match(test)));
        }
    };
    add("with method", &one["method"]);
    add("for path", &one["uri"]);
    add("for host", &one["authority"]);
    add("with scheme", &one["scheme"]);
    for (key, verb) in [("headers", "with"), ("withoutHeaders", "without")] {
        for (header, test) in one[key].as_object().into_iter().flatten() {
            parts.push(named(verb, "header", header, test));
        }
    }
    for (parameter, test) in one["queryParams"].as_object().into_iter().flatten() {
        parts.push(named("with", "query parameter", parameter, test));
    }
    for key in ["port", "gateways", "sourceLabels", "sourceNamespace", "statPrefix"] {
        match &one[key] {
            Value::Null => {}
            _ if key == "statPrefix" => {}
            value => parts.push(format!("with {key} {value}")),
        }
    }
    if one["ignoreUriCase"] == true {
        parts.push("in any case".to_owned());
    }
    both(&parts)
}

/// One `HTTPRouteMatch` of the Gateway API's.
fn gateway_match(one: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(method) = one["method"].as_str() {
        parts.push(format!("with method {method}"));
    }
    if let Some(value) = one["path"]["value"].as_str() {
        parts.push(match one["path"]["type"].as_str() {
            Some("Exact") => format!("for path {value}"),
            Some("RegularExpression") => format!("for path matching /{value}/"),
            _ => format!("for path {value} and below"),
        });
    }
    for (key, what) in [("headers", "header"), ("queryParams", "query parameter")] {
        for test in one[key].as_array().into_iter().flatten() {
            let (name, value) = (test["name"].as_str().unwrap_or_default(), test["value"].as_str().unwrap_or_default());
            parts.push(match test["type"].as_str() {
                Some("RegularExpression") => format!("with {what} {name} matching /{value}/"),
                _ => format!("with {what} {name}: {value}"),
            });
        }
    }
    both(&parts)
}

fn both(parts: &[String]) -> String {
    if parts.is_empty() { "of any kind".to_owned() } else { parts.join(" and ") }
}

fn named(verb: &str, what: &str, name: &str, test: &Value) -> String {
    let mut text = format!("{verb} {what} {name}");
    match (test["exact"].as_str(), test["prefix"].as_str(), test["regex"].as_str()) {
        (Some(value), ..) => drop(write!(text, ": {value}")),
        (_, Some(value), _) => drop(write!(text, ": {value}…")),
        (.., Some(value)) => drop(write!(text, " matching /{value}/")),
        _ => {}
    }
    text
}

fn string_match(test: &Value) -> String {
    match (test["exact"].as_str(), test["prefix"].as_str(), test["regex"].as_str()) {
        (Some(value), ..) => value.to_owned(),
        (_, Some(value), _) => format!("{value}…"),
        (.., Some(value)) => format!("matching /{value}/"),
        _ => "of any kind".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(route: Value) -> Vec<String> {
        rules(&route).iter().map(|rule| format!("{} → {}", rule.requests, rule.versions.join(", "))).collect()
    }

    #[test]
    fn the_matches_of_a_virtual_service_are_told() {
        let to = |name: &str| json!([{"destination": {"host": name}}]);
        let route = json!({"spec": {"http": [
            {"match": [{"headers": {"traffic": {"exact": "test"}}}, {"uri": {"prefix": "/v2"}, "method": {"exact": "GET"}}], "route": to("b")},
            {"match": [{"withoutHeaders": {"x": {}}, "queryParams": {"a": {"regex": "[0-9]+"}}}], "route": to("c")},
            {"route": to("a")},
            {"match": [{"port": 80}], "route": to("never")}]}});
        let want = [
            "requests with header traffic: test → b",
            "requests with method GET and for path /v2… → b",
            "requests without header x and with query parameter a matching /[0-9]+/ → c",
        ];
        assert_eq!(of(route), want);
    }

    #[test]
    fn a_mirror_is_told() {
        let to = json!([{"destination": {"host": "a"}}]);
        let mirror = json!({"host": "b.models", "port": {"number": 80}});
        let route = |percent: f64| json!({"spec": {"http": [{"route": to, "mirror": mirror, "mirrorPercentage": {"value": percent}}]}});
        assert_eq!(of(route(20.0)), ["copies of requests, whose answers are dropped → 20% to b"]);
        assert_eq!(of(route(0.5)), ["copies of requests, whose answers are dropped → 0.5% to b"]);
    }

    #[test]
    fn the_matches_of_an_http_route_are_told() {
        let route = json!({"spec": {"rules": [
            {"matches": [{"path": {"type": "PathPrefix", "value": "/v2"}, "headers": [{"name": "traffic", "value": "test"}]}], "backendRefs": [{"name": "b"}]},
            {"matches": [{"method": "POST", "path": {"type": "Exact", "value": "/a"}}], "backendRefs": [{"name": "b"}, {"name": "c", "weight": 0}]},
            {"backendRefs": [{"name": "a"}]}]}});
        let want = [
            "requests for path /v2 and below and with header traffic: test → b",
            "requests with method POST and for path /a → b",
        ];
        assert_eq!(of(route), want);
    }

    #[test]
    fn the_second_hop_through_knative_is_no_rule_of_the_users() {
        let route = json!({"spec": {"http": [
            {"match": [{"headers": {"branch": {"exact": "a"}}}], "route": [{"destination": {"host": "k"}, "headers": {"response": {"add": {"app-version": "a"}}}}]},
            {"route": [{"destination": {"host": "k"}, "headers": {"request": {"set": {"branch": "a"}}}}]}]}});
        assert_eq!(of(route), Vec::<String>::new());
    }
}
