//! The untyped tree of values.

use indexmap::IndexMap;

use super::Origin;
use crate::scalar::Plain;

/// One value with the place it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value itself.
    pub kind: Kind,
    /// Where it was written.
    pub origin: Origin,
}

/// What a [`Node`] holds; integers are exact from `i64::MIN` to `u64::MAX`.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`, `~`, or nothing.
    Null,
    /// A boolean, also when written `yes`, `on` or `y` (YAML 1.1, as Helm reads it).
    Bool(bool),
    /// A whole number that fits `i64`.
    Int(i64),
    /// A whole number above `i64::MAX`.
    UInt(u64),
    /// Any other number; always finite.
    Float(f64),
    /// A string.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order written.
    Map(Map),
}

/// A map of a [`Node`]: keys are unique strings.
pub type Map = IndexMap<String, Entry>;

/// One entry of a [`Map`].
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key was written.
    pub key: Origin,
    /// The value.
    pub value: Node,
}

impl Kind {
    /// What the text of a plain scalar is; none for a number that JSON does not have.
    pub(super) fn of_plain(plain: Plain, text: &str) -> Option<Kind> {
        Some(match plain {
            Plain::Null => Kind::Null,
            Plain::Bool(value) => Kind::Bool(value),
            Plain::Int(value) => Kind::Int(value),
            Plain::UInt(value) => Kind::UInt(value),
            Plain::Float(value) => Kind::Float(value),
            Plain::NotFinite => return None,
            Plain::Text => Kind::String(text.to_owned()),
        })
    }
}

impl Node {
    /// The value below `key` of a map; none for other kinds, an absent key, or `null`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let entry = self.as_map()?.get(key)?;
        (entry.value.kind != Kind::Null).then_some(&entry.value)
    }

    /// The entries of a map.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value as plain JSON, without origins and without the `null` entries of maps.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => (*value).into(),
            Kind::Int(value) => (*value).into(),
            Kind::UInt(value) => (*value).into(),
            Kind::Float(value) => (*value).into(),
            Kind::String(text) => text.as_str().into(),
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(map) => map
                .iter()
                .filter(|(_, entry)| entry.value.kind != Kind::Null)
                .map(|(key, entry)| (key.clone(), entry.value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// As JSON with every null, as a release record keeps what was given.
    pub fn to_json_as_given(&self) -> serde_json::Value {
        match &self.kind {
            Kind::List(items) => items.iter().map(Node::to_json_as_given).collect(),
            Kind::Map(map) => map
                .iter()
                .map(|(key, entry)| (key.clone(), entry.value.to_json_as_given()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            _ => self.to_json(),
        }
    }
}
