//! The route in a record: with its weights open, beside the manifest that has them closed.

use serde_json::json;

use super::{Chart, RecordError};
use crate::manifest::{read_documents, yaml};

/// The file of the chart that holds the route.
const FILE: &str = "r8/route.yaml";

/// A route as a record keeps it, in the chart's file `r8/route.yaml`: Helm keeps the file, and copies it on a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRoute {
    /// The open text: the Go template of a routemap.
    pub open: String,
    /// The wanted weights, one per version.
    pub weights: Vec<u32>,
    /// Path of its template below `templates/`.
    pub template: String,
}

impl StoredRoute {
    /// Reads the route of a chart; none when it has none, as in every chart but r8's.
    ///
    /// # Errors
    ///
    /// [`RecordError::Yaml`], [`RecordError::Field`].
    pub fn read(chart: &Chart) -> Result<Option<StoredRoute>, RecordError> {
        let Some(bytes) = chart.file(FILE) else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        let not = |field: &str, wanted| RecordError::Field {
            field: format!("{FILE}: {field}"),
            wanted,
            found: "something else".into(),
        };
        let documents = read_documents(&text).map_err(|error| RecordError::Yaml {
            line: error.line,
            column: error.column,
            message: format!("{} in `{FILE}`", error.message),
        })?;
        let document = documents.first().ok_or_else(|| not("route", "a text"))?;
        let text = |key: &str| document[key].as_str().map(str::to_owned).ok_or_else(|| not(key, "a text"));
        let weights = document["weights"].as_array().and_then(|weights| {
            let weights = weights.iter().map(|weight| u32::try_from(weight.as_u64()?).ok());
            weights.collect::<Option<Vec<u32>>>()
        });
        Ok(Some(StoredRoute {
            open: text("route")?,
            weights: weights.ok_or_else(|| not("weights", "a list of whole numbers"))?,
            template: text("template")?,
        }))
    }

    /// Writes the route into a chart.
    ///
    /// # Errors
    ///
    /// [`RecordError::Object`] for a text that cannot be written as YAML.
    pub fn write(&self, chart: &mut Chart) -> Result<(), RecordError> {
        let document = json!({"template": self.template, "weights": self.weights, "route": self.open});
        let text = yaml(&document).map_err(|problem| RecordError::Object { line: 1, problem })?;
        chart.set_file(FILE, text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Map;

    proptest! {
        #[test]
        fn a_route_is_read_back(open in any::<String>(), weights in prop::collection::vec(any::<u32>(), 0..4), template in "[a-z/.]*") {
            let route = StoredRoute { open, weights, template };
            let mut chart = Chart::own("1.0.0", Map::new());
            route.write(&mut chart).unwrap();
            prop_assert_eq!(StoredRoute::read(&chart).unwrap(), Some(route));
        }
    }

    #[test]
    fn a_chart_of_helms_has_no_route() {
        assert_eq!(StoredRoute::read(&Chart::own("1.0.0", Map::new())).unwrap(), None);
    }

    #[test]
    fn a_route_without_weights_is_refused() {
        let mut chart = Chart::own("1.0.0", Map::new());
        chart.set_file(FILE, b"template: a\nroute: b\nweights: [-1]\n");
        let error = StoredRoute::read(&chart).unwrap_err().to_string();
        assert_eq!(error, "`r8/route.yaml: weights` must be a list of whole numbers, found something else");
    }
}
