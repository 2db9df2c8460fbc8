use proptest::prelude::*;
use serde_json::json;

use super::*;

fn request(text: &str, headers: &[&str]) -> HttpRequest {
    let mut request = HttpRequest::parse(text).unwrap();
    headers.iter().for_each(|header| request.add_header(header).unwrap());
    request
}

fn virtual_service(rules: Value) -> Value {
    json!({"kind": "VirtualService", "metadata": {"namespace": "models", "name": "shop"},
           "spec": {"hosts": ["shop.models"], "gateways": ["mesh"], "http": rules}})
}

fn http_route(rules: Value) -> Value {
    json!({"kind": "HTTPRoute", "metadata": {"namespace": "models", "name": "shop"},
           "spec": {"hostnames": ["shop.models"], "rules": rules}})
}

/// A rule of Istio that sends what matches to a version.
fn to(name: &str, matches: Value) -> Value {
    json!({"match": matches, "route": [{"destination": {"host": name}}]})
}

/// A rule of the Gateway API that does so.
fn backend(name: &str, matches: Value) -> Value {
    json!({"matches": matches, "backendRefs": [{"name": name, "port": 80}]})
}

/// Every version with its share, by each outcome; `?` stands before those of an open one.
fn told(route: &Value, request: &HttpRequest) -> Vec<String> {
    let answer = answer(route, request);
    let mut told = Vec::new();
    for outcome in &answer.outcomes {
        let open = if answer.verdict(outcome) == Some(Verdict::Open) { "?" } else { "" };
        match &outcome.action {
            Action::Send(_) => told.extend(
                answer.ends(outcome).iter().map(|end| format!("{open}{} {:.0}%", end.version, end.share * 100.0)),
            ),
            Action::Redirect { status, location } => told.push(format!("{open}{status} {location}")),
            Action::Respond { status } => told.push(format!("{open}{status}")),
            Action::Delegate(name) => told.push(format!("{open}{name}")),
        }
        told.extend(outcome.copies.iter().map(|copy| format!("{open}copy {} {}", copy.host, copy.percent)));
    }
    told
}

#[test]
fn the_first_rule_that_matches_takes_the_request() {
    let route = virtual_service(json!([
        to("a", json!([{"headers": {"user": {"exact": "me"}}}])),
        to("b", json!([{"uri": {"prefix": "/v2"}}])),
        to("c", json!([{"uri": {"exact": "/v2/a"}}])),
        {"route": [{"destination": {"host": "d"}}]},
    ]));
    assert_eq!(told(&route, &request("/v2/a", &["User=me"])), ["a 100%"]);
    assert_eq!(told(&route, &request("/v2/a", &["user=ME"])), ["b 100%"]);
    assert_eq!(told(&route, &request("/v1", &[])), ["d 100%"]);
    let verdicts: Vec<Verdict> =
        answer(&route, &request("/v2/a", &[])).tried.iter().map(|tried| tried.verdict).collect();
    assert_eq!(verdicts, [Verdict::Fails, Verdict::Matches, Verdict::NotReached, Verdict::NotReached]);
}

