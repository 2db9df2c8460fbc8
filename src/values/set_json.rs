//! The grammar of `--set-json`: an object that is merged, or `key=JSON` pairs that replace.

use serde_json::Value;

use super::error::{SetProblem, ValuesError, ValuesProblem};
use super::{Entry, Kind, Node, Origin, merge, scalar, set};

/// Applies one argument to the values so far.
pub(super) fn apply(root: &mut Node, text: &str, source: u32) -> Result<(), ValuesError> {
    let at = |column: usize| Origin { source, line: 1, column: column as u32 + 1, length: 1, used: None };
    if text.trim().is_empty() {
        return Err(ValuesError { problem: ValuesProblem::Set(SetProblem::Empty), origin: at(0) });
    }
    if text.trim_start().starts_with('{') {
        let (value, used) = read(text).map_err(|(column, problem)| ValuesError { problem, origin: at(column) })?;
        let (object, rest) = text.split_at(used);
        if !rest.trim().is_empty() {
            let problem = ValuesProblem::Json("text behind the object".into());
            let blanks = rest.chars().take_while(|c| c.is_whitespace()).count();
            return Err(ValuesError { problem, origin: at(object.chars().count() + blanks) });
        }
        merge::merge(root, node(&value, at(0)));
        return Ok(());
    }
    let mut rest = text;
    let mut filled = 0;
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
            (Value::Null, after.len())
        } else {
            read(after).map_err(|(column, problem)| ValuesError { problem, origin: at(begin + column) })?
        };
        set::apply_node(root, key, node(&value, at(begin)), source, offset, &mut filled)?;
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
fn read(text: &str) -> Result<(Value, usize), (usize, ValuesProblem)> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match stream.next() {
        Some(Ok(value)) => Ok((value, stream.byte_offset())),
        Some(Err(error)) => {
            let message = error.to_string();
            let message = message.split(" at line").next().unwrap_or_default().to_owned();
            Err((characters_before(text, &error), ValuesProblem::Json(message)))
        }
        None => Err((0, ValuesProblem::Json("nothing to read".into()))),
    }
}

/// The characters before a mistake; serde_json counts lines, and bytes in the line.
fn characters_before(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let bytes = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
    text.char_indices().take_while(|(index, _)| *index < bytes).count()
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
