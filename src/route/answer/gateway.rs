//! An HTTPRoute: the most special match, wherever it stands.

use std::cmp::Reverse;

use serde_json::Value;

use super::{Action, Changes, Comparison, Condition, Copied, Outcome, Target, Tried, Verdict};
use crate::route::{HttpRequest, shares};

/// The order of matches: by the kind of path, its length, the method, the number of headers, of query parameters. An
/// expression has no place in the Gateway API's order; Istio puts it last.
type Rank = (u8, usize, bool, usize, usize);

/// The matches of all rules, the one that goes first first; of equal ones the order of the route counts.
pub(super) fn tried(route: &Value, request: &HttpRequest) -> Vec<Tried> {
    let mut all = Vec::new();
    for (rule, value) in rules(route).iter().enumerate() {
        let name = value["name"].as_str().map(str::to_owned);
        let mut add = |item: Option<usize>, value: &Value| {
            let conditions = conditions(value, request);
            all.push((rank(value), Tried { rule, item, name: name.clone(), conditions, verdict: Verdict::NotReached }));
        };
        match value["matches"].as_array().map(Vec::as_slice).unwrap_or_default() {
            [] => add(None, &Value::Null),
            items => items.iter().enumerate().for_each(|(index, item)| add(Some(index), item)),
        }
    }
    all.sort_by_key(|(rank, _)| Reverse(*rank));
    all.into_iter().map(|(_, tried)| tried).collect()
}

fn rules(route: &Value) -> &[Value] {
    route["spec"]["rules"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Kind and value of a path: the prefix `/` when absent.
fn path(item: &Value) -> (Comparison, &str) {
    let kind = match item["path"]["type"].as_str() {
        Some("Exact") => Comparison::Exact,
        Some("RegularExpression") => Comparison::Regex,
        _ => Comparison::PathPrefix,
    };
    (kind, item["path"]["value"].as_str().unwrap_or("/"))
}

fn rank(item: &Value) -> Rank {
    let (kind, value) = path(item);
    let (kind, length) = match kind {
        Comparison::Exact => (2, value.chars().count()),
        // A slash at its end is ignored.
        Comparison::PathPrefix => {
            (1, value.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(value).chars().count())
        }
        _ => (0, value.chars().count()),
    };
    let count = |key: &str| named(&item[key]).len();
    (kind, length, item["method"].is_string(), count("headers"), count("queryParams"))
}

/// The conditions of a list, of equal names the first one.
fn named(list: &Value) -> Vec<(&str, &Value)> {
    let mut found: Vec<(&str, &Value)> = Vec::new();
    for item in list.as_array().into_iter().flatten() {
        let name = item["name"].as_str().unwrap_or_default();
        if found.iter().all(|(known, _)| !known.eq_ignore_ascii_case(name)) {
            found.push((name, item));
        }
    }
    found
}

fn conditions(item: &Value, request: &HttpRequest) -> Vec<Condition> {
    let mut all = Vec::new();
    let (kind, value) = path(item);
    if (kind, value) != (Comparison::PathPrefix, "/") {
        all.push(Condition::new("uri", kind, value, Some(request.path.clone())));
    }
    if let Some(method) = item["method"].as_str() {
        all.push(Condition::new("method", Comparison::Exact, method, Some(request.method.clone())));
    }
    let condition = |field: String, item: &Value, found: Option<String>| {
        let expression = item["type"] == "RegularExpression";
        let comparison = if expression { Comparison::Regex } else { Comparison::Exact };
        Condition::new(&field, comparison, item["value"].as_str().unwrap_or_default(), found)
    };
    for (name, item) in named(&item["headers"]) {
        all.push(condition(format!("headers.{name}"), item, request.header(&name.to_ascii_lowercase())));
    }
    for (name, item) in named(&item["queryParams"]) {
        all.push(condition(format!("queryParams.{name}"), item, request.parameter(name).map(str::to_owned)));
    }
    all
}

/// What the rule of a match does with a request.
pub(super) fn outcome(route: &Value, tried: &Tried, index: usize, request: &HttpRequest) -> Outcome {
    let rule = rules(route).get(tried.rule).unwrap_or(&Value::Null);
    let item = tried.item.map_or(&Value::Null, |item| &rule["matches"][item]);
    let home = route["metadata"]["namespace"].as_str().unwrap_or_default();
    let action = match filter(&rule["filters"], "requestRedirect") {
        Some(found) => redirect(found, item, request),
        None => match targets(rule, item, home, request) {
            targets if targets.is_empty() => Action::Respond { status: 500 },
            targets => Action::Send(targets),
        },
    };
    let sends = matches!(action, Action::Send(_));
    Outcome { tried: index, action, copies: if sends { copies(rule, home) } else { Vec::new() }, faults: false }
}

fn filter<'a>(filters: &'a Value, key: &str) -> Option<&'a Value> {
    filters.as_array().into_iter().flatten().map(|filter| &filter[key]).find(|found| found.is_object())
}

