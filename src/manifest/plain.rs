//! The fast way through the plain part of YAML: block maps and lists of short lines, with values in JSON.
//!
//! This is what templates write, and it is read ten times faster than YAML at large. Everything else (anchors, tags,
//! block scalars, single quotes, flow collections that are no JSON, comments behind values) is left to the full reader,
//! which also says what is wrong with a text that nobody can read.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::read::{self, key_text, scalar};
use crate::scalar::finite;
use granit_parser::ScalarStyle;

/// The deepest nesting of blocks, and of one JSON value: together below the full reader's limit.
const MAX_DEPTH: usize = 60;
/// The longest key in bytes: below YAML's limit for a key on one line.
const MAX_KEY: usize = 256;

/// Reads every document of a plain text; none when any part of it is not plain.
pub(super) fn read(text: &str) -> Option<Vec<Value>> {
    // Readers of YAML disagree on these; and a pair of surrogates is no escape of YAML's.
    let odd = |c: char| {
        c < ' ' && c != '\n'
            || matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    if text.contains(odd) || text.contains("\\ud") || text.contains("\\uD") {
        return None;
    }
    let mut lines = Lines { rest: text, line: None };
    lines.advance();
    let mut documents = Vec::new();
    while let Some((indent, content)) = lines.line {
        if indent == 0 && content == "---" {
            lines.advance();
            continue;
        }
        documents.push(lines.block(0)?);
        match lines.line {
            None | Some((0, "---")) => {}
            Some(_) => return None,
        }
    }
    Some(documents)
}

/// The lines that say something, one after the other.
struct Lines<'a> {
    rest: &'a str,
    /// Indentation and content of the line in hand.
    line: Option<(usize, &'a str)>,
}

impl<'a> Lines<'a> {
    fn advance(&mut self) {
        self.line = None;
        while !self.rest.is_empty() {
            let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            self.rest = rest;
            let content = line.trim_start_matches(' ');
            if !content.is_empty() && !content.starts_with('#') {
                self.line = Some((line.len() - content.len(), content.trim_end_matches(' ')));
                return;
            }
        }
    }

    /// The map or list that begins in the line in hand.
    fn block(&mut self, depth: usize) -> Option<Value> {
        let (indent, content) = self.line?;
        if depth > MAX_DEPTH {
            None
        } else if item(content).is_some() {
            self.list(indent, depth)
        } else {
            self.map(indent, depth)
        }
    }

    fn list(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let mut list = Vec::new();
        while let Some((at, content)) = self.line {
            if at < indent || at == indent && item(content).is_none() {
                break;
            }
            let inner = item(content).filter(|_| at == indent)?;
            if inner.is_empty() {
                self.advance();
                list.push(self.below(indent, depth)?);
            } else if item(inner).is_some() || entry(inner).is_some() {
                self.line = Some((indent + content.len() - inner.len(), inner));
                list.push(self.block(depth + 1)?);
            } else {
                list.push(value(inner)?);
                self.advance();
            }
        }
        Some(Value::Array(list))
    }

    fn map(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let mut map = Map::new();
        while let Some((at, content)) = self.line {
            if at < indent || at == 0 && content == "---" {
                break;
            }
            let (key, inner) = entry(content).filter(|_| at == indent)?;
            self.advance();
            let value = match self.line {
                _ if !inner.is_empty() => value(inner)?,
                // The items of a list may stand as far left as its key.
                Some((at, content)) if at == indent && item(content).is_some() => {
                    if depth >= MAX_DEPTH {
                        return None;
                    }
                    self.list(indent, depth + 1)?
                }
                _ => self.below(indent, depth)?,
            };
            if key == "<<" || map.insert(key, value).is_some() {
                return None;
            }
        }
        Some(Value::Object(map))
    }

    /// The block that is indented further than `indent`; nothing where there is none.
    fn below(&mut self, indent: usize, depth: usize) -> Option<Value> {
        match self.line {
            Some((at, _)) if at > indent => self.block(depth + 1),
            _ => Some(Value::Null),
        }
    }
}

/// What stands behind the dash of a list's item.
fn item(content: &str) -> Option<&str> {
    if content == "-" { Some("") } else { content.strip_prefix("- ").map(|inner| inner.trim_start_matches(' ')) }
}

/// Key and value of a map's entry; the value is empty where it stands in the lines below.
fn entry(content: &str) -> Option<(String, &str)> {
    let (key, rest) = if content.starts_with('"') {
        let mut stream = serde_json::Deserializer::from_str(content).into_iter::<String>();
        let key = stream.next()?.ok()?;
        (key, content.get(stream.byte_offset()..)?)
    } else {
        let end = content.find(|c: char| !is_plain(c))?;
        let (key, rest) = content.split_at(end);
        (key_text(plain(key)?).ok()?, rest)
    };
    let inner = rest.strip_prefix(':')?;
    let spaced = inner.is_empty() || inner.starts_with(' ');
    (spaced && content.len() - rest.len() <= MAX_KEY).then(|| (key, inner.trim_start_matches(' ')))
}

fn value(text: &str) -> Option<Value> {
    if !text.starts_with(['"', '{', '[']) {
        return if text.contains(|c| !is_plain(c)) { None } else { plain(text) };
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Json { depth: 0 }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(value)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-')
}

fn plain(text: &str) -> Option<Value> {
    let first = text.chars().next()?;
    if first.is_ascii_alphanumeric() { scalar(text, ScalarStyle::Plain, None).ok() } else { None }
}

/// A JSON value that is a YAML value too: each key once, none that YAML would merge.
struct Json {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Json {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        finite(value).map(|plain| read::value(plain, "")).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self.inner()?)?;
            if key == "<<" || key.len() > MAX_KEY || map.insert(key, value).is_some() {
                return Err(A::Error::custom("not plain"));
            }
        }
        Ok(Value::Object(map))
    }
}

