//! What differs between two objects: as text for people, as paths for programs.

use serde_json::{Map, Value};
use similar::{Algorithm, ChangeTag, TextDiff};

use crate::manifest::{ManifestError, yaml};

/// Bytes of two texts from which on the shortest difference is not looked for: the search takes a time that grows with the
/// square of what differs.
const LONG: usize = 64 * 1024;

/// The most lines around a change: no object has more.
const LONGEST: usize = 1 << 30;

/// Fields of `metadata` that the API server keeps for itself.
const BOOKKEEPING: [&str; 6] =
    ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// One line of a unified difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which side has it.
    pub side: Side,
    /// Its text, without sign and line break.
    pub text: String,
}

/// Which side of a difference has a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Both.
    Both,
    /// Only the object before.
    Before,
    /// Only the object after.
    After,
    /// None: lines that both have are left out here.
    Gap,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Where, as in `.spec.http[0].route[1].weight`.
    pub path: String,
    /// The value before; none when the field is new.
    pub before: Option<Value>,
    /// The value after; none when the field goes.
    pub after: Option<Value>,
}

/// Two states of one object, ready to be shown: no bookkeeping of the API server, no status, no secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    before: Option<Value>,
    after: Option<Value>,
}

impl Pair {
    /// Takes the object before and after; none where it does not exist.
    pub fn new(before: Option<&Value>, after: Option<&Value>) -> Pair {
        let (mut before, mut after) = (before.map(shown), after.map(shown));
        let secret = |object: &Option<Value>| object.as_ref().is_some_and(|object| object["kind"] == "Secret");
        if secret(&before) || secret(&after) {
            hide(before.as_mut(), after.as_mut());
        }
        Pair { before, after }
    }

    /// The same pair with other texts in it: `change` gets one state, the other one, and whether it is the state after. It
    /// keeps the order of the keys.
    pub fn map(&self, change: impl Fn(&Value, Option<&Value>, bool) -> Value) -> Pair {
        let (before, after) = (self.before(), self.after());
        Pair { before: before.map(|own| change(own, after, false)), after: after.map(|own| change(own, before, true)) }
    }

    /// The state before; none where the object does not exist.
    pub fn before(&self) -> Option<&Value> {
        self.before.as_ref()
    }

    /// The state after; none where the object goes.
    pub fn after(&self) -> Option<&Value> {
        self.after.as_ref()
    }

    /// Whether both states are the same.
    pub fn is_same(&self) -> bool {
        self.before == self.after
    }

    /// The difference as lines of YAML, with `context` lines around each change.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Write`].
    pub fn lines(&self, context: usize) -> Result<Vec<Line>, ManifestError> {
        let text = |object: &Option<Value>| object.as_ref().map_or(Ok(String::new()), yaml);
        let (before, after) = (text(&self.before)?, text(&self.after)?);
        let mut config = TextDiff::configure();
        if before.len() + after.len() > LONG {
            config.algorithm(Algorithm::Patience);
        }
        let difference = config.diff_lines(&before, &after);
        let mut lines = Vec::new();
        for group in difference.grouped_ops(context.min(LONGEST)) {
            if !lines.is_empty() {
                lines.push(Line { side: Side::Gap, text: String::new() });
            }
            for change in group.iter().flat_map(|op| difference.iter_changes(op)) {
                let side = match change.tag() {
                    ChangeTag::Equal => Side::Both,
                    ChangeTag::Delete => Side::Before,
                    ChangeTag::Insert => Side::After,
                };
                lines.push(Line { side, text: change.value().trim_end_matches('\n').to_owned() });
            }
        }
        Ok(lines)
    }

    /// The fields that differ, in the order of their paths; the whole object is the path `.`.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        compare("", self.before.as_ref(), self.after.as_ref(), &mut fields);
        fields
    }
}

/// An object without what the API server and controllers keep in it, its keys in the order of [`ordered`].
fn shown(object: &Value) -> Value {
    let Value::Object(fields) = object else { return ordered(object) };
    let fields = in_order(fields).into_iter().filter(|(key, _)| *key != "status");
    let field = |(key, value): (&String, &Value)| match value {
        Value::Object(metadata) if key == "metadata" => {
            let own = in_order(metadata).into_iter().filter(|(key, _)| !BOOKKEEPING.contains(&key.as_str()));
            (key.clone(), own.map(|(key, value)| (key.clone(), ordered(value))).collect::<Map<_, _>>().into())
        }
        value => (key.clone(), ordered(value)),
    };
    fields.map(field).collect::<Map<_, _>>().into()
}

/// The first keys in the order that people expect, the others as in any Kubernetes object: by name.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(ordered).collect(),
        Value::Object(entries) => {
            let entries = in_order(entries).into_iter();
            entries.map(|(key, value)| (key.clone(), ordered(value))).collect::<Map<_, _>>().into()
        }
        scalar => scalar.clone(),
    }
}

fn in_order(entries: &Map<String, Value>) -> Vec<(&String, &Value)> {
    const FIRST: [&str; 4] = ["apiVersion", "kind", "metadata", "name"];
    let rank = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let mut entries: Vec<(&String, &Value)> = entries.iter().collect();
    entries.sort_by(|a, b| (rank(a.0), a.0).cmp(&(rank(b.0), b.0)));
    entries
}

