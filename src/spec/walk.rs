//! One pass over the values with the environment's key table: unknown keys, types, forms, required keys.

use regex_lite::Regex;
use serde_json::Value;

use super::error::{Problem, SpecError};
use super::{Unknown, matches, name};
use crate::templates::{Catalog, Environment, Form, KeyRule, nearest};
use crate::values::{Entry, Kind, Map, Node, Origin};

/// The most bytes that all annotations of one object may take.
const MAX_ANNOTATIONS: usize = 256 * 1024;

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
        for (key, entry) in map {
            if key.starts_with("x-") {
                continue;
            }
            let (child, place) = (join(pattern, key), join(path, key));
            match self.environment.table.keys.get(&child) {
                Some(rule) => {
                    let rule = rule.clone();
                    self.value(&rule, key, entry, &child, &place);
                }
                None => self.unknown_key(key, entry, pattern, &place),
            }
        }
        self.required(node, map, pattern, path);
    }

    fn value(&mut self, rule: &KeyRule, key: &str, entry: &Entry, pattern: &str, path: &str) {
        let node = &entry.value;
        if let Some(why) = &rule.dead {
            self.warn(Problem::Dead(why.clone()), Some(entry.key), path, Some("drop the key".into()));
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
            if present(&key) || unless.as_deref().is_some_and(present) || self.inherited(pattern, &key) {
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
            let origin = (node.origin.line > 0).then_some(node.origin);
            self.error(problem, origin, path, hint);
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
            (Problem::UnknownKey(path.to_owned()), format!("`{key}` belongs to `{place}`"))
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
        if pattern.is_empty() || self.unknown == Unknown::Warn {
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
            ("application", "application"),
            ("application.versions[].metadata", "metadata"),
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
        self.environment.table.keys.keys().filter_map(below).collect()
    }

    fn text(&mut self, rule: &KeyRule, key: &str, node: &Node, path: &str) {
        let Kind::String(text) = &node.kind else {
            let hint = scalar(node).map(|text| format!("write `{key}: \"{text}\"`"));
            return self.wrong(key, "a string", node, path, hint);
        };
        let broken = match rule.form {
            Form::ServiceName => name::service(text).err().map(|rule| ("name", rule)),
            Form::ObjectName => name::subdomain(text).err().map(|rule| ("name", rule)),
            Form::Namespace => name::label(text).err().map(|rule| ("namespace", rule)),
            Form::Host => name::subdomain(text).err().map(|rule| ("host name", rule)),
            Form::IstioGateway | Form::GatewayReference => {
                let parts: Vec<&str> = text.split('/').collect();
                let bad = parts.len() > 2
                    || parts.len() == 2 && parts.first().is_some_and(|part| name::label(part).is_err())
                    || parts.last().is_some_and(|part| name::subdomain(part).is_err());
                bad.then_some(("gateway", "NAME or NAMESPACE/NAME"))
            }
            _ => None,
        };
        if let Some((what, rule)) = broken {
            self.error(Problem::Name { name: text.clone(), what, rule }, Some(node.origin), path, None);
        }
        if text.is_empty() && rule.form == Form::String {
            let problem = Problem::Type { key: key.into(), expected: "a text".into(), found: "an empty string".into() };
            self.error(problem, Some(node.origin), path, Some("drop the key, or give it a value".into()));
        }
        if let Some(pattern) = &rule.pattern
            && Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| !regex.is_match(text))
        {
            let problem = Problem::Pattern { key: key.into(), pattern: pattern.clone(), found: text.clone() };
            let hint = rule.example.as_ref().map(|example| format!("write `{key}: {example}`"));
            self.error(problem, Some(node.origin), path, hint);
        }
    }

    fn integer(&mut self, key: &str, node: &Node, path: &str, expected: &str, least: i64, most: i64) {
        let found = match &node.kind {
            Kind::Int(number) if (least..=most).contains(number) => return,
            Kind::Int(number) => number.to_string(),
            Kind::UInt(number) => number.to_string(),
            Kind::String(text) if text.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number)) => {
                return self.wrong(key, expected, node, path, Some(format!("write `{key}: {text}`")));
            }
            _ => {
                return self.wrong(
                    key,
                    expected,
                    node,
                    path,
                    Some(format!("write `{key}: {}`", least.max(10).min(most))),
                );
            }
        };
        let problem = Problem::Range { key: key.into(), expected: expected.into(), found };
        self.error(problem, Some(node.origin), path, None);
    }

    fn objects(&mut self, key: &str, node: &Node, path: &str) {
        let Kind::List(items) = &node.kind else {
            return self.wrong(key, "a list of maps", node, path, None);
        };
        for (index, item) in items.iter().enumerate() {
            if item.as_map().is_none() {
                self.wrong(&format!("{key}[{index}]"), "a map", item, &format!("{path}[{index}]"), None);
            }
        }
    }

    /// Checks labels or annotations.
    pub fn texts(&mut self, form: Form, key: &str, node: &Node, path: &str) {
        let Kind::Map(map) = &node.kind else {
            return self.wrong(key, "a map of strings", node, path, None);
        };
        let mut size = 0;
        for (key, entry) in map {
            let place = format!("{path}[\"{key}\"]");
            let lower = key.to_ascii_lowercase();
            let checked = if form == Form::Labels { name::label_key(key) } else { name::label_key(&lower) };
            if let Err(rule) = checked {
                let what = if form == Form::Labels { "label key" } else { "annotation key" };
                self.error(Problem::Name { name: key.clone(), what, rule }, Some(entry.key), &place, None);
            }
            match &entry.value.kind {
                Kind::Null => {}
                Kind::String(text) => {
                    size += key.len() + text.len();
                    if form == Form::Labels
                        && let Err(rule) = name::label_value(text)
                    {
                        let problem = Problem::Name { name: text.clone(), what: "label value", rule };
                        self.error(problem, Some(entry.value.origin), &place, None);
                    }
                }
                _ => {
                    let hint = scalar(&entry.value).map(|text| format!("write `{key}: \"{text}\"`"));
                    self.wrong(key, "a string", &entry.value, &place, hint);
                }
            }
        }
        if form == Form::Annotations && size > MAX_ANNOTATIONS {
            let expected = format!("at most {MAX_ANNOTATIONS} bytes in all");
            let problem = Problem::Range { key: key.into(), expected, found: format!("{size} bytes") };
            self.error(problem, Some(node.origin), path, None);
        }
    }

    fn specification(&mut self, rule: &KeyRule, key: &str, node: &Node, path: &str) {
        let Kind::Map(map) = &node.kind else {
            return self.wrong(key, "a map with `metadata` and `spec`", node, path, None);
        };
        if map.is_empty() {
            return;
        }
        let known: Vec<&str> = ["metadata", "spec"].into_iter().chain(rule.extra.iter().map(String::as_str)).collect();
        for (child, entry) in map {
            let place = join(path, child);
            if !known.contains(&child.as_str()) && !child.starts_with("x-") {
                let hint = format!("{}; the object's own fields go below `spec`", nearest(child, &known));
                let problem = Problem::UnknownKey(place.clone());
                match self.unknown {
                    Unknown::Refuse => self.error(problem, Some(entry.key), &place, Some(hint)),
                    Unknown::Warn => self.warn(problem, Some(entry.key), &place, Some(hint)),
                }
            }
        }
        match map.get("spec").map(|entry| &entry.value) {
            Some(Node { kind: Kind::Map(_), .. }) => {}
            Some(spec) if spec.kind != Kind::Null => self.wrong("spec", "a map", spec, &join(path, "spec"), None),
            _ => {
                let hint =
                    format!("`{key}` replaces the generated object whole; without `spec` there is nothing to write");
                self.error(Problem::Missing(join(path, "spec")), Some(node.origin), path, Some(hint));
            }
        }
        let Some(metadata) = node.get("metadata") else { return };
        let place = join(path, "metadata");
        if metadata.as_map().is_none() {
            return self.wrong("metadata", "a map", metadata, &place, None);
        }
        for (child, form) in [("labels", Form::Labels), ("annotations", Form::Annotations)] {
            if let Some(texts) = metadata.get(child) {
                self.texts(form, child, texts, &join(&place, child));
            }
        }
        for (child, what) in [("name", "name"), ("namespace", "namespace")] {
            let Some(value) = metadata.get(child) else { continue };
            let place = join(&place, child);
            match &value.kind {
                Kind::String(text) => {
                    let checked = if child == "name" { name::subdomain(text) } else { name::label(text) };
                    if let Err(rule) = checked {
                        let problem = Problem::Name { name: text.clone(), what, rule };
                        self.error(problem, Some(value.origin), &place, None);
                    }
                }
                _ => {
                    let hint = scalar(value).map(|text| format!("write `{child}: \"{text}\"`"));
                    self.wrong(child, "a string", value, &place, hint);
                }
            }
        }
    }

    fn model_format(&mut self, key: &str, node: &Node, path: &str) {
        match &node.kind {
            Kind::String(text) if !text.is_empty() => {}
            Kind::Map(map) => {
                for (child, entry) in map {
                    let place = join(path, child);
                    if child != "name" && child != "version" {
                        let hint = nearest(child, &["name", "version"]);
                        self.error(Problem::UnknownKey(place), Some(entry.key), path, Some(hint));
                    } else if entry.value.as_str().is_none_or(str::is_empty) {
                        let hint = scalar(&entry.value).map(|text| format!("write `{child}: \"{text}\"`"));
                        self.wrong(child, "a text", &entry.value, &place, hint);
                    }
                }
                if !map.contains_key("name") {
                    self.error(Problem::Missing(join(path, "name")), Some(node.origin), path, None);
                }
            }
            _ => self.wrong(key, "a name or `{name, version}`", node, path, None),
        }
    }

    /// Adds a mistake of type.
    pub fn wrong(&mut self, key: &str, expected: &str, node: &Node, path: &str, hint: Option<String>) {
        let problem = Problem::Type { key: key.into(), expected: expected.into(), found: describe(node) };
        let origin = (node.origin.line > 0).then_some(node.origin);
        self.error(problem, origin, path, hint);
    }
}

/// `path` with one more key.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
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

/// The text of a scalar that is not a string, as one would write it in quotes.
fn scalar(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Null | Kind::String(_) | Kind::List(_) | Kind::Map(_) => None,
        _ => Some(match node.to_json() {
            Value::String(text) => text,
            other => other.to_string(),
        }),
    }
}

/// What a value is, for people.
pub(super) fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "nothing".into(),
        Kind::Bool(value) => format!("the boolean {value}"),
        Kind::Int(value) => format!("the number {value}"),
        Kind::UInt(value) => format!("the number {value}"),
        Kind::Float(value) => format!("the number {value}"),
        Kind::String(text) if text.chars().count() <= 40 => format!("the string {text:?}"),
        Kind::String(_) => "a long string".into(),
        Kind::List(_) => "a list".into(),
        Kind::Map(_) => "a map".into(),
    }
}
