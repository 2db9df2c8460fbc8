//! Two states of an object: what must not be shown is hidden in both, and that it differs is still seen.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::key::may_sound_secret;
use super::outline::Outline;
use super::{address, armour, flag, indentation, is_parameter, of_key, of_pairs, sounds_secret, value};
use crate::diff::Pair;

/// A pair whose secrets are hidden: values of keys and environment variables that sound like one, names and passwords in
/// addresses. What differs says so.
pub(in crate::cli) fn hidden(pair: &Pair) -> Pair {
    let (before, after) = (pair.before(), pair.after());
    // The values of a Secret are hidden already.
    if [before, after].into_iter().flatten().any(|object| object["kind"] == "Secret") {
        return pair.clone();
    }
    pair.map(|own, other, after| Side { word: if after { "after" } else { "before" } }.value(own, other))
}

/// Two values of a field, as JSON, whose secrets are hidden.
pub(in crate::cli) fn hidden_values(before: &str, after: &str) -> (String, String) {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| text.into());
    let (before, after) = (read(before), read(after));
    let of = |own: &Value, other, word| Side { word }.value(own, Some(other)).to_string();
    (of(&before, &after, "before"), of(&after, &before, "after"))
}

/// One of the two states.
struct Side {
    /// What it is called.
    word: &'static str,
}

impl Side {
    fn value(&self, own: &Value, other: Option<&Value>) -> Value {
        match own {
            Value::Object(fields) => {
                let named = fields.get("name").and_then(Value::as_str).is_some_and(sounds_secret);
                let field = |(key, own): (&String, &Value)| {
                    let other = other.and_then(|other| other.get(key));
                    let secret = sounds_secret(key) && !is_reference(own) || named && key == "value";
                    let own = match key.as_str() {
                        _ if secret => self.whole(own, other),
                        "queryParams" => self.parameters(own, other),
                        _ => self.value(own, other),
                    };
                    (key.clone(), own)
                };
                fields.iter().map(field).collect::<Map<_, _>>().into()
            }
            Value::Array(items) => {
                let item = |(index, own): (usize, &Value)| {
                    let other = partner(own, index, other);
                    match own {
                        Value::String(text) if is_argument(items, index) => self.argument(text, other),
                        Value::String(_) if follows_flag(items, index) => self.whole(own, other),
                        own => self.value(own, other),
                    }
                };
                items.iter().enumerate().map(item).collect()
            }
            Value::String(text) => self.text(text, other).into(),
            other => other.clone(),
        }
    }

    /// What a match asks of a query, whose parameters have names of their own for secrets: a map to Istio, a list to the
    /// Gateway API.
    fn parameters(&self, own: &Value, other: Option<&Value>) -> Value {
        let mut shown = self.value(own, other);
        for (name, test) in own.as_object().into_iter().flatten().filter(|(name, _)| is_parameter(name)) {
            shown[name] = self.whole(test, other.and_then(|other| other.get(name)));
        }
        for (index, item) in own.as_array().into_iter().flatten().enumerate() {
            if item["name"].as_str().is_some_and(is_parameter) && item["value"].is_string() {
                let other = partner(item, index, other).map(|other| &other["value"]);
                shown[index]["value"] = self.whole(&item["value"], other);
            }
        }
        shown
    }

    /// All that is below a key which sounds like a secret.
    fn whole(&self, own: &Value, other: Option<&Value>) -> Value {
        match own {
            Value::Object(fields) => {
                let field =
                    |(key, own): (&String, &Value)| (key.clone(), self.whole(own, other.and_then(|o| o.get(key))));
                fields.iter().map(field).collect::<Map<_, _>>().into()
            }
            Value::Array(items) => {
                let item = |(index, own): (usize, &Value)| self.whole(own, partner(own, index, other));
                items.iter().enumerate().map(item).collect()
            }
            Value::String(text) => self.size(text, differs(own, other)).into(),
            Value::Number(number) => self.size(&number.to_string(), differs(own, other)).into(),
            Value::Bool(_) | Value::Null => own.clone(),
        }
    }

    /// An argument of a program: behind a flag that sounds like a secret nothing is shown.
    fn argument(&self, own: &str, other: Option<&Value>) -> Value {
        match own.split_once(['=', ' ', ':']) {
            Some((flag, value)) if sounds_secret(flag) => {
                let sign = own.get(flag.len()..=flag.len()).unwrap_or_default();
                let differs = other.is_some_and(|other| other != own);
                format!("{flag}{sign}{}", self.size(value, differs)).into()
            }
            _ => self.text(own, other).into(),
        }
    }