/// Replaces every value of a Secret by its size, so that a change is seen and the value is not.
fn hide(mut before: Option<&mut Value>, mut after: Option<&mut Value>) {
    for part in ["data", "stringData"] {
        let values = |object: &Option<&mut Value>| -> Map<String, Value> {
            object.as_ref().and_then(|object| object[part].as_object().cloned()).unwrap_or_default()
        };
        let (old, new) = (values(&before), values(&after));
        let mask =
            |object: &mut Option<&mut Value>, own: &Map<String, Value>, other: &Map<String, Value>, word: &str| {
                let Some(target) =
                    object.as_mut().and_then(|object| object.get_mut(part)).and_then(Value::as_object_mut)
                else {
                    return;
                };
                for (key, value) in own {
                    let size = value.as_str().map_or(0, str::len);
                    let word = if other.get(key) == Some(value) { "" } else { word };
                    target.insert(key.clone(), format!("(hidden, {size} characters{word})").into());
                }
            };
        mask(&mut before, &old, &new, ", before");
        mask(&mut after, &new, &old, ", after");
    }
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, fields: &mut Vec<Field>) {
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let mut keys: Vec<&String> = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
            keys.sort();
            for key in keys {
                let simple = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                let place = if simple { format!("{path}.{key}") } else { format!("{path}[{key:?}]") };
                compare(&place, old.get(key), new.get(key), fields);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for index in 0..old.len().max(new.len()) {
                compare(&format!("{path}[{index}]"), old.get(index), new.get(index), fields);
            }
        }
        (before, after) if before == after => {}
        (before, after) => {
            let path = if path.is_empty() { "." } else { path };
            fields.push(Field { path: path.to_owned(), before: before.cloned(), after: after.cloned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(pair: &Pair, context: usize) -> String {
        let sign = |side| match side {
            Side::Both => ' ',
            Side::Before => '-',
            Side::After => '+',
            Side::Gap => '~',
        };
        pair.lines(context).unwrap().iter().map(|line| format!("{}{}\n", sign(line.side), line.text)).collect()
    }

    #[test]
    fn bookkeeping_and_status_are_not_shown() {
        let object = |version: &str, ready: bool| {
            json!({"kind": "A", "metadata": {"name": "a", "resourceVersion": version, "generation": 3, "uid": "x",
                   "managedFields": [], "creationTimestamp": "t"}, "status": {"ready": ready}})
        };
        let pair = Pair::new(Some(&object("1", false)), Some(&object("2", true)));
        assert!(pair.is_same());
        assert_eq!(text(&pair, 3), "");
    }

    #[test]
    fn the_order_of_keys_is_no_difference() {
        let before = json!({"spec": {"b": 1, "a": 2}, "kind": "A"});
        let after = json!({"kind": "A", "spec": {"a": 2, "b": 1}});
        assert!(Pair::new(Some(&before), Some(&after)).is_same());
    }

    #[test]
    fn a_change_is_shown_with_its_context() {
        let object = |weight: u32| json!({"kind": "A", "spec": {"a": 1, "b": 2, "c": weight, "d": 4, "e": 5}});
        let pair = Pair::new(Some(&object(30)), Some(&object(70)));
        assert_eq!(text(&pair, 1), "   b: 2\n-  c: 30\n+  c: 70\n   d: 4\n");
        let field = Field { path: ".spec.c".into(), before: Some(json!(30)), after: Some(json!(70)) };
        assert_eq!(pair.fields(), [field]);
    }

    #[test]
    fn what_lies_between_two_changes_is_left_out() {
        let object = |value: u32| {
            let keys = "abcdefgh"
                .chars()
                .map(|key| (key.to_string(), json!(if key == 'c' || key == 'd' { 0 } else { value })));
            Value::Object(keys.collect())
        };
        let mut after = object(1);
        after["a"] = json!(2);
        after["h"] = json!(2);
        assert_eq!(text(&Pair::new(Some(&object(1)), Some(&after)), 0), "-a: 1\n+a: 2\n~\n-h: 1\n+h: 2\n");
    }

    #[test]
    fn secret_values_are_masked_in_a_diff() {
        let secret = |password: &str| json!({"kind": "Secret", "data": {"password": password, "same": "c2FtZQ=="}});
        let pair = Pair::new(Some(&secret("b2xk")), Some(&secret("bmV3")));
        let printed = text(&pair, 3);
        assert!(!printed.contains("b2xk") && !printed.contains("bmV3") && !printed.contains("c2FtZQ"), "{printed}");
        assert!(printed.contains("-  password: (hidden, 4 characters, before)"), "{printed}");
        assert!(printed.contains("+  password: (hidden, 4 characters, after)"), "{printed}");
    }

    #[test]
    fn new_and_removed_fields_have_their_paths() {
        let before = json!({"metadata": {"labels": {"a.b/c": "1"}}, "list": [1, 2]});
        let after = json!({"metadata": {"labels": {}}, "list": [1]});
        let paths: Vec<String> =
            Pair::new(Some(&before), Some(&after)).fields().into_iter().map(|field| field.path).collect();
        assert_eq!(paths, [".list[1]", ".metadata.labels[\"a.b/c\"]"]);
        assert_eq!(Pair::new(None, Some(&after)).fields()[0].path, ".");
    }
}
