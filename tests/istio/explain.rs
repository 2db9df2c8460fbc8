//! What r8 explains beside what Istio's converted routes do: 1,000 random requests per environment and strategy, to routes as
//! r8 renders them and to routes of random rules, as people write them.

use r8::route::{Action, Addressed, Answer, Changes, Condition, HttpRequest, Outcome, Truth, Verdict, answer};
use r8::templates::Catalog;
use serde_json::{Map, Value, json};

use super::random::{Asked, Random};
use super::{knative_suffix, parts, rendered, surroundings};

/// Requests per environment and strategy.
const REQUESTS: usize = 1000;
/// Requests to one route.
const TO_ONE: usize = 100;

/// What is known of where a request comes from, beside itself.
struct Sender<'a> {
    /// The gateway it comes through; the mesh when none.
    gateway: Option<&'a str>,
    labels: &'a [(String, String)],
}

/// How often things were compared, so that a test which compares nothing fails.
#[derive(Debug, Default)]
struct Compared {
    requests: usize,
    answered: usize,
    unanswered: usize,
    followed: usize,
    opened: usize,
    behind_a_rule: usize,
    itself: usize,
}

/// Names every rule and match of a VirtualService by its place.
fn name_all(route: &mut Value) {
    let rules = route.pointer_mut("/spec/http").and_then(Value::as_array_mut);
    for (rule, value) in rules.into_iter().flatten().enumerate() {
        value["name"] = format!("rule-{rule}").into();
        for (item, value) in value.get_mut("match").and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
            value["name"] = format!("match-{item}").into();
        }
    }
}

/// The name that Istio gives the route of a match: what [`name_all`] has named, or the place of a rule of the Gateway API.
fn name(outcome: &Outcome, answer: &Answer, istio: bool) -> String {
    let tried = &answer.tried[outcome.tried];
    match tried.item {
        _ if !istio => format!("default.app.{}", tried.rule),
        Some(item) => format!("rule-{}.match-{item}", tried.rule),
        None => format!("rule-{}", tried.rule),
    }
}

/// Changes what a route does for some requests, in every way that a rule can.
fn vary(random: &mut Random, route: &mut Value, knative: bool) {
    let istio = route["kind"] == "VirtualService";
    let (rules, matches) = if istio { ("http", "match") } else { ("rules", "matches") };
    let mut list = route["spec"][rules].as_array().unwrap().clone();
    let any = |random: &mut Random| -> Value {
        let count = 1 + random.below(3);
        (0..count).map(|_| if istio { random.istio_match(knative) } else { random.gateway_match() }).collect()
    };
    for rule in &mut list {
        if rule[matches].is_array() && rule[matches][0]["headers"]["branch"].is_null() {
            rule[matches] = any(random);
        }
    }
    for _ in 0..1 + random.below(3) {
        let mut rule = if istio { istio_rule(random, &list, knative) } else { gateway_rule(random, &list) };
        rule[matches] = any(random);
        let place = random.below(list.len());
        list.insert(place, rule);
    }
    route["spec"][rules] = list.into();
}

/// A rule of its own, made of the destinations of others.
fn istio_rule(random: &mut Random, list: &[Value], knative: bool) -> Value {
    if random.once_in(8) {
        return json!({"directResponse": {"status": 418}});
    }
    if random.once_in(8) {
        return json!({"redirect": {"uri": "/elsewhere", "redirectCode": 302}});
    }
    let all: Vec<&Value> = list.iter().filter_map(|rule| rule["route"].as_array()).flatten().collect();
    // What is marked for another round is not taken: with these rules it might have no end.
    let all: Vec<&Value> =
        all.into_iter().filter(|item| !knative || item["headers"]["request"]["set"]["Host"].is_string()).collect();
    let count = 1 + random.below(3);
    let mut items: Vec<Value> = (0..count).map(|_| random.one(&all).clone()).collect();
    for item in &mut items {
        let host = item["headers"]["request"]["set"]["Host"].clone();
        item["weight"] = random.below(4).into();
        for side in ["request", "response"] {
            if random.once_in(2) {
                item["headers"][side] = random.operations();
            }
        }
        if host.is_string() {
            item["headers"]["request"]["set"]["Host"] = host;
        }
    }
    items[0]["weight"] = (1 + random.below(5)).into();
    let mut rule = json!({"route": items});
    if random.once_in(2) {
        rule["headers"] = json!({"request": random.operations(), "response": random.operations()});
    }
    match random.below(6) {
        0 => rule["rewrite"] = json!({"uri": random.one(&["/new", "/new/", "/"])}),
        1 => rule["rewrite"] = json!({"uriRegexRewrite": {"match": "/v([0-9])(/?)", "rewrite": r"/w\1\2x"}}),
        2 if !knative => rule["rewrite"] = json!({"authority": "other.example"}),
        _ => {}
    }
    if random.once_in(3) {
        rule["mirror"] = random.one(&all)["destination"].clone();
        rule["mirrorPercentage"] = json!({"value": random.below(3) * 50});
    }
    if random.once_in(4) {
        rule["mirrors"] = json!([{"destination": random.one(&all)["destination"], "percentage": {"value": 12.5}}]);
    }
    rule
}

