//! Writes YAML: one form for one value, read back unchanged by readers of YAML 1.1 and 1.2.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use serde_saphyr::DoubleQuoted;

use super::ManifestError;

/// Writes a value as YAML that YAML 1.1 and 1.2 readers read back unchanged; ends with a line break.
///
/// # Errors
///
/// [`ManifestError::Write`].
pub fn yaml(value: &Value) -> Result<String, ManifestError> {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: true,
        prefer_block_scalars: true,
        // Long lines are never folded: a folded text is harder to compare and to search.
        folded_wrap_chars: usize::MAX,
        min_fold_chars: usize::MAX,
    };
    let mut text = serde_saphyr::to_string_with_options(&Exact(value), options)
        .map_err(|error| ManifestError::Write(error.to_string()))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// A value whose strings are double-quoted wherever readers disagree on the writer's own choice.
struct Exact<'a>(&'a Value);

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if block_is_doubtful(text) => DoubleQuoted(text.as_str()).serialize(serializer),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Exact(item))?;
                }
                list.end()
            }
            Value::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, item) in entries {
                    map.serialize_entry(key, &Exact(item))?;
                }
                map.end()
            }
            plain => plain.serialize(serializer),
        }
    }
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
