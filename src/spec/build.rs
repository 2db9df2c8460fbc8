//! Names, defaults, weights and metadata: from checked values to the typed release.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::error::{Problem, SpecError};
use super::release::{Application, Destination, Object, ReleaseSpec, Version};
use super::walk::{Walk, join};
use super::{Identity, name};
use crate::templates::{Configs, Form, KeyRule, ObjectRule, StrategyRule, nearest};
use crate::values::{Kind, Node, Origin};

/// The label that Iter8 watches objects by.
const WATCH: &str = "iter8.tools/watch";
/// The annotation that says how KServe deploys a model.
const DEPLOYMENT_MODE: &str = "serving.kserve.io/deploymentMode";
/// Default weight, as in the Iter8 chart (`_helpers.tpl`, `normalize.versions`).
const DEFAULT_WEIGHT: u32 = 50;

/// Builds the release; none when a mistake already reported leaves nothing to build on.
pub(super) fn build(root: &Node, identity: &Identity, walk: &mut Walk<'_>) -> Option<ReleaseSpec> {
    let node = root.get("application")?;
    let release = release_name(node, identity, walk);
    let metadata = node.get("metadata");
    let text = |key: &str| metadata.and_then(|metadata| metadata.get(key)).and_then(Node::as_str);
    if let Err(rule) = name::label(&identity.namespace) {
        let problem = Problem::Name { name: identity.namespace.clone(), what: "namespace", rule };
        walk.error(problem, None, "", None);
    }
    let namespace = text("namespace").unwrap_or(&identity.namespace).to_owned();
    if namespace != identity.namespace {
        let origin = metadata.and_then(|metadata| metadata.get("namespace")).map(|node| node.origin);
        let problem = Problem::TwoNamespaces { release: identity.namespace.clone(), objects: namespace.clone() };
        walk.warn(problem, origin, "application.metadata.namespace", None);
    }
    let app_name = text("name").map(str::to_owned).or_else(|| release.clone());
    let rule = strategy(node, walk);
    let settings = settings(root, walk);
    let fields = fields(node, None, "application", walk);
    let list = node.get("versions").and_then(Node::as_list)?;
    if list.is_empty() {
        let origin = node.get("versions").map(|node| node.origin);
        let problem = Problem::Missing("application.versions[0]".into());
        walk.error(problem, origin, "application.versions", Some("write at least one version".into()));
    }
    let (strategy, rule) = rule?;
    let name = app_name?;
    let mut versions = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let context =
            Context { application: node, name: &name, namespace: &namespace, strategy: &strategy, rule: &rule };
        versions.push(context.version(index, item, walk));
    }
    let application = Application { name, namespace, strategy, rule, fields, versions };
    check_versions(node, list, &application, walk);
    Some(ReleaseSpec {
        name: release?,
        namespace: identity.namespace.clone(),
        environment: walk.environment.clone(),
        settings,
        application,
    })
}

fn release_name(node: &Node, identity: &Identity, walk: &mut Walk<'_>) -> Option<String> {
    let metadata = node.get("metadata");
    let labels = metadata.and_then(|metadata| metadata.get("labels"));
    let from_name = metadata.and_then(|metadata| metadata.get("name"));
    let from_label = labels.and_then(|labels| labels.get("app.kubernetes.io/name"));
    let found = identity
        .release
        .as_deref()
        .map(|name| (name, None))
        .or_else(|| from_name.or(from_label).and_then(|node| Some((node.as_str()?, Some(node.origin)))));
    let Some((found, origin)) = found else {
        let hint = "give it as an argument, `r8 render NAME -f …`, or write `application.metadata.name: NAME`";
        walk.error(Problem::NoName, Some(node.origin), "application", Some(hint.into()));
        return None;
    };
    if let Err(rule) = name::release_name(found) {
        let problem = Problem::Name { name: found.to_owned(), what: "release name", rule };
        walk.error(problem, origin, "", None);
        return None;
    }
    Some(found.to_owned())
}

