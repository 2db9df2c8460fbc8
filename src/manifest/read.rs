//! Reads YAML documents into plain objects: what templates write, what a routemap holds, what another tool rendered.

use std::collections::BTreeMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Tag, options};
use serde_json::{Map, Value};
use thiserror::Error;

use super::plain::read;
use crate::scalar::{Plain, plain};

/// The deepest nesting that is read: that of values, and what templates put around them.
const MAX_DEPTH: usize = 160;
/// The most nodes of one text, counted after aliases are followed.
const MAX_NODES: usize = 4_000_000;

/// A text that is no YAML, or more than is read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ReadError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads every document of a text; empty ones are left out.
///
/// Plain scalars mean what they mean to `kubectl` (YAML 1.1: `yes` is true); integers are exact.
///
/// # Errors
///
/// Text that is no YAML, a key that stands twice, nesting deeper than 160 levels, an alias bomb.
pub fn read_documents(text: &str) -> Result<Vec<Value>, ReadError> {
    match read(text) {
        Some(documents) => Ok(documents.into_iter().filter(|document| !document.is_null()).collect()),
        None => read_fully(text),
    }
}

/// Reads any YAML.
pub(super) fn read_fully(text: &str) -> Result<Vec<Value>, ReadError> {
    let options: Options = options! { emit_comments: false };
    let mut reader = Reader::default();
    let mut documents = Vec::new();
    for item in Parser::new_from_str_with_options(text, options) {
        let (event, span) = item.map_err(|error| {
            let mark = error.marker();
            ReadError { line: mark.line(), column: mark.col() + 1, message: error.info() }
        })?;
        if matches!(event, Event::DocumentEnd) {
            documents.extend(reader.finish());
        }
        reader.event(event).map_err(|message| ReadError {
            line: span.start.line(),
            column: span.start.col() + 1,
            message,
        })?;
    }
    Ok(documents)
}

/// A collection whose end has not come yet.
enum Open {
    List(Vec<Value>, usize),
    Map(Map<String, Value>, Option<Key>, usize),
}

enum Key {
    Text(String),
    /// `<<` without quotes.
    Merge,
}

#[derive(Default)]
struct Reader {
    stack: Vec<Open>,
    root: Option<Value>,
    anchors: BTreeMap<usize, (Value, usize)>,
    nodes: usize,
}

impl Reader {
    fn finish(&mut self) -> Option<Value> {
        self.anchors.clear();
        self.root.take().filter(|value| !value.is_null())
    }

    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref())?;
                self.node(value, anchor, 1, style == ScalarStyle::Plain)
            }
            Event::SequenceStart(_, anchor, _) => self.open(Open::List(Vec::new(), anchor)),
            Event::MappingStart(_, anchor, _) => self.open(Open::Map(Map::new(), None, anchor)),
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Open::List(list, anchor)) => self.node(Value::Array(list), anchor, 1, false),
                Some(Open::Map(map, _, anchor)) => self.node(Value::Object(map), anchor, 1, false),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let (value, size) = self.anchors.get(&anchor).cloned().ok_or("an alias to its own inside")?;
                self.node(value, 0, size, false)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open) -> Result<(), String> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        if let Some(Open::Map(_, None, _)) = self.stack.last() {
            return Err("a key must be a scalar".into());
        }
        self.stack.push(open);
        Ok(())
    }

    fn node(&mut self, value: Value, anchor: usize, size: usize, plain: bool) -> Result<(), String> {
        self.nodes += size;
        if self.nodes > MAX_NODES {
            return Err(format!("more than {MAX_NODES} nodes"));
        }
        if anchor > 0 {
            let size = count(&value);
            self.anchors.insert(anchor, (value.clone(), size));
        }
        match self.stack.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(list, _)) => list.push(value),
            Some(Open::Map(_, key @ None, _)) if plain && value == "<<" => *key = Some(Key::Merge),
            Some(Open::Map(_, key @ None, _)) => *key = Some(Key::Text(key_text(value)?)),
            Some(Open::Map(map, key, _)) => match (key.take(), value) {
                (None, _) => {}
                (Some(Key::Merge), Value::Object(merged)) => {
                    for (key, value) in merged {
                        map.entry(key).or_insert(value);
                    }
                }
                (Some(Key::Merge), _) => return Err("`<<` must be a map".into()),
                (Some(Key::Text(key)), _) if map.contains_key(&key) => {
                    return Err(format!("key `{key}` appears twice"));
                }
                (Some(Key::Text(key)), value) => {
                    map.insert(key, value);
                }
            },
        }
        Ok(())
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(count).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// The text of a key: booleans and numbers become text.
pub(super) fn key_text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err("a key must not be null".into()),
        _ => Err("a key must be a scalar".into()),
    }
}

/// What a scalar means to `kubectl`.
pub(super) fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let string = || Ok(Value::String(text.to_owned()));
    if style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str")) {
        return string();
    }
    Ok(value(plain(text), text))
}

/// A plain scalar as JSON has it; numbers that it does not have stay texts.
pub(super) fn value(plain: Plain, text: &str) -> Value {
    match plain {
        Plain::Null => Value::Null,
        Plain::Bool(value) => value.into(),
        Plain::Int(value) => value.into(),
        Plain::UInt(value) => value.into(),
        Plain::Float(value) => value.into(),
        Plain::NotFinite | Plain::Text => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn one(text: &str) -> Value {
        read_documents(text).unwrap().remove(0)
    }

    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubectl() {
        for (text, value) in [
            ("yes", json!(true)),
            ("off", json!(false)),
            ("010", json!(8)),
            ("0x1F", json!(31)),
            ("0888", json!(888)),
            ("1_000", json!(1000)),
            ("1:30", json!("1:30")),
            ("1.5", json!(1.5)),
            ("1.0", json!(1)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("v1", json!("v1")),
            ("1.2.3", json!("1.2.3")),
        ] {
            assert_eq!(one(&format!("a: {text}"))["a"], value, "{text}");
        }
    }

    #[test]
    fn empty_documents_are_left_out() {
        assert_eq!(read_documents("---\n---\na: 1\n---\n# no\n").unwrap(), vec![json!({"a": 1})]);
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_its_place() {
        let error = read_documents("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!((error.line, error.message.as_str()), (3, "key `a` appears twice"));
    }

    #[test]
    fn a_quoted_merge_key_is_a_key_like_any_other() {
        assert_eq!(one("a: {\"<<\": {b: 1}, '<<x': 2}"), json!({"a": {"<<": {"b": 1}, "<<x": 2}}));
        assert_eq!(one("a: {b: 0, <<: {b: 1, c: 2}}"), json!({"a": {"b": 0, "c": 2}}));
        assert_eq!(read_documents("<<: 1").unwrap_err().message, "`<<` must be a map");
    }

    #[test]
    fn deep_nesting_and_alias_bombs_are_refused() {
        assert!(read_documents(&"[".repeat(100_000)).is_err());
        let mut bomb = String::from("a0: &a0 [x, x]\n");
        for level in 1..40 {
            bomb += &format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}]\n", level - 1);
        }
        assert!(read_documents(&bomb).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = read_documents(&text);
        }
    }
}
