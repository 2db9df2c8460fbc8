//! Manifests that a release is compared with: which objects they hold, and what is wrong with them, each at its place.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::against::Objects;
use crate::cli::failure::{Failure, Fault, Place};
use crate::cli::report::Report;
use crate::manifest::{Located, Manifest, ObjectKey, Role, Spot, found, locate, read_documents};

/// One text, with its path.
pub(super) struct Text {
    pub path: String,
    pub text: String,
}

/// The objects of texts that are manifests, of no texts none; nothing where they are values.
pub(super) fn objects(texts: &[Text], namespace: &str, report: &mut Report<'_>) -> Result<Option<Objects>, Failure> {
    let (mut all, mut values, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_manifests = false;
    for (index, text) in texts.iter().enumerate() {
        match documents(text) {
            Ok(None) => values.push(&text.path),
            Ok(Some(documents)) => {
                is_manifests = true;
                let mut wrong = Vec::new();
                for (document, value) in documents.into_iter().enumerate() {
                    let way = Way { text: index, document, items: Vec::new() };
                    add(value, way, namespace, &mut all, &mut wrong);
                }
                faults.extend(placed(text, &wrong));
            }
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(Failure::Input(faults));
    }
    match (is_manifests, values.first()) {
        (false, Some(_)) => Ok(None),
        (true, Some(path)) => {
            let text = format!("`--against` names manifests, and {path} holds values");
            Err(Failure::usage(text, "give values alone, or manifests alone"))
        }
        (_, None) => {
            warn_of_twice(texts, &all, report);
            Ok(Some(all.into_iter().map(|(key, object, _)| (key, object)).collect()))
        }
    }
}

/// How an object is reached.
struct Way {
    text: usize,
    document: usize,
    /// Its place in the Lists that it stands in, the outermost first.
    items: Vec<usize>,
}

/// One mistake: what is meant of an object, and what is said about it.
struct Wrong {
    way: Way,
    of: &'static [&'static str],
    message: String,
    hint: String,
}

/// The documents of a text of manifests; none where it is one of values.
fn documents(text: &Text) -> Result<Option<Vec<Value>>, Fault> {
    // Values have neither key at their root; a look costs less than reading a large text twice.
    if !(text.text.contains("apiVersion") || text.text.contains("kind")) {
        return Ok(None);
    }
    let begins = |line: &str| ["apiVersion:", "{", "\"apiVersion\":", "kind:"].iter().any(|key| line.starts_with(key));
    match read_documents(&text.text) {
        Ok(documents) => Ok(documents.iter().any(is_object).then_some(documents)),
        // What is wrong with values is told by their own reader.
        Err(_) if !text.text.lines().any(begins) => Ok(None),
        Err(error) => {
            let number = |at: usize| u32::try_from(at).ok();
            let whole = Some(text.text.as_str().into());
            let (line, column) = (number(error.line), number(error.column));
            let place = Place { path: name(text), line, column, length: None, text: whole };
            Err(Fault { message: format!("not YAML: {}", error.message), place: Some(place), hint: None })
        }
    }
}

/// Whether a document is meant as an object, and not as values.
fn is_object(document: &Value) -> bool {
    let has = |key: &str| document.get(key).is_some();
    match (has("apiVersion"), has("kind")) {
        (true, true) => true,
        (false, false) => false,
        _ => ["metadata", "spec", "data", "items"].into_iter().any(has),
    }
}

fn name(text: &Text) -> String {
    if text.path.trim() == "-" { "stdin".to_owned() } else { text.path.clone() }
}

type Found = Vec<(ObjectKey, Value, Way)>;

/// Adds an object, or those of a List, or what is wrong with them.
fn add(mut value: Value, way: Way, namespace: &str, all: &mut Found, wrong: &mut Vec<Wrong>) {
    let kind = value["kind"].as_str().unwrap_or_default().to_owned();
    let (is_list, has_items) = (kind == "List", value.get("items").is_some());
    if is_list || kind.ends_with("List") && has_items {
        match value["items"].take() {
            Value::Null => {}
            Value::Array(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    let items = way.items.iter().copied().chain([index]).collect();
                    add(item, Way { items, ..way }, namespace, all, wrong);
                }
            }
            other => wrong.push(Wrong {
                way,
                of: &["items"],
                message: format!("`items` of a {kind} must be a list of objects, found {}", found(&other)),
                hint: "begin each object with `- `, or give the objects as documents of their own".to_owned(),
            }),
        }
        return;
    }
    let before = wrong.len();
    check(&value, &way, namespace, wrong);
    if wrong.len() > before {
        return;
    }
    // One without a namespace lies in the release's.
    let own = &mut value["metadata"]["namespace"];
    if own.is_null() || *own == "" {
        *own = namespace.into();
    }
    if let Ok(manifest) = Manifest::from_object(value, "", Role::Support) {
        all.push((manifest.key, manifest.object, way));
    }
}

