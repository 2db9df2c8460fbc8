//! Fields of JSON objects, taken out one by one as Go reads them: null counts as absent.

use serde_json::{Map, Value};

use super::{RecordError, Time};

/// A JSON object, and where it stands in the record.
pub(super) struct Fields {
    at: &'static str,
    map: Map<String, Value>,
}

impl Fields {
    /// The fields of the object that stands at `at`; empty for the record itself.
    pub fn new(at: &'static str, json: Value) -> Result<Fields, RecordError> {
        match json {
            Value::Object(map) => Ok(Fields { at, map }),
            other => {
                let field = if at.is_empty() { "the record" } else { at };
                Err(RecordError::Field { field: field.into(), wanted: "an object", found: kind(&other) })
            }
        }
    }

    /// A field, if it is there.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        // The rest keeps its order: what is taken leaves a gap and moves nothing.
        self.map.shift_remove(key).filter(|value| !value.is_null())
    }

    /// A field that must be there.
    pub fn some(&mut self, key: &str) -> Result<Value, RecordError> {
        self.take(key).ok_or_else(|| self.absent(key))
    }

    /// A text; empty when absent.
    pub fn text(&mut self, key: &str) -> Result<String, RecordError> {
        match self.take(key) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.not(key, "a text", &other)),
        }
    }

    /// A whole number, 0 or more.
    pub fn number(&mut self, key: &str) -> Result<Option<u64>, RecordError> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| self.not(key, "a whole number", &value)),
        }
    }

    /// A time; Helm 3 writes an empty text where there is none, and Go has a time that stands for none.
    pub fn time(&mut self, key: &str) -> Result<Option<Time>, RecordError> {
        let text = self.text(key)?;
        if text.is_empty() {
            return Ok(None);
        }
        match Time::parse(&text) {
            Some(time) => Ok(Some(time).filter(|time| !time.is_zero())),
            None => Err(self.not(key, "a time as in `2026-01-31T10:00:00Z`", &text.into())),
        }
    }

    /// An object.
    pub fn map(&mut self, key: &str) -> Result<Option<Map<String, Value>>, RecordError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(other) => Err(self.not(key, "an object", &other)),
        }
    }

    /// A list.
    pub fn list(&mut self, key: &str) -> Result<Option<Vec<Value>>, RecordError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(self.not(key, "a list", &other)),
        }
    }

    /// What has not been taken.
    pub fn rest(self) -> Map<String, Value> {
        self.map
    }

    /// The error of a field that is something else than `wanted`.
    pub fn not(&self, key: &str, wanted: &'static str, found: &Value) -> RecordError {
        RecordError::Field { field: self.path(key), wanted, found: kind(found) }
    }

    /// The error of a field that is not there.
    pub fn absent(&self, key: &str) -> RecordError {
        RecordError::Absent(self.path(key))
    }

    fn path(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }
}

/// What a value is, in words; a short text as it is.
fn kind(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".into(),
        Value::Array(_) => "a list".into(),
        Value::String(text) if text.chars().count() > 40 => "a long text".into(),
        scalar => scalar.to_string(),
    }
}

/// Sets a field, where there is a value.
pub(super) fn put(json: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        json.insert(key.to_owned(), value.into());
    }
}

/// Sets a text that is not empty.
pub(super) fn put_text(json: &mut Map<String, Value>, key: &str, text: &str) {
    put(json, key, Some(text).filter(|text| !text.is_empty()));
}

/// Puts fields in Helm's order; those that Helm does not know come last, as they are.
pub(super) fn in_order(mut json: Map<String, Value>, order: &[&str]) -> Map<String, Value> {
    let mut ordered = Map::new();
    for key in order {
        if let Some(value) = json.shift_remove(*key) {
            ordered.insert((*key).to_owned(), value);
        }
    }
    ordered.extend(json);
    ordered
}
