//! A release made of choices: what the key tables allow, and a little beyond.

use r8::templates::{Catalog, Environment, Form, KeyRule};
use r8::values::{Source, SourceName};
use serde_json::{Map, Value, json};

use super::choices::Choices;

/// Texts that readers are known to take for something else, or that have a meaning in one of the places they pass through.
const TEXTS: [&str; 24] = [
    "a",
    "on",
    "No",
    "~",
    "010",
    "1e3",
    "0x1F",
    "1.10",
    "<<",
    "=",
    "- a",
    "a: b",
    "a #b",
    "{{ 1 }}",
    "{{- end }}",
    "<b",
    "<!--",
    "\"",
    "'",
    "a\n  b\n",
    "\t\n",
    "\u{85}\u{2028}\u{feff}",
    "\u{1f600}\u{e000}\u{fffe}",
    "",
];
/// Names; the last ones are none.
const NAMES: [&str; 12] =
    ["one", "two", "wisdom", "wisdom-1", "wisdom-2", "a", "b-c", "wisdom-routemap", "a.b", "0", "One", ""];
/// Namespaces; the last ones are none.
const NAMESPACES: [&str; 6] = ["default", "other", "a", "0", "a.b", ""];
/// Weights; the last ones are none everywhere.
const WEIGHTS: [&str; 14] = [
    "50",
    "0",
    "1",
    "30",
    "100",
    "1000000",
    "2147483647",
    "101",
    "1000001",
    "2147483648",
    "4294967295",
    "-1",
    "1.5",
    "18446744073709551615",
];
/// Ports; the last ones are none.
const PORTS: [&str; 8] = ["80", "8080", "1", "65535", "65536", "0", "-1", "1e3"];

/// Files and arguments of `--set` that describe one release.
pub(crate) fn sources(choices: &mut Choices<'_>) -> Vec<Source> {
    let catalog = Catalog::embedded();
    let names = catalog.names();
    let name = &names[choices.below(names.len())];
    let environment = catalog.environment(name).expect("it is listed");
    let tree = tree(choices, &environment);
    // JSON is YAML too, and has other forms for the same texts.
    let file =
        if choices.sometimes() { tree.to_string() } else { r8::manifest::yaml(&tree).expect("a tree can be written") };
    let mut sources = vec![Source { name: SourceName::File("values.yaml".into()), text: file }];
    if choices.rarely() {
        let text = format!("application.versions[{}].weight={}", choices.below(4), choices.mostly(7, &WEIGHTS));
        sources.push(Source { name: SourceName::Set(1), text });
    }
    if choices.rarely() {
        let text = format!("application.versions[0].metadata.annotations.a={}", text(choices));
        sources.push(Source { name: SourceName::SetLiteral(1), text });
    }
    sources
}

fn tree(choices: &mut Choices<'_>, environment: &Environment) -> Value {
    let strategies = environment.strategies();
    let strategy = if choices.rarely() { "mirror" } else { strategies[choices.below(strategies.len())] };
    let mut root = map(choices, environment, "");
    root.insert("environment".into(), environment.name.as_str().into());
    let mut application = map(choices, environment, "application");
    application.insert("strategy".into(), strategy.into());
    let count = 1 + choices.below(4);
    let versions: Vec<Value> = (0..count).map(|_| map(choices, environment, "application.versions[]").into()).collect();
    application.insert("versions".into(), versions.into());
    root.insert("application".into(), application.into());
    root.into()
}

/// The keys of one map: those it must have, and some of the others.
fn map(choices: &mut Choices<'_>, environment: &Environment, pattern: &str) -> Map<String, Value> {
    let mut found = Map::new();
    for (path, rule) in &environment.table.keys {
        let below = if pattern.is_empty() {
            Some(path.as_str())
        } else {
            path.strip_prefix(pattern).and_then(|key| key.strip_prefix('.'))
        };
        let Some(key) = below.filter(|key| !key.is_empty() && !key.contains(['.', '['])) else { continue };
        let needed = rule.required || rule.required_unless.is_some();
        if key == "versions" || needed == choices.sometimes() {
            continue;
        }
        let value = match rule.form {
            Form::Map => Value::Object(map(choices, environment, path)),
            _ => value(choices, rule),
        };
        found.insert(key.to_owned(), value);
    }
    if choices.rarely() {
        found.insert(text(choices), anything(choices, 0));
    }
    found
}

