//! Ports of containers and of Services, as Kubernetes checks them (`k8s.io/apimachinery`, `pkg/util/validation`).

use std::collections::HashMap;

use super::error::Problem;
use super::name;
use super::walk::{Walk, join};
use crate::values::{Kind, Node};

const PORT: &str = "a port from 1 to 65535";

/// Checks the `ports` of every container of pods.
pub(super) fn of_pods(walk: &mut Walk<'_>, node: &Node, path: &str) {
    for (index, item) in node.get("containers").and_then(Node::as_list).into_iter().flatten().enumerate() {
        if let Some(given) = item.get("ports") {
            containers(walk, "ports", given, &format!("{path}.containers[{index}].ports"));
        }
    }
}

/// Checks a list of container ports.
pub(super) fn containers(walk: &mut Walk<'_>, key: &str, node: &Node, path: &str) {
    for (item, place) in items(walk, key, node, path) {
        port(walk, "containerPort", item, &place);
        if let Some(given) = item.get("name") {
            port_name(walk, "name", given, &join(&place, "name"));
        }
    }
}

/// Checks the `ports` of a Service: which it must have, unless it is headless or the name of something outside.
pub(super) fn of_service(walk: &mut Walk<'_>, spec: &Node, path: &str) {
    let is = |key: &str, value: &str| spec.get(key).and_then(Node::as_str) == Some(value);
    let place = join(path, "ports");
    let given = spec.get("ports");
    if given.is_none_or(|given| given.as_list().is_some_and(<[Node]>::is_empty))
        && !is("clusterIP", "None")
        && !is("type", "ExternalName")
    {
        let hint = "write `ports: [{port: 80}]`".to_owned();
        walk.error(Problem::Missing(place), given.or(Some(spec)).map(|node| node.origin), path, Some(hint));
    } else if let Some(given) = given {
        service(walk, given, &place);
        told_apart(walk, given.as_list().unwrap_or_default(), &place);
    }
}

/// Checks that several ports of a Service have names and numbers of their own.
fn told_apart(walk: &mut Walk<'_>, ports: &[Node], path: &str) {
    let (mut names, mut numbers) = (HashMap::new(), HashMap::new());
    for (index, port) in ports.iter().enumerate().filter(|_| ports.len() > 1) {
        let place = format!("{path}[{index}]");
        match port.get("name") {
            None if port.as_map().is_some() => {
                let hint = "of several ports each has a name, such as `http`".to_owned();
                walk.error(Problem::Missing(join(&place, "name")), Some(port.origin), &place, Some(hint));
            }
            None => {}
            Some(given) => {
                let Some(name) = given.as_str() else { continue };
                if let Some(first) = names.insert(name, place.clone()) {
                    let (name, second) = (name.to_owned(), format!("`{place}`"));
                    let problem = Problem::SameName { name, first: format!("`{first}`"), second };
                    walk.error(problem, Some(given.origin), &join(&place, "name"), None);
                }
            }
        }
        let Some(Node { kind: Kind::Int(number), origin }) = port.get("port") else { continue };
        let protocol = port.get("protocol").and_then(Node::as_str).unwrap_or("TCP");
        if let Some(first) = numbers.insert((number, protocol), place.clone()) {
            let problem = Problem::SamePort { port: format!("{protocol} {number}"), first, second: place.clone() };
            walk.error(problem, Some(*origin), &join(&place, "port"), None);
        }
    }
}

/// Checks a list of Service ports.
pub(super) fn service(walk: &mut Walk<'_>, node: &Node, path: &str) {
    for (item, place) in items(walk, "ports", node, path) {
        port(walk, "port", item, &place);
        if let Some(given) = item.get("name") {
            let place = join(&place, "name");
            match given.as_str().map(name::label) {
                None => walk.wrong("name", "a string", given, &place, None),
                Some(Ok(())) => {}
                Some(Err(rule)) => invalid(walk, given, "port name", rule, &place),
            }
        }
        if let Some(given) = item.get("targetPort") {
            let place = join(&place, "targetPort");
            match given.as_str() {
                Some(_) => port_name(walk, "targetPort", given, &place),
                None => walk.integer("targetPort", given, &place, PORT, 1, 65535),
            }
        }
    }
}

fn items<'n>(walk: &mut Walk<'_>, key: &str, node: &'n Node, path: &str) -> Vec<(&'n Node, String)> {
    let Some(list) = node.as_list() else {
        walk.wrong(key, "a list of maps", node, path, None);
        return Vec::new();
    };
    let mut maps = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let place = format!("{path}[{index}]");
        match item.as_map() {
            None => walk.wrong(&format!("{key}[{index}]"), "a map", item, &place, None),
            Some(_) => maps.push((item, place)),
        }
    }
    maps
}

fn port(walk: &mut Walk<'_>, key: &str, item: &Node, path: &str) {
    let place = join(path, key);
    match item.get(key) {
        Some(given) => walk.integer(key, given, &place, PORT, 1, 65535),
        None => walk.error(Problem::Missing(place), Some(item.origin), path, Some(format!("write `{key}: 80`"))),
    }
}

fn port_name(walk: &mut Walk<'_>, key: &str, node: &Node, path: &str) {
    match node.as_str().map(name::port) {
        None => walk.wrong(key, "a string", node, path, None),
        Some(Ok(())) => {}
        Some(Err(rule)) => invalid(walk, node, "port name", rule, path),
    }
}

fn invalid(walk: &mut Walk<'_>, node: &Node, what: &'static str, rule: &'static str, path: &str) {
    let name = node.as_str().unwrap_or_default().to_owned();
    walk.error(Problem::Name { name, what, rule }, Some(node.origin), path, None);
}
