//! The template engine's settings: what an expression prints, and the functions templates may call.

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::templates::Catalog;

/// What one rendering may cost, in the engine's measure: an instruction, or 64 bytes; and more for each version.
const FUEL: (u64, u64) = (1_000_000, 1_000);

/// An engine that finds its templates in `catalog`, for a release of so many versions.
pub(super) fn engine(catalog: &Catalog, versions: usize) -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_fuel(Some(FUEL.0 + FUEL.1 * versions as u64));
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    engine.set_syntax(syntax.expect("the default delimiters differ from each other"));
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_debug(true);
    engine.set_formatter(|out, _state, value| {
        if value.is_safe() {
            return out.write_str(value.as_str().unwrap_or_default()).map_err(Error::from);
        }
        if let Some(text) = value.as_str().filter(|text| text.bytes().all(is_harmless)) {
            out.write_str("\"")?;
            out.write_str(text)?;
            return out.write_str("\"").map_err(Error::from);
        }
        let text = whole_value(value).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
        out.write_str(&text).map_err(Error::from)
    });
    let files = catalog.clone();
    engine.set_loader(move |path| Ok(files.text(path).map(|text| text.into_owned())));
    engine.add_function("weight", weight);
    engine.add_function("when", when);
    engine.add_function("require", require);
    engine
}

/// A value as one whole YAML value that no text can break out of, in the routemap's Go template neither.
fn whole_value(value: &Value) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Escaping(CompactFormatter)))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a byte of a string stands in JSON as it is; [`Escaping`] decides on all others.
fn is_harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'.' | b'/' | b':' | b'_')
}

/// JSON whose strings hold nothing that Go's template engine, its HTML mode or a YAML 1.1 reader acts on.
struct Escaping(CompactFormatter);

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        // U+0085, U+2028 and U+2029 break lines in YAML 1.1; U+FEFF is dropped by some readers.
        let acted_on = |c: char| {
            matches!(
                c,
                '{' | '<' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            )
        };
        while let Some(position) = rest.find(acted_on) {
            let (before, from) = rest.split_at(position);
            writer.write_all(before.as_bytes())?;
            let mut characters = from.chars();
            if let Some(character) = characters.next() {
                write!(writer, "\\u{:04x}", u32::from(character))?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        self.0.write_f64(writer, value)
    }
}

/// The index that a version carries in templates.
fn index(version: &Value) -> Result<u64, Error> {
    let index = version.get_attr("index")?;
    u64::try_from(index).map_err(|_| Error::new(ErrorKind::InvalidOperation, "expected a version"))
}

/// `weight(version)`: the version's weight, still open.
fn weight(version: Value) -> Result<Value, Error> {
    Ok(Value::from_safe_string(format!("{{{{ index .Weights {} }}}}", index(&version)?)))
}

/// `{% call when(versions) %}`: the body only while one of the versions has a weight above 0.
///
/// Nothing when the list is empty, and the bare body when the application has one version: it always has the weight.
fn when(state: &mut State, versions: Value, kwargs: Kwargs) -> Result<Value, Error> {
    let caller: Value = kwargs.get("caller")?;
    kwargs.assert_all_used()?;
    let body = |state: &mut State| -> Result<String, Error> { Ok(caller.call(state, &[])?.to_string()) };
    let mut tests = Vec::new();
    for version in versions.try_iter()? {
        tests.push(format!("gt (index .Weights {}) 0", index(&version)?));
    }
    let alone = state.lookup("versions").and_then(|versions| versions.len()) == Some(1);
    let text = match tests.as_slice() {
        [] => String::new(),
        _ if alone => body(state)?,
        [test] => format!("{{{{- if {test} }}}}\n{}{{{{- end }}}}\n", body(state)?),
        _ => format!("{{{{- if or ({}) }}}}\n{}{{{{- end }}}}\n", tests.join(") ("), body(state)?),
    };
    Ok(Value::from_safe_string(text))
}

/// `require(version, "key", "why")`: the value below a key of a map, or an error that names the key.
fn require(map: Value, key: String, why: Option<String>) -> Result<Value, Error> {
    let value = map.get_attr(&key)?;
    if !value.is_undefined() && !value.is_none() {
        return Ok(value);
    }
    let place = map.get_attr("path").ok().and_then(|path| Some(format!("{}.{key}", path.as_str()?)));
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    Err(Error::new(ErrorKind::InvalidOperation, format!("`{}` is required{why}", place.unwrap_or(key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_leave_its_place() {
        let text = whole_value(&Value::from("{{ 1 }} <b \u{2028}\u{85}\u{feff} \"x\"")).unwrap();
        assert_eq!(text, r#""\u007b\u007b 1 }} \u003cb \u2028\u0085\ufeff \"x\"""#);
    }

    #[test]
    fn integers_are_printed_exactly() {
        assert_eq!(whole_value(&Value::from(u64::MAX)).unwrap(), u64::MAX.to_string());
        assert_eq!(whole_value(&Value::from(i64::MIN)).unwrap(), i64::MIN.to_string());
    }
}
