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
