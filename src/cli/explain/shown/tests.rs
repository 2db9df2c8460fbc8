use serde_json::{Value, json};

use super::*;
use crate::route::answer;

/// What is told of a VirtualService with these rules, up to the line about the request, and the rules that were tried.
fn told(rules: Value, request: &str) -> (String, String) {
    let object = json!({"kind": "VirtualService", "metadata": {"namespace": "models", "name": "shop"},
        "spec": {"hosts": ["shop.models"], "gateways": ["istio-system/entrance", "mesh"], "http": rules}});
    let request = HttpRequest::parse(request).unwrap();
    let found = answer(&object, &request);
    let key = crate::manifest::ObjectKey {
        group: "networking.istio.io".into(),
        kind: "VirtualService".into(),
        namespace: "models".into(),
        name: "shop".into(),
    };
    let explained = Explained {
        release: ("shop".into(), "models".into()),
        route: Some((key, object)),
        whence: Whence::Values { ready: vec![0], versions: 1 },
    };
    let text = text(&explained, &request, Some(&found));
    let (answer, rest) = text.split_once("\nrequest: ").unwrap();
    (answer.to_owned(), rest.split_once("tried, in order:\n").map(|(_, tried)| tried.to_owned()).unwrap_or_default())
}

fn answered(rule: Value) -> String {
    told(json!([rule]), "/v1/a").0
}

#[test]
fn a_request_that_no_rule_takes_is_answered_404_and_every_rule_says_why() {
    let rules = json!([
        {"name": "a", "match": [{"uri": {"prefix": "/v2"}}, {"method": {"exact": "POST"}}], "route": [{"destination": {"host": "a"}}]},
        {"match": [{"headers": {"x\u{1b}": {}}}], "route": [{"destination": {"host": "b"}}]},
    ]);
    let (answer, tried) = told(rules, "/v1/a");
    assert_eq!(answer, "nobody answers: no rule matches, so the proxy answers 404\n");
    let expected = "  spec.http[0].match[0] `a`: no\n    path must begin with `/v2`, found `/v1/a`\n  \
                    spec.http[0].match[1] `a`: no\n    method must be `POST`, found `GET`\n  \
                    spec.http[1].match[0]: no\n    header `x\\u001b` must be there, found none\n";
    assert_eq!(tried, expected);
}

#[test]
fn an_open_rule_is_followed_by_what_happens_else() {
    let rule = json!({"match": [{"sourceNamespace": "web"}], "directResponse": {"status": 503}});
    let expected = "if spec.http[0].match[0] matches, which the request leaves open:\n  the namespace that sends it must be `web`: \
                    the request does not say\nthe rule answers 503 itself, no version does\n\n\
                    else nobody answers: no rule matches, so the proxy answers 404\n";
    assert_eq!(answered(rule), expected);
}

#[test]
fn what_is_no_destination_is_told_in_words() {
    let redirect = json!([{"redirect": {"uri": "/v2", "redirectCode": 302}}]);
    let expected = "the rule answers 302: look at http://shop.models/v2?a=b&api-key=•••••\n";
    assert_eq!(told(redirect, "/v1?a=b&api-key=c").0, expected);
    assert_eq!(answered(json!({"delegate": {"name": "other"}})), "VirtualService models/other decides\n");
    let nobody = "the rule has no destination with a share, so nobody answers\n";
    assert_eq!(answered(json!({"route": []})), nobody);
}

#[test]
fn rewrites_copies_and_faults_are_told_beside_the_version() {
    let rule = json!({"route": [{"destination": {"host": "a", "port": {"number": 8080}}}], "rewrite": {"uri": "/", "authority": "b"},
        "headers": {"request": {"set": {"x-token": "secret", "x-a": "1"}, "remove": ["x-b"]}}, "fault": {"abort": {}},
        "mirror": {"host": "c"}, "mirrorPercentage": {"value": 12.5}});
    let expected = "VERSION  SHARE  SENT TO\na        100%   a:8080\n\na\n  by spec.http[0]\n    path: /v1/a\n    Host: b\n    \
                    request header `x-b`: removed\n    request header `x-a`: set to `1`\n    request header `x-token`: set to `•••••`\n\n\
                    a copy of 12.5% goes to c, whose answers are dropped\n\n\
                    the rule injects faults: it delays requests, or answers some itself\n";
    assert_eq!(answered(rule), expected);
    let rule = json!({"route": [{"destination": {"host": "a"}}], "rewrite": {"uriRegexRewrite": {"match": r"\pL", "rewrite": ""}}});
    let expected = "VERSION  SHARE  SENT TO\na        100%   a\n\na\n  by spec.http[0]\n    \
                    path: rewritten by an expression that r8 cannot evaluate\n";
    assert_eq!(answered(rule), expected);
}

