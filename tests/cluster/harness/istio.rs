//! Istio's own judgement of recorded routes, from `tests/istio`.

use serde_json::{Value, json};

use super::recorder::Recording;
use crate::parts::{Part, wanted};

/// Asks Istio to validate every recorded route, as its webhook would; says so when the real parts are not asked.
///
/// # Panics
///
/// When Istio refuses one.
pub fn assert_istio_takes(recording: &Recording) {
    let routes = recording.routes();
    if routes.is_empty() || !wanted() {
        return;
    }
    let answer = Part::start("istio").ask(&json!({"op": "validate", "objects": routes})).expect("Istio answers");
    let results = answer["results"].as_array().expect("it answers for each object");
    assert_eq!(results.len(), routes.len());
    let mut refused = Vec::new();
    for (route, result) in routes.iter().zip(results) {
        assert_ne!(result["skipped"], Value::Bool(true), "Istio knows {}", route["kind"]);
        for error in result["errors"].as_array().into_iter().flatten() {
            refused.push(format!("at {}: {error}", route["metadata"]["resourceVersion"]));
        }
    }
    assert!(refused.is_empty(), "Istio refuses routes:\n{}", refused.join("\n"));
}