fn gateway_rule(random: &mut Random, list: &[Value]) -> Value {
    if random.once_in(8) {
        return json!({"filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "other.example", "statusCode": 301}}]});
    }
    let all: Vec<&Value> = list.iter().filter_map(|rule| rule["backendRefs"].as_array()).flatten().collect();
    let count = 1 + random.below(3);
    let mut items: Vec<Value> = (0..count).map(|_| random.one(&all).clone()).collect();
    for item in &mut items {
        if random.once_in(3) {
            item["weight"] = random.below(3).into();
        }
        if random.once_in(2) {
            item["filters"] = modifiers(random);
        }
    }
    let mut rule = json!({"backendRefs": items});
    if random.once_in(2) {
        rule["filters"] = modifiers(random);
    }
    rule
}

/// Both filters that change headers.
fn modifiers(random: &mut Random) -> Value {
    let modifier = |random: &mut Random| {
        let operations = random.operations();
        let list = |key: &str| -> Value {
            let pairs = operations[key].as_object().unwrap().iter();
            pairs.map(|(name, value)| json!({"name": name, "value": value})).collect()
        };
        json!({"set": list("set"), "add": list("add"), "remove": operations["remove"]})
    };
    json!([
        {"type": "RequestHeaderModifier", "requestHeaderModifier": modifier(random)},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier(random)},
    ])
}

/// Whether a condition that the request leaves open is met by this sender.
fn met(condition: &Condition, sender: &Sender<'_>) -> bool {
    match condition.field.as_str() {
        "gateways" => condition.value.split(", ").any(|name| name == sender.gateway.unwrap_or("mesh")),
        "sourceLabels" => condition.value.split(',').all(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            sender.labels.iter().any(|(key, found)| key == name && found == value)
        }),
        "sourceNamespace" => condition.value == if sender.gateway.is_some() { "istio-system" } else { "default" },
        other => panic!("{other} is open: {condition}"),
    }
}

/// The outcome that a sender gets, and whether it was an open one.
fn decided<'a>(answer: &'a Answer, sender: &Sender<'_>) -> Option<(&'a Outcome, bool)> {
    let holds = |outcome: &&Outcome| {
        let open = answer.tried[outcome.tried].conditions.iter();
        open.filter(|condition| matches!(condition.truth, Truth::Open(_))).all(|condition| met(condition, sender))
    };
    let outcome = answer.outcomes.iter().find(holds)?;
    Some((outcome, answer.verdict(outcome) == Some(Verdict::Open)))
}

