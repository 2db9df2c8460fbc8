//! The objects of a version: names, labels and annotations, merged by precedence.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::Problem;
use super::name;
use super::release::Object;
use super::version::Context;
use super::walk::Walk;
use crate::templates::{ObjectRule, nearest};
use crate::values::{Kind, Node, Origin};

/// The label that Iter8 watches objects by.
const WATCH: &str = "iter8.tools/watch";
/// The annotation that says how KServe deploys a model.
const DEPLOYMENT_MODE: &str = "serving.kserve.io/deploymentMode";

impl Context<'_> {
    /// One object's metadata, merged by precedence (`spec/chart.md` 1.4 names the chart's rule):
    /// the specification's over the version's over the application's.
    pub fn object(
        &self,
        rule: &ObjectRule,
        node: &Node,
        name: &str,
        namespace: &str,
        path: &str,
        walk: &mut Walk<'_>,
    ) -> Object {
        let specification =
            node.get(&rule.specification).filter(|node| !node.as_map().is_some_and(|map| map.is_empty()));
        let own = specification.and_then(|node| node.get("metadata"));
        let text = |key: &str| own.and_then(|own| own.get(key)).and_then(Node::as_str);
        let layers = [self.application.get("metadata"), node.get("metadata"), own];
        let mut labels = texts(&layers, "labels");
        if labels.get(WATCH).is_some_and(|(value, _)| value != "true") {
            let origin = labels.get(WATCH).map(|(_, origin)| *origin);
            let text =
                format!("label `{WATCH}` is always \"true\": without it the Iter8 controller does not see the version");
            walk.warn(Problem::Dead(text), origin, path, None);
        }
        labels.insert(WATCH.into(), ("true".into(), node.origin));
        let mut annotations = texts(&layers, "annotations");
        self.annotations(rule, &mut annotations, node.origin, path, walk);
        let (object_name, object_namespace) = (text("name").unwrap_or(name), text("namespace").unwrap_or(namespace));
        self.check_name(rule, object_name, node, path, walk);
        let mut metadata = Map::new();
        metadata.insert("name".into(), object_name.into());
        metadata.insert("namespace".into(), object_namespace.into());
        metadata.insert("labels".into(), json_texts(labels));
        if !annotations.is_empty() {
            metadata.insert("annotations".into(), json_texts(annotations));
        }
        for (key, entry) in own.and_then(Node::as_map).into_iter().flatten() {
            if !metadata.contains_key(key) && entry.value.kind != Kind::Null && key != "annotations" {
                metadata.insert(key.clone(), entry.value.to_json());
            }
        }
        Object {
            slot: rule.name.clone(),
            resource: rule.resource.clone(),
            kind: rule.kind.clone(),
            name: object_name.to_owned(),
            namespace: object_namespace.to_owned(),
            metadata: Value::Object(metadata),
            spec: specification.and_then(|node| node.get("spec")).map(Node::to_json),
        }
    }

    fn annotations(
        &self,
        rule: &ObjectRule,
        annotations: &mut BTreeMap<String, (String, Origin)>,
        origin: Origin,
        path: &str,
        walk: &mut Walk<'_>,
    ) {
        for (key, expected) in &rule.annotations {
            if let Some((found, origin)) = annotations.get(key)
                && found != expected
            {
                let environment = walk.environment.name.clone();
                let (key, expected, found) = (key.clone(), expected.clone(), found.clone());
                let problem = Problem::FixedAnnotation { key, expected, found, environment };
                walk.error(
                    problem,
                    Some(*origin),
                    path,
                    Some("drop the annotation, or choose another environment".into()),
                );
            }
            annotations.insert(key.clone(), (expected.clone(), origin));
        }
        if rule.annotations.contains_key(DEPLOYMENT_MODE) || rule.kind != "InferenceService" {
            return;
        }
        if let Some((mode, origin)) = annotations.get(DEPLOYMENT_MODE) {
            let modes = ["Standard", "Knative", "ModelMesh", "RawDeployment", "Serverless"];
            if !modes.contains(&mode.as_str()) {
                let text =
                    format!("KServe knows no deployment mode `{mode}` and would fall back to the cluster's default");
                walk.error(Problem::Kserve(text), Some(*origin), path, Some(nearest(mode, &modes[..3])));
            } else if let Some(new) = [("RawDeployment", "Standard"), ("Serverless", "Knative")]
                .into_iter()
                .find_map(|(old, new)| (old == mode).then_some(new))
            {
                let text = format!("deployment mode `{mode}` is rewritten to `{new}` by KServe's webhook");
                walk.warn(Problem::Kserve(text), Some(*origin), path, Some(format!("write `{new}`")));
            }
        }
    }

    fn check_name(&self, rule: &ObjectRule, object_name: &str, node: &Node, path: &str, walk: &mut Walk<'_>) {
        let named = node
            .get(&rule.specification)
            .and_then(|node| node.get("metadata"))
            .and_then(|node| node.get("name"))
            .or_else(|| node.get("metadata").and_then(|node| node.get("name")));
        let (checked, what) = match rule.kind.as_str() {
            "Service" => (name::service(object_name), "Service name"),
            "InferenceService" => (name::inference_service(object_name), "InferenceService name"),
            // A Deployment's name is also the value of the label that selects its pods.
            _ => (name::subdomain(object_name).and_then(|()| name::label_value(object_name)), "object name"),
        };
        if let Err(rule) = checked {
            let problem = Problem::Name { name: object_name.to_owned(), what, rule };
            walk.error(
                problem,
                Some(named.unwrap_or(node).origin),
                path,
                Some("set `metadata.name` of the version".into()),
            );
        }
    }
}

/// Labels or annotations of several layers, the later ones over the earlier; an empty text stays.
fn texts(layers: &[Option<&Node>], key: &str) -> BTreeMap<String, (String, Origin)> {
    let mut texts = BTreeMap::new();
    for layer in layers.iter().flatten() {
        for (name, entry) in layer.get(key).and_then(Node::as_map).into_iter().flatten() {
            if let Some(text) = entry.value.as_str() {
                texts.insert(name.clone(), (text.to_owned(), entry.value.origin));
            }
        }
    }
    texts
}

fn json_texts(texts: BTreeMap<String, (String, Origin)>) -> Value {
    texts.into_iter().map(|(key, (text, _))| (key, Value::from(text))).collect::<Map<_, _>>().into()
}