/// What keeps a value from being an object.
fn check(value: &Value, way: &Way, namespace: &str, wrong: &mut Vec<Wrong>) {
    let mut say = |of: &'static [&'static str], message: String, hint: &str| {
        let way = Way { items: way.items.clone(), ..*way };
        wrong.push(Wrong { way, of, message, hint: hint.to_owned() });
    };
    let what = if way.items.is_empty() { "a document" } else { "an item of a List" };
    if !value.is_object() {
        let hint = "give manifests as `kubectl apply` takes them";
        return say(&[], format!("{what} must be an object, found {}", found(value)), hint);
    }
    if value["apiVersion"].is_null() && value["kind"].is_null() {
        let is_values = value.get("environment").is_some() || value.get("application").is_some();
        let hint = match is_values {
            true => "give values alone, or manifests alone",
            false => "write both, as in `apiVersion: apps/v1` and `kind: Deployment`",
        };
        return say(&[], format!("{what} has neither `apiVersion` nor `kind`, and stands among manifests"), hint);
    }
    let object = called(value, namespace);
    for (key, of, hint) in [
        ("apiVersion", &["apiVersion"] as &'static [_], "write the version of its API, as in `apiVersion: apps/v1`"),
        ("kind", &["kind"], "write what it is, as in `kind: ConfigMap`"),
    ] {
        match &value[key] {
            Value::Null => say(of, format!("{object} has no `{key}`"), hint),
            Value::String(text) if !text.is_empty() => {}
            other => say(of, format!("`{key}` of {object} must be a string, found {}", found(other)), hint),
        }
    }
    let metadata = &value["metadata"];
    if !metadata.is_null() && !metadata.is_object() {
        let text = format!("`metadata` of {object} must be a map, found {}", found(metadata));
        return say(&["metadata"], text, "write `metadata: {name: NAME}`");
    }
    let of: &'static [_] = &["metadata", "name"];
    match &metadata["name"] {
        Value::Null if !metadata["generateName"].is_null() => {
            let hint = "`generateName` makes another object each time: give it a name of its own";
            say(of, format!("{object} has no `metadata.name`"), hint);
        }
        Value::Null => say(of, format!("{object} has no `metadata.name`"), "write `metadata: {name: NAME}`"),
        Value::String(text) if !text.is_empty() => {}
        other => {
            let hint = match other {
                Value::Number(_) | Value::Bool(_) => format!("write `name: \"{other}\"`"),
                _ => "write `metadata: {name: NAME}`".to_owned(),
            };
            say(of, format!("`metadata.name` of {object} must be a name, found {}", found(other)), &hint);
        }
    }
    let own = &metadata["namespace"];
    if !own.is_null() && !own.is_string() {
        let text = format!("`metadata.namespace` of {object} must be a string, found {}", found(own));
        say(&["metadata", "namespace"], text, "leave it out: the object lies in the release's namespace then");
    }
}

/// An object by its kind and name, so far as it has them.
fn called(value: &Value, namespace: &str) -> String {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let (kind, name) = (text(&value["kind"]), text(&value["metadata"]["name"]));
    let place = text(&value["metadata"]["namespace"]).unwrap_or_else(|| namespace.to_owned());
    match (kind, name) {
        (Some(kind), Some(name)) => format!("{kind} {place}/{name}"),
        (Some(kind), None) if kind.starts_with(['A', 'E', 'I', 'O', 'U']) || kind.starts_with("HTTP") => {
            format!("an {kind}")
        }
        (Some(kind), None) => format!("a {kind}"),
        (None, Some(name)) => format!("object {place}/{name}"),
        (None, None) => "an object".to_owned(),
    }
}

/// The mistakes in one text, at their places.
fn placed(text: &Text, wrong: &[Wrong]) -> Vec<Fault> {
    if wrong.is_empty() {
        return Vec::new();
    }
    let (documents, whole) = (locate(&text.text), Arc::from(text.text.as_str()));
    let fault = |wrong: &Wrong| Fault {
        message: wrong.message.clone(),
        place: Some(place(text, &whole, spot(&documents, &wrong.way, wrong.of))),
        hint: Some(wrong.hint.clone()),
    };
    wrong.iter().map(fault).collect()
}

fn place(text: &Text, whole: &Arc<str>, spot: Option<Spot>) -> Place {
    let Spot { line, column, length } = spot.unwrap_or(Spot { line: 1, column: 1, length: 1 });
    let (line, column, length) = (Some(line), Some(column), Some(length));
    Place { path: name(text), line, column, length, text: Some(Arc::clone(whole)) }
}

/// Where a part of an object stands: its value, else the key of the nearest part above it that is there, else the object.
fn spot(documents: &[Located], way: &Way, of: &[&str]) -> Option<Spot> {
    let mut object = documents.get(way.document)?;
    for index in &way.items {
        let Some(item) = object.entry("items").and_then(|(_, items)| items.item(*index)) else { break };
        object = item;
    }
    let (mut node, mut spot) = (object, object.spot);
    for (depth, key) in (1..).zip(of) {
        let Some((place, value)) = node.entry(key) else { break };
        (node, spot) = (value, if depth == of.len() { value.spot } else { place });
    }
    Some(spot)
}

/// Warns of objects that are written more than once: only the last counts, as for `kubectl apply`.
fn warn_of_twice(texts: &[Text], all: &Found, report: &mut Report<'_>) {
    let mut first: HashMap<&ObjectKey, &Way> = HashMap::with_capacity(all.len());
    let mut again = Vec::new();
    for (key, _, way) in all {
        match first.get(key) {
            Some(first) => again.push((key, *first, way)),
            None => drop(first.insert(key, way)),
        }
    }
    if again.is_empty() {
        return;
    }
    let located: Vec<(Vec<Located>, Arc<str>)> =
        texts.iter().map(|text| (locate(&text.text), Arc::from(text.text.as_str()))).collect();
    let of = |way: &Way| {
        let ((documents, whole), text) = (located.get(way.text)?, texts.get(way.text)?);
        Some(place(text, whole, spot(documents, way, &["metadata", "name"])))
    };
    let fault = |(key, first, way): (&ObjectKey, &Way, &Way)| {
        let first = of(first).map(|place| format!(", first at {}", place.words())).unwrap_or_default();
        let message = format!("{key} is written more than once{first}: the last one counts, as for `kubectl apply`");
        Fault { message, place: of(way), hint: Some("drop one of them".to_owned()) }
    };
    let faults: Vec<Fault> = again.into_iter().map(fault).collect();
    report.warn("object-written-twice", &faults);
}
