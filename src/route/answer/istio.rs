//! A VirtualService: the first rule that matches, in order.

mod index;

use serde_json::Value;

pub(super) use index::Index;

use super::condition::UNSAID;
use super::hosts::{entrances, gateways};
use super::{Action, Changes, Comparison, Condition, Copied, Outcome, Target, Tried, Verdict};
use crate::re2::Expression;
use crate::route::{HttpRequest, shares};

/// Begins a name that stands for a claim of the request's token.
const CLAIM: &str = "@request.auth.claims";
/// What the claim of a token is to one who sees no token.
const TOKEN: &str = "it is a claim of the request's token";

/// The matches of all rules, in order.
pub(super) fn tried(route: &Value, namespace: &str, request: &HttpRequest, gateway: Option<&str>) -> Vec<Tried> {
    tried_at(places(route), route, namespace, request, gateway)
}

/// The matches at these places.
pub(super) fn tried_at(
    places: impl IntoIterator<Item = Place>,
    route: &Value,
    namespace: &str,
    request: &HttpRequest,
    gateway: Option<&str>,
) -> Vec<Tried> {
    let entrances = match gateway {
        Some(gateway) => vec![gateway.to_owned()],
        None => entrances(route, namespace),
    };
    let tried = |place: Place| {
        let conditions = match place.item {
            None => Vec::new(),
            Some(_) => conditions(place.value(route), namespace, request, &entrances),
        };
        let name = rules(route).get(place.rule).and_then(|rule| rule["name"].as_str()).map(str::to_owned);
        Tried { rule: place.rule, item: place.item, name, conditions, verdict: Verdict::NotReached }
    };
    places.into_iter().map(tried).collect()
}

/// Where a match stands in a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    rule: usize,
    /// None where the rule has no matches.
    item: Option<usize>,
}

impl Place {
    fn value(self, route: &Value) -> &Value {
        match (rules(route).get(self.rule), self.item) {
            (Some(rule), Some(item)) => &rule["match"][item],
            _ => &Value::Null,
        }
    }
}

/// The places of all matches, in order.
fn places(route: &Value) -> impl Iterator<Item = Place> {
    rules(route).iter().enumerate().flat_map(|(rule, value)| {
        let count = value["match"].as_array().map_or(0, Vec::len);
        let items = (0..count).map(Some).chain((count == 0).then_some(None));
        items.map(move |item| Place { rule, item })
    })
}

