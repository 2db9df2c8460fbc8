//! Istio's `HTTPMatchRequest` (`pkg/config/validation/virtualservice.go`).

use super::{MatchProblem, entries, fits, is_token, text, wrong};
use crate::re2;
use crate::spec::error::Problem;
use crate::spec::name;
use crate::spec::walk::{Walk, join};
use crate::templates::{Form, nearest};
use crate::values::{Entry, Kind, Node};

/// Fields whose value is a `StringMatch`.
pub(crate) const STRING_MATCHES: [&str; 4] = ["uri", "scheme", "method", "authority"];
/// Fields that are maps from a name to a `StringMatch`.
pub(crate) const MAP_MATCHES: [&str; 3] = ["headers", "withoutHeaders", "queryParams"];
/// The other fields.
const OTHER: [&str; 7] = ["name", "port", "sourceLabels", "gateways", "ignoreUriCase", "sourceNamespace", "statPrefix"];
/// The parts of a request that Envoy presents as headers.
pub(crate) const PSEUDO_HEADERS: [&str; 5] = [":method", ":scheme", ":authority", ":path", ":status"];
/// Begins a name that stands for a claim of the request's token.
const CLAIM: &str = "@request.auth.claims";
/// Istio's limit for a regular expression.
pub(crate) const MAX_REGEX: usize = 1024;

/// Checks one match.
pub(super) fn check(walk: &mut Walk<'_>, item: &Node, path: &str) {
    for (key, entry, place) in entries(item, path) {
        let value = &entry.value;
        match key {
            _ if STRING_MATCHES.contains(&key) => string_match(walk, (key, key), value, &place),
            _ if MAP_MATCHES.contains(&key) => {
                let Some(map) = value.as_map() else {
                    walk.wrong(key, "a map from a name to a match", value, &place, None);
                    continue;
                };
                for (name, condition) in map {
                    named(walk, key, name, condition, &join(&place, name));
                }
            }
            "port" => walk.integer(key, value, &place, "a port from 1 to 65535", 0, 65535),
            "ignoreUriCase" if !matches!(value.kind, Kind::Bool(_)) => {
                walk.wrong(key, "true or false", value, &place, None);
            }
            "sourceLabels" => walk.texts(Form::Labels, key, value, &place),
            "gateways" => gateways(walk, value, &place),
            "sourceNamespace" => {
                if let Some(found) = text(walk, key, value, &place)
                    && let Err(rule) = name::label(found)
                {
                    let problem = Problem::Name { name: found.into(), what: "namespace", rule };
                    walk.error(problem, Some(value.origin), &place, None);
                }
            }
            "name" | "statPrefix" => {
                text(walk, key, value, &place);
            }
            _ if OTHER.contains(&key) => {}
            _ => {
                let known: Vec<&str> = STRING_MATCHES.into_iter().chain(MAP_MATCHES).chain(OTHER).collect();
                walk.error(Problem::UnknownKey(place), Some(entry.key), path, Some(nearest(key, &known)));
            }
        }
    }
}

/// A header or query parameter with what it must be.
fn named(walk: &mut Walk<'_>, key: &str, name: &str, condition: &Entry, place: &str) {
    let problem = match key {
        "queryParams" => None,
        _ if is_claim(name) => Some(MatchProblem::Claim(name.into())),
        _ if PSEUDO_HEADERS.contains(&name) || is_token(name) => None,
        _ => Some(MatchProblem::HeaderName(name.into())),
    };
    if let Some(problem) = problem {
        walk.error(Problem::Match(problem), Some(condition.key), place, None);
    }
    string_match(walk, (key, name), &condition.value, place);
}

