//! GitLab's code quality report: a list, from which GitLab tells what is new in a merge request by the fingerprints.

use serde_json::{Value, json};

use super::{Findings, Severity};

pub(super) fn write(findings: &Findings) -> String {
    let issues: Value = findings
        .located()
        .into_iter()
        .map(|(finding, path, line, fingerprint)| {
            let severity = match finding.severity {
                Severity::Error => "major",
                Severity::Warning => "minor",
                Severity::Note => "info",
            };
            let place = finding.place.as_ref().filter(|place| place.is_file);
            let column = place.and_then(|place| place.column);
            let mut location = json!({"path": path, "lines": {"begin": line}});
            if let Some(column) = column {
                location["positions"] = json!({"begin": {"line": line, "column": column}});
            }
            json!({
                "type": "issue", "check_name": finding.rule, "description": finding.words("; "), "severity": severity,
                "categories": ["Bug Risk"], "fingerprint": fingerprint, "location": location,
            })
        })
        .collect();
    format!("{issues:#}\n")
}
