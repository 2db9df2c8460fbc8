//! r8's own form; `apiVersion` changes when its meaning does.

use serde_json::{Map, Value, json};

use super::{Check, Finding, Findings};

pub(super) fn write(findings: &Findings) -> String {
    let document = match findings.command {
        // A difference has a document of its own; this is the one of a command that has compared nothing. It lacks what would
        // be empty where nothing changes.
        "diff" => json!({
            "apiVersion": "r8/v1", "kind": "Diff", "verdict": findings.verdict,
            "findings": findings.all().map(|(finding, _)| of_finding(finding)).collect::<Vec<_>>(),
        }),
        _ => json!({
            "apiVersion": "r8/v1", "kind": "Validation",
            "valid": findings.passed(), "verdict": findings.verdict,
            "releases": findings.checks.iter().map(release).collect::<Vec<_>>(),
            "findings": list(&findings.rest),
        }),
    };
    format!("{document:#}\n")
}

fn release(check: &Check) -> Value {
    let mut fields = Map::new();
    fields.insert("source".into(), check.name.as_str().into());
    fields.insert("valid".into(), check.passed().into());
    fields.extend(check.facts.clone());
    fields.insert("findings".into(), list(&check.findings));
    Value::Object(fields)
}

/// Findings as they stand in r8's own documents.
pub fn list(findings: &[Finding]) -> Value {
    findings.iter().map(of_finding).collect()
}

fn of_finding(finding: &Finding) -> Value {
    let place = finding.place.as_ref().map(|place| {
        let mut fields = Map::new();
        fields.insert(if place.is_file { "file" } else { "source" }.into(), place.source.as_str().into());
        let numbers = [("line", place.line), ("column", place.column)];
        fields.extend(numbers.into_iter().filter_map(|(key, number)| Some((key.into(), number?.into()))));
        fields
    });
    json!({
        "severity": finding.severity.word(), "rule": finding.rule, "message": finding.message, "hint": finding.hint,
        "place": place,
    })
}
