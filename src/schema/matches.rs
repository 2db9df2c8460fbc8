//! Istio's `HTTPMatchRequest` and the Gateway API's `HTTPRouteMatch`, by the rules of the decoder.

use serde_json::{Map, Value, json};

use super::{at, given, reference, there};
use crate::spec::rules::{
    MAP_MATCHES, MAX_CONDITIONS, MAX_HEADER, MAX_MATCHES, MAX_NAME, MAX_PATH, MAX_QUERY, MAX_REGEX, METHODS,
    PSEUDO_HEADERS, STRING_MATCHES,
};

/// An HTTP token.
const TOKEN: &str = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";

pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    vec![
        ("string-match", string_match(json!({"minLength": 1}))),
        ("uri-match", string_match(json!({}))),
        ("istio-match", istio()),
        ("istio-match-of-some", istio_of_some()),
        ("gateway-conditions", conditions()),
        ("gateway-match", gateway()),
        ("gateway-match-of-some", gateway_of_some()),
    ]
}

/// One of `exact`, `prefix` and `regex`, or none of them.
fn string_match(prefix: Value) -> Value {
    let kinds = ["exact", "prefix", "regex"];
    let mut prefix = prefix;
    prefix["type"] = json!(["string", "null"]);
    let alone = |kind: &str| {
        let others = kinds.into_iter().filter(|other| *other != kind);
        json!({"properties": others.map(|other| (other.to_owned(), json!({"type": "null"}))).collect::<Map<_, _>>()})
    };
    json!({
        "type": ["object", "null"],
        "properties": {
            "exact": {"type": ["string", "null"]},
            "prefix": prefix,
            "regex": {"type": ["string", "null"], "minLength": 1, "maxLength": MAX_REGEX},
        },
        "additionalProperties": {"type": "null"},
        "anyOf": kinds.map(alone),
    })
}

/// What must not be `null`, of a definition that takes it.
fn not_null(name: &str) -> Value {
    let mut schema = reference(name);
    schema["type"] = "object".into();
    schema
}

fn istio() -> Value {
    let mut properties = Map::new();
    for key in STRING_MATCHES {
        properties.insert(key.into(), reference(if key == "uri" { "uri-match" } else { "string-match" }));
    }
    for key in MAP_MATCHES {
        properties
            .insert(key.into(), json!({"type": ["object", "null"], "additionalProperties": not_null("string-match")}));
    }
    let names = format!("^(?:{TOKEN}|{})$", PSEUDO_HEADERS.join("|"));
    for key in ["headers", "withoutHeaders"] {
        properties[key]["propertyNames"] = json!({"pattern": names});
    }
    let text = json!({"type": ["string", "null"]});
    let gateway = json!({"$ref": "#/$defs/istio-gateway", "type": "string"});
    let others = [
        ("name", text.clone()),
        ("statPrefix", text),
        ("port", json!({"type": ["integer", "null"], "minimum": 0, "maximum": 65535})),
        ("ignoreUriCase", json!({"type": ["boolean", "null"]})),
        ("sourceLabels", reference("labels")),
        ("sourceNamespace", reference("label")),
        ("gateways", json!({"type": ["array", "null"], "items": gateway})),
    ];
    properties.extend(others.map(|(key, schema)| (key.to_owned(), schema)));
    let one = json!({
        "type": "object",
        "minProperties": 1,
        "properties": properties,
        "additionalProperties": {"type": "null"},
    });
    json!({"type": ["array", "null"], "minItems": 1, "items": one})
}

/// A match that does not take every request.
fn istio_of_some() -> Value {
    let every = json!({"anyOf": [
        {"properties": {"exact": {"type": "null"}, "prefix": {"type": "null"}, "regex": {"type": "null"}}},
        {"properties": {"prefix": {"enum": ["", "/"]}}, "required": ["prefix"]},
        {"properties": {"regex": {"const": ".*"}}, "required": ["regex"]},
    ]});
    let entries = json!({"type": "object", "minProperties": 1});
    let mut some = vec![there(&["uri"], json!({"not": every, "type": "object"}))];
    some.extend(STRING_MATCHES.into_iter().filter(|key| *key != "uri").map(given));
    some.extend(MAP_MATCHES.into_iter().map(|key| there(&[key], entries.clone())));
    some.push(there(&["sourceLabels"], json!({"type": "object", "not": {"additionalProperties": {"type": "null"}}})));
    some.push(there(&["gateways"], json!({"type": "array", "minItems": 1})));
    some.push(there(&["port"], json!({"not": {"enum": [0, null]}})));
    some.push(given("sourceNamespace"));
    json!({"anyOf": some})
}

fn conditions() -> Value {
    let mut name = json!({"type": "string", "minLength": 1, "maxLength": MAX_NAME});
    name["pattern"] = format!("^{TOKEN}$").into();
    json!({
        "type": ["array", "null"],
        "maxItems": MAX_CONDITIONS,
        "items": {
            "type": "object",
            "properties": {
                "name": name,
                "value": {"type": "string", "minLength": 1},
                "type": {"enum": ["Exact", "RegularExpression", null]},
            },
            "required": ["name", "value"],
            "additionalProperties": {"type": "null"},
        },
    })
}

fn gateway() -> Value {
    let conditions = |longest: usize| {
        let mut schema = reference("gateway-conditions");
        schema["items"] = at(&["value"], json!({"maxLength": longest}));
        schema
    };
    let literal = json!({
        "pattern": "^/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*$",
        "not": {"pattern": "//|/\\.{1,2}/|%2[fF]|/\\.{1,2}$"},
    });
    let path = json!({
        "type": ["object", "null"],
        "properties": {
            "type": {"enum": ["Exact", "PathPrefix", "RegularExpression", null]},
            "value": {"type": ["string", "null"], "maxLength": MAX_PATH},
        },
        "additionalProperties": {"type": "null"},
        "if": {"properties": {"type": {"const": "RegularExpression"}}, "required": ["type"]},
        "else": {"properties": {"value": {"anyOf": [{"type": "null"}, literal]}}},
    });
    let one = json!({
        "type": "object",
        "minProperties": 1,
        "properties": {
            "method": {"enum": METHODS.into_iter().map(Value::from).chain([Value::Null]).collect::<Vec<_>>()},
            "path": path,
            "headers": conditions(MAX_HEADER),
            "queryParams": conditions(MAX_QUERY),
        },
        "additionalProperties": {"type": "null"},
    });
    json!({"type": ["array", "null"], "minItems": 1, "maxItems": MAX_MATCHES, "items": one})
}

/// A match that does not take every request.
fn gateway_of_some() -> Value {
    let every = json!({"properties": {"type": {"enum": ["PathPrefix", null]}, "value": {"enum": ["/", null]}}});
    let entries = json!({"type": "array", "minItems": 1});
    json!({"anyOf": [
        there(&["path"], json!({"type": "object", "not": every})),
        there(&["headers"], entries.clone()),
        there(&["queryParams"], entries),
        given("method"),
    ]})
}
