//! One pass over the values with the environment's key table: unknown keys, required keys; `forms` judges the values.

use super::error::{Problem, SpecError};
use super::{Unknown, matches, ports};
use crate::templates::{Catalog, Environment, Form, KeyRule, nearest};
use crate::values::{Entry, Kind, Map, Node, Origin};

/// How many mistakes get a hint for an unknown key: more are only counted, and to look for each of 100,000 keys in every
/// environment would take minutes.
const MOST_EXPLAINED: usize = 100;

/// What the pass has found so far.
pub(super) struct Walk<'a> {
    pub environment: &'a Environment,
    pub catalog: &'a Catalog,
    pub unknown: Unknown,
    /// Keys given below `application`, which versions may inherit.
    pub given: Vec<String>,
    pub errors: Vec<SpecError>,
    pub warnings: Vec<SpecError>,
}

impl Walk<'_> {
    /// Adds a mistake at a place.
    pub fn error(&mut self, problem: Problem, origin: Option<Origin>, path: &str, hint: Option<String>) {
        self.errors.push(SpecError { problem, origin, path: some(path), hint });
    }

    /// Adds a warning at a place.
    pub fn warn(&mut self, problem: Problem, origin: Option<Origin>, path: &str, hint: Option<String>) {
        self.warnings.push(SpecError { problem, origin, path: some(path), hint });
    }

    /// Checks every key of a map; `pattern` is its path in the table, `path` the one in the values.
    pub fn map(&mut self, node: &Node, pattern: &str, path: &str) {
        let Some(map) = node.as_map() else { return };
        let environment = self.environment;
        for (key, entry) in map {
            if key.starts_with("x-") {
                continue;
            }
            let (child, place) = (join(pattern, key), join(path, key));
            match environment.table.keys.get(&child) {
                Some(rule) => {
                    self.value(rule, key, entry, &child, &place);
                }
                None => self.unknown_key(key, entry, pattern, &place),
            }
        }
        self.required(node, map, pattern, path);
    }

    fn value(&mut self, rule: &KeyRule, key: &str, entry: &Entry, pattern: &str, path: &str) {
        let node = &entry.value;
        if let Some(why) = &rule.dead {
            let problem = Problem::Dead { key: path.to_owned(), why: why.clone() };
            self.warn(problem, Some(entry.key), path, Some("drop the key".into()));
            return;
        }
        if node.kind == Kind::Null {
            return;
        }
        match rule.form {
            Form::Any => {}
            Form::Map => match node.kind {
                Kind::Map(_) => self.map(node, pattern, path),
                _ => self.wrong(key, "a map", node, path, None),
            },
            Form::List => match &node.kind {
                Kind::List(items) => self.items(items, pattern, path),
                _ => self.wrong(key, "a list", node, path, None),
            },
            Form::Objects => self.objects(key, node, path),
            Form::ContainerPorts => ports::containers(self, key, node, path),
            Form::Labels | Form::Annotations => self.texts(rule.form, key, node, path),
            Form::Specification => self.specification(rule, key, node, path),
            Form::IstioMatch | Form::GatewayMatch => matches::check(self, rule.form, key, node, path),
            Form::ModelFormat => self.model_format(key, node, path),
            Form::Boolean => match node.kind {
                Kind::Bool(_) => {}
                _ => self.wrong(key, "true or false", node, path, None),
            },
            Form::Integer => self.integer(key, node, path, "a whole number", i64::MIN, i64::MAX),
            Form::Port => self.integer(key, node, path, "a port from 1 to 65535", 1, 65535),
            Form::Weight => self.integer(key, node, path, "a whole number, 0 or more", 0, i64::from(u32::MAX)),
            _ => self.text(rule, key, node, path),
        }
    }

    fn items(&mut self, items: &[Node], pattern: &str, path: &str) {
        let pattern = format!("{pattern}[]");
        for (index, item) in items.iter().enumerate() {
            let place = format!("{path}[{index}]");
            match item.kind {
                Kind::Map(_) => self.map(item, &pattern, &place),
                _ => self.wrong(&format!("[{index}]"), "a map", item, &place, None),
            }
        }
    }

    /// Reports required keys that are absent from a map.
    fn required(&mut self, node: &Node, map: &Map, pattern: &str, path: &str) {
        let rules: Vec<(String, Option<String>)> = self
            .environment
            .table
            .keys
            .iter()
            .filter(|(_, rule)| rule.required || rule.required_unless.is_some())
            .filter_map(|(key, rule)| {
                let child =
                    if pattern.is_empty() { Some(key.as_str()) } else { key.strip_prefix(pattern)?.strip_prefix('.') };
                let child = child.filter(|child| !child.contains('.') && !child.contains('['))?;
                Some((child.to_owned(), rule.required_unless.clone()))
            })
            .collect();
        for (key, unless) in rules {
            let present = |key: &str| map.get(key).is_some_and(|entry| !is_empty(&entry.value));
            // What a map without entries lacks has been said.
            let form = self.environment.table.keys.get(&join(pattern, &key)).map(|rule| rule.form);
            let judged = form == Some(Form::Map) && map.get(&key).is_some_and(|entry| entry.value.as_map().is_some());
            if judged || present(&key) || unless.as_deref().is_some_and(present) || self.inherited(pattern, &key) {
                continue;
            }
            let place = join(path, &key);
            let hint = self.environment.table.keys.get(&join(pattern, &key)).and_then(|rule| {
                let example = rule.example.as_ref()?;
                Some(format!("write `{key}: {example}`: {}", rule.doc.to_lowercase()))
            });
            let problem = match unless {
                Some(unless) => Problem::MissingUnless { path: place, unless },
                None => Problem::Missing(place),
            };
            let known = |other: &str| self.environment.table.keys.contains_key(&join(pattern, other));
            match misspelt(node, &key, known) {
                Some((origin, hint)) => self.error(problem, Some(origin), path, Some(hint)),
                None => self.error(problem, absent(node, &key), path, hint),
            }
        }
    }

    fn inherited(&self, pattern: &str, key: &str) -> bool {
        let rule = self.environment.table.keys.get(&join(pattern, key));
        rule.is_some_and(|rule| rule.inherit) && self.application_has(key)
    }

    fn application_has(&self, key: &str) -> bool {
        self.given.iter().any(|given| given == key)
    }

    fn unknown_key(&mut self, key: &str, entry: &Entry, pattern: &str, path: &str) {
        let refused = !pattern.is_empty() && self.unknown == Unknown::Refuse;
        if self.errors.len() + self.warnings.len() > MOST_EXPLAINED {
            let found = if refused { &mut self.errors } else { &mut self.warnings };
            let problem = Problem::UnknownKey(path.to_owned());
            found.push(SpecError { problem, origin: Some(entry.key), path: some(path), hint: None });
            return;
        }
        let child = join(pattern, key);
        let elsewhere: Vec<String> = if pattern.is_empty() {
            Vec::new()
        } else {
            let catalog = self.catalog;
            let has = |name: &String| {
                catalog.environment(name).is_ok_and(|environment| environment.table.keys.contains_key(&child))
            };
            catalog.names().into_iter().filter(has).collect()
        };
        let (problem, hint) = if let Some(place) = self.other_place(key, pattern) {
            (Problem::UnknownKey(path.to_owned()), format!("`{key}` belongs to {place}"))
        } else if elsewhere.is_empty() {
            let known = self.siblings(pattern);
            (Problem::UnknownKey(path.to_owned()), nearest(key, &known))
        } else {
            let environment = self.environment.name.clone();
            let known = self.siblings(pattern);
            let close = similar::get_close_matches(key, &known.iter().map(String::as_str).collect::<Vec<_>>(), 1, 0.6)
                .first()
                .map(|close| format!("did you mean `{close}`? "));
            let hint = format!("{}`{key}` is read by {}", close.unwrap_or_default(), elsewhere.join(", "));
            (Problem::OtherEnvironment { key: path.to_owned(), environment }, hint)
        };
        if !refused {
            self.warn(problem, Some(entry.key), path, Some(hint));
        } else {
            let hint = format!("{hint}; keys that begin with `x-` are yours");
            self.error(problem, Some(entry.key), path, Some(hint));
        }
    }

    /// Where a key would be right that stands in the wrong map: a version's below `application`, or the other way round.
    fn other_place(&self, key: &str, pattern: &str) -> Option<&'static str> {
        let places = [
            ("application.versions[]", "a version, below `application.versions`"),
            ("application", "`application`"),
            ("application.versions[].metadata", "`metadata`"),
            ("", "the top level"),
        ];
        let keys = &self.environment.table.keys;
        let found = places.into_iter().find(|(place, _)| *place != pattern && keys.contains_key(&join(place, key)));
        found.map(|(_, words)| words).filter(|_| !pattern.is_empty())
    }

    fn siblings(&self, pattern: &str) -> Vec<String> {
        let below = |key: &String| {
            let child = if pattern.is_empty() { key.as_str() } else { key.strip_prefix(pattern)?.strip_prefix('.')? };
            (!child.contains(['.', '['])).then(|| child.to_owned())
        };
        let alive = self.environment.table.keys.iter().filter(|(_, rule)| rule.dead.is_none());
        alive.filter_map(|(key, _)| below(key)).collect()
    }
}

