//! Two states of an object: what must not be shown is hidden in both, and that it differs is still seen.

use serde_json::{Map, Value};

use super::key::may_sound_secret;
use super::{address, of_key, of_pairs, sounds_secret};
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
                    let own = if secret { self.whole(own, other) } else { self.value(own, other) };
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
        if !(may_sound_secret(own) || address::may_hold(own)) {
            return own.to_owned();
        }
        let others = other.and_then(Value::as_str).map(lines);
        let line = |line: Line| {
            let differs = others.as_ref().is_some_and(|others| others.iter().all(|other| other.hidden != line.hidden));
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
    // What a key says of the lines below it takes a look at the lines above each: not in a routemap of a thousand versions.
    let has_keys = all.iter().any(|line| sounds_secret(line));
    let line = |index: usize| {
        let line = all[index];
        let (_, of_address) = address::split(line);
        let count = match all.len() {
            // The key of an address is told with the rest of it.
            1 => of_pairs(line).filter(|_| of_address.is_empty()),
            _ if has_keys => of_key(&all, index),
            _ => None,
        };
        let shown: String = line.chars().take(count.unwrap_or(usize::MAX)).collect();
        let rest = count.map(|_| line.get(shown.len()..).unwrap_or_default().to_owned());
        let (shown, mut hidden) = address::split(&shown);
        hidden.extend(rest.clone());
        Line { shown, rest, hidden }
    };
    (0..all.len()).map(line).collect()
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
    before.starts_with('-') && !before.contains(['=', ' ']) && sounds_secret(before)
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
    fn what_only_refers_to_a_secret_is_shown() {
        let object = json!({
            "volumes": [{"name": "v", "secret": {"secretName": "keys"}}],
            "imagePullSecrets": [{"name": "registry"}],
            "env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pass"}}}],
            "args": ["--max-tokens=5", "--tokenizer=x"], "automountServiceAccountToken": false,
            "labels": {"a": "token-model"}, "uri": "s3://token/model", "note": "token of the day",
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