impl Json {
    fn inner<E: Error>(&self) -> Result<Json, E> {
        if self.depth < MAX_DEPTH { Ok(Json { depth: self.depth + 1 }) } else { Err(E::custom("too deep")) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::read_fully;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_templates_write_is_read() {
        let text = "# a\napiVersion: v1\nmetadata: {\"a\":[1,{\"b\":\"{ x\"}]}\nspec:\n  http:\n  - route:\n    - to:\n        host: \"a\"\n      weight: 30\n  - - 1\n  -\n    a: yes\n\"x y\":\n---\nkind: B\n";
        let documents = read(text).unwrap();
        assert_eq!(documents, read_fully(text).unwrap());
        assert_eq!(documents[0]["spec"]["http"][0]["route"][0]["weight"], json!(30));
        assert_eq!(documents[1], json!({"kind": "B"}));
    }

    #[test]
    fn everything_else_is_left_to_the_full_reader() {
        for text in [
            "a: 'b'",
            "a: |\n  b",
            "a: &x 1",
            "a: b c",
            "a: 1 # b",
            "a: {b: 1}",
            "a: {\"b\":1,\"b\":2}",
            "a: 1\na: 2",
            "a: 1\n b: 2",
            "a: b\n  c",
            "<<: {}",
            "a\t: 1",
            "a: \"\\ud83d\\ude00\"",
            "a: 1\n...\n",
            "--- a\n",
            "[1]",
            "a: [1,]",
            "? a",
            "- a\nb: 1",
            "a:b",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn both_readers_agree(text in "([ab]|yes|1|0\\.5|-|- |: |:|  | |\n|\n  |\n- |\"c\"|\\{|\\}|\\[|\\]|,|#|\"\\\\u000a\"|---|null)*") {
            if let Some(documents) = read(&text) {
                let all: Vec<Value> = documents.into_iter().filter(|document| !document.is_null()).collect();
                prop_assert_eq!(Ok(all), read_fully(&text));
            }
        }

        #[test]
        fn json_in_block_maps_is_read_by_both(value in json_value(), key in "[a-z\"{ ]{1,4}") {
            let text = format!("a:\n- {}: {value}\n  b: {value}\nc: {value}\n", json!(key));
            if let Some(documents) = read(&text) {
                prop_assert_eq!(Ok(documents), read_fully(&text));
            }
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z<\"\\\\]{0,3}", inner), 0..4)
                    .prop_map(|entries| entries.into_iter().collect::<Map<_, _>>().into()),
            ]
        })
    }
}
