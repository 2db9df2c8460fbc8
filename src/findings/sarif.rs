//! SARIF 2.1.0, as OASIS publishes it; GitHub's code scanning reads it, too.

use serde_json::{Value, json};

use super::{Findings, RULES, Severity};

/// Where the schema is published.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn write(findings: &Findings) -> String {
    let located = findings.located();
    let mut rules: Vec<&str> = located.iter().map(|(finding, ..)| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    let results: Vec<Value> = located
        .iter()
        .map(|(finding, path, line, fingerprint)| {
            let level = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            let place = finding.place.as_ref().filter(|place| place.is_file);
            let mut region = json!({"startLine": line});
            if let Some(column) = place.and_then(|place| place.column) {
                region["startColumn"] = column.into();
                // Behind the last character that is meant.
                let length = place.and_then(|place| place.length).unwrap_or(1);
                region["endColumn"] = column.saturating_add(length).into();
            }
            json!({
                "ruleId": finding.rule, "ruleIndex": rules.binary_search(&finding.rule).unwrap_or_default(), "level": level,
                "message": {"text": finding.words("\n")},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(path)}, "region": region}}],
                "partialFingerprints": {"r8/v1": fingerprint},
            })
        })
        .collect();
    let rules: Vec<Value> = rules
        .iter()
        .map(|id| {
            let what = RULES.iter().find(|rule| rule.id == *id).map_or(*id, |rule| rule.what);
            let text = json!({"text": what});
            json!({"id": id, "shortDescription": text, "fullDescription": text, "help": text})
        })
        .collect();
    let driver = json!({
        "name": "r8", "version": findings.version, "semanticVersion": findings.version, "rules": rules,
    });
    let document = json!({
        "$schema": SCHEMA, "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "automationDetails": {"id": format!("r8/{}/", findings.command)},
            "invocations": [{"executionSuccessful": findings.complete}],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

/// A path as a reference of RFC 3986: relative ones have no scheme, whatever they begin with.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
