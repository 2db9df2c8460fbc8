//! The forms that a key table gives to values, as schemas: patterns of names, labels, ports, what replaces an object.

use serde_json::{Value, json};

use super::{at, reference};
use crate::templates::{Environment, Form, KeyRule};

/// A part of an RFC 1123 subdomain.
const PART: &str = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?";
/// An RFC 1123 label of at most 63 characters.
const LABEL: &str = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
/// The name part of a label's key, or a label's value that is not empty.
const WORD: &str = "[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";

/// The definitions that schemas of keys refer to; each takes `null`, which counts as absent.
pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    let text = |pattern: String| json!({"type": ["string", "null"], "pattern": pattern});
    let subdomain = format!("(?=[^/]{{1,253}}(?:/|$)){PART}(?:\\.{PART})*");
    let host = format!("(?=[^/]{{1,253}}\\.?$)(?:{LABEL}\\.)*(?![0-9]+\\.?$){LABEL}\\.?");
    let prefix = format!("(?:{subdomain}/)?");
    let texts = |prefix: String, value: Value| {
        json!({
            "type": ["object", "null"],
            "propertyNames": {"pattern": format!("^{prefix}{WORD}$")},
            "additionalProperties": value,
        })
    };
    let any_case = prefix.replace("a-z", "A-Za-z");
    vec![
        ("label", text(format!("^{LABEL}$"))),
        ("subdomain", text(format!("^{subdomain}$"))),
        ("service-name", text("^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$".into())),
        ("host", text(format!("^{host}$"))),
        ("gateway-reference", text(format!("^(?:{LABEL}/)?{subdomain}$"))),
        ("istio-gateway", text(format!("^(?:{LABEL}/{LABEL}|{host})$"))),
        ("labels", texts(prefix, text(format!("^(?:{WORD})?$")))),
        ("annotations", texts(any_case, json!({"type": ["string", "null"]}))),
        ("port-name", text("^(?=.*[a-z])(?!.*--)[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?$".into())),
        ("container-ports", container_ports()),
        ("service-ports", service_ports()),
        ("service-spec", service_spec()),
        ("pods", json!({"properties": {"containers": containers()}})),
        ("deployment-spec", deployment_spec()),
        ("object-metadata", object_metadata()),
    ]
}

/// The schema of a value of a key's form, `null` not among them unless it is a definition.
pub(super) fn schema(environment: &Environment, key: &str, rule: &KeyRule) -> Value {
    let name = key.rsplit('.').next().unwrap_or(key);
    match rule.form {
        Form::Any => json!({}),
        Form::Boolean => json!({"type": "boolean"}),
        Form::Integer => json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX}),
        Form::Port => json!({"type": "integer", "minimum": 1, "maximum": 65535}),
        Form::Weight => json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}),
        Form::Map | Form::List => json!({}),
        Form::Objects => json!({"type": "array", "items": {"type": "object"}}),
        Form::ContainerPorts => reference("container-ports"),
        Form::Labels => reference("labels"),
        Form::Annotations => reference("annotations"),
        Form::Specification => specification(environment, name, rule),
        Form::ModelFormat => model_format(),
        Form::IstioMatch => reference("istio-match"),
        Form::GatewayMatch => reference("gateway-match"),
        Form::IstioGateway => reference("istio-gateway"),
        Form::String => match &rule.pattern {
            Some(pattern) => json!({"type": "string", "minLength": 1, "pattern": whole(pattern)}),
            None => json!({"type": "string", "minLength": 1}),
        },
        Form::ServiceName => patterned("service-name", rule),
        Form::ObjectName => patterned("subdomain", rule),
        Form::Namespace => patterned("label", rule),
        Form::Host => patterned("host", rule),
        Form::GatewayReference => patterned("gateway-reference", rule),
    }
}

fn patterned(definition: &str, rule: &KeyRule) -> Value {
    let mut schema = reference(definition);
    if let Some(pattern) = &rule.pattern {
        schema["pattern"] = whole(pattern).into();
    }
    schema
}

fn whole(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

fn model_format() -> Value {
    let text = json!({"type": "string", "minLength": 1});
    json!({
        "type": ["string", "object"],
        "minLength": 1,
        "properties": {"name": text, "version": text},
        "required": ["name"],
        "additionalProperties": false,
    })
}

fn port() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": 65535})
}

fn container_ports() -> Value {
    json!({
        "type": ["array", "null"],
        "items": {
            "type": "object",
            "properties": {"containerPort": port(), "name": reference("port-name")},
            "required": ["containerPort"],
        },
    })
}

fn service_ports() -> Value {
    let name = r"^(?=.*[a-z])(?!.*--)[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?$";
    let target = json!({"type": ["integer", "string", "null"], "minimum": 1, "maximum": 65535, "pattern": name});
    json!({
        "type": ["array", "null"],
        "items": {
            "type": "object",
            "properties": {"port": port(), "name": reference("label"), "targetPort": target},
            "required": ["port"],
        },
    })
}

/// Ports are required unless the Service is headless or the name of something outside; several have names.
fn service_spec() -> Value {
    let several = json!({
        "if": {"minItems": 2},
        "then": {"items": {"properties": {"name": {"type": "string"}}, "required": ["name"]}},
    });
    json!({
        "type": "object",
        "properties": {"ports": {"allOf": [reference("service-ports"), several]}},
        "if": {"anyOf": [
            {"properties": {"clusterIP": {"const": "None"}}, "required": ["clusterIP"]},
            {"properties": {"type": {"const": "ExternalName"}}, "required": ["type"]},
        ]},
        "else": {"properties": {"ports": {"type": "array", "minItems": 1}}, "required": ["ports"]},
    })
}

fn containers() -> Value {
    json!({"items": at(&["ports"], reference("container-ports"))})
}

fn deployment_spec() -> Value {
    let mut spec = at(&["template", "spec"], reference("pods"));
    spec["type"] = "object".into();
    spec
}

fn object_metadata() -> Value {
    json!({
        "type": ["object", "null"],
        "properties": {
            "name": reference("subdomain"),
            "namespace": reference("label"),
            "labels": reference("labels"),
            "annotations": reference("annotations"),
        },
    })
}

/// What replaces a generated object: nothing at all, or with a `spec`.
fn specification(environment: &Environment, key: &str, rule: &KeyRule) -> Value {
    let object = environment.objects().iter().find(|object| object.specification == key);
    let spec = match object.map(|object| object.kind.as_str()) {
        Some("Service") => reference("service-spec"),
        Some("Deployment") => reference("deployment-spec"),
        Some("InferenceService") => reference("inference-service"),
        _ => json!({"type": "object"}),
    };
    let mut properties = json!({"metadata": reference("object-metadata"), "spec": spec});
    for key in &rule.extra {
        properties[key] = if key == "ports" { reference("service-ports") } else { json!({}) };
    }
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": {}},
        "additionalProperties": false,
        "if": {"minProperties": 1},
        "then": {"required": ["spec"]},
    })
}
