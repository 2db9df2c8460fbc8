//! Whether requests reach every candidate: its matches must leave some for the primary, and find some that earlier
//! candidates leave.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::MatchProblem;
use super::istio::STRING_MATCHES;
use crate::spec::error::Problem;
use crate::spec::release::Application;
use crate::spec::walk::Walk;
use crate::templates::Form;
use crate::values::Node;

/// One test of a match: what is compared, how, with what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Condition {
    field: String,
    kind: &'static str,
    text: String,
}

/// One match of one candidate.
struct Clause<'a> {
    version: usize,
    path: String,
    /// Where the user wrote it; none for the default.
    node: Option<&'a Node>,
    /// Sorted; empty when every request matches.
    conditions: Vec<Condition>,
}

/// Checks the matches of all candidates together; `list` are the versions as written.
pub(in crate::spec) fn check(list: &[Node], application: &Application, walk: &mut Walk<'_>) {
    let Some(key) = application.rule.matches.clone() else { return };
    let table = &walk.environment.table.keys;
    let form = table.get(&format!("application.versions[].{key}")).map(|rule| rule.form);
    let gateway = form == Some(Form::GatewayMatch);
    let mut clauses = clauses(list, application, &key, gateway);
    // What a mistake has made of a match says nothing about requests.
    clauses.retain(|clause| {
        !walk.errors.iter().any(|error| error.path.as_ref().is_some_and(|path| within(path, &clause.path)))
    });
    let mut seen = Seen::default();
    for (index, clause) in clauses.iter().enumerate() {
        if clause.conditions.is_empty() {
            catch_all(clause, walk);
        } else if let Some(by) = seen.cover(clause, &clauses, gateway) {
            covered(clause, by, list, walk);
        } else if application.versions.get(clause.version).is_some_and(|version| version.routemap_weight != Some(0)) {
            seen.add(index, clause);
        }
    }
}

/// Whether a path is another or leads below it.
fn within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn clauses<'a>(list: &'a [Node], application: &Application, key: &str, gateway: bool) -> Vec<Clause<'a>> {
    let mut clauses = Vec::new();
    for version in &application.versions {
        let nodes = list.get(version.index).and_then(|node| node.get(key)).map(|node| node.as_list());
        let values = version.matches.as_ref().and_then(Value::as_array);
        for (index, value) in values.into_iter().flatten().enumerate() {
            let Some(value) = value.as_object() else { continue };
            let mut conditions = if gateway { gateway_conditions(value) } else { istio_conditions(value) };
            conditions.sort();
            clauses.push(Clause {
                version: version.index,
                path: format!("application.versions[{}].{key}[{index}]", version.index),
                node: nodes.and_then(|nodes| nodes?.get(index)),
                conditions,
            });
        }
    }
    clauses
}

fn catch_all(clause: &Clause<'_>, walk: &mut Walk<'_>) {
    // A map without entries has been reported as such.
    let Some(node) = clause.node.filter(|node| node.as_map().is_some_and(|map| !map.is_empty())) else { return };
    let hint = "name a header, a path or another condition; a share of all requests is strategy `blue-green`";
    walk.error(Problem::Match(MatchProblem::CatchAll), Some(node.origin), &clause.path, Some(hint.into()));
}

/// Reports a match that no request reaches. What the user wrote for two candidates is a mistake; the default of both, or
/// two matches of one candidate, may stay.
fn covered(clause: &Clause<'_>, by: &Clause<'_>, list: &[Node], walk: &mut Walk<'_>) {
    let problem = Problem::Match(MatchProblem::Covered { covered: clause.path.clone(), by: by.path.clone() });
    let origin = clause.node.or_else(|| list.get(clause.version)).map(|node| node.origin);
    if clause.version == by.version {
        walk.warn(problem, origin, &clause.path, Some("drop it".into()));
    } else if clause.node.is_none() || by.node.is_none() {
        let hint =
            "give each candidate a match of its own; until then it gets requests only while the other is not ready";
        walk.warn(problem, origin, &clause.path, Some(hint.into()));
    } else {
        let hint = "change it, or put the candidate with the narrower match first";
        walk.error(problem, origin, &clause.path, Some(hint.into()));
    }
}

/// The matches that requests reach, found by their first condition, so that a thousand candidates stay fast.
#[derive(Default)]
struct Seen {
    exact: HashMap<Condition, Vec<usize>>,
    prefixes: HashMap<String, Vec<usize>>,
}

impl Seen {
    fn add(&mut self, index: usize, clause: &Clause<'_>) {
        let Some(first) = clause.conditions.first() else { return };
        match first.kind {
            "exact" | "other" | "regex" => self.exact.entry(first.clone()).or_default().push(index),
            _ => self.prefixes.entry(first.field.clone()).or_default().push(index),
        }
    }

    /// The first match seen that takes every request of a clause.
    fn cover<'c, 'a>(&self, clause: &Clause<'_>, clauses: &'c [Clause<'a>], gateway: bool) -> Option<&'c Clause<'a>> {
        let equal = clause.conditions.iter().filter_map(|condition| self.exact.get(condition));
        let near = clause.conditions.iter().filter_map(|condition| self.prefixes.get(&condition.field));
        let mut found: Vec<usize> = equal.chain(near).flatten().copied().collect();
        found.sort_unstable();
        let takes = |earlier: &&Clause<'_>| {
            // A Gateway puts the more special match first by itself.
            if gateway {
                earlier.conditions == clause.conditions
            } else {
                earlier.conditions.iter().all(|test| clause.conditions.iter().any(|given| implies(given, test)))
            }
        };
        found.into_iter().filter_map(|index| clauses.get(index)).find(takes)
    }
}