#[test]
fn a_second_hop_that_ends_nowhere_and_a_circle_are_told() {
    let to = |branch: &str| {
        json!({"match": [{"headers": {"branch": {"exact": branch}}}],
            "route": [{"destination": {"host": "entrance.istio-system"}, "headers": {"request": {"set": {"branch": "b"}}}}]})
    };
    let mut split = to("");
    split.as_object_mut().unwrap().remove("match");
    split["match"] = json!([{"withoutHeaders": {"branch": {}}}]);
    let (answer, _) = told(json!([split]), "/");
    let expected = "VERSION  SHARE  SENT TO\nb        100%   entrance.istio-system\n\nb\n  by spec.http[0].match[0]\n    \
                    request header `branch`: set to `b`\n    to entrance.istio-system, which asks the route again\n    \
                    there nobody answers: no rule matches, so the gateway answers 404\n      spec.http[0].match[0]: no\n        \
                    header `branch` must not be there, found `b`\n";
    assert_eq!(answer, expected);
    let (answer, _) = told(json!([split, to("b")]), "/");
    assert!(
        answer.ends_with("    to entrance.istio-system, which asks the route again, and so on: it is a circle\n"),
        "{answer}"
    );
}

#[test]
fn what_a_condition_asks_of_a_secret_is_not_shown_and_that_it_is_met_is() {
    let rules = json!([
        {"match": [
            {"uri": {"prefix": "/v2?token=hunter2&v=1"}},
            {"queryParams": {"token": {"exact": "hunter2"}, "key": {"exact": "hunter2"}, "v": {"exact": "2"}}},
            {"headers": {"authorization": {"exact": "Bearer hunter2"}, "x-a": {"regex": ".*api_key=hunter2.*"}, "x-b": {}}},
            {"headers": {":path": {"exact": "/v1?token=hunter2&v=1"}, "cookie": {"regex": "a=hunter2"}}},
        ], "route": [{"destination": {"host": "a"}}]},
        {"rewrite": {"uri": "/v3?token=hunter2"}, "route": [{"destination": {"host": "b"}, "headers": {"request": {"set": {"x-c": "password=hunter2; d=1"}}}}]},
    ]);
    let (answer, tried) = told(rules, "/v1?token=hunter2&key=hunter2&v=1");
    let expected = "VERSION  SHARE  SENT TO\nb        100%   b\n\nb\n  by spec.http[1]\n    \
                    path: /v3?token=•••••&key=•••••&v=1\n    request header `x-c`: set to `password=•••••; d=1`\n";
    assert_eq!(answer, expected);
    let expected = "  spec.http[0].match[0]: no\n    path must begin with `/v2?token=•••••&v=1`, found `/v1`\n  \
         spec.http[0].match[1]: no\n    query parameter `v` must be `2`, found `1`\n  \
         spec.http[0].match[2]: no\n    header `authorization` must be `•••••`, found none\n    \
         header `x-a` must match `.*api_key=•••••`, found none\n    header `x-b` must be there, found none\n  \
         spec.http[0].match[3]: no\n    header `:path` must be `/v1?token=•••••&v=1`, found `/v1?token=•••••&key=•••••&v=1`\n    \
         header `cookie` must match `•••••`, found none\n  spec.http[1]: yes, it takes every request\n";
    assert_eq!(tried, expected);
}

#[test]
fn a_document_shows_no_secret_of_a_condition() {
    let object = json!({"kind": "VirtualService", "metadata": {"namespace": "models", "name": "shop"},
        "spec": {"hosts": ["shop.models"], "http": [{"match": [
            {"uri": {"prefix": "/v2?token=hunter2&v=1"}, "queryParams": {"token": {"exact": "hunter2"}},
             "headers": {"x-a": {"exact": "api_key=hunter2"}, "x-token": {"exact": "hunter2"}}}],
            "route": [{"destination": {"host": "a"}}]}]}});
    let mut request = HttpRequest::parse("/token=hunter2?token=hunter2&v=1").unwrap();
    request.add_header("x-a: api_key=hunter2").unwrap();
    request.add_header("x-token: hunter2").unwrap();
    let found = answer(&object, &request);
    let explained = Explained {
        release: ("shop".into(), "models".into()),
        route: None,
        whence: Whence::Values { ready: vec![0], versions: 1 },
    };
    let document = super::super::document::document(&explained, &request, Some(&found));
    assert!(!document.to_string().contains("hunter2"), "{document:#}");
    let conditions = document["answer"]["tried"][0]["conditions"].as_array().unwrap();
    let told: Vec<Value> =
        conditions.iter().map(|one| json!([one["field"], one["value"], one["found"], one["met"]])).collect();
    let expected = json!([
        ["uri", "/v2?token=•••••&v=1", "/token=•••••", false],
        ["headers.x-a", "api_key=•••••", "api_key=•••••", true],
        ["headers.x-token", "•••••", "•••••", true],
        ["queryParams.token", "•••••", "•••••", true],
    ]);
    assert_eq!(Value::from(told), expected);
    assert_eq!(document["request"]["query"], "token=•••••&v=1");
}
