//! The chart of a record: Helm's whole, of which r8 reads little; r8's own, which holds defaults and the route.

use serde_json::{Map, Value, json};

use super::RecordError;
use super::fields::{Fields, in_order};
use super::pack::{base64, from_base64};

/// The name of the chart in records that r8 makes.
pub(super) const OWN: &str = "r8";

/// The order in which Helm writes its fields.
const CHART: [&str; 8] = ["metadata", "lock", "templates", "values", "schema", "schemamodtime", "files", "modtime"];

/// The chart of a revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Name, version and more; none in broken records.
    metadata: Option<Map<String, Value>>,
    /// The defaults of the values.
    values: Option<Map<String, Value>>,
    /// Everything else, files among it.
    more: Map<String, Value>,
}

impl Chart {
    /// The chart of a record that r8 makes: `version` is r8's, `values` are the defaults.
    pub fn own(version: &str, values: Map<String, Value>) -> Chart {
        let metadata = json!({"name": OWN, "version": version, "apiVersion": "v2", "type": "application"});
        let more = json!({"lock": null, "templates": [], "schema": null, "schemamodtime": "0001-01-01T00:00:00Z", "files": []});
        let more = more.as_object().cloned().unwrap_or_default();
        Chart { metadata: metadata.as_object().cloned(), values: Some(values), more }
    }

    /// Reads the `chart` of a record.
    pub(super) fn from_json(json: Value) -> Result<Chart, RecordError> {
        let mut fields = Fields::new("chart", json)?;
        let metadata = fields.map("metadata")?;
        for key in ["name", "version", "appVersion"] {
            let value = metadata.as_ref().and_then(|metadata| metadata.get(key));
            if let Some(other) = value.filter(|value| !value.is_string() && !value.is_null()) {
                return Err(fields.not(&format!("metadata.{key}"), "a text", other));
            }
        }
        Ok(Chart { metadata, values: fields.map("values")?, more: fields.rest() })
    }

    /// The chart as a record has it, in Helm's order.
    pub(super) fn to_json(&self) -> Value {
        let mut json = self.more.clone();
        json.insert("metadata".into(), self.metadata.clone().into());
        json.insert("values".into(), self.values.clone().into());
        Value::Object(in_order(json, &CHART))
    }

    /// Whether it says anything of itself.
    pub fn has_metadata(&self) -> bool {
        self.metadata.is_some()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// Its version.
    pub fn version(&self) -> &str {
        self.text("version")
    }

    /// The version of what it installs.
    pub fn app_version(&self) -> &str {
        self.text("appVersion")
    }

    /// The defaults of the values.
    pub fn values(&self) -> Option<&Map<String, Value>> {
        self.values.as_ref()
    }

    fn text(&self, key: &str) -> &str {
        let metadata = self.metadata.as_ref();
        metadata.and_then(|metadata| metadata.get(key)?.as_str()).unwrap_or_default()
    }

    /// The content of one of its files.
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        let files = self.more.get("files")?.as_array()?;
        let file = files.iter().find(|file| file["name"] == name)?;
        from_base64(file["data"].as_str()?.as_bytes())
    }

    /// Adds a file, or replaces it.
    pub fn set_file(&mut self, name: &str, content: &[u8]) {
        let file = json!({"name": name, "data": base64(content)});
        let files = self.more.entry("files").or_insert(Value::Null);
        match files {
            Value::Array(files) => match files.iter_mut().find(|known| known["name"] == name) {
                Some(known) => *known = file,
                None => files.push(file),
            },
            none => *none = json!([file]),
        }
    }
}