#[test]
fn one_match_of_a_rule_is_enough_and_all_its_conditions_are_needed() {
    let route = virtual_service(json!([to(
        "a",
        json!([
            {"headers": {"user": {"exact": "me"}}, "method": {"exact": "POST"}, "queryParams": {"v": {"regex": "[0-9]+"}}},
            {"withoutHeaders": {"user": {}}, "authority": {"prefix": "shop"}, "scheme": {"exact": "https"}},
        ])
    )]));
    assert_eq!(told(&route, &request("POST /?v=12", &["user=me"])), ["a 100%"]);
    assert!(told(&route, &request("POST /?v=1x", &["user=me"])).is_empty());
    assert!(told(&route, &request("GET /?v=12", &["user=me"])).is_empty());
    assert_eq!(told(&route, &request("https://shop.models/", &[])), ["a 100%"]);
    assert!(told(&route, &request("http://shop.models/", &[])).is_empty());
    let answer = answer(&route, &request("POST /", &["user=you"]));
    let failing = |tried: &Tried| tried.conditions.iter().filter(|condition| condition.fails()).count();
    assert_eq!(answer.tried.iter().map(failing).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn the_most_special_match_of_an_http_route_goes_first_wherever_it_stands() {
    let header = |name: &str| json!({"name": name, "value": "1"});
    // Each goes before all that follow it.
    let ordered = [
        json!({"path": {"type": "Exact", "value": "/a/b"}}),
        json!({"path": {"type": "PathPrefix", "value": "/a/b/"}}),
        json!({"path": {"type": "PathPrefix", "value": "/a"}, "method": "GET"}),
        json!({"path": {"type": "PathPrefix", "value": "/a"}, "headers": [header("x"), header("y")]}),
        json!({"path": {"type": "PathPrefix", "value": "/a"}, "headers": [header("x"), header("X")], "queryParams": [header("v"), header("w")]}),
        json!({"path": {"type": "PathPrefix", "value": "/a"}, "headers": [header("x")], "queryParams": [header("v")]}),
        json!({"path": {"type": "PathPrefix", "value": "/a/"}, "queryParams": [header("v"), header("w")]}),
        json!({"headers": [header("x")]}),
        json!({"path": {"type": "RegularExpression", "value": "/a/[a-z]+"}}),
    ];
    let asked = request("/a/b?v=1&w=1", &["x=1", "y=1"]);
    for (index, first) in ordered.iter().enumerate() {
        for (behind, later) in ordered.iter().enumerate().skip(index + 1) {
            let route = http_route(json!([backend("later", json!([later])), backend("first", json!([first]))]));
            assert_eq!(told(&route, &asked), ["first 100%"], "{index} {behind}");
        }
        // Of equal ones the first in the route.
        let route = http_route(json!([backend("first", json!([first])), backend("later", json!([first]))]));
        assert_eq!(told(&route, &asked), ["first 100%"], "{index}");
    }
}

#[test]
fn a_rule_of_an_http_route_without_matches_takes_every_path() {
    let route = http_route(json!([
        backend("all", json!(null)),
        backend("test", json!([{"headers": [{"name": "Traffic", "value": "test"}]}]))
    ]));
    assert_eq!(told(&route, &request("/", &["traffic=test"])), ["test 100%"]);
    assert_eq!(told(&route, &request("/a", &["traffic=testing"])), ["all 100%"]);
    let expression = json!([{"headers": [{"name": "traffic", "type": "RegularExpression", "value": "te.*"}], "queryParams": [{"name": "a", "value": "b"}]}]);
    let route = http_route(json!([backend("test", expression)]));
    assert_eq!(told(&route, &request("/?a=b", &["traffic=testing"])), ["test 100%"]);
    assert!(told(&route, &request("/?a=c", &["traffic=testing"])).is_empty());
}

#[test]
fn weights_are_shares_and_an_only_destination_takes_all() {
    let item = |name: &str, weight: Option<u64>| json!({"destination": {"host": name}, "weight": weight});
    let of = |items: Value| told(&virtual_service(json!([{"route": items}])), &request("/", &[]));
    assert_eq!(of(json!([item("a", Some(0))])), ["a 100%"]);
    assert_eq!(of(json!([item("a", Some(30)), item("b", Some(10)), item("c", None)])), ["a 75%", "b 25%"]);
    assert!(of(json!([item("a", Some(0)), item("b", None)])).is_empty());
    let item = |name: &str, weight: Option<u64>| json!({"name": name, "weight": weight});
    let of = |items: Value| told(&http_route(json!([{"backendRefs": items}])), &request("/", &[]));
    assert_eq!(of(json!([item("a", None), item("b", Some(3)), item("c", Some(0))])), ["a 25%", "b 75%"]);
    assert_eq!(of(json!([item("a", Some(0))])), ["500"]);
    assert_eq!(of(json!([])), ["500"]);
}

#[test]
fn what_a_request_does_not_tell_stays_open_and_the_next_rule_is_tried() {
    let labels = to("a", json!([{"sourceLabels": {"app": "web"}, "headers": {"user": {"exact": "me"}}}]));
    let route = virtual_service(json!([labels, to("b", json!([{"port": 81}])), to("c", json!([{}]))]));
    assert_eq!(told(&route, &request("/", &["user=me"])), ["?a 100%", "?b 100%", "c 100%"]);
    assert_eq!(told(&route, &request("http://shop.models:81/", &[])), ["b 100%"]);
    assert_eq!(told(&route, &request("http://shop.models/", &[])), ["c 100%"]);
}

#[test]
fn gateways_of_a_match_are_known_where_the_route_has_one() {
    let rules =
        json!([to("a", json!([{"gateways": ["public"], "sourceLabels": {"app": "web"}}])), to("b", json!([{}]))]);
    let mut route = virtual_service(rules);
    assert_eq!(told(&route, &request("/", &[])), ["b 100%"]);
    route["spec"]["gateways"] = json!(["models/public"]);
    assert_eq!(told(&route, &request("/", &[])), ["a 100%"]);
    route["spec"]["gateways"] = json!(["models/public", "mesh"]);
    assert_eq!(told(&route, &request("/", &[])), ["?a 100%", "b 100%"]);
}

#[test]
fn a_claim_of_a_token_and_an_unreadable_expression_stay_open() {
    for wanted in [json!({"@request.auth.claims.group": {"exact": "beta"}}), json!({"user": {"regex": r"\pL+"}})] {
        let route = virtual_service(json!([to("a", json!([{"headers": wanted}])), to("b", json!([{}]))]));
        assert_eq!(told(&route, &request("/", &["user=me"])), ["?a 100%", "b 100%"], "{wanted}");
    }
}

#[test]
fn a_route_through_its_own_gateway_is_followed_to_the_version_that_answers() {
    let host = "knative-local-gateway.istio-system.svc.cluster.local";
    let branch = |name: &str| {
        json!({"match": [{"headers": {"branch": {"exact": name}}}], "rewrite": {"uri": format!("/v2/models/{name}/infer")},
               "route": [{"destination": {"host": host}, "headers": {
                   "request": {"set": {"Host": format!("{name}-predictor.models.svc.cluster.local")}, "remove": ["branch"]},
                   "response": {"add": {"app-version": name}}}}]})
    };
    let split = |name: &str, weight: u64| {
        json!({"destination": {"host": host}, "weight": weight,
               "headers": {"request": {"set": {"branch": name, "host": "shop.models"}}}})
    };
    let mut route = virtual_service(
        json!([branch("shop-0"), branch("shop-1"), {"route": [split("shop-0", 30), split("shop-1", 70), split("shop-2", 100)]}]),
    );
    route["spec"]["gateways"] = json!(["knative-serving/knative-local-gateway", "mesh"]);
    let asked = request("POST /", &[]);
    // Nothing takes what is marked for shop-2 but the split itself, again and again.
    assert_eq!(told(&route, &request("POST /", &["branch=shop-1"])), ["shop-1 100%"]);
    let answered = answer(&route, &asked);
    let ends = answered.ends(answered.outcome().unwrap());
    assert!(ends.iter().any(|end| end.way.last().is_some_and(|(_, target)| target.endless && end.version == "shop-2")));
    let end = ends.iter().find(|end| end.version == "shop-1").unwrap();
    let (_, last) = end.way.last().unwrap();
    assert_eq!((end.way.len(), last.sent.path.as_str()), (2, "/v2/models/shop-1/infer"));
    assert_eq!(last.sent.host.as_deref(), Some("shop-1-predictor.models.svc.cluster.local"));
    assert!(last.sent.headers.is_empty());
    assert!((ends.iter().map(|end| end.share).sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn a_rewrite_replaces_the_prefix_that_has_matched_or_the_whole_path() {
    let path = |matches: Value, rewrite: Value, path: &str| {
        let mut rule = to("a", matches);
        rule["rewrite"] = rewrite;
        let answered = answer(&virtual_service(json!([rule])), &request(path, &[]));
        let Action::Send(targets) = &answered.outcome().unwrap().action else { panic!("it sends") };
        (targets[0].sent.target(), targets[0].path_unknown)
    };
    let known = |path: &str| (path.to_owned(), false);
    let to = json!({"uri": "/new"});
    assert_eq!(path(json!([{"uri": {"prefix": "/old"}}]), to.clone(), "/old/a?b"), known("/new/a?b"));
    assert_eq!(path(json!([{"uri": {"exact": "/old"}}]), to.clone(), "/old"), known("/new"));
    assert_eq!(path(json!([{"uri": {"regex": "/o.*"}}]), to.clone(), "/old/a"), known("/new"));
    assert_eq!(path(json!([{"headers": {}}]), to, "/old/a"), known("/newold/a"));
    let expression = json!({"uriRegexRewrite": {"match": "^/v1/(.*)$", "rewrite": r"/v2/\1"}});
    assert_eq!(path(json!(null), expression, "/v1/a"), known("/v2/a"));
    let unreadable = json!({"uriRegexRewrite": {"match": r"\pL", "rewrite": ""}});
    assert_eq!(path(json!(null), unreadable, "/v1"), ("/v1".to_owned(), true));
    let gateway = |prefix: &str, with: &str, path: &str| {
        let mut rule = backend("a", json!([{"path": {"type": "PathPrefix", "value": prefix}}]));
        rule["filters"] = json!([{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": with}}}]);
        let answered = answer(&http_route(json!([rule])), &request(path, &[]));
        let Action::Send(targets) = &answered.outcome().unwrap().action else { panic!("it sends") };
        targets[0].sent.path.clone()
    };
    // The table of the Gateway API's HTTPPathModifier.
    for (prefix, with, asked, sent) in [
        ("/foo", "/xyz", "/foo/bar", "/xyz/bar"),
        ("/foo", "/xyz/", "/foo/bar", "/xyz/bar"),
        ("/foo/", "/xyz", "/foo/bar", "/xyz/bar"),
        ("/foo/", "/xyz/", "/foo/bar", "/xyz/bar"),
        ("/foo", "/xyz", "/foo", "/xyz"),
        ("/foo", "/xyz", "/foo/", "/xyz/"),
        ("/foo", "", "/foo/bar", "/bar"),
        ("/foo", "", "/foo/", "/"),
        ("/foo", "", "/foo", "/"),
        ("/foo", "/", "/foo/", "/"),
        ("/foo", "/", "/foo", "/"),
    ] {
        assert_eq!(gateway(prefix, with, asked), sent, "{prefix} {with} {asked}");
    }
}

#[test]
fn redirects_responses_delegates_and_copies_are_told() {
    let rule = |rest: Value| told(&virtual_service(json!([rest])), &request("http://shop.models:81/a?b", &[]));
    assert_eq!(rule(json!({"redirect": {"uri": "/c", "authority": "other"}})), ["301 http://other/c?b"]);
    assert_eq!(rule(json!({"redirect": {"scheme": "https", "redirectCode": 308}})), ["308 https://shop.models/a?b"]);
    assert_eq!(rule(json!({"directResponse": {"status": 418}})), ["418"]);
    assert_eq!(rule(json!({"delegate": {"name": "other"}})), ["models/other"]);
    let mirrored = json!({"route": [{"destination": {"host": "a"}}], "mirror": {"host": "b"}, "mirrorPercentage": {"value": 2.5},
        "mirrors": [{"destination": {"host": "c"}}, {"destination": {"host": "d"}, "percentage": {"value": 0}}]});
    assert_eq!(rule(mirrored), ["a 100%", "copy b 2.5", "copy c 100"]);
    let filters =
        json!([{"requestMirror": {"backendRef": {"name": "b"}, "fraction": {"numerator": 1, "denominator": 4}}}]);
    let route = http_route(json!([{"filters": filters, "backendRefs": [{"name": "a"}]}]));
    assert_eq!(told(&route, &request("/", &[])), ["a 100%", "copy b.models.svc.cluster.local 25"]);
    let redirect = json!([{"requestRedirect": {"scheme": "https", "hostname": "other"}}]);
    let route = http_route(json!([{"filters": redirect}]));
    assert_eq!(told(&route, &request("http://shop.models:81/a", &[])), ["302 https://other/a"]);
}

#[test]
fn a_host_of_another_route_is_not_asked_for() {
    let route = virtual_service(json!([{"route": [{"destination": {"host": "a"}}]}]));
    let answer = answer(&route, &request("http://other/", &[]));
    assert_eq!(answer.addressed, Addressed::OtherHost(vec!["shop.models".into()]));
    assert!(answer.tried.is_empty() && answer.outcomes.is_empty());
}

/// Any value below keys that routes have.
fn anything() -> impl Strategy<Value = Value> {
    let keys = "spec|http|rules|match|matches|route|backendRefs|hosts|hostnames|gateways|parentRefs|kind|headers|request|set|add|remove|\
                uri|prefix|exact|regex|path|type|value|name|weight|mirror|mirrors|host|destination|filters|redirect|rewrite|urlRewrite";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "mesh|\\*|/|a|a\\.b|Service|HTTPRoute|Exact|é|\\*\\.a|".prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 128, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys, inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_route_and_no_request_make_it_panic(rules in anything(), spec in anything(), path in "/[a-zé/?=&]*", header in "[a-z]*=.*") {
        let Ok(mut asked) = HttpRequest::parse(&path) else { return Ok(()) };
        let _ = asked.add_header(&header);
        let listed = json!([rules]);
        for route in [virtual_service(listed.clone()), http_route(listed), json!({"spec": spec}), spec] {
            let found = answer(&route, &asked);
            found.outcomes.iter().for_each(|outcome| drop(found.ends(outcome)));
            default_host(&route);
        }
    }
}

#[test]
fn a_path_that_a_rewrite_makes_too_long_for_a_model_server_is_known() {
    let rule = |matches: Value, uri: Option<&str>| {
        let mut rule = to("a", matches);
        if let Some(uri) = uri {
            rule["rewrite"] = json!({"uri": uri});
        }
        virtual_service(json!([rule]))
    };
    let infer = Some("/v2/models/m/infer");
    for (matches, uri, path, want) in [
        (json!([]), infer, "/v1", infer),
        (json!([]), infer, "/?a=b", None),
        (json!([{"uri": {"prefix": "/v1"}}]), infer, "/v1/", infer),
        (json!([{"uri": {"prefix": "/v1"}}]), infer, "/v1?a=b", None),
        (json!([{"uri": {"exact": "/v1"}}]), infer, "/v1", None),
        // What somebody else rewrites, or asks for, is theirs.
        (json!([]), Some("/v2/models/m"), "/v1", None),
        (json!([]), Some("/v2/models//infer"), "/v1", None),
        (json!([]), None, "/v2/models/m/infer/v1", None),
    ] {
        let answer = answer(&rule(matches.clone(), uri), &request(path, &[]));
        let Action::Send(targets) = &answer.outcome().unwrap().action else { panic!("{answer:?}") };
        assert_eq!(targets[0].overshot(), want, "{matches} {uri:?} {path}");
    }
}