/// Whether a name stands for a claim of the request's token, as `@request.auth.claims.NAME` or
/// `@request.auth.claims[NAME]` does; Istio refuses it in every VirtualService with the gateway `mesh`.
fn is_claim(name: &str) -> bool {
    let start = name.get(..CLAIM.len()).is_some_and(|start| start.eq_ignore_ascii_case(CLAIM));
    let rest = name.get(CLAIM.len()..).filter(|_| start).unwrap_or_default();
    rest.len() > 1 && rest.starts_with('.') || rest.len() > 2 && rest.starts_with('[') && rest.ends_with(']')
}

/// Checks `exact`, `prefix` or `regex` of `name`, which stands in the field `field`.
fn string_match(walk: &mut Walk<'_>, (field, name): (&str, &str), node: &Node, path: &str) {
    if node.as_map().is_none() {
        let hint = node.as_str().map(|text| format!("write `{name}: {{exact: {text:?}}}`"));
        return walk.wrong(name, "a map with `exact`, `prefix` or `regex`", node, path, hint);
    }
    // `{}` on a header means that the header is there, whatever its value (Istio's documentation).
    let given = entries(node, path);
    if given.len() > 1 {
        let problem = MatchProblem::Kinds { key: name.into(), found: given.len() };
        wrong(walk, problem, node, path, None);
    }
    for (kind, entry, place) in given {
        if !["exact", "prefix", "regex"].contains(&kind) {
            let hint = nearest(kind, &["exact", "prefix", "regex"]);
            walk.error(Problem::UnknownKey(place), Some(entry.key), path, Some(hint));
            continue;
        }
        let Some(found) = text(walk, kind, &entry.value, &place) else { continue };
        match kind {
            // Envoy takes an empty prefix of a path, and of nothing else.
            "prefix" if found.is_empty() && field != "uri" => {
                wrong(walk, MatchProblem::NoText("prefix"), &entry.value, &place, None);
            }
            // Istio makes "the header is absent" of this one, which is no regular expression.
            "regex" if found == "*" && field == "withoutHeaders" => {}
            "regex" => expression(walk, found, &entry.value, &place),
            _ => {}
        }
    }
}

fn expression(walk: &mut Walk<'_>, found: &str, node: &Node, path: &str) {
    if found.is_empty() {
        wrong(walk, MatchProblem::NoText("regex"), node, path, None);
    }
    fits(walk, "regex", found, MAX_REGEX, node, path);
    if let Some(why) = re2::refusal(found) {
        let problem = MatchProblem::Regex { pattern: found.into(), why };
        wrong(walk, problem, node, path, Some("Istio and Envoy use RE2: say it without".into()));
    }
}

fn gateways(walk: &mut Walk<'_>, node: &Node, path: &str) {
    let Some(items) = node.as_list() else {
        return walk.wrong("gateways", "a list of names", node, path, None);
    };
    for (index, item) in items.iter().enumerate() {
        let place = format!("{path}[{index}]");
        if let Some(found) = text(walk, "gateways", item, &place) {
            gateway_name(walk, found, item, &place);
        }
    }
}

/// Checks `NAME` or `NAMESPACE/NAME` of an Istio Gateway, or `mesh`.
pub(in crate::spec) fn gateway_name(walk: &mut Walk<'_>, found: &str, node: &Node, path: &str) {
    let valid = match found.split_once('/') {
        Some((namespace, name)) => name::label(namespace).is_ok() && name::label(name).is_ok(),
        None => name::host(found).is_ok(),
    };
    if !valid {
        let rule = "NAME or NAMESPACE/NAME";
        let problem = Problem::Name { name: found.into(), what: "gateway", rule };
        return walk.error(problem, Some(node.origin), path, None);
    }
    // Without a namespace, dots part the name from the namespace.
    let mut parts = found.split('.');
    if let (false, Some(name), Some(namespace)) = (found.contains('/'), parts.next(), parts.next()) {
        let problem = Problem::Match(MatchProblem::LegacyGateway(found.into()));
        walk.warn(problem, Some(node.origin), path, Some(format!("write `{namespace}/{name}`")));
    }
}