    fn text(&self, own: &str, other: Option<&Value>) -> String {
        if own.starts_with(['{', '['])
            && let Ok(document) = serde_json::from_str::<Value>(own)
        {
            let other = other.and_then(Value::as_str).and_then(|other| serde_json::from_str(other).ok());
            let shown = self.value(&document, other.as_ref());
            // As it was written, where nothing is hidden.
            return if shown == document { own.to_owned() } else { shown.to_string() };
        }
        if !may_hide(own) {
            return own.to_owned();
        }
        let others = other.and_then(Value::as_str).map(lines);
        let others: Option<HashSet<Vec<String>>> =
            others.map(|others| others.into_iter().map(|other| other.hidden).collect());
        let line = |line: Line| {
            let differs = others.as_ref().is_some_and(|others| !others.contains(&line.hidden));
            match (line.rest, line.hidden.as_slice()) {
                (Some(rest), _) => line.shown + &self.size(&rest, differs),
                (None, [_, ..]) if differs => format!("{} (hidden, {})", line.shown, self.word),
                _ => line.shown,
            }
        };
        lines(own).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// What stands for a hidden text.
    fn size(&self, text: &str, differs: bool) -> String {
        let word = if differs { format!(", {}", self.word) } else { String::new() };
        format!("(hidden, {} characters{word})", text.chars().count())
    }
}

fn differs(own: &Value, other: Option<&Value>) -> bool {
    other.is_some_and(|other| other != own)
}

/// Whether anything of a text may have to be hidden. Most texts of a release hold nothing, and the lines of a long one are many.
fn may_hide(text: &str) -> bool {
    if text.contains('\n') { may_sound_secret(text) || address::may_hold(text) } else { may_hide_in_line(text) }
}

/// As [`may_hide`], of a text without line breaks: what may name a secret ends with a sign.
fn may_hide_in_line(text: &str) -> bool {
    text.contains(['=', ':']) || address::may_hold(text) || flag::value(text).is_some()
}

/// One line of a text.
struct Line {
    /// What may be shown.
    shown: String,
    /// The rest, behind a key that sounds like a secret.
    rest: Option<String>,
    /// All that is not shown.
    hidden: Vec<String>,
}

fn lines(text: &str) -> Vec<Line> {
    let all: Vec<&str> = text.split('\n').collect();
    // Most texts have no such key.
    let outline = may_sound_secret(text).then(|| Outline::of(&all));
    let (bodies, flags) = (armour::bodies(&all), flag::visible(&all));
    let line = |index: usize| {
        let line = all[index];
        let (_, of_address) = address::split(line);
        let count = match all.len() {
            _ if bodies[index] => Some(indentation(line)),
            // The key of an address is told with the rest of it.
            1 => of_pairs(line).filter(|_| of_address.is_empty()),
            _ => outline.as_ref().and_then(|outline| of_key(&all, index, outline)),
        };
        let count = count.into_iter().chain(flags[index]).min();
        if let Some(line) = count.filter(|_| !bodies[index]).and_then(|count| with_json(line, count)) {
            return line;
        }
        let shown: String = line.chars().take(count.unwrap_or(usize::MAX)).collect();
        let rest = count.map(|_| line.get(shown.len()..).unwrap_or_default().to_owned());
        let (shown, mut hidden) = if all.len() == 1 { value::split(&shown) } else { address::split(&shown) };
        hidden.extend(rest.clone());
        Line { shown, rest, hidden }
    };
    (0..all.len()).map(line).collect()
}

/// A line that ends with a document of JSON, as a routemap has them behind `match:`, when what must not be shown stands in it:
/// the rest of the document is shown. `count` characters may be shown for sure.
fn with_json(line: &str, count: usize) -> Option<Line> {
    let start = line.find(['[', '{'])?;
    let (before, json) = line.split_at(start);
    let document = serde_json::from_str::<Value>(json).ok().filter(|_| before.chars().count() < count)?;
    let masked = Side { word: "" }.value(&document, None);
    let mut hidden = Vec::new();
    collect(&document, &masked, &mut hidden);
    Some(Line { shown: format!("{before}{masked}"), rest: None, hidden })
}

/// The values of a document that are not the same in its masked form.
fn collect(document: &Value, masked: &Value, hidden: &mut Vec<String>) {
    match (document, masked) {
        (Value::Object(fields), Value::Object(_)) => {
            fields.iter().for_each(|(key, own)| collect(own, &masked[key], hidden));
        }
        (Value::Array(items), Value::Array(_)) => {
            items.iter().enumerate().for_each(|(index, own)| collect(own, &masked[index], hidden));
        }
        _ if document == masked => {}
        _ => hidden.push(document.to_string()),
    }
}

/// The longest list whose items are looked for in other places.
const MANY: usize = 100;

/// What an item of a list is compared with: the item of its name, one that is equal, the one in its place. In a long list,
/// as a route of a thousand versions has, only the one in its place.
fn partner<'a>(own: &Value, index: usize, other: Option<&'a Value>) -> Option<&'a Value> {
    let items = other?.as_array()?;
    let place = items.get(index);
    if items.len() > MANY {
        return place;
    }
    let same_name = |item: &&Value| !own["name"].is_null() && item["name"] == own["name"];
    items.iter().find(same_name).or_else(|| items.iter().find(|item| *item == own)).or(place)
}