fn rules(route: &Value) -> &[Value] {
    route["spec"]["http"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn conditions(item: &Value, namespace: &str, request: &HttpRequest, entrances: &[String]) -> Vec<Condition> {
    let mut all = Vec::new();
    let uri = &item["uri"];
    // One without a kind asks for nothing.
    if ["exact", "prefix", "regex"].iter().any(|kind| uri[*kind].is_string()) {
        let condition = Condition::istio("uri", uri, Some(request.path.clone()));
        all.push(if item["ignoreUriCase"] == true { condition.in_any_case() } else { condition });
    }
    for (field, found) in [("method", ":method"), ("authority", ":authority"), ("scheme", ":scheme")] {
        if item[field].is_object() {
            all.push(Condition::istio(field, &item[field], request.header(found)));
        }
    }
    for key in ["headers", "withoutHeaders"] {
        for (name, wanted) in item[key].as_object().into_iter().flatten() {
            let field = format!("{key}.{name}");
            let condition = Condition::istio(&field, wanted, request.header(&name.to_ascii_lowercase()));
            let condition = if key == "headers" { condition } else { condition.without() };
            all.push(if is_claim(name) {
                Condition::open(&field, condition.comparison, condition.value, TOKEN)
            } else {
                condition
            });
        }
    }
    for (name, wanted) in item["queryParams"].as_object().into_iter().flatten() {
        let found = request.parameter(name).map(str::to_owned);
        all.push(Condition::istio(&format!("queryParams.{name}"), wanted, found));
    }
    if let Some(port) = item["port"].as_u64().filter(|port| *port > 0) {
        let port = port.to_string();
        all.push(match request.port {
            Some(found) => Condition::new("port", Comparison::Exact, &port, Some(found.to_string())),
            None => Condition::open("port", Comparison::Exact, port, UNSAID),
        });
    }
    all.extend(senders(item, namespace, entrances));
    all
}

/// Whether a name stands for a claim of the request's token, and for no header.
fn is_claim(name: &str) -> bool {
    name.get(..CLAIM.len()).is_some_and(|start| start.eq_ignore_ascii_case(CLAIM))
}

/// What a match asks of the proxy that a request comes through: with gateways named, labels and namespace count no more.
fn senders(item: &Value, namespace: &str, entrances: &[String]) -> Vec<Condition> {
    let named = gateways(&item["gateways"], namespace);
    if !named.is_empty() {
        let list = named.join(", ");
        let all = entrances.iter().all(|entrance| named.contains(entrance));
        let any = entrances.iter().any(|entrance| named.contains(entrance));
        return vec![match entrances {
            [only] => Condition::new("gateways", Comparison::OneOf, &list, Some(only.clone())),
            _ if all => return Vec::new(),
            _ if any => Condition::open("gateways", Comparison::OneOf, list, UNSAID),
            _ => Condition::new("gateways", Comparison::OneOf, &list, Some(entrances.join(" or "))),
        }];
    }
    let mut open = Vec::new();
    let labels = item["sourceLabels"].as_object().into_iter().flatten();
    let labels: Vec<String> =
        labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    if !labels.is_empty() {
        open.push(Condition::open("sourceLabels", Comparison::Labels, labels.join(","), UNSAID));
    }
    if let Some(name) = item["sourceNamespace"].as_str().filter(|name| !name.is_empty()) {
        open.push(Condition::open("sourceNamespace", Comparison::Exact, name.to_owned(), UNSAID));
    }
    open
}

/// What the rule of a match does with a request.
pub(super) fn outcome(route: &Value, tried: &Tried, index: usize, request: &HttpRequest) -> Outcome {
    let rule = rules(route).get(tried.rule).unwrap_or(&Value::Null);
    let item = tried.item.map_or(&Value::Null, |item| &rule["match"][item]);
    let mut outcome = Outcome {
        tried: index,
        action: Action::Send(Vec::new()),
        copies: Vec::new(),
        faults: rule["fault"].is_object(),
    };
    if rule["redirect"].is_object() {
        outcome.action = redirect(&rule["redirect"], item, request);
    } else if rule["directResponse"].is_object() {
        outcome.action = Action::Respond { status: rule["directResponse"]["status"].as_u64().unwrap_or(200) };
    } else if let Some(name) = rule["delegate"]["name"].as_str() {
        let home = route["metadata"]["namespace"].as_str().unwrap_or_default();
        outcome.action = Action::Delegate(format!("{}/{name}", rule["delegate"]["namespace"].as_str().unwrap_or(home)));
    } else {
        outcome.copies = copies(rule);
        outcome.action = Action::Send(targets(rule, item, request));
    }
    outcome
}

fn targets(rule: &Value, item: &Value, request: &HttpRequest) -> Vec<Target> {
    let listed = rule["route"].as_array().map(Vec::as_slice).unwrap_or_default();
    let alone = listed.len() == 1;
    // Of several destinations one without a weight gets nothing.
    let weight = |target: &Value| if alone { 1 } else { target["weight"].as_u64().unwrap_or(0) };
    let total = listed.iter().map(weight).fold(0, u64::saturating_add);
    let (of_rule, host_of_rule) = Changes::istio(&rule["headers"]["request"]);
    let (answer_of_rule, _) = Changes::istio(&rule["headers"]["response"]);
    let host_of_rule =
        rule["rewrite"]["authority"].as_str().filter(|host| !host.is_empty()).map(str::to_owned).or(host_of_rule);
    let path = rewritten(&rule["rewrite"], item, &request.path);
    let getting = listed.iter().filter(|target| weight(target) > 0);
    let target = |target: &Value| {
        let (own, own_host) = Changes::istio(&target["headers"]["request"]);
        let (answer, _) = Changes::istio(&target["headers"]["response"]);
        // Istio writes the changes of an only destination into the rule, those of several around them.
        let join = |own: Changes, of_rule: Changes| if alone { of_rule.beside(own) } else { own.then(of_rule) };
        let changes = join(own, of_rule.clone());
        let mut sent = request.clone();
        sent.headers = changes.applied(&request.headers);
        let host_rewritten = host_of_rule.clone().or(own_host);
        sent.host = host_rewritten.clone().or(sent.host);
        let mut rewritten = None;
        if let Some(Some(path)) = &path {
            sent.path.clone_from(path);
            rewritten = Some(sent.target());
        }
        Target {
            version: shares::name(target),
            weight: weight(target),
            total,
            host: target["destination"]["host"].as_str().unwrap_or_default().to_owned(),
            port: target["destination"]["port"]["number"].as_u64(),
            request: changes,
            response: join(answer, answer_of_rule.clone()),
            rewritten,
            host_rewritten,
            sent,
            path_unknown: path == Some(None),
            next: None,
            endless: false,
        }
    };
    getting.map(target).collect()
}

/// The path that a rewrite makes of one; none where nothing is rewritten, none inside where r8 cannot evaluate it.
fn rewritten(rewrite: &Value, item: &Value, path: &str) -> Option<Option<String>> {
    if let Some(pattern) = rewrite["uriRegexRewrite"]["match"].as_str() {
        let with = rewrite["uriRegexRewrite"]["rewrite"].as_str().unwrap_or_default();
        return Some(Expression::part(pattern, path).map(|expression| expression.replaced(path, with)));
    }
    let uri = rewrite["uri"].as_str().filter(|uri| !uri.is_empty())?;
    Some(Some(replaced(uri, item, path)))
}

/// The path with what the match has found replaced: the prefix, or all of it.
fn replaced(uri: &str, item: &Value, path: &str) -> String {
    let wanted = &item["uri"];
    let matched = match wanted["prefix"].as_str() {
        Some(prefix) => prefix.len(),
        None if wanted["exact"].is_string() || wanted["regex"].is_string() => path.len(),
        None => 1,
    };
    format!("{uri}{}", path.get(matched..).unwrap_or_default())
}

fn redirect(redirect: &Value, item: &Value, request: &HttpRequest) -> Action {
    let text = |key: &str| redirect[key].as_str().filter(|text| !text.is_empty());
    let scheme = text("scheme").unwrap_or(&request.scheme);
    let host = text("authority").map_or_else(|| request.hostname(), str::to_owned);
    let asked = if redirect["derivePort"] == "FROM_REQUEST_PORT" { request.port.map(u64::from) } else { None };
    let port = redirect["port"].as_u64().or(asked).filter(|port| *port != if scheme == "https" { 443 } else { 80 });
    let path = match (text("prefixRewrite"), text("uri")) {
        (Some(prefix), _) => replaced(prefix, item, &request.path),
        (None, Some(uri)) => uri.to_owned(),
        (None, None) => request.path.clone(),
    };
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let query = request.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
    Action::Redirect {
        status: redirect["redirectCode"].as_u64().filter(|code| *code > 0).unwrap_or(301),
        location: format!("{scheme}://{host}{port}{path}{query}"),
    }
}

fn copies(rule: &Value) -> Vec<Copied> {
    let copied = |destination: &Value, percent: Option<f64>| {
        let host = destination["host"].as_str()?.to_owned();
        let percent = percent.unwrap_or(100.0);
        (percent > 0.0).then_some(Copied { host, port: destination["port"]["number"].as_u64(), percent })
    };
    // A percentage without its value is one of 0; so is its default in Istio.
    let percentage =
        |value: &Value| value.as_object().map(|map| map.get("value").and_then(Value::as_f64).unwrap_or(0.0));
    let of_rule = percentage(&rule["mirrorPercentage"]).or_else(|| rule["mirrorPercent"].as_f64());
    let mirrors = rule["mirrors"].as_array().into_iter().flatten();
    let mirrors = mirrors.filter_map(|mirror| copied(&mirror["destination"], percentage(&mirror["percentage"])));
    copied(&rule["mirror"], of_rule).into_iter().chain(mirrors).collect()
}