/// The host of a backend: a Service's full name, another object's kind and name.
fn host(backend: &Value, home: &str) -> String {
    let name = backend["name"].as_str().unwrap_or_default();
    let namespace = backend["namespace"].as_str().unwrap_or(home);
    match backend["kind"].as_str() {
        None | Some("Service") => format!("{name}.{namespace}.svc.cluster.local"),
        Some(kind) => format!("{kind} {namespace}/{name}"),
    }
}

fn targets(rule: &Value, item: &Value, home: &str, request: &HttpRequest) -> Vec<Target> {
    let weight = |backend: &Value| backend["weight"].as_u64().unwrap_or(1);
    let listed = rule["backendRefs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let getting: Vec<&Value> = listed.iter().filter(|backend| weight(backend) > 0).collect();
    let total = getting.iter().map(|backend| weight(backend)).fold(0, u64::saturating_add);
    let alone = getting.len() == 1;
    let (of_rule, host_of_rule) = Changes::gateway(&rule["filters"], "requestHeaderModifier");
    let (answer_of_rule, _) = Changes::gateway(&rule["filters"], "responseHeaderModifier");
    let rewrite = filter(&rule["filters"], "urlRewrite").unwrap_or(&Value::Null);
    let host_of_rule = rewrite["hostname"].as_str().map(str::to_owned).or(host_of_rule);
    let target = |backend: &Value| {
        let (own, own_host) = Changes::gateway(&backend["filters"], "requestHeaderModifier");
        let (answer, _) = Changes::gateway(&backend["filters"], "responseHeaderModifier");
        // The Gateway API leaves the order open; Istio has one for an only backend and one for several.
        let join = |own: Changes, of_rule: Changes| if alone { of_rule.beside(own) } else { own.then(of_rule) };
        let changes = join(own, of_rule.clone());
        let mut sent = request.clone();
        sent.headers = changes.applied(&request.headers);
        let host_rewritten = host_of_rule.clone().or(own_host);
        sent.host = host_rewritten.clone().or(sent.host);
        sent.path = rewritten(&rewrite["path"], item, &request.path);
        let rewritten = rewrite["path"].is_object().then(|| sent.target());
        Target {
            version: shares::name(backend),
            weight: weight(backend),
            total,
            host: host(backend, home),
            port: backend["port"].as_u64(),
            request: changes,
            response: join(answer, answer_of_rule.clone()),
            rewritten,
            host_rewritten,
            sent,
            path_unknown: false,
            next: None,
            endless: false,
        }
    };
    getting.into_iter().map(target).collect()
}

/// The path that a modifier makes of one.
fn rewritten(modifier: &Value, item: &Value, whole: &str) -> String {
    if let Some(full) = modifier["replaceFullPath"].as_str() {
        return full.to_owned();
    }
    let Some(prefix) = modifier["replacePrefixMatch"].as_str() else { return whole.to_owned() };
    let (_, matched) = path(item);
    let matched = matched.strip_suffix('/').unwrap_or(matched);
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    match format!("{prefix}{}", whole.strip_prefix(matched).unwrap_or_default()) {
        empty if empty.is_empty() => "/".to_owned(),
        path => path,
    }
}

fn redirect(redirect: &Value, item: &Value, request: &HttpRequest) -> Action {
    let scheme = redirect["scheme"].as_str().unwrap_or(&request.scheme);
    let host = redirect["hostname"].as_str().map_or_else(|| request.hostname(), str::to_owned);
    // Without a scheme the port of the request stays.
    let asked = request.port.map(u64::from).filter(|_| redirect["scheme"].is_null());
    let port = redirect["port"].as_u64().or(asked).filter(|port| *port != if scheme == "https" { 443 } else { 80 });
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let path = rewritten(&redirect["path"], item, &request.path);
    let query = request.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
    Action::Redirect {
        status: redirect["statusCode"].as_u64().unwrap_or(302),
        location: format!("{scheme}://{host}{port}{path}{query}"),
    }
}

fn copies(rule: &Value, home: &str) -> Vec<Copied> {
    let filters = rule["filters"].as_array().into_iter().flatten().map(|filter| &filter["requestMirror"]);
    let copied = |mirror: &Value| {
        let fraction = mirror["fraction"]["numerator"].as_f64();
        let fraction = fraction.map(|part| part * 100.0 / mirror["fraction"]["denominator"].as_f64().unwrap_or(100.0));
        let percent = fraction.or_else(|| mirror["percent"].as_f64()).unwrap_or(100.0);
        let backend = &mirror["backendRef"];
        (percent > 0.0).then(|| Copied { host: host(backend, home), port: backend["port"].as_u64(), percent })
    };
    filters.filter(|mirror| mirror.is_object()).filter_map(copied).collect()
}