/// Whether a value below a key that sounds so only says where a secret is: a volume's `secret`.
fn is_reference(value: &Value) -> bool {
    value["secretName"].is_string() || value["name"].is_string() && value["value"].is_null()
}

fn is_argument(items: &[Value], index: usize) -> bool {
    let text = items.get(index).and_then(Value::as_str).unwrap_or_default();
    text.starts_with('-') || text.split_once('=').is_some_and(|(name, _)| !name.contains(['/', ' ']))
}

/// Whether a text is the value of the argument before it: `--token`, then the token.
fn follows_flag(items: &[Value], index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|before| items.get(before)?.as_str()).unwrap_or_default();
    flag::takes(before, items[index].as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(before: Value, after: Value) -> (Value, Value) {
        let pair = hidden(&Pair::new(Some(&before), Some(&after)));
        (pair.before().unwrap().clone(), pair.after().unwrap().clone())
    }

    #[test]
    fn a_change_of_what_is_hidden_is_seen() {
        let object = |value: &str| {
            json!({"env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": value}, {"name": "A", "value": value}],
                   "uri": format!("https://me:{value}@host/m?token={value}&v=1"), "args": [format!("--api-key={value}"), "--token", value]})
        };
        let of = |value: &str, word: &str| {
            let size = value.len();
            json!({"env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": format!("(hidden, {size} characters, {word})")}, {"name": "A", "value": value}],
                   "uri": format!("https://•••••@host/m?token=•••••&v=1 (hidden, {word})"),
                   "args": [format!("--api-key=(hidden, {size} characters, {word})"), "--token", format!("(hidden, {size} characters, {word})")]})
        };
        assert_eq!(shown(object("one"), object("other")), (of("one", "before"), of("other", "after")));
    }

    #[test]
    fn what_is_hidden_and_the_same_is_no_change() {
        let object = |image: &str| {
            json!({"image": image, "uri": "https://me:x@host", "list": ["a", "--token=x"], "password": 1,
                   "text": "{\"env\":[{\"name\":\"MY_TOKEN\",\"value\":\"x\"}]}", "lines": "a: 1\ntoken: x\n"})
        };
        let of = |image: &str| {
            json!({"image": image, "uri": "https://•••••@host", "list": ["a", "--token=(hidden, 1 characters)"],
                   "password": "(hidden, 1 characters)",
                   "text": "{\"env\":[{\"name\":\"MY_TOKEN\",\"value\":\"(hidden, 1 characters)\"}]}",
                   "lines": "a: 1\ntoken: (hidden, 1 characters)\n"})
        };
        assert_eq!(shown(object("a"), object("b")), (of("a"), of("b")));
    }

    #[test]
    fn the_rest_of_a_document_in_a_line_is_shown() {
        let template = |token: &str, traffic: &str| {
            format!(
                "http:\n- match: [{{\"headers\":{{\"x-token\":{{\"exact\":\"{token}\"}},\"traffic\":{{\"exact\":\"{traffic}\"}}}}}}]\n\
                 - match: [{{\"uri\":{{\"prefix\":\"/v1?token={token}&b=2\"}}}}]\n  x-token: [\"{token}\"]\n\
                 - match: [{{\"uri\":{{\"prefix\":\"/v1\"}}}}]"
            )
        };
        let of = |size: usize, traffic: &str, word: &str| {
            format!(
                "http:\n- match: [{{\"headers\":{{\"x-token\":{{\"exact\":\"(hidden, {size} characters)\"}},\"traffic\":{{\"exact\":\"{traffic}\"}}}}}}] (hidden, {word})\n\
                 - match: [{{\"uri\":{{\"prefix\":\"/v1?token=•••••&b=2\"}}}}] (hidden, {word})\n  x-token: (hidden, {} characters, {word})\n\
                 - match: [{{\"uri\":{{\"prefix\":\"/v1\"}}}}]",
                size + 4
            )
        };
        let (before, after) = shown(json!({"t": template("one", "a")}), json!({"t": template("other", "b")}));
        assert_eq!(before["t"], of(3, "a", "before"));
        assert_eq!(after["t"], of(5, "b", "after"));
    }

    #[test]
    fn what_a_match_asks_of_a_secret_is_hidden_and_the_rest_is_shown() {
        let route = |value: &str| {
            json!({"match": [
                {"uri": {"prefix": format!("/v1?token={value}&b=2")}, "method": {"exact": "POST"}},
                {"uri": {"exact": "/v1/models/token-model:predict"}, "headers": {"traffic": {"exact": "test"}}},
                {"headers": {"cookie": {"regex": format!("^(.*; )?session_token=({value}|[;]{value})(;.*)?$")}}},
                {"headers": {"cookie": {"regex": "^(.*?;)?(user=test)(;.*)?$"}}},
                {"queryParams": {"key": {"exact": value}, "version": {"exact": "two"}}},
            ], "matches": [
                {"queryParams": [{"name": "key", "value": value}, {"name": "version", "value": "two"}]},
                {"headers": [{"name": "x-token", "value": value}, {"name": "traffic", "value": "test"}]},
            ]})
        };
        let hidden = "(hidden, 6 characters)";
        let expected = json!({"match": [
            {"uri": {"prefix": "/v1?token=•••••&b=2"}, "method": {"exact": "POST"}},
            {"uri": {"exact": "/v1/models/token-model:predict"}, "headers": {"traffic": {"exact": "test"}}},
            {"headers": {"cookie": {"regex": "^(.*; )?session_token=•••••"}}},
            {"headers": {"cookie": {"regex": "^(.*?;)?(user=test)(;.*)?$"}}},
            {"queryParams": {"key": {"exact": hidden}, "version": {"exact": "two"}}},
        ], "matches": [
            {"queryParams": [{"name": "key", "value": hidden}, {"name": "version", "value": "two"}]},
            {"headers": [{"name": "x-token", "value": hidden}, {"name": "traffic", "value": "test"}]},
        ]});
        assert_eq!(shown(route("secret"), route("secret")), (expected.clone(), expected));
    }

    #[test]
    fn a_private_key_is_hidden_under_any_name() {
        let object = |body: &str| json!({"data": format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\nport: 80\n")});
        let of = |word: &str| json!({"data": format!("-----BEGIN PRIVATE KEY-----\n(hidden, 4 characters, {word})\n-----END PRIVATE KEY-----\nport: 80\n")});
        assert_eq!(shown(object("MIIE"), object("MIIF")), (of("before"), of("after")));
    }

    #[test]
    fn what_only_refers_to_a_secret_is_shown() {
        let object = json!({
            "volumes": [{"name": "v", "secret": {"secretName": "keys"}}],
            "imagePullSecrets": [{"name": "registry"}],
            "env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pass"}}}],
            "args": ["--max-tokens=5", "--tokenizer=x"], "automountServiceAccountToken": false,
            "labels": {"a": "token-model"}, "uri": "s3://token/model", "note": "token of the day",
            "tolerations": [{"key": "nvidia.com/gpu", "value": "present"}], "topologyKey": "kubernetes.io/hostname",
            "image": format!("registry.example/shop@sha256:{}", "0123456789abcdef".repeat(4)),
            "variables": {"PARTITION_KEY": "user", "KEYS_FILE": "/etc/keys", "AUTH_MODE": "oidc"},
        });
        assert_eq!(shown(object.clone(), object.clone()), (object.clone(), object));
    }

    #[test]
    fn an_item_that_has_only_moved_is_no_change() {
        let before = json!({"env": [{"name": "MY_TOKEN", "value": "x"}], "args": ["--token=x"]});
        let after = json!({"env": [{"name": "A", "value": "1"}, {"name": "MY_TOKEN", "value": "x"}], "args": ["-v", "--token=x"]});
        let (before, after) = shown(before, after);
        assert_eq!((&before["env"][0], &before["args"][0]), (&after["env"][1], &after["args"][1]));
    }
}
