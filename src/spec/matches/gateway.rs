//! The Gateway API's `HTTPRouteMatch` (the published CRD of HTTPRoute).

use super::istio::{MAP_MATCHES, STRING_MATCHES};
use super::{MatchProblem, at_most, entries, fits, is_token, one_of, text, wrong};
use crate::re2;
use crate::spec::error::Problem;
use crate::spec::walk::{Walk, join};
use crate::templates::nearest;
use crate::values::Node;

pub(crate) const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
/// The most headers, or query parameters, of one match.
pub(crate) const MAX_CONDITIONS: usize = 16;
/// The most bytes of the name of a header or query parameter, of the value of each, and of a path.
pub(crate) const MAX_NAME: usize = 256;
pub(crate) const MAX_HEADER: usize = 4096;
pub(crate) const MAX_QUERY: usize = 1024;
pub(crate) const MAX_PATH: usize = 1024;

/// Checks one match.
pub(super) fn check(walk: &mut Walk<'_>, item: &Node, path: &str) {
    for (key, entry, place) in entries(item, path) {
        let value = &entry.value;
        match key {
            "method" => one_of(walk, key, value, &place, &METHODS),
            "path" => path_match(walk, value, &place),
            "headers" => conditions(walk, key, value, MAX_HEADER, &place),
            "queryParams" => conditions(walk, key, value, MAX_QUERY, &place),
            _ => {
                let hint = if STRING_MATCHES.contains(&key) || MAP_MATCHES.contains(&key) {
                    "this environment takes the Gateway API's form: `headers: [{name: traffic, value: test}]`".into()
                } else {
                    nearest(key, &["path", "headers", "queryParams", "method"])
                };
                walk.error(Problem::UnknownKey(place), Some(entry.key), path, Some(hint));
            }
        }
    }
}

fn path_match(walk: &mut Walk<'_>, node: &Node, path: &str) {
    if node.as_map().is_none() {
        let hint = node.as_str().map(|text| format!("write `path: {{type: PathPrefix, value: {text:?}}}`"));
        return walk.wrong("path", "a map with `type` and `value`", node, path, hint);
    }
    known_keys(walk, node, path, &["type", "value"]);
    if let Some(kind) = node.get("type") {
        one_of(walk, "type", kind, &join(path, "type"), &["Exact", "PathPrefix", "RegularExpression"]);
    }
    let Some(value) = node.get("value") else { return };
    let place = join(path, "value");
    let Some(found) = text(walk, "value", value, &place) else { return };
    fits(walk, "value", found, MAX_PATH, value, &place);
    if node.get("type").and_then(Node::as_str) == Some("RegularExpression") {
        let hint = "match the path with `Exact` or `PathPrefix`, or a header".to_owned();
        walk.warn(Problem::Match(MatchProblem::PathExpression), Some(value.origin), &place, Some(hint));
        return expression(walk, found, value, &place);
    }
    let hint = (!found.starts_with('/')).then(|| format!("write `value: \"/{found}\"`"));
    if let Some(problem) = broken(found) {
        wrong(walk, problem, value, &place, hint);
    }
}

/// What is wrong with a path that is compared literally.
fn broken(path: &str) -> Option<MatchProblem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-/._~!$&'()*+,;=:@".contains(c);
    let escaped = |at: usize| path.get(at + 1..at + 3).is_some_and(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()));
    let parts = ["//", "/./", "/../", "%2f", "%2F", "#"];
    if !path.starts_with('/') {
        return Some(MatchProblem::PathStart);
    }
    if let Some(part) = parts.into_iter().find(|part| path.contains(part)) {
        return Some(MatchProblem::PathPart(part));
    }
    if let Some(end) = ["/..", "/."].into_iter().find(|end| path.ends_with(end)) {
        return Some(MatchProblem::PathEnd(end));
    }
    let found = path.char_indices().find(|(at, c)| !(allowed(*c) || *c == '%' && escaped(*at)));
    found.map(|(_, character)| MatchProblem::PathCharacter(character))
}

fn conditions(walk: &mut Walk<'_>, key: &str, node: &Node, longest: usize, path: &str) {
    let Some(items) = node.as_list() else {
        let hint = format!("write `{key}: [{{name: traffic, value: test}}]`");
        return walk.wrong(key, "a list of `{name, value}`", node, path, Some(hint));
    };
    at_most(walk, key, items.len(), MAX_CONDITIONS, node, path);
    let mut names = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = format!("{path}[{index}]");
        if item.as_map().is_none() {
            walk.wrong(&format!("{key}[{index}]"), "a map", item, &place, None);
            continue;
        }
        known_keys(walk, item, &place, &["name", "value", "type"]);
        if let Some((name, node)) = part(walk, item, "name", MAX_NAME, &place) {
            if !is_token(name) {
                wrong(walk, MatchProblem::HeaderName(name.into()), node, &join(&place, "name"), None);
            } else if names.contains(&name) {
                wrong(walk, MatchProblem::Twice(name.into()), node, &join(&place, "name"), None);
            }
            names.push(name);
        }
        if let Some(kind) = item.get("type") {
            one_of(walk, "type", kind, &join(&place, "type"), &["Exact", "RegularExpression"]);
        }
        let value = part(walk, item, "value", longest, &place);
        if let Some((found, node)) = value.filter(|(found, _)| key == "headers" && !is_header_value(found)) {
            let problem = Problem::Match(MatchProblem::HeaderValue(found.into()));
            walk.warn(problem, Some(node.origin), &join(&place, "value"), None);
        }
        if let (Some((found, node)), Some("RegularExpression")) = (value, item.get("type").and_then(Node::as_str)) {
            expression(walk, found, node, &join(&place, "value"));
        }
    }
}

/// Whether a text is `^[!-~]+([\t ]?[!-~]+)*$`, a rule of the experimental channel (Gateway API 1.5).
fn is_header_value(text: &str) -> bool {
    text.split(['\t', ' ']).all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic()))
}

/// A required text of a condition.
fn part<'n>(walk: &mut Walk<'_>, item: &'n Node, key: &str, most: usize, path: &str) -> Option<(&'n str, &'n Node)> {
    let place = join(path, key);
    let Some(node) = item.get(key) else {
        walk.error(Problem::Missing(place), Some(item.origin), path, None);
        return None;
    };
    let found = text(walk, key, node, &place)?;
    if found.is_empty() {
        let key = if key == "name" { "name" } else { "value" };
        wrong(walk, MatchProblem::NoText(key), node, &place, None);
        return None;
    }
    fits(walk, key, found, most, node, &place);
    Some((found, node))
}

fn known_keys(walk: &mut Walk<'_>, node: &Node, path: &str, known: &[&str]) {
    for (key, entry, place) in entries(node, path) {
        if !known.contains(&key) {
            walk.error(Problem::UnknownKey(place), Some(entry.key), path, Some(nearest(key, known)));
        }
    }
}

/// Warns of an expression that gateways with RE2 refuse: which kind a gateway takes is its own matter (HTTPRoute's
/// documentation: "implementation-specific").
fn expression(walk: &mut Walk<'_>, found: &str, node: &Node, path: &str) {
    if let Some(why) = re2::refusal(found) {
        let problem = Problem::Match(MatchProblem::Regex { pattern: found.into(), why });
        let hint = "gateways that use Envoy refuse it too; others may take it";
        walk.warn(problem, Some(node.origin), path, Some(hint.into()));
    }
}
