//! The objects of a version: names, labels and annotations, merged by precedence.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::Problem;
use super::kserve::{self, Mode, Subject};
use super::release::Object;
use super::version::Context;
use super::walk::{Walk, join};
use super::{name, ports};
use crate::templates::ObjectRule;
use crate::values::{Kind, Node, Origin};

/// The label that Iter8 watches objects by.
const WATCH: &str = "iter8.tools/watch";
/// The annotation that overrides a weight in the Iter8 controller.
const WEIGHT: &str = "iter8.tools/weight";
/// The most bytes that the annotations of one object may take.
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// A version as written, with what its objects take from it.
pub(super) struct Place<'a> {
    pub node: &'a Node,
    pub name: &'a str,
    pub namespace: &'a str,
    /// `application.versions[INDEX]`.
    pub path: &'a str,
}

/// A label or annotation with the place it comes from.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub value: String,
    pub origin: Origin,
    pub path: String,
}

type Texts = BTreeMap<String, Text>;

impl Context<'_> {
    /// One object's metadata, merged by precedence (`spec/chart.md` 1.4 names the chart's rule):
    /// the specification's over the version's over the application's.
    pub fn object(&self, rule: &ObjectRule, place: &Place<'_>, walk: &mut Walk<'_>) -> Object {
        let (node, path) = (place.node, place.path);
        let specification =
            node.get(&rule.specification).filter(|node| !node.as_map().is_some_and(|map| map.is_empty()));
        let own = specification.and_then(|node| node.get("metadata"));
        let text = |key: &str| own.and_then(|own| own.get(key)).and_then(Node::as_str);
        let layers = [
            (self.application.get("metadata"), "application.metadata".to_owned()),
            (node.get("metadata"), join(path, "metadata")),
            (own, format!("{path}.{}.metadata", rule.specification)),
        ];
        let mut labels = texts(&layers, "labels");
        watched(&mut labels, node.origin, walk);
        let mut annotations = texts(&layers, "annotations");
        fixed(rule, &mut annotations, node.origin, walk);
        weight(rule, &annotations, own, walk);
        size(&annotations, path, walk);
        let object = Object {
            slot: rule.name.clone(),
            resource: rule.resource.clone(),
            kind: rule.kind.clone(),
            name: text("name").unwrap_or(place.name).to_owned(),
            namespace: text("namespace").unwrap_or(place.namespace).to_owned(),
            metadata: Value::Null,
            spec: specification.and_then(|node| node.get("spec")).map(Node::to_json),
        };
        let named = own.and_then(|own| own.get("name"));
        let named = named.or_else(|| node.get("metadata")?.get("name")).unwrap_or(node);
        let spec = specification.and_then(|node| node.get("spec"));
        let spec = spec.map(|spec| (spec, format!("{path}.{}.spec", rule.specification)));
        let subject = Subject {
            name: &object.name,
            namespace: &object.namespace,
            annotations: &annotations,
            storage: node.get("storageUri").filter(|_| spec.is_none()),
            spec,
            path,
            origin: named.origin,
        };
        check_name(&object, &subject, place, walk);
        let is_first = walk.environment.objects().first().is_some_and(|first| first.name == rule.name);
        let elsewhere = own.and_then(|own| own.get("namespace"));
        if object.namespace != self.namespace && (is_first || elsewhere.is_some()) {
            let given = elsewhere.or_else(|| node.get("metadata")?.get("namespace")).unwrap_or(node);
            outside(&object, self.namespace, given, path, walk);
        }
        match (object.kind.as_str(), &subject.spec) {
            ("InferenceService", _) => kserve::check(walk, &subject),
            ("Service", Some((spec, path))) => ports::of_service(walk, spec, path),
            ("Deployment", Some((spec, path))) => {
                if let Some(pods) = spec.get("template").and_then(|template| template.get("spec")) {
                    ports::of_pods(walk, pods, &format!("{path}.template.spec"));
                }
            }
            _ => {}
        }
        Object { metadata: metadata(&object, labels, annotations, own), ..object }
    }
}

fn metadata(object: &Object, labels: Texts, annotations: Texts, own: Option<&Node>) -> Value {
    let json = |texts: Texts| -> Value {
        texts.into_iter().map(|(key, text)| (key, Value::from(text.value))).collect::<Map<_, _>>().into()
    };
    let mut metadata = Map::new();
    metadata.insert("name".into(), object.name.clone().into());
    metadata.insert("namespace".into(), object.namespace.clone().into());
    metadata.insert("labels".into(), json(labels));
    if !annotations.is_empty() {
        metadata.insert("annotations".into(), json(annotations));
    }
    for (key, entry) in own.and_then(Node::as_map).into_iter().flatten() {
        if !metadata.contains_key(key) && entry.value.kind != Kind::Null && key != "annotations" {
            metadata.insert(key.clone(), entry.value.to_json());
        }
    }
    metadata.into()
}

/// Labels or annotations of several layers, the later ones over the earlier; an empty text stays.
fn texts(layers: &[(Option<&Node>, String)], key: &str) -> Texts {
    let mut texts = Texts::new();
    for (layer, path) in layers {
        let given = layer.and_then(|layer| layer.get(key)).and_then(Node::as_map);
        for (name, entry) in given.into_iter().flatten() {
            if let Some(text) = entry.value.as_str() {
                let path = format!("{path}.{key}[\"{name}\"]");
                texts.insert(name.clone(), Text { value: text.to_owned(), origin: entry.value.origin, path });
            }
        }
    }
    texts
}

