//! The forms that a key table gives to values: texts, whole numbers, labels and annotations, specifications, model formats.

use regex_lite::Regex;

use super::error::Problem;
use super::walk::{Walk, join};
use super::{Unknown, matches, name, ports};
use crate::templates::{Form, KeyRule, nearest};
use crate::values::{Kind, Node};

impl Walk<'_> {
    /// Checks a text against the form and the pattern of its key.
    pub fn text(&mut self, rule: &KeyRule, key: &str, node: &Node, path: &str) {
        let Kind::String(text) = &node.kind else {
            let hint = quoted(key, node);
            return self.wrong(key, "a string", node, path, hint);
        };
        let broken = match rule.form {
            Form::ServiceName => name::service(text).err().map(|rule| ("name", rule)),
            Form::ObjectName => name::subdomain(text).err().map(|rule| ("name", rule)),
            Form::Namespace => name::label(text).err().map(|rule| ("namespace", rule)),
            Form::Host => name::host(text).err().map(|rule| ("host name", rule)),
            Form::IstioGateway => return matches::istio_gateway(self, text, node, path),
            Form::GatewayReference => {
                let (namespace, name) =
                    text.split_once('/').map_or((None, &**text), |(space, name)| (Some(space), name));
                let bad = namespace.is_some_and(|text| name::label(text).is_err()) || name::subdomain(name).is_err();
                bad.then_some(("gateway", "NAME or NAMESPACE/NAME"))
            }
            _ => None,
        };
        if let Some((what, rule)) = broken {
            self.error(Problem::Name { name: text.clone(), what, rule }, Some(node.origin), path, None);
        }
        if text.is_empty() && rule.form == Form::String {
            let problem = Problem::Type { key: key.into(), expected: "a text".into(), found: "an empty string".into() };
            return self.error(problem, Some(node.origin), path, Some("drop the key, or give it a value".into()));
        }
        if let Some(pattern) = &rule.pattern
            && Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| !regex.is_match(text))
        {
            let problem = Problem::Pattern { key: key.into(), pattern: pattern.clone(), found: text.clone() };
            let hint = rule.example.as_ref().map(|example| format!("write `{key}: {example}`"));
            self.error(problem, Some(node.origin), path, hint);
        }
    }

    /// Checks a whole number.
    pub fn integer(&mut self, key: &str, node: &Node, path: &str, expected: &str, least: i64, most: i64) {
        let found = match &node.kind {
            Kind::Int(number) if (least..=most).contains(number) => return,
            Kind::Int(number) => number.to_string(),
            Kind::UInt(number) => number.to_string(),
            Kind::String(text) if text.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number)) => {
                return self.wrong(key, expected, node, path, Some(format!("write `{key}: {text}`")));
            }
            _ => {
                let example = if most == 65535 { 80 } else { least.max(10).min(most) };
                return self.wrong(key, expected, node, path, Some(format!("write `{key}: {example}`")));
            }
        };
        let problem = Problem::Range { key: key.into(), expected: expected.into(), found };
        self.error(problem, Some(node.origin), path, None);
    }

    /// Checks a list of maps.
    pub fn objects(&mut self, key: &str, node: &Node, path: &str) {
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
                    if form == Form::Labels
                        && let Err(rule) = name::label_value(text)
                    {
                        let problem = Problem::Name { name: text.clone(), what: "label value", rule };
                        self.error(problem, Some(entry.value.origin), &place, None);
                    }
                }
                _ => {
                    let hint = quoted(key, &entry.value);
                    self.wrong(key, "a string", &entry.value, &place, hint);
                }
            }
        }
    }

    /// Checks what replaces a generated object.
    pub fn specification(&mut self, rule: &KeyRule, key: &str, node: &Node, path: &str) {
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
        if let Some(given) = node.get("ports").filter(|_| known.contains(&"ports")) {
            ports::service(self, given, &join(path, "ports"));
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
                    let hint = quoted(child, value);
                    self.wrong(child, "a string", value, &place, hint);
                }
            }
        }
    }

    /// Checks a model format.
    pub fn model_format(&mut self, key: &str, node: &Node, path: &str) {
        match &node.kind {
            Kind::String(text) if !text.is_empty() => {}
            Kind::Map(map) => {
                for (child, entry) in map {
                    let place = join(path, child);
                    if child != "name" && child != "version" {
                        let hint = nearest(child, &["name", "version"]);
                        self.error(Problem::UnknownKey(place), Some(entry.key), path, Some(hint));
                    } else if entry.value.as_str().is_none_or(str::is_empty) {
                        let hint = quoted(child, &entry.value);
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

/// How to write a scalar that is not a string as the string that was probably meant.
pub(super) fn quoted(key: &str, node: &Node) -> Option<String> {
    let text = match &node.kind {
        Kind::Null | Kind::String(_) | Kind::List(_) | Kind::Map(_) => return None,
        _ => node.to_json().to_string(),
    };
    // `1.0`, `yes` and `010` are read as 1, true and 8: their own text is not known here, only how long it is.
    Some(if text.len() == node.origin.length as usize {
        format!("write `{key}: \"{text}\"`")
    } else {
        format!("write the value in quotes: `{key}: \"…\"`")
    })
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
        Kind::List(items) if items.is_empty() => "an empty list".into(),
        Kind::List(_) => "a list".into(),
        Kind::Map(map) if map.is_empty() => "an empty map".into(),
        Kind::Map(_) => "a map".into(),
    }
}
