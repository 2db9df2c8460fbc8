//! The grammar of `--set-json`: an object that is merged, or `key=JSON` pairs that replace.

use serde_json::Value;

use super::error::{ValuesError, ValuesProblem};
use super::{Entry, Kind, Node, Origin, merge, scalar, set};

/// Applies one argument to the values so far.
pub(super) fn apply(root: &mut Node, text: &str, source: u32) -> Result<(), ValuesError> {
    let at = |column: usize| Origin { source, line: 1, column: column as u32 + 1, length: 1, used: None };
    if text.trim_start().starts_with('{') {
        let value = read(text).map_err(|(column, problem)| ValuesError { problem, origin: at(column) })?;
        merge::merge(root, node(&value.0, at(0)));
        return Ok(());
    }
    let mut rest = text;
    while !rest.trim().is_empty() {
        let offset = text.chars().count() - rest.chars().count();
        let Some(equals) = unescaped_equals(rest) else {
            let problem = ValuesProblem::Set(format!("key `{}` has no value", rest.trim()));
            return Err(ValuesError { problem, origin: at(offset) });
        };
        let (key, after) = rest.split_at(equals);
        let after = after.strip_prefix('=').unwrap_or(after);
        let begin = offset + key.chars().count() + 1;
        let (value, used) = if after.trim().is_empty() {
            (Value::Null, after.len())
        } else {
            read(after).map_err(|(column, problem)| ValuesError { problem, origin: at(begin + column) })?
        };
        set::apply_node(root, key, node(&value, at(begin)), source, offset)?;
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

/// Reads one JSON value; gives it and how many bytes it took.
fn read(text: &str) -> Result<(Value, usize), (usize, ValuesProblem)> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match stream.next() {
        Some(Ok(value)) => Ok((value, stream.byte_offset())),
        Some(Err(error)) => {
            let message = error.to_string();
            let message = message.split(" at line").next().unwrap_or_default().to_owned();
            Err((error.column().saturating_sub(1), ValuesProblem::Json(message)))
        }
        None => Err((0, ValuesProblem::Json("nothing to read".into()))),
    }
}

fn node(value: &Value, origin: Origin) -> Node {
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(value) => Kind::Bool(*value),
        Value::Number(number) => number
            .as_i64()
            .map(Kind::Int)
            .or_else(|| number.as_u64().map(Kind::UInt))
            .or_else(|| scalar::finite(number.as_f64()?))
            .unwrap_or(Kind::Null),
        Value::String(text) => Kind::String(text.clone()),
        Value::Array(list) => Kind::List(list.iter().map(|item| node(item, origin)).collect()),
        Value::Object(map) => {
            let entry = |(key, value)| -> (String, Entry) {
                let (key, value): (&String, &Value) = (key, value);
                (key.clone(), Entry { key: origin, value: node(value, origin) })
            };
            Kind::Map(map.iter().map(entry).collect())
        }
    };
    Node { kind, origin }
}