fn value(choices: &mut Choices<'_>, rule: &KeyRule) -> Value {
    if choices.rarely() {
        return anything(choices, 0);
    }
    match rule.form {
        Form::Port => number(choices.mostly(4, &PORTS)),
        Form::Weight | Form::Integer => number(choices.mostly(6, &WEIGHTS)),
        Form::Boolean => choices.sometimes().into(),
        Form::Labels => (0..choices.below(3)).map(|_| (key(choices), label(choices))).collect::<Map<_, _>>().into(),
        Form::Annotations => {
            (0..choices.below(3)).map(|_| (key(choices), text(choices).into())).collect::<Map<_, _>>().into()
        }
        Form::ServiceName | Form::ObjectName | Form::IstioGateway | Form::GatewayReference | Form::Host => {
            choices.mostly(8, &NAMES).into()
        }
        Form::Namespace => choices.mostly(4, &NAMESPACES).into(),
        Form::Specification => specification(choices),
        Form::IstioMatch => (0..1 + choices.below(2)).map(|_| istio_match(choices)).collect(),
        Form::GatewayMatch => (0..1 + choices.below(2)).map(|_| gateway_match(choices)).collect(),
        Form::ModelFormat if choices.sometimes() => json!({"name": text(choices), "version": text(choices)}),
        Form::Objects => {
            (0..choices.below(3)).map(|_| json!({"name": text(choices), "a": anything(choices, 0)})).collect()
        }
        Form::ContainerPorts => {
            let name = choices.mostly(8, &NAMES);
            (0..choices.below(2))
                .map(|_| json!({"name": name, "containerPort": number(choices.mostly(4, &PORTS))}))
                .collect()
        }
        Form::Map | Form::List | Form::Any => anything(choices, 0),
        Form::String | Form::ModelFormat => match &rule.example {
            Some(example) if !choices.sometimes() => example.clone(),
            _ => text(choices).into(),
        },
    }
}

fn specification(choices: &mut Choices<'_>) -> Value {
    let mut metadata = Map::new();
    if choices.sometimes() {
        metadata.insert("name".into(), choices.mostly(8, &NAMES).into());
    }
    if choices.sometimes() {
        metadata.insert("namespace".into(), choices.mostly(4, &NAMESPACES).into());
    }
    if choices.sometimes() {
        metadata.insert("labels".into(), json!({key(choices): label(choices)}));
    }
    if choices.sometimes() {
        metadata.insert(text(choices), anything(choices, 0));
    }
    json!({"metadata": metadata, "spec": {"ports": [{"port": number(choices.mostly(4, &PORTS))}], text(choices): anything(choices, 0)}})
}

fn istio_match(choices: &mut Choices<'_>) -> Value {
    let condition = json!({choices.mostly(3, &["exact", "prefix", "regex", "a"]): text(choices)});
    match if choices.rarely() { 5 } else { choices.below(5) } {
        0 => json!({"headers": {header(choices): condition}}),
        1 => json!({"uri": condition}),
        2 => json!({"queryParams": {text(choices): condition}, "ignoreUriCase": choices.sometimes()}),
        3 => json!({"withoutHeaders": {header(choices): condition}, "name": text(choices)}),
        4 => json!({"sourceLabels": {text(choices): text(choices)}, "port": number(choices.mostly(4, &PORTS))}),
        _ => anything(choices, 0),
    }
}

fn gateway_match(choices: &mut Choices<'_>) -> Value {
    match if choices.rarely() { 3 } else { choices.below(3) } {
        0 => json!({"headers": [{"name": header(choices), "value": text(choices)}]}),
        1 => {
            json!({"path": {"type": choices.one(&["Exact", "PathPrefix", "RegularExpression"]), "value": format!("/{}", text(choices))}})
        }
        2 => json!({"queryParams": [{"name": header(choices), "value": text(choices)}], "method": "GET"}),
        _ => anything(choices, 0),
    }
}

fn header(choices: &mut Choices<'_>) -> String {
    if choices.rarely() { text(choices) } else { choices.one(&["traffic", "branch", "<<", "x-a"]).to_owned() }
}

fn key(choices: &mut Choices<'_>) -> String {
    let keys =
        ["a", "iter8.tools/watch", "app.kubernetes.io/name", "on", "1", "b/c", "serving.kserve.io/deploymentMode"];
    if choices.rarely() { text(choices) } else { choices.mostly(6, &keys).to_owned() }
}

fn label(choices: &mut Choices<'_>) -> Value {
    if choices.rarely() {
        text(choices).into()
    } else {
        choices.one(&["a", "on", "1.10", "", "true", "Standard", "010"]).into()
    }
}

fn text(choices: &mut Choices<'_>) -> String {
    if choices.sometimes() { choices.text() } else { choices.one(&TEXTS).to_owned() }
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).expect("it is a number")
}

/// Any value, of at most a few levels.
fn anything(choices: &mut Choices<'_>, level: usize) -> Value {
    let most = if level < 4 { 8 } else { 6 };
    match choices.below(most) {
        0 => text(choices).into(),
        1 => Value::Null,
        2 => choices.sometimes().into(),
        3 => number(choices.one(&WEIGHTS)),
        4 => number(choices.one(&PORTS)).to_string().into(),
        5 => choices.text().into(),
        6 => (0..choices.below(4)).map(|_| anything(choices, level + 1)).collect(),
        _ => (0..choices.below(4)).map(|_| (text(choices), anything(choices, level + 1))).collect::<Map<_, _>>().into(),
    }
}