/// The difference between r8's answer and Istio's, if there is one.
fn difference(
    ours: &Answer,
    theirs: &Value,
    istio: bool,
    sender: &Sender<'_>,
    compared: &mut Compared,
) -> Result<(), String> {
    let asked = match &ours.addressed {
        Addressed::Yes => true,
        Addressed::From(namespace) => sender.gateway.is_none() && namespace == "default",
        // It is so for ModelMesh, whose hosts are a ServiceEntry's, and not for the others, whose Service is an ExternalName.
        Addressed::Unsure(namespace) if namespace == "default" => return Ok(()),
        Addressed::Unsure(_) | Addressed::OtherHost(_) | Addressed::OtherPort(_) => false,
    };
    let ours_to_istio = |theirs: &Value| {
        let name = theirs["route"].as_str().unwrap_or_default();
        name.starts_with("rule-") || name.starts_with("default.app.")
    };
    if !asked {
        compared.unanswered += 1;
        return if ours_to_istio(theirs) { Err("the route is not asked".into()) } else { Ok(()) };
    }
    let Some((outcome, open)) = decided(ours, sender) else {
        compared.unanswered += 1;
        return if theirs["matched"] == true { Err("nobody answers".into()) } else { Ok(()) };
    };
    compared.opened += usize::from(open);
    compared.behind_a_rule += usize::from(outcome.tried > 0);
    let name = name(outcome, ours, istio);
    same("route", &json!(name), &theirs["route"])?;
    match &outcome.action {
        Action::Redirect { status, .. } => {
            compared.itself += 1;
            return same("redirect", &json!(status), &theirs["redirect"]["status"]);
        }
        Action::Respond { status } => {
            compared.itself += 1;
            return same("response", &json!(status), &theirs["directResponse"]);
        }
        Action::Delegate(name) => return Err(format!("{name} decides")),
        Action::Send(targets) => {
            compared.answered += 1;
            let clusters = theirs["clusters"].as_array().unwrap();
            same("destinations", &json!(targets.len()), &json!(clusters.len()))?;
            for (target, cluster) in targets.iter().zip(clusters) {
                same("host", &json!(target.host), &cluster["host"])?;
                same("port", &json!(target.port), &cluster["port"])?;
                let share = target.weight as f64 / target.total as f64;
                if (share - cluster["share"].as_f64().unwrap()).abs() > 1e-9 {
                    return Err(format!("share {share}, Istio's is {}", cluster["share"]));
                }
                let sent = &cluster["sent"];
                same("sent host", &json!(target.sent.host), &sent["host"])?;
                same("sent path", &json!(target.sent.target()), &sent["path"])?;
                same("sent headers", &json!(target.sent.headers), &sent["headers"])?;
                same_changes("request", &target.request, cluster)?;
                same_changes("response", &target.response, cluster)?;
                if target.endless {
                    return Err("it is a circle".into());
                }
                match &target.next {
                    Some(next) => {
                        compared.followed += 1;
                        let sender = Sender { gateway: Some("knative-serving/knative-local-gateway"), labels: &[] };
                        difference(next, &cluster["next"], istio, &sender, compared)?;
                    }
                    // Knative's own route behind it is none of the release.
                    None if ours_to_istio(&cluster["next"]) => {
                        return Err("it is not followed".into());
                    }
                    None => {}
                }
            }
        }
    }
    let copies: Vec<Value> = outcome.copies.iter().map(|copy| json!([copy.host, copy.port, copy.percent])).collect();
    let mirrors = theirs["mirrors"].as_array().unwrap().iter();
    let mirrors: Vec<Value> =
        mirrors.map(|mirror| json!([mirror["host"], mirror["port"], mirror["percent"].as_f64()])).collect();
    same("copies", &json!(copies), &json!(mirrors))
}

fn same(what: &str, ours: &Value, theirs: &Value) -> Result<(), String> {
    if sorted(ours) == sorted(theirs) { Ok(()) } else { Err(format!("{what} {ours}, Istio's is {theirs}")) }
}

/// The same whatever order the keys of a map have.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
            pairs.sort();
            pairs.join("\n")
        }
        other => other.to_string(),
    }
}

/// The changes that a cluster lists, whose empty ones are left out.
fn same_changes(of: &str, ours: &Changes, cluster: &Value) -> Result<(), String> {
    let map = |key: &str| match &cluster[format!("{of}{key}")] {
        Value::Null => json!(Map::new()),
        found => found.clone(),
    };
    same(&format!("{of} set"), &json!(ours.set), &map("Set"))?;
    same(&format!("{of} add"), &json!(ours.add), &map("Add"))?;
    let mut removed: Vec<&str> = ours.remove.iter().map(String::as_str).collect();
    let mut theirs: Vec<&str> =
        cluster[format!("{of}Remove")].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    removed.sort_unstable();
    theirs.sort_unstable();
    same(&format!("{of} remove"), &json!(removed), &json!(theirs))
}

/// The matches of a route.
fn matches(route: &Value) -> Vec<Value> {
    let rules = route["spec"]["http"].as_array().or(route["spec"]["rules"].as_array());
    let lists = rules.into_iter().flatten().filter_map(|rule| rule["match"].as_array().or(rule["matches"].as_array()));
    lists.flatten().cloned().collect()
}

