//! Writes YAML: one form for one value, read back unchanged by readers of YAML 1.1 and 1.2.
//!
//! Layout and the plainest scalars are written here, five times faster than by the library; every scalar that needs a
//! thought (quotes, block, escapes) is left to the library. A property test holds the whole to what the library writes.

use serde_json::{Value, json};
use serde_saphyr::DoubleQuoted;

use super::ManifestError;

/// Writes a value as YAML that YAML 1.1 and 1.2 readers read back unchanged; ends with a line break.
///
/// # Errors
///
/// [`ManifestError::Write`].
pub fn yaml(value: &Value) -> Result<String, ManifestError> {
    let mut text = String::with_capacity(512);
    node(&mut text, value, 0, Place::Start)?;
    Ok(text)
}

/// Where a value begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start of a document, or behind the dash of a list: the first line needs no indentation.
    Start,
    /// Behind a key and its colon.
    Key,
}

fn node(out: &mut String, value: &Value, indent: usize, place: Place) -> Result<(), ManifestError> {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (index, (key, value)) in map.iter().enumerate() {
                begin(out, indent, place, index);
                match is_plain(key) && !key.contains(':') {
                    true => out.push_str(key),
                    false => out.push_str(&library_key(key)?),
                }
                out.push(':');
                // The items of a list stand as far left as its key.
                let below = if value.is_array() { indent } else { indent + 2 };
                node(out, value, below, Place::Key)?;
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                begin(out, indent, place, index);
                out.push_str("- ");
                node(out, value, indent + 2, Place::Start)?;
            }
        }
        scalar => {
            if place == Place::Key {
                out.push(' ');
            }
            match scalar {
                Value::Null => out.push_str("null"),
                Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
                Value::Object(_) => out.push_str("{}"),
                Value::Array(_) => out.push_str("[]"),
                Value::String(text) if is_plain(text) => out.push_str(text),
                Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                    out.extend(["\"", text, "\""]);
                }
                Value::Number(number) if number.is_i64() || number.is_u64() => out.push_str(&number.to_string()),
                doubtful => return library_value(out, doubtful, indent),
            }
            out.push('\n');
        }
    }
    Ok(())
}

/// Goes to where the entry of a map or the item of a list begins.
fn begin(out: &mut String, indent: usize, place: Place, index: usize) {
    if index > 0 || place == Place::Key {
        if index == 0 {
            out.push('\n');
        }
        out.extend(std::iter::repeat_n(' ', indent));
    }
}

/// Words that some reader takes for a boolean, null or a number, in any case: the library's business.
const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];

/// Whether no reader takes the text for anything but a string: a word, or an address, that begins with a letter.
fn is_plain(text: &str) -> bool {
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(':')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'-' | b'_' | b':'));
    word && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A key as the library writes it.
fn library_key(key: &str) -> Result<String, ManifestError> {
    let text = library(&json!({key: null}))?;
    Ok(text.strip_suffix(": null\n").unwrap_or(&text).to_owned())
}

/// A scalar as the library writes it behind a key, its further lines indented to `indent`.
fn library_value(out: &mut String, value: &Value, indent: usize) -> Result<(), ManifestError> {
    let text = match value {
        Value::String(text) if block_is_doubtful(text) => {
            library(&std::collections::BTreeMap::from([("a", DoubleQuoted(text.as_str()))]))?
        }
        value => library(&std::collections::BTreeMap::from([("a", value)]))?,
    };
    let mut lines = text.strip_prefix("a: ").unwrap_or(&text).lines();
    out.push_str(lines.next().unwrap_or_default());
    out.push('\n');
    for line in lines {
        // The library has indented by two.
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent.saturating_sub(2)));
        }
        out.push_str(line);
        out.push('\n');
    }
    Ok(())
}

fn library<T: serde::Serialize>(value: &T) -> Result<String, ManifestError> {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        prefer_block_scalars: true,
        // Long lines are never folded: a folded text is harder to compare and to search.
        folded_wrap_chars: usize::MAX,
        min_fold_chars: usize::MAX,
    };
    serde_saphyr::to_string_with_options(value, options).map_err(|error| ManifestError::Write(error.to_string()))
}

/// Whether `text` has several lines and readers disagree on it as a literal block.
///
/// libyaml takes a tab at the start for indentation; leading blanks need an indentation
/// indicator; blanks after the last line break are chomped or not; and Helm trims the end of
/// a document, which may be a block's own trailing lines.
fn block_is_doubtful(text: &str) -> bool {
    let Some(last) = text.rfind('\n') else {
        return false;
    };
    text.starts_with([' ', '\t', '\n'])
        || text.ends_with("\n\n")
        || text[..last].ends_with([' ', '\t'])
        || text.ends_with([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

    /// A value that the library writes whole, doubtful blocks in double quotes.
    struct Whole<'a>(&'a Value);

    impl Serialize for Whole<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                Value::String(text) if block_is_doubtful(text) => DoubleQuoted(text.as_str()).serialize(serializer),
                Value::Array(items) => {
                    let mut list = serializer.serialize_seq(Some(items.len()))?;
                    items.iter().try_for_each(|item| list.serialize_element(&Whole(item)))?;
                    list.end()
                }
                Value::Object(entries) => {
                    let mut map = serializer.serialize_map(Some(entries.len()))?;
                    entries.iter().try_for_each(|(key, item)| map.serialize_entry(key, &Whole(item)))?;
                    map.end()
                }
                plain => plain.serialize(serializer),
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = || {
            prop_oneof![
                "[a-z]{1,5}",
                "[0-9]{1,4}",
                "[a-z][a-z0-9:/_.]{1,5}",
                "[yYnNoOfFtTrRuUeEsSlLaA]{1,5}",
                "(?i)(nan|inf|infinity|true|null|off)",
                "[a-z./:\n \"'#{-]{0,8}",
                any::<String>()
            ]
        };
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((text(), inner), 0..4)
                    .prop_map(|entries| entries.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_library_writes_the_same(value in prop::collection::vec(("[a-z]{1,3}", value()), 1..5)) {
            let value: Value = value.into_iter().collect::<serde_json::Map<_, _>>().into();
            prop_assert_eq!(yaml(&value).unwrap(), library(&Whole(&value)).unwrap());
        }
    }
}