/// Sets the label that the Iter8 controller sees objects by.
fn watched(labels: &mut Texts, origin: Origin, walk: &mut Walk<'_>) {
    if let Some(given) = labels.get(WATCH).filter(|given| given.value != "true") {
        let hint = "without it the Iter8 controller does not see the version";
        walk.warn(Problem::Watched(WATCH), Some(given.origin), &given.path, Some(hint.into()));
    }
    labels.insert(WATCH.into(), Text { value: "true".into(), origin, path: String::new() });
}

/// Sets the annotations whose value the environment fixes.
fn fixed(rule: &ObjectRule, annotations: &mut Texts, origin: Origin, walk: &mut Walk<'_>) {
    for (key, expected) in &rule.annotations {
        if let Some(given) = annotations.get(key).filter(|given| given.value != *expected) {
            let (key, expected, found) = (key.clone(), expected.clone(), given.value.clone());
            let problem = Problem::FixedAnnotation { key, expected, found, environment: walk.environment.name.clone() };
            let hint = "drop the annotation, or choose another environment";
            walk.error(problem, Some(given.origin), &given.path, Some(hint.into()));
        }
        annotations.insert(key.clone(), Text { value: expected.clone(), origin, path: String::new() });
    }
}

/// Warns of a weight in an annotation: the Iter8 controller reads it from a version's first object, r8 never.
fn weight(rule: &ObjectRule, annotations: &Texts, own: Option<&Node>, walk: &mut Walk<'_>) {
    let Some(given) = annotations.get(WEIGHT) else { return };
    let first = walk.environment.objects().first().filter(|first| first.name != rule.name);
    let own = own.and_then(|own| own.get("annotations")).and_then(|own| own.get(WEIGHT));
    let (problem, hint) = match first {
        None => (Problem::WeightAnnotation(WEIGHT), "write `weight`, which the route follows too".to_owned()),
        Some(first) if own.is_some() => {
            let kind = first.kind.clone();
            (Problem::WeightUnread { key: WEIGHT, kind }, "write `weight`".to_owned())
        }
        Some(_) => return,
    };
    walk.warn(problem, Some(given.origin), &given.path, Some(hint));
}

/// Checks what Kubernetes limits for all annotations of an object together.
fn size(annotations: &Texts, path: &str, walk: &mut Walk<'_>) {
    let bytes: usize = annotations.iter().map(|(key, text)| key.len() + text.value.len()).sum();
    let longest = annotations.values().max_by_key(|text| text.value.len());
    if bytes > MAX_ANNOTATIONS
        && let Some(longest) = longest
    {
        let expected = format!("at most {MAX_ANNOTATIONS} bytes in all");
        let problem = Problem::Range { key: "annotations".into(), expected, found: format!("{bytes} bytes") };
        walk.error(problem, Some(longest.origin), path, Some("this is the longest of them".into()));
    }
    let mut folded: BTreeMap<String, &str> = BTreeMap::new();
    for (key, text) in annotations {
        if let Some(first) = folded.insert(key.to_ascii_lowercase(), key) {
            let problem = Problem::SameButCase { first: first.to_owned(), second: key.clone() };
            walk.warn(problem, Some(text.origin), &text.path, Some("drop one of them".into()));
        }
    }
}

/// Warns of an object in another namespace than the routemap.
fn outside(object: &Object, namespace: &str, node: &Node, path: &str, walk: &mut Walk<'_>) {
    let object = format!("{} {}/{}", object.kind, object.namespace, object.name);
    let problem = Problem::OtherNamespace { object, namespace: namespace.to_owned() };
    let hint = "install the controller with `clusterScoped`, or use `--routing route`, which needs none";
    walk.warn(problem, Some(node.origin), path, Some(hint.into()));
}

/// Checks the name of an object for what becomes of it.
fn check_name(object: &Object, subject: &Subject<'_>, place: &Place<'_>, walk: &mut Walk<'_>) {
    let (checked, what) = match object.kind.as_str() {
        "Service" => (name::service(&object.name), "Service name"),
        "InferenceService" if subject.mode() == Some(Mode::ModelMesh) => {
            (name::service(&object.name), "InferenceService name")
        }
        // KServe appends more than to a predictor of now: [`kserve::check`] tells the Service that would not fit.
        "InferenceService" if !kserve::tail(walk).is_empty() => (name::service(&object.name), "InferenceService name"),
        "InferenceService" => (name::inference_service(&object.name), "InferenceService name"),
        // Without a specification the version's name is also that of the container.
        "Deployment" if object.spec.is_none() && name::subdomain(&object.name).is_ok() => {
            (name::label(place.name), "container name")
        }
        _ => (name::subdomain(&object.name), "object name"),
    };
    if let Err(rule) = checked {
        let name = if what == "container name" { place.name } else { &object.name };
        if is_told(name, subject.origin, place, walk) {
            return;
        }
        let problem = Problem::Name { name: name.to_owned(), what, rule };
        let hint = "set `metadata.name` of the version";
        walk.error(problem, Some(subject.origin), place.path, Some(hint.into()));
    }
}

/// Whether a name has been refused at this place: by the form of its key, or for another object of the version.
fn is_told(name: &str, origin: Origin, place: &Place<'_>, walk: &Walk<'_>) -> bool {
    let given = place.node.get("metadata").and_then(|metadata| metadata.get("name"));
    if given.is_some_and(|given| given.origin == origin) && name::subdomain(name).is_err() {
        return true;
    }
    let below =
        |path: &String| path.strip_prefix(place.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let of_version = walk.errors.iter().rev().take_while(|error| error.path.as_ref().is_some_and(below));
    let same = |problem: &Problem| matches!(problem, Problem::Name { name: known, .. } if known == name);
    of_version.into_iter().any(|error| error.origin == Some(origin) && same(&error.problem))
}
