//! Where models lie: schemes, several URIs at once, and storage by credentials.

use super::{CONTAINER, KserveProblem, Mode, STORAGE_URI, Subject, implementations, wrong};
use crate::spec::error::Problem;
use crate::spec::walk::{Walk, join};
use crate::templates::nearest;
use crate::values::Node;

/// What KServe's storage initializer loads (`SupportedStorageURIPrefixList`).
const SCHEMES: [&str; 11] = ["gs", "s3", "pvc", "file", "https", "http", "hdfs", "webhdfs", "oci", "oci+native", "hf"];
/// What KServe has credentials for (`SupportedStorageSpecTypes`).
pub(crate) const TYPES: [&str; 3] = ["s3", "hdfs", "webhdfs"];
/// Where KServe mounts a model that names no path.
const MOUNT: &str = "/mnt/models";

/// Warns of a scheme that KServe does not know by itself: a ClusterStorageContainer may add any.
pub(super) fn scheme(walk: &mut Walk<'_>, subject: &Subject<'_>, node: &Node, path: &str) {
    let Some((scheme, _)) = node.as_str().and_then(|uri| uri.split_once("://")) else { return };
    // ModelMesh reads from Azure by a scheme of its own.
    let azure = scheme == "azure" && subject.mode() == Some(Mode::ModelMesh);
    if !scheme.is_empty() && !SCHEMES.contains(&scheme) && !azure {
        let hint = format!("{}; a ClusterStorageContainer of the cluster may know it", nearest(scheme, &SCHEMES));
        let problem = Problem::Kserve(KserveProblem::Scheme(scheme.to_owned()));
        walk.warn(problem, Some(node.origin), path, Some(hint));
    }
}

/// Checks the storage of a component.
pub(super) fn check(walk: &mut Walk<'_>, subject: &Subject<'_>, component: &str, node: &Node, path: &str) {
    let found = implementations(component, node);
    let Some(key) = found.first().copied() else { return };
    let own = node.get(key).filter(|_| key != CONTAINER);
    let uri = match own {
        Some(own) => own.get("storageUri").map(|uri| (uri, format!("{path}.{key}.storageUri"))),
        None => variable(component, node).map(|uri| (uri, format!("{path}.containers"))),
    };
    if let Some((uri, place)) = &uri {
        scheme(walk, subject, uri, place);
    }
    if let Some(list) = node.get("storageUris") {
        let place = join(path, "storageUris");
        if uri.is_some() {
            wrong(walk, KserveProblem::TwoStorages, Some(list.origin), &place, Some("drop one of them".into()));
        }
        several(walk, subject, list, &place);
    }
    let Some(own) = own else { return };
    storage_type(walk, subject, component, own, &join(path, key));
    if component == "predictor" && subject.mode() == Some(Mode::ModelMesh) {
        model_mesh(walk, own, &join(path, key));
    }
}

/// The model that a custom container names in its environment.
fn variable<'n>(component: &str, node: &'n Node) -> Option<&'n Node> {
    let containers = node.get("containers")?.as_list()?;
    let named = |item: &&Node| item.get("name").and_then(Node::as_str) == Some(CONTAINER);
    let container = if component == "predictor" { containers.iter().find(named) } else { containers.first() };
    let variables = container?.get("env")?.as_list()?;
    let found = variables.iter().find(|item| item.get("name").and_then(Node::as_str) == Some(STORAGE_URI));
    found?.get("value")
}

fn several(walk: &mut Walk<'_>, subject: &Subject<'_>, node: &Node, path: &str) {
    let Some(list) = node.as_list().filter(|list| !list.is_empty()) else {
        return walk.wrong("storageUris", "a list of `{uri, mountPath}`", node, path, None);
    };
    let mut paths = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let place = format!("{path}[{index}]");
        match item.get("uri").map(|uri| (uri, uri.as_str())) {
            Some((uri, Some(text))) if !text.is_empty() => scheme(walk, subject, uri, &join(&place, "uri")),
            _ => walk.error(Problem::Missing(join(&place, "uri")), Some(item.origin), &place, None),
        }
        let mount = item.get("mountPath");
        let text = mount.map_or(Some(MOUNT), Node::as_str).unwrap_or_default();
        if text == "/" || !text.starts_with('/') || text.contains("..") {
            let origin = mount.map(|node| node.origin);
            wrong(walk, KserveProblem::MountPath(text.to_owned()), origin, &join(&place, "mountPath"), None);
        } else if !item.get("uri").and_then(Node::as_str).is_some_and(|uri| uri.starts_with("pvc://")) {
            paths.push(text);
        }
    }
    let first = |path: &str| path.trim_matches('/').split('/').next().unwrap_or_default().to_owned();
    if paths.iter().any(|path| first(path) != first(paths.first().copied().unwrap_or_default())) {
        let list: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
        wrong(walk, KserveProblem::MountPaths(list.join(", ")), Some(node.origin), path, None);
    }
}

/// `storage.parameters.type`: an explainer with another type is refused. For a predictor KServe has put its check out of
/// force, for the sake of ModelMesh, which reads more; elsewhere another type may work without credentials.
fn storage_type(walk: &mut Walk<'_>, subject: &Subject<'_>, component: &str, node: &Node, path: &str) {
    let parameters = node.get("storage").and_then(|storage| storage.get("parameters"));
    let Some(given) = parameters.and_then(|parameters| parameters.get("type")) else { return };
    let place = format!("{path}.storage.parameters.type");
    let text = given.as_str().unwrap_or_default();
    if TYPES.contains(&text) || subject.mode() == Some(Mode::ModelMesh) {
        return;
    }
    let problem = Problem::Kserve(KserveProblem::StorageType(text.to_owned()));
    let hint = Some(nearest(text, &TYPES));
    if component == "explainer" && node.get("storageUri").is_none() {
        walk.error(problem, Some(given.origin), &place, hint);
    } else {
        walk.warn(problem, Some(given.origin), &place, hint);
    }
}

/// ModelMesh loads nothing without the model's format and place.
fn model_mesh(walk: &mut Walk<'_>, node: &Node, path: &str) {
    let format = node.get("modelFormat").and_then(|format| format.get("name")).and_then(Node::as_str);
    if path.ends_with(".model") && format.is_none_or(str::is_empty) {
        walk.error(Problem::Missing(format!("{path}.modelFormat.name")), Some(node.origin), path, None);
    }
    if node.get("storageUri").is_none() && node.get("storage").is_none() {
        let problem = Problem::MissingUnless { path: join(path, "storageUri"), unless: "storage".into() };
        walk.error(problem, Some(node.origin), path, None);
    }
}