fn strategy(node: &Node, walk: &mut Walk<'_>) -> Option<(String, StrategyRule)> {
    let given = node.get("strategy");
    let name = match given {
        None => "none",
        Some(node) => node.as_str()?,
    };
    if let Some(rule) = walk.environment.strategy(name) {
        return Some((name.to_owned(), rule.clone()));
    }
    let environment = walk.environment.name.clone();
    let hint = nearest(name, &walk.environment.strategies());
    let problem = Problem::UnknownStrategy { environment, strategy: name.to_owned() };
    walk.error(problem, given.map(|node| node.origin), "application.strategy", Some(hint));
    None
}

/// The environment's own top-level values, nested, with defaults.
fn settings(root: &Node, walk: &Walk<'_>) -> Map<String, Value> {
    let mut settings = Map::new();
    for (path, rule) in &walk.environment.table.keys {
        if path.starts_with("application") || path == "environment" || rule.form == Form::Map {
            continue;
        }
        let parts: Vec<&str> = path.split('.').collect();
        let given = parts.iter().try_fold(root, |node, part| node.get(part));
        let Some(value) = given.map(|node| converted(rule, node)).or_else(|| rule.default.clone()) else { continue };
        insert(&mut settings, &parts, value);
    }
    settings
}

/// Puts a value at its place in nested maps.
fn insert(map: &mut Map<String, Value>, parts: &[&str], value: Value) {
    match parts {
        [] => {}
        [last] => {
            map.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let below = map.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(below) = below {
                insert(below, rest, value);
            }
        }
    }
}

/// The environment's own keys of the application or of a version.
fn fields(node: &Node, application: Option<&Node>, pattern: &str, walk: &Walk<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (path, rule) in &walk.environment.table.keys {
        let Some(key) = path.strip_prefix(pattern).and_then(|key| key.strip_prefix('.')) else { continue };
        let structural = matches!(
            rule.form,
            Form::Map | Form::List | Form::Specification | Form::IstioMatch | Form::GatewayMatch | Form::Weight
        );
        if structural || key.contains(['.', '[']) || key == "strategy" {
            continue;
        }
        let inherited = || {
            let above = application?.get(key);
            let default = || walk.environment.table.keys.get(&join("application", key))?.default.clone();
            above.map(|node| converted(rule, node)).or_else(default)
        };
        let value = node.get(key).map(|node| converted(rule, node));
        let value = value.or_else(|| if rule.inherit { inherited() } else { None }).or_else(|| rule.default.clone());
        if let Some(value) = value {
            fields.insert(key.to_owned(), value);
        }
    }
    fields
}

/// A value in the form that templates get.
fn converted(rule: &KeyRule, node: &Node) -> Value {
    match (rule.form, node.as_str()) {
        (Form::ModelFormat, Some(name)) => json!({"name": name}),
        (Form::GatewayReference, Some(text)) => match text.split_once('/') {
            Some((namespace, name)) => json!({"name": name, "namespace": namespace}),
            None => json!({"name": text}),
        },
        _ => node.to_json(),
    }
}

/// What every version of one application has in common.
struct Context<'a> {
    application: &'a Node,
    name: &'a str,
    namespace: &'a str,
    strategy: &'a str,
    rule: &'a StrategyRule,
}

