//! The rules of Istio's `HTTPMatchRequest` and the Gateway API's `HTTPRouteMatch` that need no cluster.

use super::error::Problem;
use super::walk::{Walk, join};
use crate::templates::{Form, nearest};
use crate::values::{Kind, Node};

/// Fields of Istio's `HTTPMatchRequest` whose value is a `StringMatch`.
const STRING_MATCHES: [&str; 4] = ["uri", "scheme", "method", "authority"];
/// Fields that are maps from a name to a `StringMatch`.
const MAP_MATCHES: [&str; 3] = ["headers", "withoutHeaders", "queryParams"];
/// The other fields.
const OTHER: [&str; 7] = ["name", "port", "sourceLabels", "gateways", "ignoreUriCase", "sourceNamespace", "statPrefix"];
/// Istio's limit for a regular expression.
const MAX_REGEX: usize = 1024;
/// The Gateway API's limit for the matches of one rule, and for headers and query parameters of one match.
const MAX_MATCHES: usize = 64;
const MAX_CONDITIONS: usize = 16;

/// Checks a list of matches.
pub(super) fn check(walk: &mut Walk<'_>, form: Form, key: &str, node: &Node, path: &str) {
    let Kind::List(items) = &node.kind else {
        return walk.wrong(key, "a list of matches", node, path, None);
    };
    if items.is_empty() {
        let hint = "name a header, such as `traffic: test`, or drop the key for that default";
        walk.error(Problem::EmptyMatch, Some(node.origin), path, Some(hint.into()));
    }
    if form == Form::GatewayMatch && items.len() > MAX_MATCHES {
        let problem = Problem::TooMany { what: format!("`{key}`"), most: MAX_MATCHES.to_string(), found: items.len() };
        walk.error(problem, Some(node.origin), path, None);
    }
    for (index, item) in items.iter().enumerate() {
        let place = format!("{path}[{index}]");
        match item.as_map() {
            None => walk.wrong(&format!("{key}[{index}]"), "a map", item, &place, None),
            Some(map) if map.is_empty() => {
                let hint = "say which requests are meant, or drop the item";
                walk.error(Problem::EmptyMatch, Some(item.origin), &place, Some(hint.into()));
            }
            Some(_) if form == Form::IstioMatch => istio(walk, item, &place),
            Some(_) => gateway(walk, item, &place),
        }
    }
}

fn istio(walk: &mut Walk<'_>, item: &Node, path: &str) {
    for (key, entry) in item.as_map().into_iter().flatten() {
        let place = join(path, key);
        let value = &entry.value;
        if value.kind == Kind::Null {
            continue;
        }
        if STRING_MATCHES.contains(&key.as_str()) {
            string_match(walk, key, value, &place);
        } else if MAP_MATCHES.contains(&key.as_str()) {
            let Some(map) = value.as_map() else {
                walk.wrong(key, "a map from a name to a match", value, &place, None);
                continue;
            };
            for (name, condition) in map {
                let place = join(&place, name);
                if key != "queryParams" && !is_header_name(name) {
                    let text = format!("`{name}` is not a header name");
                    walk.error(Problem::Match(text), Some(condition.key), &place, None);
                }
                string_match(walk, name, &condition.value, &place);
            }
        } else if !OTHER.contains(&key.as_str()) {
            let known: Vec<&str> = STRING_MATCHES.into_iter().chain(MAP_MATCHES).chain(OTHER).collect();
            walk.error(Problem::UnknownKey(place), Some(entry.key), path, Some(nearest(key, &known)));
        }
    }
}

fn string_match(walk: &mut Walk<'_>, key: &str, node: &Node, path: &str) {
    let Some(map) = node.as_map() else {
        let hint = node.as_str().map(|text| format!("write `{key}: {{exact: {text:?}}}`"));
        return walk.wrong(key, "a map with `exact`, `prefix` or `regex`", node, path, hint);
    };
    // `{}` on a header means that the header is there, whatever its value (Istio's documentation).
    if map.len() > 1 {
        let text = format!("`{key}` takes one of `exact`, `prefix` and `regex`, found {}", map.len());
        walk.error(Problem::Match(text), Some(node.origin), path, None);
    }
    for (kind, entry) in map {
        let place = join(path, kind);
        if !["exact", "prefix", "regex"].contains(&kind.as_str()) {
            let hint = nearest(kind, &["exact", "prefix", "regex"]);
            walk.error(Problem::UnknownKey(place), Some(entry.key), path, Some(hint));
            continue;
        }
        match entry.value.as_str() {
            None => {
                let hint = Some(format!("write `{kind}: \"{}\"`", entry.value.to_json()));
                walk.wrong(kind, "a string", &entry.value, &place, hint);
            }
            Some("") if kind == "prefix" => {
                let text = "`prefix` must not be empty";
                walk.error(Problem::Match(text.into()), Some(entry.value.origin), &place, None);
            }
            Some(text) if kind == "regex" => regex(walk, text, &entry.value, &place),
            Some(_) => {}
        }
    }
}

