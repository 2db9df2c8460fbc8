//! The release and its application: names, strategy, settings, and the defaults of keys.

use serde_json::{Map, Value, json};

use super::error::Problem;
use super::name::{self, Namespace, ReleaseName};
use super::release::{Application, ReleaseSpec};
use super::version::Context;
use super::walk::{Walk, join};
use super::{Identity, traffic};
use crate::templates::{Form, KeyRule, STRATEGIES, StrategyRule, nearest};
use crate::values::{Node, Origin};

/// Builds the release; none when a mistake already reported leaves nothing to build on.
pub(super) fn build(root: &Node, identity: &Identity, walk: &mut Walk<'_>) -> Option<ReleaseSpec> {
    let node = root.get("application")?;
    let Names { release, release_namespace, namespace } = names(node, identity, walk);
    let metadata = node.get("metadata");
    let text = |key: &str| metadata.and_then(|metadata| metadata.get(key)).and_then(Node::as_str);
    let name = text("name").or_else(|| release.as_ref().map(ReleaseName::as_str)).map(str::to_owned);
    if let Some(name) = &name {
        application_name(name, metadata.and_then(|metadata| metadata.get("name")).unwrap_or(node).origin, walk);
    }
    // A release without a name has been reported; under another its versions can be judged all the same.
    let name = name.unwrap_or_else(|| "release".to_owned());
    let rule = strategy(node, walk);
    let settings = settings(root, walk);
    let fields = fields(node, None, "application", walk);
    let list = versions(node, walk)?;
    let known = rule.is_some();
    let (strategy, rule) = rule.unwrap_or_default();
    let mut versions = Vec::with_capacity(list.len());
    // What is no map has been reported; a list can be long that `--set` has filled up with nothing.
    for (index, item) in list.iter().enumerate().filter(|(_, item)| item.as_map().is_some()) {
        let context =
            Context { application: node, name: &name, namespace: &namespace, strategy: &strategy, rule: &rule };
        versions.push(context.version(index, item, walk));
    }
    let application = Application { name, namespace, strategy, rule, fields, versions };
    traffic::check(node, list, &application, walk);
    known.then_some(())?;
    Some(ReleaseSpec {
        name: release?,
        namespace: release_namespace?,
        environment: walk.environment.clone(),
        settings,
        application,
    })
}

/// Judges what [`build`] would of a release whose environment nobody knows.
pub(super) fn without_environment(root: &Node, identity: &Identity, walk: &mut Walk<'_>) {
    let Some(node) = root.get("application") else { return };
    names(node, identity, walk);
    versions(node, walk);
    let Some(given) = node.get("strategy") else { return };
    if let Some(strategy) = given.as_str().filter(|name| !name.is_empty() && !STRATEGIES.contains(name)) {
        let hint = nearest(strategy, &STRATEGIES);
        let problem = Problem::NoStrategy(strategy.to_owned());
        walk.error(problem, Some(given.origin), "application.strategy", Some(hint));
    }
}

/// What a release and its objects are called.
struct Names {
    release: Option<ReleaseName>,
    release_namespace: Option<Namespace>,
    /// The namespace of the application's objects.
    namespace: String,
}

fn names(node: &Node, identity: &Identity, walk: &mut Walk<'_>) -> Names {
    let release = release_name(node, identity, walk);
    let release_namespace = Namespace::parse(&identity.namespace);
    if let Err(rule) = release_namespace {
        let problem = Problem::Name { name: identity.namespace.clone(), what: "namespace", rule };
        walk.error(problem, None, "", None);
    }
    let given = node.get("metadata").and_then(|metadata| metadata.get("namespace"));
    let namespace = given.and_then(Node::as_str).unwrap_or(&identity.namespace).to_owned();
    if namespace != identity.namespace {
        let problem = Problem::TwoNamespaces { release: identity.namespace.clone(), objects: namespace.clone() };
        walk.warn(problem, given.map(|node| node.origin), "application.metadata.namespace", None);
    }
    Names { release, release_namespace: release_namespace.ok(), namespace }
}

/// The versions as written; what is no list has been reported.
fn versions<'a>(node: &'a Node, walk: &mut Walk<'_>) -> Option<&'a [Node]> {
    let given = node.get("versions")?;
    let list = given.as_list()?;
    if list.is_empty() {
        let problem = Problem::Missing("application.versions[0]".into());
        walk.error(problem, Some(given.origin), "application.versions", Some("write at least one version".into()));
    }
    Some(list)
}

fn release_name(node: &Node, identity: &Identity, walk: &mut Walk<'_>) -> Option<ReleaseName> {
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
        let hint = "write `application.metadata.name: NAME`";
        walk.error(Problem::NoName, Some(node.origin), "application", Some(hint.into()));
        return None;
    };
    let parsed = ReleaseName::parse(found);
    // What is no name of an application either has been reported as that.
    let told = identity.release.is_none() && from_name.is_some() && name::subdomain(found).is_err();
    if let Err(rule) = parsed
        && !told
    {
        let problem = Problem::Name { name: found.to_owned(), what: "release name", rule };
        walk.error(problem, origin, "", None);
    }
    parsed.ok()
}

/// Checks the name of the application's own Service, where it has one; the key's form has judged the rest.
fn application_name(name: &str, origin: Origin, walk: &mut Walk<'_>) {
    let has_service = walk.environment.table.application_object == Some(true);
    if let Err(rule) = name::service(name)
        && has_service
        && name::subdomain(name).is_ok()
    {
        let problem = Problem::Name { name: name.to_owned(), what: "Service name", rule };
        let hint = "set `application.metadata.name`, the name of the application's Service";
        walk.error(problem, Some(origin), "application.metadata.name", Some(hint.into()));
    }
}

fn strategy(node: &Node, walk: &mut Walk<'_>) -> Option<(String, StrategyRule)> {
    let given = node.get("strategy");
    let name = match given {
        None => "none",
        // An empty one has been reported, as has what is no text.
        Some(node) => node.as_str().filter(|name| !name.is_empty())?,
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
pub(super) fn fields(node: &Node, application: Option<&Node>, pattern: &str, walk: &Walk<'_>) -> Map<String, Value> {
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