impl Context<'_> {
    fn version(&self, index: usize, node: &Node, walk: &mut Walk<'_>) -> Version {
        let metadata = node.get("metadata");
        let text = |key: &str| metadata.and_then(|metadata| metadata.get(key)).and_then(Node::as_str);
        let name = text("name").map_or_else(|| format!("{}-{index}", self.name), str::to_owned);
        let namespace = text("namespace").unwrap_or(self.namespace).to_owned();
        let path = format!("application.versions[{index}]");
        let fields = fields(node, Some(self.application), "application.versions[]", walk);
        let rules = walk.environment.objects().to_vec();
        let objects: Vec<Object> =
            rules.iter().map(|rule| self.object(rule, node, &name, &namespace, &path, walk)).collect();
        let destination = self.destination(node, &objects, &fields, walk);
        let (weight, routemap_weight) = self.weight(index, node, &path, walk);
        let has_config = match self.rule.configs {
            Configs::None => false,
            Configs::All => true,
            Configs::Candidates => index > 0,
        };
        let matches = self.matches(index, node, &path, walk);
        Version { index, name, namespace, weight, routemap_weight, has_config, matches, fields, objects, destination }
    }

    fn weight(&self, index: usize, node: &Node, path: &str, walk: &mut Walk<'_>) -> (u32, Option<u32>) {
        let given = node.get("weight");
        let number = given.and_then(|node| match node.kind {
            Kind::Int(number) => u32::try_from(number).ok(),
            _ => None,
        });
        let path = join(path, "weight");
        let Some(rule) = &self.rule.weights else {
            self.ignored("weight", given, &path, walk);
            return (1, None);
        };
        // Mirroring sends every request to the primary: only the candidate's weight is read.
        if self.rule.configs == Configs::Candidates && index == 0 {
            self.ignored("weight", given, &path, walk);
            return (1, None);
        }
        let weight = number.unwrap_or(DEFAULT_WEIGHT);
        if weight > rule.max {
            let expected = format!("at most {}", rule.max);
            let problem = Problem::Range { key: "weight".into(), expected, found: weight.to_string() };
            walk.error(problem, given.map(|node| node.origin), &path, None);
        }
        (weight, Some(weight))
    }

    fn ignored(&self, key: &str, given: Option<&Node>, path: &str, walk: &mut Walk<'_>) {
        if let Some(given) = given {
            let problem = Problem::Ignored { key: key.into(), strategy: self.strategy.to_owned() };
            walk.warn(problem, Some(given.origin), path, None);
        }
    }

    fn matches(&self, index: usize, node: &Node, path: &str, walk: &mut Walk<'_>) -> Option<Value> {
        for key in ["match", "matches"] {
            let given = node.get(key);
            if self.rule.matches.as_deref() != Some(key) {
                if walk.environment.table.keys.contains_key(&join("application.versions[]", key)) {
                    self.ignored(key, given, &join(path, key), walk);
                }
                continue;
            }
            if index == 0 {
                if let Some(given) = given {
                    let problem = Problem::MatchOfPrimary { key: key.into() };
                    walk.error(problem, Some(given.origin), &join(path, key), Some("move it to a candidate".into()));
                }
                return None;
            }
            let rule = walk.environment.table.keys.get(&join("application.versions[]", key))?;
            return given.map(Node::to_json).or_else(|| rule.default.clone());
        }
        None
    }

    /// One object's metadata, merged by precedence (`spec/chart.md` 1.4 names the chart's rule):
    /// the specification's over the version's over the application's.
    fn object(
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

    fn destination(
        &self,
        node: &Node,
        objects: &[Object],
        fields: &Map<String, Value>,
        walk: &Walk<'_>,
    ) -> Option<Destination> {
        let rule = walk.environment.table.destination.as_ref()?;
        let object = objects.iter().find(|object| object.slot == rule.object)?;
        let host = format!("{}{}.{}.svc.cluster.local", object.name, rule.suffix, object.namespace);
        let specification = walk
            .environment
            .objects()
            .iter()
            .find(|known| known.name == rule.object)
            .and_then(|known| node.get(&known.specification));
        let declared = specification.and_then(service_port);
        let port = declared.or_else(|| fields.get("port")?.as_u64()).and_then(|port| u16::try_from(port).ok());
        Some(Destination {
            name: object.name.clone(),
            namespace: object.namespace.clone(),
            host,
            port: port.unwrap_or(80),
        })
    }
}