#[test]
fn r8_explains_what_istio_does_for_a_thousand_requests_of_each_kind() {
    if !parts::wanted() {
        return;
    }
    let mut part = parts::Part::start("istio");
    let mut random = Random(29);
    let (mut kinds, mut faults) = (0, Vec::new());
    for environment in Catalog::embedded().environments() {
        for strategy in environment.strategies.iter().filter(|strategy| *strategy != "none") {
            let mut compared = Compared::default();
            for round in 0..REQUESTS / TO_ONE {
                compare(&mut part, &mut random, (&environment.name, strategy), round, &mut compared, &mut faults);
            }
            let place = format!("{}/{strategy}", environment.name);
            println!("{place}: {compared:?}");
            assert!(compared.requests >= REQUESTS && compared.answered > REQUESTS / 3, "{place}: {compared:?}");
            assert!(
                compared.unanswered > REQUESTS / 50 && compared.behind_a_rule > REQUESTS / 10,
                "{place}: {compared:?}"
            );
            assert!(compared.itself > 0, "{place}: {compared:?}");
            kinds += 1;
        }
    }
    assert!(kinds >= 14, "{kinds}");
    assert!(faults.is_empty(), "{} differ, as\n{}", faults.len(), faults[..faults.len().min(10)].join("\n"));
}

/// Compares the answers to requests to one route; the first rounds are of routes as they are rendered.
fn compare(
    part: &mut parts::Part,
    random: &mut Random,
    (environment, strategy): (&str, &str),
    round: usize,
    compared: &mut Compared,
    faults: &mut Vec<String>,
) {
    let versions = if strategy == "mirror" { 2 } else { 2 + random.below(2) };
    let weights: Vec<u32> = (0..versions).map(|_| 1 + random.below(60) as u32).collect();
    let ready: Vec<bool> = (0..versions).map(|_| !random.once_in(4)).collect();
    let rendered = rendered(environment, strategy, &weights);
    let open = rendered.route.as_ref().unwrap();
    let mut route = open.at(&open.in_force(|index| ready[index])).unwrap().object;
    let knative = knative_suffix(environment).is_some();
    let istio = route["kind"] == "VirtualService";
    if round > 1 {
        vary(random, &mut route, knative);
    }
    name_all(&mut route);
    let mut objects: Vec<Value> = rendered.manifests.iter().map(|manifest| manifest.object.clone()).collect();
    objects.retain(|object| ["Service", "ServiceEntry"].iter().any(|kind| object["kind"] == *kind));
    objects.push(route.clone());
    objects.extend(surroundings(environment, versions));
    let port = if environment == "kserve-modelmesh-istio" { 8033 } else { 80 };
    let matches = matches(&route);
    let requests: Vec<(Asked, Option<&str>)> = (0..TO_ONE)
        .map(|_| {
            let gateway = (knative && random.once_in(4)).then_some("knative-local-gateway");
            (random.request(&matches, port), gateway)
        })
        .collect();
    let list: Vec<Value> = requests.iter().map(|(asked, gateway)| asked.question(*gateway)).collect();
    let question = json!({"op": "route", "objects": objects, "requests": list});
    let place = format!("{environment}/{strategy} round {round}");
    let answers = part.ask(&question).unwrap_or_else(|error| panic!("{place}: {error}\n{route:#}"));
    for ((asked, gateway), theirs) in requests.iter().zip(answers["answers"].as_array().unwrap()) {
        let (words, headers) = asked.words();
        let mut request = HttpRequest::parse(&words).unwrap();
        headers.iter().for_each(|header| request.add_header(header).unwrap());
        let ours = answer(&route, &request);
        let gateway = gateway.map(|name| format!("knative-serving/{name}"));
        let labels: &[(String, String)] = if gateway.is_some() { &[] } else { &asked.labels };
        let sender = Sender { gateway: gateway.as_deref(), labels };
        if let Err(found) = difference(&ours, theirs, istio, &sender, compared) {
            let (labels, tried) = (&asked.labels, &ours.tried);
            faults.push(format!(
                "{place}: {words} {headers:?} {labels:?}: {found}: {theirs}\n{tried:?}\n{}",
                route["spec"]
            ));
        }
        compared.requests += 1;
    }
}