/// Whether every request that meets `given` meets `test`.
fn implies(given: &Condition, test: &Condition) -> bool {
    let compared = given.kind == "exact" || given.kind == "prefix";
    given.field == test.field
        && (given == test
            || test.kind == "present" && given.kind != "other"
            || test.kind == "prefix" && compared && given.text.starts_with(&test.text))
}

fn istio_conditions(value: &Map<String, Value>) -> Vec<Condition> {
    let folded = value.get("ignoreUriCase") == Some(&Value::Bool(true));
    let mut conditions = Vec::new();
    for (key, value) in value {
        match key.as_str() {
            "name" | "statPrefix" | "ignoreUriCase" => {}
            "port" if *value == 0 => {}
            "uri" => {
                let condition = comparison(if folded { "uri in any case" } else { "uri" }, value);
                let every = [("present", ""), ("prefix", ""), ("prefix", "/"), ("regex", ".*")];
                if !every.contains(&(condition.kind, condition.text.as_str())) {
                    conditions.push(condition);
                }
            }
            _ if STRING_MATCHES.contains(&key.as_str()) => conditions.push(comparison(key, value)),
            "headers" | "queryParams" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    let name = if key == "headers" { name.to_ascii_lowercase() } else { name.clone() };
                    conditions.push(comparison(&format!("{key}.{name}"), value));
                }
            }
            _ if value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty) => {}
            _ => conditions.push(other(key, value.to_string())),
        }
    }
    conditions
}

/// A `StringMatch`; `{}` asks for no more than that the field is there.
fn comparison(field: &str, value: &Value) -> Condition {
    let found = value.as_object().and_then(|map| map.iter().next());
    let found = found.and_then(|(kind, text)| Some((kind.as_str(), text.as_str()?)));
    let kinds = ["exact", "prefix", "regex"].into_iter();
    let (kind, text) = found
        .and_then(|(kind, text)| Some((kinds.clone().find(|known| *known == kind)?, text)))
        .unwrap_or(("present", ""));
    Condition { field: field.to_owned(), kind, text: text.to_owned() }
}

fn other(field: &str, text: String) -> Condition {
    Condition { field: field.to_owned(), kind: "other", text }
}

fn gateway_conditions(value: &Map<String, Value>) -> Vec<Condition> {
    let text =
        |value: &Value, key: &str, default: &str| value.get(key).and_then(Value::as_str).unwrap_or(default).to_owned();
    let mut conditions = Vec::new();
    for (key, value) in value {
        match key.as_str() {
            "path" => {
                let (kind, path) = (text(value, "type", "PathPrefix"), text(value, "value", "/"));
                if (kind.as_str(), path.as_str()) != ("PathPrefix", "/") {
                    conditions.push(other(key, format!("{kind} {path}")));
                }
            }
            "headers" | "queryParams" => {
                for item in value.as_array().into_iter().flatten() {
                    let name = text(item, "name", "");
                    let name = if key == "headers" { name.to_ascii_lowercase() } else { name };
                    let test = format!("{} {}", text(item, "type", "Exact"), text(item, "value", ""));
                    conditions.push(other(&format!("{key}.{name}"), test));
                }
            }
            _ => conditions.push(other(key, value.to_string())),
        }
    }
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Whether a match of Istio leaves nothing for another.
    fn covers(earlier: Value, later: Value) -> bool {
        let clause = |value: &Value| Clause {
            version: 0,
            path: String::new(),
            node: None,
            conditions: istio_conditions(value.as_object().unwrap()),
        };
        let clauses = [clause(&earlier), clause(&later)];
        let mut seen = Seen::default();
        seen.add(0, &clauses[0]);
        seen.cover(&clauses[1], &clauses, false).is_some()
    }

    #[test]
    fn a_match_covers_what_its_conditions_let_through() {
        let test = json!({"headers": {"traffic": {"exact": "test"}}});
        let narrow = json!({"headers": {"Traffic": {"exact": "test"}, "user": {"exact": "me"}}});
        assert!(covers(test.clone(), test.clone()));
        assert!(covers(test.clone(), narrow.clone()));
        assert!(!covers(narrow, test.clone()));
        assert!(!covers(test.clone(), json!({"headers": {"traffic": {"exact": "beta"}}})));
        assert!(!covers(test.clone(), json!({"queryParams": {"traffic": {"exact": "test"}}})));
        assert!(covers(json!({"headers": {"traffic": {}}}), test));
    }

    #[test]
    fn a_prefix_covers_longer_ones_and_exact_texts() {
        let prefix = |text: &str| json!({"uri": {"prefix": text}});
        assert!(covers(prefix("/v1"), prefix("/v1/beta")));
        assert!(covers(prefix("/v1"), json!({"uri": {"exact": "/v1"}, "method": {"exact": "GET"}})));
        assert!(!covers(prefix("/v1/beta"), prefix("/v1")));
        assert!(!covers(prefix("/v1"), json!({"uri": {"regex": "/v1"}})));
        assert!(!covers(prefix("/v1"), json!({"uri": {"prefix": "/v1"}, "ignoreUriCase": true})));
    }
}