/// The port that requests go to: the chart's own key `ports[0].port` beside `spec`, else of the Service's ports the one
/// named `http`, else the first.
fn service_port(specification: &Node) -> Option<u64> {
    let number = |node: &Node| match node.get("port")?.kind {
        Kind::Int(port) => u64::try_from(port).ok(),
        _ => None,
    };
    let beside = specification.get("ports").and_then(Node::as_list).and_then(|ports| ports.first());
    let ports = specification.get("spec").and_then(|spec| spec.get("ports")).and_then(Node::as_list);
    let named = ports.and_then(|ports| {
        let http = ports.iter().find(|port| port.get("name").and_then(Node::as_str) == Some("http"));
        http.or_else(|| ports.first())
    });
    beside.and_then(number).or_else(|| named.and_then(number))
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

/// Checks what concerns several versions: counts, sums, names that meet.
fn check_versions(node: &Node, list: &[Node], application: &Application, walk: &mut Walk<'_>) {
    let rule = &application.rule;
    let origin = node.get("versions").map(|node| node.origin);
    let candidates = application.versions.len().saturating_sub(1);
    if let Some(most) = rule.candidates
        && candidates > most
    {
        let what = format!("strategy `{}`", application.strategy);
        let problem = Problem::TooMany { what, most: format!("{most} candidate"), found: candidates };
        walk.error(problem, list.get(most + 1).map(|node| node.origin), "application.versions", None);
    }
    if let Some(route) = &walk.environment.table.route
        && let Some(most) = route.max_destinations
        && application.strategy != "none"
        && application.versions.len() > most
    {
        let problem = Problem::TooMany {
            what: format!("one rule of {}", route.kind),
            most: format!("{most} versions"),
            found: application.versions.len(),
        };
        walk.error(problem, origin, "application.versions", None);
    }
    if let Some(weights) = &rule.weights
        && let Some(most) = weights.sum
    {
        let sum: u64 = application.versions.iter().map(|version| u64::from(version.weight)).sum();
        if sum > most {
            walk.error(Problem::WeightSum { sum, most }, origin, "application.versions", None);
        } else if sum == 0 && !application.versions.is_empty() {
            let hint = "give at least one version a weight above 0";
            walk.error(Problem::NoWeight, origin, "application.versions", Some(hint.into()));
        }
    }
    names_that_meet(list, application, walk);
}

fn names_that_meet(list: &[Node], application: &Application, walk: &mut Walk<'_>) {
    let mut seen: BTreeMap<(&str, String, String), String> = BTreeMap::new();
    let mut found = Vec::new();
    let mut add = |kind: &'static str, namespace: &str, name: String, who: String, index: Option<usize>| {
        let key = (kind, namespace.to_owned(), name.clone());
        if let Some(first) = seen.get(&key) {
            let object = format!("{kind} {namespace}/{name}");
            let origin = index
                .and_then(|index| list.get(index))
                .map(|node| node.get("metadata").and_then(|metadata| metadata.get("name")).unwrap_or(node).origin);
            found.push((Problem::Twice { object, first: first.clone(), second: who }, origin, index));
        } else {
            seen.insert(key, who);
        }
    };
    let (name, namespace) = (&application.name, application.namespace.as_str());
    if walk.environment.table.application_object == Some(true) {
        add("Service", namespace, name.clone(), "the application".into(), None);
    }
    add("ConfigMap", namespace, format!("{name}-routemap"), "the application's routemap".into(), None);
    for version in &application.versions {
        let who = format!("`application.versions[{}]`", version.index);
        for object in &version.objects {
            let kind = match object.kind.as_str() {
                "Service" => "Service",
                "Deployment" => "Deployment",
                _ => "InferenceService",
            };
            add(kind, &object.namespace, object.name.clone(), who.clone(), Some(version.index));
            if kind == "InferenceService" {
                // KServe makes Services of these names for every InferenceService.
                let kserve = format!("KServe for {who}");
                add("Service", &object.namespace, object.name.clone(), kserve.clone(), Some(version.index));
                add("Service", &object.namespace, format!("{}-predictor", object.name), kserve, Some(version.index));
            }
        }
        if version.has_config {
            let config = format!("{}-weight-config", version.name);
            add("ConfigMap", &version.namespace, config, format!("the weight of {who}"), Some(version.index));
        }
    }
    for (problem, origin, index) in found {
        let path = index.map(|index| format!("application.versions[{index}]")).unwrap_or_default();
        let hint = "give each version its own `metadata.name`";
        walk.errors.push(SpecError {
            problem,
            origin,
            path: Some(path).filter(|path| !path.is_empty()),
            hint: Some(hint.into()),
        });
    }
}