fn regex(walk: &mut Walk<'_>, text: &str, node: &Node, path: &str) {
    if text.len() > MAX_REGEX {
        let text = format!("`regex` must be at most {MAX_REGEX} characters, found {}", text.len());
        walk.error(Problem::Match(text), Some(node.origin), path, None);
    }
}

fn gateway(walk: &mut Walk<'_>, item: &Node, path: &str) {
    for (key, entry) in item.as_map().into_iter().flatten() {
        let (place, value) = (join(path, key), &entry.value);
        match key.as_str() {
            _ if value.kind == Kind::Null => {}
            "method" => one_of(
                walk,
                key,
                value,
                &place,
                &["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"],
            ),
            "path" => gateway_path(walk, value, &place),
            "headers" | "queryParams" => conditions(walk, key, value, &place),
            _ => {
                let hint = if STRING_MATCHES.contains(&key.as_str()) || MAP_MATCHES.contains(&key.as_str()) {
                    "this environment takes the Gateway API's form: `headers: [{name: traffic, value: test}]`".into()
                } else {
                    nearest(key, &["path", "headers", "queryParams", "method"])
                };
                walk.error(Problem::UnknownKey(place), Some(entry.key), path, Some(hint));
            }
        }
    }
}

fn gateway_path(walk: &mut Walk<'_>, node: &Node, path: &str) {
    if node.as_map().is_none() {
        let hint = node.as_str().map(|text| format!("write `path: {{type: PathPrefix, value: {text:?}}}`"));
        return walk.wrong("path", "a map with `type` and `value`", node, path, hint);
    }
    let kinds = ["Exact", "PathPrefix", "RegularExpression"];
    if let Some(kind) = node.get("type") {
        one_of(walk, "type", kind, &join(path, "type"), &kinds);
    }
    let Some(value) = node.get("value") else { return };
    let place = join(path, "value");
    let Some(text) = value.as_str() else { return walk.wrong("value", "a string", value, &place, None) };
    let literal = node.get("type").and_then(Node::as_str) != Some("RegularExpression");
    let broken = ["//", "/./", "/../", "%2f", "%2F", "#"].iter().find(|part| text.contains(**part));
    if literal && !text.starts_with('/') {
        let hint = Some(format!("write `value: \"/{text}\"`"));
        walk.error(Problem::Match("a path must start with `/`".into()), Some(value.origin), &place, hint);
    } else if let Some(part) = broken.filter(|_| literal) {
        walk.error(Problem::Match(format!("a path must not contain `{part}`")), Some(value.origin), &place, None);
    }
}

fn conditions(walk: &mut Walk<'_>, key: &str, node: &Node, path: &str) {
    let Some(items) = node.as_list() else {
        let hint = format!("write `{key}: [{{name: traffic, value: test}}]`");
        return walk.wrong(key, "a list of `{name, value}`", node, path, Some(hint));
    };
    if items.len() > MAX_CONDITIONS {
        let problem =
            Problem::TooMany { what: format!("`{key}`"), most: MAX_CONDITIONS.to_string(), found: items.len() };
        walk.error(problem, Some(node.origin), path, None);
    }
    for (index, item) in items.iter().enumerate() {
        let place = format!("{path}[{index}]");
        if item.as_map().is_none() {
            walk.wrong(&format!("{key}[{index}]"), "a map", item, &place, None);
            continue;
        }
        for child in ["name", "value"] {
            let child_place = join(&place, child);
            match item.get(child) {
                None => walk.error(Problem::Missing(child_place), Some(item.origin), &place, None),
                Some(value) => match value.as_str() {
                    None => {
                        let hint = Some(format!("write `{child}: \"{}\"`", value.to_json()));
                        walk.wrong(child, "a string", value, &child_place, hint);
                    }
                    Some(text) if child == "name" && !is_header_name(text) => {
                        let problem = Problem::Match(format!("`{text}` is not a header name"));
                        walk.error(problem, Some(value.origin), &child_place, None);
                    }
                    Some(text) if text.is_empty() || text.len() > 4096 => {
                        let problem = Problem::Match(format!("`{child}` must have 1 to 4096 characters"));
                        walk.error(problem, Some(value.origin), &child_place, None);
                    }
                    Some(_) => {}
                },
            }
        }
        if let Some(kind) = item.get("type") {
            one_of(walk, "type", kind, &join(&place, "type"), &["Exact", "RegularExpression"]);
        }
        for (child, entry) in item.as_map().into_iter().flatten() {
            if !["name", "value", "type"].contains(&child.as_str()) {
                let hint = nearest(child, &["name", "value", "type"]);
                walk.error(Problem::UnknownKey(join(&place, child)), Some(entry.key), &place, Some(hint));
            }
        }
    }
}

fn one_of(walk: &mut Walk<'_>, key: &str, node: &Node, path: &str, known: &[&str]) {
    if !node.as_str().is_some_and(|text| known.contains(&text)) {
        let expected = format!("one of {}", known.join(", "));
        walk.wrong(key, &expected, node, path, None);
    }
}

/// Whether a text is an HTTP token, or a pseudo header as Istio takes them.
fn is_header_name(name: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let bare = name.strip_prefix(':').unwrap_or(name);
    !bare.is_empty() && bare.chars().all(token)
}