/// `path` with one more key.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Where to say that a key of a map is absent: at the `null` that takes its place, else at the map itself; none for a map
/// that nobody has written.
pub(super) fn absent(map: &Node, key: &str) -> Option<Origin> {
    let null = map.as_map().and_then(|map| map.get(key)).filter(|entry| entry.value.kind == Kind::Null);
    let origin = null.map_or(map.origin, |entry| entry.value.origin);
    (origin.line > 0).then_some(origin)
}

/// The key of a map that an absent one was probably meant to be: its place, and how to repair it. Keys that are `known`
/// are what they are.
pub(super) fn misspelt(map: &Node, absent: &str, known: impl Fn(&str) -> bool) -> Option<(Origin, String)> {
    let map = map.as_map()?;
    let others: Vec<&str> =
        map.keys().map(String::as_str).filter(|key| !key.starts_with("x-") && !known(key)).collect();
    // To compare with each of 100,000 keys would take long, and nobody has misspelt so many.
    let others = others.get(..others.len().min(MOST_EXPLAINED))?;
    let close = similar::get_close_matches(absent, others, 1, 0.6);
    let close = close.first()?;
    Some((map.get(*close)?.key, format!("write `{absent}` instead of `{close}`")))
}

fn some(path: &str) -> Option<String> {
    (!path.is_empty()).then(|| path.to_owned())
}

/// Whether a value counts as absent where something is required.
fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::Map(map) => map.is_empty(),
        _ => false,
    }
}
