//! The grammar of `--set-json`: an object that is merged, or `key=JSON` pairs that replace.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{SetProblem, ValuesError, ValuesProblem};
use super::yaml::Spent;
use super::{Entry, Kind, Map, Node, Origin, merge, set};
use crate::scalar::finite;

/// Applies one argument to the values so far.
pub(super) fn apply(root: &mut Node, text: &str, source: u32, spent: &mut Spent) -> Result<(), ValuesError> {
    let at = |column: usize| Origin { source, line: 1, column: column as u32 + 1, length: 1, used: None };
    if text.trim().is_empty() {
        return Err(ValuesError { problem: ValuesProblem::Set(SetProblem::Empty), origin: at(0) });
    }
    if text.trim_start().starts_with('{') {
        let read = read(text, at(0));
        let (value, used) = read.map_err(|(column, problem)| ValuesError { problem, origin: at(column) })?;
        let (object, rest) = text.split_at(used);
        if !rest.trim().is_empty() {
            let problem = ValuesProblem::Json("text behind the object".into());
            let blanks = rest.chars().take_while(|c| c.is_whitespace()).count();
            return Err(ValuesError { problem, origin: at(object.chars().count() + blanks) });
        }
        merge::merge(root, value);
        return Ok(());
    }
    let mut rest = text;
    while !rest.trim().is_empty() {
        let offset = text.chars().count() - rest.chars().count();
        let Some(equals) = unescaped_equals(rest) else {
            let problem = ValuesProblem::Set(SetProblem::NoValue(rest.trim().to_owned()));
            return Err(ValuesError { problem, origin: at(offset) });
        };
        let (key, after) = rest.split_at(equals);
        let after = after.strip_prefix('=').unwrap_or(after);
        let begin = offset + key.chars().count() + 1;
        let (value, used) = if after.trim().is_empty() {
            (Node { kind: Kind::Null, origin: at(begin) }, after.len())
        } else {
            read(after, at(begin)).map_err(|(column, problem)| ValuesError { problem, origin: at(begin + column) })?
        };
        set::apply_node(root, key, value, source, offset, spent)?;
        rest = after.get(used..).unwrap_or_default();
        let next = rest.trim_start();
        rest = next.strip_prefix(',').unwrap_or(next);
    }
    Ok(())
}

fn unescaped_equals(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' => return Some(index),
            _ => {}
        }
    }
    None
}

/// Reads one JSON value; gives it and how many bytes it took, or the characters before a mistake.
fn read(text: &str, origin: Origin) -> Result<(Node, usize), (usize, ValuesProblem)> {
    let twice = RefCell::new(None);
    let fault = |error: serde_json::Error| {
        let at = bytes_before(text, &error);
        let problem = match twice.take() {
            Some(key) => return (characters(text, key_start(text, at + 1)), ValuesProblem::TwiceInJson(key)),
            None => error.to_string().split(" at line").next().unwrap_or_default().to_owned(),
        };
        (characters(text, at), ValuesProblem::Json(problem))
    };
    let value = Json { origin, twice: &twice }.deserialize(&mut serde_json::Deserializer::from_str(text));
    let value = value.map_err(fault)?;
    // Only a stream says where its value ends, and only of types that need no origin.
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match stream.next() {
        Some(Ok(_)) => Ok((value, stream.byte_offset())),
        Some(Err(error)) => Err(fault(error)),
        None => Err((0, ValuesProblem::Json("nothing to read".into()))),
    }
}

/// The bytes before a mistake; serde_json counts lines, and bytes in the line.
fn bytes_before(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1)
}

/// The characters that begin before a byte.
fn characters(text: &str, bytes: usize) -> usize {
    text.char_indices().take_while(|(index, _)| *index < bytes).count()
}

/// The byte where the key begins behind which, blanks left out, the reader stood at `end`.
fn key_start(text: &str, end: usize) -> usize {
    let key = text.get(..end).unwrap_or_default().trim_end();
    let key = key.strip_suffix('"').unwrap_or(key);
    let is_quote = |at: &usize| {
        let before = key.get(..*at).unwrap_or_default();
        (before.len() - before.trim_end_matches('\\').len()).is_multiple_of(2)
    };
    key.rmatch_indices('"').map(|(at, _)| at).find(is_quote).unwrap_or_default()
}

/// Reads a value into a [`Node`], each key of a map once.
#[derive(Clone, Copy)]
struct Json<'a> {
    /// Of every node.
    origin: Origin,
    /// Where the key is put that appears twice.
    twice: &'a RefCell<Option<String>>,
}

impl Json<'_> {
    fn node<E>(self, kind: Kind) -> Result<Node, E> {
        Ok(Node { kind, origin: self.origin })
    }
}

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.node(Kind::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.node(Kind::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.node(Kind::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.node(i64::try_from(value).map_or(Kind::UInt(value), Kind::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.node(finite(value).and_then(|plain| Kind::of_plain(plain, "")).unwrap_or(Kind::Null))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.node(Kind::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        self.node(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                self.twice.replace(Some(key));
                return Err(A::Error::custom("a key appears twice"));
            }
            let value = entries.next_value_seed(self)?;
            map.insert(key, Entry { key: self.origin, value });
        }
        self.node(Kind::Map(map))
    }
}
